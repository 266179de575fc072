"""Who may do what: roles and their rights, and tokens, which give a program or a person one of the roles.

A customer has no right over the whole: what a customer may see is said beside each route (threat T28).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, get_args

import msgspec

from sentinel.core.model import Refused, Role

# `look`: everything, `work`: what everybody on a team does, `lead`: crises and reviews, `deliver`: changes and
# matrices, `administer`: the daemon itself and who may ask it.
Right = Literal["look", "work", "lead", "deliver", "administer"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
RIGHTS_OF: Final[dict[Role, frozenset[Right]]] = {
    "viewer": frozenset({"look"}),
    "operator": frozenset({"look", "work"}),
    "incident_manager": frozenset({"look", "work", "lead"}),
    # A delivery manager also steers the crises of the provider (rules MAJ-4 and MAJ-10).
    "delivery_manager": frozenset({"look", "work", "lead", "deliver"}),
    "administrator": frozenset({"look", "work", "lead", "deliver", "administer"}),
    "customer": frozenset(),
}

NAME_MAX_CHARS: Final = 64
TOKENS_MAX: Final = 1_000  # In force at once; each is compared in memory.


class Issued(msgspec.Struct, frozen=True, kw_only=True, tag="issued"):
    """A token was made. ``digest`` is the SHA-256 of its text, which nobody keeps.

    It acts as ``person`` where there is one, else under its own name. ``customer`` is whose services it sees.
    """

    at: datetime
    by: str
    name: str
    digest: str
    role: Role
    customer: str = ""
    person: str = ""
    expires_at: datetime | None = None


class Revoked(msgspec.Struct, frozen=True, kw_only=True, tag="revoked"):
    """A token is not taken any more."""

    at: datetime
    by: str
    why: str = ""


Fact = Issued | Revoked


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it is now; ``configured`` ones stand in the configuration, and end with it."""

    id: str
    name: str
    role: Role
    digest: str
    customer: str = ""
    person: str = ""
    issued_at: datetime | None = None
    issued_by: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str = ""
    configured: bool = False

    def in_force(self, now: datetime) -> bool:
        """Tell whether it is taken."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def is_of(self, digest: str) -> bool:
        """Tell whether a text of this digest is the token, in a time that tells nothing of where they differ."""
        return hmac.compare_digest(self.digest, digest)

    @property
    def acts_as(self) -> str:
        """Return under which name it acts: never that of a person it was not made for."""
        return self.person or f"token:{self.name}"


def token_of(id_: str, facts: Sequence[Fact]) -> Token:
    """Return a token as its facts leave it; the first of them issued it."""
    issued = facts[0]
    assert isinstance(issued, Issued), "what was never issued is not revoked"
    revoked = next((fact for fact in facts[1:] if isinstance(fact, Revoked)), None)
    return Token(
        id=id_,
        name=issued.name,
        role=issued.role,
        digest=issued.digest,
        customer=issued.customer,
        person=issued.person,
        issued_at=issued.at,
        issued_by=issued.by,
        expires_at=issued.expires_at,
        revoked_at=revoked.at if revoked else None,
        revoked_by=revoked.by if revoked else "",
    )


def issue(known: Iterable[Token], wanted: Issued) -> Issued:
    """Return the fact that a token is made, if it makes sense.

    Raises:
        Refused: the name is taken, it is over before it begins, a customer is missing or one too many, or there are
            ``TOKENS_MAX``.
    """
    in_force = [token for token in known if token.in_force(wanted.at)]
    if any(token.name == wanted.name for token in in_force):
        raise Refused(f"There is a token {wanted.name} already; revoke it first.")
    if len(in_force) >= TOKENS_MAX:
        raise Refused(f"There are {TOKENS_MAX} tokens in force; revoke those that nobody uses.")
    if wanted.expires_at is not None and wanted.expires_at <= wanted.at:
        raise Refused("The token would be over before it begins.")
    if (wanted.role == "customer") != bool(wanted.customer):
        raise Refused("The role `customer` needs a customer, and no other role has one.")
    return wanted


def revoke(token: Token, revoked: Revoked) -> Revoked:
    """Return the fact that a token is not taken any more.

    Raises:
        Refused: it is revoked already, or stands in the configuration.
    """
    if token.configured:
        raise Refused(f"The token {token.name} stands in the configuration: take it out there, and reload.")
    if token.revoked_at is not None:
        raise Refused(f"The token {token.name} is revoked already.")
    return revoked
