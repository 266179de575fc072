"""Mail comes in through a real Postfix and a real Dovecot: by the pipe, and from a mailbox by IMAP (rule SRC-6)."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import os
import pwd
import smtplib
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from sentinel.core.pings import Said
from sentinel.web.app import build, serve
from tests.engine.whole import HEARTBEAT, Whole, whole
from tests.intake.test_mail import PEOPLE, SITE
from tests.real.components import where
from tests.real.process import SENTINEL
from tests.real.test_postfix import DOVECOT, MAIN, MASTER, free_port, lay_out, running, wait_for

pytestmark = [
    pytest.mark.real("postfix", "dovecot", "dovecot-imap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
]

ARRIVES_MAX_S = 30
RUNS_AS = "nobody"  # Postfix refuses to pipe as root, and as itself.
PIPE = """
pickup unix n - n 60 1 pickup
sentinel unix - n n - 2 pipe
  flags=R user={user} argv=/usr/bin/env SENTINEL_SOCKET={socket} {sentinel} mail-in
"""
BOXES = """
mail_location = maildir:{folder}/boxes/%n
first_valid_uid = 1
default_login_user = {user}
default_internal_user = {user}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/boxes/%n
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {port}
    ssl = yes
  }}
}}
"""


@dataclass
class Office:
    """A mail server whose pipe ends in Sentinel, with a mailbox beside it."""

    folder: Path
    smtp: int
    imap: int
    ca_file: str

    @property
    def socket(self) -> Path:
        return self.folder / "sentinel" / "control.sock"

    def post(self, to: str, text: str, **headers: str) -> None:
        """Write to it as amina does."""
        mail = EmailMessage()
        mail["From"], mail["To"] = "Amina Benali <amina@example.org>", to
        mail["Subject"] = "Room 12 is dark"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        with smtplib.SMTP("localhost", self.smtp, timeout=20) as client:
            client.starttls(context=ssl.create_default_context(cafile=self.ca_file))
            client.login("sentinel", "correct horse")
            client.send_message(mail, to_addrs=[to])

    def flush(self) -> None:
        """Try again now what waits in the queue."""
        subprocess.run(
            [where("postfix"), "-c", self.folder / "etc", "flush"], check=True, timeout=20, capture_output=True
        )

    def deferred(self) -> list[Path]:
        """Return what waits in the queue."""
        return [path for path in (self.folder / "queue" / "deferred").rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with tempfile.TemporaryDirectory(prefix="sentinel-mail-") as name:
        folder = Path(name)
        made = Office(folder, free_port(), free_port(), lay_out(folder, 1))
        values = {"folder": folder, "port": made.smtp, "log": folder / "log"}
        owner = pwd.getpwnam("postfix")
        values |= {"uid": owner.pw_uid, "gid": owner.pw_gid}
        boxes = MAIN.format(**values).replace("alice/ ", "alice/, sentinel@example.org=s/, box@example.org=box/ ")
        boxes += "transport_maps = inline:{ { sentinel@example.org = sentinel: } }\n"
        (folder / "etc" / "main.cf").write_text(boxes)
        pipe = PIPE.format(user=RUNS_AS, socket=made.socket, sentinel=SENTINEL)
        (folder / "etc" / "master.cf").write_text(MASTER.format(**values) + pipe)
        ours = (
            DOVECOT.format(**values)
            .replace("protocols =\n", "protocols = imap\n")
            .replace("ssl = no\n", f"ssl = yes\nssl_cert = <{folder}/server.pem\nssl_key = <{folder}/server.pem\n")
        )
        mailbox = BOXES.format(**(values | {"port": made.imap, "user": "dovecot"})).replace(
            "default_login_user = dovecot", "default_login_user = dovenull"
        )
        (folder / "dovecot.conf").write_text(ours + mailbox)
        (folder / "users").write_text("sentinel:{PLAIN}correct horse\nbox:{PLAIN}battery staple\n")
        made.socket.parent.mkdir()
        made.socket.parent.chmod(0o755)
        with (
            running([str(where("dovecot")), "-F", "-c", str(folder / "dovecot.conf")]),
            running([str(where("postfix")), "-c", str(folder / "etc"), "start-fg"]) as server,
        ):
            try:
                wait_for(made.smtp, server)
                wait_for(made.imap, server)
                yield made
            finally:
                master = folder / "queue" / "pid" / "master.pid"
                if master.exists():
                    os.kill(int(master.read_text()), 15)
                    server.wait(10)


@contextlib.asynccontextmanager
async def daemon(office: Office, folder: Path, intake: str = "") -> AsyncIterator[Whole]:
    """A daemon on the socket that the pipe leads to."""
    async with whole(folder, SITE + PEOPLE + HEARTBEAT + intake) as one:
        runner = await serve(build(one.doors.context()), ("127.0.0.1", 0), office.socket)
        try:
            os.chown(office.socket, pwd.getpwnam(RUNS_AS).pw_uid, -1)
            yield one
        finally:
            await runner.cleanup()


async def until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(ARRIVES_MAX_S):
            while not holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"{what}: not within {ARRIVES_MAX_S} s")


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
    (tmp_path / "imap").write_text("battery staple")
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
