"""The sections ``auth`` and ``status_pages``: who may come in, and what customers may see.

Tokens are in use. The sign-in of people and the status pages are read and checked whole, and not in use yet:
``sentinel check`` says so.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from sentinel.config.access import Burst, Loopback, Rate, TokenEntry
from sentinel.config.base import Section, Text
from sentinel.config.fields import CidrNetwork, Duration, Flag, OneOrMany, Secret, Url
from sentinel.core.access import Token
from sentinel.core.model import Language

HISTORY_MAX: Final = timedelta(days=5 * 365)
PAGES_BELOW: Final = "/status/"


class OidcEntry(Section):
    """Sign-in at an identity provider that speaks OpenID Connect."""

    issuer: Url
    client_id: Text
    client_secret: Secret


class AuthSection(Section):
    """Who may come in: programs and people with tokens; people with accounts, or by an identity provider.

    ``rate`` is how many requests a second one client may make in the long run, ``burst`` how many at once. The word of
    ``trusted_proxies`` is taken for who their client is.
    """

    local: Flag = True
    oidc: OidcEntry | None = None
    tokens: dict[str, TokenEntry] = {}
    loopback: Loopback = "auto"
    trusted_proxies: OneOrMany[CidrNetwork] = ()
    rate: Rate = 100
    burst: Burst = 1_000

    def made(self) -> tuple[Token, ...]:
        """Return the tokens that stand here."""
        return tuple(entry.made(name) for name, entry in self.tokens.items())

    @property
    def needed(self) -> bool:
        """Tell whether everybody who comes over TCP has to show a token."""
        return self.loopback == "no" or (self.loopback == "auto" and bool(self.tokens))


class StatusPageEntry(Section):
    """A page for customers: which services it shows, where it is, in which languages, how far it looks back."""

    title: Text | None = None
    path: Annotated[str, Field(pattern=rf"^{PAGES_BELOW}[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}$")] | None = None
    services: OneOrMany[str] = Field(min_length=1)
    languages: OneOrMany[Language] = ("fr", "en")
    public: Flag = False
    history: Annotated[Duration, Field(ge=timedelta(days=1), le=HISTORY_MAX)] = timedelta(days=90)

    def path_of(self, name: str) -> str:
        """Return where the page of this name is."""
        return self.path or f"{PAGES_BELOW}{name}"
