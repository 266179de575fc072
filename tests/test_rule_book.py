"""Every rule of the process has a test that proves it, and the page that says which is as fresh as the tests."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parent.parent / "tools" / "rules.py"

# Rules that nothing keeps yet. Each goes from here when it is built; none is ever added.
MISSING: frozenset[str] = frozenset({})


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rules_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_rule_has_a_test(tool: ModuleType):
    proved = tool.proofs().keys()
    assert {rule for rule in tool.rules() if rule not in proved} == MISSING


def test_the_page_says_what_the_tests_say(tool: ModuleType):
    assert tool.PAGE.read_text() == tool.page(), "write it anew: python tools/rules.py"


def test_a_marker_counts_on_a_test_its_class_its_parameters_and_its_module(tool: ModuleType):
    module = ast.parse(
        """
pytestmark = [pytest.mark.rule("A-1")]

@pytest.mark.rule("A-2", "A-3")
async def test_one(): ...

@pytest.mark.rule("A-4")
class TestMore:
    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rule("A-5"))])
    def test_two(self, x): ...

@pytest.mark.rule("A-6")
def helper(): ...
"""
    )
    found = list(tool.marked(module, "rule"))
    assert found == [("test_one", ["A-1", "A-2", "A-3"]), ("test_two", ["A-1", "A-4", "A-5"])]
