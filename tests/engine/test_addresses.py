"""An address that bounces is not used for a day; its administrators know; what arrives, or a person, restores it."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sentinel.core import commands as c
from sentinel.core.pings import Said
from sentinel.web.app import build
from tests import virtual
from tests.engine.whole import HEARTBEAT, START, Whole, whole
from tests.intake.test_mail_message import REPORT
from tests.waiting import until

SITE = """\
site: {url: 'https://s.example.org', language: en}
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
  root: {name: Root, email: root@example.org, role: admin}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [email]}
    - {at: 12h, to: [amina], by: [email]}
    - {at: 36h, to: [amina], by: [email]}
services:
  campus: {name: Campus, escalation: on-call}
"""

pytestmark = pytest.mark.rule("DSP-4")


class Post:
    """The daemon, what it has sent, and the mail server that sends some of it back."""

    def __init__(self, one: Whole) -> None:
        self.one = one

    async def fail(self, body: str = "the disk is full") -> None:
        await self.one.daemon.heard("backup", Said(kind="fail", body=body))

    def sent(self, to: str, suffix: str = ".eml") -> list[Path]:
        return [path for path in self.one.mailed(suffix) if to in path.read_text()]

    async def bounce(self, mail: Path, action: bytes = b"failed") -> str:
        page: Any = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
        ours = page["Message-ID"].strip("<>").encode()
        named = b"inc-1.2.amina.email.abc@h.example.org"
        await until(
            lambda: any(row.state == "done" for row in self.one.daemon.store.messages(limit=50)), "nothing is settled"
        )
        return await self.one.daemon.inbound.mail.take((REPORT % action).replace(named, ours))

    def told(self, channel: str) -> bool:
        """Tell whether it is written down that a message by some channel has left."""
        return any(row.channel == channel and row.state == "done" for row in self.one.daemon.store.messages(limit=50))

    def doubted(self) -> list[str]:
        return [one.person for one in self.one.daemon.addresses.doubts]

    def counted(self, action: str) -> float:
        series = self.one.samples().get("sentinel_notification_replies_total", {})
        return series.get((("action", action), ("channel", "mail")), 0.0)


@asynccontextmanager
async def bounced(tmp_path: Path) -> AsyncIterator[Post]:
    """A daemon whose first mail to amina came back."""
    async with whole(tmp_path, SITE + HEARTBEAT) as one:
        made = Post(one)
        await made.fail()
        await until(lambda: made.sent("amina@example.org"), "the page")
        await made.bounce(made.sent("amina@example.org")[0])
        yield made


async def test_the_page_goes_the_next_way_at_once_and_the_administrators_hear_of_it(tmp_path: Path) -> None:
    async with bounced(tmp_path) as made:
        await until(lambda: made.sent("+33639980001", ".txt"), "the SMS")
        await made.one.daemon.addresses.look()
        await until(lambda: made.sent("root@example.org"), "the administrator's mail")
        assert "550 no such user" in made.sent("root@example.org")[0].read_text().replace("=\n", "")
        assert made.doubted() == ["amina"]
        events = [type(one.event).__name__ for one in made.one.daemon.store.timeline("INC-1")]
        assert "Bounced" in events


async def test_what_is_told_later_takes_the_other_way_from_the_start(tmp_path: Path) -> None:
    async with bounced(tmp_path) as made:
        # One that is still on its way would be enough: nobody is sent a second one.
        await until(lambda: made.told("sms"), "the SMS")
        mails, texts = len(made.sent("amina@example.org")), len(made.sent("+33639980001", ".txt"))
        await made.one.daemon.desk.order("INC-1", c.Escalate(by="root", why="look at it"))
        await until(lambda: len(made.sent("+33639980001", ".txt")) > texts, "another SMS")
        assert len(made.sent("amina@example.org")) == mails


async def test_the_api_lists_it_and_resolving_its_incident_restores_it(tmp_path: Path) -> None:
    async with bounced(tmp_path) as made:
        daemon = made.one.daemon
        await daemon.addresses.look()
        async with (
            TestClient(TestServer(build(made.one.doors.context()))) as client,
            client.get("/api/v1/addresses") as answer,
        ):
            (shown,) = await answer.json()
        assert (shown["person"], shown["kind"], shown["bounces"]) == ("amina", "email", 1)
        assert shown["why"] == "smtp; 550 no such user"
        number = shown["incident"]
        assert number == "INC-2"
        close_by = daemon.clock.now() + timedelta(days=1)
        await daemon.desk.order(number, c.Resolve(by="root", text="mailbox emptied", close_by=close_by))
        await daemon.addresses.look()
        assert made.doubted() == []
        assert daemon.desk.policy.directory.lowered == {}


async def test_another_address_is_trusted_at_once_and_ends_the_incident(tmp_path: Path) -> None:
    async with bounced(tmp_path) as made:
        daemon = made.one.daemon
        await daemon.addresses.look()
        made.one.write((tmp_path / "probes.yaml").read_text().replace("email: amina@", "email: amina.b@"))
        assert (await daemon.reload()).done
        await daemon.addresses.look()
        assert made.doubted() == []
        found = daemon.store.incident("INC-2")
        assert found is not None
        assert found.phase in {"resolved", "closed"}


async def test_it_is_known_again_after_a_restart(tmp_path: Path) -> None:
    async with bounced(tmp_path) as made:
        await made.one.daemon.addresses.look()
    async with whole(tmp_path, SITE + HEARTBEAT) as again:
        assert [one.incident for one in again.daemon.addresses.doubts] == ["INC-2"]
        assert again.daemon.desk.policy.directory.lowered == {"amina": frozenset({"email"})}


async def test_what_is_only_late_moves_nothing_and_what_is_forged_is_counted(tmp_path: Path) -> None:
    async with whole(tmp_path, SITE + HEARTBEAT) as one:
        made = Post(one)
        await made.fail()
        await until(lambda: made.sent("amina@example.org"), "the page")
        assert await made.bounce(made.sent("amina@example.org")[0], b"delayed") == "ignored"
        assert (made.doubted(), made.counted("forged")) == ([], 0)
        assert await one.daemon.inbound.mail.take(REPORT % b"failed") == "ignored"
        assert (made.doubted(), made.counted("forged")) == ([], 1)
        assert not made.sent("+33639980001", ".txt")


def test_the_only_address_is_used_all_the_same_and_trusted_again_once_nothing_comes_back_for_an_hour(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with whole(tmp_path, SITE.replace(', mobile: "+33639980001"', "") + HEARTBEAT) as one:
            made = Post(one)
            await made.fail()
            await until(lambda: made.sent("amina@example.org"), "the page")
            await made.bounce(made.sent("amina@example.org")[0])
            await asyncio.sleep(60)
            await one.daemon.desk.order("INC-1", c.Escalate(by="root", why="look at it"))
            await until(lambda: len(made.sent("amina@example.org")) > 1, "another mail")
            await asyncio.sleep(1_800)
            assert made.doubted() == ["amina"]
            await asyncio.sleep(2_400)
            assert made.doubted() == []
            found = one.daemon.store.incident("INC-2")
            assert found is not None
            assert found.phase in {"resolved", "closed"}

    virtual.run(story())


async def test_after_a_day_the_address_is_tried_again(tmp_path: Path) -> None:
    async with bounced(tmp_path) as made:
        await until(lambda: made.sent("+33639980001", ".txt"), "the SMS")
        mails = len(made.sent("amina@example.org"))
    async with whole(tmp_path, SITE + HEARTBEAT, START + timedelta(hours=25)) as one:
        made = Post(one)
        assert made.doubted() == ["amina"]  # On trial: until something has arrived, or has not.
        assert one.daemon.desk.policy.directory.lowered == {}
        await one.daemon.desk.order("INC-1", c.Escalate(by="root", why="look at it"))
        await until(lambda: len(made.sent("amina@example.org")) > mails, "a mail again")
