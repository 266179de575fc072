"""The tcp probe: who answers, what they say, and whether they go on in TLS."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.config.fields import Regex
from sentinel.probes.conversation import expand
from sentinel.probes.tcp import KIND, TcpOptions
from tests.fakes.certificates import Authority
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, says, silent, talks
from tests.probes.seeing import Attempt, see

DESCRIPTORS = Path("/proc/self/fd")

SMTP = ("220 mail.example.org ESMTP\r\n", (b"EHLO sentinel.invalid\r\n", "250-mail\r\n250 STARTTLS\r\n"))


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


async def test_a_port_where_somebody_accepts_is_well():
    async with TcpPeer() as peer:
        seen = await see(KIND, target=peer.address)
        assert (seen.reason, seen.metric("probe_failed_due_to_regex"), seen.metric("probe_ip_protocol")) == ("", 0, 4)
        assert {"resolve", "connect"} <= seen.sight.phases.keys()
        await peer.emptied()


async def test_a_port_where_nobody_listens_fails_and_has_no_metric_of_the_conversation():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    seen = await see(KIND, target=f"127.0.0.1:{port}")
    assert seen.reason == "connect"
    assert f"127.0.0.1:{port}" in seen.detail
    assert "probe_failed_due_to_regex" not in seen.metrics


async def test_the_address_is_checked_before_anything_is_sent():
    seen = await Attempt(resolver=Names({"web.example.org": ["169.254.169.254"]})).at(
        KIND, {"target": "web.example.org:80"}
    )
    assert seen.reason == "denied"


async def test_a_name_without_an_address_fails():
    assert (await see(KIND, target="gone.example.org:80")).reason == "dns"


async def test_the_source_address_is_the_one_asked_for():
    sources = []

    async def note(_reader, writer):
        sources.append(writer.get_extra_info("peername")[0])
        writer.write(b"noted\n")

    async with TcpPeer(note) as peer:
        await see(KIND, target=peer.address, source_ip_address="127.0.0.9", expect={"receive": "noted"})
    assert sources == ["127.0.0.9"]


async def test_lines_are_read_until_one_matches():
    async with TcpPeer(says("hello\r\n", "more\n", "220 ready\r\n")) as peer:
        seen = await see(KIND, target=peer.address, steps=[{"expect": "^220 (.*)$"}])
        assert seen.reason == ""
        assert "received 220 ready" in seen.sight.facts


async def test_the_last_line_counts_without_its_end():
    async def greet(_reader, writer):
        writer.write(b"220 ready")

    async with TcpPeer(greet) as peer:
        assert (await see(KIND, target=peer.address, steps=[{"expect": "^220 ready$"}])).reason == ""


async def test_an_end_without_a_match_quotes_the_first_line_and_the_pattern():
    async def greet(_reader, writer):
        writer.write(b"554 go away\r\nbye\r\n")

    async with TcpPeer(greet) as peer:
        seen = await see(KIND, target=peer.address, expect={"receive": "^220"})
    assert (seen.reason, seen.metric("probe_failed_due_to_regex")) == ("expect", 1)
    assert "554 go away" in seen.detail
    assert "^220" in seen.detail


async def test_what_was_caught_goes_into_what_is_sent_and_into_labels():
    async with TcpPeer(talks("PING 4711 \xc3\xa9\n", (b"PONG 4711 $\n", "ok\n"))) as peer:
        seen = await see(
            KIND,
            target=peer.address,
            steps=[
                {
                    "expect": r"^PING (\d+) (?P<who>.*)$",
                    "send": "PONG ${1} $$",
                    "labels": [{"name": "who", "value": "<${who}>"}],
                },
                {"expect": "^ok$"},
            ],
        )
    assert seen.reason == ""
    assert seen.labels("probe_expect_info") == {"who": "<é>"}


async def test_bytes_are_compared_one_by_one():
    async with TcpPeer(says("+PONG\r\n")) as peer:
        assert (
            await see(KIND, target=peer.address, steps=[{"expect_bytes": "+PON"}, {"expect_bytes": "G"}])
        ).reason == ""
        seen = await see(KIND, target=peer.address, steps=[{"expect_bytes": "-ERR"}])
    assert (seen.reason, seen.metric("probe_failed_due_to_bytes")) == ("expect", 1)


async def test_empty_texts_in_expect_ask_for_nothing():
    async with TcpPeer() as peer:
        assert (await see(KIND, target=peer.address, expect={"send": "", "receive": ""})).reason == ""


async def test_send_and_receive_are_one_exchange():
    async with TcpPeer(talks((b"ruok\n", "imok"))) as peer:
        seen = await see(KIND, target=peer.address, expect={"send": "ruok"}, steps=[])
        assert seen.reason == ""


async def test_the_line_end_can_be_chosen():
    async with TcpPeer(talks((b"NOOP\r\n", "ok\n"))) as peer:
        seen = await see(KIND, target=peer.address, line_end="crlf", expect={"send": "NOOP", "receive": "ok"})
    assert seen.reason == ""


@pytest.mark.parametrize("flood", [b"x" * 70_000, b"no\n" * 400_000])
async def test_a_flood_is_cut(flood):
    async def pour(reader, writer):
        writer.write(flood)
        await silent(reader, writer)

    async with TcpPeer(pour) as peer:
        assert (await see(KIND, target=peer.address, steps=[{"expect": "^never$"}])).reason == "protocol"


async def test_what_is_sent_never_becomes_a_fact():
    async with TcpPeer(talks((b"PASS canary\n", "ok\n"))) as peer:
        seen = await see(KIND, target=peer.address, expect={"send": "PASS canary", "receive": "ok"})
    assert seen.reason == ""
    assert not any("canary" in fact for fact in seen.sight.facts)


async def test_control_characters_and_broken_text_do_not_reach_labels_or_facts():
    async def greet(_reader, writer):
        writer.write(b"\x1b[31m\xff\xfe red\n")

    async with TcpPeer(greet) as peer:
        seen = await see(
            KIND, target=peer.address, steps=[{"expect": "(.*)", "labels": [{"name": "all", "value": "$1"}]}]
        )
    assert seen.labels("probe_expect_info")["all"].isprintable()
    assert all(fact.isprintable() for fact in seen.sight.facts)


async def test_a_run_over_its_duration_fails():
    async with TcpPeer(talks((b"\n", "x\n"))) as peer:
        seen = await see(KIND, target=peer.address, expect={"max_duration": "0s"})
    assert seen.reason == "max_duration"


async def test_a_hung_conversation_ends_with_the_limit_and_leaves_nothing_open():
    async with TcpPeer() as peer:
        await see(KIND, target=peer.address)  # What all probes share is open from the first one on.
        await peer.emptied()
        before = len(list(DESCRIPTORS.iterdir()))
        with pytest.raises(TimeoutError):
            await Attempt(timeout_s=0.2).at(KIND, {"target": peer.address, "steps": [{"expect": "^220"}]})
        with pytest.raises(TimeoutError):
            await Attempt(timeout_s=0.2).at(KIND, {"target": peer.address, "tls": "yes"})
        await peer.emptied()
        assert len(list(DESCRIPTORS.iterdir())) <= before


async def test_tls_is_verified_and_its_certificate_recorded(authority):
    async with TcpPeer(says("220 in private\r\n"), tls=authority.serve()) as peer:
        seen = await see(
            KIND,
            target=f"localhost:{peer.port}",
            tls={"ca_file": str(authority.ca_file)},
            expect={"receive": "private"},
        )
    assert seen.reason == ""
    assert seen.labels("probe_tls_version_info") == {"version": "TLS 1.3"}
    assert seen.labels("probe_ssl_last_chain_info")["subjectalternative"] == "localhost"
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" in seen.metrics
    assert "probe_tls_cipher_info" not in seen.metrics


async def test_an_untrusted_peer_fails_and_its_expiry_is_known_all_the_same(authority):
    async with TcpPeer(tls=authority.serve()) as peer:
        seen = await see(KIND, target=f"localhost:{peer.port}", tls="yes")
    assert seen.reason == "tls"
    assert "not trusted" in seen.detail
    assert "probe_ssl_earliest_cert_expiry" in seen.metrics
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in seen.metrics


async def test_verification_can_be_turned_off(authority):
    async with TcpPeer(tls=authority.serve("other.example.org")) as peer:
        seen = await see(KIND, target=f"localhost:{peer.port}", tls={"verify": "no"})
    assert seen.reason == ""
    assert "probe_ssl_last_chain_expiry_timestamp_seconds" not in seen.metrics


async def test_a_certificate_that_ends_soon_fails(authority):
    async with TcpPeer(tls=authority.serve(until=timedelta(days=13, hours=1))) as peer:
        seen = await see(
            KIND, target=f"localhost:{peer.port}", tls={"ca_file": str(authority.ca_file)}, expect={"cert_days": 21}
        )
    assert seen.reason == "cert_days"
    assert "ends in 13 days" in seen.detail


async def test_a_peer_that_does_not_speak_tls_is_told_apart():
    async with TcpPeer(says("220 plain\r\n")) as peer:
        seen = await see(KIND, target=peer.address, tls="yes")
    assert (seen.reason, seen.detail) == ("tls", f"{peer.address} does not speak TLS")


async def test_starttls_is_spoken_and_the_conversation_goes_on_inside(authority):
    script = talks(*SMTP, (b"STARTTLS\r\n", "220 go\r\n"), authority.serve(), (b"NOOP\n", "250 secret\r\n"))
    async with TcpPeer(script) as peer:
        seen = await see(
            KIND,
            target=f"localhost:{peer.port}",
            starttls="smtp",
            tls={"ca_file": str(authority.ca_file)},
            expect={"send": "NOOP", "receive": "^250 secret$", "cert_days": 30},
        )
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.labels("probe_tls_version_info") == {"version": "TLS 1.3"}


async def test_starttls_can_be_a_step(authority):
    script = talks("220 hi\n", (b"STARTTLS\n", "220 go\n"), authority.serve(), (b"NOOP\n", "250 secret\r\n"))
    async with TcpPeer(script) as peer:
        seen = await see(
            KIND,
            target=f"localhost:{peer.port}",
            tls={"ca_file": str(authority.ca_file)},
            steps=[
                {"expect": "^220", "send": "STARTTLS"},
                {"expect": "^220", "starttls": "yes"},
                {"send": "NOOP"},
                {"expect": "^250 secret$"},
            ],
        )
    assert (seen.reason, seen.detail) == ("", "")


async def test_what_was_put_behind_the_agreement_in_the_clear_is_not_believed(authority):
    script = talks(*SMTP, (b"STARTTLS\r\n", "220 go\r\n250 injected\r\n"), authority.serve())
    async with TcpPeer(script) as peer:
        seen = await see(
            KIND, target=f"localhost:{peer.port}", starttls="smtp", tls={"ca_file": str(authority.ca_file)}
        )
    assert seen.reason == "protocol"


LDAP_ASKS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
MYSQL_GREETS = "\x4a\x00\x00\x00\x0a8.0.36\x00" + "\x01\x02\x03\x04" + "saltsalt" + "\x00" + "\xff\xff" + "." * 51
XMPP_OFFERS = "<?xml version='1.0'?><stream:stream><stream:features><starttls xmlns='x'/></stream:features>"
XMPP_ASKS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
XMPP_OPENS = (
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='localhost' "
    b"version='1.0'>"
)
DIALOGUES = {
    "smtp": [*SMTP, (b"STARTTLS\r\n", "220 go\r\n")],
    "lmtp": ["220 hi\r\n", (b"LHLO sentinel.invalid\r\n", "250 me\r\n"), (b"STARTTLS\r\n", "220 go\r\n")],
    "imap": ["* OK hi\r\n", (b"a1 STARTTLS\r\n", "* CAPABILITY IMAP4\r\na1 OK go\r\n")],
    "pop3": ["+OK hi\r\n", (b"STLS\r\n", "+OK go\r\n")],
    "ftp": ["220-hi\r\n you\r\n220 there\r\n", (b"AUTH TLS\r\n", "234 go\r\n")],
    "nntp": ["200 hi\r\n", (b"STARTTLS\r\n", "382 go\r\n")],
    "sieve": ['"STARTTLS"\r\nOK hi\r\n', (b"STARTTLS\r\n", "OK go\r\n")],
    "postgres": [(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "S")],
    "ldap": [(LDAP_ASKS, "\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00")],
    "xmpp": [(XMPP_OPENS, XMPP_OFFERS), (XMPP_ASKS, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")],
}


@pytest.mark.parametrize("protocol", DIALOGUES)
async def test_every_protocol_is_talked_into_tls(authority, protocol):
    async with TcpPeer(talks(*DIALOGUES[protocol], authority.serve())) as peer:
        seen = await see(
            KIND, target=f"localhost:{peer.port}", starttls=protocol, tls={"ca_file": str(authority.ca_file)}
        )
    assert (seen.reason, seen.detail) == ("", "")
    assert "probe_tls_version_info" in seen.metrics


async def test_mysql_gets_its_request_and_the_handshake_in_one_breath(authority):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)

        def serve() -> bytes:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(60)
                connection.sendall(MYSQL_GREETS.encode("latin-1"))
                request = connection.recv(36, socket.MSG_WAITALL)
                with authority.serve().wrap_socket(connection, server_side=True) as secure:
                    secure.recv(1)
                return request

        serving = asyncio.create_task(asyncio.to_thread(serve))
        seen = await see(
            KIND,
            target=f"localhost:{listening.getsockname()[1]}",
            starttls="mysql",
            tls={"ca_file": str(authority.ca_file)},
        )
    assert (seen.reason, seen.detail) == ("", "")
    assert await serving == b"\x20\x00\x00\x01\x00\x8a\x00\x00\x00\x00\x00\x01\x2d" + bytes(23)


NO_TLS = {
    "smtp": [*SMTP, (b"STARTTLS\r\n", "502 no\r\n")],
    "imap": ["* BYE busy\r\n"],
    "postgres": [(b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "N")],
    "ldap": [(LDAP_ASKS, "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00")],
    "mysql": [MYSQL_GREETS.replace("\xff\xff", "\x00\x00")],
    "xmpp": [(XMPP_OPENS, XMPP_OFFERS.replace("starttls", "nothing"))],
}


@pytest.mark.parametrize("protocol", NO_TLS)
async def test_a_protocol_without_tls_fails(protocol):
    async with TcpPeer(talks(*NO_TLS[protocol])) as peer:
        seen = await see(KIND, target=f"localhost:{peer.port}", starttls=protocol)
    assert seen.reason == "protocol"


@pytest.mark.parametrize("protocol", [*DIALOGUES, "mysql"])
@pytest.mark.parametrize("rubbish", ["\xff" * 300, "HTTP/1.1 400 Bad Request\r\n\r\n", ""])
async def test_rubbish_instead_of_a_protocol_fails_in_time(protocol, rubbish):
    async def answer(reader, writer):
        writer.write(rubbish.encode("latin-1"))
        writer.write_eof()
        await silent(reader, writer)

    async with TcpPeer(answer) as peer:
        seen = await see(KIND, target=f"localhost:{peer.port}", starttls=protocol)
    assert seen.reason == "protocol"


async def test_the_probe_runs_on_uvloop_as_on_asyncio(authority):
    def on_uvloop(**options):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(see(KIND, **options))

    script = talks(*SMTP, (b"STARTTLS\r\n", "220 go\r\n"), authority.serve(), (b"NOOP\n", "250 fine\r\n"))
    async with TcpPeer(script) as peer:
        seen = await asyncio.to_thread(
            on_uvloop,
            target=f"localhost:{peer.port}",
            starttls="smtp",
            tls={"ca_file": str(authority.ca_file)},
            expect={"send": "NOOP", "receive": "fine"},
        )
        assert (seen.reason, seen.detail) == ("", "")
        assert (await asyncio.to_thread(on_uvloop, target=peer.address)).reason == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "`target` is missing"),
        ({"target": "web1.example.org"}, "no port"),
        ({"target": "a:1", "targets": ["b:2"]}, "both given"),
        ({"targets": ["a:1", "a:1"]}, "twice"),
        ({"target": "a:1", "steps": [{}]}, "does nothing"),
        ({"target": "a:1", "steps": [{"expect": "("}]}, "not a pattern"),
        ({"target": "a:1", "steps": [{"send": "x", "labels": [{"name": "a", "value": "b"}]}]}, "need an `expect`"),
        ({"target": "a:1", "steps": [{"expect": "x", "labels": [{"name": "probe", "value": "b"}]}]}, "is taken"),
        ({"target": "a:1", "expect": {"cert_days": "21"}}, "needs TLS"),
        ({"target": "a:1", "steps": [{"send": "x"}], "expect": {"send": "y"}}, "exclude each other"),
        ({"target": "a:1", "starttls": "gopher"}, "Input should be"),
        ({"target": "a:1", "tls": {"key_file": "/k"}}, "needs `cert_file`"),
        ({"target": "a:1", "tls": {"min_version": "TLSv1.3", "max_version": "TLSv1.2"}}, "above `max_version`"),
    ],
)
def test_options_that_cannot_work_are_refused(options, says):
    with pytest.raises(ValidationError, match=says):
        TcpOptions.model_validate(options)


@given(st.text(max_size=40))
def test_no_text_upsets_the_expansion(text):
    match = Regex("(a)(?P<name>b)?").search("a")
    assert isinstance(expand(text, match), str)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$1", "a"),
        ("${1}x", "ax"),
        ("$1x", ""),
        ("${name}", "b"),
        ("$$1", "$1"),
        ("${9}$none", ""),
        ("100%", "100%"),
        ("$", "$"),
    ],
)
def test_references_are_expanded_as_go_does(text, expanded):
    assert expand(text, Regex("(a)(?P<name>b)").search("ab")) == expanded
