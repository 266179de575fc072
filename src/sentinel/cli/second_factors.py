"""What ``check`` says of second factors: that a copy of the database gives them away, or that no key opens them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentinel.config.errors import Mistake
    from sentinel.config.load import Loaded
    from sentinel.core.accounts import Account

NAMED_MAX = 3
PATH = ("auth", "key")


def faults_of(loaded: Loaded, path: Path) -> list[Mistake]:
    """Return a warning for those that are readable, and one for those that the keys of now do not open."""
    if not (known := _accounts(loaded, path)):
        return []
    from sentinel.config.errors import Mistake
    from sentinel.config.explain import key_place
    from sentinel.engine.sealing import Sealer, Unsealable, is_sealed

    sealer = Sealer(loaded.setup.auth.sealing_keys())
    clear, closed = [], []
    for one in known:
        if not is_sealed(one.second):
            clear.append(one.person)
            continue
        try:
            sealer.open(one.second, one.person)
        except Unsealable:
            closed.append(one.person)
    place = key_place(loaded.config.root, PATH if sealer else ("auth",))
    found = []
    if clear:
        what = f"the second factor of {_named(clear)} is readable in the database"
        anew = "have them taken away and set anew on /me"
        need = anew if sealer else f'write `auth: {{key: "${{cred:NAME}}"}}`, then {anew}'
        found.append(Mistake(*place, ".".join(PATH), what, need))
    if closed:
        what = f"no key opens the second factor of {_named(closed)}: they cannot sign in"
        need = "name the key of before in `auth.previous_key`"
        found.append(Mistake(*place, ".".join(PATH), what, need))
    return found


def _named(people: list[str]) -> str:
    more = f" and {len(people) - NAMED_MAX} more" if len(people) > NAMED_MAX else ""
    return ", ".join(f"`{one}`" for one in people[:NAMED_MAX]) + more


def _accounts(loaded: Loaded, path: Path) -> list[Account]:
    """Return the accounts with a second factor; none when no daemon has run yet."""
    from sentinel.places import SQLITE, storage_url

    url = storage_url(loaded.setup, path)
    if not loaded.setup.auth.local or (url.startswith(SQLITE) and not Path(url.removeprefix(SQLITE)).exists()):
        return []  # Before what reads a database is imported: most of what is checked is not yet in use.
    from sentinel.core.accounts import account_of
    from sentinel.store.base import StoreUnavailable
    from sentinel.store.failures import StoreUnfit
    from sentinel.store.opening import open_to_read

    try:
        opened = open_to_read(url)
        try:
            lines = opened.ledger("account")
        finally:
            opened.close()
    except (StoreUnavailable, StoreUnfit):
        return []
    facts: dict[str, list[Any]] = {}
    for line in lines:
        facts.setdefault(line.name, []).append(_fact(line.body))
    made = [account_of(name, told) for name, told in sorted(facts.items())]
    return [one for one in made if one.second]


def _fact(body: bytes) -> Any:
    import msgspec

    from sentinel.core.accounts import Fact

    return msgspec.json.decode(body, type=Fact)
