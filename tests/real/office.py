"""A mail server as people have one: Postfix takes and sends, Dovecot keeps the mailboxes, one pipe ends in Sentinel."""

from __future__ import annotations

import contextlib
import email
import email.policy
import imaplib
import os
import pwd
import smtplib
import socketserver
import ssl
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import pytest

from sentinel.web.app import build, serve
from tests.engine.whole import HEARTBEAT, Whole, whole
from tests.intake.test_mail import PEOPLE, SITE
from tests.real.components import where
from tests.real.mail_server import DOVECOT, MAIN, MASTER, free_port, lay_out, running, wait_for
from tests.real.process import SENTINEL

RUNS_AS = "nobody"  # Postfix refuses to pipe as root, and as itself.
MAILBOXES = ("alice", "amina", "greta", "box", "probed")  # Each with a password of its own: its name, reversed.
PIPE = """
pickup unix n - n 60 1 pickup
smtp unix - - n - - smtp
sentinel unix - n n - 2 pipe
  flags=R user={user} argv=/usr/bin/env SENTINEL_SOCKET={socket} {sentinel} mail-in
"""
# Where what is sent goes: into Sentinel, or on to a server that knows nobody.
ROUTES = """
virtual_mailbox_maps = inline:{{ {boxes}, sentinel@example.org=s/, gone@example.org=g/ }}
transport_maps = inline:{{ {{ sentinel@example.org = sentinel: }},
    {{ gone@example.org = smtp:[127.0.0.1]:{next_hop} }} }}
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
    """A mail server whose pipe ends in Sentinel, with mailboxes beside it. ``greylisted`` is who was told to wait."""

    folder: Path
    smtp: int
    imap: int
    ca_file: str
    greylisted: list[str] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.folder / "sentinel" / "control.sock"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def post(self, to: str, text: str, **headers: str) -> None:
        """Write to it as amina does."""
        mail = EmailMessage()
        mail["From"], mail["To"] = "Amina Benali <amina@example.org>", to
        mail["Subject"] = "Room 12 is dark"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        with smtplib.SMTP("localhost", self.smtp, timeout=20) as client:
            client.starttls(context=self.tls)
            client.login("sentinel", "correct horse")
            client.send_message(mail, to_addrs=[to])

    def inbox(self, who: str) -> list[EmailMessage]:
        """Read somebody's mailbox as their mail program does: by IMAP, with TLS."""
        with imaplib.IMAP4_SSL("localhost", self.imap, ssl_context=self.tls, timeout=20) as box:
            box.login(who, who[::-1])
            box.select("INBOX", readonly=True)
            names = box.search(None, "ALL")[1][0].split()
            raw = [part[1] for name in names for part in box.fetch(name, "(RFC822)")[1] if isinstance(part, tuple)]
        mails = [email.message_from_bytes(one, policy=email.policy.default) for one in raw]
        return [mail for mail in mails if isinstance(mail, EmailMessage)]

    def flush(self) -> None:
        """Try again now what waits in the queue."""
        subprocess.run(
            [where("postfix"), "-c", self.folder / "etc", "flush"], check=True, timeout=20, capture_output=True
        )

    def deferred(self) -> list[Path]:
        """Return what waits in the queue."""
        return [path for path in (self.folder / "queue" / "deferred").rglob("*") if path.is_file()]


class Server(socketserver.ThreadingTCPServer):
    """A small server in threads of its own, for as long as the mail server lives."""

    allow_reuse_address = True
    daemon_threads = True


def greylisting(greylisted: list[str]) -> type[socketserver.StreamRequestHandler]:
    """Return a policy server for Postfix: greta is told to wait, the first time."""

    class Policy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked: dict[str, str] = {}
            for line in self.rfile:
                name, equals, value = line.decode().strip().partition("=")
                if equals:
                    asked[name] = value
                    continue
                to = asked.get("recipient", "")
                wait = to.startswith("greta") and to not in greylisted
                if wait:
                    greylisted.append(to)
                self.wfile.write(b"action=450 4.2.0 Greylisted, try later\n\n" if wait else b"action=DUNNO\n\n")

    return Policy


class KnowsNobody(socketserver.StreamRequestHandler):
    """The next mail server: every recipient is unknown to it."""

    def handle(self) -> None:
        self.wfile.write(b"220 next.example.org ESMTP\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            answer = {b"RCPT": b"550 5.1.1 There is nobody of that name here", b"QUIT": b"221 bye"}.get(word, b"250 ok")
            self.wfile.write(answer + b"\r\n")
            if word == b"QUIT":
                return


@contextlib.contextmanager
def answering(handler: type[socketserver.StreamRequestHandler]) -> Iterator[int]:
    """Run a small server, and return its port."""
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="session")
def office() -> Iterator[Office]:
    with tempfile.TemporaryDirectory(prefix="sentinel-mail-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        made = Office(folder, free_port(), free_port(), lay_out(folder, 1))
        policy = stack.enter_context(answering(greylisting(made.greylisted)))
        _configure(made, policy, stack.enter_context(answering(KnowsNobody)))
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


def _configure(made: Office, policy: int, next_hop: int) -> None:
    folder, owner = made.folder, pwd.getpwnam("postfix")
    values = {"folder": folder, "port": made.smtp, "log": folder / "log", "uid": owner.pw_uid, "gid": owner.pw_gid}
    main = MAIN.format(**values).replace(
        "reject_unauth_destination", f"reject_unauth_destination, check_policy_service inet:127.0.0.1:{policy}"
    )
    main = "\n".join(line for line in main.split("\n") if not line.startswith("virtual_mailbox_maps"))
    boxes = ", ".join(f"{box}@example.org={box}/" for box in MAILBOXES)
    (folder / "etc" / "main.cf").write_text(main + ROUTES.format(boxes=boxes, next_hop=next_hop))
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
    users = "".join(f"{box}:{{PLAIN}}{box[::-1]}\n" for box in MAILBOXES)
    (folder / "users").write_text("sentinel:{PLAIN}correct horse\n" + users)


@contextlib.asynccontextmanager
async def daemon(office: Office, folder: Path, intake: str = "", text: str = SITE + PEOPLE) -> AsyncIterator[Whole]:
    """A daemon on the socket that the pipe leads to."""
    async with whole(folder, text + HEARTBEAT + intake) as one:
        runner = await serve(build(one.doors.context()), ("127.0.0.1", 0), office.socket)
        try:
            os.chown(office.socket, pwd.getpwnam(RUNS_AS).pw_uid, -1)
            yield one
        finally:
            await runner.cleanup()
