"""The identity provider must be one that nobody else can pass for, and know where it sends people back to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

from sentinel.config.access_checks import is_loopback
from sentinel.config.contract_checks import Fault
from sentinel.config.portal import AuthSection
from sentinel.config.sections import Config


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield why nobody could sign in at the provider, or anybody could in its name."""
    entry = cast(AuthSection, config.single["auth"]).oidc
    if entry is None:
        return
    issuer = urlsplit(str(entry.issuer))
    if issuer.scheme != "https" and not is_loopback(issuer.hostname or ""):
        what = "an issuer that is not spoken to over TLS could be anybody"
        yield Fault(("auth", "oidc", "issuer"), what, "write `https://`")
    if issuer.query or issuer.fragment or issuer.username:
        yield Fault(("auth", "oidc", "issuer"), "an issuer is an address without a query, a fragment or a user")
    if not config.site.url:
        what = "`auth.oidc` needs `site.url`: the provider sends people back there"
        yield Fault(("auth", "oidc"), what, "add `site: {url: https://…}`, and register its /sign-in/oidc/back")
