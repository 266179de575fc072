"""How a channel that hears by itself hands over what it heard: an SMS centre on its line, a modem's folders."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from sentinel.channels.sms_inbound import Heard, Receipt


class NotKept(Exception):  # noqa: N818  a full disk is normal business
    """What was heard is not on disk: whoever said it is to say it again."""


class Ears(Protocol):
    """Takes what a channel hears."""

    async def heard(self, heard: Heard) -> None:
        """Take what somebody answered; it is on disk afterwards.

        Raises:
            NotKept: it is not.
        """
        ...

    async def became(self, receipt: Receipt) -> None:
        """Take what became of a message; a receipt moves it forward and acknowledges nothing (rule DSP-6).

        Raises:
            NotKept: it is not on disk.
        """
        ...


@runtime_checkable
class Listener(Protocol):
    """A sender that hears, too."""

    async def listen(self, ears: Ears) -> None:
        """Hand over what comes in, until cancelled; sending works before, meanwhile and afterwards."""
        ...
