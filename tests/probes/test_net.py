"""Names and addresses: what a resolver is asked, and which addresses are never spoken to, however they are spelt."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import uvloop

from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import Family, TargetPolicy, find, fnv1_32, join, literal, open_socket
from sentinel.probes.resolver import AioResolver
from tests.fakes.names import Names

NOW = datetime(2026, 11, 21, tzinfo=UTC)
OPEN = TargetPolicy()

DENIED = [
    "169.254.169.254", "169.254.0.1", "169.254.255.255", "100.100.100.200", "0.0.0.0", "0.1.2.3", "224.0.0.1",
    "239.255.255.255", "255.255.255.255", "::", "fe80::1", "fe80::1%eth0", "febf::1", "ff02::1", "fd00:ec2::254",
    "fd20:ce::254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "0:0:0:0:0:ffff:a9fe:a9fe", "::ffff:0.0.0.0",
    "::ffff:0:169.254.169.254",
    "::169.254.169.254", "2002:a9fe:a9fe::", "2002:a9fe:a9fe::1", "64:ff9b::169.254.169.254",
    "64:ff9b:1::169.254.169.254", "2001:0:a9fe:a9fe::1", "2001:0:1:1::5601:5601", "2001:db8::5efe:169.254.169.254",
    "2001:db8::200:5efe:a9fe:a9fe", "::ffff:100.100.100.200", "64:ff9b::6464:64c8",
]  # fmt: skip
LET_PASS = [
    "127.0.0.1", "10.0.0.1", "192.168.1.1", "192.0.2.1", "169.253.255.255", "100.100.100.201", "::1", "2001:db8::1",
    "fd00:ec2::253", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:201::1",
]  # fmt: skip


@pytest.mark.parametrize("text", DENIED)
def test_an_address_that_is_always_denied_cannot_be_allowed(text: str) -> None:
    everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    with pytest.raises(Failed) as caught:
        TargetPolicy(allow=everything).check(ipaddress.ip_address(text))
    assert caught.value.reason == "denied"


@pytest.mark.parametrize("text", LET_PASS)
def test_any_other_address_passes(text: str) -> None:
    OPEN.check(ipaddress.ip_address(text))


def test_a_configuration_denies_networks_with_exceptions() -> None:
    policy = TargetPolicy(
        deny=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")),
        allow=(ipaddress.ip_network("10.1.0.0/16"),),
    )
    policy.check(ipaddress.ip_address("10.1.2.3"))
    policy.check(ipaddress.ip_address("192.0.2.1"))
    for text in ("10.2.0.1", "fd00::1", "::ffff:10.2.0.1"):
        with pytest.raises(Failed, match="the configuration denies it"):
            policy.check(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "host",
    [
        "0xa9fea9fe", "2852039166", "169.254.43518", "169.16689662", "0251.0376.0251.0376", "0xA9.0xFE.0xA9.0xFE",
        "127.1",
        "0", "169.254.169.254.", "0x7f000001.", "1.2.3.4.5", "www.example.9", "[::1", "::1]", "a b", "", ".", "a" * 300,
        "exa\x00mple.org", "x/y", "user@example.org", "[0xa9fea9fe]", "\ud800.example.org",
    ],
)  # fmt: skip
async def test_what_is_neither_a_name_nor_an_address_is_never_looked_up(host: str) -> None:
    resolver = AioResolver(["192.0.2.1:9"])
    with pytest.raises(Failed) as caught:
        await resolver.resolve(host)
    assert caught.value.reason == "dns"
    await resolver.close()


async def test_literal_addresses_are_what_they_are() -> None:
    resolver = AioResolver()
    assert str(await resolver.resolve("192.0.2.1")) == "192.0.2.1"
    assert str(await resolver.resolve("[2001:db8::1]")) == "2001:db8::1"
    assert str(await resolver.resolve("2001:db8::1")) == "2001:db8::1"
    with pytest.raises(Failed, match="is not an IPv6 address"):
        await resolver.resolve("192.0.2.1", "ip6", fallback=False)


def test_etc_hosts_is_read_on_both_kinds_of_loop() -> None:
    async def look() -> str:
        resolver = AioResolver(["192.0.2.1:9"])
        try:
            return str(await resolver.resolve("localhost"))
        finally:
            await resolver.close()

    assert asyncio.run(look()) == uvloop.run(look()) == "127.0.0.1"


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """A DNS server with a table of (name, type) -> addresses; ``codes`` answers a name with an error."""

    table: dict[tuple[str, str], list[str]]
    codes: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.address = "127.0.0.1:%d" % transport.get_extra_info("sockname")[1]  # noqa: UP031

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if self.silent:
            return
        answer = dns.message.make_response(query, recursion_available=True)
        found = self.table.get((name, kind), [])
        if found:
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
        known = any(each == name for each, _ in self.table)
        answer.set_rcode(dns.rcode.from_text(self.codes.get(name, "NOERROR" if known else "NXDOMAIN")))
        self.transport.sendto(answer.to_wire(), peer)


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    table = {
        ("both.example.org", "A"): ["192.0.2.1"],
        ("both.example.org", "AAAA"): ["2001:db8::1"],
        ("six.example.org", "AAAA"): ["2001:db8::6"],
        ("four.example.org", "A"): ["192.0.2.4"],
        ("wolf.example.org", "A"): ["169.254.169.254"],
    }
    loop = asyncio.get_running_loop()
    made = NameServer(table, {"broken.example.org": "SERVFAIL"})
    transport, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", 0))
    yield made
    transport.close()


@pytest.fixture
async def resolver(server: NameServer) -> AsyncIterator[AioResolver]:
    made = AioResolver([server.address], try_s=0.2, tries=1)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("host", "prefer", "fallback", "address"),
    [
        ("both.example.org", "ip4", True, "192.0.2.1"),
        ("both.example.org", "ip6", True, "2001:db8::1"),
        ("six.example.org", "ip4", True, "2001:db8::6"),
        ("six.example.org", "ip6", False, "2001:db8::6"),
    ],
)
async def test_the_preferred_family_comes_first_and_the_other_one_when_allowed(
    resolver: AioResolver, host: str, prefer: Family, fallback: bool, address: str
) -> None:
    assert str(await resolver.resolve(host, prefer, fallback=fallback)) == address


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("bücher.example.org", "no such name"),
        ("four.example.org", "the name exists without one"),
        ("broken.example.org", "the resolver says SERVFAIL"),
    ],
)
async def test_a_name_without_a_usable_address_is_a_dns_failure_that_says_why(
    resolver: AioResolver, server: NameServer, host: str, why: str
) -> None:
    with pytest.raises(Failed) as caught:
        await resolver.resolve(host, "ip6", fallback=False)
    assert (caught.value.reason, caught.value.detail) == ("dns", f"{host} has no IPv6 address: {why}")
    assert {kind for _, kind in server.asked} == {"AAAA"}


async def test_a_failure_is_not_remembered(resolver: AioResolver, server: NameServer) -> None:
    with pytest.raises(Failed, match="no such name"):
        await resolver.resolve("new.example.org")
    server.table["new.example.org", "A"] = ["192.0.2.9"]
    assert str(await resolver.resolve("new.example.org")) == "192.0.2.9"


async def test_a_silent_resolver_is_a_dns_failure(resolver: AioResolver, server: NameServer) -> None:
    server.silent = True
    with pytest.raises(Failed, match="the resolver does not answer"):
        await resolver.resolve("both.example.org")
    assert {kind for _, kind in server.asked} == {"A"}


async def test_a_look_up_is_measured_recorded_and_checked(resolver: AioResolver) -> None:
    sight = Sight("both.example.org", 5, resolver, OPEN, now=NOW)
    await find(sight, "both.example.org", "ip6")
    assert sight.samples["probe_ip_protocol", ()] == 6
    assert sight.samples["probe_dns_lookup_time_seconds", ()] == sight.phases["resolve"] > 0
    with pytest.raises(Failed) as caught:
        await find(Sight("wolf.example.org", 5, resolver, OPEN, now=NOW), "wolf.example.org")
    assert caught.value.reason == "denied"


def test_an_address_hash_is_the_one_of_blackbox_exporter() -> None:
    assert fnv1_32(ipaddress.ip_address("127.0.0.1").packed) == 3668918509
    assert fnv1_32(b"") == 0x811C9DC5


async def test_a_socket_is_only_opened_to_an_address_that_passes() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sight = Sight("x", 5, Names(), TargetPolicy(deny=(ipaddress.ip_network("127.0.0.2/32"),)), now=NOW)
    async with server:
        with await open_socket(sight, ipaddress.ip_address("127.0.0.1"), port) as connection:
            assert connection.getpeername() == ("127.0.0.1", port)
        with pytest.raises(Failed) as caught:
            await open_socket(sight, ipaddress.ip_address("127.0.0.2"), port)
        assert caught.value.reason == "denied"
    with pytest.raises(Failed) as caught:
        await open_socket(sight, ipaddress.ip_address("127.0.0.1"), port)
    assert (caught.value.reason, caught.value.detail) == ("connect", f"127.0.0.1:{port}: Connection refused")


def test_addresses_are_written_with_their_ports_as_in_urls() -> None:
    assert join(ipaddress.ip_address("::1"), 80) == "[::1]:80"
    assert join("www.example.org", 80) == "www.example.org:80"
    assert literal("www.example.org") is None
