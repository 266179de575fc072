"""A Redmine, stand-in or real, and what people do in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sentinel.config.fields import Secret
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.redmine import RedmineOptions, RedmineTickets
from tests.fakes.http_peer import Received
from tests.tickets.contract import Shown
from tests.tickets.hands import Hands, apart

KEY = "0123456789abcdef0123456789abcdef01234567"
AMINA_KEY = "fedcba9876543210fedcba9876543210fedcba98"
PROJECT = "exploitation"
PERSON = "Amina Berrada"


class RedmineRig:
    """Two accounts: Sentinel's own, and Amina's."""

    name = "redmine"
    person = PERSON
    place = PROJECT
    reopens = True
    assigns = True

    def __init__(self, url: str) -> None:
        self.url = url
        self._amina = Hands(url, {"X-Redmine-API-Key": AMINA_KEY})

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> RedmineTickets:
        options = RedmineOptions(
            backend="redmine",
            url=url,
            token=Secret("0" * 40 if wrong_key else KEY),
            project=place or PROJECT,
            timeout=timedelta(seconds=20),
        )
        return RedmineTickets(options, TargetPolicy())

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path.startswith("/issues.json")

    def notes(self, request: Received) -> bool:
        return request.method == "PUT" and b'"notes"' in request.body

    async def count(self, key: str) -> int:
        query = f"/issues.json?status_id=*&subject=~{quote(f'[{key}]')}"
        return int((await self._amina.get(query))["total_count"])

    async def show(self, reference: str) -> Shown:
        issue = (await self._amina.get(f"/issues/{reference}.json?include=journals"))["issue"]
        return Shown(
            title=issue["subject"],
            body=issue["description"],
            priority=issue["priority"]["name"],
            assignee=issue.get("assigned_to", {}).get("name", ""),
            notes=apart([one["notes"] for one in issue["journals"] if one["notes"]]),
        )

    async def resolve(self, reference: str, text: str) -> None:
        await self._change(reference, status_id=5, notes=text)

    async def reopen(self, reference: str) -> None:
        await self._change(reference, status_id=2)

    async def take(self, reference: str) -> None:
        me = (await self._amina.get("/users/current.json"))["user"]["id"]
        await self._change(reference, assigned_to_id=me)

    async def comment(self, reference: str, text: str) -> None:
        await self._change(reference, notes=text)

    async def _change(self, reference: str, **wanted: Any) -> None:
        await self._amina.ask("PUT", f"/issues/{reference}.json", {"issue": wanted})
