"""What ``check`` and ``explain`` say of rotas."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from sentinel.core.rota import Entry
from sentinel.engine.clock import SystemClock
from sentinel.store.opening import open_store
from tests.cli.conftest import run

ROTA = """
probes:
  home: {type: http, url: https://www.example.org/}
people:
  amina: {email: amina@example.org}
channels:
  mail: {type: outbox, path: outbox, as: email}
rotas:
  technical: {handover: mon 09:00}
escalations:
  default:
    - {at: 0m, to: "rota:technical"}
    - {at: 9m, to: amina}
"""


@pytest.mark.rule("ESC-5")
def test_a_rota_that_reaches_nobody_is_warned_of_with_its_gap_until_it_is_filled(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(ROTA)
    done = run("check", str(path))
    assert done.exit_code == 4
    assert f"{path}:9:3: `rota:technical` reaches nobody from " in done.stdout
    assert "`sentinel oncall fill technical PERSON --week " in done.stdout
    tmp_path.chmod(0o700)
    store, results = open_store(f"sqlite:///{tmp_path}/sentinel.db")
    now = SystemClock().now()
    fill = Entry(
        id="1", rota="technical", kind="fill", who="amina", starts_at=now, ends_at=now + timedelta(days=30), made_at=now
    )
    store.put_rota_entry(fill)
    store.close()
    results.close()
    assert run("check", str(path)).exit_code == 0, "what people filled counts"


def test_a_rota_that_has_not_begun_is_warned_of(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(ROTA.replace("{handover: mon 09:00}", "{order: amina, starts: 2090-01-02}"))
    assert "nobody is on call before Mon 2090-01-02 09:00, when the rota begins" in run("check", str(path)).stdout


def test_explain_names_who_of_a_rota_would_be_told(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(ROTA.replace("{handover: mon 09:00}", "{order: amina}"))
    answer = json.loads(run("-c", str(path), "explain", "--probe", "home", "--json").stdout)
    assert [(one["after_s"], one["who"]) for one in answer["notify"]] == [(0, "amina"), (540, "amina")]
