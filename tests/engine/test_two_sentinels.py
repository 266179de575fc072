"""Two whole Sentinels watch each other over HTTP, and the link between them is cut, whole again, and cut again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel.core.state import Incident
from sentinel.web.app import build, serve
from tests import virtual
from tests.engine.test_canary import FARID, SPARE
from tests.engine.whole import HEARTBEAT, PEOPLE, TOKENS, Whole, whole
from tests.fakes.middle import Middle

KEY = TOKENS["token2"]
WATCHED = """\
site: {{language: {language}}}
watchdog:
  self_alert: {{to: [farid], by: [spare]}}
  alive: {{{other}: {{url: "{link}/ping/{key}"}}}}
  alive_every: 1m
  peers:
    {other}: {{url: "{link}", key: "${{file:token2}}", every: 15s, silent_for: 90s}}
"""


@dataclass
class Side:
    """One of the two: its daemon, how it calls the other, and its half of the link, by which it reaches it."""

    one: Whole
    other: str
    link: Middle

    def told(self) -> list[Incident]:
        return [state for state in self.one.daemon.desk.open() if state.rule == "self-alert" and state.active]

    def titles(self) -> list[str]:
        return [state.title for state in self.told()]

    def mails(self) -> int:
        return len(list((self.one.folder / "spare").glob("*.eml")))

    @property
    def up(self) -> float:
        return self.one.value("sentinel_peer_up", peer=self.other)


@asynccontextmanager
async def side(folder: Path, other: str, language: str, link: Middle) -> AsyncIterator[tuple[Side, int]]:
    """Run one of the two, and say where it listens."""
    folder.mkdir()
    people = PEOPLE.replace("channels:", FARID).replace("escalations:", SPARE)
    people = people.replace("path: spare", f"path: {folder / 'spare'}")
    text = WATCHED.format(language=language, other=other, link=link.url, key=KEY)
    async with whole(folder, text + people + HEARTBEAT.replace("every: 10m", "every: 7d")) as one:
        runner = await serve(build(one.doors.context()), ("127.0.0.1", 0), folder / "control.sock")
        try:
            one.daemon.ready = True  # As when it runs as a service.
            port = next(address[1] for address in runner.addresses if isinstance(address, tuple))
            yield Side(one, other, link), port
        finally:
            await runner.cleanup()


@asynccontextmanager
async def two(folder: Path) -> AsyncIterator[tuple[Side, Side]]:
    """Run Paris and Lyon, who reach each other over a link of two directions."""
    async with AsyncExitStack() as stack:
        to_lyon, to_paris = [await stack.enter_async_context(Middle(silent=True)) for _ in range(2)]
        paris, at_paris = await stack.enter_async_context(side(folder / "paris", "lyon", "fr", to_lyon))
        lyon, at_lyon = await stack.enter_async_context(side(folder / "lyon", "paris", "en", to_paris))
        to_lyon.upstream, to_paris.upstream = f"http://127.0.0.1:{at_lyon}", f"http://127.0.0.1:{at_paris}"
        cut(paris, lyon, off=False)
        yield paris, lyon


def cut(*sides: Side, off: bool = True) -> None:
    """Let nothing pass any more that these sides send; or let it pass again."""
    for one in sides:
        one.link.silent = off


@pytest.fixture
def both(tmp_path: Path):
    def play(story):
        async def played() -> None:
            async with two(tmp_path) as (paris, lyon):
                await asyncio.sleep(40)
                assert (paris.up, lyon.up) == (1, 1)
                assert paris.told() == lyon.told() == []
                await story(paris, lyon)

        virtual.run(played())

    return play


def test_when_the_link_is_cut_each_says_once_that_the_other_is_silent_and_both_are_well_again_when_it_is_whole(both):
    async def story(paris: Side, lyon: Side) -> None:
        cut(paris, lyon)
        await asyncio.sleep(60)
        assert paris.told() == lyon.told() == [], "a minute is no silence"
        await asyncio.sleep(120)
        assert paris.titles() == ["La supervision de lyon est muette"]
        assert lyon.titles() == ["The monitoring of paris is silent"]
        assert (paris.up, lyon.up) == (0, 0)
        assert (paris.mails(), lyon.mails()) == (1, 1)
        await asyncio.sleep(60)
        assert (len(paris.told()), len(lyon.told())) == (1, 1), "it is one trouble, however long it lasts"
        cut(paris, lyon, off=False)
        await asyncio.sleep(120)
        assert paris.told() == lyon.told() == []
        assert (paris.up, lyon.up) == (1, 1)

    both(story)


def test_when_only_one_direction_is_cut_one_says_that_the_other_cannot_be_reached_and_the_other_nothing(both):
    async def story(paris: Side, lyon: Side) -> None:
        cut(paris)
        await asyncio.sleep(120)
        assert paris.titles() == ["La supervision de lyon n'est plus joignable d'ici"], "for lyon still calls"
        assert (lyon.told(), lyon.up) == ([], 1)

    both(story)


def test_a_link_that_flaps_makes_no_storm_at_either_end(both):
    async def story(paris: Side, lyon: Side) -> None:
        for _ in range(2):
            cut(paris, lyon)
            await asyncio.sleep(40)
            cut(paris, lyon, off=False)
            await asyncio.sleep(20)
        assert (paris.mails(), lyon.mails()) == (0, 0), "silent for less than 90 s is not silent"
        for _ in range(3):
            cut(paris, lyon)
            await asyncio.sleep(110)
            cut(paris, lyon, off=False)
            await asyncio.sleep(80)
        for end in (paris, lyon):
            assert len(end.told()) == 1, "the longer it goes on, the longer it must be well before that is believed"
            assert end.mails() <= 4, "silent, over, silent, and that nobody has taken it"

    both(story)
