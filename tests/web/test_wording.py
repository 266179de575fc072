from __future__ import annotations

import string
import tomllib
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest

from sentinel.cli.incidents import sentence
from sentinel.core import events as e
from sentinel.core.actions import Action
from sentinel.core.model import Phase, Plan, Severity, Signal, Watch
from sentinel.engine.live import State
from sentinel.store.base import MessageState
from sentinel.web.wording import Wording, catalogue
from tests.fakes.room import DIRECTORY

NOW = datetime(2026, 11, 21, 21, 10, tzinfo=UTC)
SIGNAL = Signal(key="k", source="probe", title="title", at=NOW, since=NOW, detail="detail")


def wording(language: str) -> Wording:
    return Wording(language, ZoneInfo("Europe/Paris"), NOW)


def shape(node: Any) -> Any:
    """The keys of a catalogue, and the names each sentence wants filled in."""
    if isinstance(node, dict):
        return {key: shape(value) for key, value in node.items()}
    if isinstance(node, list):
        return len(node)
    return sorted({name for _, name, _, _ in string.Formatter().parse(node) if name})


def test_both_languages_say_the_same_things():
    english, french = shape(catalogue("en")), shape(catalogue("fr"))
    for table in english.keys() - {"moment"}:
        assert english[table] == french[table], table
    assert english.keys() == french.keys()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_state_has_a_sign_and_a_word(language):
    words = wording(language)
    for table, values in (("phase", Phase), ("target", State), ("message", MessageState)):
        for value in get_args(values):
            sign, word = words.sign(table, value)
            assert len(sign) == 1
            assert word
    assert all(words.severity(severity) for severity in get_args(Severity))


def example(kind: type[e.Happened]) -> e.Event:
    """One event of a kind, its fields filled with what tells them apart."""
    values: dict[str, Any] = {"at": NOW}
    usual = {"signal": SIGNAL, "plan": Plan(), "level": 3, "severity": "major", "priority": "P2", "kind": "incident"}
    usual |= {"watch": Watch(ladder="HNO", out_of_hours=True)}
    for field in msgspec.structs.fields(kind):
        if field.name in usual:
            values[field.name] = usual[field.name]
        elif field.required and field.name != "at":
            values[field.name] = {
                datetime: NOW,
                date: NOW.date(),
                int: 0,
                bool: True,
                timedelta: timedelta(minutes=30),
                tuple[Signal, ...]: (),
                Action: Action(id="A1", title="watch", owner="bruno", due_on=NOW.date()),
            }.get(field.type, field.name)
    return kind(**values)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("kind", get_args(e.Event), ids=lambda kind: kind.__name__)
def test_every_kind_of_event_is_a_sentence(language, kind):
    said = wording(language).event(example(kind), DIRECTORY)
    assert said
    assert "{" not in said
    assert "None" not in said


@pytest.mark.parametrize(("language", "line"), [("en", "the customer: May we?"), ("fr", "le client\u00a0: May we?")])
def test_the_customer_is_called_so_in_each_language(language, line):
    pended = e.Pended(at=NOW, by="alice", waits_on="customer", whom="the customer", ask="May we?")
    assert wording(language).event(pended, DIRECTORY).endswith(line)


def test_people_are_called_by_their_names():
    said = wording("fr").event(e.Acknowledged(at=NOW, by="bruno", via="web"), DIRECTORY)
    assert said == "Pris en charge par Bruno Lefèvre (web)"
    assert wording("en").event(e.Closed(at=NOW, by="", why="nobody objected"), DIRECTORY).startswith("Closed by itself")


@pytest.mark.parametrize(
    ("ago", "english", "french"),
    [
        (timedelta(0), "22:10", "22\u00a0h\u00a010"),
        (timedelta(hours=23), "Fri 20 Nov 23:10", "ven. 20 nov. 23\u00a0h\u00a010"),
        (timedelta(days=400), "17 Oct 2025 23:10", "17 oct. 2025 23\u00a0h\u00a010"),
    ],
)
def test_a_moment_is_as_long_as_it_needs_to_be(ago, english, french):
    assert wording("en").moment(NOW - ago) == english
    assert wording("fr").moment(NOW - ago) == french


def test_a_run_took_milliseconds_or_seconds():
    assert wording("en").took(0.4123) == "412\u00a0ms"
    assert wording("fr").took(2.25) == "2,2\u00a0s"


def test_the_catalogues_are_in_the_package():
    for language in ("en", "fr"):
        file = resources.files("sentinel.web").joinpath("locale", f"{language}.toml")
        assert tomllib.loads(file.read_text("utf-8"))["word"]["open"]


@pytest.mark.rule("ESC-1", "ESC-3")
def test_a_line_says_why_a_level_is_called_and_which_hours_begin():
    called = e.Escalated(at=NOW, step=5, rung=1, repeat=0, due_at=NOW, why="an exam", by="bruno")
    assert wording("en").event(called, DIRECTORY) == "Escalation, step 2, asked for by Bruno Lefèvre: an exam"
    missed = e.Escalated(at=NOW, step=1, repeat=0, due_at=NOW, why="a target was missed", clock="resolve")
    assert wording("fr").event(missed, DIRECTORY) == "Escalade, étape 2\u00a0: engagement resolve dépassé"
    night = e.HoursChanged(at=NOW, watch=Watch(ladder="HNO", out_of_hours=True))
    assert wording("en").event(night, DIRECTORY) == "Business hours end: ladder “HNO”"
    day = e.HoursChanged(at=NOW, watch=Watch())
    assert wording("fr").event(day, DIRECTORY) == "Début des heures ouvrées"


@pytest.mark.rule("ESC-2")
@pytest.mark.parametrize(("language", "waits"), [
    ("en", "out of business hours: nobody is paged before they begin ("),
    ("fr", "hors heures ouvrées, personne n’est alerté avant leur début ("),
])  # fmt: skip
def test_an_opening_out_of_hours_says_that_nobody_is_paged_yet_and_until_when(language, waits):
    watch = Watch(ladder="HNO", out_of_hours=True, gated=True, until=NOW + timedelta(hours=9))
    gated = msgspec.structs.replace(example(e.Opened), watch=watch)
    said = wording(language).event(gated, DIRECTORY)
    assert waits in said
    assert wording(language).moment(NOW + timedelta(hours=9)) in said


@pytest.mark.parametrize(("language", "said"), [("en", "Also: title: detail"), ("fr", "Aussi\u00a0: title: detail")])
def test_what_joins_an_incident_is_told_with_its_name(language, said):
    joined = e.SignalJoined(at=NOW, signal=SIGNAL)
    assert wording(language).event(joined, DIRECTORY) == said
    line = {"type": "signal-joined", "event": msgspec.to_builtins(joined)}
    assert sentence(line) == "also: title: detail"


@pytest.mark.parametrize(
    ("channel", "reference", "english", "french"),
    [
        ("email", "250 queued", "E-mail to Amina Benali: handed over", "E-mail à Amina Benali\u00a0: remis"),
        ("sms", "via sms-b: 7", "SMS (sms-b) to Amina Benali: handed over", "SMS (sms-b) à Amina Benali\u00a0: remis"),
        ("relais", "1", "relais to Amina Benali: handed over", "relais à Amina Benali\u00a0: remis"),
    ],
)
def test_a_channel_has_the_name_that_people_know_or_the_one_it_was_given(channel, reference, english, french):
    told = e.Told(at=NOW, message="m", person="amina", channel=channel, reference=reference, tries=1)
    assert [wording(language).event(told, DIRECTORY) for language in ("en", "fr")] == [english, french]
