"""What can be asked of the review of an incident."""

from __future__ import annotations

from datetime import date

from sentinel.core.actions import Wanted
from sentinel.core.commands import Command


class HoldReview(Command, frozen=True, kw_only=True):
    """The review was held, on a day, with these people (rule REX-1)."""

    by: str
    on: date
    people: tuple[str, ...]
    text: str = ""


class WriteReport(Command, frozen=True, kw_only=True):
    """Somebody writes parts of the report, or makes it final (rules REX-1, REX-2)."""

    by: str
    parts: dict[str, str] = {}
    final: bool = False


class AddAction(Command, frozen=True, kw_only=True):
    """The action plan gets one more."""

    by: str
    wanted: Wanted


class FinishAction(Command, frozen=True, kw_only=True):
    """An action is done."""

    by: str
    action: str
    text: str = ""


class DiscussAction(Command, frozen=True, kw_only=True):
    """The production committee looked at an action."""

    by: str
    action: str
    text: str = ""
