"""What Jira has of its own: workflows, two versions, a search that lags, and visitors without a name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.tickets.jira import JiraTickets
from sentinel.tickets.jira_text import document, readable
from tests.fakes.jira import Jira
from tests.tickets.rigs_b import TIMEOUT, built
from tests.tickets.samples import OPEN, RESOLVED


def backend(jira: Jira, **more: object) -> JiraTickets:
    user = {"user": jira.user} if jira.cloud else {}
    place = {"url": jira.url, "cloud": jira.cloud, "project": "OPS", "token": jira.token, "timeout": TIMEOUT}
    made = built({"backend": "jira", **place, **user, **more})
    assert isinstance(made, JiraTickets)
    return made


@pytest.fixture
async def jira() -> AsyncIterator[Jira]:
    async with Jira() as made:
        yield made


@pytest.fixture
async def tickets(jira: Jira) -> AsyncIterator[JiraTickets]:
    made = backend(jira)
    yield made
    await made.close()


def status(jira: Jira, key: str) -> str:
    return str(jira.issues[key]["fields"]["status"]["name"])


@pytest.mark.rule("DSP-2")
async def test_an_issue_is_led_through_the_workflow_and_ends_with_a_resolution(jira, tickets):
    key = (await tickets.put(OPEN)).reference
    assert status(jira, key) == "To Do"
    await tickets.put(RESOLVED)
    assert status(jira, key) == "Done", "over In Progress: there is no direct step"
    assert jira.issues[key]["fields"]["resolution"] == {"name": "Fixed"}
    await tickets.put(OPEN)
    assert status(jira, key) == "To Do"


async def test_a_status_that_is_named_is_found_and_a_resolution_too(jira):
    named = backend(jira, statuses={"pending": "Waiting"}, resolution="Duplicate")
    key = (await named.put(replace(OPEN, state="pending"))).reference
    assert status(jira, key) == "Waiting"
    (found,) = await named.changes({key: ""})
    assert found.state == "pending"
    await named.put(RESOLVED)
    assert jira.issues[key]["fields"]["resolution"] == {"name": "Duplicate"}
    await named.close()


async def test_a_status_that_the_workflow_does_not_lead_to_is_named(jira):
    lost = backend(jira, statuses={"pending": "Limbo"})
    with pytest.raises(Undelivered, match=r"no step of its workflow leads OPS-1 from .* to pending") as refused:
        await lost.put(replace(OPEN, state="pending"))
    assert refused.value.permanent
    await lost.close()


async def test_an_issue_that_the_search_does_not_know_yet_is_not_opened_again(jira, tickets):
    jira.lagging = True
    key = (await tickets.put(OPEN)).reference
    assert (await tickets.put(replace(OPEN, priority="P2"))).reference == key
    other = backend(jira)  # Started anew: it knows what was written down, and nothing else.
    assert (await other.put(replace(OPEN, reference=key))).reference == key
    await other.close()
    assert len(jira.issues) == 1


async def test_an_opening_whose_answer_was_lost_is_looked_for_before_it_is_tried_again(jira, tickets):
    jira.lagging, jira.lost = True, 1
    with pytest.raises(Undelivered) as lost:
        await tickets.put(OPEN)
    assert lost.value.outcome == "timeout"
    with pytest.raises(Undelivered, match="may have been taken; it is looked for 3 more times first"):
        await tickets.put(OPEN)
    jira.lagging = False
    await tickets.put(OPEN)
    assert len(jira.issues) == 1


async def test_an_opening_that_was_really_lost_is_made_up_after_three_looks(jira, tickets):
    jira.lost = 1
    with pytest.raises(Undelivered):
        await tickets.put(OPEN)
    jira.issues.clear()
    for _ in range(3):
        with pytest.raises(Undelivered, match="may have been taken"):
            await tickets.put(OPEN)
    await tickets.put(OPEN)
    assert len(jira.issues) == 1


async def test_a_visitor_who_finds_nothing_does_not_open_a_second_issue(jira, tickets):
    await tickets.put(OPEN)
    stranger = backend(jira, token="expired")
    with pytest.raises(Undelivered, match="Jira does not take these credentials") as refused:
        await stranger.put(OPEN)
    await stranger.close()
    assert refused.value.permanent
    assert "expired" not in refused.value.why
    assert len(jira.issues) == 1


async def test_too_many_requests_ask_for_patience(jira, tickets):
    jira.busy = 1
    with pytest.raises(Undelivered, match="429") as later:
        await tickets.put(OPEN)
    assert (later.value.permanent, later.value.after_s) == (False, 7)


async def test_a_refusal_is_told_in_the_words_of_jira(jira):
    odd = backend(jira, project="NOWHERE")
    with pytest.raises(
        Undelivered, match="Jira answered 400: The value 'NOWHERE' does not exist for the field 'project'"
    ):
        await odd.put(OPEN)
    await odd.close()


async def test_the_webhook_of_an_issue_and_of_a_comment_says_which_to_look_at(tickets):
    assert tickets.heard({}, b'{"webhookEvent": "comment_created", "issue": {"key": "OPS-7"}}').look_at == ("OPS-7",)
    for body in (b"{", b"[]", b'{"issue": {"key": 7}}', b'{"issue": {"key": "a) OR (b"}}'):
        with pytest.raises(ValueError, match=r"JSON|no issue"):
            tickets.heard({}, body)


def test_texts_become_documents_and_come_back():
    text = "It burns: https://sentinel.example.org/incidents/INC-42\nsince 22:10\n\nRunbook: <none>"
    made = document(text)
    assert readable(made) == text.replace("\n\n", "\n")
    assert [one["type"] for one in made["content"]] == ["paragraph", "paragraph"]
    assert document("") == {"type": "doc", "version": 1, "content": []}


def test_what_people_write_in_the_editor_is_read():
    mention = {"type": "mention", "attrs": {"text": "@Amina", "id": "1"}}
    listed = {"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph("one")]}]}
    assert readable({"type": "doc", "content": [paragraph("look, ", mention), listed]}) == "look, @Amina\none"
    deep: object = {"type": "text", "text": "bottom"}
    for _ in range(200):
        deep = {"type": "panel", "content": [deep]}
    assert "bottom" not in readable(deep)


def paragraph(text: str, *more: object) -> dict[str, object]:
    return {"type": "paragraph", "content": [{"type": "text", "text": text}, *more]}


def test_nothing_of_the_credentials_shows(tickets: JiraTickets, jira: Jira):
    assert jira.token not in repr(tickets._place)
