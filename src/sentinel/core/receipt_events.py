"""What carriers say of messages after they took them."""

from __future__ import annotations

from typing import Literal

from sentinel.core.happened import Happened


class Bounced(Happened, frozen=True, kw_only=True, tag="bounced"):
    """A message that a carrier had taken did not arrive, it says; ``tell`` holds the next way, if there is one.

    ``kind``, ``occasion``, ``step`` and ``forced`` are those of the message: once it was taken it was forgotten.
    """

    message: str
    person: str
    channel: str
    why: str
    kind: Literal["page", "alarm", "notice"]
    occasion: int
    step: int = -1
    forced: bool = False
