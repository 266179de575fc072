"""What every test may count on: markers that mean something, and a summary that names what was absent."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests import left_open
from tests.real.components import COMPONENTS, absent

RULE_IDS = frozenset(line.split()[0] for line in (Path(__file__).parent / "rules.txt").read_text().splitlines())
FAULTS = frozenset(
    int(line.split()[0].removeprefix("F"))
    for line in (Path(__file__).parent / "faults" / "catalogue.txt").read_text().splitlines()
    if not line.startswith("#")
)
# How long an example takes says something about the machine, nothing about the code. CI tries the same ones each time.
settings.register_profile(
    "sentinel",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("sentinel")

ABSENT = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ABSENT] = set()
    # As in operation, where rich draws no stacks either: with the values of every frame one takes it half a second.
    *before, _console = structlog.get_config()["processors"]
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    # To the process's own standard error: a command called inside a test takes ``sys.stdout`` and ``sys.stderr`` over.
    aside = structlog.PrintLoggerFactory(sys.__stderr__)
    structlog.configure(processors=[*before, console], logger_factory=aside)
    left_open.watch()


# They begin first, so that no process works on alone at the end.
LONGEST = frozenset(
    {
        "browser/test_hostile.py",
        "browser/test_journeys.py",
        "faults/test_clock.py",
        "faults/test_crash_points.py",
        "faults/test_power.py",
        "faults/test_random_kills.py",
        "faults/test_storage.py",
        "faults/test_two_daemons.py",
        "real/test_alertmanager.py",
        "real/test_tickets.py",
        "simulator/test_planted.py",
        "simulator/test_simulation.py",
        "systemd/test_unit.py",
        "tests/test_guide.py",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wrong = [complaint for item in items for complaint in complaints(item)]
    if wrong:
        raise pytest.UsageError("\n".join(wrong))
    items.sort(key=lambda item: "/".join(item.path.parts[-2:]) not in LONGEST)


def complaints(item: pytest.Item) -> list[str]:
    """Say which markers of a test name something that does not exist."""
    known = {"rule": RULE_IDS, "real": COMPONENTS.keys(), "fault": FAULTS}
    return [
        f"{item.nodeid}: @pytest.mark.{mark.name}({name!r}): there is no such {mark.name}"
        for mark in item.iter_markers()
        if mark.name in known
        for name in mark.args or ("",)
        if name not in known[mark.name]
    ]


def pytest_runtest_setup(item: pytest.Item) -> None:
    names = tuple(name for mark in item.iter_markers("real") for name in mark.args)
    missing = absent(names)
    if not missing:
        return
    item.config.stash[ABSENT].update(missing)
    reason = f"absent from this machine: {', '.join(missing)}"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; with CI=true every component must be there", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield
    left = left_open.left_open()
    assert not left, f"left open when its loop ended: {', '.join(left)}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = sorted(config.stash[ABSENT])
    if missing:
        terminalreporter.section("real components that could not be had")
        for line in missing:
            terminalreporter.write_line(line)
