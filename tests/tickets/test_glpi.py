"""Tickets in GLPI: opened once, in line, told of everything once, against a GLPI made from its documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.glpi import GlpiTickets, Tokens
from tests.fakes.glpi import Glpi
from tests.fakes.http_peer import HttpPeer
from tests.tickets import samples

OPEN = replace(samples.OPEN, title="Campus <down>", notes=((1, "opened: campus <home>"),))
RESOLVED = replace(OPEN, state="resolved", resolution="restarted", notes=(*OPEN.notes, (5, "resolved by amina")))


def backend(glpi: Glpi, *, user: str = "user-token", app: str = "app-token") -> GlpiTickets:
    return GlpiTickets("glpi", glpi.url, Tokens(user, app), TargetPolicy(), timedelta(seconds=20))


@pytest.fixture
async def glpi() -> AsyncIterator[Glpi]:
    async with Glpi() as made:
        yield made


@pytest.fixture
async def tickets(glpi: Glpi) -> AsyncIterator[GlpiTickets]:
    made = backend(glpi)
    yield made
    await made.close()


@pytest.mark.rule("DSP-2")
async def test_a_ticket_is_opened_with_what_is_needed_to_work_on_it(glpi, tickets):
    reference = await tickets.put(OPEN)
    ticket = glpi.tickets[int(reference.reference)]
    assert ticket["name"] == "[INC-42] Campus <down>"
    assert (ticket["type"], ticket["status"], ticket["priority"]) == (1, 1, 5)
    assert "https://sentinel.example.org/incidents/INC-42" in ticket["content"]
    assert reference.url == f"{glpi.url}/front/ticket.form.php?id={reference.reference}"
    assert glpi.texts(ticket["id"], "ITILFollowup") == ["opened: campus &lt;home&gt; [INC-42/1]"]
    assert glpi.sessions == set(), "the session is closed again"


@pytest.mark.fault(41)
@pytest.mark.rule("DSP-2")
async def test_what_is_put_twice_is_there_once(glpi, tickets):
    first = await tickets.put(OPEN)
    assert await tickets.put(OPEN) == first
    assert len(glpi.tickets) == 1
    assert len(glpi.texts(int(first.reference), "ITILFollowup")) == 1
    assert not [line for line in glpi.asked if line.startswith("PUT")], "nothing differs"


async def test_the_ticket_of_another_incident_whose_number_begins_alike_is_not_taken(glpi, tickets):
    other = await tickets.put(replace(OPEN, key="INC-420"))
    assert (await tickets.put(OPEN)).reference != other.reference


async def test_more_notes_than_one_page_are_each_written_once(glpi, tickets):
    many = replace(OPEN, notes=tuple((number, f"note {number}") for number in range(1, 46)))
    number = int((await tickets.put(many)).reference)
    await tickets.put(many)
    assert len(glpi.texts(number, "ITILFollowup")) == 45


@pytest.mark.parametrize(
    ("state", "status"), [("acknowledged", 2), ("in_progress", 2), ("pending", 4), ("merged", 6), ("closed", 6)]
)
async def test_the_status_follows_the_incident(glpi, tickets, state, status):
    number = int((await tickets.put(OPEN)).reference)
    await tickets.put(replace(OPEN, state=state, priority="P3"))
    assert (glpi.tickets[number]["status"], glpi.tickets[number]["priority"]) == (status, 3)


async def test_a_resolution_becomes_the_solution_once_and_a_reopened_ticket_is_open_again(glpi, tickets):
    number = int((await tickets.put(OPEN)).reference)
    await tickets.put(RESOLVED)
    await tickets.put(RESOLVED)
    assert glpi.tickets[number]["status"] == 5
    (solution,) = glpi.texts(number, "ITILSolution")
    assert solution.startswith("restarted ")
    await tickets.put(OPEN)
    assert glpi.tickets[number]["status"] == 1
    await tickets.put(replace(RESOLVED, resolution="the disk was full"))
    assert len(glpi.texts(number, "ITILSolution")) == 2


async def test_a_closed_ticket_takes_its_last_notes_before_it_is_closed_and_is_left_alone_after(glpi, tickets):
    number = int((await tickets.put(RESOLVED)).reference)
    closed = replace(RESOLVED, state="closed", notes=(*RESOLVED.notes, (6, "closed: confirmed")))
    await tickets.put(closed)
    assert glpi.tickets[number]["status"] == 6
    assert len(glpi.texts(number, "ITILFollowup")) == 3
    await tickets.put(replace(closed, notes=(*closed.notes, (7, "a late word"))))
    assert len(glpi.texts(number, "ITILFollowup")) == 3


@pytest.mark.fault(40)
async def test_a_glpi_that_is_down_delays_the_ticket_and_one_that_refuses_says_why(glpi, tickets):
    glpi.down = True
    with pytest.raises(Undelivered, match="503") as later:
        await tickets.put(OPEN)
    assert not later.value.permanent
    glpi.down = False
    stranger = backend(glpi, user="wrong")
    with pytest.raises(Undelivered, match="ERROR_GLPI_LOGIN_USER_TOKEN") as refused:
        await stranger.put(OPEN)
    await stranger.close()
    assert refused.value.permanent
    assert "wrong" not in refused.value.why


@pytest.mark.fault(41)
async def test_what_a_failure_interrupted_is_made_up_and_nothing_is_made_twice(glpi, tickets):
    await tickets.put(OPEN)
    glpi.down = True
    with pytest.raises(Undelivered):
        await tickets.put(RESOLVED)
    glpi.down = False
    number = int((await tickets.put(RESOLVED)).reference)
    assert len(glpi.tickets) == 1
    assert len(glpi.texts(number, "ITILFollowup")) == 2


@pytest.mark.fault(40)
async def test_a_page_that_is_not_glpi_is_told_apart():
    async with HttpPeer(answer="<html>Welcome</html>") as peer:
        made = GlpiTickets("glpi", peer.url, Tokens("u"), TargetPolicy(), timedelta(seconds=20))
        with pytest.raises(Undelivered, match="not GLPI's REST interface: <html>Welcome"):
            await made.put(OPEN)
        await made.close()
