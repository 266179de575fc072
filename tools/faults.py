"""Write docs/faults-catalogue.md: every fault of the catalogue, with the tests that show what comes of it.

A test shows a fault when it says so: ``@pytest.mark.fault(11)``, on itself, its class, its parameters or its module.
The faults are those of tests/faults/catalogue.txt. ``python tools/faults.py`` writes the page; a test compares it with
what this would write.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
CATALOGUE = TESTS / "faults" / "catalogue.txt"
PAGE = ROOT / "docs" / "faults-catalogue.md"

HEAD = """# The faults, and what shows that they are survived

What can go wrong on one machine, by the numbers that tests and code use, with the tests that make it go wrong.
[A sick host](faults.md) tells the story of those that need one. `make test` runs a bounded part of what could go on
for ever (kills, power cuts, simulated years), `make faults` all of it. This page is written by `python tools/faults.py`
from the markers of the tests.
"""


class Fault(NamedTuple):
    """One line of the catalogue. ``beyond`` says why no test of one machine can show it."""

    number: int
    words: str
    beyond: str

    @property
    def name(self) -> str:
        return f"F{self.number}"


def catalogue() -> dict[str, list[Fault]]:
    """Return the faults by subject, in their order."""
    found: dict[str, list[Fault]] = {}
    for line in CATALOGUE.read_text().splitlines():
        if line.startswith("# "):
            found[line.removeprefix("# ")] = here = []
            continue
        name, _, said = line.partition(" ")
        words, _, beyond = said.partition(" * ")
        here.append(Fault(int(name.removeprefix("F")), words, beyond))
    return found


def missing() -> list[str]:
    """Return the faults of one machine that no test shows."""
    shown = proofs()
    return [one.name for some in catalogue().values() for one in some if not one.beyond and one.number not in shown]


def proofs() -> dict[int, list[tuple[Path, str]]]:
    """Return for each fault that is named the tests that name it: their file, their name."""
    found: dict[int, list[tuple[Path, str]]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        if "mark.fault(" not in text:
            continue
        for name, named in rules.marked(ast.parse(text), "fault"):
            for number in dict.fromkeys(named):
                found[number].append((path.relative_to(ROOT), name))
    return found


def page() -> str:
    """Return docs/faults-catalogue.md as it ought to be."""
    shown, parts = proofs(), [HEAD]
    for title, faults in catalogue().items():
        parts.append(f"## {title}\n\n| fault | what comes of it | shown by |\n|---|---|---|")
        parts += [
            f"| {one.name} | {one.words} | {one.beyond or rules.cell(shown.get(one.number, []))} |" for one in faults
        ]
        parts.append("")
    return "\n".join(parts)


def _beside(name: str) -> ModuleType:
    """Load the tool beside this one: tools are run as files, and are no package."""
    spec = importlib.util.spec_from_file_location(f"{name}_tool", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rules = _beside("rules")

if __name__ == "__main__":
    PAGE.write_text(page())
    sys.exit(f"without a test: {', '.join(missing())}" if missing() else 0)
