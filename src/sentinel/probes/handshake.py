"""Shaking hands with a TLS peer so that its certificates are known also when they cannot be trusted."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from sentinel.probes import tlsinfo
from sentinel.probes.base import Failed, Sight
from sentinel.probes.said import clean
from sentinel.probes.tlscontext import TlsOptions, context, lenient_context
from sentinel.probes.wire import Wire, chain_of

# Makes a new connection, ready for the handshake; who calls it closes it.
Dial: TypeAlias = Callable[[], Awaitable[Wire]]

# What OpenSSL calls the usual troubles, in words for people.
SENTENCES = {
    "WRONG_VERSION_NUMBER": "does not speak TLS",
    "RECORD_LAYER_FAILURE": "does not speak TLS",
    "HTTP_REQUEST": "does not speak TLS",
    "UNSUPPORTED_PROTOCOL": "speaks no version of TLS that may be used",
    "TLSV1_ALERT_PROTOCOL_VERSION": "speaks no version of TLS that may be used",
    "NO_SHARED_CIPHER": "shares no cipher with us",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "refuses the handshake: no cipher in common, or it wants a client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "does not know the server name",
    "TLSV1_ALERT_UNKNOWN_CA": "does not trust our certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "wants a client certificate",
    "EXCESSIVE_MESSAGE_SIZE": "sends certificates of more than 100 KiB",
    "DH_KEY_TOO_SMALL": "uses a Diffie-Hellman key that is too small",
    "EE_KEY_TOO_SMALL": "uses a certificate whose key is too small",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom the handshake met. ``error`` says why it is not to be trusted; None when it is, or nobody asked."""

    chain: list[bytes]
    version: str
    cipher: str
    error: OSError | None = field(default=None)


async def meet(sight: Sight, wire: Wire, options: TlsOptions, host: str, look_again: Dial | None = None) -> Peer:
    """Shake hands on a wire; when that fails, look at the peer over a second connection that trusts anybody.

    The wire is only of use when the peer has no ``error``.

    Raises:
        Failed: ``tls`` nothing could be learnt of the peer; ``protocol``, ``connect`` as ``Wire`` does.
    """
    name = options.server_name or host
    with sight.phase("tls"):
        try:
            session = await wire.start_tls(context(options), name)
        except OSError as error:
            seen = await _second_look(options, name, look_again) if look_again and _may_learn(error) else None
            if seen is None:
                raise Failed("tls", f"{wire.name} {why(error)}") from error
            return Peer(seen.chain, seen.version, seen.cipher, error)
    return _peer(session)


async def secure(
    sight: Sight, wire: Wire, options: TlsOptions, host: str, look_again: Dial | None = None, *, cert_days: int | None
) -> None:
    """Go on in TLS with a peer that must be trusted and whose certificates must last; what it shows is recorded first.

    Raises:
        Failed: ``tls`` it is not trusted, or nothing could be learnt of it; ``cert_days`` one of its certificates does
            not last that many days; ``protocol``, ``connect`` as ``Wire`` does.
    """
    peer = await meet(sight, wire, options, host, look_again)
    record(sight, options, peer, cipher=False)
    if peer.error is not None:
        raise Failed("tls", f"{wire.name} {why(peer.error)}") from peer.error
    if cert_days is not None:
        tlsinfo.check_days(sight, host, peer.chain, cert_days)


def why(error: OSError) -> str:
    """Say in words why a handshake failed; a sentence without its subject."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not trusted: {clean(error.verify_message, 200)}"
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return "breaks off the TLS handshake"
    if isinstance(error, ssl.SSLError) and error.reason:
        return SENTENCES.get(error.reason, f"fails the TLS handshake: {error.reason.replace('_', ' ').lower()}")
    return f"fails the TLS handshake: {error.strerror or error}"


def record(sight: Sight, options: TlsOptions, peer: Peer, *, cipher: bool = True) -> None:
    """Record what was seen of a peer; blackbox leaves out the cipher for some kinds."""
    verified = options.verify and peer.error is None
    sight.fact(f"{tlsinfo.spoken_version(peer.version)}, {peer.cipher}")
    tlsinfo.record(sight, peer.chain, peer.version, peer.cipher if cipher else None, verified)


def _may_learn(error: OSError) -> bool:
    """Tell whether a second look can show more: not when the peer does not speak TLS at all."""
    return isinstance(error, ssl.SSLError) and SENTENCES.get(error.reason or "") != "does not speak TLS"


async def _second_look(options: TlsOptions, name: str, dial: Dial) -> Peer | None:
    try:
        with await dial() as wire:
            return _peer(await wire.start_tls(lenient_context(options), name))
    except (OSError, Failed):
        return None  # The first error is the one to tell.


def _peer(session: ssl.SSLObject) -> Peer:
    cipher = session.cipher()
    return Peer(chain_of(session), session.version() or "", cipher[0] if cipher else "")
