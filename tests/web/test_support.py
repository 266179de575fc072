"""The backup support entry: who has the link raises a level 3, and nobody else learns that it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sentinel.web.context import Support

KEY = "b7a1c7f0-0000-4000-8000-000000000007"
LINK = f"/support/{KEY}"
SAID = {
    "name": "Inès Caron",
    "contact": "+33 6 39 98 00 11",
    "service": "campus",
    "what": "Nobody can sign in\nsince 8:40",
}

pytestmark = pytest.mark.rule("SRC-5")


@pytest.fixture
def entry(served: Any) -> Any:
    served.room.settings = replace(
        served.room.settings,
        services={"campus": "Campus Moodle", "mail": "Messagerie"},
        support=Support(key=KEY, services=("campus", "mail"), phone="+33 6 39 98 00 99", per_hour=3),
    )
    return served


async def send(entry: Any, **other: str) -> tuple[int, str, str]:
    """Send the form as a browser does; return the status, the page, and where it ended."""
    async with entry.http.post(LINK, data=SAID | other) as answer:
        return answer.status, await answer.text(), str(answer.url)


async def test_a_report_opens_a_level_3_and_tells_its_number(entry):
    status, page, where = await send(entry)
    (state,) = entry.room.desk.open()
    assert (state.level, state.priority, state.service, state.rule) == (3, "P1", "campus", "support entry")
    assert state.title == "Nobody can sign in since 8:40"
    assert state.failing()[0].labels["contact"] == "+33 6 39 98 00 11"
    assert "Inès Caron, +33 6 39 98 00 11" in state.failing()[0].detail
    assert (status, where.endswith(f"{LINK}?taken=INC-1"), "INC-1" in page) == (200, True, True)


async def test_what_others_report_about_the_same_service_joins_it(entry):
    await send(entry)
    await send(entry, name="Jean Vidal", what="The campus is down")
    await send(entry, name="Karine Morel", service="mail", what="No mail")
    assert [(state.number, len(state.signals)) for state in entry.room.desk.open()] == [("INC-1", 2), ("INC-2", 1)]


@pytest.mark.parametrize("field", ["name", "contact", "what", "service"])
async def test_an_answer_that_is_missing_is_asked_for_and_the_others_are_kept(entry, field):
    status, page, _ = await send(entry, **{field: " "})
    assert (status, entry.room.desk.open()) == (400, [])
    assert "Inès Caron" in page or field == "name"


async def test_many_reports_in_an_hour_are_refused_in_words_with_the_phone(entry):
    for number in range(3):
        assert (await send(entry, what=f"report {number}"))[0] == 200
    status, page, _ = await send(entry)
    assert (status, "+33 6 39 98 00 99" in page) == (429, True)


async def test_without_the_key_there_is_nothing_there(entry):
    for path in ("/support/x", "/support/", f"{LINK}0", "/support/b7a1c7f0-0000-4000-8000-00000000000%C3%A9"):
        async with entry.http.get(path) as answer:
            assert answer.status == 404
    async with entry.http.post("/support/guess", data=SAID) as answer:
        assert answer.status == 404
    assert entry.room.desk.open() == []


async def test_without_an_entry_there_is_nothing_either(served):
    async with served.http.get(LINK) as answer:
        assert answer.status == 404


async def test_it_is_served_through_a_proxy_and_from_anywhere(entry):
    headers = {"X-Forwarded-For": "192.0.2.9", "Host": "help.example.org", "Origin": "https://help.example.org"}
    async with entry.http.post(LINK, data=SAID, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303


async def test_the_page_is_in_the_readers_language_and_writes_nothing_back_unescaped(entry):
    async with entry.http.get(LINK, headers={"Accept-Language": "fr"}) as answer:
        assert "Signaler une panne" in await answer.text()
    _, page, _ = await send(entry, name="<script>alert(1)</script>", what="")
    assert "<script>alert" not in page
    async with entry.http.get(f"{LINK}?taken=<b>INC-1</b>") as answer:
        assert "<b>" not in await answer.text()
