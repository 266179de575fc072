"""Mail by SMTP: what goes over the wire, and what each way of failing means (faults 31 to 35)."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.channels.base import Attached, Message, Sender, Undelivered
from sentinel.channels.email import SmtpOptions
from sentinel.channels.mail_message import written
from tests.channels.rigs import AROUND, MESSAGE, Certificates, make
from tests.fakes.smtp_server import PASSWORD, USER, SmtpServer
from tests.waiting import until

FROM = {"from": "Sentinel TDP <sentinel@example.org>"}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as open_things:
        yield open_things


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@pytest.fixture
async def relay(stack: AsyncExitStack) -> SmtpServer:
    return await stack.enter_async_context(SmtpServer())


def plain(port: int, **options: Any) -> Sender:
    return make("smtp", host="127.0.0.1", port=port, **{"security": "none", "timeout": "30s", **FROM, **options})


def standing_in(port: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "security": "none"}


async def refused(sender: Sender, message: Message = MESSAGE) -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        await sender.send(message)
    return caught.value


async def test_the_mail_bears_the_headers_of_an_alert_that_no_machine_answers(relay: SmtpServer) -> None:
    reference = await plain(relay.port).send(MESSAGE)
    (mail,) = relay.mails
    assert reference == f"127.0.0.1:{relay.port} 250 2.0.0 queued as 0001"
    assert (relay.envelopes[0].mail_from, relay.envelopes[0].rcpt_tos) == (
        "sentinel@example.org",
        ["alice@example.org"],
    )
    assert dict(mail.items()) == {
        "From": "Sentinel TDP <sentinel@example.org>",
        "To": "Alice Durand <alice@example.org>",
        "Subject": "[P1] Campus Moodle : Campus inutilisable - INC-42",
        "Date": "Sat, 21 Nov 2026 21:15:40 +0000",
        "Message-ID": "<inc-42.0.1.alice@sentinel.example.org>",
        "References": "<inc-42@sentinel.example.org>",
        "List-Id": "Infogérance TDP <sentinel.sentinel.example.org>",
        "Content-Language": "fr",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Importance": "high",
        "MIME-Version": "1.0",
        "Content-Type": mail["Content-Type"],
    }
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == MESSAGE.text
    assert html.get_content().strip() == MESSAGE.html


async def test_later_mails_of_an_incident_join_its_thread(relay: SmtpServer) -> None:
    await plain(relay.port).send(replace(MESSAGE, id="INC-42/7/1/alice", first_in_thread=False, priority="P2"))
    (mail,) = relay.mails
    assert mail["Subject"] == "Re: [P1] Campus Moodle : Campus inutilisable - INC-42"
    assert mail["In-Reply-To"] == mail["References"] == "<inc-42@sentinel.example.org>"
    assert mail["Importance"] is None


async def test_ids_stay_in_one_piece_under_a_long_host_name(relay: SmtpServer) -> None:
    around = replace(AROUND, hostname="a-very-long-name-for-a-host.of-some-department.of-an-administration.example.org")
    sender = make("smtp", around, host="127.0.0.1", port=relay.port, security="none", **FROM)
    await sender.send(replace(MESSAGE, first_in_thread=False))
    raw = relay.envelopes[0].content
    assert isinstance(raw, bytes)
    assert f"References: <inc-42@{around.hostname}>".encode() in raw.replace(b"\r\n ", b" ")
    assert f"In-Reply-To: <inc-42@{around.hostname}>".encode() in raw.replace(b"\r\n ", b" ")


async def test_the_body_is_seven_bit_so_that_every_relay_takes_it(relay: SmtpServer) -> None:
    await plain(relay.port).send(replace(MESSAGE, name="Chloé Lefèvre", text="é" * 3000 + "\n"))
    raw = relay.envelopes[0].content
    assert isinstance(raw, bytes)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert relay.mails[0]["To"] == "Chloé Lefèvre <alice@example.org>"


@pytest.mark.parametrize(
    "change",
    [
        {"to": "alice@example.org\r\nRCPT TO:<eve@example.org>"},
        {"to": "alice@example.org, eve@example.org"},
        {"to": "<alice@example.org>"},
        {"to": "alicé@example.org"},
        {"to": ""},
        {"subject": "[P1] down\r\nBcc: eve@example.org"},
        {"subject": "[P1] down\nX: y"},
        {"name": "Alice\r\nBcc: eve@example.org"},
    ],
)
async def test_a_header_that_would_become_two_is_refused_for_good(relay: SmtpServer, change: dict[str, str]) -> None:
    failure = await refused(plain(relay.port), replace(MESSAGE, **change))
    assert failure.permanent
    assert relay.mails == []


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=TEXT, name=TEXT)
def test_whatever_people_write_adds_no_header(subject: str, name: str) -> None:
    sender = Address("Sentinel", addr_spec="sentinel@example.org")
    message = replace(MESSAGE, subject=subject, name=name)
    mail = b""
    with suppress(Undelivered):
        mail = written(message, sender=sender, hostname="h.example.org", site="Site")
    if not mail:
        assert not (subject + name).isprintable(), "only controls may be refused"
        return
    names = [
        line.partition(b":")[0] for line in mail.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] not in b" \t"
    ]
    assert sorted(names) == sorted(
        [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"References", b"List-Id", b"Content-Language",
         b"Auto-Submitted", b"X-Auto-Response-Suppress", b"Importance", b"MIME-Version", b"Content-Type"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "answer", "nobody_there"),
    [
        ("RCPT", "550 5.1.1 no such user", True),
        ("RCPT", "550 no such user here", True),
        ("RCPT", "552 5.2.2 mailbox full", True),
        ("RCPT", "550 5.7.1 relaying denied", False),
        ("RCPT", "554 5.7.1 your host is blocked", False),
        ("MAIL", "550 5.1.8 sender unknown", False),
        ("DATA", "550 5.6.0 this text is not wanted", False),
    ],
)
async def test_only_what_is_said_of_the_recipient_says_that_nobody_is_there(
    relay: SmtpServer, stage: str, answer: str, nobody_there: bool
) -> None:
    relay.answers[stage] = answer
    assert (await refused(plain(relay.port))).nobody_there is nobody_there


WRITTEN = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=60, deadline=None)
@given(text=WRITTEN, html=WRITTEN, content=WRITTEN)
def test_what_is_written_is_read_back_line_by_line(text: str, html: str, content: str) -> None:
    attached = (Attached("rapport été.csv", "text/csv", content),) if content else ()
    message = replace(MESSAGE, text=text, html=html, attachments=attached)
    raw = written(message, sender=Address(addr_spec="s@example.org"), hostname="h.example.org", site="Site")
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 100
    assert b"\n" not in raw.replace(b"\r\n", b"")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [part for part in mail.walk() if not part.is_multipart()]
    expected = [text, *([html] if html else []), *([content] if content else [])]
    assert [part.get_content().encode().splitlines() for part in parts] == [
        one.encode().splitlines() or [b""] for one in expected
    ]
    assert [part.get_filename() for part in parts if part.get_filename()] == [one.name for one in attached]


async def test_starttls_protects_the_password(stack: AsyncExitStack, certificates: Certificates) -> None:
    server = await stack.enter_async_context(SmtpServer(tls=certificates.server, auth=True))
    sender = make(
        "smtp",
        host="127.0.0.1",
        port=server.port,
        username=USER,
        password=PASSWORD,
        ca_file=certificates.ca_file,
        **FROM,
    )
    await sender.send(MESSAGE)
    assert server.encrypted == [True]


async def test_tls_from_the_first_byte(stack: AsyncExitStack, certificates: Certificates) -> None:
    server = await stack.enter_async_context(SmtpServer(tls=certificates.server, implicit_tls=True, auth=True))
    sender = make(
        "smtp",
        host="127.0.0.1", port=server.port, security="tls",
        username=USER, password=PASSWORD, ca_file=certificates.ca_file, **FROM,
    )  # fmt: skip
    await sender.check()
    await sender.send(MESSAGE)
    assert len(server.mails) == 1


@pytest.mark.parametrize(
    ("stage", "answer", "permanent"),
    [
        ("RCPT", "421 4.3.2 closing", False),
        ("RCPT", "450 4.2.0 greylisted", False),
        ("RCPT", "452 4.2.2 mailbox full", False),
        ("RCPT", "550 5.1.1 no such user", True),
        ("MAIL", "550 5.7.1 sender denied", True),
        ("MAIL", "451 4.3.0 try later", False),
        ("DATA", "451 4.3.0 try later", False),
        ("DATA", "554 5.6.0 rejected", True),
    ],
)
async def test_4xx_is_for_now_and_5xx_for_good(relay: SmtpServer, stage: str, answer: str, permanent: bool) -> None:
    relay.answers[stage] = answer
    failure = await refused(plain(relay.port))
    assert (failure.permanent, failure.outcome) == (permanent, "refused" if permanent else "retry")
    assert failure.why == f"127.0.0.1:{relay.port} answered {answer}"


@pytest.mark.fault(31)
async def test_a_greylisted_mail_is_taken_the_second_time_under_the_same_id(relay: SmtpServer) -> None:
    sender = plain(relay.port)
    relay.answers["RCPT"] = "450 4.2.0 greylisted"
    await refused(sender)
    relay.answers.clear()
    await sender.send(MESSAGE)
    assert [mail["Message-ID"] for mail in relay.mails] == ["<inc-42.0.1.alice@sentinel.example.org>"]


@pytest.mark.fault(35)
async def test_a_refused_sign_in_is_not_tried_again(stack: AsyncExitStack, certificates: Certificates) -> None:
    server = await stack.enter_async_context(SmtpServer(tls=certificates.server, auth=True))
    sender = make(
        "smtp",
        host="127.0.0.1",
        port=server.port,
        username=USER,
        password="revoked",
        ca_file=certificates.ca_file,
        **FROM,
    )
    failure = await refused(sender)
    assert (failure.permanent, failure.outcome) == (True, "refused")
    assert "535" in failure.why
    assert "revoked" not in failure.why
    with pytest.raises(Undelivered, match="535"):
        await sender.check()


async def test_a_sign_in_that_fails_for_now_is_tried_again(stack: AsyncExitStack, certificates: Certificates) -> None:
    server = await stack.enter_async_context(
        SmtpServer(tls=certificates.server, auth=True, answers={"AUTH": "454 4.7.0 directory is down"})
    )
    sender = make(
        "smtp",
        host="127.0.0.1",
        port=server.port,
        username=USER,
        password=PASSWORD,
        ca_file=certificates.ca_file,
        **FROM,
    )
    assert not (await refused(sender)).permanent


@pytest.mark.fault(33)
async def test_many_mails_share_a_few_connections_and_none_is_kept_when_they_are_through(relay: SmtpServer) -> None:
    sender = plain(relay.port)
    waiting = asyncio.Semaphore(4)

    async def send(number: int) -> str:
        async with waiting:
            return await sender.send(replace(MESSAGE, id=f"INC-{number}/0/1/alice"))

    await asyncio.gather(*(send(number) for number in range(40)))
    assert len(relay.mails) == 40
    assert relay.connections < 10
    await until(lambda: not relay.open_connections)


async def test_a_connection_that_was_closed_meanwhile_costs_no_mail(relay: SmtpServer) -> None:
    sender = plain(relay.port)
    for _ in range(3):
        await sender.send(MESSAGE)
    before = relay.connections
    relay.hang_up()
    await sender.send(MESSAGE)
    await sender.close()
    assert relay.connections == before + 1
    assert len(relay.mails) == 4


async def test_a_refusal_on_a_connection_that_is_used_again_is_told_apart_from_its_end(relay: SmtpServer) -> None:
    sender = plain(relay.port)
    for _ in range(3):
        await sender.send(MESSAGE)
    relay.answers["RCPT"] = "550 5.1.1 no such user"
    assert (await refused(sender)).permanent
    relay.answers.clear()
    await sender.send(MESSAGE)
    await sender.close()
    assert len(relay.mails) == 4


async def test_silence_after_the_text_asks_no_other_relay(stack: AsyncExitStack, relay: SmtpServer) -> None:
    silent = await stack.enter_async_context(SmtpServer(silent=True))
    sender = plain(silent.port, timeout="1s", fallback=standing_in(relay.port))
    failure = await refused(sender)
    assert failure.outcome == "timeout"
    assert len(silent.mails) == 1
    assert relay.mails == []


class TestTheStandIn:
    async def test_is_used_when_nobody_listens(self, relay: SmtpServer, unused_tcp_port: int) -> None:
        reference = await plain(unused_tcp_port, fallback=standing_in(relay.port)).send(MESSAGE)
        assert reference.startswith(f"127.0.0.1:{relay.port} ")

    @pytest.mark.parametrize("greeting", ["421 too busy", "554 go away", "220-never ending", "nonsense"])
    async def test_is_used_when_the_first_hangs_up(
        self, stack: AsyncExitStack, relay: SmtpServer, greeting: str
    ) -> None:
        first = await stack.enter_async_context(SmtpServer(greeting=greeting))
        await plain(first.port, fallback=standing_in(relay.port)).send(MESSAGE)
        assert len(relay.mails) == 1

    async def test_is_used_when_the_first_refuses_for_now(self, stack: AsyncExitStack, relay: SmtpServer) -> None:
        first = await stack.enter_async_context(SmtpServer(answers={"RCPT": "450 4.2.0 later"}))
        await plain(first.port, fallback=standing_in(relay.port)).send(MESSAGE)
        assert len(relay.mails) == 1

    async def test_is_not_asked_to_take_what_was_refused_for_good(
        self, stack: AsyncExitStack, relay: SmtpServer
    ) -> None:
        first = await stack.enter_async_context(SmtpServer(answers={"RCPT": "550 5.1.1 no such user"}))
        assert (await refused(plain(first.port, fallback=standing_in(relay.port)))).permanent
        assert relay.mails == []

    async def test_is_used_when_the_certificate_is_not_to_be_trusted(
        self, stack: AsyncExitStack, relay: SmtpServer, certificates: Certificates
    ) -> None:
        first = await stack.enter_async_context(SmtpServer(tls=certificates.server))
        options = {"host": "127.0.0.1", "port": first.port, **FROM}
        failure = await refused(make("smtp", **options))
        assert not failure.permanent
        assert "certificate is not to be trusted" in failure.why
        await make("smtp", **options, fallback=standing_in(relay.port)).send(MESSAGE)
        assert (len(first.mails), len(relay.mails)) == (0, 1)

    @pytest.mark.fault(34)
    async def test_is_used_when_starttls_was_stripped(self, stack: AsyncExitStack, relay: SmtpServer) -> None:
        first = await stack.enter_async_context(SmtpServer(starttls=False))
        options = {"host": "127.0.0.1", "port": first.port, **FROM}
        assert "offers no STARTTLS" in (await refused(make("smtp", **options))).why
        await make("smtp", **options, fallback=standing_in(relay.port)).send(MESSAGE)
        assert (len(first.mails), len(relay.mails)) == (0, 1)

    async def test_leaves_a_failure_that_names_both(self, stack: AsyncExitStack, unused_tcp_port: int) -> None:
        first = await stack.enter_async_context(SmtpServer(answers={"RCPT": "450 4.2.0 later"}))
        failure = await refused(plain(first.port, fallback=standing_in(unused_tcp_port)))
        assert not failure.permanent
        assert f":{first.port}" in failure.why
        assert f":{unused_tcp_port}" in failure.why


async def test_without_require_tls_a_relay_without_starttls_will_do(stack: AsyncExitStack) -> None:
    server = await stack.enter_async_context(SmtpServer(starttls=False))
    await make("smtp", host="127.0.0.1", port=server.port, require_tls="no", **FROM).send(MESSAGE)
    assert server.encrypted == [False]


@pytest.mark.fault(34)
async def test_a_password_never_goes_out_in_clear(stack: AsyncExitStack) -> None:
    server = await stack.enter_async_context(SmtpServer(starttls=False))
    sender = make(
        "smtp", host="127.0.0.1", port=server.port, require_tls="no", username=USER, password=PASSWORD, **FROM
    )
    assert "STARTTLS" in (await refused(sender)).why


@pytest.mark.fault(33)
async def test_a_relay_that_drips_its_greeting_is_left_in_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"220-wait\r\n")
            await asyncio.wait([asyncio.ensure_future(reader.read(1))], timeout=0.05)
            if reader.at_eof():
                writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, asyncio.timeout(20):
        port = server.sockets[0].getsockname()[1]
        sender = make("smtp", host="127.0.0.1", port=port, security="none", timeout="500ms", **FROM)
        assert not (await refused(sender)).permanent


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"username": "sentinel"}, "`username` and `password` go together"),
        ({"security": "none", "username": "u", "password": "p"}, "a password must not cross the network in clear"),
        ({"ca_file": "/nowhere/ca.pem"}, "'/nowhere/ca.pem' holds no certificates: No such file or directory"),
        ({"security": "ssl"}, "Input should be 'starttls', 'tls' or 'none'"),
        ({"fallback": {"host": "127.0.0.1", "from": "x@example.org"}}, "Extra inputs are not permitted"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SmtpOptions.model_validate({"host": "smtp.example.org", **FROM, **options})
    assert says in str(caught.value)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_the_security(security: str, port: int) -> None:
    options = SmtpOptions.model_validate({"host": "smtp.example.org", "security": security, **FROM})
    assert options.address == ("smtp.example.org", port)
