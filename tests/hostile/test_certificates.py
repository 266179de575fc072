"""Servers whose certificates are too many, too large, or for far too many names."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from sentinel.probes import http, said, smtp, tcp, tls, tlsinfo
from sentinel.probes.base import Failed, ProbeKind
from sentinel.probes.tlscontext import TlsOptions, context, lenient_context
from tests.fakes.tcp_peer import TcpPeer, silent
from tests.hostile.bounds import SHORT_S, Bounded, meet

KEY = ec.generate_private_key(ec.SECP256R1())
SINCE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def certificate(*names: str, comment_bytes: int = 0, subject: str = "localhost") -> bytes:
    """Make one that signs itself, in PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 7, SINCE, SINCE + datetime.timedelta(days=36500))
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
    if comment_bytes:
        netscape = x509.ObjectIdentifier("2.16.840.1.113730.1.13")
        made = made.add_extension(x509.UnrecognizedExtension(netscape, b"x" * comment_bytes), critical=False)
    return made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


MANY = tuple(f"host-{number:05}.example.org" for number in range(10_000))
CHAINS = {
    "10,000 names": (certificate("localhost", *MANY[:3500]),),
    "more than 10,000 names": (certificate("localhost", *MANY),),
    "a chain of 90 KiB": (certificate("localhost"), *[certificate(comment_bytes=9000)] * 10),
    "a chain of more than 100 KiB": (certificate("localhost"), *[certificate(comment_bytes=9000)] * 12),
    "one of 200 KiB": (certificate("localhost", comment_bytes=200_000),),
    "a hundred small ones": (certificate("localhost"), *[certificate()] * 99),
    "controls in the name": (certificate("localhost", subject="a\x1b[2Jb\n\u202ec"),),
}
TOO_LARGE = {"more than 10,000 names", "a chain of more than 100 KiB", "one of 200 KiB"}
KINDS: list[tuple[ProbeKind, dict[str, Any]]] = [
    (tls.KIND, {"verify": "no"}),
    (tcp.KIND, {"tls": {"verify": "no"}}),
    (smtp.KIND, {"tls": {"verify": "no"}}),
    (tls.KIND, {}),
]


def served(chain: tuple[bytes, ...], folder: Path) -> ssl.SSLContext:
    key = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "chain.pem"
    file.write_bytes(key + b"".join(chain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize("what", CHAINS)
async def test_certificates_beyond_reason_end_the_handshake_or_are_cut(what: str, tmp_path: Path) -> None:
    async def hang_up(_reader: object, _writer: object) -> None:
        """Say nothing to who has come so far."""

    async with TcpPeer(hang_up, tls=served(CHAINS[what], tmp_path)) as peer:
        for kind, options in KINDS:
            seen = await meet(kind, target=peer.address, **options)
            if what in TOO_LARGE:
                assert (seen.reason, "more than 100 KiB" in seen.detail) == ("tls", True), seen.detail
            labels = [value for _, labels in seen.sight.samples for _, value in labels]
            assert max(map(len, labels), default=0) <= said.LABEL_MAX_CHARS
            assert not any(character < " " for value in labels for character in value)


@pytest.mark.parametrize("what", CHAINS)
async def test_https_bears_them_too(what: str, tmp_path: Path) -> None:
    async with TcpPeer(silent, tls=served(CHAINS[what], tmp_path)) as peer:
        for verify in ("yes", "no"):
            options = {"url": f"https://{peer.address}/", "tls": {"verify": verify}}
            seen = await Bounded(SHORT_S).at(http.KIND, options)
            assert seen.reason in {"tls", "timeout"}, seen.detail


@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_upset_the_reader_of_certificates(data: bytes, at: int) -> None:
    der = ssl.PEM_cert_to_DER_cert(CHAINS["controls in the name"][0].decode())
    for chain in ([data], [der[:at] + data + der[at + len(data) :]], [der, data]):
        try:
            for found in tlsinfo.read(chain):
                tlsinfo.names(found)
                tlsinfo.name_of(found.subject).encode()
        except ValueError:
            continue


@pytest.mark.parametrize("verify", ["yes", "no"])
def test_nobody_gets_us_to_shake_hands_twice(verify: str) -> None:
    options = TlsOptions.model_validate({"verify": verify})
    for made in (context(options), lenient_context(options), lenient_context(options, only="TLSv1.2")):
        assert made.options & ssl.OP_NO_RENEGOTIATION


def test_a_certificate_that_cannot_be_read_is_no_crash_where_days_are_asked_for() -> None:
    with pytest.raises(Failed, match="cannot be read"):
        tlsinfo.check_days(None, "x", [b"\x30\x80"], 3)  # type: ignore[arg-type]
