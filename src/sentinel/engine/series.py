"""The ``probe_*`` series: a target keeps its numbers and the form of its lines, and the page puts them together.

That is some 400 bytes a target, a tenth of the lines themselves. The page is written metric by metric, for many targets
at a time, from what was kept when it was begun: what happens meanwhile is on the next one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Final

from sentinel.core.model import Result
from sentinel.engine.forms import IDENTITY, Form, Key, escape, form_of, tail
from sentinel.engine.live import Row
from sentinel.probes.help import PROBE_HELP
from sentinel.probes.numbers import write
from sentinel.probes.plan import shown

SERIES_PER_TARGET_MAX: Final = 60  # Threat T13: labels that a target can choose must not fill the page.
LINES_AT_ONCE: Final = 1_000
PIECE_CHARS: Final = 64 * 1024

Samples = dict[Key, float]


def keep(row: Row, result: Result, samples: Samples, phases: dict[str, float]) -> None:
    """Keep what a result says of its target; ``samples`` and ``phases`` are those of the run's sight.

    Samples whose labels tell what the target itself says, such as its certificate, are lines of that target alone.
    """
    keys, numbers, told = [], [], []
    for key, number in islice(samples.items(), max(0, SERIES_PER_TARGET_MAX - len(phases))):
        if not key[0].endswith("_info"):
            keys.append(key)
            numbers.append(number)
        elif key[0] in PROBE_HELP:
            told.append((key[0], f"{tail(key[1])}{write(number)}\n"))
    value = result.value
    form = form_of(row.plan.type, value is not None, tuple(phases), tuple(keys))
    ours = (result.ok, result.duration_s, row.plan.timeout_s, result.at.timestamp(), row.track.failing)
    seen = (*ours, *phases.values(), *numbers) if value is None else (*ours, value, *phases.values(), *numbers)
    row.form, row.numbers = form, form.write(seen)
    if not row.labels:
        identify(row)
    if row.told or told:
        row.told = tuple(told)


def keep_known(row: Row) -> None:
    """Keep what can be said of a last result alone, as after a restart; nothing where there is none."""
    if row.last is not None and not row.plan.paused:
        keep(row, row.last, {}, {})


def pieces(slices: Iterable[list[Row]]) -> Iterator[bytes]:
    """Yield the ``probe_*`` part of the metrics page, families in order of their names; a pause is an empty piece.

    Between two pieces others may have their turn: each takes about a millisecond at most.
    """
    kept = _Kept()
    for rows in slices:
        for row in rows:
            kept.take(row)
        yield b""
    yield from kept.pieces()


class _Kept:
    """What the targets of a page said when it was begun: those with one form together."""

    def __init__(self) -> None:
        self._of_form: dict[Form, tuple[list[str], list[bytes]]] = {}
        self._told: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)

    def take(self, row: Row) -> None:
        form = row.form
        if form is None:
            return
        labels = row.labels or identify(row)
        found = self._of_form.get(form)
        if found is None:
            found = self._of_form[form] = ([], [])
        found[0].append(labels)
        found[1].append(row.numbers)
        for metric, end in row.told:
            self._told[metric].append((labels, end))
        if row.muted:
            self._told["probe_muted"].append((labels, f"{tail((('reason', row.muted),))}1\n"))

    def pieces(self) -> Iterator[bytes]:
        families: defaultdict[str, list[Callable[[], str]]] = defaultdict(list)
        since = 0
        for form, (labels, written) in self._of_form.items():
            for begin in range(0, len(labels), LINES_AT_ONCE):
                some, width = labels[begin : begin + LINES_AT_ONCE], len(form.columns)
                numbers = b"\n".join(written[begin : begin + LINES_AT_ONCE]).decode().split("\n")
                for place, column in enumerate(form.columns):
                    families[column.metric].append(partial(column.write, some, numbers[place::width]))
                since += len(some)
                if since >= LINES_AT_ONCE:
                    since = 0
                    yield b""
        self._of_form.clear()
        for metric in sorted(families.keys() | self._told.keys()):
            yield f"# HELP {metric} {PROBE_HELP[metric]}\n# TYPE {metric} gauge\n".encode()
            yield from _gathered(write() for write in families.pop(metric, ()))
            yield from _gathered(f"{metric}{{{labels}{end}" for labels, end in self._told.pop(metric, ()))


def _gathered(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield texts together until they are large enough to be sent."""
    held, chars = [], 0
    for text in texts:
        held.append(text)
        chars += len(text)
        if chars >= PIECE_CHARS:
            yield "".join(held).encode()
            held, chars = [], 0
    yield "".join(held).encode()


def identify(row: Row) -> str:
    """Put the labels together that every line of a target has, once for as long as its plan stays."""
    values = (row.plan.name, row.plan.service, shown(row.target), row.plan.site)
    row.labels = ",".join(f'{name}="{escape(value)}"' for name, value in zip(IDENTITY, values, strict=True))
    return row.labels
