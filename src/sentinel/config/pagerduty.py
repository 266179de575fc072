"""The section ``intake.pagerduty``: the keys of PagerDuty's Events API, and what each integration is about."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from sentinel.config.base import Section
from sentinel.config.door_keys import DoorKey

INTEGRATIONS_MAX: Final = 200
IntegrationName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]


class PagerdutyKey(Section):
    """One integration: its routing key, and the service that its events are about."""

    key: DoorKey
    service: str = ""


class PagerdutyDoor(Section):
    """``/pagerduty/v2/enqueue``: the integrations that may send events, by name; closed without any."""

    keys: Annotated[dict[IntegrationName, PagerdutyKey], Field(max_length=INTEGRATIONS_MAX)] = {}
