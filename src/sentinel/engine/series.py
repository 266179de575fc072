"""The ``probe_*`` series: each result writes its lines once, and the page is a join.

Ten thousand targets of ten series each take some 15 ms this way, against most of a second through a client library.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
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
ZERO_OR_ONE: Final = frozenset({0.0, 1.0})
IDENTITIES_KEPT_MAX: Final = 16_384
LABELS_KEPT_MAX: Final = 1_024
IDENTITY: Final = ("probe", "service", "target", "site")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

Samples = dict[tuple[str, Labels], float]


def escape(text: str) -> str:
    """Make a text safe as a label's value: escaped, cut, and without what UTF-8 cannot write."""
    clean = text[:LABEL_MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write_lines(row: Row, result: Result, samples: Samples, phases: dict[str, float]) -> dict[str, bytes]:
    """Return the lines of one result, by metric; ``samples`` and ``phases`` are those of the run's sight.

    This is done at every run: what is the same each time, which is all but the numbers, is put together once.
    """
    plan = row.plan
    seen: list[tuple[str, Labels, float]] = [
        ("probe_success", (), result.ok),
        ("probe_duration_seconds", (), result.duration_s),
        ("probe_timeout_seconds", (), plan.timeout_s),
        ("probe_last_run_timestamp_seconds", (), result.at.timestamp()),
        ("probe_confirmed_failing", (), row.track.failing),
    ]
    if row.muted:
        seen.append(("probe_muted", (("reason", row.muted),), 1.0))
    if result.value is not None:
        seen.append(("probe_value", (), result.value))
    ours = {metric for metric, _, _ in seen}
    theirs = [(metric, labels, value) for (metric, labels), value in samples.items()]
    if phases and (phase_metric := kind_of(plan.type).phase_metric):
        timed = [
            (phase_metric, _phase(phase), seconds)
            for phase, seconds in phases.items()
            if (phase_metric, _phase(phase)) not in samples
        ]
        theirs = timed + theirs
    seen += [one for one in theirs[:SERIES_PER_TARGET_MAX] if one[0] in PROBE_HELP and one[0] not in ours]
    identity = _identity(plan.name, plan.service, row.target, plan.site)
    lines: dict[str, bytes] = {}
    for metric, labels, value in seen:
        line = f"{metric}{{{identity}{_more(labels) if labels else ''}}} {_number(value)}\n".encode()
        lines[metric] = lines[metric] + line if metric in lines else line
    return lines


@lru_cache(maxsize=IDENTITIES_KEPT_MAX)
def _identity(probe: str, service: str, target: str, site: str) -> str:
    """Return the labels that every line of a target has."""
    values = (probe, service, shown(target), site)
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(IDENTITY, values, strict=True))


@lru_cache(maxsize=LABELS_KEPT_MAX)
def _more(labels: Labels) -> str:
    """Return further labels, each with a comma before it."""
    return "".join(f',{_label(name)}="{escape(text)}"' for name, text in labels)


@lru_cache(maxsize=LABELS_KEPT_MAX)
def _phase(name: str) -> Labels:
    """Return the label of a phase."""
    return (("phase", name),)


def mark_muted(row: Row) -> None:
    """Bring the line that says whether a target is muted in line with what it is now; the others stay."""
    now = write_known_lines(row)
    row.chunks.pop("probe_muted", None)
    if "probe_muted" in now:
        row.chunks["probe_muted"] = now["probe_muted"]


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
    if value in ZERO_OR_ONE:  # What most are.
        return "1" if value else "0"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    whole = int(value)
    return str(whole) if whole == value and abs(value) < EXACT_MAX else repr(float(value))
