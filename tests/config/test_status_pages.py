"""Which pages a configuration makes, and what it is told when they make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.config.errors import ConfigError
from sentinel.config.load import load

SERVICES = """\
services: {a: {name: A}, b: {name: B, status_page: p}}
probes: {contract: {type: expiry, ends: 2099-01-01}}
"""


def loaded(folder: Path, pages: str):
    path = folder / "probes.yaml"
    path.write_text(SERVICES + f"status_pages: {pages}\n")
    return load(path)


def test_a_page_shows_what_it_lists_then_who_names_it_and_is_in_use(tmp_path):
    found = loaded(tmp_path, "{p: {services: a}, q: {services: [b, a], path: /status/z, public: yes}}")
    first, second = found.setup.status_pages
    assert (first.services, first.path, first.public, first.title) == (("a", "b"), "/status/p", False, "p")
    assert (second.services, second.path, second.public) == (("b", "a"), "/status/z", True)
    assert not [warning for warning in found.warnings if "status_pages" in str(warning)]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ("{p: {services: a, path: /status/x.json}}", "probes.yaml:3:19: a path must not end in .json or .atom"),
        ("{p: {services: a, publish: out}, q: {services: a, publish: out}}", "`out` is the folder of `p`"),
        ("{p: {services: a, path: /elsewhere}}", "probes.yaml:3"),
        ("{p: {services: a, path: /status/../x}}", "probes.yaml:3"),
    ],
)
def test_a_page_that_makes_no_sense_is_refused_by_its_place(tmp_path, pages, said):
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, pages)
    assert said.replace("`", "") in " ".join(map(str, refused.value.mistakes)).replace("`", "").replace("'", "")
