"""What a TLS peer shows of itself, as metrics under blackbox's names and as facts."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sentinel.probes.base import Failed, Labels, Sight
from sentinel.probes.said import clean

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, Name

# Limits on what a hostile peer may make us keep (threat T6).
CHAIN_MAX_CERTS = 16
CHAIN_MAX_BYTES = 100 * 1024
NAMES_MAX = 100
PORTRAITS_KEPT_MAX = 4096


# OpenSSL's names of the suites before TLS 1.3, in the names of the IANA registry that Go, and so every dashboard, uses.
IANA_CIPHERS = {
    "AES128-GCM-SHA256": "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "AES128-SHA": "TLS_RSA_WITH_AES_128_CBC_SHA",
    "AES128-SHA256": "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "AES256-GCM-SHA384": "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "AES256-SHA": "TLS_RSA_WITH_AES_256_CBC_SHA",
    "AES256-SHA256": "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "DES-CBC3-SHA": "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "DHE-RSA-AES128-GCM-SHA256": "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "DHE-RSA-AES256-GCM-SHA384": "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    "DHE-RSA-CHACHA20-POLY1305": "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-ECDSA-AES128-SHA": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "ECDHE-ECDSA-AES128-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-AES256-SHA": "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "ECDHE-ECDSA-CHACHA20-POLY1305": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-RSA-AES128-SHA": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "ECDHE-RSA-AES128-SHA256": "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "ECDHE-RSA-AES256-SHA": "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "ECDHE-RSA-CHACHA20-POLY1305": "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}


def record(sight: Sight, chain: Sequence[bytes], version: str, cipher: str | None, verified: bool) -> None:
    """Record a handshake: ``chain`` in DER, the leaf first, as the peer sent it, whether it is trusted or not.

    ``version`` as OpenSSL or Go write it; ``cipher`` is left out when None, as blackbox does for some kinds. When
    certificates cannot be read, a fact says so and only what was agreed is recorded.
    """
    sight.gauge("probe_tls_version_info", 1, version=spoken_version(version))
    if cipher is not None:
        sight.gauge("probe_tls_cipher_info", 1, cipher=clean(IANA_CIPHERS.get(cipher, cipher)))
    if not chain:
        return
    try:
        portrait = _portrait(chain)
    except ValueError as error:
        sight.fact(f"the certificates cannot be read: {clean(str(error), 200)}")
        return
    for fact in portrait.facts:
        sight.fact(fact)
    sight.gauge("probe_ssl_earliest_cert_expiry", min(portrait.ends).timestamp())
    if verified:
        # A chain that verified holds no expired certificate: what the peer sent beside it does not count.
        living = [end for end in portrait.ends if end > sight.now] or portrait.ends
        sight.gauge("probe_ssl_last_chain_expiry_timestamp_seconds", min(living).timestamp())
    sight.samples["probe_ssl_last_chain_info", portrait.leaf] = 1.0


@dataclass(frozen=True, slots=True)
class _Portrait:
    """What a chain says of itself: a fact and an end for each certificate, and the labels of the leaf."""

    facts: tuple[str, ...]
    ends: tuple[datetime, ...]
    leaf: Labels


# By the digests of the certificates. They change every few weeks, and to read them costs a fifth of a handshake.
_portraits: dict[tuple[bytes, ...], _Portrait] = {}


def _portrait(chain: Sequence[bytes]) -> _Portrait:
    """Return what a chain says, read once for as long as it stays the same.

    Raises:
        ValueError: it cannot be read.
    """
    key = tuple(hashlib.sha256(der).digest() for der in chain[:CHAIN_MAX_CERTS])
    found = _portraits.get(key)
    if found is None:
        certificates = read(chain)
        facts = tuple(
            f"certificate of {name_of(certificate.subject)}, by {name_of(certificate.issuer)}, "
            f"until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
            for certificate in certificates
        )
        ends = tuple(certificate.not_valid_after_utc for certificate in certificates)
        found = _portraits[key] = _Portrait(facts, ends, _labels_of(certificates[0], key[0]))
        if len(_portraits) > PORTRAITS_KEPT_MAX:
            del _portraits[next(iter(_portraits))]
    return found


def earliest_expiry(chain: Sequence[bytes]) -> datetime:
    """Return when the first of the certificates ends, in UTC.

    Raises:
        ValueError: there is none, or one cannot be read.
    """
    if not chain:
        raise ValueError("there is no certificate")
    return min(_portrait(chain).ends)


def days_left(until: datetime, now: datetime) -> int:
    """Return the whole days until a moment; negative once it is past."""
    return (until - now).days


def check_days(sight: Sight, host: str, chain: Sequence[bytes], days: int) -> None:
    """See to it that every certificate of the chain lasts a number of days.

    Raises:
        Failed: ``cert_days`` one ends sooner, or has ended; or none can be read.
    """
    try:
        until = earliest_expiry(chain)
    except ValueError as error:
        raise Failed("cert_days", f"the certificate of {host} cannot be read: {clean(str(error), 200)}") from error
    left = days_left(until, sight.now)
    if left < 0:
        raise Failed("cert_days", f"certificate of {host} ended on {until:%Y-%m-%d}")
    if left < days:
        raise Failed(
            "cert_days",
            f"certificate of {host} ends in {left} day{'s' * (left != 1)}, on {until:%Y-%m-%d}; {days} are asked for",
        )


def read(chain: Sequence[bytes]) -> list[Certificate]:
    """Parse a chain, cut to 16 certificates and 100 KiB; the leaf stays first.

    Raises:
        ValueError: one is no certificate, or the leaf alone is too large.
    """
    from cryptography import x509  # noqa: PLC0415  costs 30 ms that a probe without TLS need not pay
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  as above

    certificates: list[Certificate] = []
    total_bytes = 0
    for der in chain[:CHAIN_MAX_CERTS]:
        total_bytes += len(der)
        if total_bytes > CHAIN_MAX_BYTES:
            if not certificates:
                raise ValueError(f"the certificate is larger than {CHAIN_MAX_BYTES} bytes")
            break
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Of a serial number that is not positive: the peer's oddity, not ours.
                certificate = x509.load_der_x509_certificate(der)
            # Parsed only when first looked at.
            _ = certificate.not_valid_after_utc, certificate.not_valid_before_utc
            _ = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        except (x509.InvalidVersion, UnsupportedAlgorithm, TypeError, KeyError) as error:
            raise ValueError(str(error)) from error
        certificates.append(certificate)
    return certificates


def names(certificate: Certificate) -> tuple[list[str], list[str]]:
    """Return the host names and the addresses a certificate is for, at most 100 of each; none when listed wrongly."""
    from cryptography import x509  # noqa: PLC0415  as above

    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return [], []
    hosts = [clean(str(host)) for host in listed.get_values_for_type(x509.DNSName)[:NAMES_MAX]]
    return hosts, [str(address) for address in listed.get_values_for_type(x509.IPAddress)[:NAMES_MAX]]


def name_of(name: Name) -> str:
    """Write a distinguished name on one line."""
    return clean(name.rfc4514_string())


def spoken_version(version: str) -> str:
    """Write ``TLSv1.3`` and its like as ``TLS 1.3``."""
    found = re.fullmatch(r"(TLS|SSL)\s*v?(\d)(?:[._](\d))?", version)
    return f"{found[1]} {found[2]}.{found[3] or 0}" if found else clean(version, 32) or "unknown"


def _labels_of(leaf: Certificate, digest: bytes) -> Labels:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # As above.
        serial = leaf.serial_number
    return (
        ("fingerprint_sha256", digest.hex()),
        ("subject", name_of(leaf.subject)),
        ("issuer", name_of(leaf.issuer)),
        ("subjectalternative", clean(",".join(names(leaf)[0]))),
        ("serialnumber", abs(serial).to_bytes((abs(serial).bit_length() + 7) // 8, "big").hex()),
    )
