"""The dns probe: one question, one server, and an answer that is judged, or is no answer."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time

import dns.flags
import dns.message
import dns.rcode
import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes.dns import KIND, DnsOptions
from sentinel.probes.dns_message import decode, texts
from tests.fakes.certificates import Authority
from tests.fakes.dns_server import DnsServer, records, silent
from tests.fakes.names import Names
from tests.probes.seeing import Attempt, see

A = "campus.example.org. 300 IN A 192.0.2.1"
B = "campus.example.org. 300 IN A 192.0.2.2"
SOA = "example.org. 3600 IN SOA ns1.example.org. admin.example.org. 2026112101 7200 3600 1209600 300"


async def ask(answer, **options):
    options = {"query": "campus.example.org"} | options
    async with DnsServer(answer) as server:
        return await see(KIND, server=server.address, **options)


async def test_a_good_answer_passes_and_is_counted():
    async with DnsServer(records(A, B, authority=(SOA,))) as server:
        seen = await see(KIND, server=server.address, query="campus.example.org", expect={"answers": ">= 1"})
        ((transport, question),) = server.questions
    assert (seen.reason, seen.detail) == ("", "")
    assert [seen.metric(f"probe_dns_{each}") for each in ("query_succeeded", "answer_rrs", "authority_rrs")] == [
        1,
        2,
        1,
    ]
    assert list(seen.sight.phases) == ["resolve", "connect", "request"]
    assert transport == "udp"
    assert str(question.question[0]) == "campus.example.org. IN A"
    assert question.flags & dns.flags.RD


async def test_recursion_can_be_left_out_and_the_class_chosen():
    async with DnsServer(records()) as server:
        await see(KIND, server=server.address, query="version.bind", record="TXT", recursion="no", **{"class": "CH"})
        ((_, question),) = server.questions
    assert not question.flags & dns.flags.RD
    assert str(question.question[0]) == "version.bind. CH TXT"


async def test_ids_are_not_guessable():
    async with DnsServer(records(A)) as server:
        for _ in range(20):
            await see(KIND, server=server.address, query="campus.example.org")
        assert len({question.id for _, question in server.questions}) > 15


@pytest.mark.parametrize("rcode", ["SERVFAIL", "NXDOMAIN", "REFUSED"])
async def test_another_response_code_fails_and_is_named(rcode):
    seen = await ask(records(rcode=rcode))
    assert seen.reason == "rcode"
    assert f"answers {rcode} for campus.example.org A; NOERROR is expected" in seen.detail
    assert seen.metric("probe_dns_query_succeeded") == 1


async def test_another_response_code_can_be_what_is_expected():
    assert (await ask(records(rcode="NXDOMAIN"), expect={"rcode": ["NXDOMAIN", "REFUSED"]})).reason == ""


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"answers": ">= 3"}, "answers"),
        ({"answers": "2"}, ""),
        ({"contains": r"A\t192\.0\.2\.1$"}, ""),
        ({"contains": [r"192\.0\.2\.1$", r"192\.0\.2\.2$"]}, ""),
        ({"contains": [r"192\.0\.2\.1$", r"192\.0\.2\.3$"]}, "answers"),
        ({"matches": r"192\.0\.2\."}, ""),
        ({"matches": r"192\.0\.2\.1"}, "answers"),
        ({"not_matches": r"198\.51\."}, ""),
        ({"not_matches": r"\.2\.2$"}, "answers"),
        ({"authority": {"contains": "SOA"}}, ""),
        ({"authority": {"not_matches": "SOA"}}, "authority"),
        ({"additional": {"matches": "x"}}, "additional"),
        ({"additional": {"each": "x"}}, ""),
        ({"additional": {"count": "1"}}, "additional"),
        ({"authoritative": "yes"}, "authoritative"),
        ({"authoritative": "no"}, ""),
        ({"max_duration": "0s"}, "max_duration"),
    ],
)
async def test_the_records_are_judged(expect, reason):
    assert (await ask(records(A, B, authority=(SOA,)), expect=expect)).reason == reason


async def test_the_record_at_fault_is_quoted():
    seen = await ask(records(A, B), expect={"not_matches": r"\.2\.2$"})
    assert "“campus.example.org. 300 IN A 192.0.2.2” matches" in seen.detail


async def test_a_server_that_must_not_be_an_authority():
    assert (await ask(records(A, authoritative=True), expect={"authoritative": "yes"})).reason == ""
    assert (await ask(records(A, authoritative=True), expect={"authoritative": "no"})).reason == "authoritative"


async def test_the_serial_of_a_zone_is_recorded_and_judged():
    options = {"query": "example.org", "record": "SOA"}
    seen = await ask(records(SOA), **options, expect={"serial": ">= 2026112101"})
    assert (seen.reason, seen.metric("probe_dns_serial")) == ("", 2026112101)
    seen = await ask(records(SOA), **options, expect={"serial": ">= 2026112102"})
    assert seen.reason == "serial"
    assert "has serial 2026112101 of example.org SOA; >= 2026112102 is asked for" in seen.detail


async def test_pointers_are_asked_for_by_address():
    async with DnsServer(records()) as server:
        await see(KIND, server=server.address, query="192.0.2.7", record="PTR")
        assert str(server.questions[0][1].question[0].name) == "7.2.0.192.in-addr.arpa."


async def test_an_answer_that_was_cut_is_asked_for_again_over_tcp():
    whole = records(*(f"campus.example.org. 300 IN A 192.0.2.{number}" for number in range(200)))

    def cut(question, udp):
        if not udp:
            return whole(question, udp)
        reply = dns.message.make_response(question)
        reply.flags |= dns.flags.TC
        return [reply.to_wire()]

    async with DnsServer(cut) as server:
        seen = await see(KIND, server=server.address, query="campus.example.org", expect={"answers": "200"})
        assert [transport for transport, _ in server.questions] == ["udp", "tcp"]
    assert (seen.reason, seen.detail) == ("", "")


async def test_tcp_is_used_when_asked_for():
    async with DnsServer(records(A)) as server:
        seen = await see(KIND, server=server.address, query="campus.example.org", transport="tcp")
        assert [transport for transport, _ in server.questions] == ["tcp"]
    assert seen.reason == ""


async def test_dns_over_tls_is_verified(tmp_path):
    authority = Authority(tmp_path)
    async with DnsServer(records(A), tls=authority.serve()) as server:
        options = {"server": f"localhost:{server.port}", "query": "campus.example.org", "transport": "tls"}
        seen = await see(KIND, **options, tls={"ca_file": str(authority.ca_file)})
        assert (seen.reason, seen.detail) == ("", "")
        assert "probe_ssl_earliest_cert_expiry" in seen.metrics
        assert list(seen.sight.phases) == ["resolve", "connect", "request"]
        seen = await see(KIND, **options)
        assert (seen.reason, seen.metric("probe_dns_query_succeeded")) == ("tls", 0)
        assert "probe_ssl_earliest_cert_expiry" in seen.metrics


def forged(change):
    """Answer with a forgery first, then with the truth."""

    def answer(question, udp):
        (truth,) = records(A)(question, udp)
        return [change(question, bytearray(truth)), truth]

    return answer


def another_id(_question, reply):
    reply[0] ^= 0xFF
    return bytes(reply)


def another_question(question, _reply):
    reply = dns.message.make_response(dns.message.make_query("evil.example.org", "A", id=question.id))
    return reply.to_wire()


@pytest.mark.parametrize("change", [another_id, another_question])
async def test_a_datagram_that_answers_something_else_is_passed_over(change):
    seen = await ask(forged(change), expect={"answers": "1"})
    assert (seen.reason, seen.detail) == ("", "")
    assert any("passed over" in fact for fact in seen.sight.facts)


async def test_a_flood_of_wrong_answers_ends():
    def flood(question, udp):
        return [another_id(question, bytearray(records(A)(question, udp)[0]))] * 50

    with pytest.raises(TimeoutError):
        async with DnsServer(flood) as server:
            await Attempt(timeout_s=0.3).at(KIND, {"server": server.address, "query": "campus.example.org"})


async def test_silence_ends_with_the_limit():
    async with DnsServer(silent) as server:
        for transport in ("udp", "tcp"):
            with pytest.raises(TimeoutError):
                await Attempt(timeout_s=0.2).at(
                    KIND, {"server": server.address, "query": "campus.example.org", "transport": transport}
                )


async def test_a_port_where_nobody_listens_is_told_apart():
    async with DnsServer(silent) as server:
        address = server.address
    for transport in ("udp", "tcp"):
        assert (await see(KIND, server=address, query="example.org", transport=transport)).reason == "connect"


async def test_a_server_that_hangs_up_in_the_middle_fails():
    async with DnsServer(lambda question, _udp: [records(A)(question, False)[0][:20] + b""]) as server:
        seen = await see(KIND, server=server.address, query="campus.example.org", transport="tcp")
    assert seen.reason == "protocol"


async def test_the_address_is_checked_before_anything_is_sent():
    attempt = Attempt(resolver=Names({"ns.example.org": ["169.254.169.254"]}))
    assert (await attempt.at(KIND, {"server": "ns.example.org", "query": "example.org"})).reason == "denied"


def header(id_: int, answers: int = 0, flags: int = 0x8180) -> bytes:
    return struct.pack("!6H", id_, flags, 1, answers, 0, 0)


QUESTION = b"\x06campus\x07example\x03org\x00\x00\x01\x00\x01"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc0\x0c\x00\x01\x00\x01",
        QUESTION + b"\xc0\xff",
        QUESTION[:-3],
        QUESTION + b"\x40" * 40,
    ],
)
async def test_garbage_under_the_right_id_is_named_as_such(body):
    seen = await ask(lambda question, _udp: [header(question.id, answers=1) + body])
    assert (seen.reason, seen.metric("probe_dns_query_succeeded")) == ("protocol", 0)


def test_a_chain_of_pointers_is_refused_before_it_is_followed():
    # 16 KiB in which every name points at the name before it: reading it costs millions of steps.
    chain = bytearray(header(1, answers=1500) + QUESTION)
    chain += struct.pack("!H", 0xC00C)
    while len(chain) < 16_000:
        chain += struct.pack("!H", 0xC000 | (len(chain) - 2))
    record = struct.pack("!HHHIH", 0xC000 | (len(chain) - 2), 1, 1, 300, 4) + bytes(4)
    begun = time.process_time()
    with pytest.raises(ValueError, match="names point to names"):
        decode(bytes(chain) + record * 1500)
    assert time.process_time() - begun < 2  # Of the processor, not of the clock: a loop would take a minute.


def test_too_many_records_are_refused():
    with pytest.raises(ValueError, match="more than 2000 records"):
        decode(header(1, answers=2001) + QUESTION)


@given(st.binary(max_size=300))
def test_no_message_upsets_the_decoder(data):
    with contextlib.suppress(ValueError):
        decode(data)


KINDS = [
    A,
    SOA,
    "example.org. 300 IN MX 10 mail.example.org.",
    'example.org. 300 IN TXT "v=spf1 -all" "more"',
    "_x._tcp.example.org. 300 IN SRV 0 5 443 a.example.org.",
    'example.org. 300 IN CAA 0 issue "ca.example.org"',
    "example.org. 300 IN HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1",
    'example.org. 300 IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@example.org!" .',
    "example.org. 300 IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
    "example.org. 300 IN DS 1 8 2 " + "ab" * 32,
]
WHOLE = records(*KINDS)(dns.message.make_query("example.org", "ANY", id=1), False)[0]


@given(st.lists(st.tuples(st.integers(2, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_no_broken_record_upsets_the_decoder_or_the_writer(changes):
    broken = bytearray(WHOLE)
    for at, value in changes:
        broken[at] = value
    try:
        message = decode(bytes(broken))
    except ValueError:
        return
    for section in ("answer", "authority", "additional"):
        for line in texts(message, section):
            line.encode()


def test_records_are_written_with_tabs_as_blackbox_sees_them():
    message = dns.message.from_wire(records(A)(dns.message.make_query("campus.example.org", "A"), False)[0])
    assert texts(message, "answer") == ["campus.example.org.\t300\tIN\tA\t192.0.2.1"]


async def test_the_probe_runs_on_uvloop_as_on_asyncio():
    def on_uvloop(**options):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(see(KIND, **options))

    async with DnsServer(records(A)) as server:
        for transport in ("udp", "tcp"):
            seen = await asyncio.to_thread(
                on_uvloop, server=server.address, query="campus.example.org", transport=transport
            )
            assert (seen.reason, seen.detail) == ("", "")


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [
        ("9.9.9.9", "9.9.9.9", None),
        ("ns1.example.org:5353", "ns1.example.org", 5353),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:53", "2001:db8::1", 53),
    ],
)
def test_servers_are_written_with_or_without_a_port(server, host, port):
    options = DnsOptions.model_validate({"server": server, "query": "example.org"})
    assert (options.server.host, options.server.port) == (host, port)
    assert options.targets() == (server,)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"query": "a"}, "`server` is missing"),
        ({"server": "a", "targets": ["b"], "query": "a"}, "both given"),
        ({"server": "a b", "query": "a"}, "no host name"),
        ({"server": "a"}, "Field required"),
        ({"server": "a", "query": "a", "record": "AAAAA"}, "is not a record type"),
        ({"server": "a", "query": "a..b"}, "is not a name"),
        ({"server": "a", "query": "a", "expect": {"rcode": "NOEROR"}}, "is not a response code"),
        ({"server": "a", "query": "a", "expect": {"serial": "1"}}, "needs `record: SOA`"),
        ({"server": "a", "query": "a", "tls": "yes"}, "needs `transport: tls`"),
        ({"server": "a", "query": "a", "expect": {"contains": "("}}, "is not a pattern"),
    ],
)
def test_options_that_cannot_work_are_refused(options, says):
    with pytest.raises(ValidationError, match=says):
        DnsOptions.model_validate(options)
