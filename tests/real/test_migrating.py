"""What `docs/migrating.md` shows of other programs' files: their own checkers find no fault with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.real.components import where
from tests.test_migrating import shown


def checked(tool: str, words: list[str], file: Path, text: str) -> str:
    """Return what a checker says of a file that it finds good."""
    file.write_text(text)
    done = subprocess.run(
        [where(tool), *words, file], check=False, capture_output=True, text=True, timeout=30, cwd=file.parent
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.real("promtool")
@pytest.mark.parametrize("section", ["Replace Alertmanager", "Replace blackbox_exporter"])
def test_promtool_takes_what_the_guide_shows_of_prometheus_yml(section, tmp_path):
    said = checked("promtool", ["check", "config"], tmp_path / "prometheus.yml", shown(section, "prometheus.yml"))
    assert "SUCCESS" in said


@pytest.mark.real("amtool")
def test_amtool_takes_the_receiver_that_the_guide_shows(tmp_path):
    text = "route: {receiver: ops}\n" + shown("Keep Alertmanager, replace Opsgenie", "alertmanager.yml")
    assert "1 receivers" in checked("amtool", ["check-config"], tmp_path / "alertmanager.yml", text)
