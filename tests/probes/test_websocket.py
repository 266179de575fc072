"""The websocket probe against aiohttp's server, and against peers that break the rules."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes.websocket import KIND, WebsocketOptions
from sentinel.probes.websocket_frames import _masked
from tests.fakes.certificates import Authority
from tests.fakes.names import Names
from tests.fakes.tcp_peer import Behaviour, TcpPeer, silent
from tests.probes.seeing import Attempt, see

SECRET = "canary-77"


class Room:
    """Greets with a number, then says everything back."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.heard: list[str] = []
        self.port = 0

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        self.headers = dict(request.headers)
        peer = web.WebSocketResponse(protocols=("chat",), timeout=1)
        await peer.prepare(request)
        await peer.send_str("welcome 42")
        async for message in peer:
            if message.type == WSMsgType.TEXT:
                self.heard.append(message.data)
                await peer.send_bytes(b"echo " + message.data.encode())
        return peer

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text="a page")

    async def serve(self, tls: Any = None) -> web.AppRunner:
        application = web.Application()
        application.router.add_get("/ws", self._talk)
        application.router.add_get("/", self._page)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self.port = runner.addresses[0][1]
        return runner


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    runner = await made.serve()
    yield made
    await runner.cleanup()


async def test_a_server_that_shakes_hands_and_answers_a_ping_is_fine(room: Room) -> None:
    seen = await see(KIND, url=f"ws://localhost:{room.port}/ws?key={SECRET}")
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.metric("probe_websocket_status_code") == 101
    assert seen.metric("probe_websocket_connection_upgraded") == 1
    assert seen.metric("probe_websocket_failed_due_to_regex") == 0
    assert seen.sight.phases.keys() == {"resolve", "connect", "processing", "transfer"}


async def test_messages_are_exchanged_step_by_step(room: Room) -> None:
    seen = await see(
        KIND,
        url=f"ws://localhost:{room.port}/ws",
        steps=[{"expect": r"^welcome (\d+)$", "send": "got ${1} " + "é" * 40_000}, {"expect": "^echo got 42 é+$"}],
    )
    assert (seen.reason, seen.detail) == ("", "")
    assert room.heard[0].startswith("got 42 é")
    assert not any("got 42" in fact for fact in seen.sight.facts if fact.startswith("sent"))


async def test_a_message_that_was_not_expected_is_quoted(room: Room) -> None:
    seen = await see(KIND, url=f"ws://localhost:{room.port}/ws", steps=[{"expect": "^hello"}])
    assert (seen.reason, seen.metric("probe_websocket_failed_due_to_regex")) == ("expect", 1)
    assert seen.detail == "step 1 receives “welcome 42”; '^hello' is expected"


async def test_headers_and_credentials_are_sent_and_the_protocol_is_agreed_on(room: Room) -> None:
    options = {
        "url": f"ws://localhost:{room.port}/ws",
        "protocols": ["mqtt", "chat"],
        "headers": {"Origin": "http://a"},
    }
    seen = await see(KIND, **options, basic_auth={"username": "u", "password": SECRET}, expect={"protocol": "chat"})
    assert seen.reason == ""
    assert room.headers["Origin"] == "http://a"
    assert base64.b64decode(room.headers["Authorization"].split()[1]) == f"u:{SECRET}".encode()
    seen = await see(KIND, **options, expect={"protocol": "mqtt"})
    assert (seen.reason, "goes on in 'chat'" in seen.detail) == ("protocol", True)


async def test_a_page_is_no_websocket(room: Room) -> None:
    seen = await see(KIND, url=f"ws://localhost:{room.port}/?key={SECRET}")
    assert (seen.reason, seen.metric("probe_websocket_status_code")) == ("status", 200)
    assert "answers with the status 200; 101 is needed" in seen.detail
    assert SECRET not in seen.detail


async def test_wss_is_spoken_and_its_certificate_judged(tmp_path: Path) -> None:
    authority, room = Authority(tmp_path), Room()
    runner = await room.serve(authority.serve())
    try:
        url, trusted = f"wss://localhost:{room.port}/ws", {"ca_file": str(authority.ca_file)}
        seen = await see(KIND, url=url, tls=trusted, expect={"cert_days": 30})
        assert (seen.reason, seen.detail) == ("", "")
        assert "probe_ssl_earliest_cert_expiry" in seen.metrics
        assert "tls" not in seen.sight.phases
        assert (await see(KIND, url=url)).reason == "tls"
        assert (await see(KIND, url=url, tls=trusted, expect={"cert_days": 300})).reason == "cert_days"
        assert (await see(KIND, url=f"ws://localhost:{room.port}/ws")).reason == "protocol"
    finally:
        await runner.cleanup()


async def test_a_denied_address_is_not_spoken_to() -> None:
    seen = await Attempt(resolver=Names({"a.example.org": ["::ffff:169.254.169.254"]})).at(
        KIND, {"url": "ws://a.example.org/"}
    )
    assert seen.reason == "denied"


def agrees(*after: bytes, extra: str = "") -> Behaviour:
    """Shake hands as the rules have it, then send this."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = re.search(r"Sec-WebSocket-Key: (\S+)", asked)
        assert key is not None
        digest = hashlib.sha1(f"{key[1]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
            + f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n{extra}\r\n".encode()
        )
        for each in after:
            writer.write(each)
        await silent(reader, writer)

    return behave


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([b"\x81\x02hi"], "hi"),
        ([b"\x01\x01h", b"\x89\x00", b"\x80\x01i"], "hi"),
        ([b"\x8a\x03abc", b"\x82\x7e\x00\x02hi"], "hi"),
        ([b"\x81\x7f" + (70_000).to_bytes(8, "big") + b"x" * 70_000], "x{70000}"),
    ],
)
async def test_messages_come_in_many_forms(frames: list[bytes], text: str) -> None:
    async with TcpPeer(agrees(*frames)) as peer:
        seen = await see(KIND, url=f"ws://{peer.address}/", ping=False, steps=[{"expect": f"^{text[:1]}+"}])
        assert (seen.reason, seen.detail) == ("", "")


@pytest.mark.parametrize(
    ("frames", "reason", "words"),
    [
        ([b"\x88\x12\x03\xf3the disk is full"], "closed", "closes with 1011: the disk is full"),
        ([b"\x88\x00"], "closed", "closes with 1005"),
        ([b"\x81\x82abcdhi"], "protocol", "no frame of WebSocket"),
        ([b"\xc1\x02hi"], "protocol", "no frame of WebSocket"),
        ([b"\x83\x00"], "protocol", "no frame of WebSocket"),
        ([b"\x80\x02hi"], "protocol", "mixes up"),
        ([b"\x01\x00\x81\x00"], "protocol", "mixes up"),
        ([b"\x09\x00"], "protocol", "control frame"),
        ([b"\x89\x7e\x01\x00"], "protocol", "control frame"),
        ([b"\x81\x7f" + b"\xff" * 8], "protocol", "larger than 512 KiB"),
        ([b"\x01\x00" + b"\x00\x00" * 5000], "protocol", "more than 1000 frames"),
        ([b"\x89\x00" * 5000], "protocol", "more than 1000 frames"),
        (
            [b"\x01\x00" + b"\x00\x7e\xff\xff" + b"x" * 65535, *[b"\x00\x7e\xff\xff" + b"x" * 65535] * 9],
            "protocol",
            "larger",
        ),
    ],
)
async def test_a_peer_that_breaks_the_rules_fails_in_words(frames: list[bytes], reason: str, words: str) -> None:
    async with TcpPeer(agrees(*frames)) as peer:
        seen = await see(KIND, url=f"ws://{peer.address}/", steps=[{"expect": "^never$"}])
    assert (seen.reason, words in seen.detail) == (reason, True), seen.detail


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n", "does not speak WebSocket"),
        ("HTTP/1.1 101 Yes\r\n\r\n", "does not speak WebSocket"),
        ("SSH-2.0-x\r\n", "which is not HTTP"),
        ("HTTP/1.1 101 Yes\r\n" + "A: b\r\n" * 300, "more than 256 header lines"),
    ],
)
async def test_a_handshake_that_is_none_fails_in_words(answer: str, words: str) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        await silent(reader, writer)

    async with TcpPeer(behave) as peer:
        seen = await see(KIND, url=f"ws://{peer.address}/")
    assert (seen.reason, words in seen.detail) == ("protocol", True), seen.detail


async def test_what_nobody_asked_for_is_not_agreed_to() -> None:
    for extra in ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "Sec-WebSocket-Protocol: mqtt\r\n"):
        async with TcpPeer(agrees(extra=extra)) as peer:
            seen = await see(KIND, url=f"ws://{peer.address}/")
        assert (seen.reason, "as nobody asked for" in seen.detail) == ("protocol", True)


async def test_a_ping_that_nobody_answers_says_so() -> None:
    async with TcpPeer(agrees(b"\x81\x02hi")) as peer:
        seen = await Attempt(told_s=0.3).at(KIND, {"url": f"ws://{peer.address}/"})
    assert (seen.reason, seen.detail.endswith("waiting for the pong")) == ("timeout", True)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_twice_gives_back_what_was_masked(payload: bytes, key: bytes) -> None:
    masked = _masked(payload, key)
    assert bytes(byte ^ key[place % 4] for place, byte in enumerate(payload)) == masked
    assert _masked(masked, key) == payload


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "`url` is missing"),
        ({"url": "http://a/"}, "not the address of a WebSocket"),
        ({"url": "ws://u:p@a/"}, "must not hold a user name or password"),
        ({"url": "ws://"}, "has no host"),
        ({"url": "ws://a/", "headers": {"Upgrade": "x"}}, "not for a configuration"),
        ({"url": "ws://a/", "headers": {"Sec-WebSocket-Key": "x"}}, "not for a configuration"),
        ({"url": "ws://a/", "expect": {"cert_days": 3}}, "needs TLS"),
        ({"url": "ws://a/", "steps": [{}]}, "does nothing"),
        ({"url": "ws://a/", "protocols": ["a\r\nb"]}, "pattern"),
        ({"url": "ws://a/", "targets": ["ws://b/"]}, "both given"),
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        WebsocketOptions.model_validate(wrong)
