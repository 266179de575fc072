"""What is known of a fault when it comes again: the problem it belongs to, and how to get round it (rule LIF-8)."""

from __future__ import annotations

import msgspec


class KnownError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The record of a fault that is not solved yet; without a workaround nobody has found one."""

    number: str
    title: str = ""
    cause: str = ""
    workaround: str = ""
