"""The sections ``auth`` and ``status_pages``: who may sign in, and what customers may see.

They are read and checked whole, and not in use yet: ``sentinel check`` says so. Whatever ``auth`` says, only this
machine itself is served until there is a sign-in (see ``server.listen``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field

from sentinel.config.base import Section, Text
from sentinel.config.fields import Duration, Flag, OneOrMany, Secret, Url
from sentinel.core.model import Language

HISTORY_MAX: Final = timedelta(days=5 * 365)
PAGES_BELOW: Final = "/status/"


class OidcEntry(Section):
    """Sign-in at an identity provider that speaks OpenID Connect."""

    issuer: Url
    client_id: Text
    client_secret: Secret


class AuthSection(Section):
    """How people sign in: with accounts of Sentinel's own, or at an identity provider."""

    local: Flag = True
    oidc: OidcEntry | None = None


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
