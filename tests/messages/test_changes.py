"""What people read of planned changes, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from sentinel.core import change_facts as f
from sentinel.core.change import evolve
from sentinel.messages.changes import ChangeWords
from sentinel.messages.compose import compose
from sentinel.messages.notice import Notice
from tests.messages.story import ALICE, BOB

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
BEGIN, END = datetime(2026, 12, 5, 19, 0, tzinfo=UTC), datetime(2026, 12, 5, 22, 30, tzinfo=UTC)
PLANNED = f.Planned(
    at=NOW, title="Mise à jour Moodle 5.2", services=("campus",), begins_at=BEGIN, ends_at=END, announce_at=NOW
)
OUTCOME = f.Outcome(probe="home", target="192.0.2.1", ok=False)
WORDS = ChangeWords({"campus": "Campus"}, {"farid": "Farid Haddad"}, "https://s.example.org")


@pytest.mark.rule("CHG-6")
@pytest.mark.parametrize(
    ("fact", "french", "english", "sms"),
    [
        (
            f.Announced(at=NOW),
            "Une maintenance est prévue le 5/12 de 20h à 23h30~: le service peut être interrompu.",
            "Maintenance is planned on 5 Dec from 19:00 to 22:30: the service may be interrupted.",
            "MAINTENANCE Campus : Mise à jour Moodle 5.2 le 5/12 de 20h à 23h30. Le service peut etre interrompu. "
            "https://s.example.org/changes",
        ),
        (
            f.Started(at=BEGIN, began_at=BEGIN),
            "La maintenance a commencé à 20h. Sa fin est prévue à 23h30.",
            "Maintenance started at 19:00. It should end at 22:30.",
            "MAINTENANCE Campus : Mise à jour Moodle 5.2 de 20h à 23h30. Commencée à 20h. https://s.example.org/changes",
        ),
        (
            f.Finished(at=END, ended_at=END, by="farid"),
            "Farid Haddad a terminé la maintenance à 23h30.",
            "Farid Haddad ended the maintenance at 22:30.",
            "MAINTENANCE Campus : Mise à jour Moodle 5.2 de 20h à 23h30. Terminée à 23h30. https://s.example.org/changes",
        ),
        (
            f.Finished(at=END, ended_at=END, outcomes=(OUTCOME,)),
            "La maintenance est terminée à 23h30, mais tout ne fonctionne pas encore (contrôles en échec~: 1).",
            "Maintenance ended at 22:30, but not everything works yet (failing checks: 1).",
            "MAINTENANCE Campus : Mise à jour Moodle 5.2 de 20h à 23h30. Terminée à 23h30, controles en échec : 1. "
            "https://s.example.org/changes",
        ),
        (
            f.Overran(at=END),
            "La maintenance devait se terminer à 23h30 et dure encore.",
            "Maintenance should have ended at 22:30 and still goes on.",
            "DÉPASSEMENT Campus : Mise à jour Moodle 5.2 de 20h à 23h30. Devait se terminer à 23h30, dure encore. "
            "https://s.example.org/changes",
        ),
        (
            f.Cancelled(at=NOW, by="farid", why="Pas prêt."),
            "Farid Haddad a annulé la maintenance prévue le 5/12 de 20h à 23h30.",
            "Farid Haddad cancelled the maintenance planned on 5 Dec from 19:00 to 22:30.",
            "ANNULATION Campus : Mise à jour Moodle 5.2 le 5/12 de 20h à 23h30. Annulée. Pas pret. "
            "https://s.example.org/changes",
        ),
        (
            f.Stopped(at=BEGIN + timedelta(minutes=3), why="campus: exit code 3"),
            "La maintenance n'a pas commencé~: il n'y a pas de sauvegarde complète.",
            "Maintenance did not start: there is no full backup.",
            "ARRET Campus : Mise à jour Moodle 5.2 de 20h à 23h30. Pas commencée, sans sauvegarde complète. "
            "campus: exit code 3 https://s.example.org/changes",
        ),
    ],
)
def test_a_change_is_told_in_the_language_and_zone_of_who_reads_it(fact, french, english, sms):
    change = evolve(evolve(None, PLANNED, "CHG-1"), fact)
    body = msgspec.json.decode(WORDS.body("change:CHG-1/2/alice/email", change, fact), type=Notice)
    in_french = compose(body, ALICE, to="", site="TDP")
    in_english = compose(body, BOB, to="", site="TDP")
    assert in_french.text.split("\n")[0].replace("\u00a0", "~") == french
    assert in_english.text.split("\n")[0] == english
    assert in_french.sms == sms
    assert in_french.first_in_thread
    assert "https://s.example.org/changes" in in_english.text
    assert "CHG-1" not in in_french.subject
    assert "maintenance" in in_french.subject
