"""The report on an incident as data, Markdown and pages; the review, actions and problems over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Plan
from tests.core.reviews import REVIEW, directory

API = "/api/v1"
PLAN = Plan(review=replace(REVIEW, of=("P1",), owner=("amina",), readers=("bruno",)), problem_unknown_cause=True)


@pytest.fixture
async def over(served: Any) -> Any:
    """An incident that is over, whose report is due."""
    policy = served.room.desk.policy
    told = replace(policy.directory, terms=directory().terms)
    served.room.desk.policy = replace(policy, directory=told, plan_for=lambda _service, _verdict: PLAN)
    state = await served.room.open("login <b>fails</b> | badly")
    close_by = served.room.clock.now() + timedelta(days=2)
    await served.room.desk.order(state.number, c.Acknowledge(by="amina", via="web"))
    await served.room.desk.order(state.number, c.Resolve(by="amina", text="restarted", close_by=close_by))
    return served


async def post(served: Any, path: str, **body: Any) -> Any:
    async with served.http.post(f"{API}/{path}", json={"by": "amina", **body}) as answer:
        found = await answer.json(content_type=None)
        return found if answer.status == 200 else f"{answer.status}: {found['detail']}"


async def get(served: Any, path: str) -> Any:
    async with served.http.get(f"{API}/{path}") as answer:
        return await answer.json(content_type=None)


async def page(served: Any, path: str) -> str:
    async with served.http.get(path) as answer:
        assert answer.status == 200
        return str(await answer.text())


async def finished(served: Any) -> None:
    await post(served, "incidents/1/review", people=["Amina Benali", "the host"], on="2026-11-24")
    parts = {"causes": "the disk was full", "improvement": "watch the disk"}
    await post(served, "incidents/1/report", parts=parts)
    await post(served, "incidents/1/report", final=True)


@pytest.mark.rule("REX-1")
@pytest.mark.rule("REX-2")
async def test_the_report_has_all_its_parts_in_both_languages(over):
    keys = ["summary", "impact", "figures", "causes", "timeline", "deeds", "decisions", "strong", "weak", "actions"]
    keys += ["improvement", "messages", "facts"]
    english, french = [await get(over, f"incidents/1/report?lang={language}") for language in ("en", "fr")]
    assert [section["key"] for section in english["sections"]] == keys
    assert [section["key"] for section in french["sections"]] == keys
    assert (english["title"], french["title"]) == ("Incident report INC-1", "Rapport d’incident INC-1")
    summary = " ".join(french["sections"][0]["lines"])
    assert "Pris en charge par Amina Benali" in summary
    assert "Service rétabli" in summary


@pytest.mark.rule("REX-1")
async def test_what_people_write_is_in_the_report_and_the_final_one_is_frozen(over):
    refused = await post(over, "incidents/1/report", parts={"causes": "x"}, final=True)
    assert refused.startswith("409: No review of INC-1 was held")
    await finished(over)
    report = await get(over, "incidents/1/report?lang=en")
    assert report["final"]
    assert report["about"] == [
        "Review held on Tuesday 24 November 2026 with Amina Benali, the host",
        "Restricted to: Amina Benali, Bruno Lefèvre",
    ]
    assert {one["key"]: one["written"] for one in report["sections"] if "written" in one} == {
        "causes": "the disk was full",
        "improvement": "watch the disk",
    }
    assert (await post(over, "incidents/1/report", parts={"causes": "y"})).startswith(
        "409: The report on INC-1 is final"
    )
    seen = (await get(over, "incidents/1"))["review"]
    assert (seen["held_on"], seen["version"], seen["overdue"]) == ("2026-11-24", 2, False)
    assert seen["final_at"] is not None


async def test_as_markdown_nothing_from_outside_becomes_markup(over):
    await post(over, "incidents/1/report", parts={"causes": "the *disk* <script>"})
    async with over.http.get(f"{API}/incidents/1/report?format=md&lang=en") as answer:
        assert answer.content_type == "text/markdown"
        assert "INC-1-en.md" in answer.headers["Content-Disposition"]
        text = await answer.text()
    assert "login \\<b\\>fails\\</b\\> \\| badly" in text
    assert "the *disk* &lt;script>" in text
    assert "<b>" not in text


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_report_is_a_page_with_a_form_until_it_is_final(over, language):
    shown = await page(over, f"/incidents/1/report?lang={language}")
    assert "login &lt;b&gt;fails" in shown
    assert 'name="part"' in shown
    async with over.http.post(
        "/incidents/1/report", data={"by": "Amina Benali", "part": "causes", "text": "the log"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/incidents/INC-1/report#causes")
    assert "the log" in await page(over, "/incidents/1/report")
    await finished(over)
    shown = await page(over, f"/incidents/1/report?lang={language}")
    assert 'name="part"' not in shown


@pytest.mark.rule("REX-1")
async def test_that_the_review_was_held_is_noted_on_the_page_of_the_report(over):
    fields = {"by": "amina", "on": "2026-11-20", "people": "Bruno Lefèvre\n\n Zoé Martin \n", "text": "it was the disk"}
    async with over.http.post("/incidents/1/review", data=fields, headers={"Accept": "text/html"}) as answer:
        text = await answer.text()
        assert answer.status == 200
    for part in ("20 November 2026", "Bruno Lefèvre", "Zoé Martin"):
        assert part in text
    for wrong, status in (({**fields, "people": " \n"}, 409), ({**fields, "on": "yesterday"}, 400)):
        async with over.http.post("/incidents/1/review", data=wrong) as answer:
            assert answer.status == status


async def test_the_report_as_a_file_stands_alone(over):
    async with over.http.get(f"{API}/incidents/1/report?format=html&lang=fr") as answer:
        text = await answer.text()
    assert '<html lang="fr">' in text
    assert "<style>" in text
    assert "/static/" not in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("incidents/9/report", 404),
        ("incidents/1/report?format=pdf", 400),
        ("incidents/1/report?form=md", 400),
        ("problems/9", 404),
        ("problems/x", 404),
        ("problems?state=new", 400),
        ("actions?mine=1", 400),
    ],
)
async def test_what_is_not_there_or_not_meant_is_refused(over, path, status):
    async with over.http.get(f"{API}/{path}") as answer:
        assert answer.status == status
        assert (await answer.json(content_type=None))["detail"]


@pytest.mark.rule("REX-2")
async def test_actions_of_incidents_and_problems_are_listed_together_until_they_are_done(over):
    made = await post(over, "incidents/1/actions", title="watch", owner="Bruno Lefèvre", due_on="2098-06-02")
    assert (made["of"], made["id"], made["owner"], made["state"]) == ("INC-1", "A1", "bruno", "open")
    await post(over, "incidents/1/problem", verdict="accept")
    await post(over, "problems/1/actions", title="rotate", owner="amina", due_on="2098-06-01", change="CHG-7")
    assert [(one["of"], one["title"]) for one in await get(over, "actions?open=1")] == [
        ("PRB-1", "rotate"),
        ("INC-1", "watch"),
    ]
    assert [one["of"] for one in await get(over, "actions?owner=Bruno Lefèvre")] == ["INC-1"]
    await post(over, "incidents/1/actions/a1/discussed", text="soon")
    done = await post(over, "incidents/1/actions/a1/done", text="it is watched")
    assert (done["state"], done["outcome"], done["discussed"][0]["text"]) == ("done", "it is watched", "soon")
    assert [one["of"] for one in await get(over, "actions?open=1")] == ["PRB-1"]
    assert [one["of"] for one in await get(over, "actions")] == ["PRB-1", "INC-1"]


@pytest.mark.rule("LIF-8")
async def test_an_accepted_problem_is_a_record_that_people_keep(over):
    accepted = await post(over, "incidents/1/problem", verdict="accept", text="nobody knows why")
    assert accepted["number"] == "INC-1"
    shown = await get(over, "incidents/1")
    assert (shown["problem"], shown["problem_number"]) == ("accepted", "PRB-1")
    await post(over, "problems/PRB-1/note", text="the vendor was asked")
    await post(over, "problems/1/owner", owner="Bruno Lefèvre")
    known = await post(over, "problems/1/known", cause="a full log", workaround="delete it")
    assert (known["state"], known["owner"], known["incidents"]) == ("known_error", "bruno", ["INC-1"])
    assert [one["number"] for one in await get(over, "problems?state=known_error")] == ["PRB-1"]
    assert await get(over, "problems?state=open") == []
    assert (await post(over, "problems/1/solve", text="rotated"))["state"] == "solved"
    assert (await post(over, "problems/1/reopen", text="again"))["state"] == "known_error"
    other = await over.room.open("mail", "mail")
    linked = await post(over, "problems/1/link", incident=other.number)
    assert linked["incidents"] == ["INC-1", "INC-2"]
    assert (await post(over, "problems/1/link", incident="2", off=True))["incidents"] == ["INC-1"]


@pytest.mark.rule("LIF-8")
async def test_the_page_of_an_incident_shows_how_to_get_round_a_known_error(over):
    await post(over, "incidents/1/problem", verdict="accept")
    await post(over, "problems/1/known", workaround="use the <other> door")
    await over.room.desk.order("INC-1", c.Close(by="amina"))
    await over.room.open("login <b>fails</b> | badly")
    shown = await page(over, "/incidents/2?lang=fr")
    assert "Contournement connu" in shown
    assert "use the &lt;other&gt; door" in shown
    assert '<a href="/problems/PRB-1">' in shown


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("fr", ("Problèmes et actions", "erreur connue", "Rapports attendus", "version finale attendue")),
        ("en", ("Problems and actions", "known error", "Reports that are due", "final version due")),
    ],
)
async def test_problems_actions_and_owed_reports_stand_on_one_page(over, language, words):
    await post(over, "incidents/1/problem", verdict="accept")
    await post(over, "problems/1/known", cause="a full log")
    await post(over, "incidents/1/actions", title="watch", owner="bruno", due_on="2098-06-02")
    shown = await page(over, f"/problems?lang={language}")
    for word in words:
        assert word in shown
    assert "Bruno Lefèvre" in shown


async def test_a_problem_is_declined_as_before(over):
    await post(over, "incidents/1/problem", verdict="decline", text="once is enough")
    assert (await get(over, "incidents/1"))["problem"] == "declined"
    assert await get(over, "problems") == []
