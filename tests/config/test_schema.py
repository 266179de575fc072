"""The schema says what the loader does: it takes a good file, and refuses what editors should underline."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from sentinel.config.schema import json_schema
from tests.config.conftest import GOOD

EXAMPLES = [GOOD, *sorted(Path(__file__).parent.parent.parent.glob("probes*.yaml"))]
SCHEMA = json_schema()


class Yaml12Loader(yaml.SafeLoader):
    """Reads as editors do: `on` and `22:30` are texts, dates too."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":int", ":float", ":null", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Yaml12Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def read(path):
    return yaml.load(path.read_text(), Yaml12Loader)


def complaints(document):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_good_file_passes(path):
    assert complaints(read(path)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("probs",), {}),
        (("site", "nam"), "A"),
        (("defaults", "interval"), "5 minutes"),
        (("probes", "extra"), {"type": "tpc"}),
        (("probes", "extra"), {"type": "tcp", "target": "a:1", "expct": {}}),
        (("probes", "extra"), {"target": "a:1"}),
        (("channels", "extra"), {"type": "smtp"}),
        (("people", "amina", "role"), "admn"),
        (("rules", 0, "level"), 4),
        (("escalations", "p1", 0, "unless"), "never mind"),
        (("calendars", "shifts", "hours", "sat"), "10h-16h"),
        (("calendars", "shifts", "hours"), {}),
        (("calendars", "shifts", "holiday"), "FR"),
        (("sla", "gold", "resolve", "P1"), "1d4h"),
        (("sla", "gold", "resolve", "P5"), "4h"),
        (("sla", "mixed", "calendar", "P5"), "business"),
        (("sla", "clocks", "pending_stops"), "resolved"),
    ],
)
def test_what_the_loader_refuses_is_refused(path, value):
    document = copy.deepcopy(read(GOOD))
    place = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert complaints(document)
