"""How an easy handle of libcurl is set up for one hop: where it connects, what it sends, whom it trusts."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pycurl

from sentinel.probes.http_client import default_ca_file
from sentinel.probes.http_message import Request, Settings
from sentinel.probes.net import IPAddress
from sentinel.probes.tlscontext import TlsOptions

CURVES = "X25519:P-256:P-384"  # The post-quantum share of libcurl's own list costs a sixth of a handshake.
SHELF_MAX = 64
OLD_TLS = frozenset({"TLSv1.0", "TLSv1.1"})
TEXT = pycurl.INFOTYPE_TEXT
HANDSHAKE = re.compile(rb"SSL connection using (\S+) / (\S+)")

LOWEST = {
    "TLSv1.0": pycurl.SSLVERSION_TLSv1_0,
    "TLSv1.1": pycurl.SSLVERSION_TLSv1_1,
    "TLSv1.2": pycurl.SSLVERSION_TLSv1_2,
    "TLSv1.3": pycurl.SSLVERSION_TLSv1_3,
}
HIGHEST = {
    "TLSv1.0": pycurl.SSLVERSION_MAX_TLSv1_0,
    "TLSv1.1": pycurl.SSLVERSION_MAX_TLSv1_1,
    "TLSv1.2": pycurl.SSLVERSION_MAX_TLSv1_2,
    "TLSv1.3": pycurl.SSLVERSION_MAX_TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One request on its way, within which time: to which checked address, through which checked proxy or socket."""

    request: Request
    settings: Settings
    timeout_s: float
    address: IPAddress | None
    proxy_address: IPAddress | None = None

    @property
    def peer(self) -> IPAddress:
        """The address that is connected to."""
        peer = self.proxy_address or self.address
        assert peer is not None, "without a proxy the address is always resolved"
        return peer


# What a handle keeps from one request to the next: the settings, compared by identity, the method, whether it is TLS.
Dress: TypeAlias = tuple[Settings, str, bool]


@dataclass(slots=True)
class Handshake:
    """What was agreed in a TLS handshake, heard from libcurl's own account of it: pycurl has no other way to tell."""

    version: str = ""
    cipher: str = ""

    def overhear(self, kind: int, text: bytes) -> None:
        """Take one line of that account; everything but the agreement is dropped."""
        # There are sixty a request, which nobody wants: the cheap tests come first.
        if kind == TEXT and text.startswith(b"SSL c") and (found := HANDSHAKE.match(text)):
            self.version, self.cipher = found[1].decode("ascii", "replace"), found[2].decode("ascii", "replace")


def prepare(curl: Any, hop: Hop, handshake: Handshake) -> None:
    """Set up a handle to send a request; what it held is forgotten but for its cookies."""
    curl.reset()
    _connection(curl, hop)
    _request(curl, hop)
    aim(curl, hop, handshake)


def dress(hop: Hop) -> Dress | None:
    """Return what ``prepare`` makes the same of all requests that ``aim`` tells apart; nothing for a special one."""
    request, settings = hop.request, hop.settings
    if request.body is not None or settings.proxy is not None or request.cookie:
        return None
    return settings, request.method, request.link.secure


def aim(curl: Any, hop: Hop, handshake: Handshake) -> None:
    """Say what differs between two requests of one dress: where to, within which time, with which headers."""
    _target(curl, hop, handshake)
    curl.setopt(pycurl.HTTPHEADER, hop.request.lines)


def _request(curl: Any, hop: Hop) -> None:
    """Say what is sent besides the headers, and what is taken in."""
    request, settings = hop.request, hop.settings
    if request.cookie:
        curl.setopt(pycurl.COOKIE, request.cookie)  # Joins the cookies of the run.
    curl.setopt(pycurl.COOKIEFILE, "")
    curl.setopt(pycurl.MAXFILESIZE, settings.body_max_bytes)
    if settings.compression:
        curl.setopt(pycurl.ACCEPT_ENCODING, settings.compression)
    if request.body is not None:
        curl.setopt(pycurl.POSTFIELDS, request.body)
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    else:
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def only_connect(curl: Any, hop: Hop, handshake: Handshake) -> None:
    """Set up a handle that shakes hands with anybody, shows no certificate of ours, and sends nothing."""
    tls = TlsOptions(server_name=hop.settings.tls.server_name, verify=False)
    looking = replace(hop, settings=replace(hop.settings, tls=tls))
    _connection(curl, looking)
    _target(curl, looking, handshake)
    curl.setopt(pycurl.CONNECT_ONLY, 1)


def _target(curl: Any, hop: Hop, handshake: Handshake) -> None:
    """Say where to connect, and until when."""
    link, tls = hop.request.link, hop.settings.tls
    host = tls.server_name if tls.server_name and link.secure else link.host
    curl.setopt(pycurl.URL, str(link) if host == link.host else str(replace(link, host=host)))
    curl.setopt(pycurl.TIMEOUT_MS, max(1, int(hop.timeout_s * 1000)))
    if hop.settings.socket_path:
        curl.setopt(pycurl.UNIX_SOCKET_PATH, hop.settings.socket_path)
    elif hop.settings.proxy is None:
        # CONNECT_TO and not RESOLVE: that one writes into a cache which all transfers of the loop share.
        curl.setopt(pycurl.CONNECT_TO, [f"::{_bracketed(hop.peer)}:{link.port}"])
    if link.secure:
        overhear: Callable[[int, bytes], None] = handshake.overhear
        curl.setopt(pycurl.DEBUGFUNCTION, overhear)


def _connection(curl: Any, hop: Hop) -> None:
    """Say how to connect. libcurl looks up nothing and reads nothing but http and https."""
    link, settings, tls = hop.request.link, hop.settings, hop.settings.tls
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.PATH_AS_IS, 1)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    version = pycurl.CURL_HTTP_VERSION_2TLS if settings.http2 else pycurl.CURL_HTTP_VERSION_1_1
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE if settings.only_http2 else version)
    if settings.proxy is None:
        curl.setopt(pycurl.PROXY, "")  # Nor one from the environment.
    else:
        proxy = settings.proxy
        curl.setopt(pycurl.PROXY, f"{proxy.scheme}://{proxy.host_text}:{proxy.port}")
        curl.setopt(pycurl.NOPROXY, "")
        curl.setopt(pycurl.RESOLVE, [f"+{proxy.host}:{proxy.port}:{_bracketed(hop.peer)}"])
    if link.secure:
        _tls(curl, tls)


def _tls(curl: Any, tls: TlsOptions) -> None:
    """Say how TLS is spoken, and have the certificates and the handshake told."""
    ca_file = str(tls.ca_file or default_ca_file())
    if ca_file:
        curl.setopt(pycurl.CAINFO, ca_file)
    if tls.cert_file is not None:
        curl.setopt(pycurl.SSLCERT, str(tls.cert_file))
        curl.setopt(pycurl.SSLKEY, str(tls.key_file or tls.cert_file))
    curl.setopt(pycurl.SSL_VERIFYPEER, int(tls.verify))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if tls.verify else 0)
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    lowest = tls.min_version or min("TLSv1.2", tls.max_version or "TLSv1.2")
    curl.setopt(pycurl.SSLVERSION, LOWEST[lowest] | (HIGHEST[tls.max_version] if tls.max_version else 0))
    if lowest in OLD_TLS:
        curl.setopt(pycurl.SSL_CIPHER_LIST, "ALL:@SECLEVEL=0")
    with suppress(pycurl.error):  # Another TLS library beneath libcurl: its own list does.
        curl.setopt(pycurl.SSL_EC_CURVES, CURVES)
    curl.setopt(pycurl.OPT_CERTINFO, 1)
    curl.setopt(pycurl.VERBOSE, 1)


def _bracketed(address: IPAddress) -> str:
    return str(address) if address.version == 4 else f"[{address}]"


class Shelf:
    """Handles that wait to be lent again, set up as they were: one plain request differs little from the next.

    Nothing of a run stays in one: who has heard of a cookie is not kept, and a shelf holds so many at most.
    """

    def __init__(self) -> None:
        self._kept: dict[Dress, list[Any]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Count the handles that wait."""
        return self._count

    def take(self, hop: Hop, handshake: Handshake) -> tuple[Any, Dress | None]:
        """Return a handle that is set up for a hop, and what to give it back with."""
        wanted = dress(hop)
        waiting = self._kept.get(wanted) if wanted is not None else None
        if wanted is None or not waiting:
            curl = pycurl.Curl()
            prepare(curl, hop, handshake)
            return curl, wanted
        curl = waiting.pop()
        self._count -= 1
        if not waiting:
            del self._kept[wanted]
        aim(curl, hop, handshake)
        return curl, wanted

    def give_back(self, curl: Any, worn: Dress | None) -> None:
        """Keep a handle, or close it when it has become a special one; the oldest dress makes room."""
        if worn is None or curl.getinfo(pycurl.INFO_COOKIELIST):
            curl.close()
            return
        curl.setopt(pycurl.HEADERFUNCTION, len)  # What the run has collected must not live as long as the handle.
        curl.setopt(pycurl.WRITEFUNCTION, len)
        self._kept.setdefault(worn, []).append(curl)
        self._count += 1
        while self._count > SHELF_MAX:
            oldest, waiting = next(iter(self._kept.items()))
            waiting.pop().close()
            self._count -= 1
            if not waiting:
                del self._kept[oldest]


shelf = Shelf()
