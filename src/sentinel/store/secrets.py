"""Secrets of Sentinel's own, made once and kept with the data: what they signed stays good over restarts."""

from __future__ import annotations

import secrets
from datetime import datetime

import msgspec

from sentinel.store.base import Conflict, Line, Store

SUBJECT = "secret"
SECRET_BYTES = 32


class Made(msgspec.Struct, frozen=True, tag="made"):
    """A secret was made; ``value`` is its bytes in hexadecimal digits."""

    value: str


def secret_of(store: Store, name: str, now: datetime) -> bytes:
    """Return the secret of that name; it is made at the first call. The database is as secret as it is.

    Raises:
        StoreUnavailable: it cannot be read, or not be kept.
    """
    for _ in range(2):
        for line in store.ledger(SUBJECT):
            if line.name == name:
                return bytes.fromhex(msgspec.json.decode(line.body, type=Made).value)
        made = Made(secrets.token_hex(SECRET_BYTES))
        try:
            store.append_lines([Line(f"{SUBJECT}/{name}", 1, now, msgspec.json.encode(made))])
        except Conflict:  # Another process was first: its secret is the one.
            continue
        return bytes.fromhex(made.value)
    raise AssertionError("a secret that another process made cannot be read")


def made_at(store: Store, name: str, now: datetime) -> datetime:
    """Return when the secret of that name was made; now, when there is none yet.

    Raises:
        StoreUnavailable: it cannot be read, or not be kept.
    """
    secret_of(store, name, now)
    return next(line.at for line in store.ledger(SUBJECT) if line.name == name)
