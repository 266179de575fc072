"""The imap probe against peers that follow a script; tests/real has it against Dovecot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes.imap import KIND, ImapOptions
from sentinel.probes.imap_talk import encoded, quoted
from tests.fakes.certificates import Authority
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, says, talks
from tests.probes.seeing import Attempt, Seen, see

GREETS = "* OK [CAPABILITY IMAP4rev1] ready\r\n"
LEAVES = "* BYE see you\r\n{tag} OK bye\r\n"


def offers(tag: str, words: str) -> tuple[bytes, str]:
    return f"{tag} CAPABILITY\r\n".encode(), f"* CAPABILITY IMAP4rev1 {words}\r\n{tag} OK done\r\n"


def leaves(tag: str) -> tuple[bytes, str]:
    return f"{tag} LOGOUT\r\n".encode(), LEAVES.format(tag=tag)


async def look(peer: TcpPeer, authority: Authority, **more: Any) -> Seen:
    trusted = {"ca_file": str(authority.ca_file)}
    return await see(KIND, target=f"localhost:{peer.port}", tls=trusted, **more)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_server_that_greets_is_fine_without_a_sign_in() -> None:
    async with TcpPeer(talks(GREETS, offers("s1", ""), leaves("s2"))) as peer:
        seen = await see(KIND, target=peer.address)
        assert (seen.reason, seen.detail, seen.sight.value) == ("", "", None)
        await peer.emptied()


async def test_a_server_that_takes_no_leave_is_fine() -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETS.encode())
        for line in (offers("s1", "")[1], "* BYE see you\r\n"):
            await reader.readline()
            writer.write(line.encode())

    async with TcpPeer(hangs_up) as peer:
        seen = await see(KIND, target=peer.address)
    assert (seen.reason, seen.detail) == ("", "")


async def test_tls_is_asked_for_and_what_is_offered_is_asked_anew(authority: Authority) -> None:
    script = talks(
        GREETS,
        offers("s1", "STARTTLS LOGINDISABLED"),
        (b"s2 STARTTLS\r\n", "s2 OK go\r\n"),
        authority.serve(),
        offers("s3", "AUTH=PLAIN"),
        (b"s4 AUTHENTICATE PLAIN\r\n", "+ \r\n"),
        (b"AHUAcMOpIg==\r\n", "s4 OK in\r\n"),
        (b's5 EXAMINE "INBOX"\r\n', "* 7 EXISTS\r\n* 0 RECENT\r\ns5 OK [READ-ONLY] done\r\n"),
        (b"s6 UID SEARCH UNSEEN\r\n", "* SEARCH 3 4 5\r\ns6 OK done\r\n"),
        leaves("s7"),
    )
    async with TcpPeer(script) as peer:
        seen = await look(peer, authority, starttls=True, username="u", password='pé"', search="UNSEEN")
    assert (seen.reason, seen.detail, seen.sight.value) == ("", "", 3)
    assert "probe_ssl_earliest_cert_expiry" in seen.metrics


async def test_login_is_used_where_there_is_nothing_better_and_quotes_what_it_says(authority: Authority) -> None:
    script = talks(
        GREETS,
        offers("s1", ""),
        (b's2 LOGIN "u" "p\\"\\\\"\r\n', 's2 NO "p\\"\\\\" is wrong\r\n'),
    )
    async with TcpPeer(script, tls=authority.serve()) as peer:
        seen = await look(peer, authority, username="u", password='p"\\')
    assert (seen.reason, '“s2 NO "****" is wrong” to LOGIN' in seen.detail) == ("auth", True), seen.detail


async def test_a_password_that_the_server_repeats_is_not_repeated_by_us(authority: Authority) -> None:
    script = talks(
        GREETS,
        offers("s1", "AUTH=PLAIN"),
        (b"s2 AUTHENTICATE PLAIN\r\n", "+\r\n"),
        (b"AHUAY2FuYXJ5\r\n", "s2 NO AHUAY2FuYXJ5 (canary) is wrong\r\n"),
    )
    async with TcpPeer(script, tls=authority.serve()) as peer:
        seen = await look(peer, authority, username="u", password="canary")
    assert seen.reason == "auth"
    assert not any(secret in seen.detail + "".join(seen.sight.facts) for secret in ("canary", "AHUAY2FuYXJ5"))


async def test_no_password_is_sent_to_who_does_not_want_one(authority: Authority) -> None:
    async with TcpPeer(talks(GREETS, offers("s1", "LOGINDISABLED")), tls=authority.serve()) as peer:
        seen = await look(peer, authority, username="u", password="p")
    assert (seen.reason, "offers neither" in seen.detail) == ("auth", True)


async def test_a_server_without_starttls_says_so() -> None:
    async with TcpPeer(talks(GREETS, offers("s1", ""))) as peer:
        seen = await see(KIND, target=peer.address, starttls=True)
    assert (seen.reason, seen.detail) == ("starttls", f"{peer.address} does not offer STARTTLS")


async def test_what_was_put_behind_the_agreement_in_the_clear_is_not_believed() -> None:
    script = talks(GREETS, offers("s1", "STARTTLS"), (b"s2 STARTTLS\r\n", "s2 OK go\r\n* CAPABILITY X\r\n"))
    async with TcpPeer(script) as peer:
        seen = await see(KIND, target=peer.address, starttls=True)
    assert (seen.reason, "goes on in the clear" in seen.detail) == ("protocol", True)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("* BYE too busy\r\n",), "greets with “* BYE too busy”"),
        (("220 mail ESMTP\r\n",), "greets with “220 mail ESMTP”"),
        ((GREETS, "* BYE shutting down\r\n"), "answers “* BYE shutting down” to CAPABILITY"),
        ((GREETS, "s1 BAD what\r\n"), "answers “s1 BAD what” to CAPABILITY"),
        ((GREETS, "s1\r\n", "s1 \r\n"), "answers “s1 ” to CAPABILITY"),
        ((GREETS, *("* x\r\n" for _ in range(1200))), "answers CAPABILITY with more than 1000 lines"),
        ((GREETS, "* x {9999999}\r\n"), "answers CAPABILITY with more than 256 KiB"),
        ((GREETS, *("* x {90000}\r\n" + "y" * 90_000 for _ in range(20))), "more than 256 KiB"),
    ],
)
async def test_what_is_no_mail_server_fails_in_words(lines: tuple[str, ...], words: str) -> None:
    async with TcpPeer(says(*lines)) as peer:
        seen = await see(KIND, target=peer.address)
    assert (seen.reason, words in seen.detail) == ("protocol", True), seen.detail


async def test_a_denied_address_is_not_spoken_to() -> None:
    names = Names({"a.example.org": ["169.254.169.254"]})
    assert (await Attempt(resolver=names).at(KIND, {"target": "a.example.org:143"})).reason == "denied"


async def test_a_hung_server_is_told_with_what_was_waited_for() -> None:
    async with TcpPeer() as peer:
        seen = await Attempt(told_s=0.2).at(KIND, {"target": peer.address})
        await peer.emptied()
    assert (seen.reason, seen.detail.endswith("waiting for the answer to the connection")) == ("timeout", True), (
        seen.detail
    )


@pytest.mark.parametrize(
    ("folder", "on_the_wire"),
    [("INBOX", "INBOX"), ("Envoyés", "Envoy&AOk-s"), ("R&D", "R&-D"), ("日本語", "&ZeVnLIqe-"), ("📦", "&2D3c5g-")],
)
def test_folders_are_named_as_imap_names_them(folder: str, on_the_wire: str) -> None:
    assert encoded(folder) == on_the_wire


@given(st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs")), max_size=30))
def test_no_folder_breaks_out_of_its_quotation_marks(folder: str) -> None:
    sent = quoted(encoded(folder))
    assert sent.isascii()
    assert sent.replace("\\\\", "").replace('\\"', "").count('"') == 2


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "`target` is missing"),
        ({"target": "a:143", "username": "u", "password": "p"}, "in the clear"),
        ({"target": "a:143", "tls": True, "username": "u", "password": "p\r\ns2 DELETE INBOX"}, "control character"),
        ({"target": "a:143", "tls": True, "username": "u\n"}, "pattern"),
        ({"target": "a:143", "tls": True, "search": "UNSEEN"}, "without signing in"),
        ({"target": "a:143", "tls": True, "username": "u", "search": "X {5}"}, "pattern"),
        ({"target": "a:143", "tls": True, "username": "u", "expect": {"found": "1"}}, "needs a `search`"),
        ({"target": "a:143", "expect": {"cert_days": 1}}, "needs TLS"),
    ],
)
def test_options_that_cannot_work_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        ImapOptions.model_validate(wrong)
