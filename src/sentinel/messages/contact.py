"""What a test message says: that it is one."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sentinel.messages.notice import Notice


def contact_body(message: str, at: datetime) -> bytes:
    """Return the body of a message that is marked as a test."""
    return msgspec.json.encode(Notice(id=message, kind="test", at=at))
