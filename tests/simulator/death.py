"""How a process ends in the middle of anything."""

from __future__ import annotations


class Killed(BaseException):  # no ``except Exception`` may survive it
    """The process is dead: what it was doing is never finished."""
