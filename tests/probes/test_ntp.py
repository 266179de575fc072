"""The ntp probe against a real chronyd and against servers that lie, repeat or answer somebody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes.ntp import ASKS, EPOCH_S, KIND, PACKET, NtpOptions, decode
from tests.fakes.udp_peer import UdpPeer
from tests.probes.seeing import Attempt, Seen, see
from tests.real.components import where
from tests.real.process import free_port, started


@pytest.fixture(scope="module")
def chrony(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real server answers that takes its own clock for the truth, and never touches it."""
    folder, port = tmp_path_factory.mktemp("ntp"), free_port()
    lines = (
        "local stratum 5",
        "allow 127.0.0.1",
        "bindaddress 127.0.0.1",
        f"port {port}",
        "cmdport 0",
        f"pidfile {folder}/pid",
    )
    (folder / "chrony.conf").write_text("\n".join([*lines, "bindcmdaddress /", ""]))
    command = [where("chronyd"), "-x", "-d", "-U", "-u", "root", "-f", folder / "chrony.conf"]
    with started(command, folder, lambda: _knows_the_time(port)):
        yield f"127.0.0.1:{port}"


def _knows_the_time(port: int) -> bool:
    """Tell whether it answers, and by its own clock; it opens its port before."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        try:
            asking.connect(("127.0.0.1", port))
            asking.send(PACKET.pack(ASKS, 0, 0, 0, 0, 0, b"", b"", 0, 0, 1))
            return asking.recv(PACKET.size)[1] == 5
        except OSError:
            return False


@pytest.mark.real("chronyd")
async def test_a_real_server_on_this_host_agrees_with_our_clock(chrony: str) -> None:
    seen = await see(KIND, target=chrony, samples=3, expect={"offset": "1s", "stratum": "<= 5"})
    assert (seen.reason, seen.metric("probe_ntp_stratum")) == ("", 5.0)
    assert seen.sight.value == seen.metric("probe_ntp_offset_seconds")
    assert abs(seen.sight.value or 9) < 1
    seen = await see(KIND, target=chrony, expect={"stratum": "<= 3"})
    assert (seen.reason, seen.detail) == ("stratum", f"{chrony} is of stratum 5; <= 3 is expected")


def stamp(seconds: float) -> int:
    return int((seconds + EPOCH_S) % 2**32 * 2**32)


def answer(asked: bytes, ahead_s: float = 0.0, **fields: Any) -> bytes:
    """A good answer, unless told otherwise, from a clock that is so many seconds ahead."""
    given = {
        "head": 0x24,
        "stratum": 2,
        "dispersion": 0,
        "reference": b"GPS\0",
        "cookie": int.from_bytes(asked[40:48], "big"),
    }
    said = {**given, **fields}
    now = stamp(time.time() + ahead_s)
    return PACKET.pack(
        said["head"], said["stratum"], 6, -20, 0, said["dispersion"], said["reference"], b"", said["cookie"], now, now
    )


async def ask(reply: Callable[[bytes], list[bytes]], timeout_s: float = 2.0, **expect: str) -> Seen:
    async with UdpPeer(reply) as peer:
        return await Attempt(timeout_s=timeout_s).at(KIND, {"target": peer.address, "expect": expect})


async def test_a_clock_that_is_ahead_fails_by_its_offset() -> None:
    seen = await ask(lambda asked: [answer(asked, ahead_s=40.0)], offset="500ms")
    assert seen.reason == "offset"
    assert seen.detail.endswith("s from our clock; 500ms is the limit")
    assert seen.sight.value is not None
    assert 39 < seen.sight.value < 41
    seen = await ask(lambda asked: [answer(asked, ahead_s=-40.0)])
    assert (seen.reason, (seen.sight.value or 0) < -39) == ("offset", True)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"head": 0xE4}, "unsynchronised"),
        ({"stratum": 16}, "unsynchronised"),
        ({"stratum": 0, "reference": b"RATE"}, "refused"),
        ({"stratum": 0, "reference": b"\xff\x1b[m"}, "refused"),
        ({"dispersion": 2**32 - 1}, "dispersion"),
    ],
)
async def test_a_server_that_does_not_know_or_want_says_so(fields: dict[str, Any], reason: str) -> None:
    seen = await ask(lambda asked: [answer(asked, **fields)], root_dispersion="1s")
    assert (seen.reason, seen.detail.isprintable()) == (reason, True)


async def test_what_answers_another_question_is_passed_over() -> None:
    seen = await ask(lambda asked: [b"", b"\x24" * 47, asked, answer(asked, cookie=7, ahead_s=99), answer(asked)])
    assert seen.reason == ""
    assert (await ask(lambda asked: [answer(asked, cookie=7)] * 101)).reason == "protocol"


async def test_a_silent_server_costs_the_time_limit_and_nobody_there_is_told_at_once() -> None:
    with pytest.raises(TimeoutError):
        await ask(lambda _: [], timeout_s=0.3)
    assert (await see(KIND, target=f"127.0.0.1:{free_port()}")).reason == "connect"


@given(st.binary(max_size=120), st.integers(0, 2**64 - 1))
def test_any_bytes_are_an_answer_or_none(data: bytes, cookie: int) -> None:
    for each in (data, b"\x24" + data[1:24] + cookie.to_bytes(8, "big") + data[24:]):
        found = decode(each, cookie, (1_800_000_000.0, 1_800_000_000.1))
        assert found is None or abs(found.offset_s) <= 2**32


def test_the_count_may_begin_anew_in_2036() -> None:
    later_s = 2_085_978_496.0 + 1000  # A thousand seconds into the next era.
    question = b"\0" * 40 + (5).to_bytes(8, "big")
    data = PACKET.pack(0x24, 1, 0, 0, 0, 0, b"", b"", 5, stamp(later_s), stamp(later_s))
    found = decode(data, int.from_bytes(question[40:48], "big"), (later_s, later_s))
    assert found is not None
    assert abs(found.offset_s) < 0.001


@pytest.mark.parametrize(
    "wrong", [{"samples": 0}, {"samples": 9}, {"target": "ntp.example.org"}, {"expect": {"offset": "5"}}]
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NtpOptions.model_validate({"target": "192.0.2.1:123", **wrong})
