"""Run seeds and say what came of them: ``python -m tests.simulator --seed 7 --years 1``."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulator.world import Outcome, simulate

YEAR_DAYS = 365.0


def main() -> int:
    """Run the seeds that are asked for; the trace of the first that fails ends with what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other (1)")
    parser.add_argument("--years", type=float, help="how long each lives, in years")
    parser.add_argument("--days", type=float, default=30.0, help="the same in days (30)")
    parser.add_argument("--rough", type=float, default=1.0, help="how often things go wrong, compared with CI (1)")
    parser.add_argument("--tail", type=int, default=60, help="lines of the trace that are shown on a failure (60)")
    wanted = parser.parse_args()
    days = wanted.years * YEAR_DAYS if wanted.years else wanted.days
    for seed in range(wanted.seed, wanted.seed + wanted.seeds):
        begun = time.process_time()
        outcome = simulate(seed, days, wanted.rough)
        took_s = time.process_time() - begun
        if outcome.faults:
            sys.stdout.write("\n".join(outcome.tail[-wanted.tail :]) + "\n")
        sys.stdout.write(told(outcome, days, took_s) + "\n")
        sys.stdout.flush()
        if outcome.faults:
            return 1
    return 0


def told(outcome: Outcome, days: float, took_s: float) -> str:
    """Return the line of one seed."""
    counts = ", ".join(f"{count} {what}" for what, count in outcome.counts.items())
    rate = days / YEAR_DAYS / (took_s / 60)
    faults = "".join(f"\n{fault.invariant}: {fault.what}" for fault in outcome.faults)
    return f"seed {outcome.seed}: {days:g} days, {counts}; {rate:.1f} years a CPU minute; trace {outcome.hash}{faults}"


if __name__ == "__main__":
    raise SystemExit(main())
