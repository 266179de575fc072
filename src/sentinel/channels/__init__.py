"""The kinds of channels, one file each; a kind is imported when a configuration first names it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.channels.base import ChannelKind

# The name people write, and the module that holds its KIND.
KINDS = {
    "apprise": "sentinel.channels.apprise",
    "command": "sentinel.channels.command",
    "discord": "sentinel.channels.discord",
    "http-sms": "sentinel.channels.sms_http",
    "mattermost": "sentinel.channels.mattermost",
    "ntfy": "sentinel.channels.ntfy",
    "outbox": "sentinel.channels.outbox",
    "slack": "sentinel.channels.slack",
    "smpp": "sentinel.channels.smpp",
    "sms-spool": "sentinel.channels.sms_spool",
    "smtp": "sentinel.channels.email",
    "teams": "sentinel.channels.teams",
    "voice": "sentinel.channels.voice",
    "webhook": "sentinel.channels.webhook",
}


@cache
def kind(name: str) -> ChannelKind:
    """Return the kind of that name.

    Raises:
        KeyError: there is none.
    """
    found: ChannelKind = importlib.import_module(KINDS[name]).KIND
    return found
