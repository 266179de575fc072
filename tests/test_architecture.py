"""The code keeps to the architecture; and the checks that say so are seen to catch what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest

import sentinel
from sentinel import channels, probes
from tests import structure
from tests.structure import Source

SOURCES = structure.sources(Path(sentinel.__file__).parent)
KNOWN = frozenset(source.name for source in SOURCES)
KINDS = {**probes.KINDS, **channels.KINDS}

CHECKS = {
    "imports": lambda source: structure.forbidden_imports(source, KNOWN),
    "kinds": lambda source: structure.kinds_that_know_each_other(source, KINDS, KNOWN),
    "purity": lambda source: structure.impurities(source, KNOWN),
    "clock": structure.clock_readings,
    "handlers": structure.broad_handlers,
    "reads": structure.unbounded_reads,
    "size": structure.outgrown,
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_code_keeps_to_the_architecture(check):
    complaints = [complaint for source in SOURCES for complaint in CHECKS[check](source)]
    assert not complaints, "\n".join(["the architecture is not kept:", *complaints])


def test_every_named_exception_still_exists():
    functions = {
        f"{source.name}:{f'{function}.{node.name}'.lstrip('.')}"
        for source in SOURCES
        for function, node in structure.within_functions(source.tree)
        if hasattr(node, "name")
    }
    assert {*structure.EDGES, *structure.ASKS_ALL_THE_SAME} <= functions


# What each check is for, planted: (check, module, code).
PLANTED = [
    ("imports", "core.incident", "from sentinel.engine import desk"),
    ("imports", "core.incident", "import sentinel.store.base"),
    ("imports", "probes.tcp", "def run():\n    from sentinel.store.base import Store"),
    ("imports", "probes.tcp", "from sentinel.core.incident import decide"),
    ("imports", "probes.tcp", "import importlib\nimportlib.import_module('sentinel.web.pages')"),
    ("imports", "channels.email", "from sentinel.probes.tcp import run"),
    ("imports", "engine.prober", "from sentinel import daemon"),
    ("imports", "web.pages", "from sentinel.cli import main"),
    ("imports", "web.pages", "import sqlalchemy"),
    ("imports", "tickets.redmine", "from sentinel.core.state import Incident"),
    ("imports", "dispatch", "from sentinel.assembly import build"),
    ("imports", "novelty", "import re"),
    ("kinds", "probes.scenario", "from sentinel.probes.http import Options"),
    ("kinds", "channels.webhook", "from sentinel.channels import outbox"),
    ("purity", "core.incident", "import time"),
    ("purity", "core.incident", "from os import path"),
    ("purity", "rules", "def f():\n    import random"),
    ("purity", "rules", "import aiohttp"),
    ("purity", "rules", "print('hello')"),
    ("purity", "core.incident", "async def decide(): ..."),
    ("clock", "core.incident", "from datetime import UTC, datetime\ndatetime.now(UTC)"),
    ("clock", "channels.email", "import datetime as dt\nnow = dt.datetime.now"),
    ("clock", "channels.email", "from time import time as tell\ntell()"),
    ("clock", "web.pages", "import time\ntime.time_ns()"),
    ("handlers", "dispatch", "try:\n    f()\nexcept Exception:\n    pass"),
    ("handlers", "dispatch", "try:\n    f()\nexcept (OSError, BaseException) as error:\n    log(error)"),
    ("handlers", "dispatch", "class A:\n  def f(self):\n    try:\n      g()\n    except:\n      h()"),
    ("reads", "probes.http", "async def f(answer):\n    return await answer.text()"),
    ("reads", "probes.tcp", "async def f(reader):\n    return await reader.read()"),
    ("reads", "probes.tcp", "async def f(reader):\n    return await reader.read(-1)"),
    ("size", "dispatch", "x = 1\n" * 401),
    ("size", "dispatch", "def f():\n" + "    x = 1\n" * 60),
    ("size", "dispatch", "async def f(self, a, b, c, d, e, f): ..."),
]  # fmt: skip

# What stands near it, and is fine.
FINE = [
    ("imports", "core.incident", "from sentinel.core import events\nfrom sentinel.core.model import Level"),
    ("imports", "probes.tcp", "from sentinel.core.model import Level\nimport pycurl"),
    ("imports", "cli", "from sentinel import daemon\nimport click"),
    ("imports", "tickets.drafting", "from sentinel.core.state import Incident"),
    ("kinds", "probes.scenario", "from sentinel.probes.base import Options"),
    ("kinds", "config.model", "from sentinel.probes.http import Options"),
    ("purity", "core.incident", "import re\nimport msgspec\nfrom datetime import datetime"),
    ("purity", "engine.desk", "import asyncio"),
    ("clock", "engine.clock", "from datetime import UTC, datetime\ndatetime.now(UTC)"),
    ("clock", "probes.tcp", "import time\ntime.perf_counter()\nclock.now()"),
    ("handlers", "probes.tcp", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    ("handlers", "probes.tcp", "try:\n    f()\nexcept OSError:\n    pass"),
    ("reads", "probes.tcp", "async def f(reader):\n    return await reader.read(4096)"),
    ("reads", "channels.webhook", "async def f(answer):\n    return await answer.json()"),
    ("size", "dispatch", "def f(self, a, b, c, d, e, *, g, h): ..."),
]


@pytest.mark.parametrize(("check", "module", "code"), PLANTED)
def test_a_planted_fault_is_found(check, module, code):
    assert list(CHECKS[check](Source(module, code)))


@pytest.mark.parametrize(("check", "module", "code"), FINE)
def test_what_is_allowed_is_not_complained_of(check, module, code):
    assert list(CHECKS[check](Source(module, code))) == []


def test_a_task_edge_may_catch_everything_once_it_is_named(monkeypatch):
    code = "class Desk:\n  async def run(self):\n    try:\n      f()\n    except Exception:\n      g()"
    monkeypatch.setitem(structure.EDGES, "engine.desk:Desk.run", "logs, counts, and restarts the loop")
    assert list(structure.broad_handlers(Source("engine.desk", code))) == []
    assert list(structure.broad_handlers(Source("engine.other", code)))
