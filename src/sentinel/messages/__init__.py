"""The text of what people receive: a notice, written out in the reader's language and time zone."""

from __future__ import annotations

from sentinel.messages.compose import compose
from sentinel.messages.notice import Notice, NoticeKind, TimelineLine

__all__ = ["Notice", "NoticeKind", "TimelineLine", "compose"]
