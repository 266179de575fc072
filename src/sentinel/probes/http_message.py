"""What goes to a web server and what comes back: links, requests, answers, and the settings of a connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit

from sentinel import __version__
from sentinel.probes.net import Family, literal
from sentinel.probes.tlscontext import TlsOptions

AGENT = f"Sentinel/{__version__}"
DEFAULT_PORTS = {"http": 80, "https": 443}
URL_MAX_CHARS = 8192
LINKS_KEPT_MAX = 16384
HEADERS_KEPT_MAX = 1024

# What a URL may hold as it stands; the rest is percent-encoded, as browsers do with what people type.
URL_SAFE = "!#$%&'()*+,/:;=?@[]~-._|"

# A page decides how it is read, within what cannot bring forth text that is none (lone surrogates, escapes).
CHARSET = re.compile(
    r"charset\s*=\s*\"?(utf-8|utf8|us-ascii|iso-8859-\d+|windows-125\d|utf-16(?:le|be)?)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Link:
    """A web address in parts, all of them already in the form that is sent."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an absolute ``http`` or ``https`` address; a fragment, user name or password in it is dropped.

        Raises:
            ValueError: it is none; the text says why.
        """
        if len(text) > URL_MAX_CHARS:
            raise ValueError(f"the address is longer than {URL_MAX_CHARS} characters")
        if any(character < " " or character == "\x7f" for character in text):
            raise ValueError("the address holds a control character")
        parts = urlsplit(text.strip())
        scheme = parts.scheme.lower()
        if scheme not in DEFAULT_PORTS:
            raise ValueError(f"the scheme is {parts.scheme[:20] or 'missing'!r}, not http or https")
        if not parts.hostname:
            raise ValueError("the address has no host")
        port = parts.port if parts.port is not None else DEFAULT_PORTS[scheme]
        if port == 0:
            raise ValueError("the port is 0")
        query = f"?{quote(parts.query, safe=URL_SAFE)}" if parts.query else ""
        path = quote(parts.path or "/", safe=URL_SAFE) + query
        return cls(scheme, _wire_host(parts.hostname), port, path)

    def follow(self, location: str) -> Self:
        """Return where a redirect leads from here.

        Raises:
            ValueError: nowhere.
        """
        return self.parse(urljoin(str(self), location))

    @property
    def secure(self) -> bool:
        """Tell whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def host_text(self) -> str:
        """The host as a URL has it: an IPv6 address in brackets."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def authority(self) -> str:
        """The host and, where it is not the usual one, the port: what the Host header says."""
        return self.host_text if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host_text}:{self.port}"

    @property
    def shown(self) -> str:
        """The address without its query, which may hold what is nobody's business."""
        return f"{self.scheme}://{self.authority}{self.path.partition('?')[0]}"

    def trusts(self, other: Link) -> bool:
        """Tell whether what was sent here may be sent there: the same server, or the same host gone to TLS."""
        if (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port):
            return True
        usual = self.port == DEFAULT_PORTS[self.scheme] and other.port == DEFAULT_PORTS[other.scheme]
        return self.host == other.host and usual and other.secure

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


@lru_cache(maxsize=LINKS_KEPT_MAX)
def link_of(text: str) -> Link:
    """Read an address that is asked for again and again, as ``Link.parse`` does."""
    return Link.parse(text)


def _wire_host(host: str) -> str:
    """Return a host as it is sent: an address in its usual form, a name in lower case and in ASCII."""
    address = literal(host)
    if address is not None:
        return str(address).partition("%")[0]
    try:
        name = host.encode("idna").decode("ascii") if not host.isascii() else host.lower()
    except UnicodeError as error:
        raise ValueError(f"the host is not a name: {error}") from error
    if not re.fullmatch(r"[a-z0-9_.-]+", name):
        raise ValueError("the host is not a name")
    return name


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``headers`` are as written by people; ``secret`` are those that another host must not get."""

    method: str
    link: Link
    headers: tuple[tuple[str, str], ...] = ()
    secret: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    @property
    def cookie(self) -> bytes:
        """What is written of cookies; empty for nothing."""
        return _cookie(self.headers + self.secret)

    @property
    def lines(self) -> list[bytes]:
        """The headers as libcurl takes them, cookies aside; whoever takes them changes nothing."""
        return _lines(self.headers + self.secret, self.link.authority)

    def redirected(self, status: int, link: Link) -> Request:
        """Return the request that follows a redirect (RFC 9110, 15.4); 301 and 302 turn all but HEAD into GET."""
        keeps = status in KEEPS_METHOD or self.method in {"GET", "HEAD"}
        moved = replace(self, link=link) if keeps else replace(self, link=link, method="GET", body=None)
        if self.link.trusts(link):
            return moved
        return replace(moved, secret=(), headers=tuple(pair for pair in moved.headers if pair[0].lower() != "host"))


# Kept here and not in each request: of ten thousand that differ in their addresses, most say the same in their headers.
@lru_cache(maxsize=HEADERS_KEPT_MAX)
def _cookie(headers: tuple[tuple[str, str], ...]) -> bytes:
    return next((value.encode() for name, value in headers if name.lower() == "cookie"), b"")


@lru_cache(maxsize=HEADERS_KEPT_MAX)
def _lines(said: tuple[tuple[str, str], ...], authority: str) -> list[bytes]:
    headers = {name: value for name, value in said if name.lower() != "cookie"}
    named = {name.lower(): name for name in headers}
    if "host" not in named:
        headers["Host"] = authority  # Which the URL may not say, as it carries the TLS server name.
    headers.setdefault(named.get("user-agent", "User-Agent"), AGENT)
    if "connection" not in named:
        headers["Connection"] = "close"
    # An empty value is written with a semicolon; a colon alone takes away what libcurl adds of its own accord.
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    lines += [f"{name}:" for name in ("Accept", "Content-Type", "Expect") if name.lower() not in named]
    return [line.encode() for line in lines]


DEFAULT_TLS = TlsOptions()
REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEPS_METHOD = frozenset({307, 308})


@dataclass(frozen=True)
class Answer:
    """One answer, its body complete and decompressed."""

    link: Link
    status: int
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    redirects: int = 0
    duration_s: float = 0.0

    def header(self, name: str) -> str | None:
        """Return the first value of a header; its name is compared without regard to case."""
        return self._first.get(name.lower())

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @cached_property
    def _first(self) -> dict[str, str]:
        return {name.lower(): value for name, value in reversed(self.headers)}

    @cached_property
    def text(self) -> str:
        """The body as text, in the character set it names or UTF-8; what does not decode becomes U+FFFD."""
        named = CHARSET.search(self.header("content-type") or "")
        try:
            return self.body.decode(named[1] if named else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    @cached_property
    def page(self) -> Any:
        """The body as the tree of a web page; raises ``Failed``, ``capture``, when it is none or beyond the limits."""
        from sentinel.probes import css  # noqa: PLC0415  half of the kinds never need it

        return css.parse(self.text)

    @property
    def length(self) -> int:
        """What Content-Length says; 0 where no body can be, -1 when nothing says it."""
        declared = self.header("content-length") or ""
        if declared.isascii() and declared.isdigit():
            return int(declared[:18])
        return 0 if self.status in {204, 304} else -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settings:
    """How to speak to web servers in one run. Compared by identity: those that say the same are the same."""

    tls: TlsOptions = DEFAULT_TLS
    prefer: Family = "ip4"
    fallback: bool = True
    http2: bool = True
    proxy: Link | None = None
    proxy_resolves: bool = False
    compression: str = ""
    body_max_bytes: int = 1 << 20
    redirects_max: int = 10
    follow: bool = True
    downgrade: bool = False
    only_http2: bool = False  # From the first byte, also where nothing is encrypted: what gRPC speaks.
    socket_path: str = ""  # A stream socket of this machine to speak to, whatever host is named.
