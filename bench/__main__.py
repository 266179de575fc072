"""Every measurement, one after another: `python -m bench`, or those that are named: `python -m bench core page`."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> int:
    """Run each in a process of its own; return 0 when every limit was kept."""
    names = sorted(path.stem for path in FOLDER.glob("bench_*.py"))
    unknown = set(wanted) - {name.removeprefix("bench_") for name in names}
    if unknown:
        print(f"There is no measurement {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    chosen = [name for name in names if not wanted or name.removeprefix("bench_") in wanted]
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} processors, load {load}")
    missed = []
    for name in chosen:
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=FOLDER.parent, check=False)
        print(f"  [{name}: {time.perf_counter() - began:.0f} s]", flush=True)
        if done.returncode:
            missed.append(name)
    print(f"MISSED: {', '.join(missed)}" if missed else "All limits kept.")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
