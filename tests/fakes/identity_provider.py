"""An identity provider: discovery, authorization codes with PKCE, signed ID tokens, changing keys; and bad days."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

CLIENT = "sentinel"
SECRET = "d4a2e0aa-0000-4000-8000-000000000002"
MAKE = {
    "RS256": lambda kid: RSAKey.generate_key(2048, {"kid": kid}),
    "PS256": lambda kid: RSAKey.generate_key(2048, {"kid": kid}),
    "ES256": lambda kid: ECKey.generate_key("P-256", {"kid": kid}),
    "Ed25519": lambda kid: OKPKey.generate_key("Ed25519", {"kid": kid}),
}


@dataclass
class IdentityProvider:
    """Whoever comes is ``user``. What a test puts in ``says``, ``header`` or ``metadata`` replaces what is right."""

    now: datetime
    url: str = ""
    user: dict[str, Any] = field(
        default_factory=lambda: {"sub": "248289", "email": "amina@example.org", "email_verified": True}
    )
    more: dict[str, Any] = field(default_factory=dict)
    says: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "ES256"
    down: bool = False
    methods: tuple[str, ...] = ("client_secret_basic",)
    asked: list[str] = field(default_factory=list)
    published: list[Key] = field(default_factory=list)
    signs: Key | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def rotate(self, *, publish: bool = True) -> None:
        """Sign with another key from now on."""
        self.signs = MAKE[self.algorithm](f"k{secrets.token_hex(4)}")
        if publish:
            self.published = [self.signs]

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._noted])
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/userinfo", self._userinfo)
        return app

    @web.middleware
    async def _noted(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.down:
            return web.Response(status=503, text="<html>down for maintenance</html>", content_type="text/html")
        return await handler(request)

    async def _discovery(self, _request: web.Request) -> web.Response:
        known = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "token_endpoint_auth_methods_supported": list(self.methods),
        }
        return web.json_response(known | self.metadata)

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        answer = urlencode({"code": code, "state": query["state"], "iss": self.url})
        return web.Response(status=302, headers={"Location": f"{query['redirect_uri']}?{answer}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if not self._is_client(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self.codes.pop(form["code"], None)  # A code serves once (RFC 6749, 4.1.2).
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["redirect_uri"] != form["redirect_uri"] or asked["code_challenge"] != proof:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.token(asked["nonce"])
        return web.json_response({"access_token": "an-access-token", "token_type": "Bearer", "id_token": token})

    def _is_client(self, request: web.Request, form: dict[str, str]) -> bool:
        if self.methods == ("client_secret_post",):
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        pair = base64.b64decode(request.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        return tuple(map(unquote, pair.split(":"))) == (CLIENT, SECRET)

    def token(self, nonce: str) -> str:
        """Write an ID token."""
        assert self.signs is not None
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "iat": int(self.now.timestamp()),
            "exp": int((self.now + timedelta(minutes=5)).timestamp()),
            "nonce": nonce,
            **self.user,
            **self.says,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.signs.kid} | self.header
        header = {name: value for name, value in header.items() if value is not None}
        if header["alg"] == "none":
            return f"{_part(header)}.{_part(claims)}."
        if header["alg"] == "HS256":  # Signed with what anybody can read: the public key (RFC 8725, 2.1).
            text, secret = f"{_part(header)}.{_part(claims)}", self.signs.as_pem(private=False)
            return f"{text}.{_text(hmac.digest(secret, text.encode(), 'sha256'))}"
        return jwt.encode(header, claims, self.signs, algorithms=[header["alg"]])

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.published]})

    async def _userinfo(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer an-access-token"
        return web.json_response({"sub": self.user["sub"]} | self.more)


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@asynccontextmanager
async def identity_provider(now: datetime | None = None) -> AsyncIterator[IdentityProvider]:
    """Run a provider on a free port."""
    provider = IdentityProvider(now or datetime.now(UTC))
    provider.rotate()
    runner = web.AppRunner(provider.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
