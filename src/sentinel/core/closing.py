"""What whoever resolves an incident must say, as the configuration asks: nothing is over before it is known why."""

from __future__ import annotations

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.core.state import Incident

CAUSE = "cause"


def refuse_incomplete(state: Incident, command: c.Resolve) -> None:
    """Refuse a resolution that leaves out what is asked for. The text itself is always asked for (rule LIF-6).

    A workaround does not end the search for the cause, and a request has none.

    Raises:
        Refused: the cause is asked for, and neither said nor known.
    """
    if lacks_cause(state, command):
        raise Refused(
            f"Resolving {state.number} needs its cause (`tickets.required_on_close`): intrinsic, the platform's own, "
            "or extrinsic; say that it is only a workaround while the cause is still sought."
        )


def lacks_cause(state: Incident, command: c.Resolve) -> bool:
    """Tell whether a resolution must say a cause, and does not while none is known."""
    if CAUSE not in state.plan.required or state.kind != "incident" or command.workaround_only:
        return False
    return command.cause_class is None and state.cause_class is None
