"""What the configuration of now has agreed about time: asked at the moment of a decision, kept in the event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from sentinel.core.sla import Contract


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """``contract_of`` gives the contract of a service, if it has one (rule SLA-9).

    ``remind_at`` gives when someone who is waited on since a moment is reminded, ``close_by`` when what is resolved
    at a moment closes by itself.
    """

    contract_of: Callable[[str], Contract | None]
    remind_at: Callable[[datetime], datetime | None]
    close_by: Callable[[datetime], datetime]
