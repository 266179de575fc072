"""The power is cut at any moment, and what was not synced is lost, torn or there: what was acknowledged is kept."""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel.core import events as e
from sentinel.core.folding import evolve
from sentinel.store import StoreUnfit, open_store
from sentinel.store.base import Recorded, Write
from tests.dose import dose
from tests.faults import power
from tests.faults.power import Call, Disk, Losing

CUTS_IN_ALL = dose(200, 9_000)
RECORDINGS = dose(1, 45)
COMMITS = 150
LIMIT_S = 60
GOES_ON_EVERY = 5
AT_THE_BEGINNING = 0.03  # of the cuts: while the tables are made, each costs a migration.


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Call]]:
    """What a store did whose every sync was meant."""
    return recorded(tmp_path_factory.mktemp("sound"), 2, "full")


@dataclass
class Found:
    """What a cut left: commits that were acknowledged and are not there, and what else is wrong."""

    lost: int
    wrong: list[str]


def recorded(tmp_path: Path, seed: int, synchronous: str) -> tuple[Path, list[Call]]:
    root = tmp_path / "before"
    root.mkdir(mode=0o700)
    command = [sys.executable, "-m", "tests.faults.working", root, str(seed), str(COMMITS), synchronous]
    return root, power.record(command, root, tmp_path / "trace", limit_s=LIMIT_S)


def cuts(calls: list[Call], count: int, chance: random.Random) -> list[tuple[int, Losing]]:
    """Choose after which calls the power is cut, in order, and what that does to what was not synced."""
    first = next(number for number, call in enumerate(calls) if call.path.name == "acknowledged" and call.content)
    early = round(count * AT_THE_BEGINNING)
    moments = [chance.randrange(first) for _ in range(early)]
    moments += [chance.randrange(first, len(calls)) for _ in range(count - early)]
    return [(moment, power.LOSSES[number % len(power.LOSSES)]) for number, moment in enumerate(sorted(moments))]


def after_each(calls: list[Call], root: Path, chosen: list[tuple[int, Losing]], chance: random.Random) -> list[Found]:
    """Cut the power at each moment, open the store on what is left, and look."""
    disk, acknowledged, found, done = Disk(root), Counter[str](), [], 0
    folder = root.with_name("after")
    for moment, losing in chosen:
        for call in calls[done : moment + 1]:
            disk.take(call)
            if call.path.name == "acknowledged" and call.content:
                number, sequence = call.content.decode().split()
                acknowledged[number] = int(sequence)
        done = moment + 1
        power.write(disk.left(losing, chance), root, folder, chance)
        found.append(looked_at(folder, acknowledged, go_on=len(found) % GOES_ON_EVERY == 0))
        if found[-1].wrong:
            found[-1].wrong.append(f"cut after call {moment} of {len(calls)}, lost: {losing.__name__}")
        shutil.rmtree(folder, ignore_errors=True)
    return found


def looked_at(folder: Path, acknowledged: Counter[str], *, go_on: bool) -> Found:
    """Open the store as the daemon does, compare it with what was acknowledged, and go on with it."""
    try:
        store, results = open_store(f"sqlite:///{folder}/state/sentinel.db")
    except StoreUnfit as failure:
        return Found(0, [str(failure)])
    try:
        wrong = [f"{fault.where}: {fault.what}" for fault in store.verify()]
        states = {state.number: state for state in store.incidents(limit=COMMITS)}
        there = {number: states[number].sequence if number in states else 0 for number in acknowledged}
        lost = sum(max(0, sequence - there[number]) for number, sequence in acknowledged.items())
        ahead = {number: there[number] - sequence for number, sequence in acknowledged.items()}
        # What was under way may be there: the last commit, of one event or, when it closes an incident, of two.
        if sum(max(0, more) for more in ahead.values()) > 2:
            wrong.append(f"nobody was told that these were written: {ahead}")
        if go_on and not lost and (last := next((state for state in states.values() if state.closed_at is None), None)):
            event = e.Noted(at=last.updated_at, by="bob", text="the power is back")
            later = evolve(last, event)
            store.commit(Write(events=[Recorded(last.number, later.sequence, event)], incidents=[later]))
        results.states()
        return Found(lost, wrong)
    finally:
        store.close()
        results.close()


@pytest.mark.fault(11)
@pytest.mark.rule("DSP-3")
@pytest.mark.real("strace")
@pytest.mark.parametrize("recording", range(RECORDINGS))
def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path, recording: int):
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    root, calls = recorded(tmp_path, seed, "full")
    assert [call.path.name for call in calls if call.kind == "sync"].count("sentinel.db") >= 3, (
        "it was tidied up meanwhile"
    )
    found = after_each(calls, root, cuts(calls, CUTS_IN_ALL // RECORDINGS, chance), chance)
    assert len(found) == CUTS_IN_ALL // RECORDINGS
    assert [one.wrong for one in found if one.wrong] == [], f"seed {seed}"
    assert sum(one.lost for one in found) == 0, f"seed {seed}"


@pytest.mark.fault(11)
@pytest.mark.real("strace")
def test_without_waiting_for_the_disk_a_power_cut_would_lose_much(tmp_path: Path):
    """The disk of these tests does lose: only so does it say something that nothing was lost."""
    chance = random.Random(1)
    root, calls = recorded(tmp_path, 1, "normal")
    found = after_each(calls, root, cuts(calls, 30, chance), chance)
    assert [one.wrong for one in found if one.wrong] == [], "what is left is sound, as docs/storage.md says"
    assert len([one for one in found if one.lost]) > 10


@pytest.mark.fault(11)
@pytest.mark.real("strace")
@pytest.mark.parametrize("lies", ["sentinel.db-wal", "sentinel.db", "state", "before"])
def test_a_disk_that_only_says_that_it_has_synced_is_found_out(sound: tuple[Path, list[Call]], lies: str):
    chance = random.Random(2)
    root, calls = sound
    calls = [call for call in calls if not (call.kind == "sync" and call.path.name == lies)]
    found = after_each(calls, root, cuts(calls, 25, chance), chance)
    assert [one for one in found if one.lost or one.wrong]
