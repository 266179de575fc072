"""The life cycle as a drawing, made from the table of what is possible: the page in the documentation is this."""

from __future__ import annotations

from typing import Final, get_args

from sentinel.core import commands as c
from sentinel.core import handing
from sentinel.core.incident import ALLOWED
from sentinel.core.model import Phase

# Where a command leads, from wherever it is possible. What stands here is proved by a story for each arrow.
LEADS_TO: Final[dict[type[c.Command], Phase]] = {
    c.Acknowledge: "acknowledged",
    c.Pend: "pending",
    c.Resume: "in_progress",
    c.Resolve: "resolved",
    c.Reopen: "open",
    c.Close: "closed",
    c.Merge: "merged",
    handing.HandBack: "open",
}
# An acknowledgement changes the phase only of what nobody has, and only what somebody has is handed back.
ONLY_FROM: Final[dict[type[c.Command], frozenset[Phase]]] = {
    c.Acknowledge: frozenset({"open"}),
    handing.HandBack: frozenset({"acknowledged", "in_progress", "pending"}),
}
PHASES: Final[tuple[Phase, ...]] = get_args(Phase)


def arrows() -> list[tuple[Phase, Phase, str]]:
    """Return each change of phase that a command can make: from, to, and the command's name."""
    return [
        (phase, to, kind.__name__)
        for kind, to in LEADS_TO.items()
        for phase in PHASES
        if phase in ALLOWED[kind] & ONLY_FROM.get(kind, ALLOWED[kind])
    ]


def mermaid() -> str:
    """Return the drawing in Mermaid's language."""
    lines = ["stateDiagram-v2", "    [*] --> open: Report"]
    lines += [f"    {before} --> {after}: {name}" for before, after, name in arrows()]
    lines += [f"    {phase} --> [*]" for phase in ("closed", "merged")]
    return "\n".join(lines) + "\n"


def table() -> str:
    """Return what is possible in which phase, as a table of Markdown; what is always possible is left out."""
    kinds = [kind for kind in ALLOWED if ALLOWED[kind] != frozenset(PHASES)]
    rows = [f"| command | {' | '.join(f'`{phase}`' for phase in PHASES)} |", "|---" * (len(PHASES) + 1) + "|"]
    for kind in kinds:
        cells = " | ".join("✓" if phase in ALLOWED[kind] else " " for phase in PHASES)
        rows.append(f"| {kind.__name__} | {cells} |")
    return "\n".join(rows) + "\n"
