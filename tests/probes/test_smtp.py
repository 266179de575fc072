"""The smtp probe against a relay that speaks the real protocol: banner, TLS, sign-in, and nothing sent."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.probes.smtp import KIND, SmtpOptions
from tests.fakes.certificates import Authority
from tests.fakes.smtp_server import PASSWORD, USER, SmtpServer
from tests.fakes.tcp_peer import TcpPeer, says, talks
from tests.probes.seeing import Attempt, Seen, see


@pytest.fixture
def authority(tmp_path: Any) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def tls(authority: Authority) -> Callable[[], ssl.SSLContext]:
    return lambda: authority.serve("localhost")


async def look(server: SmtpServer, **options: Any) -> Seen:
    return await see(KIND, target=f"localhost:{server.port}", **options)


async def test_a_relay_that_greets_is_fine_and_gets_no_mail() -> None:
    async with SmtpServer() as server:
        seen = await look(server)
        assert (seen.reason, server.envelopes) == ("", [])
        assert set(seen.sight.phases) >= {"banner", "hello"}


async def test_the_banner_is_compared() -> None:
    async with SmtpServer() as server:
        assert (await look(server, expect={"banner": "relay.example.org"})).reason == ""
        seen = await look(server, expect={"banner": "Postfix"})
        assert (seen.reason, "'Postfix' is expected" in seen.detail) == ("banner", True)


async def test_it_goes_on_in_tls_and_knows_the_certificate(authority: Authority, tls: Any) -> None:
    async with SmtpServer(tls=tls()) as server:
        seen = await look(server, starttls=True, tls={"ca_file": str(authority.ca_file)}, expect={"cert_days": 1})
        assert seen.reason == ""
        assert seen.metric("probe_ssl_earliest_cert_expiry") is not None


async def test_a_certificate_that_is_not_trusted_fails(tls: Any) -> None:
    async with SmtpServer(tls=tls()) as server:
        assert (await look(server, starttls=True)).reason == "tls"


async def test_a_relay_without_starttls_says_so() -> None:
    async with SmtpServer(starttls=False) as server:
        seen = await look(server, starttls=True)
        assert (seen.reason, seen.detail.endswith("does not offer STARTTLS")) == ("starttls", True)


async def test_a_password_that_the_relay_repeats_is_not_repeated_by_us(authority: Authority) -> None:
    pair, password = "AHUAY2FuYXJ5", "canary"
    script = talks(
        "220 relay\r\n",
        (b"EHLO sentinel.invalid\r\n", "250 AUTH PLAIN\r\n"),
        (f"AUTH PLAIN {pair}\r\n".encode(), f"535 {pair} is {password}, which is wrong\r\n"),
    )
    async with TcpPeer(script, tls=authority.serve()) as peer:
        trusted = {"ca_file": str(authority.ca_file)}
        seen = await see(KIND, target=f"localhost:{peer.port}", tls=trusted, username="u", password=password)
    assert (seen.reason, seen.detail.endswith("answers “535 **** is ****, which is wrong” to the password")) == (
        "auth",
        True,
    )
    assert not any(secret in "".join(seen.sight.facts) for secret in (pair, password))


async def test_signing_in_works_and_a_wrong_password_is_told_from_a_dead_server(authority: Authority, tls: Any) -> None:
    trusted = {"ca_file": str(authority.ca_file)}
    async with SmtpServer(tls=tls(), auth=True) as server:
        assert (await look(server, starttls=True, tls=trusted, username=USER, password=PASSWORD)).reason == ""
        seen = await look(server, starttls=True, tls=trusted, username=USER, password="wrong horse")
        assert seen.reason == "auth"
        assert "wrong horse" not in seen.detail
        assert not any("wrong horse" in fact for fact in seen.sight.facts)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("421 too busy\r\n",), "protocol"),
        (("554 go away\r\n",), "protocol"),
        (("220-" + "x" * 70_000,), "protocol"),
        (tuple("220-more\r\n" for _ in range(200)), "protocol"),
    ],
)
async def test_what_is_no_mail_server_fails_in_words(lines: tuple[str, ...], reason: str) -> None:
    async with TcpPeer(says(*lines)) as peer:
        seen = await Attempt(timeout_s=5).at(KIND, {"target": f"localhost:{peer.port}"})
    assert (seen.reason, bool(seen.detail)) == (reason, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": "192.0.2.1:25", "username": "a", "password": "b"},
        {"target": "192.0.2.1:25", "expect": {"cert_days": 3}},
        {"target": "192.0.2.1:25", "hello": "two words\r\nMAIL FROM:<>"},
        {},
    ],
)
def test_options_that_would_do_harm_or_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SmtpOptions.model_validate(wrong)
