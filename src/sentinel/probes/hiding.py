"""Keeping secrets out of what is said of a peer: it may repeat them."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from sentinel.config.words import HIDDEN


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets in it. Hide first and cut afterwards: half a secret is not found any more."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def in_addresses(secrets: Iterable[str]) -> set[str]:
    """Return secrets as they are, and as they stand in the address of a page once a form was sent by GET."""
    return {form for secret in secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}
