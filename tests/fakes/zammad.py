"""A stand-in for Zammad that speaks its REST interface, as far as tickets and articles need it.

Written from its documentation and the source of its controllers, without a Zammad beside it: names instead of numbers
with `expand`, a search that finds words and not keys, and an index that does not yet know what was made a moment ago.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.ticket_peer import TicketPeer

API = "/api/v1/"
STATES = ("new", "open", "pending reminder", "closed", "merged", "pending close")
PRIORITIES = ("1 low", "2 normal", "3 high")


@dataclass
class Zammad(TicketPeer):
    """Keeps tickets and articles in memory."""

    token: str = "api-token"
    groups: tuple[str, ...] = ("Operations", "Users")
    agents: tuple[str, ...] = ("amina@example.org", "bruno@example.org")
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    articles: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    indexed: set[int] = field(default_factory=set)

    def opens(self, request: web.Request) -> bool:
        return request.method == "POST" and request.path == f"{API}tickets"

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        if request.headers.get("Authorization") != f"Token token={self.token}":
            return self.told(401, {"error": "Invalid token!"})
        content = json.loads(body) if body else {}
        match (request.method, *request.path.removeprefix(API).split("/")):
            case ("GET", "users", "me"):
                return self.told(200, {"id": 3, "login": "sentinel@example.org"})
            case ("GET", "groups"):
                return self.told(200, [{"id": place, "name": name} for place, name in enumerate(self.groups, 1)])
            case ("GET", "tickets", "search"):
                return self._search(request)
            case ("POST", "tickets"):
                return self._create(content)
            case (("GET" | "PUT") as method, "tickets", number) if int(number) in self.tickets:
                return self._one(method, int(number), content)
            case ("GET", "ticket_articles", "by_ticket", number) if int(number) in self.tickets:
                return self.told(200, self.articles[int(number)])
            case ("POST", "ticket_articles") if content.get("ticket_id") in self.tickets:
                return self.told(
                    201, self.put_article(content["ticket_id"], content["body"], "sentinel@example.org", content)
                )
            case (_, ("tickets" | "ticket_articles"), *_):
                return self.told(
                    404, {"error": "Couldn't find Ticket with 'id'", "error_human": "Couldn't find Ticket"}
                )
        return self.told(404, {"error": "No route matches"})

    def _search(self, request: web.Request) -> web.Response:
        if not self.lagging:
            self.indexed |= self.tickets.keys()
        words = set(re.findall(r"\w+", request.query["query"].lower()))
        found = [
            one
            for number, one in self.tickets.items()
            if number in self.indexed
            and words <= set(re.findall(r"\w+", f"{one['title']} {self._said(number)}".lower()))
        ]
        found = sorted(found, key=lambda one: one["id"], reverse=request.query.get("order_by") == "desc")
        return self.told(200, found[: int(request.query.get("limit", 50))])

    def _said(self, number: int) -> str:
        return " ".join(one["body"] for one in self.articles[number])

    def _wrong(self, content: dict[str, Any]) -> str:
        for name, known in (("group", self.groups), ("owner", (*self.agents, "-"))):
            if content.get(name) not in (*known, None):
                return f"No lookup value found for '{name}': {json.dumps(content[name])}"
        for name, known in (("state", STATES), ("priority", PRIORITIES)):
            if content.get(name) not in (*known, None):
                return f"No lookup value found for '{name}': {json.dumps(content[name])}"
        if content.get("state", "").startswith("pending") and not content.get("pending_time"):
            return "Missing required value for field 'pending_time'!"
        return ""

    def _create(self, content: dict[str, Any]) -> web.Response:
        blank = next((f"{name} can't be blank" for name in ("group", "customer_id") if not content.get(name)), "")
        wrong = self._wrong(content) or blank
        if wrong:
            return self.told(422, {"error": wrong, "error_human": wrong})
        number = self.next()
        kept = {name: value for name, value in content.items() if name not in {"article", "tags"}}
        defaults = {"state": "new", "priority": "2 normal", "owner": "-"}
        self.tickets[number] = {**defaults, **kept, "id": number, "number": str(22000 + number)}
        self.articles[number] = []
        self.put_article(number, content["article"]["body"], "sentinel@example.org", content["article"])
        return self.told(201, self.tickets[number])

    def _one(self, method: str, number: int, content: dict[str, Any]) -> web.Response:
        if method == "PUT":
            wrong = self._wrong(content)
            if wrong:
                return self.told(422, {"error": wrong, "error_human": wrong})
            self.tickets[number] |= {name: value for name, value in content.items() if name != "article"}
            if article := content.get("article"):
                self.put_article(number, article["body"], "sentinel@example.org", article)
            self._touch(number)
        return self.told(200, self.tickets[number])

    def _touch(self, number: int) -> None:
        self.tickets[number]["updated_at"] = f"2026-11-21T22:{self.next() % 60:02d}:00.000Z"

    # What people do there.

    def put_article(self, number: int, body: str, by: str, more: dict[str, Any] | None = None) -> dict[str, Any]:
        """Say something below a ticket."""
        one = {"id": self.next(), "ticket_id": number, "body": body, "from": by, "created_by": by}
        one |= {
            "internal": bool((more or {}).get("internal")),
            "content_type": (more or {}).get("content_type", "text/plain"),
        }
        one["created_at"] = f"2026-11-21T22:{self.made % 60:02d}:30.000Z"
        self.articles[number].append(one)
        self._touch(number)
        return one

    def write(self, number: int, **content: Any) -> None:
        """Change a ticket as a person does."""
        self.tickets[number] |= content
        self._touch(number)

    def texts(self, number: int) -> list[str]:
        """Return what was said below a ticket after it was opened."""
        return [one["body"] for one in self.articles[number][1:]]
