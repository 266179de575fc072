"""Every fault of one machine has a test that shows it, and the page that says which is as fresh as the tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "faults.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("faults_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_catalogue_counts_without_a_gap(tool: ModuleType):
    numbers = [fault.number for faults in tool.catalogue().values() for fault in faults]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_fault_of_one_machine_has_a_test(tool: ModuleType):
    assert tool.missing() == []


def test_the_page_says_what_the_tests_say(tool: ModuleType):
    assert tool.PAGE.read_text() == tool.page(), "write it anew: python tools/faults.py"
