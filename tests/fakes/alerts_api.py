"""A stand-in for the alerts of Opsgenie (API v2) and of Jira Service Management (operations API v1).

Written from their documentation, without either beside it. Whatever changes something is answered 202 and done later:
what came of it must be asked for, and 404 says "not yet". An alias leads to the open alert only; a closed one is found
by searching, and never opens again: the same alias then makes another alert, which pages people.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.fakes.ticket_peer import TicketPeer

CLOUD_ID = "c10bd1d0-0000-4000-8000-000000000000"
MESSAGE_MAX_CHARS = 130
GONE = "Alert does not exist"
SAME = "Alert is already"


@dataclass
class AlertsApi(TicketPeer):
    """Keeps alerts in memory. ``later`` so many questions about each request are answered "not processed yet"."""

    jsm: bool = False
    key: str = "genie-key"
    user: str = "sentinel@example.org"
    later: int = 1
    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuses: str = ""
    people: tuple[str, ...] = ("amina@example.org", "bruno@example.org")
    paged: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The address that the configuration names."""
        return f"{self.url}/jsm/ops/api/{CLOUD_ID}" if self.jsm else self.url

    @property
    def prefix(self) -> str:
        return f"/jsm/ops/api/{CLOUD_ID}/v1/alerts" if self.jsm else "/v2/alerts"

    def opens(self, request: web.Request) -> bool:
        return request.method == "POST" and request.path == self.prefix

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        signed = base64.b64encode(f"{self.user}:{self.key}".encode()).decode()
        expected = f"Basic {signed}" if self.jsm else f"GenieKey {self.key}"
        if request.headers.get("Authorization") != expected:
            return self._plain(401, message="Key format is not valid!")
        if not request.path.startswith(self.prefix):
            return self._plain(404, message="No handler found")
        parts = [unquote(part) for part in request.path.removeprefix(self.prefix).strip("/").split("/") if part]
        content = json.loads(body) if body else {}
        if request.method == "GET":
            return self._read(request, parts)
        if not parts:
            if not content.get("message"):
                return self._plain(
                    422, message="Request body is not processable", errors={"message": "Message can not be empty."}
                )
            if len(content["message"]) > MESSAGE_MAX_CHARS:
                return self._plain(422, message="Request body is not processable", errors={"message": "too long"})
            return self._accepted("Create", self._create(content), content["alias"])
        return self._act(request, parts, content)

    def _plain(self, status: int, **content: Any) -> web.Response:
        return self.told(status, {**content, "took": 0.01, "requestId": f"r-{self.next()}"})

    def _data(self, data: Any) -> web.Response:
        if self.jsm:
            return self.told(200, data if isinstance(data, dict) else {"values": data, "count": len(data)})
        return self._plain(200, data=data)

    def _accepted(self, action: str, alert: str, alias: str = "", why: str = "") -> web.Response:
        number = f"request-{self.next()}"
        good = bool(alert) and not why
        self.requests[number] = {
            "success": good, "isSuccess": good, "action": action, "alertId": alert, "alias": alias,
            "status": why or (f"{action}d alert" if good else GONE), "later": self.later,
        }  # fmt: skip
        return self.told(202, {"result": "Request will be processed", "took": 0.1, "requestId": number})

    def _read(self, request: web.Request, parts: list[str]) -> web.Response:
        match parts:
            case []:
                return self._search(request)
            case ["requests", number] if number in self.requests:
                return self._status(self.requests[number])
            case ["alias"] if self.jsm:
                return self._one(self._open(request.query["alias"]))
            case [name]:
                alias = request.query.get("identifierType") == "alias" and not self.jsm
                return self._one(self._open(name) if alias else self.alerts.get(name))
            case [name, "notes"] if name in self.alerts:
                return self._list_notes(request, name)
        return self._plain(404, message="Alert does not exist")

    def _status(self, asked: dict[str, Any]) -> web.Response:
        if asked["later"]:
            asked["later"] -= 1
            headers = {"X-Opsgenie-ErrorType": "RequestNotProcessed"}
            return self.told(
                404, {"message": "Request not found. It might not be processed, yet.", "took": 0.1}, headers
            )
        return self._data({name: value for name, value in asked.items() if name != "later"})

    def _one(self, alert: dict[str, Any] | None) -> web.Response:
        return self._data(alert) if alert else self._plain(404, message="Alert does not exist")

    def _open(self, alias: str) -> dict[str, Any] | None:
        kept = [one for one in self.alerts.values() if one["alias"] == alias and one["status"] == "open"]
        return kept[0] if kept else None

    def _search(self, request: web.Request) -> web.Response:
        """Find what bears a tag; like the product it compares words, not the whole tag."""
        field_name, _, value = request.query["query"].partition(":")
        assert field_name == "tag", request.query["query"]
        words = value.strip('"').lower().split("-")
        known = [one for one in self.alerts.values() if not self.lagging or one["seen"]]
        found = [one for one in known if any(tag.lower().split("-")[: len(words)] == words for tag in one["tags"])]
        found.sort(key=lambda one: one["createdAt"], reverse=request.query.get("order", "desc") == "desc")
        size = int(request.query.get("size" if self.jsm else "limit", 20))
        return self._data(found[:size])

    def _list_notes(self, request: web.Request, name: str) -> web.Response:
        size = int(request.query.get("size" if self.jsm else "limit", 20))
        after = request.query.get("after" if self.jsm else "offset", "")
        kept = self.notes[name][::-1] if self.jsm else self.notes[name]  # `order` is none of its parameters.
        mark = "id" if self.jsm else "offset"
        first = next((place + 1 for place, note in enumerate(kept) if note[mark] == after), 0) if after else 0
        page = kept[first : first + size]
        if self.jsm:
            following = (
                f"/v1/alerts/{name}/notes?after={page[-1]['id']}&size={size}" if first + size < len(kept) else ""
            )
            return self.told(200, {"values": page, "links": {"next": following} if following else {}})
        return self._plain(200, data=page, paging={})

    def _create(self, content: dict[str, Any]) -> str:
        alert = self._open(content["alias"])
        if alert:
            alert["count"] += 1
            return str(alert["id"])
        number = f"{self.next():08d}-0000-4000-8000-000000000000-1700000000000"
        defaults = {"priority": "P3", "tags": [], "description": "", "owner": "", "acknowledged": False, "count": 1}
        alert = {
            **defaults,
            **content,
            "id": number,
            "tinyId": str(self.made),
            "status": "open",
            "seen": not self.lagging,
        }
        alert["createdAt"] = f"2026-11-21T22:{self.made % 60:02d}:00.000Z"
        self.alerts[number], self.notes[number] = alert, []
        self._touch(number)
        self.paged.append(content["alias"])
        return number

    def _act(self, request: web.Request, parts: list[str], content: dict[str, Any]) -> web.Response:
        name, what = parts[0], parts[1]
        alert = self.alerts.get(name)
        change = "PATCH" if self.jsm else "PUT"
        if (request.method == change) != (what in {"message", "description", "priority"}):
            return self._plain(405, message="Method not allowed")
        if alert is None or self.refuses == what:
            return self._accepted(what.title(), "", why=GONE)
        if what == "assign" and self._assigned(content) not in self.people:
            return self._accepted(what.title(), name, why="User does not exist")
        if what == "notes" and self.jsm:
            self._done(alert, what, content)
            return self.told(200, self.notes[name][-1])
        return self._accepted(what.title(), name, alert["alias"], self._done(alert, what, content))

    def _done(self, alert: dict[str, Any], what: str, content: dict[str, Any]) -> str:
        """Do it; return why it was not done."""
        match what:
            case "close" | "acknowledge" | "unacknowledge" if alert["status"] == "closed":
                return f"{SAME} closed"
            case "close":
                alert["status"] = "closed"
            case "acknowledge" | "unacknowledge":
                alert["acknowledged"] = what == "acknowledge"
            case "message" | "description" | "priority":
                alert[what] = content[what]
            case "assign":
                alert["owner"] = self._assigned(content)
                alert["acknowledged"] = True
            case "notes":
                self.put_note(alert["id"], content["note"], "Sentinel")
        self._touch(alert["id"])
        return ""

    def _assigned(self, content: dict[str, Any]) -> str:
        return str(content["accountId"] if self.jsm else content["owner"]["username"])

    def _touch(self, name: str) -> None:
        self.alerts[name]["updatedAt"] = f"2026-11-21T23:{self.next() % 60:02d}:00.000Z"

    # What people do there.

    def put_note(self, name: str, text: str, by: str) -> None:
        """Say something about an alert."""
        number = self.next()
        at = f"2026-11-21T{12 + number // 3600:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
        one = {"note": text, "owner": by, "createdAt": at}
        self.notes[name].append({**one, "id": str(number)} if self.jsm else {**one, "offset": f"{number}_{number}"})
        self._touch(name)

    def press(self, name: str, what: str) -> None:
        """Press a button of an alert."""
        assert not self._done(self.alerts[name], what, {})

    def texts(self, name: str) -> list[str]:
        """Return the notes of an alert."""
        return [one["note"] for one in self.notes[name]]
