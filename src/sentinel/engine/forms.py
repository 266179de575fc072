"""What the ``probe_*`` lines of a result say but for its numbers and its target: one form for all that say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final

from sentinel.probes import kind as kind_of
from sentinel.probes.base import Labels
from sentinel.probes.help import PROBE_HELP
from sentinel.probes.numbers import NUMBER, PLAIN_MAX, write

LABEL_MAX_CHARS: Final = 400
LABELS_KEPT_MAX: Final = 1_024
FORMS_KEPT_MAX: Final = 2_048
IDENTITY: Final = ("probe", "service", "target", "site")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# Nine digits of a duration are a microsecond of a quarter of an hour, and moments are told to the millisecond: every
# digit costs memory for each target, and time at each run.
DURATION: Final = "%.9g"
MOMENT: Final = "%.13g"

# What every result says, in this order.
ALWAYS: Final = (
    "probe_success",
    "probe_duration_seconds",
    "probe_timeout_seconds",
    "probe_last_run_timestamp_seconds",
    "probe_confirmed_failing",
)

Key = tuple[str, Labels]


def escape(text: str) -> str:
    """Make a text safe as a label's value: escaped, cut, and without what UTF-8 cannot write."""
    clean = text[:LABEL_MAX_CHARS].encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@lru_cache(maxsize=LABELS_KEPT_MAX)
def tail(labels: Labels) -> str:
    """Return what stands between a target's own labels and the number: further labels, and the end of all."""
    return "".join(f',{_label(name)}="{escape(text)}"' for name, text in labels) + "} "


@dataclass(frozen=True, slots=True)
class Column:
    """The lines of many targets that differ by nothing but the target and the number."""

    metric: str
    tail: str

    def write(self, labels: list[str], numbers: list[str]) -> str:
        """Write a line for each target, of which there is at least one."""
        head, count = f"{self.metric}{{", len(numbers)
        if numbers.count(numbers[0]) == count:  # As in most columns.
            end = f"{self.tail}{numbers[0]}\n"
            return f"{head}{f'{end}{head}'.join(labels)}{end}"
        parts = [self.tail] * (4 * count)
        parts[::4], parts[2::4], parts[3::4] = labels, numbers, [f"\n{head}"] * count
        parts[-1] = "\n"
        return f"{head}{''.join(parts)}"


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Lines without numbers. ``pick`` takes those of a result's values that stand in them, ``text`` writes them."""

    columns: tuple[Column, ...]
    pick: Callable[[Sequence[float]], tuple[float, ...]]
    text: str

    def write(self, values: Sequence[float]) -> bytes:
        """Write the numbers of a result, one a line, in the order of the columns."""
        numbers = self.pick(values)
        if -PLAIN_MAX < sum(numbers) < PLAIN_MAX:
            return (self.text % numbers).encode()
        return "\n".join(map(write, numbers)).encode()  # No number, an endless one, one that needs all digits.


@lru_cache(maxsize=FORMS_KEPT_MAX)
def form_of(kind: str, has_value: bool, phases: tuple[str, ...], samples: tuple[Key, ...]) -> Form:
    """Return the form of all results that say these things."""
    ours: list[Key] = [(metric, ()) for metric in ALWAYS]
    if has_value:
        ours.append(("probe_value", ()))
    phase_metric = kind_of(kind).phase_metric if phases else ""
    timed: list[Key] = [(phase_metric, (("phase", phase),)) for phase in phases]
    taken = {metric for metric, _ in ours} | {"probe_muted"}  # Whether it is stands with the target.
    theirs = [key for key in timed if phase_metric and key not in samples] + list(samples)  # A sample hides a phase.
    theirs = [key for key in theirs if key[0] in PROBE_HELP and key[0] not in taken]
    place_of = {key: place for place, key in enumerate((*ours, *timed, *samples))}
    place_of |= {key: place for place, key in enumerate(ours)}
    keys = (*ours, *theirs)
    columns = tuple(Column(metric, tail(labels)) for metric, labels in keys)
    text = "\n".join(_number(metric) for metric, _ in keys)
    return Form(columns, itemgetter(*(place_of[key] for key in keys)), text)


def _number(metric: str) -> str:
    """Return how the numbers of a metric are written."""
    if metric.endswith("_timestamp_seconds"):
        return MOMENT
    return DURATION if metric.endswith("_seconds") else NUMBER


def _label(name: str) -> str:
    """Return a label's name that no line holds twice: patterns of a configuration name labels of their own."""
    name = name if LABEL.fullmatch(name) else re.sub("[^a-zA-Z0-9_]", "_", f"_{name}")
    return f"exported_{name}" if name in IDENTITY or name.startswith("__") else name
