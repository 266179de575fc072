"""Searches that clients save, and lists that are asked for by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.intake.opsgenie.conftest import OTHER_KEY, Client, client_of

SEARCH = {"name": "urgent", "query": "status:open AND priority:P1", "owner": {"username": "amina@example.org"}}


async def save(og: Client, **more: object) -> dict[str, str]:
    """Save a search, and return its id and name."""
    status, said = await og.ask("POST", "/alerts/saved-searches", {**SEARCH, **more})
    assert (status, said["result"]) == (201, "Created"), said
    return dict(said["data"])


async def test_a_search_is_saved_shown_changed_listed_used_and_forgotten(og: Client):
    made = await save(og, description="what burns", teams=[{"name": "N2"}])
    status, found = await og.ask("GET", f"/alerts/saved-searches/{made['id']}")
    shown = found["data"]
    assert (status, shown["name"], shown["query"], shown["description"]) == (200, *(
        "urgent", SEARCH["query"], "what burns",
    ))  # fmt: skip
    assert (shown["owner"]["username"], [one["name"] for one in shown["teams"]]) == ("amina@example.org", ["N2"])
    await og.create("fire", alias="a", priority="P1")
    await og.create("dust", alias="b", priority="P4")
    by_name = {"searchIdentifier": "urgent", "searchIdentifierType": "name"}
    _, listed = await og.ask("GET", "/alerts", **by_name)
    assert [one["message"] for one in listed["data"]] == ["fire"]
    _, counted = await og.ask("GET", "/alerts/count", searchIdentifier=made["id"])
    assert counted["data"] == {"count": 1}
    _, both = await og.ask("GET", "/alerts", query="alias:b", **by_name)
    assert both["data"] == [], "a query beside it narrows"
    _, said = await og.ask("PATCH", "/alerts/saved-searches/urgent", {"query": "priority:P4"}, identifierType="name")
    assert said["result"] == "Updated"
    _, listed = await og.ask("GET", "/alerts", **by_name)
    assert [one["message"] for one in listed["data"]] == ["dust"]
    _, said = await og.ask("GET", "/alerts/saved-searches")
    assert said["data"] == [{"id": made["id"], "name": "urgent"}]
    assert (await og.ask("DELETE", f"/alerts/saved-searches/{made['id']}"))[1]["result"] == "Deleted"
    assert (await og.ask("GET", "/alerts", **by_name))[0] == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": ""}, 422), ({"query": ""}, 422), ({"query": "colour:red"}, 422), ({"owner": None}, 422),
        ({"query": "x" * 2_000}, 422), ({"teams": 7}, 422),
    ],
)  # fmt: skip
async def test_a_search_that_nobody_could_use_is_refused_when_it_is_saved(og: Client, change, status):
    got, said = await og.ask("POST", "/alerts/saved-searches", {**SEARCH, **change})
    assert got == status
    assert said["message"]


async def test_a_name_is_taken_once_and_seen_by_its_integration_only(og: Client):
    made = await save(og)
    assert (await og.ask("POST", "/alerts/saved-searches", SEARCH))[0] == 409
    other = Client(og.door, OTHER_KEY)
    assert (await other.ask("GET", f"/alerts/saved-searches/{made['id']}"))[0] == 404
    assert (await other.ask("GET", "/alerts", searchIdentifier=made["id"]))[0] == 404
    theirs = await save(other)
    assert theirs["id"] != made["id"]
    await save(og, name="other")
    assert (await og.ask("PATCH", f"/alerts/saved-searches/{made['id']}", {"name": "other"}))[0] == 409


async def test_searches_outlive_a_restart(tmp_path: Path):
    async with client_of(tmp_path) as og:
        await save(og)
    async with client_of(tmp_path) as og:
        _, said = await og.ask("GET", "/alerts/saved-searches/urgent", identifierType="name")
        assert said["data"]["query"] == SEARCH["query"]
