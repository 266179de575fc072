"""Crises over the API and on their page (rules MAJ-1 to MAJ-10 as people meet them)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import html
from msgspec.structs import replace

from sentinel.core.model import Plan
from tests.core.crises import crisis_plan

API = "/api/v1/incidents/1/crisis"
CALL = "https://meet.example.org/crise-{incident}"


@pytest.fixture
def steered(served: Any) -> Any:
    """Let incidents have a crisis plan: amina manages, bruno administers."""
    policy = served.room.desk.policy
    written = {"owner": "amina", "call": CALL, "cell": {"permanent": {"pilot": "amina", "technical": "bruno"}}}
    crisis = crisis_plan(**written)
    cell = replace(crisis.cell, relation=(), direction=(), customer_1=(), customer_2=(), customer_3=(), security=())
    steps = tuple(replace(step, notify=()) for step in crisis.steps)
    plan = Plan(manager=("amina",), crisis=replace(crisis, cell=cell, steps=steps))
    served.room.desk.policy = replace(policy, plan_for=lambda _service, _verdict: plan)
    return served


async def act(served: Any, name: str, **body: Any) -> Any:
    async with served.http.post(f"{API}/{name}", json=body) as answer:
        found = await answer.json(content_type=None)
        return found if answer.status == 200 else f"{answer.status}: {found['detail']}"


async def see(served: Any, **query: str) -> Any:
    async with served.http.get(API, params=query) as answer:
        assert answer.status == 200
        return await answer.json()


async def page(served: Any, language: str = "en") -> str:
    async with served.http.get(f"/incidents/INC-1/crisis?lang={language}") as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.rule("MAJ-2", "MAJ-3")
async def test_a_crisis_is_declared_steered_and_closed(steered):
    await steered.room.open()
    assert (await see(steered))["state"] == "none"
    opened = await act(steered, "declare", by="amina", text="all is down")
    assert (opened["state"], opened["opened_by"], opened["side"]) == ("open", "amina", "provider")
    assert opened["link"] == "https://meet.example.org/crise-INC-1"
    assert (await act(steered, "declare", by="amina")) == "409: The crisis of INC-1 is open already."
    assert (await act(steered, "drp", by="amina", verdict="yes", text="lost"))["drp"] == "yes"
    assert (await act(steered, "drp", by="bruno", verdict="started"))["drp_started_at"]
    assert (await act(steered, "level", by="amina", level=2))["level"] == 2
    assert (await act(steered, "change", by="bruno", change="CHG-7"))["changes"] == {"CHG-7": ""}
    assert (await act(steered, "change", by="amina", change="CHG-7", approve=True))["changes"] == {"CHG-7": "amina"}
    often = await act(steered, "every", by="amina", every_s=1800)
    assert often["next_message"]["every_s"] == 1800
    before = steered.room.clock.now().replace(microsecond=0) - timedelta(days=6)
    written = before.astimezone(ZoneInfo("Europe/Paris")).isoformat()
    moved = await act(steered, "t0", by="amina", t0=written, text="seen before")
    assert datetime.fromisoformat(moved["t0"]) == before
    closed = await act(steered, "close", by="amina", text="all is back")
    assert (closed["state"], closed["closed_by"]) == ("closed", "amina")


@pytest.mark.rule("MAJ-9")
async def test_who_is_not_responsible_is_refused_with_the_reason(steered):
    await steered.room.open()
    await act(steered, "declare", by="bruno", text="all is down")
    refused = await act(steered, "close", by="bruno")
    assert refused.startswith("409: ")
    assert "is an administrator of the provider, who is told: closing a crisis" in refused


@pytest.mark.rule("MAJ-5", "MAJ-6")
async def test_the_time_line_and_the_draft_are_in_the_language_asked_for(steered):
    await steered.room.open()
    await act(steered, "declare", by="amina", text="all is down")
    english, french = await see(steered, lang="en"), await see(steered, lang="fr")
    assert english["steps"][0]["title"] == "P1 incident detected"
    assert french["steps"][0]["title"] == "Incident P1 détecté"
    assert [line for line in english["next_message"]["draft"].split("\n") if not line.startswith("-")] == [
        "Progress",
        "",
        "Actions done",
        "",
        "Left to do",
    ]
    assert "Reste à faire" in french["next_message"]["draft"]
    ticked = await act(steered, "step", by="amina", step="cell", item="forecast")
    assert ["forecast", "Forecast", True] in next(step["checklist"] for step in ticked["steps"] if step["id"] == "cell")


async def test_what_cannot_be_read_is_refused(steered):
    await steered.room.open()
    assert (await act(steered, "t0", by="amina", t0="2026-11-21T22:00:00", text="x")).startswith("400: ")
    assert (await act(steered, "drp", by="amina", verdict="maybe")).startswith("400: ")
    assert (await act(steered, "level", by="amina", level=4)).startswith("400: ")
    async with steered.http.get("/api/v1/incidents/9/crisis") as answer:
        assert answer.status == 404
    async with steered.http.get("/incidents/INC-9/crisis") as answer:
        assert answer.status == 404


@pytest.mark.rule("MAJ-9")
async def test_a_page_refuses_in_the_language_of_who_reads_it(steered):
    await steered.room.open()
    await act(steered, "declare", by="bruno", text="all is down")
    form, page = {"by": "bruno", "text": "it is over"}, {"Accept": "text/html", "Accept-Language": "fr"}
    async with steered.http.post("/incidents/INC-1/crisis/close", data=form, headers=page) as answer:
        assert answer.status == 409
        shown = html.fromstring(await answer.text())
    said = " ".join(shown.cssselect("main")[0].text_content().split())
    assert "agit ici pour un administrateur de l’infogérant, qui en est informé. Activité" in said
    assert "elle revient à un manager de l’infogérant." in said
    assert not shown.cssselect("main p[lang=en]")


@pytest.mark.rule("MAJ-5", "MAJ-6", "MAJ-9")
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("crisis open since", "Join the call", "Crisis cell opens", "Who does what (RACI)", "to decide before")),
        (
            "fr",
            ("crise ouverte depuis", "Rejoindre la conférence", "Ouverture de la cellule de crise", "Qui fait quoi"),
        ),
    ],
)
async def test_the_page_shows_all_of_it(steered, language, words):
    await steered.room.open()
    await act(steered, "declare", by="amina", text="all is down")
    text = await page(steered, language)
    for word in words:
        assert word in text
    assert re.search(r'href="https://meet.example.org/crise-INC-1"', text)
    async with steered.http.get("/incidents/INC-1") as answer:
        assert "/incidents/INC-1/crisis" in await answer.text()


@pytest.mark.rule("MAJ-6")
async def test_the_forms_of_the_page_do_what_they_say(steered):
    await steered.room.open()
    here = "/incidents/1/crisis"
    async with steered.http.post(f"{here}/declare", data={"by": "amina", "text": "down", "trigger": "major"}) as answer:
        assert "crisis open since" in await answer.text() or "crise ouverte" in await answer.text()
    draft = (await see(steered))["next_message"]["draft"]
    for text in (draft, "in my words"):
        form = {"by": "amina", "text": text, "draft": draft}
        async with steered.http.post(f"{here}/message", data=form) as answer:
            assert answer.status == 200
    timeline = steered.room.store.timeline("INC-1")
    sent = [one.event.text for one in timeline if type(one.event).__name__ == "UpdateSent"]
    assert sent == ["", "in my words"], "a draft left as it is goes to each reader in their own language"
    for form in ("drp_yes", "drp_started", "level2", "level3", "step", "close"):
        data = {"by": "amina", "text": "because", "step": "cell"}
        async with steered.http.post(f"{here}/{form}", data=data) as answer:
            assert answer.status == 200, form
    found = await see(steered)
    assert (found["state"], found["drp"], found["level"]) == ("closed", "yes", 3)
