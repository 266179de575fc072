"""The section ``watchdog``: who watches the watcher."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, model_validator

from sentinel.config.base import Section
from sentinel.config.fields import Duration, OneOrMany, SecretUrl, quoted, wrong
from sentinel.config.watchers import PEERS_MAX, PLACES_MAX, CanaryEntry, LastGaspEntry, Name, PeerEntry, PlaceEntry

CONDITIONS: Final = ("no_cycle_for", "channel_down", "queue_older_than")
ALIVE_EVERY_MIN: Final = timedelta(seconds=10)
ALIVE_EVERY_MAX: Final = timedelta(days=1)

Patience = Annotated[Duration, Field(ge=timedelta(seconds=30), le=timedelta(days=7))]


class SelfAlertWhen(Section):
    """After how long Sentinel's own trouble is told: probes that do not run, carriers, a queue that stands."""

    no_cycle_for: Patience | None = None
    channel_down: Patience | None = None
    queue_older_than: Patience | None = None


def read_conditions(value: Any) -> Any:
    """Read a list of conditions, each a mapping of one, as one mapping of all."""
    if not isinstance(value, list | tuple):
        return value
    found: dict[str, Any] = {}
    for item in value:
        if not isinstance(item, dict):
            raise wrong(f"{quoted(item)} is not a condition", f"write `{CONDITIONS[0]}: 11m`")
        for name, length in item.items():
            if name in found:
                raise wrong(f"`{name}` is there twice")
            found[name] = length
    return found


Conditions = Annotated[SelfAlertWhen, BeforeValidator(read_conditions)]


class SelfAlert(Section):
    """Who is told when nobody else could be reached, and when Sentinel itself does not work."""

    to: OneOrMany[str] = ()
    by: OneOrMany[str] = ()
    if_: Conditions = Field(SelfAlertWhen(), alias="if")

    @model_validator(mode="after")
    def _tells_somebody(self) -> SelfAlert:
        if self.if_ != SelfAlertWhen() and not self.to:
            raise wrong("nobody is told", "write `to`")
        return self


class Watchdog(Section):
    """Who watches the watcher: dead man's switches elsewhere, other Sentinels, and people.

    A channel of ``alive_without`` may be down without keeping the dead man's switches from being told.
    """

    alive_url: SecretUrl | None = None
    alive_every: Annotated[Duration, Field(ge=ALIVE_EVERY_MIN, le=ALIVE_EVERY_MAX)] = timedelta(minutes=1)
    alive: Annotated[dict[Name, PlaceEntry], Field(max_length=PLACES_MAX)] = {}
    alive_without: OneOrMany[str] = ()
    canary: CanaryEntry | None = None
    last_gasp: LastGaspEntry = LastGaspEntry.defaults()
    peers: Annotated[dict[Name, PeerEntry], Field(max_length=PEERS_MAX)] = {}
    self_alert: SelfAlert = SelfAlert.defaults()
