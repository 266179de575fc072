"""The API of rotas, and the calendars that other programs subscribe to: read here by an independent parser."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest

from sentinel.core.oncall import Shift
from sentinel.core.rota import Layer, Rota
from sentinel.web import ics

PARIS = ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
STARTS = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def shift(person: str = "amina", days: int = 7, rota: str = "technical") -> Shift:
    return Shift(rota=rota, person=person, starts_at=STARTS, ends_at=STARTS + days * DAY)


def parsed(text: str | bytes) -> list[icalendar.Component]:
    return icalendar.Calendar.from_ical(text).walk("VEVENT")


@pytest.fixture
def rotas(served) -> datetime:
    """Put a published rota and a private one in force; return when the present turn began."""
    monday = served.room.clock.now().astimezone(PARIS).date()
    monday -= timedelta(days=monday.weekday() + 7)
    turns = Layer(timezone="Europe/Paris", hour=time(9), first_day=monday, order=("amina", "bruno"))
    served.room.on_call(
        Rota(id="technical", name="Astreinte, technique", layers=(turns,), published=True),
        Rota(id="private", name="Private", layers=(turns,)),
    )
    return turns.begins_at(turns.number_at(served.room.clock.now()))


# The calendars --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("ESC-6")
def test_a_calendar_says_who_is_on_call_from_when_until_when():
    written = ics.calendar("Astreinte", [(shift(), "Astreinte")], {"amina": "Amina Benali"}, NOW)
    (event,) = parsed(written)
    assert str(event["SUMMARY"]) == "Astreinte: Amina Benali"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (STARTS, STARTS + 7 * DAY)
    assert event["DTSTAMP"].dt == NOW
    assert str(icalendar.Calendar.from_ical(written)["X-WR-CALNAME"]) == "Astreinte"


def test_a_shift_keeps_its_identity_whoever_takes_it_over_and_however_long_it_gets():
    before, after = (
        parsed(ics.calendar("t", [(one, "t")], {}, moment))[0]["UID"]
        for one, moment in ((shift(), NOW), (shift("bruno", days=3), NOW + DAY))
    )
    assert before == after
    assert parsed(ics.calendar("t", [(shift(rota="managers"), "t")], {}, NOW))[0]["UID"] != before


def test_lines_are_folded_at_75_octets_between_characters_and_texts_come_back_whole():
    name = "Équipe d'astreinte; nuit, week-end \\ jours fériés — " * 2
    written = ics.calendar(name, [(shift(), name)], {"amina": "Élise"}, NOW)
    lines = written.split("\r\n")
    assert lines.pop() == ""
    assert max(len(line.encode()) for line in lines) <= 75
    assert "\n" not in "".join(lines)
    assert str(parsed(written)[0]["SUMMARY"]) == f"{name}: Élise"


def test_nobody_breaks_out_of_a_text():
    written = ics.calendar("x\r\nBEGIN:VEVENT", [(shift("a\nEND:VCALENDAR"), "y")], {}, NOW)
    assert len(parsed(written)) == 1
    assert "END:VCALENDAR\r\n" in written
    assert written.count("\r\nEND:VCALENDAR") == 1


@pytest.mark.rule("ESC-6")
async def test_the_calendar_of_a_rota_is_served_when_it_is_published(served, rotas):
    async with served.http.get("/oncall/technical.ics") as answer:
        assert (answer.status, answer.content_type, answer.charset) == (200, "text/calendar", "utf-8")
        body = await answer.text()
    events = parsed(body)
    assert rotas in [event["DTSTART"].dt for event in events]
    assert {str(event["SUMMARY"]) for event in events} == {
        "Astreinte, technique: Amina Benali",
        "Astreinte, technique: Bruno Lefèvre",
    }
    assert "@example.org" not in body
    assert "+3363998" not in body
    for path in ("/oncall/private.ics", "/oncall/nothing.ics"):
        async with served.http.get(path) as answer:
            assert answer.status == 404


@pytest.mark.rule("ESC-6")
async def test_the_calendar_of_a_person_holds_their_shifts_only_of_published_rotas(served, rotas):
    async with served.http.get("/oncall/people/bruno.ics") as answer:
        events = parsed(await answer.text())
    assert {str(event["SUMMARY"]) for event in events} == {"Astreinte, technique: Bruno Lefèvre"}
    async with served.http.get("/oncall/people/nobody.ics") as answer:
        assert answer.status == 404


# The API --------------------------------------------------------------------------------------------------------------


async def get(served, path: str, **query: str):
    async with served.http.get(f"/api/v1/oncall{path}", params=query) as answer:
        return answer.status, await answer.json()


async def post(served, path: str, **body: object):
    async with served.http.post(f"/api/v1/oncall{path}", json=body) as answer:
        return answer.status, await answer.json()


async def test_each_rota_says_who_is_on_call_and_since_when(served, rotas):
    status, (technical, private) = await get(served, "")
    assert status == 200
    assert (technical["rota"], technical["title"], technical["state"]) == (
        "technical",
        "Astreinte, technique",
        "on_call",
    )
    assert (technical["person"], technical["name"]) == ("bruno", "Bruno Lefèvre")
    assert datetime.fromisoformat(technical["starts_at"]) == rotas
    assert private["rota"] == "private"


async def test_shifts_are_narrowed_to_a_rota_a_person_and_a_time(served, rotas):
    span = {"from": rotas.isoformat(), "until": (rotas + 21 * DAY).isoformat()}
    _, found = await get(served, "/shifts", rota="technical", **span)
    assert [one["person"] for one in found] == ["bruno", "amina", "bruno"]
    _, found = await get(served, "/shifts", person="Amina Benali", **span)
    assert [(one["rota"], one["person"]) for one in found] == [("technical", "amina"), ("private", "amina")]


async def test_a_change_says_who_made_it_and_can_be_taken_back(served, rotas):
    times = {"from": (rotas + 7 * DAY).isoformat(), "until": (rotas + 8 * DAY).isoformat()}
    status, made = await post(served, "/technical/fill", who="bruno", by="amina", note="dentist", **times)
    assert (status, made["kind"], made["by"], made["note"]) == (201, "override", "amina", "dentist")
    _, (first, *_) = await get(served, "/shifts", rota="technical", **times)
    assert (first["person"], first["why"], first["change"]) == ("bruno", "override", made["id"])
    status, undone = await post(served, f"/changes/{made['id']}/undo", by="amina")
    assert (status, undone["undone_by"]) == (200, "amina")
    assert (await post(served, f"/changes/{made['id']}/undo", by="amina"))[0] == 409


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/technical/fill", {"who": "bruno"}, (400, "Give `week`, or `from` and `until`.")),
        ("/technical/fill", {"who": "bruno", "week": "2026-W60"}, (409, "2026-W60 is not a week.")),
        ("/technical/fill", {"who": "ghost", "week": "2097-W02"}, (409, "There is no person ghost.")),
        ("/nothing/fill", {"who": "bruno", "week": "2097-W02"}, (404, "There is no rota `nothing`.")),
        (
            "/technical/swap",
            {"who": "amina", "with": "bruno", "from": "2097-01-02T00:00:00Z", "until": "2097-01-01T00:00:00Z"},
            (400, "It ends before it begins."),
        ),
        (
            "/technical/swap",
            {"who": "amina", "with": "bruno", "from": "2030-01-02T00:00:00Z", "until": "2097-01-01T00:00:00Z"},
            (409, "That is too long: 732 days at most."),
        ),
        (
            "/technical/swap",
            {"who": "amina", "with": "bruno", "from": "9999-01-02T00:00:00Z", "until": "9999-02-01T00:00:00Z"},
            (400, "`from` must lie in the years 2001 to 2098."),
        ),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence(served, rotas, path, body, answer):
    answered, problem = await post(served, path, by="amina", **body)
    assert (answered, problem["detail"]) == answer


@pytest.mark.parametrize(
    "query", [{"at": "soon"}, {"at": "2026-12-05T06:00"}, {"at": "0001-01-01T00:00Z"}, {"who": "x"}]
)
async def test_a_question_that_cannot_be_read_is_refused(served, rotas, query):
    assert (await get(served, "", **query))[0] == 400


async def test_without_a_rota_nobody_is_on_call_and_nothing_breaks(served):
    assert await get(served, "") == (200, [])
    assert await get(served, "/shifts") == (200, [])
    assert await get(served, "/changes") == (200, [])
