"""Problems: accepted once, linked to what comes again, their actions followed, all over restarts too (LIF-8, REX-2)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.actions import Wanted
from sentinel.core.business import business_time
from sentinel.core.model import Plan, Refused
from sentinel.core.problem_record import ProblemFact
from sentinel.core.review_dates import of_action
from sentinel.engine.desk import Unknown
from sentinel.engine.ledger import Ledger
from sentinel.engine.problems import SUBJECT, Problems
from sentinel.messages.problems import ProblemMessages
from sentinel.store.base import StoreUnavailable
from tests.core.contracts import BUSINESS
from tests.core.reviews import REVIEW
from tests.engine.house import LADDER, START, House, house
from tests.virtual import run

PLAN = Plan(ladder=LADDER, manager=("farid",), problem_after=2, problem_unknown_cause=True)
DUE = Wanted(title="rotate the log", owner="amina", due_on=date(2026, 12, 4), change="CHG-7")


class Kept:
    """A house, and the problems of it."""

    def __init__(self, built: House) -> None:
        self.house = built
        ledger: Ledger[ProblemFact] = Ledger(SUBJECT, ProblemFact, (built.store, built.pool), built.clock)
        ledger.wrote = built.dispatcher.wake
        self.problems = Problems(ledger, built.desk, built.clock, ProblemMessages())
        self.problems.dates = lambda day: of_action(REVIEW, day, business_time(BUSINESS))

    async def resolved(self, key: str = "probe:web/home", dedup: str = "campus") -> str:
        """Let an incident come and go; return its number. Its cause is unknown, so a problem is proposed."""
        state = await self.house.report(key, dedup=dedup)
        close_by = self.house.clock.now() + timedelta(days=2)
        await self.house.desk.order(state.number, c.Resolve(by="amina", text="restarted", close_by=close_by))
        await self.house.desk.order(state.number, c.Close(by="amina"))
        return state.number

    def mails(self, what: str) -> list[str]:
        """Return to whom mails about an action went."""
        return [message.to for message in self.house.mail.accepted if f"/{what}/" in message.id]


@asynccontextmanager
async def kept(folder: Path, start: datetime = START) -> Any:
    async with house(folder, PLAN, start=start) as built:
        around = Kept(built)
        await around.problems.load()
        watching = asyncio.create_task(around.problems.run())
        try:
            yield around
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def live(story: Any, folder: Path, start: datetime = START) -> Any:
    """Run a story on virtual time. Each takes minutes: what lies days ahead is reached by another start."""

    async def told() -> Any:
        async with kept(folder, start) as around:
            return await story(around)

    return run(told())


@pytest.mark.rule("LIF-8")
def test_an_accepted_problem_gets_a_record_with_its_incident(tmp_path):
    async def story(around):
        number = await around.resolved()
        state = await around.problems.accept(number, "farid", "twice this week")
        assert (state.problem, state.problem_number) == ("accepted", "PRB-1")
        (one,) = around.problems.all()
        assert (one.title, one.phase, one.incidents, one.faults) == ("Campus down", "open", ("INC-1",), ("campus",))
        assert (one.opened_by, one.why, one.manager) == ("farid", "twice this week", ("farid",))
        with pytest.raises(Refused, match="The problem of INC-1 was accepted already"):
            await around.problems.accept(number, "farid", "")

    live(story, tmp_path)


@pytest.mark.rule("LIF-8")
def test_what_comes_again_of_the_same_fault_is_linked_and_says_how_to_get_round_it(tmp_path):
    async def story(around):
        await around.problems.accept(await around.resolved(), "farid", "")
        await around.problems.explain("PRB-1", "amina", "a full log", "delete it")
        state = await around.house.report()
        assert (state.known.number, state.known.workaround) == ("PRB-1", "delete it")
        assert state.problem_number == "PRB-1"
        assert state.problem == ""  # The second of its fault: but it is a problem already.
        await around.house.wait(seconds=11)
        assert around.problems.record("PRB-1").incidents == ("INC-1", "INC-2")
        await around.problems.unlink("PRB-1", "INC-2", "farid")
        await around.house.wait(seconds=11)
        assert around.problems.record("PRB-1").incidents == ("INC-1",)

    live(story, tmp_path)


def test_another_fault_knows_nothing_of_it(tmp_path):
    async def story(around):
        await around.problems.accept(await around.resolved(), "farid", "")
        assert (await around.house.report("probe:mail", dedup="mail")).known is None

    live(story, tmp_path)


def test_a_solved_problem_is_known_no_more_and_can_be_reopened(tmp_path):
    async def story(around):
        problems = around.problems
        await problems.accept(await around.resolved(), "farid", "")
        await problems.explain("PRB-1", "amina", "a full log", "")
        await problems.solve("PRB-1", "amina", "the log is rotated")
        assert problems.known("campus") is None
        with pytest.raises(Refused, match="PRB-1 is solved"):
            await problems.explain("PRB-1", "amina", "another", "")
        await problems.reopen("PRB-1", "bruno", "it came again")
        one = problems.record("PRB-1")
        assert (one.phase, one.cause, one.notes[-1].text) == ("known_error", "a full log", "it came again")
        with pytest.raises(Refused, match="PRB-1 is not solved"):
            await problems.reopen("PRB-1", "bruno", "again")

    live(story, tmp_path)


def test_a_second_accepted_problem_of_the_same_fault_joins_its_record(tmp_path):
    async def story(around):
        first, second = await around.resolved(), await around.resolved()
        await around.problems.accept(first, "farid", "")
        state = await around.problems.accept(second, "farid", "")
        assert state.problem_number == "PRB-1"
        assert around.problems.record("PRB-1").incidents == (first, second)

    live(story, tmp_path)


def test_an_incident_can_be_linked_by_hand_and_taken_away(tmp_path):
    async def story(around):
        problems = around.problems
        await problems.accept(await around.resolved(), "farid", "")
        other = await around.resolved("probe:mail", "mail")
        await problems.link("PRB-1", other, "farid")
        assert problems.known("mail").number == "PRB-1"
        await problems.unlink("PRB-1", other, "farid")
        assert problems.known("mail") is None
        with pytest.raises(Refused, match="INC-2 is not linked to PRB-1"):
            await problems.unlink("PRB-1", other, "farid")

    live(story, tmp_path)


@pytest.mark.rule("REX-2")
def test_who_has_an_action_is_told_reminded_and_the_manager_hears_when_it_is_late_each_once(tmp_path):
    async def accepted(around):
        await around.problems.accept(await around.resolved(), "farid", "")
        await around.problems.add_action("PRB-1", "farid", DUE)
        await around.house.wait(seconds=11)
        return said(around)

    async def looked(around):
        await around.house.wait(seconds=21)
        return said(around)

    def said(around):
        return around.mails("added"), around.mails("reminded"), around.mails("late")

    assert live(accepted, tmp_path) == (["amina"], [], [])
    assert live(looked, tmp_path, datetime(2026, 12, 2, 7, 59, tzinfo=UTC)) == ([], [], [])
    assert live(looked, tmp_path, datetime(2026, 12, 2, 8, 0, tzinfo=UTC)) == ([], ["amina"], [])
    assert live(looked, tmp_path, datetime(2026, 12, 4, 17, 0, tzinfo=UTC)) == ([], [], [])
    assert live(looked, tmp_path, datetime(2026, 12, 7, 8, 0, tzinfo=UTC)) == ([], [], ["farid"])
    assert live(looked, tmp_path, datetime(2026, 12, 20, tzinfo=UTC)) == ([], [], [])


@pytest.mark.rule("REX-2")
def test_over_a_restart_everything_is_known_and_an_action_is_followed_until_it_is_done(tmp_path):
    async def before(around):
        await around.problems.accept(await around.resolved(), "farid", "")
        await around.problems.add_action("PRB-1", "farid", DUE)
        return around.problems.all()

    async def after(around):
        assert around.problems.all() == known
        await around.problems.discuss_action("PRB-1", "farid", "A1", "next week")
        await around.problems.finish_action("PRB-1", "amina", "A1", "it is")
        await around.house.wait(seconds=11)
        return around.problems.record("PRB-1").actions["A1"]

    known = live(before, tmp_path)
    one = live(after, tmp_path, datetime(2026, 12, 1, tzinfo=UTC))
    assert (one.standing, one.outcome, [said.text for said in one.discussed]) == ("done", "it is", ["next week"])


def test_when_the_incident_cannot_say_so_asking_again_finds_the_record(tmp_path):
    async def story(around):
        number = await around.resolved()
        order = around.house.desk.order

        async def full(*_arguments, **_named):
            raise StoreUnavailable("disk full")

        around.house.desk.order = full
        with pytest.raises(StoreUnavailable):
            await around.problems.accept(number, "farid", "")
        around.house.desk.order = order
        state = await around.problems.accept(number, "farid", "")
        assert (state.problem, state.problem_number) == ("accepted", "PRB-1")
        assert len(around.problems.all()) == 1

    live(story, tmp_path)


@pytest.mark.parametrize(
    ("ask", "why", "kind"),
    [
        (lambda p: p.note("PRB-9", "amina", "x"), "There is no problem PRB-9", Unknown),
        (lambda p: p.note("PRB-1", "amina", " "), "A note needs a text", Refused),
        (lambda p: p.explain("PRB-1", "amina", " ", ""), "A known error needs a text", Refused),
        (lambda p: p.solve("PRB-1", "amina", ""), "A solution needs a text", Refused),
        (lambda p: p.accept("INC-9", "amina", ""), "There is no incident INC-9", Unknown),
        (lambda p: p.link("PRB-1", "INC-9", "amina"), "There is no incident INC-9", Unknown),
        (lambda p: p.finish_action("PRB-1", "amina", "A7", ""), "PRB-1 has no action A7; it has none", Refused),
        (
            lambda p: p.add_action("PRB-1", "amina", replace(DUE, due_on=date(2026, 11, 1))),
            "2026-11-01 is past",
            Refused,
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, ask, why, kind):
    async def story(around):
        await around.problems.accept(await around.resolved(), "farid", "")
        with pytest.raises(kind, match=why):
            await ask(around.problems)

    live(story, tmp_path)


def test_a_problem_that_nobody_proposed_is_not_accepted(tmp_path):
    async def story(around):
        state = await around.house.report()
        with pytest.raises(Refused, match="No problem was proposed for INC-1"):
            await around.problems.accept(state.number, "farid", "")

    live(story, tmp_path)


def test_owner_and_notes_stand_in_the_record(tmp_path):
    async def story(around):
        problems = around.problems
        await problems.accept(await around.resolved(), "farid", "")
        await problems.name_owner("PRB-1", "farid", "bruno")
        await problems.note("PRB-1", "bruno", "the vendor has a patch")
        one = problems.record("PRB-1")
        assert (one.owner, [note.text for note in one.notes]) == ("bruno", ["the vendor has a patch"])
        assert one.opened_at == datetime(2026, 11, 21, 22, 10, tzinfo=UTC)

    live(story, tmp_path)
