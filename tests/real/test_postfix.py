"""The mail channel against a real Postfix: STARTTLS with a certificate of our own, sign-in, delivery, refusals."""

from __future__ import annotations

import contextlib
import email
import email.policy
import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from sentinel.channels.base import Sender, Undelivered
from sentinel.probes import smtp as smtp_probe
from tests.channels.rigs import MESSAGE, make
from tests.probes.seeing import see
from tests.real.components import where

pytestmark = [
    pytest.mark.real("postfix", "dovecot"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
]

READY_MAX_S = 20
DELIVERED_MAX_S = 10

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {log}
maillog_file_prefixes = /var, /tmp
mynetworks =
alias_maps =
alias_database =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = inline:{{ alice@example.org=alice/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/dovecot/auth
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{ grey@example.org = 450 4.2.0 Greylisted, try later }},
    {{ full@example.org = 452 4.2.2 Mailbox full }},
    {{ closing@example.org = 421 4.3.2 closing }} }},
    reject_unauth_destination
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
tlsmgr unix - - n 1000? 1 tlsmgr
"""
DOVECOT = """
base_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
service auth {{
  unix_listener auth {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


@dataclass
class Postfix:
    """A running instance, in a folder of its own."""

    folder: Path
    port: int
    ca_file: str

    def sender(self, password: str = "correct horse") -> Sender:
        """Return the channel, signed in as its one user."""
        return make(
            "smtp",
            host="localhost", port=self.port, username="sentinel", password=password, ca_file=self.ca_file,
            **{"from": "Sentinel <sentinel@example.org>"},
        )  # fmt: skip

    def delivered(self) -> list[EmailMessage]:
        """Wait until something lies in the mailbox, and return what does."""
        folder, deadline = self.folder / "boxes" / "alice" / "new", time.monotonic() + DELIVERED_MAX_S
        while not (folder.is_dir() and any(folder.iterdir())):
            assert time.monotonic() < deadline, "the mail did not arrive"
            time.sleep(0.02)
        mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in folder.iterdir()]
        for path in folder.iterdir():
            path.unlink()
        return [mail for mail in mails if isinstance(mail, EmailMessage)]


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def lay_out(folder: Path, port: int) -> str:
    """Write all that the two servers read, and return the certificate to trust."""
    folder.chmod(0o755)
    owner = pwd.getpwnam("postfix")
    for name in ("etc", "queue", "data", "boxes", "dovecot"):
        (folder / name).mkdir()
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    os.chown(folder / "boxes", owner.pw_uid, owner.pw_gid)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    values = {"folder": folder, "port": port, "uid": owner.pw_uid, "gid": owner.pw_gid, "log": folder / "log"}
    (folder / "etc" / "main.cf").write_text(MAIN.format(**values))
    (folder / "etc" / "master.cf").write_text(MASTER.format(**values))
    (folder / "etc" / "dynamicmaps.cf").touch()
    (folder / "dovecot.conf").write_text(DOVECOT.format(**values))
    (folder / "users").write_text("sentinel:{PLAIN}correct horse\n")
    return str(folder / "ca.pem")


@contextlib.contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a session of its own, and end it with all its children."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_MAX_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert server.poll() is None, "Postfix ended at once"
        assert time.monotonic() < deadline, "Postfix does not listen"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    # Not pytest's own folder: that one is closed to Postfix's user, again and again.
    with tempfile.TemporaryDirectory(prefix="sentinel-postfix-") as folder:
        yield from started(Path(folder))


def started(folder: Path) -> Iterator[Postfix]:
    port = free_port()
    ca_file = lay_out(folder, port)
    with (
        running([str(where("dovecot")), "-F", "-c", str(folder / "dovecot.conf")]),
        running([str(where("postfix")), "-c", str(folder / "etc"), "start-fg"]) as server,
    ):
        try:
            wait_for(port, server)
            yield Postfix(folder, port, ca_file)
        finally:
            master = folder / "queue" / "pid" / "master.pid"
            if master.exists():
                os.kill(int(master.read_text()), signal.SIGTERM)
                server.wait(10)


async def test_the_mail_arrives_with_its_thread_over_starttls_and_sign_in(postfix: Postfix) -> None:
    reference = await postfix.sender().send(MESSAGE)
    assert reference.startswith(f"localhost:{postfix.port} 250 2.0.0 Ok: queued as ")
    (mail,) = postfix.delivered()
    assert mail["Message-ID"] == "<inc-42.0.1.alice@sentinel.example.org>"
    assert mail["References"] == "<inc-42@sentinel.example.org>"
    assert mail["Subject"] == MESSAGE.subject
    assert mail["Return-Path"] == "<sentinel@example.org>"
    assert "ESMTPSA" in mail["Received"]  # S: over TLS, A: signed in (RFC 3848)
    text, html = mail.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(html, EmailMessage)
    assert text.get_content() == MESSAGE.text
    assert html.get_content().strip() == MESSAGE.html


async def test_a_check_signs_in_and_sends_nothing(postfix: Postfix) -> None:
    await postfix.sender().check()


@pytest.mark.parametrize(
    ("recipient", "permanent", "code"),
    [("grey", False, "450"), ("full", False, "452"), ("closing", False, "421"), ("nobody", True, "550")],
)
async def test_its_refusals_are_understood(postfix: Postfix, recipient: str, permanent: bool, code: str) -> None:
    with pytest.raises(Undelivered, match=f"answered {code} ") as caught:
        await postfix.sender().send(replace(MESSAGE, to=f"{recipient}@example.org"))
    assert caught.value.permanent is permanent


async def test_a_wrong_password_is_refused_for_good(postfix: Postfix) -> None:
    with pytest.raises(Undelivered, match="refused the sign-in with 535") as caught:
        await postfix.sender("wrong").send(MESSAGE)
    assert caught.value.permanent


async def test_an_unknown_authority_is_not_trusted(postfix: Postfix) -> None:
    sender = make("smtp", host="localhost", port=postfix.port, **{"from": "sentinel@example.org"})
    with pytest.raises(Undelivered, match="certificate is not to be trusted"):
        await sender.send(MESSAGE)


async def test_the_smtp_probe_signs_in_over_starttls_and_leaves_nothing(postfix: Postfix) -> None:
    options = {"target": f"localhost:{postfix.port}", "starttls": True, "tls": {"ca_file": postfix.ca_file}}
    seen = await see(smtp_probe.KIND, **options, username="sentinel", password="correct horse")
    assert (seen.reason, seen.detail) == ("", "")
    assert (await see(smtp_probe.KIND, **options, username="sentinel", password="wrong")).reason == "auth"
    assert (await see(smtp_probe.KIND, target=f"localhost:{postfix.port}", starttls=True)).reason == "tls"
