"""A stand-in for GLPI 10 that speaks its REST interface (apirest.php), as far as tickets need it.

Written from what is known of that interface, without a running GLPI beside it: sessions by user token and App-Token,
`searchText`, ranges with `Content-Range`, followups and solutions as items below a ticket, texts kept encoded, and the
refusal of whatever comes for a closed ticket.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.http_peer import HttpPeer

CLOSED, SOLVED = 6, 5


@dataclass
class Glpi(HttpPeer):
    """Keeps tickets, followups and solutions in memory; ``down`` answers 503 to everything."""

    user_token: str = "user-token"
    app_token: str = "app-token"
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    items: dict[tuple[int, str], list[dict[str, Any]]] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    down: bool = False
    people: dict[int, str] = field(default_factory=lambda: {2: "sentinel", 7: "amina", 8: "bruno"})
    _made: int = 100

    async def _handle(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/apirest.php/")
        self.asked.append(f"{request.method} {path}")
        if self.down:
            return web.Response(status=503, text="maintenance")
        if request.headers.get("App-Token", "") != self.app_token:
            return self._error(400, "ERROR_APP_TOKEN_PARAMETERS_MISSING")
        if path == "initSession":
            return self._begin(request)
        if request.headers.get("Session-Token", "") not in self.sessions:
            return self._error(401, "ERROR_SESSION_TOKEN_INVALID")
        if path == "killSession":
            self.sessions.discard(request.headers["Session-Token"])
            return web.json_response(True)
        parts = path.split("/")
        if parts[0] == "User":
            return self._person(request, parts)
        content = (await request.json())["input"] if request.method != "GET" else {}
        if len(parts) == 3:
            return self._below(request, int(parts[1]), parts[2], content)
        if path == "Ticket_User":
            return self._give(content)
        return self._ticket(request, content, int(parts[1]) if len(parts) == 2 else 0)

    def _person(self, request: web.Request, parts: list[str]) -> web.Response:
        known = [{"id": number, "name": login} for number, login in self.people.items()]
        if len(parts) == 2:
            found = [one for one in known if one["id"] == int(parts[1])]
            return web.json_response(found[0]) if found else self._error(404, "ERROR_ITEM_NOT_FOUND")
        sought = request.query["searchText[name]"]
        return self._page(request, [one for one in known if sought in str(one["name"])])

    def _give(self, content: dict[str, Any]) -> web.Response:
        """Link a user with a ticket; who it is assigned to works on it."""
        number = content["tickets_id"]
        self._made += 1
        self.items.setdefault((number, "Ticket_User"), []).append({"id": self._made, **content})
        if content["type"] == 2 and self.tickets[number]["status"] == 1:
            self.tickets[number]["status"] = 2
        return web.json_response({"id": self._made, "message": ""}, status=201)

    def _begin(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "") != f"user_token {self.user_token}":
            return self._error(401, "ERROR_GLPI_LOGIN_USER_TOKEN")
        self._made += 1
        self.sessions.add(f"session-{self._made}")
        return web.json_response({"session_token": f"session-{self._made}"})

    def _ticket(self, request: web.Request, content: dict[str, Any], number: int) -> web.Response:
        if request.method == "GET" and number:
            kept = self.tickets.get(number)
            return web.json_response(kept) if kept else self._error(404, "ERROR_ITEM_NOT_FOUND")
        if request.method == "GET":
            sought = request.query["searchText[name]"]
            return self._page(request, [one for one in self.tickets.values() if sought in one["name"]])
        if request.method == "PUT":
            self.tickets[number].update(content)
            return web.json_response([{str(number): True, "message": ""}])
        self._made += 1
        self.tickets[self._made] = {"id": self._made, **content, "content": html.escape(content["content"])}
        return web.json_response({"id": self._made, "message": ""}, status=201)

    def _below(self, request: web.Request, number: int, kind: str, content: dict[str, Any]) -> web.Response:
        kept = self.items.setdefault((number, kind), [])
        if request.method == "GET":
            return self._page(request, kept)
        if self.tickets[number]["status"] == CLOSED or content["items_id"] != number:
            return self._error(400, "ERROR_GLPI_ADD")
        self._made += 1
        kept.append({"id": self._made, "users_id": 2, **content, "content": html.escape(content["content"])})
        if kind == "ITILSolution":
            self.tickets[number]["status"] = SOLVED
        return web.json_response({"id": self._made, "message": ""}, status=201)

    def _page(self, request: web.Request, found: list[dict[str, Any]]) -> web.Response:
        first, last = (int(part) for part in request.query["range"].split("-"))
        if found and first >= len(found):
            return self._error(400, "ERROR_RANGE_EXCEED_TOTAL")
        page = found[first : last + 1]
        headers = {"Content-Range": f"{first}-{first + len(page) - 1}/{len(found)}"} if found else {}
        return web.json_response(page, status=206 if len(page) < len(found) else 200, headers=headers)

    @staticmethod
    def _error(status: int, code: str) -> web.Response:
        return web.Response(status=status, text=json.dumps([code, "see the documentation"]))

    # What people do there.

    def say(self, number: int, kind: str, text: str, by: int) -> None:
        """Write below a ticket, as the editor of GLPI does."""
        self._made += 1
        content = html.escape(f"<p>{html.escape(text)}</p>")
        self.items.setdefault((number, kind), []).append({"id": self._made, "users_id": by, "content": content})

    def texts(self, number: int, kind: str) -> list[str]:
        """Return what was said below a ticket, as people read it."""
        return [html.unescape(one["content"]) for one in self.items.get((number, kind), [])]
