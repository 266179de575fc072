"""The store of the simulator keeps the contract of every store, as far as the desk and the dispatcher ask for it."""

from __future__ import annotations

import pytest

from tests.simulator.memory import MemoryStore
from tests.store.contract.test_log import *  # noqa: F403  the suite, run against this store
from tests.store.contract.test_outbox import *  # noqa: F403


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()
