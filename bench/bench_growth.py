"""What 10,000 probes each 60 s leave on the disk: a minute, an hour of it packed, and who waits for the packing."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from bench.figure import Figure, tell
from sentinel.core.model import Result
from sentinel.engine.live import Live, Row
from sentinel.engine.recorder import Recorder
from sentinel.probes.base import Options
from sentinel.probes.plan import ProbePlan
from sentinel.rules import judge
from sentinel.store.base import ProbeEvent, ResultStore, Sample
from sentinel.store.opening import open_store

PROBES = 10_000
MINUTES = 11  # Of which the first writes every state for the first time, and is not counted.
FAILING = 0.002
HOURS = 6
PACKED_PROBES = 2_000
GROWTH_LIMIT_MIB = 2.0
SAMPLE_LIMIT_BYTES = 10.0
WAIT_LIMIT_S = 1.0
START = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
MIB = 1 << 20


class Told:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.at_s)

    def monotonic(self) -> float:
        return self.at_s


def targets() -> Live:
    live = Live()
    live.replace(
        ProbePlan(
            name=f"web-{number}",
            type="http",
            options=Options(),
            targets=(f"https://www{number}.example.org/login",),
            interval_s=60,
            timeout_s=10,
            fingerprint="1",
        )
        for number in range(PROBES)
    )
    return live


def see(recorder: Recorder, row: Row, at: datetime, chance: random.Random) -> None:
    """Have a target run: its times vary as those of life do, and a few fail."""
    ok = chance.random() >= FAILING
    reason, detail = ("", "") if ok else ("timeout", "no end within 10 s")
    duration_s = chance.lognormvariate(-3, 0.3)
    at += timedelta(microseconds=chance.randrange(3_000))
    result = Result(
        probe=row.plan.name, target=row.target, at=at, duration_s=duration_s, ok=ok, reason=reason, detail=detail
    )
    row.track, turn = judge(row.track, ok, at, need=2 if ok else 1)
    row.last = result
    recorder.add(row, result)
    if turn is not None or not ok:
        recorder.event(
            ProbeEvent(
                probe=row.plan.name,
                target=row.target,
                at=at,
                ok=ok,
                reason=reason,
                detail=detail,
                duration_s=duration_s,
            )
        )


async def minutes(folder: Path, results: ResultStore) -> tuple[float, float, float]:
    """Live some minutes; return the MiB that the file grew by in each, those written, and the seconds of processor."""
    clock, chance, pool = Told(), random.Random(7), ThreadPoolExecutor(1)
    live = targets()
    recorder = Recorder(results, pool, clock, timedelta(days=90))
    await recorder.load(live)
    rows = list(live.rows())
    for minute in range(MINUTES):
        if minute == 1:
            size, written, used = size_bytes(folder), written_bytes(), time.process_time()
        for second in range(60):
            clock.at_s += 1
            for row in rows[second::60]:
                see(recorder, row, clock.now(), chance)
            await recorder.flush()
        if minute % 5 == 0:
            await recorder.finish()  # As the daemon keeps when each was last seen, every five minutes.
    counted = MINUTES - 1
    pool.shutdown()
    took = (time.process_time() - used) / counted
    return (size_bytes(folder) - size) / counted / MIB, (written_bytes() - written) / counted / MIB, took


def size_bytes(folder: Path) -> int:
    """Return the size of the file after its log has been written into it."""
    with sqlite3.connect(folder / "samples.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "samples.db").stat().st_size


def written_bytes() -> int:
    """Return what this process has given the system to write: the log, and the file when the log is written into it."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


def used_bytes(folder: Path) -> int:
    """Return the size of the pages that hold something."""
    with sqlite3.connect(folder / "samples.db") as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def fill(results: ResultStore, probes: int, hour: int, chance: random.Random) -> int:
    for minute in range(60):
        at = START + timedelta(hours=hour, minutes=minute)
        results.record(
            [],
            [],
            [
                Sample(
                    f"web-{number}",
                    f"https://www{number}.example.org/login",
                    at + timedelta(milliseconds=5 * number, microseconds=chance.randrange(3_000)),
                    chance.random() >= FAILING,
                    chance.lognormvariate(-3, 0.3),
                )
                for number in range(probes)
            ],
        )
    return 60 * probes


def packed_bytes(folder: Path, results: ResultStore) -> float:
    """Pack some hours one by one; return the bytes a sample takes."""
    chance, count = random.Random(7), 0
    results.record(
        [], [], [Sample(f"web-{n}", f"https://www{n}.example.org/login", START, True, 0.0) for n in range(1)]
    )
    empty = used_bytes(folder)
    for hour in range(HOURS):
        count += fill(results, PACKED_PROBES, hour, chance)
        results.pack(START + timedelta(hours=hour + 1))
    return (used_bytes(folder) - empty) / count


def longest_wait(results: ResultStore) -> tuple[float, float]:
    """Pack an hour of all targets while samples are written; return the seconds of the longest write, and of all."""
    fill(results, PROBES, HOURS, random.Random(7))
    packing = threading.Thread(target=results.pack, args=(START + timedelta(hours=HOURS + 1),))
    begun, longest = time.perf_counter(), 0.0
    packing.start()
    while packing.is_alive():
        asked = time.perf_counter()
        results.record([], [], [Sample("late", "late", START + timedelta(days=1), True, 0.1)])
        longest = max(longest, time.perf_counter() - asked)
        time.sleep(0.02)
    packing.join()
    return longest, time.perf_counter() - begun


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        _, results = open_store(f"sqlite:///{one}/s/sentinel.db")
        grown, written, used_s = asyncio.run(minutes(Path(one) / "s", results))
        _, results = open_store(f"sqlite:///{other}/s/sentinel.db")
        each = packed_bytes(Path(other) / "s", results)
        longest, whole = longest_wait(results)
    lived = f"{PROBES} probes each 60 s, {MINUTES - 1} minutes, {FAILING:.1%} of the runs fail"
    return tell(
        Figure(
            "growth before packing, a minute", grown, GROWTH_LIMIT_MIB, "MiB", f"{lived}; {written:.1f} MiB written"
        ),
        Figure(
            "a packed sample", each, SAMPLE_LIMIT_BYTES, "bytes", f"{PACKED_PROBES} probes, {HOURS} hours one by one"
        ),
        Figure(
            "a write beside the packing", longest, WAIT_LIMIT_S, "s", f"an hour of {PROBES} targets in {whole:.1f} s"
        ),
        Figure("writing a minute of results", used_s, 0.6, "s", "processor time, what is seen made up in it too"),
    )


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
