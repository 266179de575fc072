"""What the section ``watchdog`` holds besides people: places that are told we live, canary, last gasp, peers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.fields import (
    Duration,
    Host,
    MailAddress,
    OneOrMany,
    Port,
    Secret,
    SecretUrl,
    Url,
    quoted,
    read_mail_address,
    read_mobile,
    wrong,
)

KEY_MIN_CHARS: Final = 16
ARGUMENTS_MAX: Final = 50
PEERS_MAX: Final = 10
PLACES_MAX: Final = 10
MAILED_MAX: Final = 20
TEXT_MARK: Final = "{text}"

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class PlaceEntry(Section):
    """A place elsewhere that is told that Sentinel lives.

    ``ping`` is for addresses as healthchecks.io and Sentinel have them: below it ``/fail`` says that the self-test
    fails, and why. ``plain`` is only ever asked for when all is well. ``opsgenie`` is the heartbeat called ``name``.
    """

    type: Literal["ping", "plain", "opsgenie"] = "ping"
    url: SecretUrl | None = None
    name: Text | None = None
    key: Secret | None = None

    @model_validator(mode="after")
    def _whole(self) -> PlaceEntry:
        if self.type == "opsgenie":
            if self.name is None or self.key is None:
                raise wrong("a heartbeat of Opsgenie needs `name` and `key`")
        elif self.url is None:
            raise wrong("it does not say where", "write `url: ${cred:alive_url}`")
        elif self.name is not None or self.key is not None:
            raise wrong("`name` and `key` are for `type: opsgenie`")
        return self


class CanaryEntry(Section):
    """A page without an incident, sent by the channel ``by`` to an address that is ours, and awaited ``back``.

    It counts as lost when it is not back ``within`` so long.
    """

    every: Annotated[Duration, Field(ge=timedelta(minutes=5), le=timedelta(days=7))] = timedelta(hours=1)
    within: Annotated[Duration, Field(ge=timedelta(seconds=30), le=timedelta(hours=12))] = timedelta(minutes=10)
    by: Text
    to: str = ""
    back: Literal["mail", "sms", "webhook", "receipt"]

    @model_validator(mode="after")
    def _one_at_a_time(self) -> CanaryEntry:
        if self.within >= self.every:
            raise wrong("a canary would be sent before the last one is given up", "make `every` longer than `within`")
        return self

    def address(self, kind: str) -> str:
        """Return where it goes by a channel that wants addresses of a kind.

        Raises:
            ValueError: `to` is no such address.
        """
        if kind == "email":
            return read_mail_address(self.to)
        return read_mobile(self.to) if kind == "mobile" else ""


class GaspMail(Section):
    """A mail server that takes a mail straight away, without a password; best one that is not the usual relay."""

    host: Host
    port: Port = 25
    sender: MailAddress
    to: Annotated[OneOrMany[MailAddress], Field(min_length=1, max_length=MAILED_MAX)]


class LastGaspEntry(Section):
    """What is left when nothing else works: a program, a web address and a mail server, each tried by itself.

    What is wrong for longer than ``after`` is told, the same cause once in ``every``.
    """

    run: Annotated[OneOrMany[Text], Field(max_length=ARGUMENTS_MAX)] = ()
    url: SecretUrl | None = None
    mail: GaspMail | None = None
    after: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(hours=1))] = timedelta(minutes=2)
    every: Annotated[Duration, Field(ge=timedelta(minutes=5), le=timedelta(days=1))] = timedelta(hours=1)

    @field_validator("run")
    @classmethod
    def _absolute(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not value[0].startswith("/"):
            raise wrong(f"{quoted(value[0])} is not the whole path of a program", "write `/usr/bin/…`")
        return value

    @property
    def any(self) -> bool:
        """Whether there is a way at all."""
        return bool(self.run or self.url or self.mail)


class PeerEntry(Section):
    """Another Sentinel, which is looked at, and may call us by a ``key`` of its own.

    ``token`` is shown to it where a proxy before it asks for one.
    """

    url: Url
    token: Secret | None = None
    key: Secret | None = None
    every: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=5))] = timedelta(seconds=15)
    silent_for: Annotated[Duration, Field(ge=timedelta(seconds=5), le=timedelta(hours=1))] = timedelta(seconds=90)

    @model_validator(mode="after")
    def _sensible(self) -> PeerEntry:
        if self.key is not None and len(self.key.reveal()) < KEY_MIN_CHARS:
            raise wrong(f"the key is shorter than {KEY_MIN_CHARS} characters", "take one from `uuidgen`")
        if self.silent_for < 2 * self.every:
            raise wrong("one look that fails would do", "make `silent_for` twice as long as `every`, or longer")
        return self
