"""The snmp probe against a real agent and hostile ones, and the codec against everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes import ber, snmp_message
from sentinel.probes.snmp import KIND, SnmpOptions
from tests.fakes.udp_peer import UdpPeer
from tests.probes.seeing import Attempt, Seen, see
from tests.real.components import where
from tests.real.process import free_port, started

LOCATION, UPTIME, SERVICES = "1.3.6.1.2.1.1.6.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.7.0"
COMMUNITY = "only-looking"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real agent answers."""
    folder, port = tmp_path_factory.mktemp("snmp"), free_port()
    (folder / "snmpd.conf").write_text(f"rocommunity {COMMUNITY} 127.0.0.1\nsysLocation rack 7\nsysServices 72\n")
    command = [
        where("snmpd"),
        "-f",
        "-Lo",
        "-C",
        "-c",
        folder / "snmpd.conf",
        "-p",
        folder / "pid",
        f"udp:127.0.0.1:{port}",
    ]
    log = folder / "snmpd.log"
    with started(command, folder, lambda: "NET-SNMP version" in log.read_text()):
        yield f"127.0.0.1:{port}"


def reads(*wanted: tuple[str, str | None], **options: Any) -> dict[str, Any]:
    return {
        "community": COMMUNITY,
        "get": [{"oid": oid, **({"expect": e} if e else {})} for oid, e in wanted],
        **options,
    }


@pytest.mark.real("snmpd")
@pytest.mark.parametrize("version", ["1", "2c"])
async def test_values_are_read_and_compared(agent: str, version: str) -> None:
    around = {"target": agent, "version": version}
    seen = await see(KIND, **around, **reads((SERVICES, "72"), (UPTIME, ">= 0"), (LOCATION, "rack 7")))
    assert (seen.reason, seen.sight.value) == ("", 72.0)
    assert f"{LOCATION} is rack 7" in seen.sight.facts
    seen = await see(KIND, **around, **reads((UPTIME, None), (SERVICES, "< 70")))
    assert (seen.reason, seen.detail, seen.sight.value) == ("value", f"{SERVICES} is 72; < 70 is expected", 72.0)


@pytest.mark.real("snmpd")
@pytest.mark.parametrize("version", ["1", "2c"])
async def test_an_object_that_does_not_exist_is_named(agent: str, version: str) -> None:
    seen = await see(
        KIND, target=agent, version=version, community=COMMUNITY, get=[{"oid": "1.3.6.1.2.1.1.99.0", "name": "warp"}]
    )
    assert (seen.reason, seen.detail) == ("missing", f"{agent} has no warp")


@pytest.mark.real("snmpd")
async def test_a_wrong_community_is_silence(agent: str) -> None:
    with pytest.raises(TimeoutError):
        await Attempt(timeout_s=0.4).at(KIND, {"target": agent, "get": [{"oid": UPTIME}]})


# ------------------------------------------------------------------------------------------------- hostile agents


def number_of(asked: bytes) -> int:
    message = ber.Reader(ber.Reader(asked).take(ber.SEQUENCE))
    message.number()
    message.take(ber.OCTETS)
    return ber.Reader(message.next()[1]).number()


def response(number: int, *pairs: bytes, error: int = 0, place: int = 0) -> bytes:
    numbers = (ber.encoded_number(each) for each in (number, error, place))
    pdu = ber.encoded(snmp_message.RESPONSE, *numbers, ber.encoded(ber.SEQUENCE, *pairs))
    return ber.encoded(ber.SEQUENCE, ber.encoded_number(1), ber.encoded(ber.OCTETS, b"public"), pdu)


def pair(value: bytes, oid: str = UPTIME) -> bytes:
    return ber.encoded(ber.SEQUENCE, ber.encoded_oid(oid), value)


async def ask(answer: Callable[[bytes], list[bytes]], timeout_s: float = 2.0) -> Seen:
    async with UdpPeer(answer) as peer:
        return await Attempt(timeout_s=timeout_s).at(
            KIND, {"target": peer.address, "get": [{"oid": UPTIME, "expect": "> 5"}]}
        )


async def test_a_question_that_is_lost_is_asked_again() -> None:
    heard: list[bytes] = []

    def answer(data: bytes) -> list[bytes]:
        heard.append(data)
        return [response(number_of(data), pair(ber.encoded(0x43, b"\x07")))] if len(heard) > 1 else []

    assert (await ask(answer, timeout_s=0.9)).reason == ""
    assert len(heard) == 2


async def test_answers_to_other_questions_are_passed_over() -> None:
    def answer(data: bytes) -> list[bytes]:
        right = response(number_of(data), pair(ber.encoded_number(6)))
        return [response(number_of(data) ^ 1, pair(ber.encoded_number(1))), data, right]

    seen = await ask(answer)
    assert (seen.reason, seen.sight.value) == ("", 6.0)
    seen = await ask(lambda data: [response(number_of(data) ^ 1)] * 110)
    assert (seen.reason, seen.detail.endswith("sends answers to other questions")) == ("protocol", True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda _: b"\x30\x84\x7f\xff\xff\xff\x02", "protocol"),
        (lambda _: b"\x30\x80" + b"\x30" * 60_000, "protocol"),
        (lambda _: b"\0", "protocol"),
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol"),
        (lambda asked: response(number_of(asked), *[pair(ber.encoded_number(1))] * 101), "protocol"),
        (lambda asked: response(number_of(asked), pair(ber.encoded(0x7F, b""))), "protocol"),
        (lambda asked: response(number_of(asked), pair(ber.encoded(ber.INTEGER, b"\xff" * 4000))), "protocol"),
        (lambda asked: response(number_of(asked), pair(ber.encoded(ber.OID, b"\xff" * 9000))), "protocol"),
        (lambda asked: response(number_of(asked)), "missing"),
        (lambda asked: response(number_of(asked), pair(ber.encoded(0x80))), "missing"),
        (lambda asked: response(number_of(asked), error=2, place=1), "missing"),
        (lambda asked: response(number_of(asked), error=6, place=1), "refused"),
        (lambda asked: response(number_of(asked), error=99, place=-4), "refused"),
        (lambda asked: response(number_of(asked), pair(ber.encoded(ber.OCTETS, b"\x00\xff\x1b[31m"))), "value"),
        (lambda asked: response(number_of(asked), pair(ber.encoded(ber.OCTETS, b"nan"))), "value"),
    ],
)
async def test_what_is_no_good_answer_fails_in_words(answer: Callable[[bytes], bytes], reason: str) -> None:
    seen = await ask(lambda data: [answer(data)])
    assert (seen.reason, seen.detail.isprintable(), bool(seen.detail)) == (reason, True, True)


async def test_nobody_there_is_told_at_once() -> None:
    assert (await see(KIND, target=f"127.0.0.1:{free_port()}", get=[{"oid": UPTIME}])).reason == "connect"


# ---------------------------------------------------------------------------------------------------------- codec


ARCS = st.lists(st.integers(0, ber.ARC_MAX), max_size=20)
OIDS = st.one_of(
    st.tuples(st.integers(0, 1), st.integers(0, 39), ARCS), st.tuples(st.just(2), st.integers(0, ber.ARC_MAX), ARCS)
).map(lambda parts: ".".join(map(str, (parts[0], parts[1], *parts[2]))))


@given(st.integers(-(2**63), 2**64 - 1), OIDS)
def test_what_is_written_can_be_read(number: int, oid: str) -> None:
    assert ber.Reader(ber.encoded_number(number)).number() == number
    assert ber.is_oid(oid)
    assert ber.oid(ber.Reader(ber.encoded_oid(oid)).take(ber.OID)) == oid


@given(st.binary(max_size=400), st.sampled_from(["1", "2c"]))
def test_any_bytes_are_a_message_or_malformed(data: bytes, version: str) -> None:
    with suppress(ber.Malformed):  # Anything else that is raised fails the test.
        found = snmp_message.decode(data, version, 7)
        assert found is None or len(found.values) <= len(data)


@given(st.data())
def test_an_answer_with_a_byte_changed_is_read_or_malformed(data: st.DataObject) -> None:
    values = data.draw(
        st.lists(st.tuples(st.sampled_from([2, 4, 5, 6, 0x40, 0x41, 0x46, 0x80]), st.binary(max_size=12)), max_size=4)
    )
    whole = bytearray(response(7, *(pair(ber.encoded(tag, content)) for tag, content in values)))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = snmp_message.decode(bytes(whole), "2c", 7)
    except ber.Malformed:
        return
    assert found is None or all(value is None or len(value) < 200 for _, value in found.values)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"version": "3"}, "version 3 is not spoken here"),
        ({"version": "4"}, "'1', '2c' or '3'"),
        ({"get": []}, "at least 1"),
        ({"get": [{"oid": "sysUpTime.0"}]}, "is not an object identifier"),
        ({"get": [{"oid": "1.40.1"}]}, "is not an object identifier"),
        ({"get": [{"oid": "1.3.4294967296"}]}, "is not an object identifier"),
        ({"get": [{"oid": UPTIME}, {"oid": f".{UPTIME}"}]}, "twice"),
    ],
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SnmpOptions.model_validate({"target": "192.0.2.1:161", "get": [{"oid": UPTIME}], **wrong})
