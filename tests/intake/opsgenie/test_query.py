"""Opsgenie's search language, and the pages of lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.intake.opsgenie.bodies import Wrong
from sentinel.intake.opsgenie.query import parse
from tests.intake.opsgenie.conftest import Client

SHOWN = {
    "id": "7",
    "tinyId": "12",
    "alias": "db1",
    "message": "Disk full on db1",
    "status": "open",
    "acknowledged": False,
    "isSeen": False,
    "tags": ["a b", "paris"],
    "snoozed": False,
    "count": 3,
    "source": "am",
    "owner": "",
    "priority": "P1",
    "entity": "srv:db1",
    "description": "",
    "details": {"site": "Paris east"},
    "actions": ["Restart"],
    "integration": {"name": "watcher", "type": "API"},
    "report": {},
    "times": {"createdAt": 1_000},
    "named": [{"type": "team", "name": "N2", "username": ""}],
}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("status:open", True),
        ('status=open AND tag:"a b"', True),
        ("status: closed", False),
        ("NOT status:closed", True),
        ("NOT (status:open AND priority:P1)", False),
        ("status:closed OR priority:p1 AND count>2", True),
        ("count<3 OR createdAt>=1000", True),
        ("createdAt > 1000", False),
        ("count != 3", False),
        ("message:disk", True),
        ("full", True),
        ("empty", False),
        ("alias:db*", True),
        ("alias:*1 tag:paris", True),
        ("alias:x*", False),
        ("tag:(rome OR paris)", True),
        ("teams:N2 details.key:site details.value:east", True),
        ("acknowledged:false snoozed:false", True),
        ("integration.name:watcher", True),
        ('entity:"srv:db1"', True),
        ("snoozedUntil > 1", False),
    ],
)
def test_a_query_asks_for_what_it_says(text, fits):
    assert parse(text)(SHOWN) is fits


@pytest.mark.parametrize(
    "text",
    [
        "status:",
        "AND",
        "(status:open",
        "status:open)",
        "colour:red",
        "count>many",
        "a OR",
        ":x",
        '"a',
        "(" * 50,
        "x" * 1001,
    ],
)
def test_a_query_that_is_not_understood_is_refused_with_its_place(text):
    with pytest.raises(Wrong) as raised:
        parse(text)
    assert raised.value.status == 422
    assert raised.value.message.startswith("Query ")


@given(st.text(alphabet='()":=<>!* \\\naANDORNOTstatus', max_size=60))
def test_whatever_is_written_is_understood_or_refused(text):
    with contextlib.suppress(Wrong):
        assert parse(text)(SHOWN) in {True, False}


async def test_lists_are_searched_sorted_and_cut(og: Client):
    for number in range(5):
        await og.create(f"m{number}", alias=f"a{number}", priority=f"P{number + 1}", tags=["even"] * (1 - number % 2))
    await og.done("POST", "/alerts/a0/close", {}, identifierType="alias")
    _, found = await og.ask("GET", "/alerts/count", query="status:open")
    assert found["data"] == {"count": 4}
    _, found = await og.ask("GET", "/alerts", query="tag:even AND status=open", sort="priority", order="asc")
    assert [one["message"] for one in found["data"]] == ["m2", "m4"]
    _, found = await og.ask("GET", "/alerts", limit="2", offset="2", sort="tinyId", order="asc", apiKey="x")
    assert [one["tinyId"] for one in found["data"]] == ["3", "4"]
    assert set(found["paging"]) == {"first", "last", "prev", "next"}
    assert "apiKey" not in found["paging"]["next"]
    assert "description" not in found["data"][0]
    async with og.door.http.get(
        found["paging"]["next"],
        headers={"Authorization": f"GenieKey {og.key}"},
    ) as answer:
        assert [one["tinyId"] for one in (await answer.json())["data"]] == ["5"]
    for query in ({"query": "colour:red"}, {"sort": "colour"}, {"limit": "101"}, {"order": "up"}):
        assert (await og.ask("GET", "/alerts", **query))[0] == 422
    assert (await og.ask("GET", "/alerts", searchIdentifier="x"))[0] == 404
