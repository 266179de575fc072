"""What people read of a crisis, in both languages (rules MAJ-3, MAJ-6, MAJ-8)."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core import incident
from sentinel.core.effects import Notify
from sentinel.core.model import Language
from sentinel.messages.compose import compose
from sentinel.messages.telling import notice
from tests.core.crises import CELL, Crisis
from tests.messages.story import SITE

CALL = "https://meet.example.org/crise-{incident}"


def whole() -> Crisis:
    """Live through a crisis in which everything happens."""
    story = Crisis(call=CALL).begin(major="propose").ticket()
    story.until(16).acknowledge("amina").do(c.Note(by="bruno", text="disk replaced"))
    story.do(cc.DeclareCrisis(by="elise", why="all is down")).do(cc.JoinCell(by="elise", person="xavier"))
    story.do(cc.ActivateLevel(by="elise", level=2)).do(cc.AttachChange(by="amina", change="CHG-7", text="new disk"))
    story.do(cc.ApproveChange(by="farid", change="CHG-7")).until(95)
    story.do(cc.DecideDrp(by="elise", yes=False, why="too slow")).do(cc.DecideDrp(by="farid", yes=True, why="lost"))
    story.do(cc.StartDrp(by="elise")).do(cc.CorrectT0(by="elise", t0=story.t0 - timedelta(minutes=1), why="seen"))
    story.until(125).do(cc.SendUpdate(by="elise", text="in my words"))
    return story.do(cc.CloseCrisis(by="farid", text="all is back"))  # type: ignore[return-value]


def told(story: Crisis, language: Language) -> dict[str, tuple[str, str, str]]:
    """Return subject, text and SMS of the last message of each kind."""
    state, found = None, {}
    for event in story.events:
        state = incident.evolve(state, event)
        for effect in incident.react(state, event):
            if isinstance(effect, Notify):
                made = notice(state, effect, directory=CELL, services={"campus": "Campus"}, url="https://s.example.org")
                person = replace(CELL.people[effect.page.person], language=language)
                message = compose(made, person, to="x@example.org", site=SITE)
                found[made.kind] = message.subject, message.text, message.sms
    return found


@pytest.mark.rule("MAJ-6", "LIF-4", "DSP-8")
@pytest.mark.parametrize(
    ("language", "said", "short", "third"),
    [
        (
            "fr",
            "Amina attend le client, à qui il est demandé",
            "attend le client\u00a0: May we?",
            "attend Ines\u00a0: And you?",
        ),
        ("en", "Amina waits for the customer", "waits for the customer: May we?", "waits for Ines: And you?"),
    ],
)
def test_who_is_waited_for_is_named_in_the_readers_language(language, said, short, third):
    story = Crisis(call=CALL).begin(major="propose").ticket()
    story.until(16).acknowledge("amina").do(c.Pend(by="amina", waits_on="customer", ask="May we?"))
    assert said in told(story, language)["pending"][1]
    story.do(c.Resume(by="amina")).do(c.Pend(by="amina", waits_on="customer", whom="ines", ask="And you?"))
    story.until(61)
    text = " ".join(body for _, body, _ in told(story, language).values())
    assert short in text
    assert third in text


@pytest.mark.rule("MAJ-3", "MAJ-6", "MAJ-8")
@pytest.mark.parametrize("language", get_args(Language))
def test_each_message_of_a_crisis_is_told_as_what_it_is_with_the_way_to_its_call(language):
    found = told(whole(), language)
    assert found.keys() >= {
        "crisis_proposed",
        "crisis_opened",
        "p1_opened",
        "crisis_request",
        "crisis_cell",
        "crisis_plan",
        "step_late",
        "update",
        "update_reminder",
        "drp_yes",
        "drp_no",
        "drp_late",
        "drp_started",
        "t0_corrected",
        "level_activated",
        "cell_joined",
        "change_attached",
        "change_approved",
        "crisis_closed",
    }
    during = found.keys() - {"opened", "receipt", "acknowledged", "note", "crisis_proposed", "step_late", "recurring"}
    during -= {"crisis_closed"}  # Nobody is asked to join the call of a crisis that is over.
    assert "https://meet.example.org" not in found["crisis_closed"][1]
    for kind in during:
        assert "https://meet.example.org/crise-INC-1" in found[kind][1], kind
        assert "{" not in found[kind][1], kind


@pytest.mark.rule("MAJ-6")
def test_a_status_message_has_the_procedures_three_headings_in_the_readers_language():
    story = (
        Crisis(call=CALL).begin().ticket().until(16).acknowledge("amina").do(c.Note(by="bruno", text="disk replaced"))
    )
    story.do(cc.DeclareCrisis(by="elise", why="all is down")).until(60)
    french = told(story, "fr")["update"][1].replace("\u00a0", "~")
    assert french.startswith("Point d'avancement n°~1. Prochain point le 22/11 à 0h10.\n")
    assert (
        "Avancement\n- L'incident est pris en charge par Amina.\n\nActions réalisées\n"
        "- 22h26~: Amina a pris l'incident en charge\n- 22h26~: Bruno~: disk replaced\n"
        "- 22h26~: Elise a ouvert la crise~: all is down\n\nReste à faire\n- Description de l'incident\n"
    ) in french
    assert "- Message de clôture, fin de crise (le 22/11 à 3h40)" in french
    english = told(story, "en")["update"][1]
    for line in (
        "Progress\n- Amina has taken the incident.",
        "Actions done\n",
        "Left to do\n- Description of the incident",
    ):
        assert line in english


@pytest.mark.rule("MAJ-6")
def test_a_configuration_names_the_headings():
    story = Crisis(updates={"sections": ["Où en est-on", "Fait", "À faire"]}).begin().until(16).acknowledge("amina")
    text = told(story.until(60), "en")["update"][1]
    assert text.index("Où en est-on\n") < text.index("Fait\n") < text.index("À faire\n")


@pytest.mark.rule("MAJ-2")
def test_the_owner_reads_why_and_until_when_to_answer():
    subject, text, sms = told(Crisis().begin(major="propose"), "fr")["crisis_proposed"]
    assert text.split("\n")[0].replace("\u00a0", "~") == (
        "Une crise est proposée (incident majeur)~: à confirmer ou à écarter. Sans réponse, elle démarre d'elle-même "
        "à 22h55."
    )
    assert "https://s.example.org/incidents/INC-1/crisis" in text
    assert sms.startswith("CRISE PROPOSÉE P1 Campus")
    assert subject.startswith("[P1] Campus")
