"""A Request Tracker, stand-in or real, and what people do in it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sentinel.config.fields import Secret
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.rt import RtOptions, RtTickets
from tests.fakes.http_peer import Received
from tests.tickets.contract import Shown
from tests.tickets.hands import Hands, apart

API = "/REST/2.0"
QUEUE = "General"


class RtRig:
    """Two accounts: Sentinel's own, and Amina's."""

    name = "rt"
    person = "amina"
    place = QUEUE
    reopens = True
    assigns = True

    def __init__(self, url: str, tokens: dict[str, str]) -> None:
        self.url = url
        self._token = tokens["sentinel"]
        self._amina = Hands(f"{url}{API}", {"Authorization": f"token {tokens['amina']}"})

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> RtTickets:
        token = Secret("1-14-00000000000000000000000000000000" if wrong_key else self._token)
        options = RtOptions(backend="rt", url=url, token=token, queue=place or QUEUE, timeout=timedelta(seconds=20))
        return RtTickets(options, TargetPolicy())

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/ticket")

    def notes(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/comment")

    async def count(self, key: str) -> int:
        query = quote(f"Subject LIKE '[{key}]'")
        return len((await self._amina.get(f"/tickets?query={query}"))["items"])

    async def show(self, reference: str) -> Shown:
        ticket = await self._amina.get(f"/ticket/{reference}")
        fields = "fields=Content,TransactionId&per_page=100"
        texts = [
            one["Content"] or ""
            for one in (await self._amina.get(f"/ticket/{reference}/attachments?{fields}"))["items"]
        ]
        owner = ticket["Owner"]["id"]
        return Shown(
            title=ticket["Subject"],
            body=texts[0],
            priority=str(ticket["Priority"]),
            assignee="" if owner == "Nobody" else owner,
            notes=apart(texts[1:]),
        )

    async def resolve(self, reference: str, text: str) -> None:
        await self.comment(reference, text)
        await self._change(reference, Status="resolved")

    async def reopen(self, reference: str) -> None:
        await self._change(reference, Status="open")

    async def take(self, reference: str) -> None:
        await self._change(reference, Owner="amina")

    async def comment(self, reference: str, text: str) -> None:
        body = {"Content": text, "ContentType": "text/plain"}
        await self._amina.ask("POST", f"/ticket/{reference}/comment", body)

    async def _change(self, reference: str, **wanted: Any) -> None:
        await self._amina.ask("PUT", f"/ticket/{reference}", wanted)
