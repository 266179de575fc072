from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.store import open_store
from sentinel.store.base import ResultStore, Store
from tests.store import server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[server.Server]:
    with server.running() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/sentinel.db"
    return request.getfixturevalue("postgresql").fresh()


@pytest.fixture
def opened() -> Iterator[Callable[..., tuple[Store, ResultStore]]]:
    """Opens stores, and closes them afterwards."""
    stores: list[Store | ResultStore] = []

    def open_both(url: str, **options: object) -> tuple[Store, ResultStore]:
        both = open_store(url, **options)
        stores.extend(both)
        return both

    yield open_both
    for each in stores:
        each.close()


@pytest.fixture
def store(url: str, opened: Callable[..., tuple[Store, ResultStore]]) -> Store:
    return opened(url)[0]


@pytest.fixture
def results(url: str, opened: Callable[..., tuple[Store, ResultStore]]) -> ResultStore:
    return opened(url)[1]
