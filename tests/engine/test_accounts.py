"""Accounts as they are now: folded once, and not at each request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from sentinel.core.model import Refused
from sentinel.engine.accounts import Accounts
from sentinel.engine.clock import SystemClock
from sentinel.store.opening import open_store

PASSWORD = "le chat dort sur le serveur"


@pytest.fixture
def opened(tmp_path: Path):
    tmp_path.chmod(0o700)
    store, results = open_store(f"sqlite:///{tmp_path}/sentinel.db")
    with ThreadPoolExecutor(1) as writer:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        yield lambda: Accounts((store, writer), SystemClock(), cheap)
    results.close()
    store.close()


async def test_accounts_are_as_their_facts_leave_them_at_once_and_after_a_restart(opened):
    accounts = opened()
    await accounts.load()
    assert not accounts.known()
    await accounts.invite("amina", "elise")
    assert not accounts.known(), "who is asked in has proved nothing yet"
    await accounts.set_password("amina", PASSWORD, "amina")
    await accounts.disable("amina", "elise", "gone")
    assert accounts.known()
    assert accounts.of("amina").disabled_by == "elise"
    assert accounts.of("bruno").person == "bruno"
    again = opened()
    await again.load()
    assert again.all() == accounts.all()


async def test_what_another_writer_did_first_counts(opened):
    one, other = opened(), opened()
    await one.load()
    await other.load()
    await one.set_password("amina", PASSWORD, "amina")
    await one.disable("amina", "elise", "gone")
    assert not other.known()
    with pytest.raises(Refused, match="disabled"):
        await other.invite("amina", "elise")
    assert other.known()
    assert other.all() == one.all()


async def test_looking_at_accounts_folds_nothing(opened):
    accounts = opened()
    await accounts.load()
    await accounts.set_password("amina", PASSWORD, "amina")
    assert accounts.of("amina") is accounts.of("amina")
    assert [one is accounts.of("amina") for one in accounts.all()] == [True]
