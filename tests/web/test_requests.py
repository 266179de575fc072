"""The API and the page of requests: logged with what is needed, planned, done, refused, and apart from incidents."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sentinel import metrics

COMPLETE = {
    "title": "New account",
    "category": "new_account",
    "description": "For Jean, from Monday",
    "service": "campus",
    "by": "amina",
}


async def post(served, path: str, **body: object):
    async with served.http.post(f"/api/v1/requests{path}", json=body) as answer:
        return answer.status, await answer.json()


async def get(served, path: str = "/requests", **query: str):
    async with served.http.get(f"/api/v1{path}", params=query) as answer:
        return await answer.json()


async def page(served, path: str, language: str) -> str:
    async with served.http.get(path, params={"lang": language}) as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.rule("CLS-1")
async def test_a_request_is_logged_and_stands_among_incidents_as_what_it_is(served):
    status, made = await post(served, "", **COMPLETE)
    assert status == 201
    told = (made["kind"], made["priority"], made["level"], made["state"], made["requester"])
    assert told == ("request", "P3", 1, "open", "amina")
    assert [(one["number"], one["kind"]) for one in await get(served, "/incidents")] == [("INC-1", "request")]
    assert [one["number"] for one in await get(served)] == ["INC-1"]


@pytest.mark.rule("SRC-7")
@pytest.mark.parametrize(
    ("lacks", "named"),
    [("title", "title"), ("category", "category"), ("description", "description"), ("service", "service or machine")],
)
async def test_what_a_request_does_not_say_is_named(served, lacks, named):
    body = {name: value for name, value in COMPLETE.items() if name != lacks}
    status, answer = await post(served, "", **body)
    assert (status, answer["detail"]) == (400, f"A request says more than this one; missing: {named}.")


@pytest.mark.rule("CLS-9")
async def test_a_p4_without_a_date_is_refused_and_with_one_it_stands(served):
    minor = {**COMPLETE, "category": "minor_change"}
    status, answer = await post(served, "", **minor)
    assert status == 409
    assert "needs a date agreed with the customer" in answer["detail"]
    day = (served.room.clock.now() + timedelta(days=30)).date()
    status, made = await post(served, "", **minor, wanted=day.isoformat())
    assert (status, made["priority"], made["agreed_on"]) == (201, "P4", day.isoformat())


async def test_a_day_that_is_past_is_refused(served):
    assert (await post(served, "", **COMPLETE, wanted="2020-01-01"))[0] == 400
    await post(served, "", **COMPLETE)
    status, answer = await post(served, "/INC-1/plan", on="2020-01-01", by="bruno")
    assert (status, answer["detail"]) == (400, "2020-01-01 is past.")


async def test_a_request_is_planned_done_or_refused_and_listed_by_state(served):
    for _ in range(3):
        await post(served, "", **COMPLETE)
    day = (served.room.clock.now() + timedelta(days=3)).date().isoformat()
    _, planned = await post(served, "/INC-1/plan", on=day, by="bruno", text="with the others")
    assert (planned["state"], planned["agreed_on"], planned["acknowledged_by"]) == ("planned", day, "bruno")
    _, refused = await post(served, "/INC-2/refuse", text="no licence is left", by="bruno")
    assert (refused["state"], refused["refused"]) == ("refused", "no licence is left")
    _, done = await post(served, "/INC-3/done", text="it is there", by="bruno")
    assert done["state"] == "done"
    for state, numbers in {"planned": ["INC-1"], "refused": ["INC-2"], "done": ["INC-3"], "open": []}.items():
        assert [one["number"] for one in await get(served, state=state)] == numbers, state
    assert [one["number"] for one in await get(served, state="unfinished")] == ["INC-1"]
    assert [one["number"] for one in await get(served, service="mail")] == []
    assert (await get(served, state="lost"))["status"] == 400


async def test_an_incident_is_not_planned(served):
    await served.room.open()
    status, answer = await post(served, "/INC-1/done", text="x", by="bruno")
    assert (status, answer["detail"]) == (409, "INC-1 is an incident, not a request.")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Requests", "To do", "planned", "Done or refused", "no licence is left", "Open requests: 1")),
        (
            "fr",
            ("Demandes", "À traiter", "planifiée", "Traitées ou refusées", "no licence is left", "Demandes en cours"),
        ),
    ],
)
async def test_the_page_lists_requests_and_the_first_page_only_counts_them(served, language, words):
    await post(served, "", **COMPLETE)
    await post(served, "", **{**COMPLETE, "title": "New phone"})
    await post(served, "/INC-1/plan", on=date(2098, 1, 5).isoformat(), by="bruno")
    await post(served, "/INC-2/refuse", text="no licence is left", by="bruno")
    shown = await page(served, "/requests", language)
    first = await page(served, "/", language)
    assert all(word in shown for word in words[:-1])
    assert words[-1] in first
    assert 'id="INC-1"' not in first, "it is no incident"
    assert words[2] in await page(served, "/incidents/INC-1", language)


async def test_requests_are_counted_apart_from_incidents(served):
    await served.room.open()
    await post(served, "", **COMPLETE)
    found = served.room.desk.open()
    assert metrics.incident_counts(found) == [(("campus", "P1", "open"), 1.0)]
    assert metrics.request_counts(found) == [(("campus", "P3", "open"), 1.0)]
    assert [labels for labels, _ in metrics.oldest_unacknowledged(found)] == [("P1",)]


async def test_long_lists_come_in_pages_in_every_order(served):
    for number in range(5):
        await post(served, "", **{**COMPLETE, "title": f"Account {number}"})
    for state in ("", "open", "unfinished"):
        found, path = [], f"/api/v1/requests?limit=2&state={state}"
        for _ in range(3):
            async with served.http.get(path) as answer:
                found += [one["number"] for one in await answer.json()]
                path = answer.links["next"]["url"] if "next" in answer.links else ""
        assert (sorted(found), path) == ([f"INC-{number}" for number in range(1, 6)], ""), state
    async with served.http.get("/api/v1/requests?cursor=%21") as answer:
        assert answer.status == 400
    async with served.http.get("/api/v1/requests?state=unfinished&cursor=SU5DLTk") as answer:
        assert (answer.status, "begin without it" in (await answer.json())["detail"]) == (400, True)
