"""The icmp probe: what was answered, how fast; and a decoder that believes nothing."""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes import pinger
from sentinel.probes.icmp import KIND, IcmpOptions, Outcome
from sentinel.probes.icmp_packet import ECHO_4, ECHO_6, HEADER, Echo, checksum, decode
from tests.fakes.names import Names
from tests.probes.seeing import Attempt, see
from tests.waiting import until

DESCRIPTORS = Path("/proc/self/fd")


def may_ping() -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except PermissionError:
            continue
        return True
    return False


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as made:
            made.bind(("::1", 0))
    except OSError:
        return False
    return True


pings = pytest.mark.skipif(not may_ping(), reason="this system lets us send no ICMP")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace of our own needs root")


@pings
async def test_the_machine_itself_answers_every_packet():
    seen = await see(KIND, target="127.0.0.1", count="4", every="10ms")
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.sight.value == 0.0
    assert seen.metric("probe_ip_addr_hash") == 3668918509
    assert 0 < seen.metric("probe_icmp_reply_hop_limit") <= 255
    assert list(seen.sight.phases) == ["resolve", "setup", "rtt"]
    assert 0 < seen.sight.phases["rtt"] < 5
    assert any("4 of 4 packets answered" in fact for fact in seen.sight.facts)


@pings
@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6_is_pinged_as_ipv4_is():
    seen = await see(KIND, target="::1", count="2", every="10ms", ttl="9", size="1000")
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.metric("probe_ip_protocol") == 6
    assert seen.metric("probe_icmp_reply_hop_limit") is not None


@pings
@pytest.mark.parametrize("size", ["16", "17", "1472", "65507"])
async def test_payloads_of_any_size_come_back_whole(size):
    assert (await see(KIND, target="127.0.0.1", count="1", size=size)).reason == ""


@pings
async def test_many_pings_share_one_socket_which_closes_a_moment_after_the_last(monkeypatch):
    monkeypatch.setattr(pinger, "LINGER_S", 0.05)
    before = len(list(DESCRIPTORS.iterdir()))
    runs = [see(KIND, target=f"127.0.0.{number}", count="3", every="10ms") for number in range(1, 60)]
    tasks = [asyncio.create_task(run) for run in runs]
    await asyncio.sleep(0.005)
    assert len(list(DESCRIPTORS.iterdir())) <= before + 1
    assert {seen.reason for seen in await asyncio.gather(*tasks)} == {""}
    await closed()
    assert len(list(DESCRIPTORS.iterdir())) <= before  # Fewer when what earlier tests left is collected meanwhile.


async def closed() -> None:
    """Wait until no socket of this loop lingers any more."""
    ours = asyncio.get_running_loop()
    await until(lambda: all(loop is not ours for loop, _ in pinger._shared))


@pings
async def test_a_socket_that_is_used_again_meanwhile_stays_open(monkeypatch):
    monkeypatch.setattr(pinger, "LINGER_S", 0.5)
    assert (await see(KIND, target="127.0.0.1", count="1")).reason == ""
    (kept,) = (held for (loop, _), held in pinger._shared.items() if loop is asyncio.get_running_loop())
    assert (await see(KIND, target="127.0.0.1", count="1")).reason == ""
    with pinger.pinger(ip_address("127.0.0.1")) as lent:
        assert lent is kept
        await asyncio.sleep(0.6)
        assert (await lent.ping(ip_address("127.0.0.1"), 16, None, answer_by=math.inf)) is not None
    await closed()


@pings
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_replies_to_others_do_not_wake_a_raw_socket(address):
    if address == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    target = ip_address(address)
    with pinger.pinger(target) as ours, pinger.pinger(target, source=target) as others:
        if not ours.raw:
            pytest.skip("datagram sockets hear their own replies only")
        heard = []
        ours._match = lambda packet, *_: heard.append(packet)  # type: ignore[method-assign]
        assert await others.ping(target, 16, None, answer_by=math.inf) is not None
        assert await ours.ping(target, 16, None, answer_by=asyncio.get_running_loop().time() + 0.2) is None
        assert len(heard) == 1  # Its own, which nobody matched.
    await closed()


@pings
async def test_a_round_trip_over_its_limit_fails():
    seen = await see(KIND, target="127.0.0.1", count="2", every="10ms", expect={"rtt": "0s"})
    assert seen.reason == "rtt"
    seen = await see(KIND, target="127.0.0.1", count="9", every="10ms", expect={"jitter": "0s"})
    assert seen.reason == "jitter"


@pings
async def test_a_cancelled_run_gives_its_socket_back(monkeypatch):
    monkeypatch.setattr(pinger, "LINGER_S", 0.05)
    before = len(list(DESCRIPTORS.iterdir()))
    task = asyncio.create_task(see(KIND, target="127.0.0.1", count="100", every="1s"))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await closed()
    assert len(list(DESCRIPTORS.iterdir())) <= before  # Fewer when what earlier tests left is collected meanwhile.


@pings
async def test_a_loop_that_lags_does_not_spoil_the_round_trip():
    async def lag():
        for _ in range(5):
            await asyncio.sleep(0.005)
            # Blocks the loop on purpose while answers come in.
            subprocess.run(["sleep", "0.05"], check=True)

    lagging = asyncio.create_task(lag())
    seen = await see(KIND, target="127.0.0.1", count="5", every="20ms")
    await lagging
    fact = next(fact for fact in seen.sight.facts if "answered" in fact)
    best_ms = float(fact.partition("round trip ")[2].partition("/")[0])
    assert best_ms < 20


async def test_the_address_is_checked_before_anything_is_sent():
    seen = await Attempt(resolver=Names({"web.example.org": ["169.254.169.254"]})).at(
        KIND, {"target": "web.example.org"}
    )
    assert seen.reason == "denied"


@pings
async def test_the_probe_runs_on_uvloop_as_on_asyncio():
    def on_uvloop():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(see(KIND, target="127.0.0.1", count="3", every="10ms"))

    assert (await asyncio.to_thread(on_uvloop)).reason == ""


IN_NAMESPACE = """
import asyncio, json, sys
from sentinel.probes.icmp import KIND
from tests.probes.seeing import Attempt
sockets, several = sys.argv[1].split(), json.loads(sys.argv[2])
for socket in sockets:
    if socket == "datagram":
        with open("/proc/sys/net/ipv4/ping_group_range", "w") as file:
            file.write("0 2147483647")
    for options in several:
        seen = asyncio.run(Attempt(timeout_s=9.0, told_s=1.0).at(KIND, options))
        print(json.dumps([seen.reason, seen.detail, seen.sight.facts, seen.sight.value]))
"""


def in_namespace(setup: str, *options: dict, sockets: str = "raw datagram", prefix: str = ""):
    """Carry out attempts in a network namespace of its own, set up by a shell script, by each kind of socket.

    All of a test in one process: to start one costs far more than what it does.
    """
    script = f'ip link set lo up; {setup}; exec {prefix} "$0" -c "$1" "$2" "$3"'
    found = subprocess.run(
        ["unshare", "--net", "sh", "-ec", script, sys.executable, IN_NAMESPACE, sockets, json.dumps(options)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return [json.loads(line) for line in found.stdout.splitlines()]


# Both ends are ours, and nobody answers ARP: what is sent to 192.0.2.0/24 vanishes.
VOID = (
    "ip link add d0 type veth peer name d1; ip addr add 192.0.2.1/24 dev d0;"
    " ip link set d0 up arp off; ip link set d1 up"
)


@as_root
@pytest.mark.real("ip")
class TestInANetworkOfItsOwn:
    def test_a_datagram_socket_is_used_where_it_is_allowed(self):
        options = {"count": "2", "every": "10ms"}
        seen = in_namespace("true", {"target": "127.0.0.1", **options}, {"target": "::1", **options})
        assert [(reason, detail) for reason, detail, _, _ in seen] == [("", "")] * 4
        by_datagram = [any("datagram socket" in fact for fact in facts) for _, _, facts, _ in seen]
        assert by_datagram == [False, False, True, True]

    def test_a_host_that_is_silent_loses_every_packet_within_the_limit(self):
        seen = in_namespace(VOID, {"target": "192.0.2.9", "every": "10ms"})
        lost = ("timeout", "192.0.2.9 does not answer: 3 of 3 packets lost", 1.0)
        assert [(reason, detail, value) for reason, detail, _, value in seen] == [lost, lost]

    def test_a_machine_that_says_unreachable_is_quoted(self):
        setup = "ip route add unreachable 198.51.100.0/24"
        for reason, detail, _, _ in in_namespace(setup, {"target": "198.51.100.7", "every": "10ms"}):
            assert (reason, "198.51.100.7" in detail) == ("unreachable", True)

    def test_without_a_route_the_kernel_says_so(self):
        assert [reason for reason, *_ in in_namespace("true", {"target": "192.0.2.1"})] == ["unreachable"] * 2

    @pytest.mark.real("iptables")
    def test_a_lossy_way_is_measured_and_judged(self):
        # Every second answer is dropped on its way in.
        every_second = "-m statistic --mode nth --every 2 --packet 0"
        setup = f"iptables -A INPUT -p icmp --icmp-type echo-reply {every_second} -j DROP"
        options = {"target": "127.0.0.1", "count": "8", "every": "10ms", "wait": "200ms"}
        seen = in_namespace(setup, options, options | {"expect": {"loss": "< 50%"}})
        too_much = "127.0.0.1 lost 4 of 8 packets, 50 %; < 50 % is asked for"
        by_each_socket = [("", "", 0.5), ("loss", too_much, 0.5)]
        assert [(reason, detail, value) for reason, detail, _, value in seen] == by_each_socket * 2

    def test_a_packet_too_big_for_the_way_is_told_apart(self):
        options = {"target": "192.0.2.9", "size": "1473", "dont_fragment": "yes"}
        seen = in_namespace(f"{VOID}; ip link set d0 mtu 1400", options)
        assert [reason for reason, *_ in seen] == ["size", "size"]

    def test_where_neither_socket_is_allowed_the_remedy_is_named(self):
        nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
        ((reason, detail, _, _),) = in_namespace("true", {"target": "127.0.0.1"}, sockets="raw", prefix=nobody)
        assert reason == "permission"
        assert "net.ipv4.ping_group_range" in detail


def packet(kind: int, identity: int, sequence: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, 0, 0, identity, sequence) + payload


def ipv4(payload: bytes, to: str = "192.0.2.9", protocol: int = 1) -> bytes:
    return bytes([0x45, 0]) + bytes(7) + bytes([protocol]) + bytes(2) + bytes(4) + ip_address(to).packed + payload


def test_an_echo_reply_is_read_with_and_without_its_header():
    reply = packet(0, 7, 9, b"cookie")
    assert decode(reply, 4, with_header=False) == Echo(7, 9, b"cookie")
    assert decode(ipv4(reply), 4, with_header=True) == Echo(7, 9, b"cookie")
    assert decode(packet(129, 7, 9, b"cookie"), 6, with_header=False) == Echo(7, 9, b"cookie")


def test_a_trouble_is_about_the_packet_that_it_quotes():
    quote = ipv4(packet(ECHO_4, 7, 9), to="192.0.2.33")
    found = decode(ipv4(packet(3, 0, 0, quote)), 4, with_header=True)
    assert (found.identity, found.sequence, found.trouble) == (7, 9, "network unreachable")
    assert str(found.about) == "192.0.2.33"
    six = bytes([0x60]) + bytes(5) + bytes([58, 64]) + bytes(16) + ip_address("2001:db8::9").packed
    found = decode(packet(3, 0, 0, six + packet(ECHO_6, 7, 9)), 6, with_header=False)
    assert (found.trouble, str(found.about)) == ("hop limit exceeded", "2001:db8::9")


@pytest.mark.parametrize(
    "foreign",
    [
        packet(8, 7, 9),
        packet(13, 7, 9),
        packet(3, 0, 0, ipv4(packet(0, 7, 9))),
        packet(3, 0, 0, ipv4(packet(8, 7, 9), protocol=17)),
        packet(3, 0, 0, b"\x45" + bytes(20)),
        packet(0, 7, 9)[:7],
        b"",
    ],
)
def test_what_is_not_about_our_echo_is_nothing(foreign):
    assert decode(foreign, 4, with_header=False) is None


@given(st.binary(max_size=120), st.sampled_from([4, 6]), st.booleans())
def test_no_packet_upsets_the_decoder(data, version, with_header):
    found = decode(data, version, with_header=with_header and version == 4)
    assert found is None or (0 <= found.identity < 65536 and 0 <= found.sequence < 65536)


@given(st.sampled_from([0, 3, 11]), st.binary(max_size=80), st.binary(max_size=80))
def test_no_quoted_packet_upsets_the_decoder(kind, head, tail):
    decode(ipv4(packet(kind, 1, 2, b"\x45" + head + tail)), 4, with_header=True)


@given(st.binary(max_size=200))
def test_a_packet_with_its_checksum_sums_to_zero(data):
    data += b"\0" * (len(data) % 2)
    assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


@pings
async def test_an_answer_without_the_cookie_or_from_another_address_is_not_believed():
    loop = asyncio.get_running_loop()
    with pinger.pinger(ip_address("127.0.0.1")) as lent:
        forged = []
        for sender, payload in (("127.0.0.1", b"guess"), ("127.0.0.2", b"right")):
            answer = loop.create_future()
            lent._flights[5] = pinger._Flight(ip_address("127.0.0.1"), b"right", 0, 0.0, answer)
            reply = packet(0, lent._identity, 5, payload)
            lent._match(ipv4(reply) if lent.raw else reply, [], ip_address(sender))
            forged.append(answer.done())
            del lent._flights[5]
        assert forged == [False, False]


def test_jitter_is_the_mean_step_between_round_trips():
    outcome = Outcome(4, (0.010, 0.012, 0.009))
    assert outcome.loss_percent == 25.0
    assert outcome.jitter_s == pytest.approx(0.0025)
    assert str(outcome) == "3 of 4 packets answered, round trip 9/10.3/12 ms, jitter 2.5 ms"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "`target` is missing"),
        ({"target": "a b"}, "not a host name"),
        ({"target": "a", "count": "0"}, "greater than or equal to 1"),
        ({"target": "a", "size": "8"}, "greater than or equal to 16"),
        ({"target": "a", "size": "70000"}, "less than or equal to 65507"),
        ({"target": "a", "every": "1ms"}, "below 10ms"),
        ({"target": "a", "expect": {"loss": "< 50"}}, "not a share"),
        ({"target": "a", "ttl": "256"}, "less than or equal to 255"),
    ],
)
def test_options_that_cannot_work_are_refused(options, says):
    with pytest.raises(ValidationError, match=says):
        IcmpOptions.model_validate(options)
