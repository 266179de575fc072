"""The crisis room: who is there, the message in its three sections, what would be sent, and a form for each act."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from lxml import html
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Plan
from sentinel.web import moments
from tests.core.crises import crisis_plan
from tests.web.test_pages import words

HERE = "/incidents/INC-1/crisis"


@pytest.fixture
def steered(served):
    """Let incidents have a crisis plan: amina leads, bruno is of the technical seat."""
    written = {"owner": "amina", "cell": {"permanent": {"pilot": "amina", "technical": "bruno"}}}
    crisis = crisis_plan(**written)
    cell = replace(crisis.cell, relation=("bruno",), direction=(), customer_1=(), customer_2=(), customer_3=())
    steps = tuple(replace(step, notify=()) for step in crisis.steps)
    plan = Plan(manager=("amina",), crisis=replace(crisis, cell=replace(cell, security=()), steps=steps))
    served.room.desk.policy = replace(served.room.desk.policy, plan_for=lambda _service, _verdict: plan)
    return served


async def room_of(served, language: str = "en") -> html.HtmlElement:
    async with served.http.get(f"{HERE}?lang={language}") as answer:
        assert answer.status == 200
        return html.fromstring(await answer.text())


async def send(served, form: str, status: int = 200, **data: str) -> html.HtmlElement:
    """Send a form as amina, and return the page that follows."""
    async with served.http.post(f"{HERE}/{form}", data={"by": "amina", **data}) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return html.fromstring(text)


async def declared(served) -> html.HtmlElement:
    await served.room.open()
    return await send(served, "declare", text="nobody can sign in", trigger="major")


def events(served, kind: str) -> list:
    return [one.event for one in served.room.store.timeline("INC-1") if type(one.event).__name__ == kind]


async def state_of(served):
    return served.room.store.incident("INC-1")


@pytest.mark.rule("MAJ-4")
async def test_the_room_says_who_is_there_who_was_called_and_who_is_to_be_called(steered):
    shown = await declared(steered)
    amina, bruno = (words(row) for row in shown.cssselect("#cell-part ul.cell li"))
    assert amina.startswith("✓ present Amina Benali Pilot")
    assert bruno.startswith("○ to call Bruno Lefèvre")
    owed = next(row.id for row in steered.room.store.messages(limit=50) if row.person == "bruno")
    await steered.room.desk.order("INC-1", c.Accept(message=owed, reference="250", tries=1))
    assert "… called Bruno Lefèvre" in words(await room_of(steered))


@pytest.mark.rule("MAJ-5")
async def test_the_time_line_says_what_is_done_what_comes_and_when_in_words(steered):
    shown = await declared(steered)
    steps = [words(step) for step in shown.cssselect("ol.chronogram > li")]
    assert len(steps) == len((await state_of(steered)).plan.crisis.steps)
    assert "T0 · " in steps[0]
    assert "✓ done" in steps[0]
    assert any("T0 + 1 h 30" in step and "… ahead" in step for step in steps)
    (current,) = shown.cssselect("ol.chronogram [aria-current=step]")
    assert "done" not in words(current.cssselect(".state")[0])
    assert shown.cssselect("time[data-since]"), "the time since T0 counts"
    assert shown.cssselect("#message time[data-left]"), "so does the time to the next message"


@pytest.mark.rule("MAJ-6")
async def test_the_message_is_written_in_its_three_sections_and_looked_at_before_it_goes(steered):
    shown = await declared(steered)
    fields = {area.get("name"): area.text for area in shown.cssselect("#message-part textarea")}
    assert list(fields) == ["progress", "done", "left"]
    drafts = {f"draft_{name}": text for name, text in fields.items()}
    mine = {**fields, "progress": "We found the broken switch."}
    looked = await send(steered, "preview", **mine, **drafts)
    (preview,) = looked.cssselect("article.preview")
    for text in ("INC-1", "We found the broken switch.", "Amina Benali, Bruno Lefèvre"):
        assert text in words(preview)
    assert looked.cssselect("#part-progress")[0].text == mine["progress"], "what was written is not lost"
    assert not events(steered, "UpdateSent")
    await send(steered, "message", **mine, **drafts)
    (sent,) = events(steered, "UpdateSent")
    assert [line for line in sent.text.split("\n") if line and not line.startswith("-")] == [
        "Progress", "We found the broken switch.", "Actions done", "Left to do",
    ]  # fmt: skip


@pytest.mark.rule("MAJ-6")
async def test_a_draft_that_was_left_as_it_is_goes_to_each_reader_in_their_own_language(steered):
    shown = await declared(steered)
    fields = {area.get("name"): area.text for area in shown.cssselect("#message-part textarea")}
    drafts = {f"draft_{name}": text for name, text in fields.items()}
    (preview,) = (await send(steered, "preview", **fields, **drafts)).cssselect("article.preview")
    assert preview.get("lang") == "fr"
    assert "Reste à faire" in words(preview)
    browsers = {name: text.replace("\n", "\r\n") for name, text in fields.items()}  # As browsers send line ends.
    await send(steered, "message", **browsers, **drafts)
    assert [one.text for one in events(steered, "UpdateSent")] == [""]


async def test_a_message_that_is_too_long_is_refused_with_how_long_it_is(steered):
    await declared(steered)
    answer = await send(steered, "message", 400, progress="x" * 5000, done="", left="")
    assert "4096 characters at most" in words(answer)


async def test_steps_and_lines_of_checklists_are_ticked(steered):
    await declared(steered)
    shown = await send(steered, "check", item="cell/forecast")
    assert "☑ Forecast" in words(shown)
    await send(steered, "step", step="plan", text="two switches on their way")
    assert events(steered, "StepDone")[-1].text == "two switches on their way"


@pytest.mark.rule("MAJ-7")
async def test_the_recovery_plan_changes_levels_and_the_rhythm_each_have_a_form(steered):
    shown = await declared(steered)
    assert "… to decide before" in words(shown.cssselect("#decide-part")[0])
    assert "✓ yes, by Amina Benali" in words(await send(steered, "drp_yes", text="the room is flooded"))
    assert "needs a reason" in words(await send(steered, "drp_no", 409))
    assert "✓ DRP started" in words(await send(steered, "drp_started"))
    assert "CHG-7 … to approve" in words(await send(steered, "change", change="CHG-7", text="switch over"))
    assert "CHG-7 ✓ approved by Amina Benali" in words(await send(steered, "approve", change="CHG-7"))
    await send(steered, "every", minutes="20")
    assert (await state_of(steered)).crisis.every == timedelta(minutes=20)
    assert "1 to 1440 minutes" in words(await send(steered, "every", 400, minutes="soon"))
    assert "cell at level 2" in words(await send(steered, "level2", text="the customer's director asks"))


@pytest.mark.rule("MAJ-4")
async def test_people_are_brought_in_and_let_go(steered):
    await declared(steered)
    await send(steered, "join", person="Bruno Lefèvre")
    assert (await state_of(steered)).crisis.joined == ("bruno",)
    await send(steered, "leave", person="bruno")
    assert (await state_of(steered)).crisis.joined == ()
    assert "There is no person" in words(await send(steered, "join", 409, person="nobody"))


async def test_t0_is_corrected_with_a_reason(steered):
    shown = await declared(steered)
    (was,) = [field.get("value") for field in shown.cssselect("#t0")]
    t0 = (await state_of(steered)).t0.replace(second=0, microsecond=0) - timedelta(minutes=30)
    field = moments.field(t0, "Europe/Paris")
    assert "needs a reason" in words(await send(steered, "t0", 409, t0=field, was=was))
    assert "Say when" in words(await send(steered, "t0", 400, t0=was, was=was, text="the same"))
    assert "must be a moment" in words(await send(steered, "t0", 400, t0="soon", was=was, text="x"))
    await send(steered, "t0", t0=field, was=was, text="users saw it first")
    assert (await state_of(steered)).t0 == t0
    assert field[-5:] == t0.astimezone(ZoneInfo("Europe/Paris")).strftime("%H:%M")


async def test_a_crisis_is_closed_with_its_message_and_the_room_asks_for_nothing_more(steered):
    await declared(steered)
    shown = await send(steered, "close", text="all is back")
    assert "crisis closed at" in words(shown)
    assert not shown.cssselect("form[action$='/message'], form[action$='/join'], form[action$='/close']")


async def test_the_room_follows_its_incident_and_each_of_its_parts_can_be_swapped(steered):
    shown = await declared(steered)
    assert "INC-1" in shown.cssselect("body")[0].get("data-live").split()
    ids = [one.get("id") for one in shown.xpath("//*[@id]")]
    assert len(ids) == len(set(ids))
    parts = shown.cssselect("[data-live-part]")
    assert all(part.get("id") for part in parts)
    assert not [part for part in parts if part.xpath(".//*[@data-live-part]")], "a part within a part would go twice"
    labelled = {label.get("for") for label in shown.cssselect("label[for]")}
    fields = shown.cssselect("main input:not([type=hidden]):not([type=checkbox]), main textarea, main select")
    assert {field.get("id") for field in fields} <= labelled
