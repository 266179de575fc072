"""A Roundup tracker, stand-in or real, and what people do in it."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from sentinel.config.fields import Secret
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.roundup import RoundupOptions, RoundupTickets
from tests.fakes.http_peer import Received
from tests.tickets.contract import Shown
from tests.tickets.hands import Hands, apart

TRACKER = "/tr"
PASSWORDS = {"sentinel": "a-password-of-ours", "amina": "a-password-of-hers"}


class RoundupRig:
    """Two accounts: Sentinel's own, and Amina's."""

    name = "roundup"
    person = "amina"
    place = ""
    reopens = True
    assigns = True

    def __init__(self, url: str) -> None:
        self.url = url
        shown = b64encode(f"amina:{PASSWORDS['amina']}".encode()).decode()
        headers = {
            "Authorization": f"Basic {shown}",
            "X-Requested-With": "rest",
            "Origin": url,
            "Referer": f"{url}{TRACKER}/",
        }
        self._amina = Hands(f"{url}{TRACKER}/rest/data", headers)

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> RoundupTickets:
        options = RoundupOptions(
            backend="roundup",
            url=f"{url}{TRACKER}",
            user="sentinel",
            password=Secret("wrong" if wrong_key else PASSWORDS["sentinel"]),
            timeout=timedelta(seconds=20),
        )
        return RoundupTickets(options, TargetPolicy())

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and urlsplit(request.path).path.endswith("/data/issue")

    def notes(self, request: Received) -> bool:
        return request.method == "PUT" and b'"messages"' in request.body

    async def count(self, key: str) -> int:
        return int((await self._amina.get(f"/issue?title={quote(f'[{key}]')}"))["data"]["@total_size"])

    async def show(self, reference: str) -> Shown:
        issue = (await self._amina.get(f"/issue/{reference}?@verbose=2"))["data"]["attributes"]
        texts = [
            (await self._amina.get(f"/msg/{one['id']}/content"))["data"]["data"] or "" for one in issue["messages"]
        ]
        held = issue["assignedto"]
        return Shown(
            title=issue["title"],
            body=texts[0],
            priority=issue["priority"]["name"],
            assignee=held["username"] if held else "",
            notes=apart(texts[1:]),
        )

    async def resolve(self, reference: str, text: str) -> None:
        await self.comment(reference, text, status=await self._status("resolved"))

    async def reopen(self, reference: str) -> None:
        await self._change(reference, status=await self._status("in-progress"))

    async def take(self, reference: str) -> None:
        await self._change(reference, assignedto=await self._me())

    async def comment(self, reference: str, text: str, **more: Any) -> None:
        body = {"content": text, "author": await self._me(), "date": "."}
        made = (await self._amina.ask("POST", "/msg", body))[1]["data"]["id"]
        issue = (await self._amina.get(f"/issue/{reference}"))["data"]["attributes"]
        await self._change(reference, messages=[*(one["id"] for one in issue["messages"]), made], **more)

    async def _me(self) -> str:
        return str((await self._amina.get("/user?username=amina"))["data"]["collection"][0]["id"])

    async def _status(self, name: str) -> str:
        return str((await self._amina.get(f"/status?name={name}"))["data"]["collection"][0]["id"])

    async def _change(self, reference: str, **wanted: Any) -> None:
        headers, _ = await self._amina.ask("GET", f"/issue/{reference}")
        await self._amina.ask("PUT", f"/issue/{reference}", wanted, **{"If-Match": headers["etag"]})
