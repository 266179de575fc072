"""Silences that people have come again and again while the daemon runs: kept, in force, taken away."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.config.silencing_said import recurring_said
from sentinel.core.model import Refused
from sentinel.engine import recurring_silences
from sentinel.engine.recurring_silences import Wanted
from tests import virtual
from tests.engine.test_silence_watch import START, at, in_force, standing
from tests.engine.whole import HEARTBEAT, PEOPLE, whole

TEXT = PEOPLE + HEARTBEAT
OFTEN = Wanted(matchers=("service=campus",), every="5,25,45 * * * *", for_s=600.0, comment="the copy", by="amina")


def story(tell: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    @functools.wraps(tell, assigned=("__name__", "__doc__"))
    def run(tmp_path: Path) -> None:
        virtual.run(tell(tmp_path))

    run.__annotations__ = {"tmp_path": Path}
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


@story
async def test_it_holds_at_once_comes_again_outlives_a_restart_and_comes_no_more_when_it_is_taken_away(tmp_path: Path):
    async with whole(tmp_path, TEXT) as one:
        kept, coming = await one.daemon.recurring.add(OFTEN)
        assert [silence.by for silence in coming] == ["amina", "amina"]
        assert standing(one) == [("21 22:05", "21 22:15"), ("21 22:25", "21 22:35")]
        assert in_force(one).comment == f"{kept.id}: the copy"
    async with whole(tmp_path, TEXT) as one:
        assert standing(one) == [("21 22:05", "21 22:15"), ("21 22:25", "21 22:35")], "nothing twice"
        await one.reach(at(26))
        assert standing(one) == [("21 22:25", "21 22:35"), ("21 22:45", "21 22:55")]
        assert [each.id for each, _ in one.daemon.recurring.all()] == [kept.id]
        assert await one.daemon.recurring.remove(kept.id) == kept
        assert standing(one) == []
        assert await one.daemon.recurring.remove(kept.id) is None
    async with whole(tmp_path, TEXT) as one:
        assert one.daemon.recurring.all() == []


@story
async def test_a_reload_leaves_what_people_said_as_it_is(tmp_path: Path):
    async with whole(tmp_path, TEXT) as one:
        await one.daemon.recurring.add(OFTEN)
        (tmp_path / "probes.yaml").write_text(TEXT.replace("Amina Benali", "Amina B."), "utf-8")
        assert (await one.daemon.reload()).done
        await one.daemon.silence_watch.look()
        assert standing(one) == [("21 22:05", "21 22:15"), ("21 22:25", "21 22:35")]


@story
async def test_hours_of_the_week_count_in_the_zone_of_the_site_unless_another_is_said(tmp_path: Path):
    async with whole(tmp_path, TEXT) as one:
        kept, coming = await one.daemon.recurring.add(Wanted(matchers=("service=campus",), every="sat 23:00-24:00"))
        zone = one.daemon.setup.site.timezone
        assert kept.wanted.timezone == zone
        utc = Wanted(matchers=("service=campus",), every="sat 23:00-24:00", timezone="UTC")
        _, other = await one.daemon.recurring.add(utc)
        assert other[0].starts_at == START.replace(hour=23, minute=0)
        assert coming[0].starts_at <= other[0].starts_at


@story
async def test_there_are_no_more_than_anybody_can_look_after(tmp_path: Path):
    async with whole(tmp_path, TEXT) as one:
        one.daemon.recurring._kept = dict.fromkeys(map(str, range(recurring_silences.KEPT_MAX)), None)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="200 silences"):
            await one.daemon.recurring.add(OFTEN)


@pytest.mark.parametrize(
    ("every", "for_s", "why"),
    [
        ("0 2 * * *", 0, "say how long it lasts"),
        ("sat 00:00-24:00", 60, "leave the length out"),
        ("0 2 * *", 60, "is not a time of cron"),
        ("often", 60, "is not a time of cron"),
        ("mon-sun 00:00-24:00", 0, "it never ends"),
        ("sat 24:00-00:00", 0, "ends before it begins"),
        ("xxx 00:00-24:00", 0, "is not a weekday"),
        ("0 * * * *", 7200, "begins again before it is over"),
        ("x" * 501, 0, "longer than 500"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(every: str, for_s: float, why: str):
    with pytest.raises(Refused, match=why):
        recurring_said("every-1", ("service=campus",), every, for_s)


def test_what_would_silence_everything_is_refused():
    with pytest.raises(Refused, match="it would silence everything"):
        recurring_said("every-1", ("service=*",), "sat 00:00-24:00", 0)
    with pytest.raises(Refused, match="is not a matcher"):
        recurring_said("every-1", ("service",), "sat 00:00-24:00", 0)


def test_several_hours_of_several_days_are_one_rule():
    made = recurring_said("every-1", ("a=b",), "fri 18:00-24:00; sat-sun 00:00-10:00, 12:00-24:00", 0, timezone="UTC")
    found = made.coming(START - timedelta(days=1, hours=1))
    assert [(f"{one.starts_at:%a %H:%M}", f"{one.ends_at:%a %H:%M}") for one in found] == [
        ("Fri 18:00", "Sat 10:00"), ("Sat 12:00", "Sun 10:00"),
    ]  # fmt: skip
