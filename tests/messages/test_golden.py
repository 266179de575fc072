"""What people read, word for word. Blanks that do not break are written as `~` here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sentinel.core.model import Person
from sentinel.messages.gsm7 import septets
from tests.messages.story import ALICE, BOB, OPENED, after, told


def visible(text: str) -> str:
    return text.replace("\u00a0", "~").replace("\u202f", "~")


SMS: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "opened",
        {"acknowledge_by": after(minutes=15)},
        "P1 Campus Moodle : Campus inutilisable depuis 22h10 (connexion : HTTP 503). Prise en charge avant 22h30. "
        "https://s.example.org/a/7Kq2 INC-42",
        "P1 Campus Moodle: Campus inutilisable since 21:10 (connexion : HTTP 503). Take charge before 21:30. "
        "https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "escalated",
        {"at": after(minutes=20), "step": 2, "detail": ""},
        "ESCALADE P1 Campus Moodle : Campus inutilisable depuis 22h10. Personne n'a pris en charge depuis 20 min. "
        "Échelon 2. https://s.example.org/a/7Kq2 INC-42",
        "ESCALATED P1 Campus Moodle: Campus inutilisable since 21:10. Nobody has taken charge for 20 min. Step 2. "
        "https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "called",
        {"at": after(minutes=25), "by": "Chloé Martin", "text": "Examen à 14 h.", "detail": ""},
        "ESCALADE P1 Campus Moodle : Campus inutilisable depuis 22h10. Demandée par Chloé Martin. Examen à 14"
        " h. https://s.example.org/a/7Kq2 INC-42",
        "ESCALATED P1 Campus Moodle: Campus inutilisable since 21:10. Asked for by Chloé Martin. Examen à 14 "
        "h. https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "at_risk",
        {"at": after(minutes=96), "clock": "resolve", "due_at": after(hours=2), "assignee": "Chloé Martin"},
        "ESCALADE P1 Campus Moodle : Campus inutilisable depuis 22h10. Délai menacé, échéance le 22/11 à 0h15"
        " (résolution). https://s.example.org/i/42 INC-42",
        "ESCALATED P1 Campus Moodle: Campus inutilisable since 21:10. At risk, due at 23:15 (resolution). "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "overdue",
        {"at": after(hours=2), "clock": "resolve", "due_at": after(hours=2), "assignee": "Chloé Martin"},
        "ESCALADE P1 Campus Moodle : Campus inutilisable depuis le 21/11 22h10. Délai dépassé, échéance à 0h15 "
        "(résolution). https://s.example.org/i/42 INC-42",
        "ESCALATED P1 Campus Moodle: Campus inutilisable since 21:10. Missed, was due at 23:15 "
        "(resolution). https://s.example.org/i/42 INC-42",
    ),
    (
        "unresolved",
        {"at": after(minutes=30), "assignee": "Chloé Martin"},
        "ESCALADE P1 Campus Moodle : Campus inutilisable depuis 22h10. Non résolu après 30 min. "
        "https://s.example.org/i/42 INC-42",
        "ESCALATED P1 Campus Moodle: Campus inutilisable since 21:10. Not resolved after 30 min. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "repeated",
        {"at": after(minutes=5)},
        "RAPPEL P1 Campus Moodle : Campus inutilisable depuis 22h10 (connexion : HTTP 503). Personne n'a pris en "
        "charge depuis 5 min. https://s.example.org/a/7Kq2 INC-42",
        "REMINDER P1 Campus Moodle: Campus inutilisable since 21:10 (connexion : HTTP 503). Nobody has taken charge "
        "for 5 min. https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "acknowledged",
        {"at": after(minutes=7), "by": "Chloé Martin", "assignee": "Chloé Martin"},
        "PRIS EN CHARGE P1 Campus Moodle : Campus inutilisable depuis 22h10. Par Chloé Martin à 22h22. "
        "https://s.example.org/i/42 INC-42",
        "TAKEN P1 Campus Moodle: Campus inutilisable since 21:10. By Chloé Martin at 21:22. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "recovered",
        {"at": after(minutes=37), "text": "Mémoire doublée."},
        "RÉTABLI P1 Campus Moodle : Campus inutilisable de 22h10 à 22h52. Après 42 min. Mémoire doublée. "
        "https://s.example.org/i/42 INC-42",
        "RESTORED P1 Campus Moodle: Campus inutilisable from 21:10 to 21:52. After 42 min. Mémoire doublée. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "reopened",
        {"by": "Chloé Martin", "text": "Encore lent.", "detail": ""},
        "ROUVERT P1 Campus Moodle : Campus inutilisable depuis 22h10. Par Chloé Martin à 22h15. Encore lent. "
        "https://s.example.org/a/7Kq2 INC-42",
        "REOPENED P1 Campus Moodle: Campus inutilisable since 21:10. By Chloé Martin at 21:15. Encore lent. "
        "https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "note",
        {"by": "Chloé Martin", "text": "Le fournisseur confirme :\nretour vers 23h, « sans faute »."},
        "NOTE P1 Campus Moodle : Campus inutilisable depuis 22h10. Chloé Martin : Le fournisseur confirme : "
        'retour vers 23h, "sans fa.. https://s.example.org/i/42 INC-42',
        "NOTE P1 Campus Moodle: Campus inutilisable since 21:10. Chloé Martin: Le fournisseur confirme : "
        'retour vers 23h, "sans faute". https://s.example.org/i/42 INC-42',
    ),
    (
        "closed",
        {"at": after(days=1), "by": "Inès Roux"},
        "CLOS P1 Campus Moodle : Campus inutilisable depuis le 21/11 22h10. Par Inès Roux à 22h15. "
        "https://s.example.org/i/42 INC-42",
        "CLOSED P1 Campus Moodle: Campus inutilisable since 21 Nov 21:10. By Inès Roux at 21:15. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "exhausted",
        {"detail": ""},
        "PERSONNE JOINT P1 Campus Moodle : Campus inutilisable depuis 22h10. Personne d'autre à prévenir. "
        "https://s.example.org/a/7Kq2 INC-42",
        "NOBODY REACHED P1 Campus Moodle: Campus inutilisable since 21:10. Nobody else to tell. "
        "https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "raised",
        {},
        "AGGRAVÉ P1 Campus Moodle : Campus inutilisable depuis 22h10 (connexion : HTTP 503). Niveau 3. "
        "https://s.example.org/a/7Kq2 INC-42",
        "WORSE P1 Campus Moodle: Campus inutilisable since 21:10 (connexion : HTTP 503). Level 3. "
        "https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "merged",
        {"by": "Chloé Martin", "text": "INC-40"},
        "RATTACHÉ P1 Campus Moodle : Campus inutilisable depuis 22h10. Rattaché à INC-40. "
        "https://s.example.org/i/42 INC-42",
        "MERGED P1 Campus Moodle: Campus inutilisable since 21:10. Part of INC-40. https://s.example.org/i/42 INC-42",
    ),
    (
        "handover",
        {
            "title": "Astreinte technique",
            "since": after(days=1),
            "until": after(days=8),
            **dict.fromkeys(("incident", "incident_url", "service"), ""),
            "priority": None,
        },
        "ASTREINTE Astreinte technique du 22/11 22h15 au 29/11 22h15. C'est votre tour.",
        "ON CALL Astreinte technique from 22 Nov 21:15 to 29 Nov 21:15. It is your turn.",
    ),
    (
        "pending",
        {
            "at": after(minutes=9),
            "by": "Chloé Martin",
            "whom": "DNUM",
            "text": "Pouvons-nous redémarrer la base ?",
            "assignee": "Chloé Martin",
        },
        "EN ATTENTE P1 Campus Moodle : Campus inutilisable depuis 22h10. Attend DNUM : Pouvons-nous "
        "redémarrer la base ? https://s.example.org/i/42 INC-42",
        "PENDING P1 Campus Moodle: Campus inutilisable since 21:10. Waits for DNUM: Pouvons-nous redémarrer "
        "la base ? https://s.example.org/i/42 INC-42",
    ),
    (
        "reminded",
        {"at": after(days=2), "whom": "DNUM", "text": "Pouvons-nous redémarrer la base ?", "assignee": "Chloé Martin"},
        "RAPPEL P1 Campus Moodle : Campus inutilisable depuis le 21/11 22h10. Attend DNUM : Pouvons-nous "
        "redémarrer la base ? https://s.example.org/i/42 INC-42",
        "REMINDER P1 Campus Moodle: Campus inutilisable since 21 Nov 21:10. Waits for DNUM: Pouvons-nous "
        "redémarrer la base ? https://s.example.org/i/42 INC-42",
    ),
    (
        "resumed",
        {"at": after(hours=1), "by": "Inès Roux", "text": "Oui.", "assignee": "Chloé Martin"},
        "REPRIS P1 Campus Moodle : Campus inutilisable depuis 22h10. Repris à 23h15. Oui. "
        "https://s.example.org/i/42 INC-42",
        "RESUMED P1 Campus Moodle: Campus inutilisable since 21:10. Goes on at 22:15. Oui. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "handed_back",
        {"at": after(minutes=30), "by": "Chloé Martin"},
        "REMIS P1 Campus Moodle : Campus inutilisable depuis 22h10. Remis par Chloé Martin. "
        "https://s.example.org/i/42 INC-42",
        "HANDED BACK P1 Campus Moodle: Campus inutilisable since 21:10. Handed back by Chloé Martin. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "assigned",
        {"at": after(minutes=30), "by": "Chloé Martin", "whom": "Inès Roux", "text": "c'est ton commutateur"},
        "CONFIÉ P1 Campus Moodle : Campus inutilisable depuis 22h10. Pour Inès Roux, par Chloé Martin. "
        "c'est ton commutateur https://s.example.org/i/42 INC-42",
        "ASSIGNED P1 Campus Moodle: Campus inutilisable since 21:10. For Inès Roux, by Chloé Martin. "
        "c'est ton commutateur https://s.example.org/i/42 INC-42",
    ),
    (
        "workaround",
        {"by": "Chloé Martin", "text": "Passer par l'autre entrée.", "assignee": "Chloé Martin"},
        "CONTOURNEMENT P1 Campus Moodle : Campus inutilisable depuis 22h10. Passer par l'autre entrée. "
        "https://s.example.org/i/42 INC-42",
        "WORKAROUND P1 Campus Moodle: Campus inutilisable since 21:10. Passer par l'autre entrée. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "recategorised",
        {"by": "Chloé Martin", "priority": "P3", "level": 2, "text": "une seule salle", "assignee": "Chloé Martin"},
        "REQUALIFIÉ P3 Campus Moodle : Campus inutilisable depuis 22h10. Niveau 2, P3. une seule salle "
        "https://s.example.org/i/42 INC-42",
        "RECATEGORISED P3 Campus Moodle: Campus inutilisable since 21:10. Level 2, P3. une seule salle "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "cascaded",
        {"at": after(minutes=15), "detail": ""},
        "CASCADE P1 Campus Moodle : Campus inutilisable depuis 22h10. Niveau 3. https://s.example.org/a/7Kq2 INC-42",
        "CASCADED P1 Campus Moodle: Campus inutilisable since 21:10. Level 3. https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "target_warned",
        {
            "at": after(hours=1),
            "clock": "resolve",
            "percent": 50.0,
            "due_at": after(hours=2),
            "assignee": "Chloé Martin",
        },
        "ÉCHÉANCE P1 Campus Moodle : Campus inutilisable depuis 22h10. Échéance le 22/11 à 0h15, délai "
        "écoulé à 50% (résolution). https://s.example.org/i/42 INC-42",
        "DUE SOON P1 Campus Moodle: Campus inutilisable since 21:10. Due at 23:15, 50% of the time is used "
        "up (resolution). https://s.example.org/i/42 INC-42",
    ),
    (
        "target_missed",
        {"at": after(hours=2), "clock": "resolve", "due_at": after(hours=2), "assignee": "Chloé Martin"},
        "EN RETARD P1 Campus Moo.. : Campus inutilisable depuis le 21/11 22h10. Échéance à 0h15 "
        "(résolution). https://s.example.org/i/42 INC-42",
        "TARGET MISSED P1 Campus Moodle: Campus inutilisable since 21:10. Was due at 23:15 (resolution). "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "outage",
        {"at": after(minutes=6)},
        "PANNE LONGUE P1 Campus Moodle : Campus inutilisable depuis 22h10. Depuis 11 min, au-delà de la "
        "tolérance. https://s.example.org/i/42 INC-42",
        "OUTAGE P1 Campus Moodle: Campus inutilisable since 21:10. For 11 min, longer than is tolerated. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "integrity",
        {"at": after(minutes=6)},
        "DONNÉES P1 Campus Moodle : Campus inutilisable depuis 22h10. Altérées, ce qui n'est pas toléré. "
        "https://s.example.org/i/42 INC-42",
        "DATA P1 Campus Moodle: Campus inutilisable since 21:10. Damaged, which is not tolerated. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "routed",
        {"detail": ""},
        "IMMÉDIAT P1 Campus Moodle : Campus inutilisable depuis 22h10. A traiter tout de suite. "
        "https://s.example.org/a/7Kq2 INC-42",
        "AT ONCE P1 Campus Moodle: Campus inutilisable since 21:10. Please deal with it at once. "
        "https://s.example.org/a/7Kq2 INC-42",
    ),
    (
        "receipt",
        {},
        "ENREGISTRÉ P1 Campus Moodle : Campus inutilisable depuis 22h10. Niveau 3. https://s.example.org/i/42 INC-42",
        "RECEIVED P1 Campus Moodle: Campus inutilisable since 21:10. Level 3. https://s.example.org/i/42 INC-42",
    ),
    (
        "recurring",
        {"count": 3},
        "RÉCURRENT P1 Campus Moodle : Campus inutilisable depuis 22h10. Incident n. 3 de ce défaut. "
        "https://s.example.org/i/42 INC-42",
        "RECURRING P1 Campus Moodle: Campus inutilisable since 21:10. Incident number 3 of this fault. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "unexplained",
        {"at": after(hours=1)},
        "CAUSE INCONNUE P1 Campus Moodle : Campus inutilisable depuis 22h10. Un problème est proposé. "
        "https://s.example.org/i/42 INC-42",
        "CAUSE UNKNOWN P1 Campus Moodle: Campus inutilisable since 21:10. A problem is proposed. "
        "https://s.example.org/i/42 INC-42",
    ),
    (
        "flapping",
        {"count": 4},
        "INSTABLE P1 Campus Moodle : Campus inutilisable depuis 22h10. 4 changements. "
        "https://s.example.org/i/42 INC-42",
        "FLAPPING P1 Campus Moodle: Campus inutilisable since 21:10. 4 changes. https://s.example.org/i/42 INC-42",
    ),
    (
        "test",
        {"by": "Amina", "incident": "", "priority": None, "incident_url": "", "service": ""},
        "ESSAI Sentinel : rien n'est en panne à 22h15. Demandé par Amina.",
        "TEST Sentinel: nothing is wrong at 21:15. Asked for by Amina.",
    ),
]


@pytest.mark.rule("DSP-8")
@pytest.mark.parametrize(("kind", "changes", "french", "english"), SMS, ids=[row[0] for row in SMS])
def test_each_kind_of_sms_in_both_languages(kind: str, changes: dict[str, Any], french: str, english: str) -> None:
    for person, expected in ((ALICE, french), (BOB, english)):
        sms = told(kind, person, **changes).sms
        assert sms == expected
        assert septets(sms) <= 160


@pytest.mark.rule("DSP-8")
def test_the_opening_mail_in_french() -> None:
    mail = told("opened", acknowledge_by=after(minutes=15))
    assert mail.subject == "[P1] Campus Moodle : Campus inutilisable - INC-42"
    assert visible(mail.text) == (
        "Personne n'a encore pris en charge cet incident. Prendre en charge avant 22h30.\n"
        "\n"
        "P1 Campus Moodle~: Campus inutilisable depuis 22h10\n"
        "\n"
        "Prendre en charge~: https://s.example.org/a/7Kq2\n"
        "Voir l'incident~: https://s.example.org/i/42\n"
        "\n"
        "Constat~: connexion : HTTP 503\n"
        "Service~: Campus Moodle\n"
        "Gravité~: bloquante (niveau 3)\n"
        "Cause~: intrinsèque\n"
        "Début de la panne~: samedi 21 novembre 2026 à 22h10\n"
        "Incident ouvert~: samedi 21 novembre 2026 à 22h15\n"
        "À prendre en charge avant~: samedi 21 novembre 2026 à 22h30\n"
        "En charge~: personne pour l'instant\n"
        "Ticket~: SUP-1042\n"
        "Consigne~: https://wiki.example.org/campus\n"
        "\n"
        "Derniers événements\n"
        "- 22h15~: INC-42 niveau 3, P1\n"
        "- 22h15~: SMS : Chloé Martin\n"
        "\n"
        "-- \n"
        "Envoyé par Sentinel pour Infogérance TDP. Heures locales (Europe/Paris).\n"
    )


@pytest.mark.rule("DSP-8")
def test_the_recovery_mail_in_english() -> None:
    mail = told("recovered", BOB, at=after(hours=3, minutes=4), by="Chloé Martin", text="Memory doubled.\nWatching.")
    assert mail.subject == "[P1 resolved] Campus Moodle: Campus inutilisable - INC-42"
    assert visible(mail.text) == (
        "Chloé Martin reports the service restored at 00:19, after 3~h~09~min.\n"
        "\n"
        "P1 Campus Moodle: Campus inutilisable from 21 Nov 21:10 to 22 Nov 00:19\n"
        "\n"
        "Memory doubled.\n"
        "Watching.\n"
        "\n"
        "See the incident: https://s.example.org/i/42\n"
        "\n"
        "Finding: connexion : HTTP 503\n"
        "Service: Campus Moodle\n"
        "Severity: blocking (level 3)\n"
        "Cause: intrinsic\n"
        "Outage began: Saturday 21 November 2026 at 21:10\n"
        "Incident opened: Saturday 21 November 2026 at 21:15\n"
        "Ticket: SUP-1042\n"
        "Runbook: https://wiki.example.org/campus\n"
        "\n"
        "Latest events\n"
        "- 21 Nov 21:15: INC-42 niveau 3, P1\n"
        "- 21 Nov 21:15: SMS : Chloé Martin\n"
        "\n"
        "-- \n"
        "Sent by Sentinel for Infogérance TDP. Local times (Europe/London).\n"
    )


LEADS = [
    ("escalated", {"at": after(minutes=20), "step": 2},
     "Escalade~: personne n'a pris en charge cet incident depuis 20~min. Vous êtes prévenu à l'échelon 2."),
    ("called", {"by": "Chloé Martin"}, "Chloé Martin demande l'escalade de cet incident."),
    ("at_risk", {"clock": "resolve", "due_at": after(hours=1)},
     "Escalade, car un engagement risque de ne pas être tenu~: résolution, échéance à 23h15."),
    ("overdue", {"clock": "resolve", "due_at": after(hours=1)},
     "Escalade, car un engagement n'est pas tenu~: résolution, échéance à 23h15."),
    ("unresolved", {"at": after(minutes=30), "assignee": "Chloé Martin"},
     "Escalade~: l'incident est pris en charge, mais n'est pas résolu 30~min après son ouverture."),
    ("repeated", {"at": after(hours=1)}, "Rappel~: personne n'a pris en charge cet incident depuis 1~h."),
    ("acknowledged", {"by": "Chloé", "at": after(minutes=7)}, "Chloé a pris l'incident en charge à 22h22."),
    ("acknowledged", {"at": after(minutes=7)}, "L'incident est pris en charge à 22h22."),
    ("recovered", {"at": after(minutes=37)}, "Service rétabli à 22h52, après 42~min."),
    ("reopened", {"by": "Chloé"}, "Chloé a rouvert l'incident à 22h15."),
    ("note", {"by": "Chloé"}, "Chloé a ajouté une note à 22h15."),
    ("closed", {}, "Incident clos à 22h15."),
    (
        "exhausted",
        {},
        "Personne d'autre n'a pu être prévenu~: personne n'est à prévenir, ou tous les canaux de tous ont échoué.",
    ),
    ("raised", {}, "L'incident s'aggrave~: il passe au niveau 3, priorité P1."),
    ("merged", {"by": "Chloé", "text": "INC-40"}, "Chloé a rattaché cet incident à INC-40."),
    ("test", {"by": "Amina"},
     "Ceci est un essai demandé par Amina~: rien n'est en panne, il n'y a rien à faire."),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "changes", "lead"), LEADS)
def test_the_first_line_of_a_mail_says_who_does_what(kind: str, changes: dict[str, Any], lead: str) -> None:
    assert visible(told(kind, **changes).text.split("\n")[0]) == lead


@pytest.mark.parametrize(
    ("zone", "clock"), [("Europe/Paris", "22h10"), ("America/Cayenne", "18h10"), ("Indian/Reunion", "1h10")]
)
def test_times_are_those_of_the_reader(zone: str, clock: str) -> None:
    person = Person(id="alice", name="Alice", addresses={}, timezone=zone)
    assert f"depuis {clock}" in told(person=person).sms


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (timedelta(seconds=-5), "0~s"),
        (timedelta(seconds=40), "40~s"),
        (timedelta(minutes=59, seconds=59), "59~min"),
        (timedelta(hours=2), "2~h"),
        (timedelta(hours=2, minutes=5), "2~h~05"),
        (timedelta(days=1, minutes=59), "1~j"),
        (timedelta(days=2, hours=3), "2~j~3~h"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(length: timedelta, written: str) -> None:
    lead = told("repeated", opened_at=OPENED, at=OPENED + length).text.split("\n")[0]
    assert visible(lead) == f"Rappel~: personne n'a pris en charge cet incident depuis {written}."


def test_the_first_of_a_month_is_first_in_french() -> None:
    moment = OPENED.replace(month=11, day=1, hour=8, minute=0)
    assert "dimanche 1er novembre 2026 à 9h\n" in told(opened_at=moment).text
