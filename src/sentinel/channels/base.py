"""What every channel shares: the message it carries, the failure it raises, the line it stands for in the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from sentinel.probes.net import TargetPolicy


class Options(BaseModel):
    """The base of every channel's options: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a mail; its content is text."""

    name: str
    content_type: str
    content: str


@dataclass(frozen=True, slots=True)
class Link:
    """A web address and the words for it. One that ``acts`` leads to the page by which its reader takes charge."""

    label: str
    url: str = field(repr=False)
    acts: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one address, written out in the reader's language.

    ``id`` is stable over every try and sent to the carrier, so that what is sent twice can be seen to be the same
    (rule DSP-3). ``thread`` groups the mails of one incident. ``text`` reads alone; ``html`` may add looks;
    ``sms`` fits one segment. ``facts`` are for machines (webhooks); ``attachments`` go by mail only.
    ``proof`` stands in the Message-ID: who answers a mail shows by it that they have seen it.
    For chats, ``brief`` is the text without addresses, which are in ``links``; ``spoken`` is what a voice reads out.
    ``asking`` tells that somebody is to take charge. ``unsubscribe`` is where a POST ends a subscription.
    """

    id: str
    to: str
    name: str
    language: str
    subject: str
    text: str
    html: str
    sms: str
    thread: str
    first_in_thread: bool
    priority: str
    at: datetime
    facts: dict[str, Any] = field(default_factory=dict)
    attachments: tuple[Attached, ...] = ()
    proof: str = field(default="", repr=False)
    brief: str = ""
    spoken: str = ""
    links: tuple[Link, ...] = ()
    asking: bool = False
    unsubscribe: str = field(default="", repr=False)


class Undelivered(Exception):  # noqa: N818  a refusing carrier is normal business
    """The carrier did not take the message; ``permanent`` says that trying again cannot help.

    ``outcome`` is a label: ``retry`` (may work later), ``refused`` (this message, this address, or our credentials),
    ``timeout`` (unknown: it may have been accepted). ``after_s`` is how long the carrier asks us to wait.
    ``nobody_there`` says that it knows nobody at this address, which holds for any other message to it, too.
    """

    def __init__(
        self,
        why: str,
        *,
        permanent: bool = False,
        outcome: Literal["retry", "refused", "timeout"] | None = None,
        after_s: float | None = None,
        nobody_there: bool = False,
    ) -> None:
        super().__init__(why)
        self.why = why
        self.permanent = permanent
        self.outcome = outcome or ("refused" if permanent else "retry")
        self.after_s = after_s
        self.nobody_there = nobody_there


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a channel is handed when it is built: nothing global is reached for.

    ``now`` tells the time in unixtime, for the signatures that hold it. Relative paths start at ``folder``, where the
    configuration is. ``url`` is where Sentinel is reached itself, and ``channel`` how the one being built is called.
    """

    policy: TargetPolicy
    hostname: str
    site: str
    now: Callable[[], float]
    folder: Path = Path()
    url: str = ""
    channel: str = ""


class Sender(Protocol):
    """Carries one message once. No retries, limits, metrics or logs: ``dispatch.py`` does them for all channels."""

    async def send(self, message: Message) -> str:
        """Hand over a message and return the carrier's reference for it.

        Raises:
            Undelivered: the carrier did not take it.
        """
        ...

    async def check(self) -> None:
        """Prove that the channel would work, without sending anything: connect, sign in.

        Raises:
            Undelivered: it would not.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Build(Protocol):
    """Makes a sender of a kind from its options."""

    def __call__(self, options: Any, surroundings: Surroundings) -> Sender:
        """Build it, without connecting to anything."""
        ...


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """A kind of channel: the type of its options, how to build it, and the kind of address it wants.

    ``address`` is empty for a channel that reaches a place, not a person, and ``choose`` where the option ``as``
    of the channel says which. ``extra`` names the package that must be installed beside Sentinel, if it needs one.
    """

    name: str
    options: type[Options]
    build: Build
    address: Literal["email", "mobile", "ntfy", "", "choose"]
    extra: str = ""
