"""Years of incidents, people, crashes, sick channels, full disks: nothing is lost, nothing early, nothing late."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulator import invariants, seeds
from tests.simulator.world import Outcome, simulate

HASHES_DAYS, HASHES_ROUGH = 1.0, 10.0


def well(outcome: Outcome, days: float, rough: float = 1.0) -> None:
    """Fail with the end of the trace, and with how to see it again."""
    if outcome.faults:
        again = f"python -m tests.simulator --seed {outcome.seed} --days {days:g} --rough {rough:g}"
        seen = [f"{fault.invariant}: {fault.what}" for fault in outcome.faults]
        pytest.fail("\n".join([*outcome.tail[-40:], *seen, again]), pytrace=False)


def test_every_invariant_has_its_place():
    named = {f"I{number}" for number in range(1, 17)}
    assert invariants.CHECKED.keys() | invariants.ELSEWHERE.keys() == named
    assert not invariants.CHECKED.keys() & invariants.ELSEWHERE.keys()


def test_as_many_years_are_lived_as_is_said():
    years = (len(seeds.SHORT_SEEDS) * seeds.SHORT_DAYS + seeds.LONG_DAYS) / 365
    assert years >= seeds.YEARS


@pytest.mark.fault(2, 3, 4, 6, 39)
@pytest.mark.rule("DSP-3", "DSP-4", "ESC-1", "SLA-7", "LIF-9")
@pytest.mark.parametrize("seed", seeds.SHORT_SEEDS)
def test_a_quarter_of_a_year(seed: int):
    well(simulate(seed, seeds.SHORT_DAYS), seeds.SHORT_DAYS)


@pytest.mark.fault(6, 39)
def test_a_long_life_of_one_house():
    outcome = simulate(seeds.LONG_SEED, seeds.LONG_DAYS)
    well(outcome, seeds.LONG_DAYS)
    assert outcome.counts["crashes"] > seeds.LONG_DAYS / 8


@pytest.mark.parametrize("seed", seeds.ROUGH_SEEDS)
def test_ten_days_in_which_all_goes_wrong(seed: int):
    well(simulate(seed, seeds.ROUGH_DAYS, seeds.ROUGH), seeds.ROUGH_DAYS, seeds.ROUGH)


@pytest.mark.parametrize(("seed", "days", "rough", "what"), seeds.FOUND)
def test_what_was_found_once_is_mended(seed: int, days: float, rough: float, what: str):
    well(simulate(seed, days, rough), days, rough)


def test_the_same_seed_gives_the_same_trace_whatever_the_hashes_of_the_process():
    here = simulate(7, HASHES_DAYS, HASHES_ROUGH).hash
    assert simulate(7, HASHES_DAYS, HASHES_ROUGH).hash == here
    assert simulate(8, HASHES_DAYS, HASHES_ROUGH).hash != here
    command = [sys.executable, "-m", "tests.simulator", "--seed=7", f"--days={HASHES_DAYS}", f"--rough={HASHES_ROUGH}"]
    for hashes in ("1", "2"):
        environ = {**os.environ, "PYTHONHASHSEED": hashes}
        said = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
        assert f"trace {here}" in said.stdout, f"{said.stdout[-2000:]}{said.stderr[-2000:]}"
