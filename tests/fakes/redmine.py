"""A Redmine of one project, made from what a real one answered: its REST interface as the ticket back-end uses it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tests.fakes.http_peer import HttpPeer

STATUSES = [
    {"id": number, "name": name, "is_closed": number > 4}
    for number, name in enumerate(["New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected"], 1)
]
PRIORITIES = [
    {"id": number, "name": name, "is_default": number == 2, "active": True}
    for number, name in enumerate(["Low", "Normal", "High", "Urgent", "Immediate"], 1)
]
TRACKERS = [{"id": 1, "name": "Bug", "default_status": {"id": 1, "name": "New"}, "description": None}]
SENTINEL, AMINA, ANONYMOUS = (5, "Sentinel Robot"), (6, "Amina Berrada"), (4, "Anonymous")
WORDS = {"status_id": "status", "priority_id": "priority", "assigned_to_id": "assigned_to"}


@dataclass
class Redmine(HttpPeer):
    """Keeps issues in memory. ``public`` lets a wrong key read; ``frozen`` holds statuses that a workflow forbids."""

    keys: dict[str, tuple[int, str]] = field(default_factory=dict)
    project: str = "exploitation"
    public: bool = True
    frozen: set[int] = field(default_factory=set)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    _made: int = 0

    async def _handle(self, request: web.Request) -> web.Response:
        who = self.keys.get(request.headers.get("X-Redmine-API-Key", ""), ANONYMOUS)
        path = request.path.removesuffix(".json")
        if path == "/users/current":
            me = {"user": {"id": who[0], "login": "x", "name": who[1]}}
            return web.Response(status=401) if who is ANONYMOUS else web.json_response(me)
        if who is ANONYMOUS and (not self.public or request.method != "GET"):
            return web.Response(status=401)
        if request.method != "GET":
            try:
                wanted = json.loads(await request.read())["issue"]
            except ValueError:
                return web.Response(status=400, content_type="text/html")
            return self._open(wanted, who) if request.method == "POST" else self._change(path, wanted, who)
        return self._told(path, request)

    def _told(self, path: str, request: web.Request) -> web.Response:
        fixed: dict[str, Any] = {
            "/trackers": {"trackers": TRACKERS},
            "/issue_statuses": {"issue_statuses": STATUSES},
            "/enumerations/issue_priorities": {"issue_priorities": PRIORITIES},
            f"/projects/{self.project}": {"project": {"id": 1, "name": "Exploitation", "trackers": TRACKERS}},
            f"/projects/{self.project}/memberships": {
                "memberships": [{"id": 1, "user": _named(AMINA)}, {"id": 2, "user": _named(SENTINEL)}],
                "total_count": 2,
            },
        }
        if path in fixed:
            return web.json_response(fixed[path])
        if path == "/issues":
            return self._list(request)
        issue = self.issues.get(_number(path)) if path.startswith("/issues/") else None
        return web.Response(status=404) if issue is None else web.json_response({"issue": issue})

    def _list(self, request: web.Request) -> web.Response:
        assert request.query["status_id"] == "*", "without it Redmine leaves closed issues out"
        sought = request.query.get("subject", "~").removeprefix("~").casefold()
        numbers = request.query.get("issue_id", "")
        found = [
            {name: value for name, value in issue.items() if name != "journals"}
            for issue in self.issues.values()
            if sought in issue["subject"].casefold() and (not numbers or str(issue["id"]) in numbers.split(","))
        ]
        return web.json_response({"issues": found, "total_count": len(found), "offset": 0, "limit": 100})

    def _open(self, wanted: dict[str, Any], who: tuple[int, str]) -> web.Response:
        if wanted.get("project_id") != self.project:
            errors = ["Project cannot be blank", "Tracker cannot be blank", "Status cannot be blank"]
            return web.json_response({"errors": errors}, status=422)
        if not wanted.get("subject") or len(wanted["subject"]) > 255:
            return web.json_response({"errors": ["Subject cannot be blank"]}, status=422)
        self._made += 1
        issue = {
            "id": self._made,
            "subject": wanted["subject"],
            "description": wanted.get("description", ""),
            "author": _named(who),
            "tracker": {"id": 1, "name": "Bug"},
            "journals": [],
            "updated_on": _now(),
        }
        self.issues[self._made] = issue
        self._set(issue, {"status_id": wanted["status_id"], "priority_id": wanted["priority_id"]})
        return web.json_response({"issue": issue}, status=201)

    def _change(self, path: str, wanted: dict[str, Any], who: tuple[int, str]) -> web.Response:
        issue = self.issues.get(_number(path))
        if issue is None:
            return web.Response(status=404)
        if wanted.get("assigned_to_id") not in {None, AMINA[0], SENTINEL[0]}:
            return web.json_response({"errors": ["Assignee is invalid"]}, status=422)
        if wanted.get("status_id") in self.frozen:
            del wanted["status_id"]  # As the real one: success, and nothing has changed.
        details = self._set(issue, wanted)
        if details or wanted.get("notes"):
            number = sum(len(one["journals"]) for one in self.issues.values()) + 1
            journal = {"id": number, "user": _named(who), "notes": wanted.get("notes", ""), "private_notes": False}
            issue["journals"].append({**journal, "created_on": _now(), "details": details})
            issue["updated_on"] = _now()
        return web.Response(status=204)

    @staticmethod
    def _set(issue: dict[str, Any], wanted: dict[str, Any]) -> list[dict[str, str]]:
        tables = {
            "status": STATUSES,
            "priority": PRIORITIES,
            "assigned_to": [_named(AMINA), _named(SENTINEL)],
        }
        changed = []
        if wanted.get("subject", issue["subject"]) != issue["subject"]:
            issue["subject"] = wanted["subject"]
            changed.append("subject")
        for name, word in WORDS.items():
            if name in wanted and issue.get(word, {}).get("id") != wanted[name]:
                issue[word] = next(one for one in tables[word] if one["id"] == wanted[name])
                changed.append(name)
        return [{"property": "attr", "name": name} for name in changed]


def _named(who: tuple[int, str]) -> dict[str, Any]:
    return {"id": who[0], "name": who[1]}


def _number(path: str) -> int:
    last = path.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
