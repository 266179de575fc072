"""Accounts of people: a password and a second factor for somebody of the configuration, and what happened to them.

Who somebody is, and their role, the configuration says; an account only says how they prove it. Facts are kept in the
ledger: `sentinel verify` sees when one is changed behind the daemon's back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from sentinel.core.model import Refused

INVITED_FOR: Final = timedelta(days=1)
PASSWORD_MIN_CHARS: Final = 12
PASSWORD_MAX_CHARS: Final = 256
# What nobody needs a list for to know that it is guessed first.
GUESSED_FIRST: Final = ("password", "motdepasse", "sentinel", "azerty", "qwerty", "123456")


class Invited(msgspec.Struct, frozen=True, kw_only=True, tag="invited"):
    """Somebody may set a password by a link, once; ``digest`` is the SHA-256 of its secret."""

    at: datetime
    by: str
    digest: str
    expires_at: datetime


class PasswordSet(msgspec.Struct, frozen=True, kw_only=True, tag="password"):
    """A password was set: ``digest`` is argon2id's."""

    at: datetime
    by: str
    digest: str


class SecondSet(msgspec.Struct, frozen=True, kw_only=True, tag="second"):
    """A second factor was set, or taken away: ``secret`` is that of RFC 6238, sealed, empty for none."""

    at: datetime
    by: str
    secret: str


class Disabled(msgspec.Struct, frozen=True, kw_only=True, tag="disabled"):
    """Nobody comes in by this account any more."""

    at: datetime
    by: str
    why: str


class Enabled(msgspec.Struct, frozen=True, kw_only=True, tag="enabled"):
    """The account is taken again."""

    at: datetime
    by: str


Fact = Invited | PasswordSet | SecondSet | Disabled | Enabled


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is now; without a password nobody comes in by it."""

    person: str
    password: str = ""
    password_at: datetime | None = None
    second: str = ""
    invitation: str = ""
    invited_until: datetime | None = None
    disabled_at: datetime | None = None
    disabled_by: str = ""
    why: str = ""

    @property
    def usable(self) -> bool:
        """Tell whether somebody can come in by it."""
        return bool(self.password) and self.disabled_at is None

    def invited(self, now: datetime) -> bool:
        """Tell whether its link still works."""
        return bool(self.invitation) and self.invited_until is not None and now < self.invited_until


def account_of(person: str, facts: Sequence[Fact]) -> Account:
    """Return an account as its facts leave it."""
    found = Account(person=person)
    for fact in facts:
        found = _after(found, fact)
    return found


def _after(account: Account, fact: Fact) -> Account:
    new = msgspec.structs.replace
    match fact:
        case Invited():
            return new(account, invitation=fact.digest, invited_until=fact.expires_at)
        case PasswordSet():  # A link serves once.
            return new(account, password=fact.digest, password_at=fact.at, invitation="", invited_until=None)
        case SecondSet():
            return new(account, second=fact.secret)
        case Disabled():
            return new(account, disabled_at=fact.at, disabled_by=fact.by, why=fact.why, invitation="")
        case Enabled():
            return new(account, disabled_at=None, disabled_by="", why="")


def invite(account: Account, invited: Invited) -> list[Fact]:
    """Return the facts that somebody is asked in. Whoever forgot the password is asked in again.

    Raises:
        Refused: the account is disabled.
    """
    if account.disabled_at is not None:
        raise Refused(f"The account of {account.person} is disabled; enable it first.")
    return [invited]


def disable(account: Account, disabled: Disabled) -> list[Fact]:
    """Return the facts that nobody comes in any more.

    Raises:
        Refused: it is so already, or no reason is given.
    """
    if account.disabled_at is not None:
        raise Refused(f"The account of {account.person} is disabled already.")
    if not disabled.why.strip():
        raise Refused("Disabling an account needs a reason.")
    return [disabled]


def enable(account: Account, enabled: Enabled) -> list[Fact]:
    """Return the facts that an account is taken again.

    Raises:
        Refused: it is not disabled.
    """
    if account.disabled_at is None:
        raise Refused(f"The account of {account.person} is not disabled.")
    return [enabled]


def fitting(password: str, person: str, name: str) -> str:
    """Return a password that may be set (ASVS 6.2): length counts, and not what it is made of.

    Raises:
        Refused: it is too short, too long, or what is guessed first; the reason is a sentence.
    """
    if len(password) < PASSWORD_MIN_CHARS:
        raise Refused(f"A password has at least {PASSWORD_MIN_CHARS} characters.")
    if len(password) > PASSWORD_MAX_CHARS:
        raise Refused(f"A password has at most {PASSWORD_MAX_CHARS} characters.")
    bare = password.casefold()
    for word in (person.casefold(), *name.casefold().split(), *GUESSED_FIRST):
        if len(word) > 2:
            bare = bare.replace(word, "")
    if len(set(bare)) < 5:
        raise Refused("This password is among the first that are guessed; take a sentence.")
    return password
