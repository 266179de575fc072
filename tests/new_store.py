"""A store that was made once, and is copied for each test that begins with an empty one: making it takes 80 ms."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sentinel.store.opening import open_store

NAMES = ("sentinel.db", "samples.db")


@cache
def _made() -> tuple[bytes, ...]:
    with TemporaryDirectory(prefix="sentinel-new-store-") as folder:
        for store in reversed(open_store(f"sqlite:///{folder}/{NAMES[0]}")):
            store.close()  # The last connection to go leaves everything in the file itself.
        return tuple((Path(folder) / name).read_bytes() for name in NAMES)


def new_store(folder: Path) -> str:
    """Put an empty store where there is none; return its URL."""
    for name, made in zip(NAMES, _made(), strict=True):
        path = folder / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(made)
    return f"sqlite:///{folder / NAMES[0]}"
