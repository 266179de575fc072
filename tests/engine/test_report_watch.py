"""Reports that are sent: once for each occasion, whatever happens to the daemon, in each reader's language."""

from __future__ import annotations

import asyncio
import email
import email.policy
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest

from sentinel.core.model import Signal, Verdict
from tests import virtual
from tests.core.calendars import at
from tests.engine.whole import Whole, whole

pytestmark = pytest.mark.rule("SLA-8")

MONDAY = at("2026-12-07 06:59").astimezone(UTC)
TEXT = """\
site: {name: TDP, url: "https://sentinel.example.org", timezone: Europe/Paris, language: fr}
people:
  elise: {name: Élise Garnier, email: elise@example.org}
  david: {name: David Okafor, email: david@example.org, language: en}
  pager: {name: Pager, mobile: "+33639980001"}
channels:
  email: {type: outbox, path: outbox, as: email}
services:
  campus: {name: Campus Moodle, customer: DNUM, sla: gold, availability: 99.5%}
  mail: {name: Messagerie}
probes:
  backup: {type: heartbeat, service: mail, token: "${file:token}", every: 62d, interval: 1d}
reports:
  - {name: Revue mensuelle, every: monthly on 1st mon, to: [elise, david], services: campus}
"""


def reports(house: Whole) -> list[EmailMessage]:
    """Return the reports that were mailed, oldest first."""
    mails = (email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in house.mailed())
    return [cast(EmailMessage, mail) for mail in mails if "report" in mail["Message-ID"]]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_report_is_sent_at_its_moment_to_each_in_their_language_with_all_of_it_attached(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT, MONDAY) as house:
            await asyncio.sleep(30)
            assert reports(house) == []
            await asyncio.sleep(60)
            english, french = sorted(reports(house), key=lambda mail: str(mail["To"]))
        assert french["Subject"] == "[rapport] Revue mensuelle, du 1er novembre 2026 au 30 novembre 2026"
        assert english["Subject"] == "[report] Revue mensuelle, from 1 November 2026 to 30 November 2026"
        assert "Campus Moodle\N{NO-BREAK SPACE}: disponibilité inconnue" in text_of(french)
        assert "https://sentinel.example.org/reports/sla?from=2026-11-01&to=2026-11-30&service=campus&lang=en" in (
            text_of(english).replace("\n", "")
        )
        page, table = french.iter_attachments()
        assert (page.get_filename(), page.get_content_type()) == ("sla-2026-11-01.html", "text/html")
        assert '<html lang="fr">' in page.get_content()
        assert (table.get_filename(), table.get_content_type()) == ("sla-2026-11-01.csv", "text/csv")
        assert table.get_content().startswith("\ufeffservice,customer,")
        assert "Messagerie" not in page.get_content()

    virtual.run(story())


def test_a_report_is_sent_once_over_restarts_and_made_up_for_when_nobody_was_there(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT, MONDAY - timedelta(days=2)) as house:
            await asyncio.sleep(60)
            assert reports(house) == []
        for late in (timedelta(hours=5), timedelta(hours=6), timedelta(days=3)):
            async with whole(tmp_path, TEXT, MONDAY + late) as house:
                await asyncio.sleep(60)
                assert len(reports(house)) == 2, late

    virtual.run(story())


def test_an_occasion_long_past_is_not_made_up_for(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT, MONDAY + timedelta(days=8)) as house:
            await asyncio.sleep(60)
            assert reports(house) == []

    virtual.run(story())


def test_the_figures_are_those_of_what_happened(tmp_path: Path):
    async def story() -> None:
        start = datetime(2026, 11, 30, 9, tzinfo=UTC)
        async with whole(tmp_path, TEXT, start) as house:
            now = house.daemon.clock.now()
            signal = Signal(key="person:1", source="person", title="=down", at=now, since=now, service="campus")
            verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title="=down", dedup="d")
            await house.daemon.desk.report(signal, verdict)
            await asyncio.sleep(1)
        async with whole(tmp_path, TEXT, MONDAY + timedelta(minutes=2)) as house:
            await asyncio.sleep(60)
            _, french = sorted(reports(house), key=lambda mail: str(mail["To"]))
            assert "pannes\N{NO-BREAK SPACE}: 1" in text_of(french)
            _, table = french.iter_attachments()
            lines = table.get_content().splitlines()
            assert any(",INC-1,'=down,counted_s,50400" in line for line in lines), "14 hours until the end of November"

    virtual.run(story())
