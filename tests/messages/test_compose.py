"""What holds for any message, whatever an incident is called (threats T17, T19, T35)."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime, timedelta
from importlib import resources
from string import Formatter
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from sentinel.core.model import Person
from sentinel.messages.compose import compose
from sentinel.messages.gsm7 import BASIC, EXTENSION, fold, septets
from sentinel.messages.notice import Notice, NoticeKind, TimelineLine
from sentinel.messages.wording import link
from tests.messages.story import ALICE, BOB, OPENED, SITE, after, notice, told

KINDS = get_args(NoticeKind)
WORDS = st.text(max_size=400)
MOMENTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC))
NOTICES = st.builds(
    Notice,
    id=st.text(min_size=1, max_size=40),
    kind=st.sampled_from(KINDS),
    at=MOMENTS,
    incident=st.sampled_from(["", "INC-1", "INC-1234567"]),
    title=WORDS,
    service=WORDS,
    priority=st.sampled_from(["P1", "P4", None]),
    level=st.sampled_from([1, 3, None]),
    severity=st.sampled_from(["minor", None]),
    detail=WORDS,
    since=MOMENTS | st.none(),
    opened_at=MOMENTS | st.none(),
    by=WORDS,
    text=WORDS,
    assignee=st.sampled_from(["", "Chloé"]),
    step=st.integers(0, 99),
    acknowledge_by=MOMENTS | st.none(),
    ack_url=st.sampled_from(["", "https://s.example.org/a/7Kq2", "https://s.example.org/" + "a" * 200]) | WORDS,
    incident_url=WORDS,
    runbook=WORDS,
    ticket=WORDS,
    timeline=st.lists(st.builds(TimelineLine, MOMENTS, WORDS), max_size=5).map(tuple),
)
# What these say has other moments, or none: that they name them is tested where they are written.
OF_NO_MOMENT = frozenset(
    {"test", "matrix", "report", "review_due", "review_reminded", "review_overdue", "review_final", "action_added",
     "action_done", "action_reminded", "action_late"}
)  # fmt: skip
PERSONS = st.sampled_from([ALICE, BOB, Person(id="x", name="X", addresses={}, timezone="Pacific/Auckland")])
DANGEROUS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


@settings(deadline=None)
@given(NOTICES, PERSONS)
def test_an_sms_is_one_segment_whatever_it_is_about(about: Notice, person: Person) -> None:
    sms = compose(about, person, to="", site=SITE).sms
    assert septets(sms) <= 160
    assert set(sms) <= BASIC | EXTENSION
    assert "\n" not in sms


@settings(deadline=None, max_examples=300)
@given(NOTICES.filter(lambda about: about.kind not in OF_NO_MOMENT), PERSONS)
def test_its_first_70_characters_say_how_bad_which_service_what_and_since_when(about: Notice, person: Person) -> None:
    message = compose(about, person, to="", site=SITE)
    head = message.sms[:70]
    if about.priority:
        assert re.match(rf"([A-ZÉ ]+ )?{about.priority}\b", head)
    assert re.search(r"\d{1,2}h(\d\d)?|\d\d:\d\d", head)
    # A maintenance says from when until when: with both years little is left of its title.
    named = ("service",) if about.kind.startswith("change") else ("service", "title")
    for text in (message.facts[name] for name in named):
        recognisable = fold(" ".join(text.split()))[:3].strip(" .,;:-(")
        assert recognisable.casefold() in head.casefold()


@settings(deadline=None)
@given(NOTICES, PERSONS)
def test_a_link_is_whole_or_absent(about: Notice, person: Person) -> None:
    sms = compose(about, person, to="", site=SITE).sms
    for address in re.findall(r"https?://s\.example\.org\S*", sms):
        assert address == about.ack_url or address in fold(about.detail + about.title + about.text)


@settings(deadline=None)
@given(NOTICES, PERSONS)
def test_no_control_and_no_change_of_direction_reaches_a_reader(about: Notice, person: Person) -> None:
    message = compose(about, person, to="", site="a\u202eb\x1b[31m")
    for written in (message.subject, message.text, message.html, message.sms):
        assert not DANGEROUS.search(written)
        written.encode("utf-8")
    assert "\n" not in message.subject
    json.dumps(message.facts, ensure_ascii=False).encode("utf-8")


@settings(deadline=None)
@given(NOTICES, PERSONS)
def test_a_mail_is_bounded(about: Notice, person: Person) -> None:
    message = compose(about, person, to="", site=SITE)
    assert len(message.subject) < 300
    assert len(message.text) < 20_000


@settings(deadline=None)
@given(NOTICES, PERSONS)
def test_what_people_write_never_becomes_markup(about: Notice, person: Person) -> None:
    page = lxml_html.document_fromstring(compose(about, person, to="", site=SITE).html)
    allowed = {"html", "head", "meta", "title", "style", "body", "table", "tr", "th", "td", "p", "h1", "h2", "a", "ul",
               "li", "span", "tbody"}  # fmt: skip
    assert {element.tag for element in page.iter()} <= allowed
    for anchor in page.iter("a"):
        assert anchor.get("href").startswith(("http://", "https://"))
    assert not any(name.startswith("on") for element in page.iter() for name in element.attrib)


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7*7 }}",
        "{by}",
        "{0.__class__}",
        "]]><x>",
        "&lt;b&gt;",
    ],
)
def test_payloads_stay_text(payload: str) -> None:
    message = told(title=payload, service="", detail=payload, text=payload, by=payload)
    page = lxml_html.document_fromstring(message.html)
    assert payload in page.find(".//h1").text_content()
    assert payload in message.text


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://wiki.example.org/a?b=c#d", True),
        ("http://[2001:db8::1]/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://", False),
        ("https://e.example.org/\u202egpj", False),
        ("https://e.example.org/a b", False),
        ("https://e.example.org/\n", False),
        ("https://[", False),
        ("SUP-1042", False),
    ],
)
def test_only_web_addresses_become_links(url: str, good: bool) -> None:
    assert link(url) == (url if good else "")


@pytest.mark.parametrize("person", [ALICE, BOB])
@pytest.mark.parametrize("kind", KINDS)
def test_the_html_can_be_read_by_everybody(kind: str, person: Person) -> None:
    page = lxml_html.document_fromstring(told(kind, person, by="Chloé").html)
    assert page.get("lang") == person.language
    assert len(page.findall(".//h1")) == 1
    for table in page.iter("table"):
        headers = table.findall("./tr/th")
        assert table.get("role") == "presentation" or all(header.get("scope") == "row" for header in headers)
    assert page.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]
    assert "prefers-color-scheme: dark" in page.findtext(".//style")
    assert not page.xpath("//img|//link|//script|//iframe|//*[@src]|//*[contains(@style, 'url(')]")
    assert all(anchor.text_content().strip() for anchor in page.iter("a"))


def test_who_has_taken_charge_is_not_asked_to() -> None:
    mail = told("repeated", assignee="Chloé Martin", acknowledge_by=after(minutes=15))
    assert "Prendre en charge" not in mail.html
    assert "https://s.example.org/a/7Kq2" not in mail.sms + mail.text + mail.html


def test_the_subject_of_an_incident_keeps_its_head() -> None:
    subjects = {told(kind, at=after(minutes=minutes)).subject for minutes, kind in enumerate(
        ("opened", "escalated", "repeated", "acknowledged", "note", "raised", "exhausted")
    )}  # fmt: skip
    assert subjects == {"[P1] Campus Moodle : Campus inutilisable - INC-42"}


def test_a_service_named_by_the_title_is_not_named_twice() -> None:
    assert told(title="Campus Moodle inutilisable").sms.startswith("P1 Campus Moodle inutilisable depuis 22h10")
    assert told(title="campus moodle").subject == "[P1] campus moodle - INC-42"


def test_machines_get_the_facts_but_not_the_link_that_lets_one_person_act() -> None:
    facts = told(detail="a\x00b").facts
    assert facts["detail"] == "a\ufffdb"
    assert facts["since"] == "2026-11-21T21:10:00Z"
    assert "ack_url" not in facts
    assert "7Kq2" not in json.dumps(facts)


def test_the_same_notice_gives_the_same_message() -> None:
    assert told() == told()


def test_a_notice_survives_being_stored() -> None:
    stored = msgspec.json.encode(notice("escalated", acknowledge_by=after(minutes=15)))
    assert msgspec.json.decode(stored, type=Notice) == notice("escalated", acknowledge_by=after(minutes=15))


def test_threads_and_repetitions_are_told_apart() -> None:
    assert (told("opened").thread, told("opened").first_in_thread) == ("INC-42", True)
    assert not told("recovered").first_in_thread
    assert told("test", incident="").thread == "INC-42/0/1/alice"


def catalogue(language: str) -> dict[str, Any]:
    return tomllib.loads(resources.files("sentinel.messages").joinpath("locale", f"{language}.toml").read_text("utf-8"))


def flat(table: Any, path: str = "") -> dict[str, set[str]]:
    """Return the placeholders of every text of a catalogue, by its path."""
    if isinstance(table, dict):
        return {key: value for name in table for key, value in flat(table[name], f"{path}.{name}").items()}
    texts = table if isinstance(table, list) else [table]
    return {path: {name for text in texts for _, name, _, _ in Formatter().parse(text) if name}}


@pytest.mark.rule("DSP-8")
def test_both_languages_say_the_same_things() -> None:
    french, english = flat(catalogue("fr")), flat(catalogue("en"))
    assert french.keys() == english.keys()
    only_french = {".moment.date", ".moment.date_year"}  # a number where English has a name
    assert {path for path in french if french[path] != english[path]} <= only_french
    assert catalogue("fr")["kind"].keys() == set(KINDS)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_label_takes_more_than_its_share_of_an_sms(language: str) -> None:
    assert all(len(kind["label"]) <= 14 for kind in catalogue(language)["kind"].values())


def test_french_signs_keep_to_their_words() -> None:
    texts = [text for path, text in _texts(catalogue("fr")) if not path.startswith((".words.colon_sms", ".moment"))]
    assert not [text for text in texts if re.search(r"(?<![\u00a0\u202f])[;!?»](?!\S)|(?<!\u00a0):(?=\s|$)", text)]


def _texts(table: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(table, dict):
        return [pair for name in table for pair in _texts(table[name], f"{path}.{name}")]
    return [(path, text) for text in (table if isinstance(table, list) else [table])]


def test_an_outage_that_began_another_year_says_so() -> None:
    since = OPENED - timedelta(days=400)
    assert "depuis le 17/10/2025 23h15" in told(since=since).sms


def test_an_outage_of_years_still_names_service_and_trouble() -> None:
    sms = told("recovered", BOB, title="00100100", service="00000", since=OPENED.replace(year=2019)).sms
    assert sms.startswith("RESTORED P1 00000: 0010.. from 21 Nov 2019 21:15 to 21 Nov 2026 21:15. ")
