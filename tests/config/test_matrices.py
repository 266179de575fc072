"""Escalation matrices as they are written, and as the core is told of them."""

from __future__ import annotations

import pytest

from sentinel.config.errors import ConfigError
from sentinel.core import audience

FILE = """\
probes:
  web: {type: tcp, target: "web1.example.org:443"}
people:
  elise: {email: elise@example.org}
  ines: {email: ines@example.org, side: customer}
  paul: {mobile: "+33639980009", side: partner}
channels:
  mail: {type: outbox, as: email, path: outbox}
matrices:
  campus:
    name: Campus
    keeper: elise
    committee: COPIL
    in_hours: {1: {provider: elise}, 2: {provider: [elise], customer: [ines]}}
    out_of_hours: {1: {partner: paul, customer: ines}}
escalations:
  p1: [{at: 0m, to: ["matrix:campus/2", "matrix:campus/out/1"], by: %s}]
"""


@pytest.mark.rule("ESC-4")
def test_a_matrix_is_what_was_written_and_its_levels_are_audiences(write):
    directory = write(FILE % "[]").setup.directory
    matrix = directory.matrices["campus"]
    assert (matrix.name, matrix.keeper, matrix.committee, matrix.version) == ("Campus", "elise", "COPIL", 1)
    assert matrix.in_hours == {"1": {"provider": ("elise",)}, "2": {"provider": ("elise",), "customer": ("ines",)}}
    assert [one.id for one in audience.people(("matrix:campus/2",), directory)] == ["elise", "ines"]
    assert [one.id for one in audience.people(("matrix:campus/out/1",), directory)] == ["ines", "paul"]


@pytest.mark.rule("ESC-4")
def test_a_level_that_no_channel_of_a_step_reaches_is_told(write):
    loaded = write(FILE % "mail")
    assert [str(one).partition(": ")[2] for one in loaded.warnings if "matrix:campus/out/1" in str(one)] == [
        "1 of 2 in 'matrix:campus/out/1' cannot be reached by `mail` (at escalations.p1.0.to.1)"
    ]
    with pytest.raises(ConfigError, match="'matrix:campus/out/1' cannot be reached"):
        write((FILE % "mail").replace(", customer: ines}", "}"))
