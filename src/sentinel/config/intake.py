"""The section ``intake``: what other tools may report, and what their alerts mean (rule SRC-2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, model_validator

from sentinel.config.base import LevelField, Section, Text
from sentinel.config.door_keys import must_be_long
from sentinel.config.fields import CidrNetwork, Duration, Flag, OneOrMany, Secret, wrong
from sentinel.config.hooks import Hooks
from sentinel.config.inbound import MailEntry, SmsEntry
from sentinel.config.inhibition import Patterns
from sentinel.config.pagerduty import PagerdutyDoor
from sentinel.core.model import Major, Priority, Severity

RESOLVE_MIN: Final = timedelta(seconds=10)
RESOLVE_MAX: Final = timedelta(days=1)
MAP_MAX: Final = 200
INTEGRATIONS_MAX: Final = 200

IntegrationName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$")]
Label = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]


class AlertmanagerDoor(Section):
    """``/am`` and ``/hooks/alertmanager``: who may come in besides this machine, and how alerts are read.

    An alert that says no end is over when it was not said again for ``resolve_timeout``. ``service_label`` names the
    label that holds the service. ``compat_version`` is the version that clients are told.
    """

    enabled: Flag = True
    resolve_timeout: Annotated[Duration, Field(ge=RESOLVE_MIN, le=RESOLVE_MAX)] = timedelta(minutes=5)
    service_label: Label = "service"
    allow: OneOrMany[CidrNetwork] = ()
    key: Secret | None = None
    compat_version: Annotated[str, Field(pattern=r"^[0-9]{1,3}\.[0-9]{1,4}\.[0-9]{1,4}$")] = "0.33.1"

    @model_validator(mode="after")
    def _is_secret(self) -> AlertmanagerDoor:
        if self.key is not None:
            must_be_long(self.key)
        return self


class DynatraceDoor(Section):
    """``/hooks/dynatrace``: who may come in besides this machine."""

    enabled: Flag = False
    allow: OneOrMany[CidrNetwork] = ()
    key: Secret | None = None

    @model_validator(mode="after")
    def _is_secret(self) -> DynatraceDoor:
        if self.key is not None:
            must_be_long(self.key)
        return self


class PingsDoor(Section):
    """``/ping/KEY/SLUG``: one key for all heartbeats, which are then told apart by their slugs."""

    key: Secret | None = None

    @model_validator(mode="after")
    def _is_secret(self) -> PingsDoor:
        if self.key is not None:
            must_be_long(self.key)
        return self


class OpsgenieDoor(Section):
    """``/opsgenie/v2``: the key of each integration, and whose its alerts are when they name no service.

    Alerts of integrations that stand in ``together`` share incidents as ``group_by`` says; otherwise each has its own.
    """

    enabled: Flag = False
    keys: Annotated[dict[IntegrationName, Secret], Field(max_length=INTEGRATIONS_MAX)] = {}
    services: dict[IntegrationName, str] = {}
    together: OneOrMany[IntegrationName] = ()

    @model_validator(mode="after")
    def _are_secret(self) -> OpsgenieDoor:
        for key in self.keys.values():
            must_be_long(key)
        if len({key.reveal() for key in self.keys.values()}) < len(self.keys):
            raise wrong("two integrations have the same key", "give each its own: the key tells them apart")
        if self.enabled and not self.keys:
            raise wrong("nobody could come in: there are no keys", "write `keys: {NAME: ${cred:NAME}}`")
        for name, listed in (("services", self.services), ("together", self.together)):
            if others := sorted(set(listed) - self.keys.keys()):
                raise wrong(f"`{name}` names an integration without a key: {others[0]}", "write its key, too")
        return self


class MapEntry(Section):
    """What an alert means whose labels match; the first entry that matches decides.

    ``service`` says whose it is, ``ignore`` that it means nothing and opens no incident.
    """

    name: Text | None = None
    match: Patterns = {}
    level: LevelField | None = None
    priority: Priority | None = None
    severity: Severity | None = None
    major: Major = ""
    service: str = ""
    ignore: Flag = False

    @model_validator(mode="after")
    def _says_something(self) -> MapEntry:
        meant = self.level or self.priority or self.severity or self.service or self.major
        if self.ignore and meant:
            raise wrong("what is ignored has no level, priority or service", "leave `ignore` out, or the rest")
        if not self.ignore and not meant:
            raise wrong("the entry says nothing", "write `level`, `priority`, `service` or `ignore: yes`")
        return self


class IntakeSection(Section):
    """The doors for other tools. ``map`` stands before ``rules`` for what comes through them."""

    alertmanager: AlertmanagerDoor = AlertmanagerDoor.defaults()
    dynatrace: DynatraceDoor = DynatraceDoor.defaults()
    opsgenie: OpsgenieDoor = OpsgenieDoor.defaults()
    pagerduty: PagerdutyDoor = PagerdutyDoor.defaults()
    hooks: Hooks = {}
    pings: PingsDoor = PingsDoor.defaults()
    mail: MailEntry = MailEntry.defaults()
    sms: SmsEntry = SmsEntry.defaults()
    map: Annotated[tuple[MapEntry, ...], Field(max_length=MAP_MAX)] | None = None
