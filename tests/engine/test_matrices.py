"""A validated matrix holds, goes to its contacts once, and is there after a restart; who has left is never silence."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sentinel.core.matrix_keeping import Proposed
from sentinel.core.model import Refused
from tests.engine.whole import HEARTBEAT, whole
from tests.virtual import run

TEXT = (
    HEARTBEAT
    + """\
people:
  elise: {name: Élise Garnier, email: elise@example.org, mobile: "+33639980005"}
  farid: {name: Farid Haddad, email: farid@example.org, language: en}
  ines: {name: Inès Caron, email: ines@example.org, side: customer}
  jean: {name: Jean Vidal, email: jean@example.org, side: customer}
channels:
  email: {type: outbox, path: outbox, as: email}
matrices:
  campus:
    name: Campus
    keeper: farid
    in_hours: {1: {provider: elise}, 2: {provider: farid, customer: ines}}
    out_of_hours: {1: {provider: farid}}
escalations:
  on-call:
    - {at: 0m, to: ["matrix:campus/2"], min_level: 1}
services:
  campus: {name: Campus, escalation: on-call}
"""
)


def proposal(now, **parts) -> Proposed:
    return Proposed(at=now, by="ines", side="customer", **(parts or {"in_hours": {"2": ("ines", "jean")}}))


async def validated(around) -> None:
    matrices, now = around.daemon.matrices, around.daemon.clock.now()
    await matrices.propose("campus", proposal(now))
    await matrices.validate("campus", "farid", "COPIL 3", "")


def mails(around) -> dict[str, str]:
    found = {}
    for path in around.mailed():
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        assert mail["To"].addresses[0].addr_spec not in found, "nobody gets it twice"
        found[mail["To"].addresses[0].addr_spec] = f"{mail['Subject']}\n{body.get_content()}".replace("\r\n", "\n")
    return found


@pytest.mark.rule("ESC-4")
def test_a_validated_version_holds_and_goes_to_each_contact_once_also_over_a_restart(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT) as around:
            await validated(around)
            assert around.daemon.matrices.current["campus"].version == 2
            await asyncio.sleep(60)
            told = mails(around)
        assert set(told) == {f"{name}@example.org" for name in ("elise", "farid", "ines", "jean")}
        french = told["jean@example.org"]
        assert french.startswith("[matrice d'escalade] Campus\nFarid Haddad a validé")
        assert "la version 2 de la matrice d'escalade (COPIL 3)" in french
        assert (
            "Niveau 2\n    Infogérant\u00a0: Farid Haddad (farid@example.org)\n    Client\u00a0: Inès Caron" in french
        )
        assert "Hors heures ouvrées" in french
        assert "+33639980005" in french
        assert "Level 2\n    Provider: Farid Haddad" in told["farid@example.org"]
        async with whole(tmp_path, TEXT) as again:
            matrix = again.daemon.matrices.current["campus"]
            assert (matrix.version, matrix.validated_by, matrix.committee) == (2, "farid", "COPIL 3")
            assert matrix.in_hours["2"]["customer"] == ("ines", "jean")
            await asyncio.sleep(60)
            assert mails(again) == told
            assert [type(fact).__name__ for fact in again.daemon.matrices.history("campus")] == [
                "Begun",
                "Proposed",
                "Validated",
            ]

    run(story())


@pytest.mark.rule("ESC-4")
def test_what_is_only_proposed_changes_nobody_and_tells_nobody(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT) as around:
            matrices = around.daemon.matrices
            await matrices.propose("campus", proposal(around.daemon.clock.now()))
            with pytest.raises(Refused, match="who alone validates"):
                await matrices.validate("campus", "elise", "COPIL 3", "")
            await asyncio.sleep(60)
            assert matrices.current["campus"].version == 1
            assert around.mailed() == []

    run(story())


@pytest.mark.rule("ESC-4")
def test_a_reload_keeps_the_validated_version_and_says_who_of_it_has_left(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT) as around:
            await validated(around)
            path = tmp_path / "probes.yaml"
            without = path.read_text().replace("customer: ines", "customer: jean")
            path.write_text("\n".join(line for line in without.splitlines() if not line.startswith("  ines:")))
            with capture_logs() as logs:
                outcome = await around.daemon.reload()
            assert outcome.done, outcome.mistakes
            said = [(one["log_level"], one["event"]) for one in logs if one.get("matrix") == "campus"]
            assert ("warning", "matrix names somebody who is gone; passed over") in said
            assert ("warning", "matrix of the configuration does not hold") in said
            matrix = around.daemon.matrices.current["campus"]
            assert (matrix.version, matrix.in_hours["2"]["customer"]) == (2, ("ines", "jean"))

    run(story())


@pytest.mark.rule("ESC-4")
def test_a_step_pages_whom_the_validated_version_names(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, TEXT) as around:
            await validated(around)
            await asyncio.sleep(15 * 60)  # Nothing has called the heartbeat: it fails.
            (state,) = around.daemon.desk.open()
            pages = state.reached
            assert {one.person for one in pages} == {"farid", "ines", "jean"}

    run(story())
