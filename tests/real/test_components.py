"""A component that is absent is skipped and named on a person's machine, and fails the run in CI."""

from __future__ import annotations

import pytest

from tests.real.components import COMPONENTS, Component

pytest_plugins = ["pytester"]

INI = "[pytest]\nmarkers =\n    real(component): x\n    rule(id): x\nasyncio_default_fixture_loop_scope = function\n"


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with our conftest, and a component that no machine has."""
    monkeypatch.setitem(COMPONENTS, "unicorn", Component("unicorn-4f1c", "unicorn-server"))
    pytester.makeini(INI)
    pytester.makeconftest("from tests.conftest import *")
    return pytester


def test_an_absent_component_skips_the_test_and_is_named_at_the_end(project, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    project.makepyfile(
        "import pytest\n@pytest.mark.real('unicorn')\ndef test_it(): assert False\ndef test_other(): pass"
    )
    outcome = project.runpytest_inprocess()
    outcome.assert_outcomes(passed=1, skipped=1)
    outcome.stdout.fnmatch_lines(["*real components that could not be had*", "unicorn (Debian package unicorn-server)"])


def test_an_absent_component_fails_the_run_in_ci(project, monkeypatch):
    monkeypatch.setenv("CI", "true")
    project.makepyfile("import pytest\n@pytest.mark.real('unicorn')\ndef test_it(): pass")
    outcome = project.runpytest_inprocess()
    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["*with CI=true every component must be there*"])


@pytest.mark.parametrize(("mark", "name"), [("real", "postfixx"), ("rule", "DSP-99")])
def test_a_marker_that_names_nothing_is_a_usage_error(project, mark, name):
    project.makepyfile(f"import pytest\n@pytest.mark.{mark}({name!r})\ndef test_it(): pass")
    outcome = project.runpytest_inprocess()
    assert outcome.ret == pytest.ExitCode.USAGE_ERROR
    outcome.stderr.fnmatch_lines([f"*there is no such {mark}*"])
