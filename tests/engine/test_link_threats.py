"""Acknowledge links under attack: scanners that open them, and codes that are guessed or altered (T21, T22)."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engine.test_links import paged, state
from tests.engine.whole import Whole
from tests.messages.test_links import shortened
from tests.waiting import until

pytestmark = pytest.mark.rule("DSP-6")

SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) SafeLinks",
    "Mozilla/5.0 (compatible; ms-office; MSOffice 16)",
    "proofpoint-url-defense/1.0",
    "Mimecast-URL-Protect",
    "Barracuda Sentinel (EE)",
    "GoogleImageProxy",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "WhatsApp/2.23 A",
    "TelegramBot (like TwitterBot)",
    "curl/8.0",
)
LOOKS = 1_000
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def content(one: Whole) -> list[tuple[object, ...]]:
    """Return everything in the database that an answer could change."""
    with sqlite3.connect(one.folder / "sentinel.db") as database:
        tables = ("incident_event", "incident", "outbox", "ledger")
        known = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = [(name, *row) for name in tables if name in known for row in database.execute(f"SELECT * FROM {name}")]
    assert found, "these tables hold nothing: they have other names now"
    return found


def under_way(one: Whole) -> int:
    """Return how many messages and tickets are still to leave."""
    with sqlite3.connect(one.folder / "sentinel.db") as database:
        return int(database.execute("SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending')").fetchone()[0])


async def settled(one: Whole) -> list[tuple[object, ...]]:
    """Return the content once what was under way is written down."""
    await one.daemon.desk.drain()
    return content(one)


async def test_a_thousand_looks_of_scanners_leave_the_store_as_it_was(tmp_path: Path) -> None:
    async with paged(tmp_path) as (one, browser, path):
        await until(lambda: not under_way(one))
        before = await settled(one)
        for number in range(LOOKS):
            method = ("GET", "HEAD", "OPTIONS")[number % 3]
            headers = {"User-Agent": SCANNERS[number % len(SCANNERS)]}
            async with browser.request(method, path, headers=headers) as answer:
                await answer.read()
                assert answer.status in {200, 405, 429}
                if answer.status == 200 and method != "OPTIONS":
                    assert answer.headers["Referrer-Policy"] == "no-referrer"
                    assert "no-store" in answer.headers["Cache-Control"]
        assert await settled(one) == before
        assert state(one).phase == "open"


async def test_a_code_with_any_other_character_in_any_place_leads_nowhere(tmp_path: Path) -> None:
    async with paged(tmp_path) as (one, browser, path):
        head, code = path[:3], path[3:]
        last = len(code) - 1
        for place, character in enumerate(code):
            other = ALPHABET[(ALPHABET.index(character) + 16) % 32]  # The highest of its five bits is another one.
            forged = f"{head}{code[:place]}{other}{code[place + 1 :]}"
            for method in ("GET", "POST"):
                async with browser.request(method, forged, allow_redirects=False) as answer:
                    assert answer.status in {404, 429}, (method, place, last)
        assert state(one).phase == "open"


async def test_every_single_bit_of_a_code_counts(tmp_path: Path) -> None:
    async with paged(tmp_path) as (one, _browser, path):
        from sentinel.core import events as e
        from sentinel.messages import links

        made, code = one.daemon.links(), path[3:]
        assert made is not None
        log = [recorded.event for recorded in one.daemon.store.timeline("INC-1")]

        def leads_somewhere(guess: str) -> bool:
            told = links.read(guess)
            return (
                told is not None
                and told.number == "INC-1"
                and told.sequence <= len(log)
                and any(
                    made.is_for(told, page, log[told.sequence - 1].at) for page in e.pages_of(log[told.sequence - 1])
                )
            )

        assert leads_somewhere(code)
        spare = 5 * len(code) % 8  # The last character has bits that mean nothing.
        for place, character in enumerate(code):
            for bit in range(5):
                if place == len(code) - 1 and bit < spare:
                    continue
                guess = code[:place] + ALPHABET[ALPHABET.index(character) ^ (1 << bit)] + code[place + 1 :]
                assert not leads_somewhere(guess), (place, bit)


async def test_the_shorter_code_of_a_page_of_before_still_takes_it_and_no_page_has_one_since(tmp_path: Path) -> None:
    async with paged(tmp_path) as (one, browser, path):
        short = f"{path[:3]}{shortened(path[3:])}"
        async with browser.get(short) as answer:
            assert answer.status == 404
        later = one.daemon.clock.now() + timedelta(minutes=1)
        one.daemon.signing = replace(one.daemon.signing, long_since=later)  # As if it had been told before an upgrade.
        async with browser.post(short, allow_redirects=False) as answer:
            assert answer.status == 303
        assert state(one).acknowledged_by == "amina"
