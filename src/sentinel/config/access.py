"""What the section ``auth`` says of tokens, and of who needs one."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.fields import Instant, Secret, Whole, wrong
from sentinel.core.access import Token
from sentinel.core.model import Role

TOKEN_MIN_CHARS: Final = 32
TOKEN_MAX_CHARS: Final = 512
RATE_MAX: Final = 10_000

# Whether this machine itself is served over TCP without a token: `auto` while there is none in force.
Loopback = Literal["auto", "yes", "no"]
Rate = Annotated[Whole, Field(ge=1, le=RATE_MAX)]
Burst = Annotated[Whole, Field(ge=10, le=RATE_MAX)]


class TokenEntry(Section):
    """A token that comes with the configuration; of its text only the digest is kept in memory."""

    token: Secret
    role: Role
    customer: Text | None = None
    person: Text | None = None
    expires: Instant | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> TokenEntry:
        if not TOKEN_MIN_CHARS <= len(self.token.reveal()) <= TOKEN_MAX_CHARS:
            raise wrong(
                f"the token has not {TOKEN_MIN_CHARS} to {TOKEN_MAX_CHARS} characters",
                "take one from `openssl rand -hex 32`",
            )
        if (self.role == "customer") != bool(self.customer):
            raise wrong("the role `customer` needs a `customer`, and no other role has one")
        return self

    def made(self, name: str) -> Token:
        """Return the token under its name."""
        return Token(
            id=f"config:{name}",
            name=name,
            role=self.role,
            digest=hashlib.sha256(self.token.reveal().encode()).hexdigest(),
            customer=self.customer or "",
            person=self.person or "",
            expires_at=self.expires,
            configured=True,
        )
