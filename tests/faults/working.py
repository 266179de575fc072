"""Works on a store, one commit after the other: ``python -m tests.faults.working FOLDER SEED COMMITS SYNCHRONOUS``.

In FOLDER ``acknowledged`` holds a line for each commit that returned: the incident, and how many events it has.
"""

from __future__ import annotations

import os
import random
import sys
from datetime import timedelta
from pathlib import Path
from typing import Literal

from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.model import Result
from sentinel.store import lock, open_store
from sentinel.store.base import ProbeState, Sample, Write
from tests.store.lives import ALICE, BOB, MINUTE, START, Life, settled

INCIDENTS_AT_ONCE = 6
CLOSED_AFTER_EVENTS = 12
TEXT_MAX_CHARS = 3_000
RESULTS_EVERY = 5


def work(folder: Path, seed: int, commits: int, synchronous: Literal["full", "normal"]) -> None:
    """Open incidents, write into them and close them, in no order."""
    chance = random.Random(seed)
    url = f"sqlite:///{folder}/state/sentinel.db"
    known = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for each in open_store(url, synchronous=synchronous):
        each.close()
    with lock(url):
        store, results = open_store(url, synchronous=synchronous)
        lives: list[Life] = []
        numbers = iter(range(1, commits + 1))
        for count in range(commits):
            if len(lives) < INCIDENTS_AT_ONCE:
                lives.append(Life(f"INC-{next(numbers)}"))
            life = chance.choice(lives)
            store.commit(step(life, chance, count))
            assert life.state is not None
            os.write(known, f"{life.number} {life.state.sequence}\n".encode())
            if life.state.phase == "closed":
                lives.remove(life)
            if count % RESULTS_EVERY == 0:
                at = START + count * MINUTE
                seen = Result(probe="web", target="www", at=at, duration_s=0.1, ok=True)
                state = ProbeState(probe="web", target="www", track=b"{}", last=seen)
                results.record([state], [], [Sample("web", "www", at, True, 0.1)])
        os._exit(0)  # As it is when the power goes: nothing is tidied up.


def step(life: Life, chance: random.Random, count: int) -> Write:
    """Return what comes next in an incident, with what came of its messages."""
    at = START + count * MINUTE
    if life.state is None:
        return life.open(at, tell=(ALICE, BOB))
    if life.state.sequence >= CLOSED_AFTER_EVENTS:
        return life.close(at)
    text = "".join(chance.choices("abcdefgh ", k=chance.randint(1, TEXT_MAX_CHARS)))
    write = life.step(e.Noted(at=at, by="alice", text=text, tell=(ALICE,)))
    done = [settled(row, "done", at + timedelta(seconds=1)) for row in write.outbox if chance.random() < 0.5]
    return replace(write, settlements=done)


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), "full" if sys.argv[4] == "full" else "normal")
