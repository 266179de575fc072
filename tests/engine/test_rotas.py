"""Rotas in a running house: who is paged, what is said of a week that nobody filled, who is told they come on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from sentinel.core.model import Plan, Refused
from sentinel.core.rota import Entry, Layer, Rota
from sentinel.engine.rota_watch import RotaWatch, standing
from sentinel.engine.rotas import Rotas
from sentinel.messages.notice import Notice
from sentinel.messages.rotas import RotaWords
from sentinel.store.opening import open_store
from tests import virtual
from tests.core.rotas import SECOND, at
from tests.core.story import step
from tests.engine.house import DIRECTORY, START, House, house

# A week begins an hour after the house opens, on Sunday at ten past midnight, so that little time need pass.
WEEKS = Layer(timezone="Europe/Paris", hour=time(0, 10), first_day=date(2026, 11, 15))
HAND = Rota(
    id="technical",
    name="Technical on-call",
    layers=(WEEKS,),
    fill_to=("farid",),
    fill_warn=timedelta(minutes=45),
    fill_by=timedelta(minutes=30),
    notice_before=None,
)
TURNS = Rota(
    id="technical",
    name="Technical on-call",
    layers=(replace(WEEKS, order=("amina", "bruno")),),
    notice_before=timedelta(minutes=30),
)
THIS_WEEK = (at("2026-11-15 00:10"), at("2026-11-22 00:10"))
NEXT_WEEK = (at("2026-11-22 00:10"), at("2026-11-29 00:10"))


def directory(*rotas: Rota):
    return replace(DIRECTORY, rotas={rota.id: rota for rota in rotas})


def fill(who: str, week: tuple[datetime, datetime], number: str) -> Entry:
    return Entry(
        rota="technical", kind="fill", who=who, starts_at=week[0], ends_at=week[1], id=number, by="farid", made_at=START
    )


@dataclass
class OnCall:
    """A house with its rotas, looked at when a test says so."""

    house: House
    rotas: Rotas
    watch: RotaWatch
    owed: list[bool] = field(default_factory=list)

    async def until(self, moment: datetime) -> None:
        """Let time pass, with the watch looking every five minutes."""
        while self.house.clock.now() < moment:
            await self.watch.look()
            left = moment - self.house.clock.now()
            await self.house.wait(seconds=min(300.0, left.total_seconds()))
        await self.watch.look()
        await self.house.wait(seconds=1)

    def paged(self) -> list[tuple[str, str]]:
        """Return who was handed what by any channel, notices left out."""
        rows = self.house.store.messages(limit=100)
        return sorted((row.person, row.id.split("/")[0]) for row in rows if row.incident)

    def notices(self) -> list[tuple[str, str, str]]:
        rows = self.house.store.messages(limit=100)
        return sorted((row.person, row.channel, row.state) for row in rows if not row.incident)


async def on_call(built: House) -> OnCall:
    rotas = Rotas(built.desk, built.store, built.pool, built.clock)
    await rotas.load()
    watch = RotaWatch(rotas, built.desk, (built.store, built.pool), built.clock, RotaWords("en"))
    watch.owed = built.dispatcher.wake
    return OnCall(built, rotas, watch)


PAGE = Plan(ladder=(step(0, "rota:technical", by=("sms",)), step(20, "farid", by=("sms",))))


@pytest.mark.rule("ESC-6")
def test_a_step_pages_who_is_on_call_at_its_moment_whoever_that_became_since(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, PAGE, directory(TURNS)) as built:
            rotas = (await on_call(built)).rotas
            await built.report()
            await built.wait(seconds=1)
            assert [message.to for message in built.sms.accepted] == ["amina"]
            override = Entry(
                rota="technical",
                kind="override",
                who="bruno",
                starts_at=START,
                ends_at=THIS_WEEK[1],
                id="1",
                made_at=START,
            )
            await rotas.put(override)
            await built.report("probe:mail/x", dedup="mail")
            await built.wait(seconds=1)
            assert [message.to for message in built.sms.accepted] == ["amina", "bruno"]

    virtual.run(story())


@pytest.mark.fault(64)
@pytest.mark.rule("ESC-5")
def test_in_a_gap_the_level_above_is_paged_at_once(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, PAGE, directory(HAND)) as built:
            await built.report()
            await built.wait(seconds=1)
            assert [message.to for message in built.sms.accepted] == ["farid"]

    virtual.run(story())


@pytest.mark.fault(64)
@pytest.mark.rule("ESC-5")
def test_an_unfilled_week_is_warned_of_once_then_alerted_once_and_over_when_it_is_filled(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(cascade_after=timedelta(minutes=5)), directory(HAND)) as built:
            duty = await on_call(built)
            await duty.rotas.put(fill("amina", THIS_WEEK, "1"))
            await duty.until(at("2026-11-21 23:39"))
            (warned,) = built.desk.open()
            assert (warned.level, warned.priority, warned.phase) == (2, "P3", "open")
            assert warned.title == "Technical on-call: nobody is on call from Sunday 22 November 2026 at 00:10 on"
            assert {message.to for message in built.mail.accepted} == {"farid"}
            before = len(built.mail.accepted)
            await duty.until(at("2026-11-21 23:41"))
            (alerted,) = built.desk.open()
            assert (alerted.number, alerted.level, alerted.priority) == (warned.number, 3, "P1")
            assert built.told(alerted.number).count("Raised") == 1
            assert len(built.mail.accepted) == before + 1
            await duty.until(at("2026-11-21 23:55"))
            assert len(built.mail.accepted) == before + 1, "each is said once"
            await duty.rotas.put(fill("bruno", NEXT_WEEK, "2"))
            await duty.until(at("2026-11-22 00:00"))
            assert built.desk.open()[0].phase == "resolved"
            assert standing(built.desk) == []

    virtual.run(story())


@pytest.mark.rule("ESC-5")
def test_a_restart_between_warning_and_limit_says_nothing_twice(tmp_path: Path):
    async def first() -> list[str]:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            duty = await on_call(built)
            await duty.rotas.put(fill("amina", THIS_WEEK, "1"))
            await duty.until(START + timedelta(minutes=20))
            return built.told("INC-1")

    async def second() -> list[str]:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            duty = await on_call(built)
            assert [entry.id for entry in duty.rotas.entries()] == ["1"]
            await built.wait(minutes=21)  # Every house opens at the same hour.
            await duty.until(START + timedelta(minutes=28))
            assert [state.number for state in built.desk.open()] == ["INC-1"]
            return built.told("INC-1")

    before = virtual.run(first())
    assert "Opened" in before
    assert virtual.run(second()) == before


@pytest.mark.rule("ESC-5")
def test_each_unfilled_week_has_an_incident_of_its_own(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            duty = await on_call(built)
            await duty.until(at("2026-11-21 23:41"))
            keys = {key for state in built.desk.open() for key in state.signals}
            assert keys == {"rota:technical/2026-11-15", "rota:technical/2026-11-22"}
            await duty.until(at("2026-11-22 00:15"))
            assert standing(built.desk) == ["rota:technical/2026-11-22"], "the week before is over"

    virtual.run(story())


@pytest.mark.rule("ESC-6")
def test_who_comes_on_is_told_once_by_each_of_their_channels_over_restarts_too(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(), directory(TURNS)) as built:
            duty = await on_call(built)
            await duty.until(at("2026-11-21 23:39"))
            assert duty.notices() == []
            await duty.until(at("2026-11-21 23:50"))
            assert duty.notices() == [("bruno", "email", "done"), ("bruno", "sms", "done")]
            again = await on_call(built)
            await again.until(at("2026-11-22 00:20"))
            assert [message.to for message in built.mail.accepted] == ["bruno"]
            assert built.store.verify() == []
            (row, _) = built.store.messages(limit=9)
            notice = msgspec.json.decode(row.body, type=Notice)
            assert (notice.kind, notice.since, notice.until) == ("handover", *NEXT_WEEK)

    virtual.run(story())


def test_the_metrics_say_who_is_on_call_and_until_when_nobody_is_missing(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            duty = await on_call(built)
            assert duty.watch.on_call() == []
            await duty.rotas.put(fill("amina", THIS_WEEK, "1"))
            await duty.watch.look()
            assert duty.watch.on_call() == [(("technical", "amina"), 1.0)]
            assert duty.watch.filled_until() == [(("technical",), THIS_WEEK[1].timestamp())]
            await duty.rotas.put(fill("amina", NEXT_WEEK, "2"))
            await duty.watch.look()  # What was found ahead does not outlive a change.
            assert duty.watch.filled_until() == [(("technical",), NEXT_WEEK[1].timestamp())]

    virtual.run(story())


def test_a_reload_keeps_what_people_changed_and_forgets_who_is_gone(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            duty = await on_call(built)
            await duty.rotas.put(fill("amina", THIS_WEEK, "1"))
            fresh = replace(built.policy, directory=directory(HAND))
            built.desk.policy = fresh
            duty.rotas.configure()
            assert duty.watch.on_call() == [(("technical", "amina"), 1.0)]
            people = {name: person for name, person in DIRECTORY.people.items() if name != "amina"}
            gone = replace(fresh.directory, people=people)
            built.desk.policy = replace(fresh, directory=gone)
            duty.rotas.configure()
            assert duty.watch.on_call() == []

    virtual.run(story())


def test_what_has_begun_is_undone_from_now_on_only(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            duty = await on_call(built)
            await duty.rotas.put(fill("amina", THIS_WEEK, "1"))
            await built.wait(minutes=30)
            cut = await duty.rotas.undo("1", "farid")
            assert (cut.starts_at, cut.ends_at) == (START, built.clock.now())
            assert duty.watch.on_call() == []
            with pytest.raises(Refused, match="does not hold any more"):
                await duty.rotas.undo("1", "farid")

    virtual.run(story())


def test_the_entries_outlive_the_daemon(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(), directory(HAND)) as built:
            await (await on_call(built)).rotas.put(fill("amina", THIS_WEEK, "1"))

    virtual.run(story())
    store, results = open_store(f"sqlite:///{tmp_path / 'sentinel.db'}")
    (entry,) = store.rota_entries()
    assert (entry.who, entry.by, entry.ends_at - entry.starts_at > SECOND) == ("amina", "farid", True)
    results.close()
    store.close()
