"""The sections ``auth`` and ``status_pages``: who may come in, and what customers may see."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from sentinel.config.access import Burst, Loopback, Rate, TokenEntry
from sentinel.config.base import Section, Text
from sentinel.config.door_keys import DoorKey
from sentinel.config.fields import CidrNetwork, Duration, Flag, OneOrMany, Secret, Url, wrong
from sentinel.core.access import Token
from sentinel.core.model import Language

HISTORY_MAX: Final = timedelta(days=5 * 365)
PAGES_BELOW: Final = "/status/"
SCOPES_MAX: Final = 20
SCOPE: Final = r"^[!#-\[\]-~]{1,100}$"  # RFC 6749, 3.3
HEADER: Final = r"^[A-Za-z][A-Za-z0-9-]{0,63}$"


class OidcEntry(Section):
    """Sign-in at an identity provider that speaks OpenID Connect.

    ``claim`` is what names a person of `people`, by id or mail address; a mail address counts only when the provider
    has verified it. ``name`` stands on the button.
    """

    issuer: Url
    client_id: Text
    client_secret: Secret
    claim: Literal["email", "preferred_username", "sub"] = "email"
    scopes: OneOrMany[Annotated[str, Field(pattern=SCOPE)]] = Field(default=("openid", "email"), max_length=SCOPES_MAX)
    name: Text | None = None

    @field_validator("scopes")
    @classmethod
    def _asks_who(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in scopes:
            raise wrong("without the scope `openid` the provider says of nobody who they are", "add `openid`")
        return scopes

    @property
    def called(self) -> str:
        """Return what people call it: its name, without one its host."""
        return self.name or urlsplit(str(self.issuer)).hostname or ""


class ProxyEntry(Section):
    """A proxy that signs people in before us, and names them in a header: an id or a mail address of `people`.

    Only what comes ``from`` its addresses is believed; it must take the header away from what others send.
    """

    header: Annotated[str, Field(pattern=HEADER)]
    from_: OneOrMany[CidrNetwork] = Field(alias="from", min_length=1)


class AuthSection(Section):
    """Who may come in: programs and people with tokens; people with accounts, or by an identity provider.

    ``rate`` is how many requests a second one client may make in the long run, ``burst`` how many at once. The word of
    ``trusted_proxies`` is taken for who their client is. ``key`` seals second factors in the database;
    ``previous_key`` opens those that were sealed before it.
    """

    local: Flag = True
    key: DoorKey | None = None
    previous_key: DoorKey | None = None
    oidc: OidcEntry | None = None
    proxy: ProxyEntry | None = None
    tokens: dict[str, TokenEntry] = {}
    loopback: Loopback = "auto"
    trusted_proxies: OneOrMany[CidrNetwork] = ()
    rate: Rate = 100
    burst: Burst = 1_000

    def made(self) -> tuple[Token, ...]:
        """Return the tokens that stand here."""
        return tuple(entry.made(name) for name, entry in self.tokens.items())

    def sealing_keys(self) -> tuple[str, ...]:
        """Return the keys that second factors are sealed with, that of now first."""
        return tuple(one.reveal() for one in (self.key, self.previous_key) if one is not None)

    @property
    def needed(self) -> bool:
        """Tell whether everybody who comes over TCP has to prove who they are, whatever accounts there are."""
        return self.loopback == "no" or (self.loopback == "auto" and bool(self.tokens or self.proxy or self.oidc))


class StatusPageEntry(Section):
    """A page for customers: which services it shows, where it is, in which languages, how far it looks back.

    ``messages`` tells whether what is written to the customer in a crisis stands on it, ``subscribe`` whether people
    may ask for mails, ``publish`` names a folder that is kept in line with it.
    """

    title: Text | None = None
    path: Annotated[str, Field(pattern=rf"^{PAGES_BELOW}[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}$")] | None = None
    services: OneOrMany[str] = Field(min_length=1)
    languages: OneOrMany[Language] = ("fr", "en")
    public: Flag = False
    history: Annotated[Duration, Field(ge=timedelta(days=1), le=HISTORY_MAX)] = timedelta(days=90)
    messages: Flag = True
    subscribe: Flag = True
    publish: Text | None = None

    def path_of(self, name: str) -> str:
        """Return where the page of this name is."""
        return self.path or f"{PAGES_BELOW}{name}"
