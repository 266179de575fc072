"""The mail channel against a real Postfix: STARTTLS with a certificate of our own, sign-in, delivery, refusals."""

from __future__ import annotations

import email
import email.policy
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from sentinel.channels.base import Sender, Undelivered
from sentinel.probes import smtp as smtp_probe
from tests.channels.rigs import MESSAGE, make
from tests.probes.seeing import see
from tests.real.components import where
from tests.real.mail_server import free_port, lay_out, running, wait_for
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.real("postfix", "dovecot"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
]


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
        folder = self.folder / "boxes" / "alice" / "new"
        wait_until(lambda: folder.is_dir() and any(folder.iterdir()), "the mail in its box")
        mails = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in folder.iterdir()]
        for path in folder.iterdir():
            path.unlink()
        return [mail for mail in mails if isinstance(mail, EmailMessage)]


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
