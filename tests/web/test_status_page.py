"""The status pages for customers: what they say and never say, who may look, what serves them on bad days."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import lxml.etree
import lxml.html
import pytest

from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core.access import Issued
from sentinel.core.change_plan import Wanted
from sentinel.core.model import Role, Signal, Verdict
from sentinel.core.quality import Facts
from sentinel.web.app import build, serve
from tests.engine.whole import START, Whole, whole

SECRET = "CANARY-7c1f"  # Whatever the team writes has it; no page, feed or mail may.
WORLD = f"""\
site: {{name: Infogérance, url: "http://127.0.0.1:1", language: fr, timezone: Europe/Paris}}
people:
  amina: {{name: "Amina {SECRET}", email: amina@example.org, mobile: "+33639980001"}}
  bruno: {{name: "Bruno {SECRET}", email: bruno@example.org}}
channels:
  email: {{type: outbox, path: outbox, as: email}}
escalations:
  on-call:
    - {{at: 0m, to: [amina], by: [email]}}
services:
  campus:
    name: Campus
    customer: DNUM
    escalation: on-call
    contacts: {{operations: bruno, delivery_manager: amina, incident_manager: amina}}
  mail: {{name: Messagerie, customer: DNUM, escalation: on-call, status_page: dnum}}
  other: {{name: "Autre {SECRET}", customer: ACME, escalation: on-call}}
crises:
  all:
    when: {{priority: P1, major: true}}
    start: ask
    owner: amina
    cell: {{permanent: {{pilot: amina, technical: amina}}}}
status_pages:
  dnum: {{title: Les services du campus, services: campus, public: yes}}
  closed: {{title: Fermée, services: [campus, mail]}}
  acme: {{title: ACME, services: other, languages: en, publish: out}}
probes:
  login: {{type: tcp, target: "{SECRET.lower()}.invalid:1", service: campus, paused: yes}}
auth: {{rate: 10000, burst: 10000}}
"""


@dataclass
class Shown:
    """A daemon with status pages, and a browser that has signed in nowhere."""

    one: Whole
    http: aiohttp.ClientSession

    async def open(self, service: str = "campus", severity: str = "blocking") -> str:
        """Open an incident whose every word is the team's own."""
        now = self.one.daemon.clock.now()
        key = f"probe:{service}-{SECRET}/{severity}"
        signal = Signal(
            key=key, source="probe", title=f"title {SECRET}", at=now, since=now, service=service,
            detail=f"connect 192.0.2.7 {SECRET}", labels={"what": SECRET},
        )  # fmt: skip
        level, priority = (3, "P1") if severity == "blocking" else (2, "P3")
        verdict = Verdict(rule="x", level=level, severity=severity, priority=priority, title=signal.title, dedup=key)
        return (await self.one.daemon.desk.report(signal, verdict)).number

    async def order(self, number: str, command: c.Command) -> None:
        """Do something with an incident."""
        await self.one.daemon.desk.order(number, command)

    async def resolve(self, number: str) -> None:
        """End an incident, in words of the team."""
        close_by = self.one.daemon.clock.now() + timedelta(days=5)
        await self.order(number, c.Resolve(by="amina", text=f"resolved {SECRET}", close_by=close_by))

    async def get(self, path: str, status: int = 200, **headers: str) -> tuple[str, aiohttp.ClientResponse]:
        """Look at a path."""
        async with self.http.get(path, headers=headers, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, (path, answer.status, text[:300])
            return text, answer

    async def post(self, path: str, status: int, origin: str = "", **form: str) -> str:
        """Send a form of our own page, or of elsewhere."""
        where = origin or str(self.http._base_url).rstrip("/")
        async with self.http.post(path, data=form, headers={"Origin": where}, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, (path, answer.status, text[:300])
            return answer.headers.get("Location", text)

    async def look(self) -> None:
        """Have the pages made anew now."""
        await self.one.daemon.portal.look()

    async def token(self, role: Role, customer: str = "") -> dict[str, str]:
        """Make a token."""
        wanted = Issued(at=START, by="test", name=f"{role}{customer}", digest="", role=role, customer=customer)
        return {"Authorization": f"Bearer {(await self.one.daemon.tokens.issue(wanted))[1]}"}

    async def mails(self, to: str) -> list:
        """Send what is owed, and return what has come for somebody, oldest first."""
        dispatcher = self.one.daemon.dispatcher
        await dispatcher._start_due()
        while dispatcher._busy:
            await next(iter(dispatcher._busy.values()))
            await asyncio.sleep(0)  # One that has ended already leaves when others have their turn.
        found = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in self.one.mailed()]
        return sorted((one for one in found if to in one["To"]), key=lambda one: one["Date"].datetime)


@asynccontextmanager
async def shown(folder: Path, text: str = WORLD) -> AsyncIterator[Shown]:
    async with whole(folder, text) as one:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        runner = await serve(build(one.doors.context()), listener, folder / "control.sock")
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{listener.getsockname()[1]}") as http:
                found = Shown(one, http)
                await found.look()
                yield found
        finally:
            await runner.cleanup()


def words(text: str) -> str:
    return " ".join(lxml.html.fromstring(text.encode()).text_content().split())


async def crisis(one: Shown) -> str:
    """Have a crisis with what the team writes, and one message for the customer."""
    number = await one.open()
    await one.order(number, c.Acknowledge(by="amina", via="web"))
    await one.order(number, c.Note(by="amina", text=f"note {SECRET}"))
    await one.order(number, cc.DeclareCrisis(by="amina", why=f"why {SECRET}"))
    await one.order(number, cc.SendUpdate(by="amina", text="Le disque est remplacé, <b>retour</b> vers 23 h."))
    await one.order(number, cc.SendUpdate(by="amina"))  # The draft names who does what.
    return number


async def test_a_page_says_what_is_broken_since_when_what_was_written_and_when_the_next_word_comes(tmp_path):
    async with shown(tmp_path) as one:
        assert "Tous les services fonctionnent" in words((await one.get("/status/dnum?lang=fr"))[0])
        await crisis(one)
        await one.look()
        text = words((await one.get("/status/dnum?lang=fr"))[0])
        assert "✗ Au moins un service est interrompu" in text
        assert "✗ Campus\xa0: service interrompu" in text.replace("Campus :", "Campus\xa0:")
        assert "Une équipe y travaille" in text
        assert "Le disque est remplacé, <b>retour</b> vers 23 h." in text
        assert "Prochaine information : 22 novembre 2026 à 0 h 10" in text.replace("\xa0", " ")
        english = words((await one.get("/status/dnum?lang=en"))[0])
        assert "✗ Campus: service interrupted" in english
        found = json.loads((await one.get("/status/dnum.json?lang=en"))[0])
        assert [one_["state"] for one_ in found["services"]] == ["down", "ok"]
        assert found["services"][0]["days"][-1]["state"] in {"down", "unknown"}
        assert [message["text"] for message in found["incidents"][0]["messages"]] == [
            "Le disque est remplacé, <b>retour</b> vers 23 h."
        ]


async def test_what_turns_the_direction_of_writing_or_cannot_be_seen_does_not_reach_the_page(tmp_path):
    async with shown(tmp_path) as one:
        number = await one.open()
        await one.order(number, cc.DeclareCrisis(by="amina", why="why"))
        await one.order(number, cc.SendUpdate(by="amina", text="Retour \u202egnp.exe\u200b vers\x07 23 h."))
        await one.look()
        text = (await one.get("/status/dnum?lang=fr"))[0]
        assert "23 h." in text
        assert not set(text) & set("\u202e\u200b\x07")


async def test_nothing_that_the_team_wrote_stands_on_any_page_feed_or_file(tmp_path):
    async with shown(tmp_path) as one:
        number = await crisis(one)
        await one.open("other")
        await one.resolve(number)
        now = one.one.daemon.clock.now()
        change = await one.one.daemon.changes.plan(
            Wanted(
                title="Mise à jour",
                services=("campus", "other"),
                by="amina",
                facts=Facts(kind="technical"),
                why=f"why {SECRET}",
                begins_at=now + timedelta(hours=2),
                ends_at=now + timedelta(hours=3),
            )
        )
        await one.one.daemon.change_watch.look()
        assert change.number
        await one.look()
        seen = 0
        for form in ("", ".json", ".atom"):
            for language in ("fr", "en"):
                text, _ = await one.get(f"/status/dnum{form}?lang={language}")
                assert SECRET.lower() not in text.lower()
                assert "192.0.2.7" not in text
                assert "example.org" not in text
                seen += "Mise à jour" in text or "Mise \\u00e0 jour" in text
        assert seen == 6
        files = (tmp_path / "out").iterdir()
        assert {file.name for file in files} == {"index.html", "en.html", "en.json", "en.atom", "style.css"}


async def test_a_page_that_is_not_public_asks_who_it_is_and_shows_customers_only_what_is_theirs(tmp_path):
    async with shown(tmp_path) as one:
        await one.get("/status/closed", 200)  # This machine, while nobody needs to prove anything.
        viewer, theirs = await one.token("viewer"), await one.token("customer", "DNUM")
        others = await one.token("customer", "ACME")
        for form in ("", ".json", ".atom"):
            await one.get(f"/status/closed{form}", 401)
            await one.get(f"/status/closed{form}", 401, X_Forwarded_For="203.0.113.7")
            await one.get(f"/status/closed{form}", **viewer)
            _, answer = await one.get(f"/status/closed{form}", **theirs)
            assert answer.headers["Cache-Control"] == "private, no-cache"
            await one.get(f"/status/closed{form}", 404, **others)
            _, answer = await one.get(f"/status/dnum{form}", **{"X-Forwarded-For": "203.0.113.7"})
            assert answer.headers["Cache-Control"] == "public, max-age=10"
        await one.post("/status/closed/subscribe", 401, address="zoe@example.com")


async def test_a_page_that_has_not_changed_is_not_sent_again(tmp_path):
    async with shown(tmp_path) as one:
        for form in ("", ".json", ".atom"):
            _, plain = await one.get(f"/status/dnum{form}", **{"Accept-Encoding": "identity"})
            _, packed = await one.get(f"/status/dnum{form}", **{"Accept-Encoding": "gzip"})
            assert plain.headers["ETag"] != packed.headers["ETag"]
            known = {"If-None-Match": f'"x", W/{packed.headers["ETag"]}', "Accept-Encoding": "gzip"}
            text, _ = await one.get(f"/status/dnum{form}", 304, **known)
            assert text == ""
            await one.get(f"/status/dnum{form}", 200, **{"If-None-Match": '"x"'})


async def test_a_broken_database_leaves_the_last_page_which_says_of_when_it_is(tmp_path):
    async with shown(tmp_path) as one:
        await crisis(one)
        await one.look()
        with sqlite3.connect(tmp_path / "sentinel.db") as database:
            database.execute("ALTER TABLE incident RENAME TO away")
        try:
            await one.look()
            text = words((await one.get("/status/dnum?lang=fr"))[0])
            assert "Cette page ne peut pas être mise à jour" in text
            assert "Le disque est remplacé" in text
            assert json.loads((await one.get("/status/dnum.json"))[0])["stale"] is True
        finally:
            with sqlite3.connect(tmp_path / "sentinel.db") as database:
                database.execute("ALTER TABLE away RENAME TO incident")
        await one.look()
        assert json.loads((await one.get("/status/dnum.json"))[0])["stale"] is False


async def test_the_feed_tells_each_thing_once_and_is_well_formed(tmp_path):
    async with shown(tmp_path) as one:
        number = await crisis(one)
        await one.resolve(number)
        await one.look()
        text, answer = await one.get("/status/dnum.atom?lang=en")
        assert answer.content_type == "application/atom+xml"
        feed = lxml.etree.fromstring(text.encode())
        names = {"a": "http://www.w3.org/2005/Atom"}
        assert sorted(feed.xpath("a:entry/a:title/text()", namespaces=names)) == [
            "Campus: service interrupted",
            "New message - Campus: service interrupted",
            "Resolved - Campus: service interrupted",
        ]
        ids = feed.xpath("//a:id/text()", namespaces=names)
        assert len(set(ids)) == len(ids) == 4
        assert (await one.get("/status/dnum.atom?lang=en"))[0] == text


@pytest.mark.rule("CHG-6")
async def test_announced_maintenance_stands_on_the_page_with_the_services_of_the_page_alone(tmp_path):
    async with shown(tmp_path) as one:
        now = one.one.daemon.clock.now()
        await one.one.daemon.changes.plan(
            Wanted(
                title="Mise à jour",
                services=("campus", "other"),
                by="amina",
                facts=Facts(kind="technical"),
                begins_at=now + timedelta(hours=1),
                ends_at=now + timedelta(hours=2),
            )
        )
        await one.one.daemon.change_watch.look()
        await one.look()
        text = words((await one.get("/status/dnum?lang=fr"))[0]).replace("\xa0", " ")
        assert "Mise à jour prévue, du 22 novembre 2026 à 0 h 10 au 22 novembre 2026 à 1 h 10" in text
        assert "Services concernés : Campus" in text
        assert "Autre" not in text


async def test_odd_addresses_are_answered_as_they_deserve(tmp_path):
    async with shown(tmp_path) as one:
        for path in (
            "nothing", "dnum.xml", "dnum.html", "%00", "..%2f..%2fetc", "dnum/confirm/x", "dnum/confirm/é.é",
            "dnum/unsubscribe/" + "a" * 3000, "dnum/confirm/..%2f..", "%F0%9F%92%A9",
        ):  # fmt: skip
            await one.get(f"/status/{path}", 404)
        await one.get("/status/dnum?lang=xx")
        assert 'lang="en"' in (await one.get("/status/acme?lang=fr"))[0]


async def test_who_subscribes_confirms_first_then_hears_of_what_happens_and_leaves_by_one_click(tmp_path):
    async with shown(tmp_path) as one:
        page, _ = await one.get("/status/dnum?lang=en")
        form = lxml.html.fromstring(page.encode()).forms[0]
        where = await one.post(form.action, 303, address="zoe@example.com", lang="en")
        assert "Look into your mailbox" in words((await one.get(where))[0])
        (asking,) = await one.mails("zoe@example.com")
        link = urlsplit(re.search(r"http\S+/confirm/\S+", asking.get_body(("plain",)).get_content())[0]).path
        assert asking["List-Unsubscribe"] is None
        await one.get(link)
        assert one.one.daemon.portal.subscribers.of("dnum") == []  # Looking confirms nothing.
        assert "Subscription confirmed" in words(await one.post(link, 200))
        number = await crisis(one)
        await one.look()
        await one.look()  # Twice owed is once sent.
        await one.resolve(number)
        await one.look()
        news = (await one.mails("zoe@example.com"))[1:]
        assert sorted(mail["Subject"] for mail in news) == [
            "Campus: service interrupted",
            "New message - Campus: service interrupted",
            "Resolved - Campus: service interrupted",
        ]
        for mail in news:
            assert SECRET not in mail.as_string()
            assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        leaving = urlsplit(news[0]["List-Unsubscribe"].strip("<>")).path
        assert f"Unsubscribe: http://127.0.0.1:1{leaving}" in news[0].get_body(("plain",)).get_content()
        await one.get(leaving)
        assert len(one.one.daemon.portal.subscribers.of("dnum")) == 1
        async with one.http.post(leaving, data={"List-Unsubscribe": "One-Click"}) as answer:  # No page of ours asks.
            assert answer.status == 200
        assert one.one.daemon.portal.subscribers.of("dnum") == []
        assert one.one.daemon.store.records("subscriber") == []
        await one.post(leaving, 200)  # Again is no mistake.


async def test_subscribing_tells_nothing_of_who_has_and_asks_each_address_once_an_hour(tmp_path):
    async with shown(tmp_path) as one:
        answers = {await one.post("/status/dnum/subscribe", 303, address="zoe@example.com") for _ in range(3)}
        assert len(answers) == 1
        assert len(await one.mails("zoe@example.com")) == 1
        await one.post("/status/dnum/subscribe", 403, origin="https://evil.example.org", address="eve@example.com")
        for wrong in ("", "x", "a@b", "a@b.c\r\nBcc: x@example.com", "a b@example.com", "é@a.fr", "a" * 300 + "@a.fr"):
            await one.post("/status/dnum/subscribe", 400, address=wrong)
        await one.post("/status/dnum/subscribe", 303, address="b@example.com")
        await one.post("/status/dnum/subscribe", 303, address="c@example.com")
        await one.post("/status/dnum/subscribe", 429, address="d@example.com")


async def test_a_link_that_was_changed_or_is_for_something_else_leads_nowhere(tmp_path):
    async with shown(tmp_path) as one:
        subscribers = one.one.daemon.portal.subscribers
        made = await subscribers.ask("dnum", "zoe@example.com", "fr")
        assert made is not None
        code = subscribers.code(made.id, "confirm")
        for place in range(0, len(code), 5):
            changed = code[:place] + ("a" if code[place] != "a" else "b") + code[place + 1 :]
            await one.post(f"/status/dnum/confirm/{changed}", 404)
        await one.post(f"/status/dnum/unsubscribe/{code}", 404)
        await one.post(f"/status/acme/confirm/{code}", 404)
        await one.post(f"/status/dnum/confirm/{code}", 200)


async def test_who_does_not_confirm_is_forgotten_after_a_day(tmp_path):
    async with shown(tmp_path) as one:
        subscribers = one.one.daemon.portal.subscribers
        made = await subscribers.ask("dnum", "zoe@example.com", "fr")
        assert made is not None
        await subscribers.tidy(one.one.daemon.clock.now() + timedelta(hours=25))
        assert await subscribers.confirm(made.id) is None
        assert one.one.daemon.store.records("subscriber") == []


async def test_a_minor_incident_and_one_of_somebody_else_are_not_on_the_page(tmp_path):
    async with shown(tmp_path) as one:
        await one.open("campus", "minor")
        await one.open("other", "blocking")
        await one.look()
        found = json.loads((await one.get("/status/dnum.json"))[0])
        assert (found["state"], found["incidents"]) == ("ok", [])


async def test_a_page_without_messages_shows_none(tmp_path):
    async with shown(tmp_path, WORLD.replace("public: yes", "public: yes, messages: no")) as one:
        await crisis(one)
        await one.look()
        found = json.loads((await one.get("/status/dnum.json"))[0])
        assert (found["incidents"][0]["messages"], found["incidents"][0]["next_at"]) == ([], None)


async def test_a_folder_that_cannot_be_written_costs_the_page_nothing(tmp_path):
    (tmp_path / "out").write_text("a file, where a folder should be")
    async with shown(tmp_path) as one:
        await one.get("/status/acme")
