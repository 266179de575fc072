"""Whether an ID token may be believed (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import hmac
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sentinel.openid.base import ALGORITHMS, LEEWAY_S, Unbelievable

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    Key = RSAKey | ECKey | OKPKey

KEYS_MAX: Final = 100
FAMILY_OF: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
RSA_MIN_BITS: Final = 2_048


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say: of whom, for whom, in answer to which question."""

    issuer: str
    client_id: str
    nonce: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Header:
    """Which key a token says that it is signed with, and how."""

    algorithm: str
    kid: str


def header_of(token: str) -> Header:
    """Read how a token is signed.

    Raises:
        Unbelievable: it is no token, or signed in a way that is never taken.
    """
    from joserfc import jws  # noqa: PLC0415  an extra
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        said = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise Unbelievable("the ID token is none") from error
    algorithm, kid = said.get("alg"), said.get("kid", "")
    if algorithm not in ALGORITHMS or not isinstance(kid, str):
        raise Unbelievable(f"the ID token is signed by {str(algorithm)[:20]!r}; taken are {', '.join(ALGORITHMS)}")
    return Header(str(algorithm), kid)


def key_of(header: Header, document: object) -> Key | None:
    """Return the key that a token names, of those that the provider publishes; without a name the only one that fits.

    Keys of families and sizes that are not taken are passed over, as are those for something else than signing.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    usable = [one for one in listed[:KEYS_MAX] if _serves(one, header)] if isinstance(listed, list) else []
    if header.kid:
        usable = [one for one in usable if one.get("kid") == header.kid]
    return _made(usable[0]) if len(usable) == 1 else None


def any_usable(document: object) -> bool:
    """Tell whether a key is among those that a provider publishes by which a token could be signed."""
    listed = document.get("keys") if isinstance(document, dict) else None
    found = [one for one in listed[:KEYS_MAX] if isinstance(one, dict)] if isinstance(listed, list) else []
    return any(one.get("use", "sig") == "sig" and _made(one) is not None for one in found)


def claims_of(token: str, header: Header, key: Key, expected: Expected) -> dict[str, Any]:
    """Return what a token says, all of it checked.

    Raises:
        Unbelievable: it is not signed by the provider, or not for us, not now, not in answer to what was asked.
    """
    from joserfc import jwt  # noqa: PLC0415  an extra
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # The old name of Ed25519, which providers still write.
            claims = jwt.decode(token, key, algorithms=[header.algorithm]).claims
    except (JoseError, ValueError) as error:
        raise Unbelievable("the signature of the ID token is not the provider's") from error
    for why in _faults(claims, expected):
        raise Unbelievable(why)
    return dict(claims)


def _faults(claims: dict[str, Any], expected: Expected) -> list[str]:
    now_s = expected.now.timestamp()
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    azp = claims.get("azp")
    # A party that is named must be us; among several audiences one must be named.
    party = azp == expected.client_id if "azp" in claims else len(audiences) == 1
    expires, issued, begins = (_moment(claims.get(name)) for name in ("exp", "iat", "nbf"))
    nonce = claims.get("nonce")
    subject = claims.get("sub")
    checks = (
        (claims.get("iss") == expected.issuer, "the ID token is of another issuer"),
        (expected.client_id in audiences and party, "the ID token is for another client"),
        (expires is not None and now_s < expires + LEEWAY_S, "the ID token has expired"),
        (issued is not None and issued - LEEWAY_S <= now_s, "the ID token is of the future"),
        ("nbf" not in claims or (begins is not None and begins - LEEWAY_S <= now_s), "the ID token is not yet valid"),
        (
            isinstance(nonce, str) and hmac.compare_digest(nonce.encode(), expected.nonce.encode()),
            "the ID token answers another question",
        ),
        (isinstance(subject, str) and bool(subject), "the ID token is of nobody"),
    )
    return [why for good, why in checks if not good]


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _serves(one: object, header: Header) -> bool:
    return (
        isinstance(one, dict)
        and one.get("kty") == FAMILY_OF[header.algorithm]
        and one.get("use", "sig") == "sig"
        and one.get("alg", header.algorithm) in {header.algorithm, "Ed25519" if header.algorithm == "EdDSA" else ""}
    )


def _made(written: dict[str, Any]) -> Key | None:
    """Read a key; nothing when it is none, or too weak."""
    from joserfc.errors import JoseError  # noqa: PLC0415  an extra
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    public = {name: value for name, value in written.items() if name in {"kty", "kid", "n", "e", "crv", "x", "y"}}
    try:
        match written.get("kty"):
            case "RSA":
                key = RSAKey.import_key(public)
                return key if key.raw_value.key_size >= RSA_MIN_BITS else None
            case "EC":
                return ECKey.import_key(public) if written.get("crv") == "P-256" else None
            case _:
                return OKPKey.import_key(public) if written.get("crv") == "Ed25519" else None
    except (JoseError, ValueError, TypeError):
        return None
