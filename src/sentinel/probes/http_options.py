"""The options of everything that speaks HTTP, and the requests they make: shared by http and scenario."""

from __future__ import annotations

import base64
import re
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Flag, Secret, Size, Url, quoted, wrong
from sentinel.probes.http_message import Link, Request, Settings
from sentinel.probes.targets import HostOptions
from sentinel.probes.tlscontext import TlsOptions

HEADERS_MAX = 50
REDIRECTS_MAX = 20
BODY_MAX_BYTES = 64 << 20
SETTINGS_KEPT_MAX = 1024

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# What frames a message is libcurl's to say.
FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "expect", "te", "trailer", "upgrade"})
# A header that a redirect must not carry to another server, going by its name.
CONFIDENTIAL = re.compile(r"auth|cookie|key|token|secret|session|passw|credential", re.IGNORECASE)


def _check_headers(headers: dict[str, Secret]) -> dict[str, Secret]:
    for name, value in headers.items():
        if not TOKEN.fullmatch(name):
            raise wrong(f"{quoted(name)} is not the name of a header")
        if name.lower() in FRAMING:
            raise wrong(f"the header {name} is not for a configuration to set")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value.reveal()):
            raise wrong(f"the header {name} holds a control character")
    if len({name.lower() for name in headers}) < len(headers):
        raise wrong("a header is given twice")
    return headers


NO_HEADERS: dict[str, Secret] = {}  # One for all that have none; nobody changes it.
Headers = Annotated[dict[str, Secret], Field(max_length=HEADERS_MAX), AfterValidator(_check_headers)]


class BasicAuth(BaseModel):
    """A user name and a password, sent at once without waiting to be asked."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    username: str
    password: Secret = Secret("")


def authorization(basic_auth: BasicAuth | None, bearer: Secret | None) -> dict[str, str]:
    """Return the header that signs a request, or none."""
    if bearer is not None:
        return {"Authorization": f"Bearer {bearer.reveal()}"}
    if basic_auth is None:
        return {}
    pair = f"{basic_auth.username}:{basic_auth.password.reveal()}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"}


class Payload(BaseModel):
    """What a request carries: ``body`` as it stands, ``form`` fields, or ``json``; one of the three at most."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    body: Secret | None = None
    form: dict[str, Secret] | None = None
    json_: dict[str, Any] | None = Field(None, alias="json")

    @model_validator(mode="after")
    def _one_at_most(self) -> Self:
        if sum(each is not None for each in (self.body, self.form, self.json_)) > 1:
            raise wrong("`body`, `form` and `json` exclude each other")
        return self

    @property
    def usual_method(self) -> str:
        """The method of a request that names none."""
        return "GET" if self.body is None and self.form is None and self.json_ is None else "POST"

    def encoded(self) -> tuple[bytes | None, str]:
        """Return the bytes and the type they have; no bytes when nothing is carried."""
        if self.form is not None:
            fields = {name: value.reveal() for name, value in self.form.items()}
            return urlencode(fields).encode(), "application/x-www-form-urlencoded"
        if self.json_ is not None:
            return msgspec.json.encode(self.json_), "application/json"
        return (None if self.body is None else self.body.reveal().encode()), ""


def check_link(text: str) -> None:
    """See to it that an address can be spoken to.

    Raises:
        PydanticCustomError: it cannot.
    """
    try:
        Link.parse(text)
    except ValueError as error:
        raise wrong(str(error)) from None


class WebOptions(HostOptions):
    """How to speak to web servers, whatever is asked of them."""

    headers: Headers = Field(default_factory=lambda: NO_HEADERS)
    basic_auth: BasicAuth | None = None
    bearer: Secret | None = None
    follow_redirects: Flag = True
    max_redirects: Annotated[Count, Field(le=REDIRECTS_MAX)] = 10
    allow_downgrade: Flag = False
    http2: Flag = True
    proxy_url: Url | None = None
    skip_resolve_phase_with_proxy: Flag = False
    tls: TlsOptions = TlsOptions()
    body_limit: Annotated[Size, Field(ge=0, le=BODY_MAX_BYTES)] = 1 << 20
    compression: Literal["", "gzip", "deflate", "br", "identity"] = ""

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        given = [
            self.basic_auth is not None,
            self.bearer is not None,
            any(name.lower() == "authorization" for name in self.headers),
        ]
        if sum(given) > 1:
            raise wrong("`basic_auth`, `bearer` and an Authorization header exclude each other")
        return self

    @cached_property
    def settings(self) -> Settings:
        """What the conversation needs to know of these options; the same object for all that say the same."""
        return _settings(
            tls=self.tls,
            prefer=self.ip_protocol,
            fallback=self.ip_protocol_fallback,
            http2=self.http2,
            proxy=Link.parse(self.proxy_url) if self.proxy_url else None,
            proxy_resolves=self.skip_resolve_phase_with_proxy,
            compression=self.compression,
            body_max_bytes=self.body_limit,
            redirects_max=self.max_redirects,
            follow=self.follow_redirects,
            downgrade=self.allow_downgrade,
        )

    def request(self, method: str, link: Link, payload: Payload, headers: dict[str, Secret] | None = None) -> Request:
        """Make a request; ``headers`` are said instead of those of the options that have their names."""
        body, content_type = payload.encoded()
        given = [*self.headers.items(), *(headers or {}).items()]
        lines = {name.lower(): (name, value.reveal()) for name, value in given}
        if content_type:
            lines.setdefault("content-type", ("Content-Type", content_type))
        for name, value in authorization(self.basic_auth, self.bearer).items():
            lines.setdefault(name.lower(), (name, value))
        secret = {name for name in lines if CONFIDENTIAL.search(name)}
        return Request(
            method,
            link,
            tuple(line for name, line in lines.items() if name not in secret),
            tuple(line for name, line in lines.items() if name in secret),
            body,
        )


@lru_cache(maxsize=SETTINGS_KEPT_MAX)
def _settings(**said: Any) -> Settings:
    return Settings(**said)
