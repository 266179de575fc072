"""The tls probe: what is wrong with a certificate is said with its own reason, and its end is always known."""

from __future__ import annotations

import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes import said, tlsinfo
from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import TargetPolicy
from sentinel.probes.tls import KIND, TlsProbeOptions
from tests.fakes.certificates import Authority
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, says, silent, talks
from tests.probes.seeing import Attempt, see

DAY = timedelta(days=1)
OLD = (ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_1)
BOTH = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


async def look(authority, context, **options):
    async with TcpPeer(silent, tls=context) as peer:
        options.setdefault("ca_file", str(authority.ca_file))
        return await see(KIND, target=f"localhost:{peer.port}", **options)


async def test_a_good_certificate_passes_and_is_described(authority):
    seen = await look(authority, authority.serve(), expect={"cert_days": 21, "min_version": "TLSv1.2"})
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.sight.value == 90
    assert seen.labels("probe_tls_version_info") == {"version": "TLS 1.3"}
    assert seen.labels("probe_tls_cipher_info")["cipher"].startswith("TLS_")
    leaf = seen.labels("probe_ssl_last_chain_info")
    assert list(leaf) == ["fingerprint_sha256", "subject", "issuer", "subjectalternative", "serialnumber"]
    assert len(leaf["fingerprint_sha256"]) == 64
    expiry = seen.metric("probe_ssl_earliest_cert_expiry")
    assert expiry == seen.metric("probe_ssl_last_chain_expiry_timestamp_seconds")
    assert datetime.fromtimestamp(expiry, UTC) - datetime.now(UTC) < timedelta(days=91)


async def test_a_certificate_that_ends_soon_says_when_and_what_is_asked_for(authority):
    seen = await look(authority, authority.serve(until=13 * DAY + timedelta(hours=1)), expect={"cert_days": 21})
    ends = (datetime.now(UTC) + 13 * DAY + timedelta(hours=1)).date()
    assert seen.reason == "cert_days"
    assert seen.detail == f"certificate of localhost ends in 13 days, on {ends}; 21 are asked for"


@pytest.mark.parametrize("verify", ["yes", "no"])
async def test_an_expired_certificate_is_expired_and_its_end_is_reported(authority, verify):
    seen = await look(authority, authority.serve(until=-3 * DAY), verify=verify)
    assert seen.reason == "expired"
    assert "3 days ago" in seen.detail
    assert seen.metric("probe_ssl_earliest_cert_expiry") < time.time()
    assert seen.sight.value < 0


async def test_an_expired_and_untrusted_certificate_is_expired_first(authority, tmp_path):
    seen = await look(authority, Authority(tmp_path).serve(until=-3 * DAY))
    assert seen.reason == "expired"


async def test_a_certificate_of_the_future_is_not_yet_valid(authority):
    assert (await look(authority, authority.serve(since=2 * DAY))).reason == "not_yet_valid"


async def test_a_certificate_of_another_name_says_whose_it_is(authority):
    seen = await look(authority, authority.serve("www.example.org", "example.org"))
    assert (seen.reason, seen.detail) == ("name", "certificate of localhost is for www.example.org, example.org")


async def test_an_address_is_checked_against_the_addresses_of_the_certificate(authority):
    async with TcpPeer(silent, tls=authority.serve("localhost")) as peer:
        seen = await see(KIND, target=peer.address, ca_file=str(authority.ca_file))
    assert seen.reason == "name"


async def test_the_server_name_can_differ_from_the_host(authority):
    asked = []

    def note(_socket, name, _context):
        asked.append(name)

    context = authority.serve("www.example.org")
    context.sni_callback = note
    assert (await look(authority, context, server_name="www.example.org")).reason == ""
    assert asked == ["www.example.org"]


async def test_an_unknown_authority_is_untrusted_and_named(authority, tmp_path):
    seen = await look(authority, Authority(tmp_path).serve(intermediate=True))
    assert seen.reason == "untrusted"
    assert "probe_ssl_earliest_cert_expiry" in seen.metrics
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in seen.metrics


async def test_a_missing_intermediate_is_a_broken_chain(authority):
    assert (await look(authority, authority.serve(intermediate=True))).reason == ""
    seen = await look(authority, authority.serve(intermediate=True, whole=False))
    assert seen.reason == "chain"
    assert "not the one above it" in seen.detail


async def test_names_that_must_be_covered_are(authority):
    context = authority.serve("localhost", "*.example.org", "127.0.0.1")
    names = ["localhost", "WWW.example.org", "127.0.0.1"]
    assert (await look(authority, context, expect={"names": names})).reason == ""
    for missing in ("example.org", "a.b.example.org", "127.0.0.2", "other.example.net"):
        seen = await look(authority, context, expect={"names": [*names, missing]})
        assert seen.reason == "name"
        assert missing in seen.detail


@pytest.mark.real("openssl")
async def test_a_self_signed_certificate_can_be_refused(authority, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    assert (await look(authority, context)).reason == "untrusted"
    assert (await look(authority, context, ca_file=str(cert))).reason == ""
    seen = await look(authority, context, ca_file=str(cert), expect={"not_self_signed": "yes"})
    assert seen.reason == "self_signed"


async def test_a_server_of_old_versions_is_below_the_lowest_asked_for(authority):
    seen = await look(authority, authority.serve(versions=OLD), expect={"min_version": "TLSv1.2"})
    assert seen.reason == "version"
    assert "speaks TLSv1.1 at best; TLSv1.2 is asked for" in seen.detail
    assert seen.labels("probe_tls_version_info") == {"version": "TLS 1.1"}


async def test_a_server_of_old_versions_passes_when_that_is_enough(authority):
    assert (await look(authority, authority.serve(versions=OLD), expect={"min_version": "TLSv1.1"})).reason == ""


async def test_a_server_can_be_too_new(authority):
    assert (await look(authority, authority.serve(), expect={"max_version": "TLSv1.2"})).reason == "version"


async def test_old_versions_are_asked_for_one_by_one(authority):
    old = ["TLSv1.0", "TLSv1.1"]
    assert (await look(authority, authority.serve(versions=BOTH), expect={"refuses": old})).reason == ""
    lax = (ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    seen = await look(authority, authority.serve(versions=lax), expect={"refuses": old})
    assert (seen.reason, seen.detail.endswith("accepts TLSv1.0")) == ("version", True)
    seen = await look(authority, authority.serve(versions=BOTH), expect={"accepts": ["TLSv1.3", "TLSv1.1"]})
    assert (seen.reason, seen.detail.endswith("does not accept TLSv1.1")) == ("version", True)


async def test_starttls_comes_before_the_handshake(authority):
    script = talks("* OK hi\r\n", (b"a1 STARTTLS\r\n", "a1 OK go\r\n"), authority.serve(until=-DAY))
    async with TcpPeer(script) as peer:
        seen = await see(KIND, target=f"localhost:{peer.port}", starttls="imap", ca_file=str(authority.ca_file))
        assert seen.reason == "expired"
        assert peer.connections == 2


async def test_a_port_that_does_not_speak_tls_fails_with_tls(authority):
    async with TcpPeer(says("220 hello\r\n")) as peer:
        seen = await see(KIND, target=peer.address)
    assert (seen.reason, seen.detail) == ("tls", f"{peer.address} does not speak TLS")


async def test_a_peer_that_hangs_up_fails_with_tls():
    async def hang_up(reader, _writer):
        await reader.read(1)

    async with TcpPeer(hang_up) as peer:
        seen = await see(KIND, target=peer.address)
    assert seen.reason == "tls"


async def test_a_hung_handshake_ends_with_the_limit_and_is_closed():
    async with TcpPeer(silent) as peer:
        with pytest.raises(TimeoutError):
            await Attempt(timeout_s=0.2).at(KIND, {"target": peer.address})
        await peer.emptied()


async def test_a_client_certificate_is_shown(authority, tmp_path):
    issued = trustme.CA()
    mine = issued.issue_cert("probe.example.org")
    file = tmp_path / "client.pem"
    mine.private_key_and_cert_chain_pem.write_to_path(file)
    context = authority.serve(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
    context.verify_mode = ssl.CERT_REQUIRED
    issued.configure_trust(context)
    assert (await look(authority, context, cert_file=str(file))).reason == ""
    assert (await look(authority, context)).reason == "tls"


async def test_a_file_that_is_missing_or_no_certificate_is_named(authority, tmp_path):
    async with TcpPeer(silent, tls=authority.serve()) as peer:
        seen = await see(KIND, target=f"localhost:{peer.port}", ca_file="/nonexistent/ca.pem")
        assert (seen.reason, "/nonexistent/ca.pem" in seen.detail) == ("tls", True)
        (tmp_path / "rubbish.pem").write_text("rubbish")
        seen = await see(KIND, target=f"localhost:{peer.port}", ca_file=str(tmp_path / "rubbish.pem"))
        assert (seen.reason, "rubbish.pem" in seen.detail) == ("tls", True)


async def test_a_changed_authority_file_is_read_again(authority, tmp_path):
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Authority(tmp_path).ca_file.read_bytes())
    context = authority.serve(intermediate=True)
    assert (await look(authority, context, ca_file=str(trusted))).reason == "untrusted"
    trusted.write_bytes(authority.ca_file.read_bytes() + b"\n")
    assert (await look(authority, context, ca_file=str(trusted))).reason == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "`target` is missing"),
        ({"target": "a:1", "expect": {"min_version": "TLSv9"}}, "Input should be"),
        ({"target": "a:1", "expect": {"min_version": "TLSv1.3", "max_version": "TLSv1.2"}}, "above"),
        ({"target": "a:1", "expect": {"accepts": "TLSv1.2", "refuses": ["TLSv1.2"]}}, "both in"),
        ({"target": "a:1", "key_file": "/k"}, "needs `cert_file`"),
    ],
)
def test_options_that_cannot_work_are_refused(options, says):
    with pytest.raises(ValidationError, match=says):
        TlsProbeOptions.model_validate(options)


# ---------------------------------------------------------------- what tlsinfo makes of what a peer sends


def blank() -> Sight:
    return Sight("a:1", 1.0, Names(), TargetPolicy(), now=datetime.now(UTC))


def der(*names: str) -> bytes:
    pem = trustme.CA().issue_cert(*names).cert_chain_pems[0].bytes().decode()
    return ssl.PEM_cert_to_DER_cert(pem)


@pytest.mark.parametrize(
    ("version", "spoken"),
    [
        ("TLSv1.3", "TLS 1.3"),
        ("TLSv1", "TLS 1.0"),
        ("TLSv1.0", "TLS 1.0"),
        ("SSLv3", "SSL 3.0"),
        ("", "unknown"),
        ("TLS 1.2", "TLS 1.2"),
    ],
)
def test_versions_are_written_as_blackbox_does(version, spoken):
    assert tlsinfo.spoken_version(version) == spoken


def test_ciphers_have_the_names_that_dashboards_know():
    sight = blank()
    tlsinfo.record(sight, [], "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", True)
    assert ("probe_tls_cipher_info", (("cipher", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),)) in sight.samples


def test_a_certificate_of_many_names_makes_a_short_label():
    sight = blank()
    tlsinfo.record(sight, [der(*(f"host{number}.example.org" for number in range(2000)))], "TLSv1.3", None, False)
    (labels,) = (dict(labels) for name, labels in sight.samples if name == "probe_ssl_last_chain_info")
    assert all(len(value) <= said.LABEL_MAX_CHARS for value in labels.values())


def test_a_long_chain_is_cut():
    chain = [der("a.example.org")] * 40
    assert len(tlsinfo.read(chain)) == tlsinfo.CHAIN_MAX_CERTS


def test_a_chain_that_cannot_be_read_is_a_fact_and_not_a_crash():
    sight = blank()
    tlsinfo.record(sight, [b"rubbish"], "TLSv1.3", None, True)
    assert any("cannot be read" in fact for fact in sight.facts)
    with pytest.raises(Failed, match="cannot be read"):
        tlsinfo.check_days(sight, "a", [b"rubbish"], 1)


def test_what_expired_beside_a_verified_chain_does_not_count_for_it(tmp_path):
    root, now = trustme.CA(), datetime.now(UTC)
    old = root.issue_cert("a", not_before=now - 9 * DAY, not_after=now - DAY).cert_chain_pems[0].bytes().decode()
    good = root.issue_cert("a", not_before=now - 9 * DAY, not_after=now + 9 * DAY).cert_chain_pems[0].bytes().decode()
    sight = blank()
    tlsinfo.record(sight, [ssl.PEM_cert_to_DER_cert(pem) for pem in (good, old)], "TLSv1.3", None, True)
    assert sight.samples[("probe_ssl_earliest_cert_expiry", ())] < now.timestamp()
    assert sight.samples[("probe_ssl_last_chain_expiry_timestamp_seconds", ())] > now.timestamp()


@given(st.text(), st.integers(1, 50))
def test_cleaned_text_is_short_and_can_be_written(text, limit):
    cleaned = said.clean(text, limit)
    assert len(cleaned) <= limit
    cleaned.encode()
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in cleaned)


GOOD = der("fuzz.example.org")


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_flipped_byte_in_a_certificate_crashes_us(at, flip):
    broken = bytearray(GOOD)
    broken[at] ^= flip
    tlsinfo.record(blank(), [bytes(broken)], "TLSv1.3", None, True)
