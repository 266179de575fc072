"""What every ticket back-end must do, whatever stands behind it: one suite, run on stand-ins and on real servers."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

import pytest
from aiohttp import web
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.tickets.base import Ticket, TicketBackend, TicketChange
from tests.fakes.http_peer import Received
from tests.fakes.middle import Middle

_numbers = itertools.count(1001)
NOBODY = "nobody.we.know"
WHO = "sentinel-contract"
MANY = 45


@dataclass(frozen=True)
class Shown:
    """What a ticket shows to those who look at it there. ``body`` is its description, ``notes`` all that was written
    below it, ours and others'; ``priority`` in the words of the back-end; ``assignee`` as ``Rig.person`` is written.
    """

    title: str
    body: str
    priority: str
    assignee: str
    notes: tuple[str, ...]


class Rig(Protocol):
    """A server, stand-in or real, and what people do there.

    ``person`` can be given tickets; ``place`` is where tickets go (a project, a queue), empty where there is no such
    thing. ``keeps_text`` tells whether a comment's text comes back as written. ``reopens`` and ``assigns`` say what
    the product can do at all.
    """

    name: str
    url: str
    person: str
    place: str
    reopens: bool
    assigns: bool

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        """Build the back-end as configured, at an address that leads to the server."""
        ...

    def opens(self, request: Received) -> bool:
        """Tell whether a request opens a ticket."""
        ...

    def notes(self, request: Received) -> bool:
        """Tell whether a request writes a note."""
        ...

    async def count(self, key: str) -> int:
        """Return how many tickets there are of an incident."""
        ...

    async def show(self, reference: str) -> Shown:
        """Return a ticket as people see it."""
        ...

    async def resolve(self, reference: str, text: str) -> None:
        """Somebody there says that it is over."""
        ...

    async def reopen(self, reference: str) -> None:
        """Somebody there says that it is not."""
        ...

    async def take(self, reference: str) -> None:
        """``person`` takes the ticket there."""
        ...

    async def comment(self, reference: str, text: str) -> None:
        """Somebody there writes below the ticket."""
        ...


def page(text: str | bytes, status: int = 200, kind: str = "application/json") -> Callable[[], web.Response]:
    """Return what makes an answer."""
    body = text if isinstance(text, bytes) else text.encode()
    return lambda: web.Response(status=status, body=body, content_type=kind)


HOSTILE = {
    "a sign-in page": page("<html><title>Sign in</title></html>", kind="text/html"),
    "an error with 200": page('{"error": "the database is gone"}'),
    "nothing": page(b""),
    "null": page("null"),
    "an empty list": page("[]"),
    "an empty object": page("{}"),
    "a text": page('"ok"'),
    "a number without end": page("1e999"),
    "lists without end": page("[" * 100_000),
    "objects without end": page('{"a":' * 100_000),
    "no UTF-8": page(b'{"issues": "\xff\xfe"}'),
    "wrong types": page('{"id": {"id": []}, "issues": 7, "issue": "x", "data": false, "items": {}, "total": "many"}'),
    "more than anybody reads": page(b'{"issues": "' + b"a" * (5 * 1024 * 1024)),
    "success without content": page(b"", 204),
    "a redirection": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
}


class Fixtures:
    """What every test has: a back-end before ``rig``, something in between, and an incident."""

    @pytest.fixture
    async def middle(self, rig: Rig) -> AsyncIterator[Middle]:
        async with Middle(upstream=rig.url) as made:
            yield made

    @pytest.fixture
    async def backend(self, rig: Rig, middle: Middle) -> AsyncIterator[TicketBackend]:
        made = rig.make(middle.url)
        yield made
        await made.close()

    @pytest.fixture
    def ticket(self) -> Ticket:
        """An incident nobody has ever opened a ticket for."""
        key = f"INC-{next(_numbers)}"
        return Ticket(
            key=key,
            title="Campus <down> & „slow“",
            state="open",
            priority="P1",
            level=3,
            severity="blocking",
            service="campus",
            description="HTTP 503 é\nOpened by rule “outage”",
            opened_at="2026-11-21T22:10:00+00:00",
            notes=((1, "opened: campus <home>"),),
            links=(f"https://sentinel.example.org/incidents/{key}",),
        )


class BrokenContract(Fixtures):
    """What happens when something else answers in place of the server, which need not be there."""

    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    async def test_a_back_end_that_is_down_is_tried_again_later(self, middle, backend, ticket, status):
        middle.instead = page("<html>maintenance</html>", status, "text/html")
        for call in calls(backend, ticket):
            with pytest.raises(Undelivered) as later:
                await call()
            assert (later.value.permanent, later.value.outcome) == (False, "retry")

    async def test_a_back_end_that_nobody_answers_for_is_tried_again_later(self, rig, ticket):
        absent = rig.make("http://127.0.0.1:1")
        for call in calls(absent, ticket):
            with pytest.raises(Undelivered) as later:
                await call()
            assert not later.value.permanent
        await absent.close()

    @pytest.mark.parametrize("answer", HOSTILE)
    async def test_whatever_answers_instead_is_a_failure_and_no_crash(self, middle, backend, ticket, answer):
        middle.instead = HOSTILE[answer]
        for call in calls(backend, ticket):
            with pytest.raises(Undelivered) as failure:
                await call()
            assert len(failure.value.why) < 1000


class TicketEssentials(Fixtures):
    """What a real server proves best: what it does with our requests, and what people do there. Needs ``rig``."""

    @pytest.mark.rule("DSP-2")
    async def test_a_ticket_is_opened_once_with_what_is_needed_to_work_on_it(self, rig, middle, backend, ticket):
        reference = await backend.put(ticket)
        shown = await rig.show(reference.reference)
        assert shown.title.startswith(f"[{ticket.key}] Campus <down> & „slow“")
        assert ticket.links[0] in shown.body
        assert "HTTP 503 é" in shown.body
        assert [note for note in shown.notes if "opened: campus <home>" in note and note.endswith(f"[{ticket.key}/1]")]
        assert reference.url.startswith(middle.url)
        before = middle.writes()
        again = replace(ticket, reference=reference.reference)
        assert await backend.put(ticket) == await backend.put(again) == reference
        assert await rig.count(ticket.key) == 1
        assert middle.writes() == before, "what is there already is not written again"

    @pytest.mark.rule("DSP-2")
    async def test_a_ticket_whose_opening_was_not_answered_is_not_opened_again(self, rig, middle, backend, ticket):
        middle.lose = rig.opens
        with pytest.raises(Undelivered) as lost:
            await backend.put(ticket)
        assert not lost.value.permanent
        middle.lose = lambda _: False
        await backend.put(ticket)
        assert await rig.count(ticket.key) == 1

    async def test_the_state_follows(self, rig, backend, ticket):
        reference = (await backend.put(ticket)).reference
        at_first = (await now(backend, reference)).state
        assert at_first == "open"
        states = ["acknowledged", "resolved", *(["open"] if rig.reopens else [])]
        for state in states:
            resolution = "restarted" if state == "resolved" else ""
            await backend.put(replace(ticket, reference=reference, state=state, resolution=resolution))
            assert (await now(backend, reference)).state in over(state)

    async def test_a_ticket_is_given_to_whoever_works_on_it(self, rig, backend, ticket):
        if not rig.assigns:
            pytest.skip(f"{rig.name} gives tickets to nobody")
        reference = (await backend.put(ticket)).reference
        await backend.put(replace(ticket, reference=reference, state="acknowledged", assignee=rig.person))
        assert (await rig.show(reference)).assignee == rig.person
        found = await now(backend, reference)
        assert (found.state, found.assignee) == ("acknowledged", rig.person)
        await backend.put(replace(ticket, reference=reference, state="acknowledged"))
        assert (await rig.show(reference)).assignee == rig.person, "nobody is taken off whom Sentinel does not know"

    async def test_a_wrong_key_is_refused_for_good_and_the_check_says_so(self, rig, middle, ticket):
        stranger = rig.make(middle.url, wrong_key=True)
        for call in (stranger.check, lambda: stranger.put(ticket)):
            with pytest.raises(Undelivered) as refused:
                await call()
            assert refused.value.permanent, refused.value.why
        await stranger.close()
        assert await rig.count(ticket.key) == 0

    async def test_a_place_that_is_not_there_is_named(self, rig, middle, ticket):
        if not rig.place:
            pytest.skip(f"{rig.name} has one place for all tickets")
        lost = rig.make(middle.url, place="atlantis")
        for call in (lost.check, lambda: lost.put(ticket)):
            with pytest.raises(Undelivered, match="atlantis") as refused:
                await call()
            assert refused.value.permanent
        await lost.close()

    @pytest.mark.rule("DSP-2")
    async def test_what_is_resolved_there_is_told_with_its_text(self, rig, backend, ticket):
        reference = (await backend.put(ticket)).reference
        marker = (await now(backend, reference)).marker
        await rig.resolve(reference, "the disk was full")
        (found,) = await backend.changes({reference: marker})
        assert found.state in {"resolved", "closed"}
        assert "the disk was full" in f"{found.text} {' '.join(one.text for one in found.comments)}"
        if not rig.reopens:
            return
        await rig.reopen(reference)
        assert (await now(backend, reference)).state in {"open", "acknowledged"}

    @pytest.mark.rule("DSP-6")
    async def test_who_takes_it_there_is_named(self, rig, backend, ticket):
        reference = (await backend.put(ticket)).reference
        marker = (await now(backend, reference)).marker
        await rig.take(reference)
        (found,) = await backend.changes({reference: marker})
        assert found.state == "acknowledged"
        assert rig.person in {found.assignee, found.by}

    async def test_a_comment_comes_back_under_an_id_that_stays_and_our_notes_do_not(self, rig, backend, ticket):
        reference = (await backend.put(ticket)).reference
        marker = (await now(backend, reference)).marker
        await rig.comment(reference, "the switch is on fire <really> é")
        (found,) = await backend.changes({reference: marker})
        (comment,) = found.comments
        assert comment.text.strip() == "the switch is on fire <really> é"
        await rig.comment(reference, "it is out")
        again = replace(ticket, reference=reference, notes=(*ticket.notes, (3, "one of ours")))
        await backend.put(again)
        last = await now(backend, reference)
        assert [one.text.strip() for one in last.comments] == ["the switch is on fire <really> é", "it is out"]
        assert last.comments[0].id == comment.id != last.comments[1].id


class TicketContract(TicketEssentials):
    """All that a server of the product itself must do. Mix it in, with a fixture ``rig``."""

    async def test_a_note_whose_writing_was_not_answered_is_not_written_again(self, rig, middle, backend, ticket):
        reference = (await backend.put(ticket)).reference
        more = replace(ticket, reference=reference, notes=(*ticket.notes, (4, "amina: restarting")))
        middle.lose = rig.notes
        with pytest.raises(Undelivered):
            await backend.put(more)
        middle.lose = lambda _: False
        await backend.put(more)
        notes = (await rig.show(reference)).notes
        assert len([note for note in notes if "amina: restarting" in note]) == 1

    async def test_many_notes_are_each_written_once_and_in_order(self, rig, backend, ticket):
        many = replace(ticket, notes=tuple((number, f"the note {number}.") for number in range(1, MANY + 1)))
        reference = (await backend.put(many)).reference
        await backend.put(replace(many, reference=reference))
        notes = [note for note in (await rig.show(reference)).notes if "the note " in note]
        assert [note.partition(".")[0].strip() for note in notes] == [f"the note {one}" for one in range(1, MANY + 1)]

    async def test_the_priority_and_the_title_follow(self, rig, backend, ticket):
        reference = (await backend.put(ticket)).reference
        first = await rig.show(reference)
        await backend.put(replace(ticket, reference=reference, priority="P3", title="Campus slow"))
        then = await rig.show(reference)
        assert then.priority != first.priority
        assert then.title == f"[{ticket.key}] Campus slow"
        await backend.put(replace(ticket, reference=reference))
        assert (await rig.show(reference)).priority == first.priority

    async def test_what_was_said_at_the_end_stands_there_once(self, rig, backend, ticket):
        reference = (await backend.put(ticket)).reference
        over = replace(ticket, reference=reference, state="resolved", resolution="the disk was full")
        await backend.put(over)
        await backend.put(over)
        assert len([note for note in (await rig.show(reference)).notes if "the disk was full" in note]) == 1
        assert (await now(backend, reference)).comments == ()

    async def test_somebody_unknown_there_hinders_nothing_but_the_assignment(self, rig, backend, ticket):
        if not rig.assigns:
            pytest.skip(f"{rig.name} gives tickets to nobody")
        reference = (await backend.put(ticket)).reference
        wanted = replace(ticket, reference=reference, state="acknowledged", assignee=NOBODY, priority="P3")
        before = await rig.show(reference)
        with pytest.raises(Undelivered, match=NOBODY) as refused:
            await backend.put(wanted)
        assert refused.value.permanent
        assert (await now(backend, reference)).state == "acknowledged"
        assert (await rig.show(reference)).priority != before.priority

    async def test_texts_of_any_kind_are_taken(self, rig, backend, ticket):
        odd = "\x00\x1b[31m\u202e😀 \ud800".encode("utf-8", "replace").decode()
        wild = replace(
            ticket,
            title=f"{odd} \r\nX-Injected: 1 " + "é" * 400,
            description=f"{odd}\n" + "<script>alert(1)</script>" * 500,
            notes=((1, odd + "<b>bold</b>\n.\nend"), (2, "")),
        )
        reference = await backend.put(wild)
        assert await backend.put(replace(wild, reference=reference.reference)) == reference
        assert await rig.count(ticket.key) == 1

    async def test_the_check_finds_nothing_wrong_and_opens_nothing(self, rig, middle, backend, ticket):
        await backend.check()
        assert await rig.count(ticket.key) == 0
        assert not [one for one in middle.passed if rig.opens(one)]

    async def test_what_was_put_is_no_change_and_an_unchanged_ticket_is_not_told_of(self, backend, ticket):
        reference = (await backend.put(ticket)).reference
        found = await now(backend, reference)
        assert (found.state, found.comments) == ("open", ())
        assert await backend.changes({reference: found.marker}) == []
        assert await backend.changes({}) == []

    async def test_tickets_are_asked_for_together_and_one_that_is_gone_is_left_out(self, backend, ticket):
        references = [(await backend.put(replace(ticket, key=f"INC-{next(_numbers)}"))).reference for _ in range(3)]
        found = await backend.changes(dict.fromkeys([*references, gone(references)], ""))
        assert sorted(one.reference for one in found) == sorted(references)

    async def test_a_ticket_that_another_name_is_given_for_is_found_by_its_key(self, rig, backend, ticket):
        first = await backend.put(ticket)
        assert await backend.put(replace(ticket, reference=gone([first.reference]))) == first
        assert await rig.count(ticket.key) == 1


class StandInContract(BrokenContract, TicketContract):
    """Besides, the rarer ways of an incident, which a stand-in is good enough for."""

    async def test_the_ticket_of_an_incident_whose_number_begins_alike_is_another(self, backend, ticket):
        other = await backend.put(replace(ticket, key=f"{ticket.key}0"))
        assert (await backend.put(ticket)).reference != other.reference

    @pytest.mark.parametrize("state", ["in_progress", "pending", "closed", "merged"])
    async def test_every_state_of_an_incident_is_taken(self, rig, backend, ticket, state):
        reference = (await backend.put(ticket)).reference
        put = replace(ticket, reference=reference, state=state, resolution="done" if state in OVER else "")
        await backend.put(put)
        before = await rig.show(reference)
        await backend.put(put)
        assert await rig.show(reference) == before
        assert ((await now(backend, reference)).state in {"resolved", "closed"}) == (state in OVER)


OVER = {"resolved", "closed", "merged"}


def over(state: str) -> set[str]:
    """Return what a ticket may show for a state: some back-ends have one way to be over."""
    return {"resolved", "closed"} if state in OVER else {state}


def gone(references: list[str]) -> str:
    """Return a reference that looks like these, and that nobody has."""
    first = references[0]
    return "999999" if first.isdigit() else first[:-1] + ("0" if first[-1] != "0" else "1")


def calls(backend: TicketBackend, ticket: Ticket) -> list[Callable[[], object]]:
    """Return everything that can be asked of a back-end."""
    asked: list[Callable[[], object]] = [
        lambda: backend.put(ticket),
        lambda: backend.put(replace(ticket, reference="1")),
        lambda: backend.changes({"1": ""}),
        backend.check,
    ]
    return asked


async def now(backend: TicketBackend, reference: str) -> TicketChange:
    """Return a ticket as it is there."""
    (found,) = await backend.changes({reference: ""})
    assert found.reference == reference
    return found
