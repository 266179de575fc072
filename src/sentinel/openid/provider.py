"""One identity provider: what it publishes of itself, and the exchange of a code for who somebody is.

Every request goes where the target policy lets it, has a time limit and a largest answer; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, Caller, Request
from sentinel.openid import tokens
from sentinel.openid.base import TEXT_MAX_CHARS, Registration, Unavailable, Unbelievable
from sentinel.openid.tokens import Expected
from sentinel.probes.net import TargetPolicy

T = TypeVar("T")
WELL_KNOWN: Final = "/.well-known/openid-configuration"
TIMEOUT: Final = timedelta(seconds=10)
ANSWER_MAX_BYTES: Final = 256 * 1024
FRESH_FOR_S: Final = 3_600.0  # After that it is asked anew where things are, and which keys are in force.
KEYS_EVERY_S: Final = 60.0  # Tokens with keys of nobody must not make us ask without end.
CODE_MAX_CHARS: Final = 4_096


class Metadata(msgspec.Struct, frozen=True):
    """What a provider publishes of itself, as far as it is used (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Granted(msgspec.Struct, frozen=True):
    """What a code is exchanged for."""

    id_token: str
    access_token: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """One sign-in under way: what must come back with it, and what proves that it was we who began it."""

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class Provider:
    """Speaks with a provider. What it publishes is remembered for an hour; keys are read anew when one is unknown."""

    def __init__(self, ours: Registration, policy: TargetPolicy) -> None:
        self.ours = ours
        self._policy = policy
        self._metadata: tuple[Metadata, float] | None = None
        self._keys: tuple[object, float] | None = None

    async def check(self) -> None:
        """Read what the provider publishes, and its keys.

        Raises:
            Unavailable: it does not answer, or with something else, or with no key that is taken.
        """
        if not tokens.any_usable(await self._read_keys()):
            raise Unavailable("none of the keys it publishes is taken: RSA of 2048 bits and more, P-256, Ed25519")

    async def address(self, started: Started) -> str:
        """Return where a browser is sent to sign in.

        Raises:
            Unavailable: the provider does not say where.
        """
        endpoint = (await self._published()).authorization_endpoint
        digest = hashlib.sha256(started.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.ours.client_id,
            "redirect_uri": self.ours.back,
            "scope": " ".join(self.ours.scopes),
            "state": started.state,
            "nonce": started.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def exchange(self, code: str, started: Started, now: datetime) -> dict[str, Any]:
        """Exchange a code for what the provider says of somebody, verified.

        Raises:
            Unavailable: it does not answer, or with something else.
            Unbelievable: the code is refused, or what it brings is no proof.
        """
        granted = await self._granted(code, started)
        header = tokens.header_of(granted.id_token)
        key = tokens.key_of(header, await self._known_keys())
        if key is None:
            key = tokens.key_of(header, await self._newer_keys())
        if key is None:
            raise Unbelievable("the ID token is signed with a key that the provider does not publish")
        expected = Expected(self.ours.issuer, self.ours.client_id, started.nonce, now)
        claims = tokens.claims_of(granted.id_token, header, key, expected)
        if self.ours.claim not in claims and granted.access_token:
            claims = await self._told_more(claims, granted.access_token) | claims
        return claims

    async def _granted(self, code: str, started: Started) -> Granted:
        metadata = await self._published()
        form = {
            "grant_type": "authorization_code",
            "code": code[:CODE_MAX_CHARS],
            "redirect_uri": self.ours.back,
            "code_verifier": started.verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        methods = metadata.token_endpoint_auth_methods_supported
        if "client_secret_basic" in methods or "client_secret_post" not in methods:
            pair = f"{quote(self.ours.client_id, safe='')}:{quote(self.ours.client_secret, safe='')}"  # RFC 6749, 2.3.1
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": self.ours.client_id, "client_secret": self.ours.client_secret}
        answer = await self._call(Request("POST", metadata.token_endpoint, headers, urlencode(form).encode()))
        if answer.status in {400, 401, 403}:
            # Which of our secrets it did not like stands in no log: only the error's own name.
            raise Unbelievable(f"the provider refuses the code: {_error_of(answer)}")
        return _read(answer, Granted)

    async def _told_more(self, claims: Mapping[str, Any], access_token: str) -> dict[str, Any]:
        """Ask for what does not stand in the token: many providers put a mail address here only.

        Raises:
            Unbelievable: it is of somebody else (OpenID Connect Core 1.0, 5.3.2).
        """
        url = (await self._published()).userinfo_endpoint
        if not url:
            return {}
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        more = _read(await self._call(Request("GET", url, headers)), dict[str, Any])
        if more.get("sub") != claims["sub"]:
            raise Unbelievable("what the provider says more is of somebody else")
        return more

    # What it publishes ----------------------------------------------------------------------------------------------

    async def _published(self) -> Metadata:
        now_s = asyncio.get_running_loop().time()
        if self._metadata is not None and now_s - self._metadata[1] < FRESH_FOR_S:
            return self._metadata[0]
        if find_spec("joserfc") is None:  # Before anybody is sent there: what they bring back could not be read.
            raise Unavailable("the extra `oidc` is not installed: pip install 'sentinel-ops[oidc]'")
        issuer = self.ours.issuer
        answer = await self._call(Request("GET", f"{issuer.rstrip('/')}{WELL_KNOWN}", {"Accept": "application/json"}))
        found = _read(answer, Metadata)
        if found.issuer != issuer:
            raise Unavailable(f"it calls itself {found.issuer[:TEXT_MAX_CHARS]!r}, and `auth.oidc.issuer` {issuer!r}")
        for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri, found.userinfo_endpoint):
            if url and not _as_safe(url, issuer):
                raise Unavailable(f"it sends to {url[:TEXT_MAX_CHARS]!r}, which is not protected as the issuer is")
        self._metadata = found, now_s
        return found

    async def _known_keys(self) -> object:
        now_s = asyncio.get_running_loop().time()
        if self._keys is None or now_s - self._keys[1] >= FRESH_FOR_S:
            return await self._read_keys()
        return self._keys[0]

    async def _newer_keys(self) -> object:
        """Return the keys of now: somebody signs with one that is not known, and keys are changed now and then."""
        now_s = asyncio.get_running_loop().time()
        if self._keys is not None and now_s - self._keys[1] < KEYS_EVERY_S:
            return self._keys[0]
        return await self._read_keys()

    async def _read_keys(self) -> object:
        metadata = await self._published()
        answer = await self._call(Request("GET", metadata.jwks_uri, {"Accept": "application/json"}))
        found = _read(answer, dict[str, Any])
        if not isinstance(found.get("keys"), list):
            raise Unavailable("it publishes no keys")
        self._keys = found, asyncio.get_running_loop().time()
        return found

    async def _call(self, request: Request) -> Answer:
        caller = Caller(self._policy, TIMEOUT, ANSWER_MAX_BYTES)  # Sign-ins are rare: nothing is kept open for them.
        try:
            return await caller.call(request)
        except Undelivered as error:
            raise Unavailable(error.why) from error
        finally:
            await caller.close()


def _read(answer: Answer, kind: type[T]) -> T:
    if not answer.ok:
        raise Unavailable(f"it answers {answer.status}")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unavailable("it answers something else than OpenID Connect") from error


def _error_of(answer: Answer) -> str:
    try:
        said = msgspec.json.decode(answer.body, type=dict[str, Any]).get("error")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = None
    return said[:TEXT_MAX_CHARS] if isinstance(said, str) else f"it answers {answer.status}"


def _as_safe(url: str, issuer: str) -> bool:
    """Tell whether an address is spoken to over TLS, or the issuer is not either."""
    parts = urlsplit(url)
    return bool(parts.hostname) and parts.scheme in {"https", urlsplit(issuer).scheme}
