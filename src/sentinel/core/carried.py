"""Which provider carried a message, written in front of its reference when it was not the channel itself."""

from __future__ import annotations

import re
from typing import Final

_VIA: Final = re.compile(r"via ([\w.-]+): ")


def via(provider: str, reference: str) -> str:
    """Return the reference of a message that another channel's carrier took in this one's place."""
    return f"via {provider}: {reference}"


def provider_of(reference: str) -> str:
    """Return which channel's carrier took a message; nothing when it was its own channel's."""
    found = _VIA.match(reference)
    return found[1] if found else ""


def by(channel: str, reference: str) -> str:
    """Return how a message went, for people: ``sms``, or ``sms (sms-b)``."""
    provider = provider_of(reference)
    return f"{channel} ({provider})" if provider else channel
