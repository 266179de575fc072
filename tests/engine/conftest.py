"""What several stories of the engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinel import probes
from tests.engine import wired


@pytest.fixture
def _wired(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Probes of type ``icmp`` see what ``wired.DOWN`` names fail, and everything else well."""
    monkeypatch.setitem(probes.KINDS, "icmp", "tests.engine.wired")
    probes.kind.cache_clear()
    wired.DOWN.clear()
    yield
    wired.DOWN.clear()
    probes.kind.cache_clear()
