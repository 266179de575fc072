"""What a configuration says of a ticket back-end, and the line each kind stands for in the table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, Protocol

from pydantic import Field

from sentinel.channels.base import Options
from sentinel.config.door_keys import DoorKey
from sentinel.config.fields import Duration, OneOrMany, Url
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import TicketBackend

PEOPLE_MAX: Final = 1000
EVERY_MIN: Final = timedelta(seconds=10)
EVERY_MAX: Final = timedelta(hours=1)


class TicketOptions(Options):
    """What every ticket back-end is told; a back-end's own options add ``backend``, its credentials and its place.

    ``people`` maps ids of people to what the back-end calls them. ``follow`` says whether changes made there come
    back, ``every`` how often they are asked for, ``hook_key`` is the secret of its webhooks at ``/hooks/tickets/NAME``.
    """

    backend: str
    url: Url
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")] | None = None
    services: OneOrMany[str] = ()
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(seconds=30))] = timedelta(seconds=10)
    people: Annotated[dict[str, str], Field(max_length=PEOPLE_MAX)] = {}
    follow: bool = True
    every: Annotated[Duration, Field(ge=EVERY_MIN, le=EVERY_MAX)] = timedelta(minutes=1)
    hook_key: DoorKey | None = None

    @property
    def called(self) -> str:
        """Return the name by which the log, metrics and incidents know it."""
        return self.name or self.backend


class TicketBuild(Protocol):
    """Makes a back-end of a kind from its options."""

    def __call__(self, options: Any, policy: TargetPolicy) -> TicketBackend:
        """Build it, without connecting to anything."""
        ...


@dataclass(frozen=True, slots=True)
class TicketKind:
    """A kind of back-end: what people write in ``backend``, the type of its options, and how to build it."""

    name: str
    options: type[TicketOptions]
    build: TicketBuild
