"""The practice platform: a small campus that fails when told and on a schedule, and a gateway that writes files."""

from __future__ import annotations

from sentinel.demo.faults import FAULTS, Fault, Faults, Schedule
from sentinel.demo.platform import LISTEN, Platform, start

__all__ = ["FAULTS", "LISTEN", "Fault", "Faults", "Platform", "Schedule", "start"]
