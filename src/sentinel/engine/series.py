"""The ``probe_*`` series: each result writes its lines once, and the page is a join.

Ten thousand targets of ten series each take some 15 ms this way, against most of a second through a client library.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from sentinel.core.model import Result
from sentinel.engine.live import Row
from sentinel.probes import kind as kind_of
from sentinel.probes.base import Labels
from sentinel.probes.help import PROBE_HELP
from sentinel.probes.plan import shown

SERIES_PER_TARGET_MAX: Final = 60  # Threat T13: labels that a target can choose must not fill the page.
LABEL_MAX_CHARS: Final = 400
EXACT_MAX: Final = 2.0**53
IDENTITY: Final = ("probe", "service", "target", "site")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

Samples = dict[tuple[str, Labels], float]


def escape(text: str) -> str:
    """Make a text safe as a label's value: escaped, cut, and without what UTF-8 cannot write."""
    clean = text[:LABEL_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write_lines(row: Row, result: Result, samples: Samples, phases: dict[str, float]) -> dict[str, bytes]:
    """Return the lines of one result, by metric; ``samples`` and ``phases`` are those of the run's sight."""
    plan = row.plan
    identity = ",".join(
        f'{name}="{escape(value)}"'
        for name, value in zip(IDENTITY, (plan.name, plan.service, shown(row.target), plan.site), strict=True)
    )
    lines: dict[str, str] = {}

    def add(metric: str, value: float, *labels: tuple[str, str]) -> None:
        more = "".join(f',{_label(name)}="{escape(text)}"' for name, text in labels)
        lines[metric] = f"{lines.get(metric, '')}{metric}{{{identity}{more}}} {_number(float(value))}\n"

    add("probe_success", result.ok)
    add("probe_duration_seconds", result.duration_s)
    add("probe_timeout_seconds", plan.timeout_s)
    add("probe_last_run_timestamp_seconds", result.at.timestamp())
    add("probe_confirmed_failing", row.track.failing)
    if row.muted:
        add("probe_muted", 1.0, ("reason", row.muted))
    if result.value is not None:
        add("probe_value", result.value)
    ours = set(lines)
    phase_metric = kind_of(plan.type).phase_metric
    seen = {(phase_metric, (("phase", phase),)): seconds for phase, seconds in phases.items()} if phase_metric else {}
    for (metric, labels), value in list((seen | samples).items())[:SERIES_PER_TARGET_MAX]:
        if metric in PROBE_HELP and metric not in ours:
            add(metric, value, *labels)
    return {metric: text.encode() for metric, text in lines.items()}


def write_known_lines(row: Row) -> dict[str, bytes]:
    """Return the lines that can be written of a last result alone, as after a restart; none where there is none."""
    if row.last is None or row.plan.paused:
        return {}
    return write_lines(row, row.last, {}, {})


def parts(rows: Iterable[Row]) -> list[bytes]:
    """Return the ``probe_*`` part of the metrics page in pieces, families in order of their names.

    In pieces because the page is large, and copying it once more costs as much as finding them.
    """
    families: defaultdict[str, list[bytes]] = defaultdict(list)
    for row in rows:
        for metric, lines in row.chunks.items():
            families[metric].append(lines)
    found: list[bytes] = []
    for metric in sorted(families):
        found.append(f"# HELP {metric} {PROBE_HELP[metric]}\n# TYPE {metric} gauge\n".encode())
        found += families[metric]
    return found


def _label(name: str) -> str:
    """Return a label's name that no line holds twice: patterns of a configuration name labels of their own."""
    name = name if LABEL.fullmatch(name) else re.sub("[^a-zA-Z0-9_]", "_", f"_{name}")
    return f"exported_{name}" if name in IDENTITY or name.startswith("__") else name


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    return str(int(value)) if value.is_integer() and abs(value) < EXACT_MAX else repr(value)
