"""The page that ``/probe`` answers with: everything but the numbers is put together once for all that say the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Final, TypeAlias

from sentinel.probes.base import Labels, ProbeKind, Sight
from sentinel.probes.help import PROBE_HELP
from sentinel.probes.numbers import NUMBER, fill

FORMS_KEPT_MAX = 1024

Key: TypeAlias = tuple[str, Labels]
Pick: TypeAlias = Callable[[tuple[float, ...]], tuple[float, ...]]
ALWAYS: Final[tuple[Key, ...]] = (
    ("probe_success", ()),
    ("probe_duration_seconds", ()),
    ("probe_timeout_seconds", ()),
)


def render(kind: ProbeKind, sight: Sight, ok: bool, duration_s: float) -> str:
    """Write what was seen in Prometheus' text format 0.0.4, the families in order, without labels of our own."""
    form, pick = _form(kind.phase_metric, tuple(sight.samples), tuple(sight.phases))
    return fill(form, pick((float(ok), duration_s, sight.timeout_s, *sight.phases.values(), *sight.samples.values())))


@lru_cache(maxsize=FORMS_KEPT_MAX)
def _form(phase_metric: str, samples: tuple[Key, ...], phases: tuple[str, ...]) -> tuple[str, Pick]:
    """Return the answer of all probes that see the same things, numbers aside, and what takes these in their order."""
    timed: tuple[Key, ...] = tuple((phase_metric, (("phase", phase),)) for phase in phases)
    place_of = {key: place for place, key in enumerate((*ALWAYS, *timed, *samples))}
    place_of |= {key: place for place, key in enumerate((*ALWAYS, *timed))}
    lines, last = [], ""
    known = [key for key in sorted(place_of) if key[0] in PROBE_HELP]
    for metric, labels in known:
        if metric != last:
            lines.append(f"# HELP {metric} {PROBE_HELP[metric]}\n# TYPE {metric} gauge\n".replace("%", "%%"))
            last = metric
        inner = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels).replace("%", "%%")
        lines.append(f"{metric}{{{inner}}} {NUMBER}\n" if inner else f"{metric} {NUMBER}\n")
    return "".join(lines), itemgetter(*(place_of[key] for key in known))


def _escaped(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
