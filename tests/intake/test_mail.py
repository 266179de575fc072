"""Mail in: an answer goes to its incident, a report opens one, all else does nothing (SRC-6, DSP-6)."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.events import Noted
from sentinel.core.pings import Said
from sentinel.core.state import Incident
from tests.engine.whole import HEARTBEAT, Whole, whole
from tests.intake.test_mail_message import REPORT
from tests.waiting import until

SITE = "site: {url: 'https://s.example.org', language: en}\n"
PEOPLE = """\
people:
  amina: {name: Amina Benali, email: Amina@example.org, mobile: "+33639980001", language: fr}
  bruno: {name: Bruno Petit, email: bruno@example.org, language: en}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [email]}
services:
  campus: {name: Campus, escalation: on-call}
"""


class Post:
    """The daemon, the mail it has sent, and letters to it."""

    def __init__(self, one: Whole) -> None:
        self.one = one
        self.count = 0

    def page(self) -> Any:
        """Return the mail by which amina was paged."""
        return email.message_from_bytes(self.one.mailed()[0].read_bytes(), policy=email.policy.default)

    async def send(self, text: str, sender: str = "amina@example.org", **headers: str) -> str:
        self.count += 1
        mail = EmailMessage()
        mail["From"] = sender
        mail["Subject"] = headers.pop("Subject", "Re: Campus")
        mail["Message-ID"] = headers.pop("Message_ID", f"<m{self.count}@example.org>")
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        return await self.one.daemon.inbound.mail.take(mail.as_bytes())

    async def answer(self, text: str, sender: str = "amina@example.org", **headers: str) -> str:
        return await self.send(text, sender, In_Reply_To=self.page()["Message-ID"], **headers)

    def incident(self, number: str = "INC-1") -> Incident | None:
        return self.one.daemon.store.incident(number)

    def state(self) -> tuple[str, str]:
        found = self.incident()
        assert found is not None
        return found.phase, found.acknowledged_by

    def notes(self) -> list[str]:
        log = self.one.daemon.store.timeline("INC-1")
        return [one.event.text for one in log if isinstance(one.event, Noted)]

    def counted(self, action: str) -> float:
        series = self.one.samples().get("sentinel_notification_replies_total", {})
        return series.get((("action", action), ("channel", "mail")), 0.0)

    async def said_back(self, text: str) -> str:
        """Return the mail that says it."""
        found = await until(lambda: [said for said in map(_text, self.one.mailed()) if text in said], f"“{text}”")
        return found[-1]


def _text(path: Path) -> str:
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr,attr-defined]


@asynccontextmanager
async def post(tmp_path: Path, intake: str = "") -> AsyncIterator[Post]:
    async with whole(tmp_path, SITE + PEOPLE + HEARTBEAT + intake) as one:
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        await until(lambda: any(row.state == "done" for row in one.daemon.store.messages(limit=9)))
        yield Post(one)


@pytest.mark.rule("DSP-6")
async def test_answering_the_mail_with_one_takes_the_incident_and_is_answered(tmp_path: Path):
    async with post(tmp_path) as made:
        assert await made.answer("1\n\nOn Sat, Nov 21, 2026 at 22:15 Sentinel <s@example.org> wrote:\n> x") == "taken"
        assert made.state() == ("acknowledged", "amina")
        assert "INC-1" in await made.said_back("Pris en charge par vous")


@pytest.mark.rule("DSP-6")
async def test_the_words_and_the_rest_of_a_mail_resolve_and_note(tmp_path: Path):
    async with post(tmp_path) as made:
        await made.answer("Ok, mais je ne suis pas seule à regarder.\n> x")
        assert made.state() == ("open", "")
        assert made.notes() == ["Ok, mais je ne suis pas seule à regarder."]
        await made.answer("RÉSOLU : disque libéré\net agrandi\n-- \nAmina")
        found = made.incident()
        assert found is not None
        assert (found.phase, found.resolution) == ("resolved", "disque libéré\net agrandi")


@pytest.mark.rule("DSP-6")
async def test_whoever_only_writes_the_senders_name_takes_nothing(tmp_path: Path):
    async with post(tmp_path) as made:
        # Anybody can guess the rest of it.
        forged, changes = re.subn(r"\.[a-z2-7]{26}@", f".{'a' * 26}@", made.page()["Message-ID"])
        assert changes == 1
        root = made.page()["References"]
        for reference in (forged, root):
            await made.send("1", In_Reply_To=reference)
            assert made.state() == ("open", "")
        await made.said_back("votre mail ne cite pas le nôtre")


@pytest.mark.rule("DSP-6")
async def test_a_mail_that_only_quotes_the_link_proves_itself_by_its_code(tmp_path: Path):
    async with post(tmp_path) as made:
        link = re.findall(r"https://s\.example\.org/a/\S+", _text(made.one.mailed()[0]))[0]
        await made.send(f"1\n\n> Take charge: {link}\n", "amina.private@example.org")
        assert made.state() == ("acknowledged", "amina")


@pytest.mark.rule("DSP-6")
async def test_the_mail_servers_word_is_proof_enough(tmp_path: Path):
    async with post(tmp_path, "intake: {mail: {vouched_by: mx.example.org}}\n") as made:
        root = made.page()["References"]
        vouched = "mx.example.org; dmarc=pass header.from=example.org"
        assert await made.send("1", In_Reply_To=root) == "refused"
        assert await made.send("1", In_Reply_To=root, Authentication_Results="evil.example; dmarc=pass") == "refused"
        assert made.state() == ("open", "")
        assert await made.send("1", In_Reply_To=root, Authentication_Results=vouched) == "taken"
        assert made.state() == ("acknowledged", "amina")


@pytest.mark.rule("SRC-6")
async def test_a_mail_of_a_known_person_that_answers_nothing_opens_a_level_3_incident(tmp_path: Path):
    async with post(tmp_path, "intake: {mail: {service: campus}}\n") as made:
        for _ in range(2):  # The mail server was not sure that we had it.
            assert await made.send(
                "All screens are black.", "Bruno@Example.ORG", Subject="Room 12", Message_ID="<x@y.example>"
            )
        found = made.incident("INC-2")
        assert found is not None
        assert (found.level, found.priority, found.title, found.requester) == (3, "P1", "Room 12", "bruno")
        assert (found.service, found.plan.ladder != ()) == ("campus", True)
        assert [one.signal.source for one in found.signals.values()] == ["mail"]
        assert made.incident("INC-3") is None
        assert "INC-2 is open, level 3" in await made.said_back("INC-2 is open")


@pytest.mark.rule("SRC-6")
async def test_strangers_are_refused_and_programs_are_not_heard(tmp_path: Path):
    async with post(tmp_path) as made:
        assert await made.send("Buy now", "spam@example.net") == "refused"
        assert await made.answer("I am away", Auto_Submitted="auto-replied") == "ignored"
        assert await made.answer("1", Precedence="bulk") == "ignored"
        assert await made.send("1", "MAILER-DAEMON@example.org") == "ignored"
        assert await made.one.daemon.inbound.mail.take(made.one.mailed()[0].read_bytes()) == "ignored"
        assert await made.one.daemon.inbound.mail.take(b"\xff\xfe") == "unreadable"
        assert made.state() == ("open", "")
        assert made.incident("INC-2") is None
        assert (made.counted("stranger"), made.counted("automatic")) == (1, 4)


@pytest.mark.rule("DSP-6")
async def test_a_delivery_report_sends_the_page_another_way_if_it_names_it_with_its_proof(tmp_path: Path):
    async with post(tmp_path) as made:
        ours = made.page()["Message-ID"].strip("<>").encode()
        named = b"inc-1.2.amina.email.abc@h.example.org"
        take = made.one.daemon.inbound.mail.take
        assert await take(REPORT % b"failed") == "ignored"
        assert not made.one.mailed(".txt")
        assert await take((REPORT % b"failed").replace(named, ours)) == "ignored"
        await until(lambda: made.one.mailed(".txt"))
        kinds = [type(one.event).__name__ for one in made.one.daemon.store.timeline("INC-1")]
        assert kinds.count("Bounced") == 1


async def test_the_proof_is_the_same_after_a_restart(tmp_path: Path):
    async with post(tmp_path) as made:
        page = made.page()["Message-ID"]
    async with whole(tmp_path, SITE + PEOPLE + HEARTBEAT) as again:
        made = Post(again)
        await made.send("1", In_Reply_To=page)
        assert made.state() == ("acknowledged", "amina")
