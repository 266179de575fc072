"""One run's conversation with web servers: each hop resolved, checked, timed and limited; cookies kept between them."""

from __future__ import annotations

import ipaddress
import os
import ssl
import time
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import pycurl

from sentinel.probes import net, tlsinfo
from sentinel.probes.base import Failed, Sight
from sentinel.probes.http_client import TransferError, engine
from sentinel.probes.http_handle import Dress, Handshake, Hop, only_connect, prepare, shelf
from sentinel.probes.http_message import KEEPS_METHOD, REDIRECTS, Answer, Link, Request, Settings
from sentinel.probes.http_sink import Sink
from sentinel.probes.said import clean

NO_TIME = dict.fromkeys(("resolve", "connect", "tls", "processing", "transfer"), 0.0)
TIMES = (
    pycurl.NAMELOOKUP_TIME_T,
    pycurl.CONNECT_TIME_T,
    pycurl.APPCONNECT_TIME_T,
    pycurl.STARTTRANSFER_TIME_T,
    pycurl.TOTAL_TIME_T,
)

# libcurl gives up this much before the caller does, so that the failure can say what it was waiting for.
MARGIN_S = 0.02
SECOND_LOOK_MAX_S = 3.0
CHAIN_MAX_CERTS = 16
MOMENTS_KEPT_MAX = 4096
DATE_MAX_CHARS = 64

VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2.0",
    pycurl.CURL_HTTP_VERSION_3: "3.0",
}
SHAKING_HANDS = "the TLS handshake"
PROXY_FAILED, TOO_LARGE = 97, 100  # CURLE_PROXY and CURLE_TOO_LARGE, which pycurl does not name.
UNTRUSTED = pycurl.E_PEER_FAILED_VERIFICATION
REASONS = {
    pycurl.E_COULDNT_RESOLVE_PROXY: "dns",
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_CONNECT: "connect",
    PROXY_FAILED: "connect",
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_FILESIZE_EXCEEDED: "size",
    TOO_LARGE: "size",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_SSL_CERTPROBLEM: "tls",
    pycurl.E_SSL_CIPHER: "tls",
    pycurl.E_SSL_CACERT_BADFILE: "tls",
    pycurl.E_SSL_INVALIDCERTSTATUS: "tls",
    UNTRUSTED: "tls",
}


class Session:
    """The conversation of one run: its cookies, its settings, its sight."""

    def __init__(self, sight: Sight, settings: Settings) -> None:
        self._sight = sight
        self._settings = settings
        self._curl: Any = None
        self._dress: Dress | None = None  # Nothing when the handle has become a special one, or none is held.
        self._chain: list[bytes] = []
        self._first_host = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._curl is None:
            return
        shelf.give_back(self._curl, self._dress if kind is None else None)

    @property
    def chain(self) -> list[bytes]:
        """The certificates of the last answer, in DER, the leaf first; empty when it came without TLS."""
        return self._chain

    def cookies(self) -> dict[str, str]:
        """Return the cookies held now, a later one hiding an earlier one of its name."""
        if self._curl is None:
            return {}
        lines = (line.split("\t") for line in self._curl.getinfo(pycurl.INFO_COOKIELIST))
        return {fields[5]: fields[6] for fields in lines if len(fields) > 6}

    async def fetch(self, request: Request) -> Answer:
        """Send a request, follow redirects as the settings say, and return the last answer.

        Raises:
            Failed: no complete answer was to be had; the reason says where it ended.
        """
        began = time.perf_counter()
        self._first_host = request.link.host
        for redirects in range(self._settings.redirects_max + 1):
            answer = await self._hop(request)
            location = answer.header("location")
            leads_on = answer.status in REDIRECTS and location is not None
            self._sight.gauge("probe_http_redirects", redirects + leads_on)
            if location is None or not leads_on or not self._settings.follow:
                took_s = time.perf_counter() - began
                return Answer(
                    answer.link, answer.status, answer.version, answer.headers, answer.body, redirects, took_s
                )
            request = self._redirect(request, answer.status, location)
        limit = self._settings.redirects_max
        raise Failed("redirect", f"more than {limit} redirects, the last to {request.link.shown}")

    def _redirect(self, request: Request, status: int, location: str) -> Request:
        """Return the next request of a redirect.

        Raises:
            Failed: ``redirect`` it leads nowhere, or would give away what this server was trusted with.
        """
        here = request.link
        try:
            link = here.follow(location)
        except ValueError as error:
            raise Failed("redirect", f"{here.shown} redirects to no address: {error}") from error
        self._sight.fact(f"{here.shown} redirects to {link.shown}")
        if here.secure and not link.secure and not self._settings.downgrade:
            raise Failed("redirect", f"{here.shown} redirects to {link.shown}, which is not encrypted")
        if status in KEEPS_METHOD and request.body is not None and not here.trusts(link):
            raise Failed("redirect", f"{here.shown} redirects what was sent to it to another server, {link.shown}")
        return request.redirected(status, link)

    async def _hop(self, request: Request) -> Answer:
        """Carry out one request, with one checked address."""
        link, sink, handshake = request.link, Sink(self._settings.body_max_bytes), Handshake()
        hop = await self._locate(request)
        self._sight.phases = NO_TIME | self._sight.phases
        if self._curl is None:
            self._curl, self._dress = shelf.take(hop, handshake)
        else:
            self._dress = None
            prepare(self._curl, hop, handshake)
        self._curl.setopt(pycurl.HEADERFUNCTION, sink.header)
        self._curl.setopt(pycurl.WRITEFUNCTION, sink.write)
        self._chain = []
        try:
            await engine(str(self._settings.tls.ca_file or "")).perform(self._curl)
        except TransferError as error:
            waited = self._time(link, sink)
            if sink.begun:
                self._answer(link, sink)
            if error.code == UNTRUSTED:
                await self._look_again(hop)
            raise self._failure(hop, sink, error, waited) from error
        self._time(link, sink)
        if not self._settings.socket_path:
            connected = self._curl.getinfo(pycurl.PRIMARY_IP)
            same = connected == str(hop.peer) or ipaddress.ip_address(connected) == hop.peer
            assert same, "only the checked address is spoken to"
        answer = self._answer(link, sink)
        status, version, size = answer.status, answer.version, len(answer.body)
        self._sight.fact(lambda: f"{request.method} {link.shown}: {status} over HTTP/{version}, {size} bytes")
        if link.secure:
            self._record_tls(self._curl, handshake, verified=self._settings.tls.verify)
        return answer

    def _answer(self, link: Link, sink: Sink) -> Answer:
        """Put together what came, and record it."""
        version = VERSIONS.get(self._curl.getinfo(pycurl.INFO_HTTP_VERSION), "0")
        status = self._curl.getinfo(pycurl.RESPONSE_CODE)
        answer = Answer(link, status, version, tuple(sink.headers), bytes(sink.body))
        record(self._sight, answer)
        return answer

    async def _locate(self, request: Request) -> Hop:
        """Resolve and check the target, and the proxy where there is one.

        Raises:
            Failed: ``dns`` no address; ``denied`` one that is not to be spoken to.
        """
        settings, sight = self._settings, self._sight
        if request.link.host != self._first_host:
            # A fixed server name, and who we say we are, are for the host they were written for.
            elsewhere = {"server_name": None, "cert_file": None, "key_file": None}
            settings = replace(settings, tls=settings.tls.model_copy(update=elsewhere))
        host, address, through = request.link.host, None, None
        if settings.socket_path:
            return Hop(request, settings, sight.left_s() - MARGIN_S, None)
        if settings.proxy is None or not settings.proxy_resolves or net.literal(host) is not None:
            address = await net.find(sight, host, settings.prefer, fallback=settings.fallback)
        if settings.proxy is not None:
            through = await sight.resolver.resolve(settings.proxy.host, settings.prefer, fallback=settings.fallback)
            sight.policy.check(through)
        return Hop(request, settings, sight.left_s() - MARGIN_S, address, through)

    async def _look_again(self, hop: Hop) -> None:
        """Read the certificates of a server that is not trusted: the same handshake, trusting anybody, sending nothing.

        blackbox_exporter has no certificate metrics in this case; here an expired certificate still says when.
        """
        handshake, curl = Handshake(), pycurl.Curl()
        timeout_s = min(SECOND_LOOK_MAX_S, self._sight.left_s() - MARGIN_S)
        try:
            only_connect(curl, replace(hop, timeout_s=timeout_s), handshake)
            await engine().perform(curl)
            self._record_tls(curl, handshake, verified=False)
        except TransferError as error:
            self._sight.fact(f"the certificate could not be read either: {clean(error.text)}")
        finally:
            curl.close()

    def _record_tls(self, curl: Any, handshake: Handshake, *, verified: bool) -> None:
        fields = (dict(certificate) for certificate in curl.getinfo(pycurl.INFO_CERTINFO)[:CHAIN_MAX_CERTS])
        self._chain = [ssl.PEM_cert_to_DER_cert(each["Cert"].strip()) for each in fields if "Cert" in each]
        tlsinfo.record(self._sight, self._chain, handshake.version, handshake.cipher, verified)

    def _time(self, link: Link, sink: Sink) -> str:
        """Add this hop's times to the phases, and return what it was busy with when it ended.

        After a failed connect libcurl's later times are not 0: the first 0 of connect and TLS decides.
        """
        lookup, connect, handshake, first, total = map(self._curl.getinfo, TIMES)
        ready = handshake if link.secure else connect
        if not connect:
            return self._add("connecting", connect=total - lookup)
        if not ready:
            return self._add(SHAKING_HANDS, connect=connect - lookup, tls=total - connect)
        spent = {"connect": connect - lookup, "tls": ready - connect}
        if not sink.begun:
            return self._add("the answer", **spent, processing=total - ready)
        return self._add("the rest of the answer", **spent, processing=first - ready, transfer=total - first)

    def _add(self, waited: str, **spent_us: int) -> str:
        for phase, spent in spent_us.items():
            self._sight.phases[phase] += max(0, spent) / 1e6
        return waited

    def _failure(self, hop: Hop, sink: Sink, error: TransferError, waited: str) -> Failed:
        """Say what a bad end of a transfer means."""
        link = hop.request.link
        if sink.refused is not None:
            return Failed(sink.refused[0], f"{link.shown}: {sink.refused[1]}")
        reason = REASONS.get(error.code, "protocol")
        if reason == "timeout":
            return Failed(reason, f"{link.shown}: nothing more after {self._sight.timeout_s:g} s, waiting for {waited}")
        if error.code == pycurl.E_OUT_OF_MEMORY and waited == SHAKING_HANDS:
            return Failed("tls", f"{link.shown}: its certificates are more than can be taken in")
        if error.code == TOO_LARGE:
            return Failed(reason, f"{link.shown}: a line of the head is larger than can be")
        if reason == "size":
            return Failed(reason, f"{link.shown}: the body is larger than {self._settings.body_max_bytes} bytes")
        if error.code == pycurl.E_COULDNT_CONNECT and (number := self._curl.getinfo(pycurl.OS_ERRNO)):
            error.errno = number
            where = self._settings.socket_path or f"{hop.peer} port {link.port}"
            return Failed(reason, f"{link.shown}: {where}: {os.strerror(number)}")
        return Failed(reason, f"{link.shown}: {clean(error.text)}")


def record(sight: Sight, answer: Answer) -> None:
    """Record what an answer, or as much of it as came, says of itself, under blackbox_exporter's names."""
    sight.samples |= {
        ("probe_http_status_code", ()): float(answer.status),
        ("probe_http_ssl", ()): float(answer.link.secure),
        ("probe_http_content_length", ()): float(answer.length),
        ("probe_http_uncompressed_body_length", ()): float(len(answer.body)),
        ("probe_http_version", ()): float(answer.version),
    }
    modified = answer.header("last-modified")
    if modified is not None:
        try:
            sight.gauge("probe_http_last_modified_timestamp_seconds", _moment(modified))
        except (ValueError, OverflowError):
            sight.fact("the header Last-Modified holds no date")


@lru_cache(maxsize=MOMENTS_KEPT_MAX)
def _moment(text: str) -> float:
    """Read a date of a header, which for most pages is the one of the last time."""
    return parsedate_to_datetime(text[:DATE_MAX_CHARS]).timestamp()
