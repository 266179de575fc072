"""What people do in a ticket back-end comes back, once, and what it cannot do holds no page up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.core import commands as c
from sentinel.core.events import Acknowledged, Noted, Resolved
from sentinel.core.model import Plan
from sentinel.core.state import Incident
from sentinel.engine.supervision import keep
from sentinel.engine.ticket_watch import Followed, TicketWatch
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference
from sentinel.tickets.drafting import draft
from tests import virtual
from tests.engine.house import LADDER, House, house

DESKTOP = "desktop"


class Desktop:
    """A ticket system of one page: what is put on it, and what people do to it."""

    name = DESKTOP

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.shown: dict[str, tuple[str, str]] = {}
        self.comments: dict[str, list[TicketComment]] = {}
        self.by: dict[str, str] = {}
        self.down = False
        self.puts: list[Ticket] = []
        self.asked = 0

    async def put(self, ticket: Ticket) -> TicketReference:
        self._answer()
        reference = next((ref for ref, one in self.tickets.items() if one.key == ticket.key), "")
        reference = reference or f"D{len(self.tickets) + 1}"
        self.puts.append(ticket)
        self.tickets[reference] = ticket
        held = self.shown.get(reference, ("", ""))[1]
        self.shown[reference] = (ticket.state, ticket.assignee or held)
        return TicketReference(reference, f"https://desk.example.org/{reference}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        self._answer()
        self.asked += 1
        found = []
        for reference in known.keys() & self.tickets.keys():
            state, assignee = self.shown[reference]
            said = tuple(self.comments.get(reference, ()))
            marker = f"{state}/{assignee}/{len(said)}"
            if marker != known[reference]:
                who = self.by.get(reference, "")
                found.append(
                    TicketChange(
                        reference=reference, state=state, marker=marker, by=who, assignee=assignee, comments=said
                    )
                )
        return found

    async def check(self) -> None:
        self._answer()

    async def close(self) -> None: ...

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        if not body:
            raise ValueError("it is empty")
        return TicketNews(look_at=(body.decode(),))

    def _answer(self) -> None:
        if self.down:
            raise Undelivered("the desktop is down")

    def does(self, reference: str, state: str, by: str = "", assignee: str = "") -> None:
        self.shown[reference] = (state, assignee)
        self.by[reference] = by

    def says(self, reference: str, text: str, by: str = "") -> None:
        said = self.comments.setdefault(reference, [])
        said.append(TicketComment(id=str(len(said) + 1), text=text, by=by))


def watch_of(built: House, desktop: Desktop, every_s: float = 60.0) -> TicketWatch:
    async def read(call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(built.pool, call, *arguments)

    async def draw(state: Incident, name: str) -> Ticket:
        timeline = [(one.sequence, one.event) for one in built.store.timeline(state.number)]
        ticket = draft(state, timeline, "", name)
        return Ticket(
            **{field: getattr(ticket, field) for field in ticket.__struct_fields__ if field != "assignee"},
            assignee=made.called(name, state.acknowledged_by),
        )

    made = TicketWatch(built.desk, (built.store, read), built.clock, draw)
    made.followed = {DESKTOP: Followed(backend=desktop, every_s=every_s, people={"bruno": "b.martin"})}
    built.dispatcher.tickets = {DESKTOP: partial(made.put, DESKTOP)}
    return made


@asynccontextmanager
async def desk(path: Path) -> AsyncIterator[tuple[House, Desktop, TicketWatch]]:
    async with house(path, Plan(ladder=LADDER, ticket=DESKTOP)) as built:
        desktop = Desktop()
        watch = watch_of(built, desktop)
        task = asyncio.create_task(watch.run())
        try:
            yield built, desktop, watch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def story(tmp_path: Path, told: Callable[[House, Desktop, TicketWatch], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with desk(tmp_path) as parts:
            await told(*parts)

    virtual.run(run())


def events(built: House, kind: type) -> list[Any]:
    return [one.event for one in built.store.timeline("INC-1") if isinstance(one.event, kind)]


def phase(built: House) -> str:
    found = built.store.incident("INC-1")
    assert found is not None
    return found.phase


@pytest.mark.fault(40)
@pytest.mark.rule("DSP-2")
def test_a_back_end_down_for_three_hours_delays_its_ticket_alone_and_its_resolution_is_followed(tmp_path: Path):
    async def told(built: House, desktop: Desktop, _watch: TicketWatch) -> None:
        desktop.down = True
        await built.report()
        await built.wait(seconds=5)
        assert [message.to for message in built.sms.accepted] == ["amina"], "the page does not wait for the ticket"
        await built.wait(hours=3)
        assert len(built.sms.accepted) >= 2, "the escalation went on meanwhile"
        assert desktop.tickets == {}
        assert built.store.owed_tickets().keys() == {DESKTOP}
        desktop.down = False
        await built.wait(minutes=12)
        assert list(desktop.tickets) == ["D1"]
        assert built.store.owed_tickets() == {}
        desktop.says("D1", "the disk was full", by="c.dupont")
        desktop.does("D1", "resolved", by="c.dupont")
        await built.wait(minutes=2)
        (resolved,) = events(built, Resolved)
        assert (resolved.by, resolved.text) == ("c.dupont (desktop)", "the disk was full")
        assert phase(built) == "resolved"
        assert desktop.shown["D1"][0] == "resolved"

    story(tmp_path, told)


@pytest.mark.rule("DSP-6")
def test_who_takes_the_ticket_there_acknowledges_here_and_the_escalation_ends(tmp_path: Path):
    async def told(built: House, desktop: Desktop, _watch: TicketWatch) -> None:
        await built.report()
        await built.wait(seconds=10)
        desktop.does("D1", "acknowledged", assignee="b.martin")
        await built.wait(minutes=2)
        (taken,) = events(built, Acknowledged)
        assert (taken.by, taken.via) == ("bruno", DESKTOP)
        await built.wait(minutes=30)
        assert [message.to for message in built.sms.accepted] == ["amina"]
        assert desktop.shown["D1"] == ("acknowledged", "b.martin")

    story(tmp_path, told)


def test_a_comment_becomes_one_note_that_does_not_go_back(tmp_path: Path):
    async def told(built: House, desktop: Desktop, watch: TicketWatch) -> None:
        await built.report()
        await built.wait(seconds=10)
        desktop.says("D1", "looking at the switch", by="amina@example.org")
        await built.wait(minutes=5)
        (note,) = events(built, Noted)
        assert (note.by, note.text) == ("amina", "looking at the switch")
        assert not any("looking at the switch" in text for text in str(desktop.tickets["D1"].notes).splitlines())
        again = watch_of(built, desktop)  # A restart remembers nothing but what is on disk.
        await again.look(DESKTOP)
        assert len(events(built, Noted)) == 1

    story(tmp_path, told)


def test_our_own_changes_come_back_as_nothing(tmp_path: Path):
    async def told(built: House, desktop: Desktop, _watch: TicketWatch) -> None:
        await built.report()
        await built.desk.order("INC-1", c.Acknowledge(by="bruno", via="cli"))
        await built.desk.order("INC-1", c.Note(by="bruno", text="restarting"))
        await built.wait(minutes=5)
        close_by = built.desk.close_by(built.clock.now())
        await built.desk.order("INC-1", c.Resolve(by="bruno", text="restarted", close_by=close_by))
        await built.wait(minutes=5)
        before = built.told()
        await built.wait(minutes=30)
        assert built.told() == before
        assert built.told().count("Resolved") == built.told().count("Acknowledged") == 1
        assert desktop.shown["D1"] == ("resolved", "b.martin")

    story(tmp_path, told)


def test_what_was_resolved_there_is_not_undone_by_a_note_written_here(tmp_path: Path):
    async def told(built: House, desktop: Desktop, _watch: TicketWatch) -> None:
        await built.report()
        await built.wait(seconds=10)
        desktop.does("D1", "resolved", by="b.martin")
        await built.desk.order("INC-1", c.Note(by="amina", text="any news?"))
        await built.wait(seconds=5)
        (resolved,) = events(built, Resolved)
        assert resolved.by == "bruno"
        assert "resolved" in {ticket.state for ticket in desktop.puts[1:]}
        assert desktop.shown["D1"][0] == "resolved"

    story(tmp_path, told)


def test_a_ticket_reopened_there_reopens_its_incident(tmp_path: Path):
    async def told(built: House, desktop: Desktop, _watch: TicketWatch) -> None:
        await built.report()
        close_by = built.desk.close_by(built.clock.now())
        await built.desk.order("INC-1", c.Resolve(by="amina", text="restarted", close_by=close_by))
        await built.wait(minutes=2)
        desktop.does("D1", "open", by="b.martin")
        await built.wait(minutes=2)
        assert "Reopened" in built.told()
        assert phase(built) == "open"

    story(tmp_path, told)


def test_a_webhook_has_its_ticket_looked_at_at_once_and_says_when_it_cannot_be_read(tmp_path: Path):
    async def told(built: House, desktop: Desktop, watch: TicketWatch) -> None:
        await built.report()
        await built.wait(seconds=70)
        desktop.does("D1", "resolved", by="b.martin")
        await watch.heard(DESKTOP, {}, b"D1")
        await built.wait(seconds=3)
        assert phase(built) == "resolved"
        with pytest.raises(ValueError, match="empty"):
            await watch.heard(DESKTOP, {}, b"")
        with pytest.raises(KeyError):
            await watch.heard("elsewhere", {}, b"D1")

    story(tmp_path, told)


def test_a_back_end_that_fails_is_asked_less_and_less_often(tmp_path: Path):
    async def told(built: House, desktop: Desktop, watch: TicketWatch) -> None:
        await built.report()
        await built.wait(minutes=2)
        asked: list[float] = []
        built.counts.ticket = lambda _name, _result, operation="put": (  # type: ignore[method-assign]
            asked.append(built.clock.monotonic()) if operation == "changes" else None
        )
        watch.counted = built.counts
        desktop.down = True
        await built.wait(hours=1)
        pauses = [later - earlier for earlier, later in pairwise(asked)]
        assert pauses == sorted(pauses)
        assert 590 < pauses[-1] < 610

    story(tmp_path, told)


def test_a_bug_with_one_back_end_ends_neither_the_loop_nor_what_is_asked_of_another(tmp_path: Path):
    async def told(_built: House, desktop: Desktop, watch: TicketWatch) -> None:
        looked: list[str] = []

        async def look(name: str) -> None:
            looked.append(name)
            if looked.count("sick") == 1 and name == "sick":
                raise ValueError("a bug")
            await asyncio.sleep(10)

        watch.look = look  # type: ignore[method-assign]
        watch.followed = {name: Followed(backend=desktop, every_s=20.0) for name in ("slow", "sick")}
        bugs: list[str] = []
        loop = asyncio.create_task(keep("tickets", watch.run, bugs.append))
        await asyncio.sleep(100)
        assert bugs == ["tickets"]
        assert looked.count("sick") > 2
        assert looked.count("slow") > 2
        loop.cancel()

    virtual.run(alone(tmp_path, told))


async def alone(path: Path, told: Callable[[House, Desktop, TicketWatch], Coroutine[Any, Any, None]]) -> None:
    """Tell a story in which nobody runs the watch."""
    async with house(path, Plan(ladder=LADDER, ticket=DESKTOP)) as built:
        desktop = Desktop()
        await told(built, desktop, watch_of(built, desktop))


def test_nothing_is_kept_of_tickets_whose_incidents_are_over_also_where_nobody_asks_for_changes(tmp_path: Path):
    async def told(built: House, desktop: Desktop, watch: TicketWatch) -> None:
        watch.followed = {DESKTOP: Followed(backend=desktop, follow=False, every_s=20.0)}
        await built.report()
        await asyncio.sleep(30)
        assert watch._puts
        built.desk.policy = replace(built.desk.policy, close_by=lambda now: now + timedelta(minutes=1))
        await built.desk.recover("probe:web/home", "2 good runs")
        await asyncio.sleep(150)
        assert not built.desk.open()
        assert not watch._puts
        assert not watch._locks

    story(tmp_path, told)
