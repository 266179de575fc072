"""Pages leave by a real Postfix and are answered from a real Dovecot; what does not arrive goes another way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from sentinel.channels.base import Sender, Undelivered
from sentinel.core.pings import Said
from tests.channels.rigs import MESSAGE, make
from tests.engine.whole import Whole
from tests.real.office import Office, daemon
from tests.waiting import until

pytestmark = [
    pytest.mark.real("postfix", "dovecot", "dovecot-imap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
]

SITE = """\
site: {{url: "https://s.example.org", language: en}}
people:
  amina: {{name: Amina Benali, email: amina@example.org, mobile: "+33639980001", language: fr}}
  greta: {{name: Greta Lund, email: greta@example.org, mobile: "+33639980002", language: en}}
  bruno: {{name: Bruno Petit, email: nobody@example.org, mobile: "+33639980003", language: en}}
  chloe: {{name: Chloé Roux, email: gone@example.org, mobile: "+33639980004", language: fr}}
channels:
  email:
    type: smtp
    host: localhost
    port: {port}
    username: sentinel
    password: "${{file:relay}}"
    ca_file: {ca}
    from: "Sentinel <box@example.org>"
  sms: {{type: outbox, path: outbox, as: sms}}
escalations:
  on-call:
    - {{at: 0m, to: [{to}], by: [email]}}
services:
  campus: {{name: Campus, escalation: on-call}}
intake:
  mail:
    imap: {{host: localhost, port: {imap}, username: box, password: "${{file:imap}}", every: 5m, ca_file: {ca}}}
"""
LONG = (
    "All screens are black.\n" * 4_000
)  # So much that what crosses the wire after it can be told from what came before.


@asynccontextmanager
async def wired(office: Office, folder: Path, *to: str, more: str = "") -> AsyncIterator[Whole]:
    """A daemon whose mail goes by Postfix and comes from Dovecot, and which tells these people."""
    folder.chmod(0o700)
    for name, secret in {"relay": "correct horse", "imap": "xob"}.items():
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    site = SITE.format(port=office.smtp, imap=office.imap, ca=office.ca_file, to=", ".join(to))
    async with daemon(office, folder, text=site + more) as one:
        up = (("channel", "mail"),)
        await until(lambda: one.samples().get("sentinel_channel_up", {}).get(up) == 1.0, "the mailbox is open")
        yield one


@asynccontextmanager
async def paging(office: Office, folder: Path, *to: str) -> AsyncIterator[Whole]:
    """The same, once there is something to tell."""
    async with wired(office, folder, *to) as one:
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        yield one


async def found(office: Office, who: str, text: str, *, after: int = 0) -> EmailMessage:
    """Wait for a mail in somebody's mailbox that says this."""

    async def come() -> list[EmailMessage]:
        mails = (await asyncio.to_thread(office.inbox, who))[after:]
        return [mail for mail in mails if text in str(mail["Subject"]) + words(mail)]

    return (await until(come, f"a mail for {who} that says {text}"))[0]


def words(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if isinstance(body, EmailMessage) else ""


def log(one: Whole) -> list[tuple[str, str, str]]:
    """Return the incident's timeline: what, whom it concerns, by which channel."""
    events = [recorded.event for recorded in one.daemon.store.timeline("INC-1")]
    return [
        (
            type(event).__name__,
            getattr(event, "person", "") or getattr(event, "by", ""),
            getattr(event, "channel", "") or getattr(event, "via", ""),
        )
        for event in events
    ]


@pytest.mark.rule("DSP-6")
async def test_a_page_read_in_dovecot_is_answered_by_mail_and_all_of_it_stands_in_the_timeline(
    office: Office, tmp_path: Path
) -> None:
    async with paging(office, tmp_path, "amina") as one:
        page = await found(office, "amina", "the disk is full")
        assert "ESMTPSA" in str(page["Received"])  # over TLS, signed in
        to = page["From"].addresses[0].addr_spec
        text = "1\n\nLe dim. 22 nov. 2026, Sentinel a écrit :\n> P1\n"
        await asyncio.to_thread(office.post, to, text, In_Reply_To=page["Message-ID"])
        thanks = await found(office, "amina", "Pris en charge par vous")
        assert "INC-1" in words(thanks)
        assert thanks["Auto-Submitted"] == "auto-generated"
        state = one.daemon.store.incident("INC-1")
        assert state is not None
        assert (state.phase, state.acknowledged_by) == ("acknowledged", "amina")
        story = log(one)
        assert ("Told", "amina", "email") in story
        assert ("Acknowledged", "amina", "mail") in story
        assert story.index(("Told", "amina", "email")) < story.index(("Acknowledged", "amina", "mail"))


@pytest.mark.rule("DSP-4")
async def test_of_three_recipients_one_is_greylisted_and_one_unknown_and_all_three_are_reached(
    office: Office, tmp_path: Path
) -> None:
    office.greylisted.clear()
    async with paging(office, tmp_path, "amina", "greta", "bruno") as one:

        def told() -> set[tuple[str, str, str]]:
            return {line for line in log(one) if line[0] in {"Told", "NotTold"}}

        wanted = {("Told", "amina", "email"), ("Told", "greta", "email"), ("Told", "bruno", "sms")}
        await until(lambda: wanted <= told(), "all three are told")
        assert ("NotTold", "bruno", "email") in told()  # 550 5.1.1, for good
        assert ("NotTold", "greta", "email") not in told()  # 450 is worth another try in the same burst
        assert office.greylisted == ["greta@example.org"]


@pytest.mark.rule("DSP-3")
async def test_after_silence_the_same_mail_comes_again_under_the_same_id(office: Office) -> None:
    before = len(await asyncio.to_thread(office.inbox, "alice"))
    message = replace(MESSAGE, id=f"INC-42/0/1/{office.smtp}", to="alice@example.org", text=LONG)
    async with swallowing(office.smtp) as port:
        lost = _sender(office, port, timeout="2s")
        with pytest.raises(Undelivered, match="it may have taken it") as caught:
            await lost.send(message)
        await lost.close()
    assert caught.value.outcome == "timeout"
    again = _sender(office, office.smtp)
    await again.send(message)
    await again.close()

    async def both() -> list[EmailMessage]:
        mails = (await asyncio.to_thread(office.inbox, "alice"))[before:]
        return mails if len(mails) > 1 else []

    first, second = await until(both, "the mail, twice")
    assert first["Message-ID"] == second["Message-ID"]


def _sender(office: Office, port: int, **more: str) -> Sender:
    return make(
        "smtp", host="localhost", port=port, username="sentinel", password="correct horse", ca_file=office.ca_file,
        **{"from": "box@example.org"}, **more,
    )  # fmt: skip


@asynccontextmanager
async def swallowing(port: int) -> AsyncIterator[int]:
    """A way to the server that brings everything there, and nothing back once a long text has passed."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        passed = 0

        async def there() -> None:
            nonlocal passed
            while piece := await reader.read(65536):
                passed += len(piece)
                ours.write(piece)
                await ours.drain()
            ours.close()

        async def back() -> None:
            while piece := await theirs.read(65536):
                if passed < len(LONG):
                    writer.write(piece)
                    await writer.drain()
            writer.close()

        await asyncio.gather(there(), back(), return_exceptions=True)

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.rule("DSP-4")
async def test_what_postfix_sends_back_goes_another_way_and_lowers_the_address(office: Office, tmp_path: Path) -> None:
    async with paging(office, tmp_path, "chloe") as one:
        await until(lambda: ("Told", "chloe", "sms") in log(one), "the SMS")
        story = log(one)
        assert story.index(("Told", "chloe", "email")) < story.index(("Bounced", "chloe", "email"))
        (doubt,) = one.daemon.addresses.doubts
        assert (doubt.person, doubt.kind) == ("chloe", "email")
        assert "There is nobody of that name here" in doubt.why


WATCHED = """\
watchdog:
  self_alert: {{to: [chloe], by: [sms]}}
  canary: {{every: 5m, within: 30s, by: email, to: {to}, back: mail}}
"""


async def test_a_canary_goes_out_by_postfix_and_comes_back_from_dovecot(office: Office, tmp_path: Path) -> None:
    async with wired(office, tmp_path, "chloe", more=WATCHED.format(to="box@example.org")) as one:
        await until(lambda: one.value("sentinel_canaries_total", result="back") == 1, "the canary")
        assert one.value("sentinel_canary_seconds_count") == 1
        assert one.daemon.watching.canary.wrong() == ""
        (row,) = one.daemon.store.messages(limit=9)
        assert (row.id, row.state) == ("canary/1", "done")
        assert one.daemon.desk.open() == [], "it is nobody's incident"


async def test_a_canary_that_postfix_sends_back_has_not_come_back(office: Office, tmp_path: Path) -> None:
    async with wired(office, tmp_path, "chloe", more=WATCHED.format(to="gone@example.org")) as one:

        def returned() -> bool:
            return any("There is nobody of that name here" in row.error for row in one.daemon.store.messages(limit=9))

        await until(returned, "the report")
        assert one.value("sentinel_canaries_total", result="back") == 0
        assert one.daemon.watching.canary.flight.out
