"""Write docs/rules.md: every rule of the incident process, with the tests that prove it.

A test proves a rule when it says so: ``@pytest.mark.rule("SLA-4")``, on itself, its class or its module. The rules are
those of tests/rules.txt. ``python tools/rules.py`` writes the page; a test compares it with what this would write.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "rules.md"
SHOWN_MAX = 4

SUBJECTS = {
    "SRC": "Where incidents come from",
    "CLS": "Classification",
    "LIF": "Life cycle",
    "CAL": "Calendars and business time",
    "SLA": "Clocks and targets",
    "DSP": "Dispatch",
    "ESC": "Escalation and on-call",
    "MAJ": "Major incidents and crises",
    "REX": "After the incident",
    "CHG": "Planned changes and quality levels",
}

HEAD = """# The rules, and what proves them

Every rule of the incident process that Sentinel keeps, by its id, with the tests that would fail without it. This page
is written by `python tools/rules.py` from the markers of the tests.
"""


def rules() -> dict[str, str]:
    """Return every rule: its id, and in a few words what it says."""
    lines = (TESTS / "rules.txt").read_text().splitlines()
    return {line.split(maxsplit=1)[0]: line.split(maxsplit=1)[1] for line in lines}


def proofs() -> dict[str, list[tuple[Path, str]]]:
    """Return for each rule that is named the tests that name it: their file, their name."""
    found: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, named in marked(ast.parse(path.read_text()), "rule"):
            for rule in dict.fromkeys(named):
                found[rule].append((path.relative_to(ROOT), name))
    return found


def marked(module: ast.Module, marker: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield each test of a module, with what its markers of that name say."""
    whole = [
        one
        for node in module.body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
        for one in _named([node.value], marker)
    ]
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            here = [*whole, *_named(node.decorator_list, marker)]
            for inner in node.body:
                yield from _test(inner, here, marker)
        else:
            yield from _test(node, whole, marker)


def _test(node: ast.stmt, around: list[Any], marker: str) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
        yield node.name, [*around, *_named(node.decorator_list, marker)]


def _named(marks: Iterable[ast.expr], marker: str) -> list[Any]:
    """Return what decorators of that name say, those inside the parameters of a test among them."""
    return [
        argument.value
        for mark in marks
        for call in ast.walk(mark)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == marker
        for argument in call.args
        if isinstance(argument, ast.Constant)
    ]


def page() -> str:
    """Return docs/rules.md as it ought to be."""
    proved, parts = proofs(), [HEAD]
    for prefix, title in SUBJECTS.items():
        parts.append(f"## {title}\n\n| rule | in short | proved by |\n|---|---|---|")
        for rule, words in rules().items():
            if rule.startswith(f"{prefix}-"):
                parts.append(f"| {rule} | {words} | {cell(proved.get(rule, []))} |")
        parts.append("")
    return "\n".join(parts)


def cell(tests: list[tuple[Path, str]]) -> str:
    """Return the tests of a line for its cell: the first ones by name, of the others how many."""
    if not tests:
        return "**nothing yet**"
    by_file: dict[Path, list[str]] = defaultdict(list)
    for path, name in tests:
        by_file[path].append(name.removeprefix("test_").replace("_", " "))
    shown, said = [], 0
    for path, names in by_file.items():
        if said >= SHOWN_MAX:
            break
        listed = names[: SHOWN_MAX - said]
        said += len(listed)
        shown.append(f"[{path.relative_to('tests')}](../{path}): " + "; ".join(listed))
    more = len(tests) - said
    return "<br>".join(shown) + (f"<br>and {more} more" if more else "")


if __name__ == "__main__":
    PAGE.write_text(page())
    proved = proofs()
    missing = [rule for rule in rules() if rule not in proved]
    sys.exit(f"without a test: {', '.join(missing)}" if missing else 0)
