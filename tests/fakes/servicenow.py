"""A stand-in for ServiceNow that speaks its Table API, as far as the table of incidents needs it.

Written from its documentation, without an instance beside it: values and what people see of them, journals that are
only seen, priorities that follow from impact and urgency, a data policy that wants to know how something was resolved,
a query with an unknown column that finds everything, and an instance asleep that answers 200 with a page.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.ticket_peer import TicketPeer

TABLE = "/api/now/table/incident"
SHOWN = {"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"}
PRIORITIES = {("1", "1"): "1", ("1", "2"): "2", ("1", "3"): "3", ("2", "1"): "2", ("2", "2"): "3", ("2", "3"): "4"}
COLUMNS = (
    "correlation_id", "correlation_display", "short_description", "description", "state", "impact", "urgency",
    "priority", "close_code", "close_notes", "assigned_to", "assignment_group", "work_notes", "comments",
    "hold_reason", "caller_id", "number", "sys_id", "sys_created_on", "sys_updated_on", "sys_updated_by",
    "sys_mod_count", "category", "opened_at",
)  # fmt: skip
JOURNALS = ("work_notes", "comments")
CODES = ("Solution provided", "Workaround provided", "No resolution provided", "Duplicate")


@dataclass
class ServiceNow(TicketPeer):
    """Keeps incidents in memory. ``readonly`` columns are left as they are, with 200, as an access rule does."""

    user: str = "sentinel"
    password: str = "secret"
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    journal: dict[str, list[tuple[str, str, str, str]]] = field(default_factory=dict)
    readonly: set[str] = field(default_factory=set)
    columns: tuple[str, ...] = COLUMNS
    people: dict[str, str] = field(default_factory=lambda: {"amina": "Amina Diallo", "bruno": "Bruno Leroy"})

    def opens(self, request: web.Request) -> bool:
        return request.method == "POST" and request.path == TABLE

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        expected = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return self._refused(401, "User Not Authenticated", "Required to provide Auth information")
        if request.path == "/api/now/table/sys_user":
            return self._people(request)
        if not request.path.startswith(TABLE):
            return self._refused(400, "Invalid table", "")
        sys_id = request.path.removeprefix(TABLE).strip("/")
        content = json.loads(body) if body else {}
        if not sys_id:
            return self._list(request) if request.method == "GET" else self._create(request, content)
        if sys_id not in self.records:
            return self._refused(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
        return self._update(request, sys_id, content) if request.method == "PATCH" else self._one(request, sys_id)

    def _refused(self, status: int, message: str, detail: str) -> web.Response:
        return self.told(status, {"error": {"message": message, "detail": detail}, "status": "failure"})

    def _people(self, request: web.Request) -> web.Response:
        column, _, value = request.query["sysparm_query"].partition("=")
        known = [{"sys_id": self.sys_id(one), "user_name": one, "email": f"{one}@example.org"} for one in self.people]
        return self.told(200, {"result": [one for one in known if one[column] == value]})

    def sys_id(self, login: str) -> str:
        """Return by what a person is referred to."""
        return f"{list(self.people).index(login) + 1:032x}"

    def login(self, sys_id: str) -> str:
        """Return whom a reference means."""
        return next((one for one in self.people if self.sys_id(one) == sys_id), "")

    def _list(self, request: web.Request) -> web.Response:
        found = [one for one in self.records.values() if self._matches(one, request.query.get("sysparm_query", ""))]
        first, most = int(request.query.get("sysparm_offset", 0)), int(request.query.get("sysparm_limit", 10000))
        shown = [self._shown(one, request) for one in found[first : first + most]]
        return self.told(200, {"result": shown}, {"X-Total-Count": str(len(found))})

    def _matches(self, record: dict[str, str], query: str) -> bool:
        for term in query.split("^"):
            if term.startswith("numberIN"):
                if record["number"] not in term.removeprefix("numberIN").split(","):
                    return False
                continue
            column, equals, value = term.partition("=")
            if column in self.columns and equals and record.get(column, "") != value:
                return False  # A column that is not there is no condition at all.
        return True

    def _create(self, request: web.Request, content: dict[str, Any]) -> web.Response:
        number = self.next()
        sys_id = f"{number:032x}"
        record = dict.fromkeys(self.columns, "") | {"state": "1", "impact": "3", "urgency": "3"}
        record |= {"sys_id": sys_id, "number": f"INC{10000 + number:07d}"}
        self.records[sys_id], self.journal[sys_id] = record, []
        refused = self._write(sys_id, content, "sentinel")
        if refused:
            del self.records[sys_id]
            return refused
        location = {"Location": f"{self.url}{TABLE}/{sys_id}"}
        return self.told(201, {"result": self._shown(record, request)}, location)

    def _one(self, request: web.Request, sys_id: str) -> web.Response:
        return self.told(200, {"result": self._shown(self.records[sys_id], request)})

    def _update(self, request: web.Request, sys_id: str, content: dict[str, Any]) -> web.Response:
        return self._write(sys_id, content, "sentinel") or self._one(request, sys_id)

    def _write(self, sys_id: str, content: dict[str, Any], by: str) -> web.Response | None:
        record = self.records[sys_id]
        if record["state"] == "7":
            return self._refused(403, "Operation Failed", "ACL Exception Update Failed due to security constraints")
        wanted = {
            name: str(value) for name, value in content.items() if name in self.columns and name not in self.readonly
        }
        after = {**record, **wanted}
        if after["state"] in {"6", "7"} and not (after["close_code"] in CODES and after["close_notes"]):
            why = "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes"
            return self._refused(403, "Operation Failed", why)
        for name in JOURNALS:
            if text := wanted.pop(name, ""):
                self.journal[sys_id].append((name, by, text, self._now()))
        record |= wanted
        record["priority"] = PRIORITIES.get((record["impact"], record["urgency"]), "5")
        count = str(int(record["sys_mod_count"] or -1) + 1)
        record |= {"sys_updated_on": self._now(), "sys_updated_by": by, "sys_mod_count": count}
        return None

    def _now(self) -> str:
        return f"2026-11-21 22:{self.next() % 60:02d}:00"

    def _shown(self, record: dict[str, str], request: web.Request) -> dict[str, Any]:
        names = request.query.get("sysparm_fields", ",".join(self.columns)).split(",")
        way = request.query.get("sysparm_display_value", "false")
        shown: dict[str, Any] = {}
        for name in names:
            if name == "assigned_to.user_name":
                login = self.login(record.get("assigned_to", ""))
                shown[name] = {"display_value": login, "value": login} if way == "all" else login
            if name not in self.columns:
                continue
            value, seen = record.get(name, ""), self._seen(record, name)
            shown[name] = {"display_value": seen, "value": value} if way == "all" else seen if way == "true" else value
        return shown

    def _seen(self, record: dict[str, str], name: str) -> str:
        if name in JOURNALS:
            label = {"work_notes": "Work notes", "comments": "Additional comments"}[name]
            kept = [one for one in self.journal[record["sys_id"]] if one[0] == name]
            return "".join(f"{at} - {by} ({label})\n{text}\n\n" for _, by, text, at in reversed(kept))
        if name == "state":
            return SHOWN.get(record["state"], record["state"])
        if name == "assigned_to":
            return self.people.get(self.login(record.get("assigned_to", "")), "")
        return record.get(name, "")

    # What people do there.

    def write(self, sys_id: str, by: str, **content: str) -> None:
        """Change a record as a person does."""
        refused = self._write(sys_id, content, by)
        assert refused is None, refused and refused.text

    def texts(self, sys_id: str) -> list[str]:
        """Return the work notes, the oldest first."""
        return [text for name, _, text, _ in self.journal[sys_id] if name == "work_notes"]
