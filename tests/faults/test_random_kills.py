"""SIGKILL at random moments, many times over: no persisted page is lost, none arrives more than twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sentinel.store.opening import open_to_read
from tests.dose import dose

ROUNDS, KILLS = dose((1, 30), (10, 100))
CAUGHT_MIN = KILLS // 10
LIMIT_S = 240


@pytest.mark.fault(5)
@pytest.mark.rule("DSP-3")
@pytest.mark.parametrize("number", range(ROUNDS))
def test_killed_again_and_again(tmp_path: Path, number: int):
    """A second kill while a message is sent again is left out: that such a crash loop can add a copy is no secret."""
    seed = random.SystemRandom().randrange(10**6)
    command = [sys.executable, "-m", "tests.faults.lives", tmp_path, str(seed), str(KILLS)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, f"seed {seed}: {ended.stderr[-4000:]}"
    assert "bug" not in ended.stderr, f"seed {seed}: {ended.stderr[-4000:]}"
    caught = Counter(json.loads(ended.stdout)["caught"])
    taken = Counter((tmp_path / "taken").read_text().split())
    acknowledged = (tmp_path / "acknowledged").read_text().split()
    store = open_to_read(f"sqlite:///{tmp_path}/sentinel.db")
    try:
        assert store.verify() == [], f"seed {seed}"
        rows = {row.id: row for row in store.messages(limit=1_000_000)}
        numbers = {state.number for state in store.incidents(limit=100_000)}
        tickets = Counter(ticket.key for _, ticket in store.tickets(limit=100_000))
    finally:
        store.close()
    said = f"seed {seed}: {len(rows)} messages, {sum(caught.values())} caught in the air"
    assert set(acknowledged) <= numbers, said
    assert {row.state for row in rows.values()} <= {"done", "withdrawn"}, said
    assert [name for name, row in rows.items() if row.state == "done" and not taken[name]] == [], said
    assert taken.keys() <= rows.keys(), said
    assert [name for name, copies in taken.items() if copies > 1 + caught[name]] == [], said
    assert max(taken.values()) <= 2, said
    assert sum(caught.values()) >= CAUGHT_MIN, f"{said}: the kills hit nothing"
    assert tickets == dict.fromkeys(numbers, 1), said
