"""Managers hear of a silence that hides much, or for long (threat T29)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sentinel.core.matching import WIDE_TARGETS, Silence, written
from tests import virtual
from tests.engine.whole import START, Whole, whole

TARGETS = ", ".join(f"web{number}.example.org:443" for number in range(WIDE_TARGETS))
WORLD = f"""\
people:
  amina: {{name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}}
  elise: {{name: Élise Garnier, email: elise@example.org, role: incident_manager, language: fr}}
  farid: {{name: Farid Haddad, email: farid@example.org, language: en}}
  ines: {{name: Inès Caron, email: ines@client.example.org, side: customer, customer: DNUM, role: incident_manager}}
site: {{url: "https://sentinel.example.org"}}
channels:
  email: {{type: outbox, path: outbox, as: email}}
  sms: {{type: outbox, path: outbox, as: sms}}
services:
  campus: {{name: Campus, customer: DNUM, contacts: {{delivery_manager: farid}}}}
  mail: {{name: Mail, customer: DNUM}}
probes:
  many: {{type: tcp, paused: yes, service: campus, targets: [{TARGETS}]}}
  one: {{type: tcp, paused: yes, service: mail, target: "mail.example.org:25"}}
"""


def story(tell: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Have a test run on virtual time."""

    @functools.wraps(tell)
    def told_on_virtual_time(tmp_path: Path) -> None:
        virtual.run(tell(tmp_path))

    return told_on_virtual_time


def silence(name: str, matcher: str, lasts: timedelta = timedelta(hours=2)) -> Silence:
    return Silence(
        id=name,
        matchers=(written(matcher),),
        starts_at=START,
        ends_at=START + lasts,
        by="amina",
        comment="la migration",
    )


async def told(one: Whole) -> list[tuple[str, str, str]]:
    """Return to whom what was mailed since the last time, and its subject."""
    await asyncio.sleep(30)
    found = []
    for file in one.mailed():
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        found.append((str(mail["To"]).partition("<")[2].strip(">"), str(mail["Subject"]), body.get_content()))
        file.unlink()
    return sorted(found)


@story
async def test_managers_are_told_by_mail_each_in_their_language_and_once(tmp_path: Path):
    async with whole(tmp_path, WORLD) as one:
        await one.daemon.desk.silence(silence("wide", "service=campus"))
        (elise, french), (farid, english) = ((to, text) for to, _, text in await told(one))
        assert (elise, farid) == ("elise@example.org", "farid@example.org"), "customers are not told"
        for text in (
            "Amina Benali met sous silence",
            f"cibles\u00a0: {WIDE_TARGETS}",
            "service=campus",
            "la migration",
        ):
            assert text in french
        for text in ("Amina Benali silences", f"targets: {WIDE_TARGETS}", "https://sentinel.example.org/silences"):
            assert text in english
        assert await told(one) == []
    async with whole(tmp_path, WORLD, START + timedelta(minutes=10)) as one:
        assert await told(one) == [], "nor after a restart"
        made_longer = replace(silence("wide", "service=campus"), ends_at=START + timedelta(days=30))
        await one.daemon.desk.silence(made_longer)
        assert len(await told(one)) == 2


@story
async def test_what_hides_little_for_a_short_while_is_nobodys_business(tmp_path: Path):
    async with whole(tmp_path, WORLD) as one:
        await one.daemon.desk.silence(silence("narrow", "service=mail"))
        assert await told(one) == []
        await one.daemon.desk.silence(silence("long", "service=mail", timedelta(hours=9)))
        assert [to for to, *_ in await told(one)] == ["elise@example.org"], "nobody answers for that service"


@story
async def test_what_comes_again_is_told_of_once_and_only_when_it_is_wide(tmp_path: Path):
    again = """\
silences:
  all: {match: "probe=ma*", cron: "10,40 * * * *", lasts: 10m}
  little: {match: "service=mail", hours: {sat-sun: 00:00-24:00}}
"""
    async with whole(tmp_path, WORLD + again) as one:
        assert [to for to, *_ in await told(one)] == ["elise@example.org", "farid@example.org"]
        await asyncio.sleep(3 * 3600)
        assert await told(one) == []


@story
async def test_where_nobody_manages_administrators_are_told(tmp_path: Path):
    world = WORLD.replace("role: incident_manager, language: fr", "role: administrator")
    async with whole(tmp_path, world.replace(", contacts: {delivery_manager: farid}", "")) as one:
        await one.daemon.desk.silence(silence("wide", "service=campus"))
        assert [to for to, *_ in await told(one)] == ["elise@example.org"]
