from __future__ import annotations

import getpass
import io
import json

import aiohttp
import pytest

API = "/api/v1/incidents"
LISTED = {
    "number", "title", "service", "kind", "level", "severity", "priority", "state", "opened_at", "t0",
    "acknowledged_by", "assigned_to", "resolved_at", "dedup", "targets",
}  # fmt: skip


async def test_incidents_are_listed_newest_first_with_exactly_the_promised_fields(served):
    await served.room.open("first")
    await served.room.open("second", service="mail")
    async with served.http.get(API) as answer:
        assert answer.status == 200
        found = await answer.json()
    assert [one["title"] for one in found] == ["second", "first"]
    assert set(found[0]) == LISTED
    assert found[0]["acknowledged_by"] is None
    assert found[0]["resolved_at"] is None
    assert found[0]["t0"].endswith("Z")


async def test_a_list_is_filtered_by_service_state_and_place(served):
    for title, service in (("a", "campus"), ("b", "mail"), ("c", "campus")):
        await served.room.open(title, service=service)
    await served.http.post(f"{API}/3/resolve", json={"by": "amina", "text": "restarted"})

    async def titles(**query: str) -> list[str]:
        async with served.http.get(API, params=query) as answer:
            return [one["title"] for one in await answer.json()]

    assert await titles(service="campus") == ["c", "a"]
    assert await titles(state="resolved") == ["c"]
    assert await titles(state="open,resolved", service="campus") == ["c", "a"]
    assert await titles(state="unfinished") == ["c", "b", "a"]
    assert await titles(limit="1") == ["c"]
    assert await titles(before="INC-3") == ["b", "a"]
    assert await titles(state="closed") == []


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"state": "opened"}, "Unknown state `opened`"),
        ({"sevice": "campus"}, "Unknown parameter `sevice`"),
        ({"limit": "0"}, "`limit` must be a whole number from 1 to 1000."),
        ({"limit": "²"}, "`limit` must be"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(served, query, detail):
    async with served.http.get(API, params=query) as answer:
        assert answer.status == 400
        assert detail in (await answer.json(content_type="application/problem+json"))["detail"]


async def test_one_incident_is_shown_with_its_timeline_messages_and_ticket(served):
    await served.room.open()
    async with served.http.get(f"{API}/inc-1") as answer:
        one = await answer.json()
    assert [line["type"] for line in one["timeline"]] == ["opened", "escalated"]
    assert [line["sequence"] for line in one["timeline"]] == [1, 2]
    assert {(m["person"], m["channel"]) for m in one["messages"]} == {
        ("amina", "email"),
        ("amina", "sms"),
        ("bruno", "email"),
    }
    assert one["ticket"] is None
    assert one["signals"][0]["failing"] is True


async def test_a_person_raises_an_incident_that_pages_by_default(served):
    async with served.http.post(
        API, json={"title": "Printer on fire", "service": "campus", "by": "Amina Benali"}
    ) as answer:
        assert answer.status == 201
        assert answer.headers["Location"] == "/api/v1/incidents/INC-1"
        one = await answer.json()
    assert (one["level"], one["priority"], one["severity"], one["state"]) == (3, "P1", "blocking", "open")
    async with served.http.get(f"{API}/1") as answer:
        shown = await answer.json()
    assert shown["requester"] == "amina"
    assert shown["messages"]


async def test_reports_of_the_same_name_become_one_incident(served):
    for _ in range(2):
        async with served.http.post(API, json={"title": "Printer", "by": "amina", "dedup": "printer"}) as answer:
            assert (await answer.json())["number"] == "INC-1"
    async with served.http.post(API, json={"title": "Printer", "by": "amina"}) as answer:
        assert (await answer.json())["number"] == "INC-2"


async def test_an_incident_goes_from_open_to_closed_by_what_people_do(served):
    await served.room.open()

    async def do(action: str, **body: object) -> dict[str, object]:
        async with served.http.post(f"{API}/INC-1/{action}", json={"by": "bruno", **body}) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, object] = await answer.json()
            return found

    assert (await do("acknowledge"))["acknowledged_by"] == "bruno"
    assert (await do("note", text="looking"))["state"] == "acknowledged"
    assert (await do("hold", on=True))["state"] == "acknowledged"
    assert (await do("resolve", text="restarted"))["state"] == "resolved"
    assert (await do("reopen", text="no"))["state"] == "open"
    assert (await do("resolve", text="really"))["state"] == "resolved"
    assert (await do("close"))["state"] == "closed"


async def test_an_incident_is_merged_into_another(served):
    await served.room.open("a")
    await served.room.open("b")
    async with served.http.post(f"{API}/2/merge", json={"into": "INC-1", "by": "amina"}) as answer:
        assert (await answer.json())["number"] == "INC-1"
    async with served.http.get(f"{API}/2") as answer:
        assert (await answer.json())["merged_into"] == "INC-1"


async def test_the_impossible_is_a_conflict_and_the_unknown_is_not_found(served):
    await served.room.open()
    async with served.http.post(f"{API}/1/close", json={"by": "amina"}) as answer:
        assert answer.status == 409
        problem = await answer.json(content_type="application/problem+json")
    assert problem["title"] == "Conflict"
    assert problem["type"] == "about:blank"
    assert "INC-1 is open" in problem["detail"]
    for path in ("/INC-99", "/nonsense", "/INC-0"):
        async with served.http.get(API + path) as answer:
            assert answer.status == 404
    async with served.http.post(f"{API}/99/note", json={"by": "amina", "text": "x"}) as answer:
        assert answer.status == 404
    async with served.http.post(f"{API}/1/resolve", json={"by": "amina", "text": " "}) as answer:
        assert answer.status == 409


async def test_over_tcp_nobody_acts_without_a_name(served):
    await served.room.open()
    async with served.http.post(f"{API}/1/acknowledge", json={}) as answer:
        assert answer.status == 400
        assert "by" in (await answer.json(content_type="application/problem+json"))["detail"]


async def test_a_service_that_is_not_configured_is_refused(served):
    async with served.http.post(API, json={"title": "x", "service": "campsu", "by": "amina"}) as answer:
        assert answer.status == 400
        assert "known: campus, mail" in (await answer.json(content_type="application/problem+json"))["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": "x", "by": "a", "levle": 3}',
        b'{"title": "x", "by": "a", "level": 4}',
        b'{"title": "x", "by": "a", "level": NaN}',
        b'{"title": "x", "by": "a", "level": 1e999}',
        b'{"title": "\\ud800", "by": "a"}',
        b'{"title": "\xff", "by": "a"}',
        b'{"title": ' + b"[" * 100_000,
        b'{"title": "x", "by": "a", "labels": ' + b'{"a":' * 50_000,
        b'{"title": "' + b"x" * 201 + b'", "by": "a"}',
        b'{"title": "", "by": "a"}',
        b'{"title": "\\u202e\\u0007", "by": "a"',
        b"[]",
        b"{",
        b"null",
    ],
)
async def test_a_body_that_is_not_of_the_shape_is_refused_and_opens_nothing(served, body):
    async with served.http.post(API, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 400
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["status"] == 400
    assert served.room.desk.open() == []


async def test_a_body_of_another_type_or_too_large_is_refused(served):
    async with served.http.post(API, data={"title": "x", "by": "a"}) as answer:
        assert answer.status == 415
    big = b'{"title": "x", "detail": "' + b"x" * (1024 * 1024) + b'"}'
    async with served.http.post(API, data=io.BytesIO(big), headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413
        assert answer.content_type == "application/problem+json"


async def test_what_people_write_is_made_harmless_before_it_is_kept(served):
    async with served.http.post(API, json={"title": "a\u202eb\x1b[31m\nc", "by": "amina"}) as answer:
        assert (await answer.json())["title"] == "a\ufffdb\ufffd[31m c"


async def test_a_database_that_cannot_be_written_is_said_and_worth_another_try(served):
    with served.room.broken_store():
        async with served.http.post(API, json={"title": "x", "by": "amina"}) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "5"
    assert served.room.desk.open() == []


async def test_over_the_control_socket_the_user_of_the_peer_acts(served):
    await served.room.open()
    connector = aiohttp.UnixConnector(str(served.control))
    async with aiohttp.ClientSession("http://localhost", connector=connector) as http:
        async with http.post(f"{API}/1/acknowledge", json={}) as answer:
            assert answer.status == 200
            assert (await answer.json())["acknowledged_by"] == getpass.getuser()
        async with http.get(f"{API}/1") as answer:
            events = [line["event"] for line in (await answer.json())["timeline"]]
    assert [event["via"] for event in events if event["type"] == "acknowledged"] == ["cli"]
