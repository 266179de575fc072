"""A house in which everything happens at once: what the pages of the browser's tests and the screenshots show."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from argon2 import PasswordHasher

from tests.engine.whole import TOKENS
from tests.waiting import until
from tests.web.alive import Alive, alive

CONFIGURATION = (Path(__file__).parent / "world.yaml").read_text()
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "le chat dort sur le serveur"
# A Wednesday morning: somebody is at work everywhere.
MORNING = datetime(2026, 11, 25, 9, 20, tzinfo=UTC)


@dataclass
class World:
    """A daemon whose pages have something to say."""

    house: Alive
    http: aiohttp.ClientSession
    jump: Callable[[float], None]

    @property
    def url(self) -> str:
        """Return where it answers."""
        return self.house.url

    async def ask(self, path: str, **body: Any) -> Any:
        """Ask the API for something as Amina, and insist on getting it."""
        async with self.http.post(f"{self.url}/api/v1/{path}", json={"by": "amina", **body}) as answer:
            found = await answer.json(content_type=None)
            assert answer.status in {200, 201}, f"{path}: {answer.status} {found}"
            return found

    async def get(self, path: str) -> Any:
        """Read the API."""
        async with self.http.get(f"{self.url}/api/v1/{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def open(self, title: str, **body: Any) -> str:
        """Open an incident; return its number."""
        return str((await self.ask("incidents", title=title, **{"service": "campus", **body}))["number"])

    async def session(self, person: str = "amina") -> dict[str, Any]:
        """Sign somebody in; return the cookie for a browser."""
        secret = await self.house.one.daemon.accounts.begin(person, "test")
        return {"name": "sentinel_session", "value": secret, "url": self.url}

    async def later(self, **times: float) -> None:
        """Let time pass, and what was waiting for it happen."""
        self.jump(timedelta(**times).total_seconds())
        await self.house.one.daemon.desk.drain()

    async def mailed_link(self, pattern: str) -> str:
        """Return the path of a link of some pattern, once it stands in a mail."""
        found: list[str] = []

        async def told() -> bool:
            for file in self.house.one.mailed():
                mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                text = mail.get_body(("plain",))
                found.extend(re.findall(pattern, text.get_content()) if text is not None else [])
            return bool(found)

        await until(told)
        return found[-1]

    async def link(self, number: str) -> str:
        """Return the path of the link that the first person told of an incident got by SMS."""
        found: list[str] = []

        async def told() -> bool:
            for file in self.house.one.mailed(".txt"):
                found.extend(re.findall(rf"{number}\b.*?(/a/[a-z0-9]+)", file.read_text(), re.DOTALL))
            return bool(found)

        await until(told)
        return found[0]


def jumping() -> Callable[[float], None]:
    """Return a call that moves the time of the running loop ahead by so many seconds; it never goes back."""
    loop = asyncio.get_running_loop()
    time = loop.time
    ahead_s = 0.0

    def jump(seconds: float) -> None:
        nonlocal ahead_s
        ahead_s += seconds

    loop.time = lambda: time() + ahead_s  # type: ignore[method-assign]
    return jump


@asynccontextmanager
async def world(folder: Path, start: datetime = MORNING, text: str = CONFIGURATION) -> AsyncIterator[World]:
    """Run the house, without anything having happened."""
    jump = jumping()
    async with alive(folder, text, start) as house, aiohttp.ClientSession() as http:
        house.one.daemon.accounts.hasher = QUICK
        yield World(house, http, jump)


async def fill(one: World) -> dict[str, str]:
    """Have everything happen; return what the paths of pages need, by the names in them."""
    crisis = await one.open("Connexion au campus impossible", detail="HTTP 503 depuis 10:12", level=3, priority="P1")
    await one.ask(f"incidents/{crisis}/acknowledge")
    await one.ask(f"incidents/{crisis}/crisis/declare", text="Aucun étudiant ne peut se connecter")
    link = await one.link(await one.open("Envoi de courriels très lent", service="mail", level=3, priority="P2"))
    waiting = await one.open("Salle 204 sans image", service="video", level=1, priority="P4")
    await one.ask(f"incidents/{waiting}/acknowledge")
    await one.ask(f"incidents/{waiting}/pend", text="Quel câble ?", waits_on="customer")
    over = await _over(one)
    await _around(one)
    secret = await one.house.one.daemon.accounts.invite("chloe", "amina")
    return {
        "number": crisis, "over": over, "code": link.removeprefix("/a/"), "secret": secret, "rota": "technique",
        "person": "amina", "key": TOKENS["token2"], "page": "campus", "probe": "campus-home", "service": "campus",
        **await _subscribing(one),
    }  # fmt: skip


async def _subscribing(one: World) -> dict[str, str]:
    """Have somebody ask to be told of the status page; return the codes of their links."""
    subscribers = one.house.one.daemon.portal.subscribers
    made = await subscribers.ask("campus", "zoe@example.net", "fr")
    assert made is not None
    return {"confirm": subscribers.code(made.id, "confirm"), "leave": subscribers.code(made.id, "unsubscribe")}


async def _over(one: World) -> str:
    """Have the same thing happen twice, and end; return the number of the last one, whose problem is accepted."""
    for _ in range(2):
        number = await one.open("File d’attente des courriels pleine", service="mail", level=3, dedup="queue")
        await one.ask(f"incidents/{number}/acknowledge")
        await one.ask(f"incidents/{number}/resolve", text="File vidée", cause_class="intrinsic")
        await one.ask(f"incidents/{number}/close")
    await one.ask(f"incidents/{number}/problem", verdict="accept", text="Deux fois cette semaine")
    await one.ask("problems/1/known", cause="Un antivirus trop lent", workaround="Vider la file à la main")
    action = {"title": "Doubler l’antivirus", "owner": "chloe", "due_on": "2026-12-18"}
    await one.ask("problems/1/actions", **action)
    return number


async def _around(one: World) -> None:
    """Plan changes, silence, ask, and fill a week."""
    now = one.house.one.daemon.clock.now()
    for title, days in (("Mise à jour du campus", 7), ("Remplacement d’un disque", 9)):
        begins = now + timedelta(days=days)
        times = {"begins_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=2)).isoformat()}
        await one.ask("changes", title=title, services=["campus"], force=True, why="Convenu avec la DNUM", **times)
    await one.ask("fixes", service="mail", title="Correctif de l’antispam", component="antispam")
    await one.ask("silences", matchers=["service=video"], for_s=7200, comment="Travaux en salle 204")
    asking = {"category": "new_account", "description": "Pour Jean, dès lundi", "service": "campus"}
    await one.ask("requests", title="Compte pour Jean Petit", wanted="2026-12-01", **asking)
    await one.ask("requests", title="Deux licences de plus", **asking)
    await one.ask("oncall/secours/fill", who="farid", week="2026-W50")

    async def failing() -> bool:
        return any(one_["state"] == "failing" for one_ in await one.get("probes"))

    await until(failing)
