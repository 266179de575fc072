"""The kinds of ticket back-ends, one file each."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.tickets.options import TicketKind

# The name people write, and the module that holds its KIND.
KINDS = {
    "glpi": "sentinel.tickets.glpi",
    "itop": "sentinel.tickets.itop",
    "jira": "sentinel.tickets.jira",
    "jsm": "sentinel.tickets.jsm",
    "opsgenie": "sentinel.tickets.opsgenie",
    "redmine": "sentinel.tickets.redmine",
    "roundup": "sentinel.tickets.roundup",
    "rt": "sentinel.tickets.rt",
    "servicenow": "sentinel.tickets.servicenow",
    "webhook": "sentinel.tickets.webhook",
    "zammad": "sentinel.tickets.zammad",
}


@cache
def kind(name: str) -> TicketKind:
    """Return the kind of that name.

    Raises:
        KeyError: there is none.
    """
    found: TicketKind = importlib.import_module(KINDS[name]).KIND
    return found
