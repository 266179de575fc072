"""The provider that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sentinel.openid.base import Registration
from sentinel.openid.provider import Provider

if TYPE_CHECKING:
    from sentinel.config.build import Setup

BACK: Final = "/sign-in/oidc/back"


def provider_of(setup: Setup) -> Provider | None:
    """Return the identity provider of a configuration; nothing when none is configured."""
    entry = setup.auth.oidc
    if entry is None:
        return None
    ours = Registration(
        issuer=str(entry.issuer),
        client_id=entry.client_id,
        client_secret=entry.client_secret.reveal(),
        back=f"{(setup.site.url or '').rstrip('/')}{BACK}",
        claim=entry.claim,
        scopes=tuple(entry.scopes),
    )
    return Provider(ours, setup.policy)
