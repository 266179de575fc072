"""Second factors in the database: a copy of it gives nothing away, and old rows go on working."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher

from sentinel.core.accounts import SecondSet
from sentinel.engine.accounts import SUBJECT, Accounts
from sentinel.engine.ledger import Ledger
from sentinel.engine.sealing import MARK, Sealer, Unsealable
from sentinel.store.opening import open_store

KEY, OTHER = "f1f0a7c2-0000-4000-8000-000000000001", "f1f0a7c2-0000-4000-8000-000000000002"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
PASSWORD = "le chat dort sur le serveur"


class Still:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


def test_what_is_sealed_opens_with_its_key_only_and_for_whom_it_was_sealed():
    kept = Sealer([KEY]).seal(SECRET, "amina")
    assert SECRET not in kept
    assert kept != Sealer([KEY]).seal(SECRET, "amina"), "two of the same tell nothing of each other"
    assert Sealer([KEY]).open(kept, "amina") == SECRET
    assert Sealer([OTHER, KEY]).open(kept, "amina") == SECRET, "a key of before still opens"
    for sealer, whose in ((Sealer([OTHER]), "amina"), (Sealer(), "amina"), (Sealer([KEY]), "bruno")):
        with pytest.raises(Unsealable):
            sealer.open(kept, whose)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-4] + "AAAA", lambda t: t + "!", lambda t: MARK + t.split(":")[2] + ":"]
)
def test_a_seal_that_somebody_changed_opens_nothing(change):
    with pytest.raises(Unsealable):
        Sealer([KEY]).open(change(Sealer([KEY]).seal(SECRET, "amina")), "amina")


def test_without_a_key_all_stays_as_it_was():
    assert Sealer().seal(SECRET, "amina") == SECRET
    assert Sealer([KEY]).open(SECRET, "amina") == SECRET
    assert Sealer([KEY]).seal("", "amina") == "", "taken away is taken away"


async def test_old_rows_go_on_working_and_new_ones_are_in_no_file(tmp_path: Path):
    tmp_path.chmod(0o700)
    store, results = open_store(f"sqlite:///{tmp_path}/sentinel.db")
    with ThreadPoolExecutor(1) as writer:
        facts: Ledger = Ledger(SUBJECT, SecondSet, (store, writer), Still())
        await facts.load()
        await facts.add(lambda _: ("bruno", [SecondSet(at=NOW, by="bruno", secret=SECRET)], ()))
        accounts = Accounts((store, writer), Still(), PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        accounts.sealer = Sealer([KEY])
        await accounts.load()
        code, new = pyotp.TOTP(SECRET).at(NOW), pyotp.random_base32()
        await accounts.set_password("bruno", PASSWORD, "bruno")
        assert await accounts.prove("bruno", PASSWORD, code), "set before there was a key"
        await accounts.set_password("amina", PASSWORD, "amina")
        await accounts.set_second("amina", new, pyotp.TOTP(new).at(NOW), "amina")
        accounts.sealer = Sealer([OTHER])
        assert not await accounts.prove("amina", PASSWORD, pyotp.TOTP(new).at(NOW)), "nobody comes in without the key"
        accounts.sealer = Sealer([OTHER, KEY])
        assert await accounts.prove("amina", PASSWORD, pyotp.TOTP(new).at(NOW))
    store.close()
    results.close()
    raw = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert SECRET.encode() in raw
    assert new.encode() not in raw
