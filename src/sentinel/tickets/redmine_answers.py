"""What Redmine answers, as far as tickets need it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sentinel.core.model import Priority
from sentinel.tickets.base import TicketState


class Named(msgspec.Struct, frozen=True):
    """Something with a number and a name."""

    id: int
    name: str = ""


class Status(Named, frozen=True):
    """A status of issues."""

    is_closed: bool = False


class Statuses(msgspec.Struct, frozen=True):
    """All statuses."""

    issue_statuses: list[Status]


class Level(Named, frozen=True):
    """A priority."""

    is_default: bool = False
    active: bool = True


class Levels(msgspec.Struct, frozen=True):
    """All priorities, from the lowest to the highest."""

    issue_priorities: list[Level]


class Tracker(Named, frozen=True):
    """A tracker."""

    default_status: Named | None = None


class Project(msgspec.Struct, frozen=True):
    """A project."""

    id: int
    trackers: list[Named] = []


class ProjectAnswer(msgspec.Struct, frozen=True):
    """A project, as it is answered."""

    project: Project


class Trackers(msgspec.Struct, frozen=True):
    """All trackers."""

    trackers: list[Tracker]


class Member(msgspec.Struct, frozen=True):
    """A member of a project: a person or a group."""

    user: Named | None = None
    group: Named | None = None


class Members(msgspec.Struct, frozen=True):
    """A page of members."""

    memberships: list[Member]
    total_count: int = 0


class Me(msgspec.Struct, frozen=True):
    """Who we are."""

    user: Named


class Detail(msgspec.Struct, frozen=True):
    """One field that was changed."""

    name: str = ""


class Journal(msgspec.Struct, frozen=True):
    """One change of an issue, with what was said."""

    id: int
    user: Named | None = None
    notes: str | None = ""
    private_notes: bool = False
    details: list[Detail] = []


class Issue(msgspec.Struct, frozen=True):
    """An issue."""

    id: int
    subject: str
    status: Named
    priority: Named
    updated_on: datetime
    tracker: Named | None = None
    assigned_to: Named | None = None
    journals: list[Journal] = []


class IssueAnswer(msgspec.Struct, frozen=True):
    """An issue, as it is answered."""

    issue: Issue


class Issues(msgspec.Struct, frozen=True):
    """A page of issues."""

    issues: list[Issue]
    total_count: int = 0


class Terms(msgspec.Struct, frozen=True):
    """What things are called there: which status means what, and what to set."""

    status_of: dict[TicketState, int]
    state_of: dict[int, TicketState]
    priority_of: dict[Priority, int]
    tracker: int


class Errors(msgspec.Struct, frozen=True):
    """The reasons of a refusal."""

    errors: list[str]
