"""The whole configuration in the documentation has every section, and passes; so does the one that was asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from sentinel.config import model
from sentinel.config.errors import ConfigError
from sentinel.config.load import Loaded, load

ROOT = Path(__file__).parents[2]
FULL = ROOT / "docs" / "examples" / "full.yaml"
ASKED_FOR = ROOT.parent / "shared" / "examples" / "probes.sample.yaml"
SECRET = re.compile(r"\$\{cred:(\w+)\}")
NOT_YET: set[str] = set()
# Credentials with a shape of their own; any other one is an address as good as a key.
SHAPED = {"ovh_sms": "application:secret:consumer", "brevo": "key-0123456789abcdef"}


def loaded(path: Path, folder: Path) -> Loaded:
    for name in set(SECRET.findall(path.read_text())):
        (folder / name).write_text(SHAPED.get(name, f"https://canary.example.org/{name}/0123456789abcdef"))
    return load(path, environ={"CREDENTIALS_DIRECTORY": str(folder)})


def test_the_example_has_every_section():
    written = yaml.load(FULL.read_text(), yaml.BaseLoader)
    assert set(model.TOP_KEYS) - {"include"} - written.keys() == set()


def test_the_example_passes_and_each_of_its_warnings_is_one_of_these(tmp_path):
    told = [f"{warning.path}: {warning.text}" for warning in loaded(FULL, tmp_path).warnings]
    known = ("is not in use yet", "which is not installed", "an outage may go unseen", "its levels ask for")
    assert [line for line in told if not any(part in line for part in known)] == []
    assert [line.partition(":")[0] for line in told if known[0] in line] == []


def test_no_warning_holds_a_secret(tmp_path):
    assert "canary" not in " ".join(map(str, loaded(FULL, tmp_path).warnings))


def test_what_the_example_says_is_what_runs(tmp_path):
    setup = loaded(FULL, tmp_path).setup
    assert setup.services["lending"].depends_on == ("hosting", "mailing")
    assert setup.tickets.of("catalogue") == ("builtin", "glpi")
    assert setup.tickets.of("lending") == ("builtin",)
    assert setup.watchdog.alive_url is not None


@pytest.mark.skipif(not ASKED_FOR.exists(), reason="the document is not part of the project")
def test_the_configuration_that_was_asked_for_passes_but_for_what_is_not_there_yet(tmp_path):
    missing: set[str] = set()
    try:
        loaded(ASKED_FOR, tmp_path)
    except ConfigError as error:
        missing = {mistake.path for mistake in error.mistakes}
    assert missing <= NOT_YET
