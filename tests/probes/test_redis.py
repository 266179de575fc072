"""The redis probe against a real server, in the clear and in TLS, and against peers that are none."""

from __future__ import annotations

import asyncio
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes.redis import KIND, RedisOptions, fields
from sentinel.probes.resp import encode
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, says, silent
from tests.probes.databases import certified
from tests.probes.seeing import Attempt, see
from tests.real.components import where
from tests.real.process import free_port, started

PASSWORD = "correct horse\r\nFLUSHALL"
USER = "watcher"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Path]]:
    """The ports of a server with a password, in the clear and in TLS, and what to trust."""
    folder, authority = tmp_path_factory.mktemp("redis"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    chain, key = certified(folder, authority)
    port, secure = free_port(), free_port()
    rules = f"user {USER} on >secret -@all +ping +auth\nuser default on #{_sha256(PASSWORD)} ~* &* +@all\n"
    (folder / "users.acl").write_text(rules)
    command = [
        where("redis"), "--bind", "127.0.0.1", "--port", str(port), "--tls-port", str(secure), "--save", "",
        "--tls-cert-file", chain, "--tls-key-file", key, "--tls-auth-clients", "no", "--aclfile", folder / "users.acl",
        "--tls-ca-cert-file", folder / "ca.pem",
    ]  # fmt: skip
    with started(command, folder, lambda: _listens(port)):
        yield port, secure, folder / "ca.pem"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.real("redis")
async def test_a_server_that_answers_is_fine_and_a_field_becomes_the_value(redis: tuple[int, int, Path]) -> None:
    expect = {"info": {"role": "master", "connected_clients": ">= 1"}}
    seen = await see(KIND, target=f"localhost:{redis[0]}", password=PASSWORD, value="uptime_in_seconds", expect=expect)
    assert seen.reason == ""
    assert seen.sight.value is not None
    assert set(seen.sight.phases) >= {"resolve", "connect", "auth", "ping", "info"}
    assert not any("horse" in fact for fact in seen.sight.facts)


@pytest.mark.real("redis")
async def test_a_field_that_is_not_as_expected_is_named(redis: tuple[int, int, Path]) -> None:
    around = {"target": f"127.0.0.1:{redis[0]}", "password": PASSWORD}
    seen = await see(KIND, **around, expect={"info": {"role": "slave"}})
    assert (seen.reason, seen.detail) == ("info", f"role is master at 127.0.0.1:{redis[0]}; 'slave' is expected")
    seen = await see(KIND, **around, expect={"info": {"connected_slaves": ">= 1"}})
    assert (seen.reason, seen.detail.startswith("connected_slaves is 0")) == ("info", True)
    assert (await see(KIND, **around, expect={"info": {"warp_drive": "on"}})).reason == "info"
    assert (await see(KIND, **around, value="redis_version")).reason == "info"


@pytest.mark.real("redis")
async def test_signing_in_is_judged_and_what_a_user_may_not_do_is_said(redis: tuple[int, int, Path]) -> None:
    around = {"target": f"127.0.0.1:{redis[0]}"}
    assert (await see(KIND, **around)).reason == "auth"
    seen = await see(KIND, **around, password="wrong horse")
    assert (seen.reason, "wrong horse" in seen.detail) == ("auth", False)
    assert (await see(KIND, **around, username=USER, password="secret")).reason == ""
    assert (await see(KIND, **around, username=USER, password="secret", value="role")).reason == "auth"


@pytest.mark.real("redis")
async def test_in_tls_the_certificate_is_judged(redis: tuple[int, int, Path]) -> None:
    around = {"target": f"localhost:{redis[1]}", "password": PASSWORD}
    seen = await see(KIND, **around, tls={"ca_file": str(redis[2])}, expect={"cert_days": 1})
    assert (seen.reason, seen.metric("probe_ssl_earliest_cert_expiry") is None) == ("", False)
    assert (await see(KIND, **around, tls="yes")).reason == "tls"


async def test_who_knows_no_auth_and_repeats_the_password_is_quoted_without_it() -> None:
    password = "canary " * 40
    async with TcpPeer(says(f"-ERR unknown command 'AUTH', with args beginning with: '{password}'\r\n")) as peer:
        seen = await see(KIND, target=peer.address, password=password)
    assert (seen.reason, seen.detail) == (
        "auth",
        f"{peer.address} answers “ERR unknown command 'AUTH', with args beginning with: '****'” to AUTH",
    )


async def test_a_server_that_still_loads_says_so() -> None:
    async with TcpPeer(says("-LOADING Redis is loading the dataset in memory\r\n")) as peer:
        seen = await see(KIND, target=peer.address)
    assert (seen.reason, "loading the dataset" in seen.detail) == ("loading", True)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("HTTP/1.1 400 Bad Request\r\n",), "protocol"),
        (("+" + "x" * 70_000,), "protocol"),
        (("$999999999999\r\n",), "protocol"),
        (("$-5\r\n",), "protocol"),
        (("$\r\n",), "protocol"),
        ((":١\r\n",), "protocol"),
        (("*1\r\n$4\r\nPONG\r\n",), "protocol"),
        (("$2\r\nPONG\r\n",), "protocol"),
        (("+PONG?\r\n",), "protocol"),
        (("-ERR max number of clients reached\r\n",), "refused"),
        (("\r\n",), "protocol"),
        (("\x00" * 100 + "\n",), "protocol"),
    ],
)
async def test_what_is_no_redis_fails_in_words(lines: tuple[str, ...], reason: str) -> None:
    async with TcpPeer(says(*lines)) as peer:
        seen = await Attempt(timeout_s=2.0).at(KIND, {"target": peer.address})
    assert (seen.reason, bool(seen.detail)) == (reason, True)


async def test_who_drips_or_says_nothing_costs_the_time_limit_and_no_more() -> None:
    async def drips(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"+")
            await writer.drain()
            await asyncio.sleep(0.01)

    for behave in (silent, drips):
        async with TcpPeer(behave) as peer:
            with pytest.raises(TimeoutError):
                await Attempt(timeout_s=0.2).at(KIND, {"target": peer.address})
            await peer.emptied()


async def test_who_hangs_up_fails_by_the_connection() -> None:
    async with TcpPeer(lambda *_: asyncio.sleep(0)) as peer:
        assert (await see(KIND, target=peer.address)).reason == "connect"
    assert (await Attempt(resolver=Names()).at(KIND, {"target": "nowhere.example.org:6379"})).reason == "dns"


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_nothing_in_a_word_ends_a_command_early(words: list[str]) -> None:
    data, rest = encode(*words), []
    count, _, data = data.partition(b"\r\n")
    for _ in range(int(count[1:])):
        size, _, data = data.partition(b"\r\n")
        rest.append(data[: int(size[1:])])
        data = data[int(size[1:]) + 2 :]
    assert (rest, data) == ([word.encode("utf-8", "surrogateescape") for word in words], b"")


@given(st.binary(max_size=300))
def test_any_answer_ends_in_words(data: bytes) -> None:
    async def behave(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    async def story() -> None:
        async with TcpPeer(behave) as peer:
            seen = await see(KIND, target=peer.address, value="role")
        assert seen.reason

    asyncio.run(story())


@given(st.text())
def test_any_info_can_be_read(text: str) -> None:
    assert all(isinstance(value, str) for value in fields(text).values())


def test_compound_fields_have_parts() -> None:
    found = fields("# Keyspace\r\ndb0:keys=3,expires=1\r\nrole:master\r\n")
    assert found == {"db0": "keys=3,expires=1", "db0.keys": "3", "db0.expires": "1", "role": "master"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"expect": {"cert_days": 3}},
        {"username": "a"},
        {"value": "two words"},
        {"expect": {"info": {"a b": "1"}}},
        {"target": "x"},
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RedisOptions.model_validate({"target": "192.0.2.1:6379", **wrong})
