"""What is known of an identity provider, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Claim = Literal["email", "preferred_username", "sub"]

# Nothing symmetric and never `none`: what signs must not be what anybody can read (RFC 8725, 3.1).
ALGORITHMS: Final = ("RS256", "ES256", "PS256", "EdDSA")
LEEWAY_S: Final = 60
TEXT_MAX_CHARS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How we are known at the provider: who it is, who we are, and which of its claims names a person."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    back: str
    claim: Claim = "email"
    scopes: tuple[str, ...] = ("openid", "email")


class Unavailable(Exception):  # noqa: N818  a state of the world, not a fault of ours
    """The provider does not answer, or answers something else than OpenID Connect; the sentence says what."""


class Unbelievable(Exception):  # noqa: N818  as above
    """What was brought is no proof of anybody; the sentence says why, for the log."""
