"""The escalation matrix: each party proposes its own part, the keeper validates, the last validated one holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sentinel.core import audience
from sentinel.core import matrix as m
from sentinel.core import matrix_keeping as keeping
from sentinel.core.matrix import Matrix
from sentinel.core.matrix_keeping import Begun, Fact, Kept, Proposed, Validated, Withdrawn
from sentinel.core.model import Person, Refused
from tests.core.story import DIRECTORY, Story, person, step

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SIDES = {"elise": "provider", "farid": "provider", "ines": "customer", "jean": "customer", "paul": "partner"}
PEOPLE: dict[str, Person] = {name: replace(person(name), side=side) for name, side in SIDES.items()}
FIRST = Matrix(
    id="campus",
    name="Campus",
    keeper="farid",
    in_hours={"1": {"provider": ("elise",)}, "2": {"provider": ("farid",), "customer": ("ines",)}},
    out_of_hours={"1": {"provider": ("farid",)}},
)


def proposed(by: str = "ines", side: str = "customer", **parts: Any) -> Proposed:
    return Proposed(at=NOW, by=by, side=side, **(parts or {"in_hours": {"2": ("jean",)}}))


def after(*facts: Fact) -> Kept:
    return keeping.kept(FIRST, facts)


def proposing(now: Kept, **said: Any) -> Kept:
    return after(*(keeping.propose(now, proposed(**said), PEOPLE)))


def validate(now: Kept, by: str = "farid", committee: str = "COPIL 3") -> list[Fact]:
    return keeping.validate(now, by, (committee, ""), NOW, PEOPLE)


# Proposing and validating ---------------------------------------------------------------------------------------------


@pytest.mark.rule("ESC-4")
def test_the_last_validated_version_holds_until_the_next_is_validated():
    proposal = keeping.propose(after(), proposed(), PEOPLE)
    waiting = after(*proposal)
    assert (waiting.matrix.version, m.at(waiting.matrix.in_hours, 2)) == (1, ("farid", "ines"))
    coming = after(*proposal, *validate(waiting))
    assert (coming.matrix.version, m.at(coming.matrix.in_hours, 2)) == (2, ("farid", "jean"))
    told = (coming.matrix.validated_by, coming.matrix.validated_at, coming.matrix.committee)
    assert told == ("farid", NOW, "COPIL 3")
    assert coming.proposals == {}
    assert m.at(coming.matrix.in_hours, 1) == ("elise",), "what nobody spoke of stays"


@pytest.mark.rule("ESC-4")
@pytest.mark.parametrize(
    ("by", "side", "why"),
    [
        ("ines", "provider", "of the customer's side, and each party proposes its own part"),
        ("farid", "customer", "of the provider's side, and each party proposes its own part"),
        ("paul", "provider", "of the partner's side, and each party proposes its own part"),
        ("somebody", "customer", "somebody is nobody of the configuration"),
    ],
)
def test_nobody_proposes_another_partys_part(by, side, why):
    with pytest.raises(Refused, match=why):
        proposing(after(), by=by, side=side)


@pytest.mark.rule("ESC-4")
@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"in_hours": {"2": ("elise",)}}, "Elise is of the provider's side, and cannot be a contact of the customer's"),
        ({"in_hours": {"2": ("nobody",)}}, "nobody is nobody of the configuration"),
        ({"in_hours": {"4": ("ines",)}}, "There is no level 4"),
        ({"note": "x"}, "names contacts at a level"),
        ({"in_hours": {"1": ("ines",) * 21}}, "at most 20 contacts"),
    ],
)
def test_a_proposal_names_people_of_its_own_side_at_a_level(parts, why):
    with pytest.raises(Refused, match=why):
        proposing(after(), **parts)


@pytest.mark.rule("ESC-4")
def test_only_the_keeper_validates_and_says_which_committee_did():
    waiting = proposing(after())
    for by, committee, why in (
        ("elise", "COPIL 3", "kept by Farid, who alone validates"),
        ("ines", "COPIL 3", "kept by Farid, who alone validates"),
        ("farid", " ", "needs the contract committee"),
    ):
        with pytest.raises(Refused, match=why):
            validate(waiting, by, committee)
    with pytest.raises(Refused, match="Nothing is proposed"):
        validate(after())


@pytest.mark.rule("ESC-4")
def test_a_version_that_would_leave_a_level_without_anybody_is_refused():
    waiting = proposing(after(), by="elise", side="provider", in_hours={"1": ()})
    with pytest.raises(Refused, match="Level 1 in business hours would reach nobody"):
        validate(waiting)
    waiting = proposing(after(), by="elise", side="provider", out_of_hours={"1": ()})
    with pytest.raises(Refused, match="Level 1 out of hours would reach nobody"):
        validate(waiting)


def test_proposals_of_several_parties_take_effect_together_the_later_word_of_one_counts():
    facts = keeping.propose(after(), proposed(in_hours={"2": ("jean",)}), PEOPLE)
    facts += keeping.propose(after(*facts), proposed(in_hours={"2": ("ines", "jean")}), PEOPLE)
    facts += keeping.propose(after(*facts), proposed("paul", "partner", out_of_hours={"3": ("paul",)}), PEOPLE)
    assert [type(fact) for fact in facts] == [Begun, Proposed, Proposed, Proposed], "the first version is kept once"
    coming = after(*facts, *validate(after(*facts))).matrix
    assert m.at(coming.in_hours, 2) == ("farid", "ines", "jean")
    assert m.at(coming.out_of_hours, 3) == ("paul",)


def test_a_proposal_is_taken_back_by_its_party_or_set_aside_by_the_keeper():
    waiting = proposing(after())
    with pytest.raises(Refused, match="is the customer's"):
        keeping.withdraw(waiting, Withdrawn(at=NOW, by="elise", number=1), PEOPLE)
    with pytest.raises(Refused, match="No proposal 2"):
        keeping.withdraw(waiting, Withdrawn(at=NOW, by="ines", number=2), PEOPLE)
    for by in ("jean", "farid"):
        facts = keeping.withdraw(waiting, Withdrawn(at=NOW, by=by, number=1), PEOPLE)
        assert after(proposed(), *facts).proposals == {}


def test_the_first_version_is_kept_once_however_often_proposals_come_and_go():
    facts = keeping.propose(after(), proposed(), PEOPLE)
    facts += keeping.withdraw(after(*facts), Withdrawn(at=NOW, by="ines", number=1), PEOPLE)
    facts += keeping.propose(after(*facts), proposed(), PEOPLE)
    assert [type(fact) for fact in facts] == [Begun, Proposed, Withdrawn, Proposed]
    assert list(after(*facts).proposals) == [2]


@pytest.mark.rule("ESC-4")
def test_the_history_keeps_every_version_whatever_the_configuration_says_later():
    facts = keeping.propose(after(), proposed(), PEOPLE)
    facts += validate(after(*facts))
    edited = replace(FIRST, in_hours={"1": {"provider": ("farid",)}}, name="Campus 2")
    now = keeping.kept(edited, facts)
    assert (now.matrix.name, m.at(now.matrix.in_hours, 1)) == ("Campus 2", ("elise",))
    assert facts[0] == Begun(at=NOW, in_hours=FIRST.in_hours, out_of_hours=FIRST.out_of_hours)


def test_facts_are_readable_for_ever():
    written = [
        b'{"type":"begun","at":"2026-11-24T09:00:00Z","in_hours":{"1":{"provider":["elise"]}},"out_of_hours":{}}',
        b'{"type":"proposed","at":"2026-11-24T09:00:00Z","by":"ines","side":"customer","in_hours":{"2":["jean"]}}',
        b'{"type":"withdrawn","at":"2026-11-24T09:00:00Z","by":"ines","number":1,"why":"a mistake"}',
        b'{"type":"validated","at":"2026-11-24T09:00:00Z","by":"farid","committee":"COPIL","version":2,'
        b'"in_hours":{"1":{"provider":["elise"]}},"out_of_hours":{}}',
    ]
    found = [msgspec.json.decode(line, type=Fact) for line in written]
    assert [msgspec.json.encode(fact) for fact in found] == written
    assert [type(fact) for fact in found] == [Begun, Proposed, Withdrawn, Validated]


# As an audience -------------------------------------------------------------------------------------------------------

KNOWN = replace(
    DIRECTORY,
    matrices={
        "campus": Matrix(
            id="campus",
            name="Campus",
            keeper="hugo",
            in_hours={"1": {"provider": ("elise",), "customer": ("rita", "gone")}, "2": {"provider": ("gone",)}},
            out_of_hours={"1": {"provider": ("bob",)}},
        )
    },
)


@pytest.mark.rule("ESC-4")
@pytest.mark.parametrize(
    ("word", "who"),
    [
        ("matrix:campus/1", ["elise", "rita"]),
        ("matrix:campus/out/1", ["bob"]),
        ("matrix:campus/3", []),
        ("matrix:campus/out/2", []),
        ("matrix:other/1", []),
    ],
)
def test_a_level_of_the_matrix_is_an_audience_in_hours_and_out_of_them(word, who):
    assert [one.id for one in audience.people((word,), KNOWN)] == who


@pytest.mark.rule("ESC-4")
def test_a_step_reaches_whom_the_matrix_names_at_the_moment_of_the_decision():
    story = Story(replace(Story().plan, ladder=(step(0, "alice"), step(15, "matrix:campus/1"))), KNOWN)
    story.report().accept()
    later = replace(KNOWN.matrices["campus"], in_hours={"1": {"provider": ("hugo",)}})
    story.directory = replace(KNOWN, matrices={"campus": later})
    story.told()
    assert {one.partition("/")[0] for one in story.wait(minutes=15).paged()} == {"hugo"}


@pytest.mark.rule("ESC-4")
def test_a_level_whose_only_contact_has_left_calls_the_next_one_at_once():
    plan = replace(Story().plan, ladder=(step(0, "matrix:campus/2"), step(15, "matrix:campus/1")))
    assert {one.partition("/")[0] for one in Story(plan, KNOWN).report().paged()} == {"elise", "rita"}


@pytest.mark.parametrize("word", ["campus", "campus/", "/1", "campus/0", "campus/4", "campus/in/1", "campus/out/x/1"])
def test_what_names_no_level_is_no_audience(word):
    assert m.read(word) is None
    assert m.contacts(word, KNOWN.matrices) == ()


def test_who_has_left_is_named():
    assert keeping.gone(KNOWN.matrices["campus"], KNOWN.people) == ("gone",)
