"""Mail comes in through a real Postfix and a real Dovecot: by the pipe, and from a mailbox by IMAP (rule SRC-6)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
from pathlib import Path

import pytest

from sentinel.core.pings import Said
from tests.real.office import Office, daemon
from tests.waiting import until

pytestmark = [
    pytest.mark.real("postfix", "dovecot", "dovecot-imap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
]


@pytest.mark.rule("SRC-6")
async def test_a_mail_waits_in_postfix_while_the_daemon_is_down_and_opens_its_incident_then(
    office: Office, tmp_path: Path
) -> None:
    await asyncio.to_thread(office.post, "sentinel@example.org", "All screens are black.")
    await until(lambda: len(office.deferred()) == 1, "the mail waits")
    async with daemon(office, tmp_path) as one:
        await asyncio.to_thread(office.flush)
        await until(lambda: one.daemon.store.incident("INC-1") is not None, "the incident")
        found = one.daemon.store.incident("INC-1")
        assert found is not None
        assert (found.title, found.level, found.requester) == ("Room 12 is dark", 3, "amina")
        await until(lambda: not office.deferred(), "the queue is empty")


@pytest.mark.rule("DSP-6")
async def test_a_page_is_answered_by_mail_through_the_pipe(office: Office, tmp_path: Path) -> None:
    async with daemon(office, tmp_path) as one:
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        await until(lambda: bool(one.mailed()), "the page")
        page = email.message_from_bytes(one.mailed()[0].read_bytes(), policy=email.policy.default)
        text = "1\n\nOn Sat, Nov 21, 2026 at 22:15 Sentinel <s@example.org> wrote:\n> P1\n"
        await asyncio.to_thread(office.post, "sentinel@example.org", text, In_Reply_To=page["Message-ID"])

        def taken() -> bool:
            found = one.daemon.store.incident("INC-1")
            return found is not None and found.acknowledged_by == "amina"

        await until(taken, "the acknowledgement")


@pytest.mark.rule("SRC-6")
async def test_new_mail_is_taken_from_a_mailbox_as_it_comes_and_left_there_as_seen(
    office: Office, tmp_path: Path
) -> None:
    (tmp_path / "imap").write_text("xob")
    (tmp_path / "imap").chmod(0o600)
    intake = (
        f"intake: {{mail: {{imap: {{host: localhost, port: {office.imap}, username: box, "
        f'password: "${{file:imap}}", every: 5m, ca_file: {office.ca_file}}}}}}}\n'
    )
    async with daemon(office, tmp_path, intake) as one:
        up = (("channel", "mail"),)
        await until(lambda: one.samples().get("sentinel_channel_up", {}).get(up) == 1.0, "the mailbox is open")
        for number in (1, 2):  # The second one finds the server in the middle of IDLE.
            await asyncio.to_thread(office.post, "box@example.org", "Dark.", Message_ID=f"<b{number}@example.org>")
            await until(lambda n=number: one.daemon.store.incident(f"INC-{n}") is not None, f"incident {number}")
        kept = office.folder / "boxes" / "box" / "cur"
        await until(lambda: [path.name.rpartition(",")[2] for path in kept.iterdir()] == ["S", "S"], "both are seen")
