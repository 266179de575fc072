"""A digest, an answer or news of a status page that a mail server sends back moves as much as a page does (DSP-4)."""

from __future__ import annotations

import asyncio
import email
import email.policy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core import events as e
from sentinel.core.model import Signal, Verdict
from sentinel.engine.subscribers import BOUNCES_MAX, Subscribers
from sentinel.messages import replies
from tests import virtual
from tests.engine.house import LoopClock
from tests.engine.whole import HEARTBEAT, START, Whole, whole
from tests.fakes.smtp_server import SmtpServer
from tests.intake.test_mail_message import REPORT
from tests.waiting import until

SITE = """\
site: {url: 'https://s.example.org', language: en}
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  jo.el_2: {name: Joël, email: joel@example.org}
channels:
  email: {type: outbox, path: outbox, as: email, budget: {per_person: 4/1h}}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina, jo.el_2], by: [email]}
services:
  campus: {name: Campus, escalation: on-call}
status_pages:
  libraries: {title: Libraries, services: campus, public: yes}
"""

REFUSALS = [("554 5.7.1 relay access denied", "confirmed"), ("550 5.1.1 no such user", "suspended")]

pytestmark = pytest.mark.rule("DSP-4")


async def fail(one: Whole, *hosts: int) -> list[str]:
    """Let hosts fail, and return their incidents."""
    found = []
    for host in hosts:
        now = one.daemon.clock.now()
        key = f"probe:host-{host}"
        signal = Signal(key=key, source="probe", title=f"host {host} is down", at=now, since=now, service="campus")
        verdict = Verdict(rule="x", level=3, severity="blocking", priority="P1", title=signal.title, dedup=key)
        found.append((await one.daemon.desk.report(signal, verdict)).number)
    return found


def mails(one: Whole, to: str) -> list[Any]:
    read = (email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in one.mailed())
    return [mail for mail in read if to in mail["To"]]


async def send_back(one: Whole, mail: Any, forged: bool = False) -> str:
    named = mail["Message-ID"].strip(" <>").encode()
    if forged:
        named = named.replace(b"@", b"a@")
    report = (REPORT % b"failed").replace(b"inc-1.2.amina.email.abc@h.example.org", named)
    return await one.daemon.inbound.mail.take(report)


def doubts(one: Whole) -> list[tuple[str, int]]:
    return [(doubt.person, doubt.count) for doubt in one.daemon.addresses.doubts]


def counted(one: Whole, action: str) -> float:
    series = one.samples().get("sentinel_notification_replies_total", {})
    return series.get((("action", action), ("channel", "mail")), 0.0)


def bounced(one: Whole, numbers: list[str]) -> dict[str, set[str]]:
    """Return of each incident whose mail is known to have come back."""
    return {
        number: {
            one_of.event.person for one_of in one.daemon.store.timeline(number) if isinstance(one_of.event, e.Bounced)
        }
        for number in numbers
    }


def digests(one: Whole, to: str) -> list[Any]:
    return [mail for mail in mails(one, to) if mail["Message-ID"].strip().startswith("<digest.")]


def test_a_digest_that_comes_back_lowers_the_address_and_every_incident_in_it_goes_another_way(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SITE + HEARTBEAT) as one:
            numbers = await fail(one, *range(8))
            await asyncio.sleep(180)
            digest = digests(one, "amina@example.org")[0]
            held = [number for number in numbers if f"{number} " in str(digest.get_body(("plain",)).get_content())]
            assert len(held) >= 2
            assert await send_back(one, digest) == "ignored"
            assert doubts(one) == [("amina", 1)]
            assert {number: "amina" in people for number, people in bounced(one, numbers).items()} == {
                number: number in held for number in numbers
            }
            await send_back(one, digest)
            assert doubts(one) == [("amina", 1)], "the same report again is no news"
            await asyncio.sleep(60)
            assert one.mailed(".txt"), "what was lost is said by SMS"
            await send_back(one, digests(one, "joel@example.org")[0])
            assert doubts(one) == [("amina", 1), ("jo.el_2", 1)], "whatever signs are in a name"
            assert counted(one, "forged") == 0

    virtual.run(story())


def test_an_answer_that_comes_back_lowers_the_address(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SITE + HEARTBEAT) as one:
            await fail(one, 1)
            await asyncio.sleep(30)
            (page,) = mails(one, "amina@example.org")
            answer = (
                f"From: amina@example.org\r\nMessage-ID: <1@example.org>\r\nIn-Reply-To: {page['Message-ID']}\r\n\r\n1"
            )
            assert await one.daemon.inbound.mail.take(answer.encode()) == "taken"
            await asyncio.sleep(30)
            (thanks,) = [mail for mail in mails(one, "amina@example.org") if mail["Message-ID"] != page["Message-ID"]]
            assert thanks["Message-ID"].strip().startswith("<reply.")
            await send_back(one, thanks, forged=True)
            assert (doubts(one), counted(one, "forged")) == ([], 1)
            await send_back(one, thanks)
            assert doubts(one) == [("amina", 1)]
            (row,) = [row for row in one.daemon.store.messages(limit=9) if row.id.startswith(replies.KEY)]
            assert (row.state, row.error) == ("dead", "smtp; 550 no such user")
            await send_back(one, thanks)
            assert doubts(one) == [("amina", 1)]

    virtual.run(story())


async def news(one: Whole, host: int) -> Any:
    """Let customers hear of something, and return the mail."""
    before = len(mails(one, "zoe@example.com"))
    await fail(one, host)
    await one.daemon.portal.look()
    await asyncio.sleep(30)
    return mails(one, "zoe@example.com")[before:]


async def read_again(one: Whole, now: datetime) -> Subscribers:
    """Return the subscribers as they stand at another moment."""
    found = Subscribers((one.daemon.store, one.daemon.writer), LoopClock(now))
    await found.load()
    return found


def test_a_subscription_is_suspended_for_a_day_by_a_bounce_and_ended_by_the_third(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SITE + HEARTBEAT) as one:
            portal = one.daemon.portal
            await portal.look()
            made = await portal.subscribers.ask("libraries", "zoe@example.com", "en")
            assert made is not None
            await portal.subscribers.confirm(made.id)
            (mail,) = await news(one, 1)
            await send_back(one, mail, forged=True)
            assert one.value("sentinel_status_page_subscribers", page="libraries", state="confirmed") == 1
            for _ in range(BOUNCES_MAX):
                await send_back(one, mail)
            assert one.value("sentinel_status_page_subscribers", page="libraries", state="suspended") == 1
            assert await news(one, 2) == []
            assert doubts(one) == []
            for days in range(1, BOUNCES_MAX):
                later = Subscribers(
                    (one.daemon.store, one.daemon.writer), LoopClock(START + timedelta(days=days, hours=days))
                )
                await later.load()
                assert [each.id for each in later.of("libraries")] == [made.id], "a day later it is tried again"
                await later.bounced(made.id)
            assert later.get(made.id) is None, "address and all"

    virtual.run(story())


def test_a_bounce_of_long_ago_does_not_count(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SITE + HEARTBEAT) as one:
            made = await one.daemon.portal.subscribers.ask("libraries", "zoe@example.com", "en")
            assert made is not None
            await one.daemon.portal.subscribers.confirm(made.id)
            for months in range(1, BOUNCES_MAX + 1):
                later = Subscribers(
                    (one.daemon.store, one.daemon.writer), LoopClock(START + months * timedelta(days=31))
                )
                await later.load()
                await later.bounced(made.id)
            assert later.get(made.id) is not None

    virtual.run(story())


def test_an_address_that_takes_not_even_the_question_is_forgotten_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, SITE + HEARTBEAT) as one:
            await one.daemon.portal.look()
            await one.daemon.portal.ask("libraries", "zoe@example.com", "en")
            await asyncio.sleep(30)
            (asking,) = mails(one, "zoe@example.com")
            assert one.value("sentinel_status_page_subscribers", page="libraries", state="waiting") == 1
            await send_back(one, asking)
            assert one.value("sentinel_status_page_subscribers", page="libraries", state="waiting") == 0

    virtual.run(story())


async def test_a_subscriber_whom_the_relay_does_not_know_is_suspended_and_a_denied_relay_suspends_nobody(
    tmp_path: Path,
) -> None:
    async with SmtpServer() as relay:
        smtp = f"{{type: smtp, host: 127.0.0.1, port: {relay.port}, security: none, from: s@example.org}}"
        site = SITE.replace("{type: outbox, path: outbox, as: email, budget: {per_person: 4/1h}}", smtp)
        async with whole(tmp_path, site + HEARTBEAT) as one:
            portal, rows = one.daemon.portal, one.daemon.store.messages

            def refused() -> int:
                return sum(row.id.startswith("status/") and row.state == "dead" for row in rows(limit=99))

            await portal.look()
            made = await portal.subscribers.ask("libraries", "zoe@example.com", "en")
            assert made is not None
            await portal.subscribers.confirm(made.id)
            for number, (answer, state) in enumerate(REFUSALS, 1):
                relay.answers["RCPT"] = answer
                await fail(one, number)
                await portal.look()
                await until(lambda expected=number: refused() == expected)  # type: ignore[misc]
                assert one.value("sentinel_status_page_subscribers", page="libraries", state=state) == 1, answer
            await portal.ask("libraries", "nobody@example.com", "en")
            await until(lambda: refused() > len(REFUSALS))
            assert one.value("sentinel_status_page_subscribers", page="libraries", state="waiting") == 0
            assert doubts(one) == []
