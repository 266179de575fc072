"""How soon open pages look again: at once while few look, and for a share of a core however many there are."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from sentinel.engine.news import LOOK_S, READERS_MAX, SEND_S, SHARE, News
from sentinel.web import live
from sentinel.web.sharing import EVERY_S
from tests import virtual

MANY = 200


async def look(news, reader, looks):
    """Look at a page whenever it is this reader's turn, as the stream has it; note the times."""
    loop = asyncio.get_running_loop()
    while not reader.over:
        await reader.wait()
        if await reader.turn(news.gap_s(reader), live.QUIET_S) and reader.take():
            looks.append(loop.time())


def looks_of(readers, happens, *shown, view=None):
    """Have so many pages open, all of one ``view`` if there is one, while something happens on virtual time.

    Return when each was looked at, from 0.
    """

    async def story():
        news, looks, began = News(), [[] for _ in range(readers)], asyncio.get_running_loop().time()
        with ExitStack() as stack:
            for number in range(readers):
                reader = stack.enter_context(news.reading(shown[number] if shown else frozenset(), view))
                stack.callback(asyncio.create_task(look(news, reader, looks[number])).cancel)
            await asyncio.sleep(0)
            await happens(news)
        return [[at - began for at in mine] for mine in looks]

    return virtual.run(story())


async def one_event(news):
    news.say("incidents")
    await asyncio.sleep(60)


async def a_storm(news):
    for _ in range(600):
        news.say("probes")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("readers", [1, 2, 5, 10])
def test_an_event_is_on_the_open_pages_of_a_team_in_less_than_a_second(readers):
    looks = looks_of(readers, one_event)
    assert all(len(mine) == 1 for mine in looks)
    assert max(mine[0] for mine in looks) < 1 - 2 * LOOK_S


@pytest.mark.parametrize("happens", [one_event, a_storm])
def test_an_event_is_on_two_hundred_pages_that_are_the_same_in_less_than_a_second(happens):
    looks = looks_of(MANY, happens, view="the first page")
    assert all(mine for mine in looks)
    within_s = 1 - EVERY_S - LOOK_S - 0.05  # The page is made a moment later, and a request takes time, too.
    for mine in looks:
        assert max(after - before for before, after in zip([0.0, *mine], mine, strict=False)) < within_s
    for begin in range(0, 60, 10):
        sent = sum(begin <= at < begin + 10 for mine in looks for at in mine)
        assert sent * SEND_S <= SHARE * 10 * 1.1


def test_many_pages_do_not_all_look_at_once():
    looks = sorted(at for mine in looks_of(MANY, one_event) for at in mine)
    assert len(looks) == MANY, "each looks once"
    for second in range(int(looks[-1]) + 1):
        assert sum(second <= at < second + 1 for at in looks) * LOOK_S <= SHARE * 1.5


@pytest.mark.parametrize("readers", [1, 10, READERS_MAX])
def test_a_storm_makes_open_pages_cost_a_share_of_a_core_however_many_there_are(readers):
    looks = [at for mine in looks_of(readers, a_storm) for at in mine]
    assert len(looks) * LOOK_S <= SHARE * 60 + LOOK_S * readers * 0.7
    for begin in range(0, 60, 10):
        assert sum(begin <= at < begin + 10 for at in looks) * LOOK_S <= SHARE * 10 * 1.1 + LOOK_S


def test_in_a_storm_each_page_has_its_turn():
    gap_s = MANY * (LOOK_S + SEND_S) / SHARE
    for mine in looks_of(MANY, a_storm):
        assert max(after - before for before, after in zip([0.0, *mine], [*mine, 60.0], strict=True)) <= gap_s + 0.2


def test_pages_of_something_else_do_not_make_an_event_late():
    shown = [frozenset({"incidents"}), *[frozenset({"rotas"})] * (MANY - 1)]
    first, *others = looks_of(MANY, one_event, *shown)
    assert first[0] < 1
    assert others == [[]] * (MANY - 1)


def test_whoever_waits_for_their_turn_goes_when_the_daemon_stops():
    async def stops(news):
        news.say("incidents")
        await asyncio.sleep(0.01)
        news.close()
        await asyncio.sleep(0.01)

    assert all(mine and mine[0] < 0.02 for mine in looks_of(MANY, stops))
