"""Each kind of channel with something real behind it, so that one suite of promises can be put to all."""

from __future__ import annotations

import contextlib
import json
import ssl
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import trustme

from sentinel import channels
from sentinel.channels.base import Link, Message, Sender, Surroundings
from sentinel.probes.net import TargetPolicy
from tests.fakes.chat_services import Caller, ChatService, Discord, Mattermost, Ntfy, Slack, Teams
from tests.fakes.http_peer import HttpPeer
from tests.fakes.sms_daemon import SmsDaemon
from tests.fakes.sms_gateway import SmsGateway
from tests.fakes.smsc import PASSWORD as SMSC_PASSWORD
from tests.fakes.smsc import SYSTEM_ID, Smsc
from tests.fakes.smtp_server import PASSWORD, USER, SmtpServer
from tests.fakes.webhook_receiver import WebhookReceiver

NOW = 1_795_295_740.0
AROUND = Surroundings(policy=TargetPolicy(), hostname="sentinel.example.org", site="Infogérance TDP", now=lambda: NOW)
MESSAGE = Message(
    id="INC-42/0/1/alice",
    to="alice@example.org",
    name="Alice Durand",
    language="fr",
    subject="[P1] Campus Moodle : Campus inutilisable - INC-42",
    text="Personne n'a encore pris en charge cet incident.\n",
    html="<!DOCTYPE html><html lang='fr'><p>Personne n'a encore pris en charge cet incident.</p></html>",
    sms="P1 Campus Moodle : Campus inutilisable depuis 22h10. INC-42",
    thread="INC-42",
    first_in_thread=True,
    priority="P1",
    at=datetime(2026, 11, 21, 21, 15, 40, tzinfo=UTC),
    facts={"incident": "INC-42", "kind": "opened"},
)
TEXTED = replace(MESSAGE, to="+33639980001")
LINKS = (
    Link("Prendre en charge", "https://s.example.org/a/7kq2", acts=True),
    Link("Voir l'incident", "https://s.example.org/incidents/INC-42"),
)
CHATTED = replace(
    TEXTED,
    brief="Personne n'a encore pris en charge cet incident.\n\nConstat : HTTP 503",
    spoken="Alerte Sentinel P1. Campus Moodle : Campus inutilisable.",
    links=LINKS,
    asking=True,
)


def make(kind: str, around: Surroundings = AROUND, **options: Any) -> Sender:
    """Build a sender as the daemon does: options are read, then handed over."""
    found = channels.kind(kind)
    return found.build(found.options.model_validate(options), around)


class Certificates:
    """An authority of our own, and the relay's certificate by it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self.server)


class Rig(Protocol):
    """A channel and its other side."""

    sender: Sender
    message: Message

    def references(self) -> list[str]:
        """Return what the other side saw each message named, in order."""
        ...

    def turn(self, how: str) -> None:
        """Make the other side refuse: for now (``temporary``), for good (``permanent``), or never answer."""
        ...


@dataclass
class SmtpRig:
    sender: Sender
    server: SmtpServer
    message: Message = MESSAGE

    def references(self) -> list[str]:
        return [mail["Message-ID"] for mail in self.server.mails]

    def turn(self, how: str) -> None:
        self.server.silent = how == "silent"
        self.server.answers = {"temporary": {"RCPT": "450 4.2.0 later"}, "permanent": {"RCPT": "550 5.1.1 no"}}.get(
            how, {}
        )


@dataclass
class HttpRig:
    """Whoever takes requests; ``named`` reads from the body of one what its message is called."""

    sender: Sender
    peer: HttpPeer
    named: Callable[[bytes], str]
    message: Message = TEXTED

    def references(self) -> list[str]:
        return [self.named(request.body) for request in self.peer.received]

    def turn(self, how: str) -> None:
        self.peer.silent = how == "silent"
        self.peer.status = {"temporary": 503, "permanent": 404}.get(how, 200)


def value(key: str) -> Callable[[bytes], str]:
    """Return what reads a value from a body."""
    return lambda body: str(json.loads(body)[key])


def small_print(body: bytes) -> str:
    """Read a chat: it names a message in its smallest print, wherever that stands in its shape."""
    return CHATTED.id if CHATTED.id in body.decode() else ""


@dataclass
class SmppRig:
    sender: Sender
    smsc: Smsc
    message: Message = TEXTED

    def references(self) -> list[str]:
        # SMPP has two octets for a reference of ours; the text names the incident.
        return [f"{one.octets.decode('latin-1')} {one.options[0x0204].hex()}" for one in self.smsc.submitted]

    def turn(self, how: str) -> None:
        self.smsc.silent = how == "silent"
        self.smsc.statuses = {"temporary": [0x58], "permanent": [0x0B]}.get(how, [])


@dataclass
class CommandRig:
    sender: Sender
    folder: Path
    message: Message = TEXTED

    def references(self) -> list[str]:
        return [line.split("|")[0] for line in (self.folder / "log").read_text().splitlines()]

    def turn(self, how: str) -> None:
        body = {"temporary": "exit 75", "permanent": "exit 67", "silent": "sleep 60 & wait"}[how]
        script(self.folder, body)


@dataclass
class SpoolRig:
    sender: Sender
    daemon: SmsDaemon
    message: Message = TEXTED

    def references(self) -> list[str]:
        return self.daemon.seen

    def turn(self, how: str) -> None:
        self.daemon.hangs, self.daemon.fails = how == "silent", how == "temporary"
        if how == "permanent":
            self.message = replace(self.message, to="+33639980001\nTo: 0")


@dataclass
class OutboxRig:
    sender: Sender
    folder: Path
    message: Message = MESSAGE

    def references(self) -> list[str]:
        # A file of the same name takes the place of the one before, so that each is counted when it is asked for.
        return [path.name for path in self.folder.iterdir()] * 2

    def turn(self, how: str) -> None:
        if how == "temporary":
            self.folder.rmdir()
            self.folder.write_text("a file where the folder should be")
        else:
            self.message = replace(self.message, to="alice@example.org\r\nBcc: eve@example.org")


def script(folder: Path, body: str) -> str:
    """Write the program that the command channel runs."""
    path = folder / "modem"
    path.write_text(f'#!/bin/sh\necho "$1|$2|$3" >> "{folder}/log"\n{body}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@contextlib.asynccontextmanager
async def rig(kind: str, folder: Path, timeout: str = "30s") -> AsyncIterator[Rig]:
    """Set up a channel of a kind with its other side; ``timeout`` is short where that is to fall silent."""
    async with contextlib.AsyncExitStack() as stack:
        made = await _RIGS[kind](folder, stack, timeout)
        stack.push_async_callback(made.sender.close)
        yield made


async def _smtp(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    certificates = Certificates(folder)
    server = await stack.enter_async_context(SmtpServer(tls=certificates.server, auth=True))
    options = {"host": "127.0.0.1", "port": server.port, "username": USER, "password": PASSWORD, "timeout": timeout}
    sender = make("smtp", ca_file=certificates.ca_file, **options, **{"from": "Sentinel <sentinel@example.org>"})
    return SmtpRig(sender, server)


async def _sms(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    peer = await stack.enter_async_context(SmsGateway(answer='{"reference": "g-1"}'))
    body = {"to": "{mobile}", "text": "{text}", "ref": "{id}"}
    expect = {"status": "200", "id": "reference"}
    sender = make("http-sms", preset="custom", url=peer.url, json=body, expect=expect, timeout=timeout)
    return HttpRig(sender, peer, value("ref"))


async def _smpp(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    smsc = await stack.enter_async_context(Smsc())
    options = {"host": "127.0.0.1", "port": smsc.port, "system_id": SYSTEM_ID, "password": SMSC_PASSWORD}
    return SmppRig(make("smpp", timeout=timeout, **options), smsc)


async def _webhook(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    peer = await stack.enter_async_context(WebhookReceiver(secret="s3cret"))
    return HttpRig(make("webhook", url=peer.url, secret="s3cret", timeout=timeout), peer, value("id"))


async def _command(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    run = [script(folder, "echo taken"), "{id}", "{mobile}", "{text}"]
    return CommandRig(make("command", run=run, timeout=timeout), folder)


async def _spool(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    daemon = await stack.enter_async_context(SmsDaemon(folder))
    return SpoolRig(make("sms-spool", **daemon.folders(), timeout=timeout), daemon)


async def _outbox(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
    (folder / "outbox").mkdir()
    return OutboxRig(make("outbox", path=str(folder / "outbox"), **{"as": "email"}), folder / "outbox")


CHATS: dict[str, tuple[type[ChatService], dict[str, Any]]] = {
    "slack": (Slack, {}),
    "teams": (Teams, {}),
    "mattermost": (Mattermost, {}),
    "discord": (Discord, {}),
    "ntfy": (Ntfy, {"topic": "ops"}),
    "voice": (Caller, {}),
}


def chatting(kind: str) -> Callable[[Path, contextlib.AsyncExitStack, str], Awaitable[Rig]]:
    """Return what sets up a chat with its service."""

    async def made(folder: Path, stack: contextlib.AsyncExitStack, timeout: str) -> Rig:
        service, options = CHATS[kind]
        peer = await stack.enter_async_context(service())
        return HttpRig(make(kind, url=peer.url, timeout=timeout, **options), peer, small_print, CHATTED)

    return made


_RIGS = {kind: chatting(kind) for kind in CHATS} | {
    "smtp": _smtp,
    "http-sms": _sms,
    "webhook": _webhook,
    "command": _command,
    "outbox": _outbox,
    "smpp": _smpp,
    "sms-spool": _spool,
}
