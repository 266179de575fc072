"""A whole daemon of real parts behind its port."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sentinel.core.access import Issued
from sentinel.core.model import Role, Signal, Verdict
from sentinel.web.app import build, serve
from tests.engine.whole import HEARTBEAT, START, Whole, whole

WORLD = """\
people:
  amina: {name: Amina Benali, email: amina@example.org, mobile: "+33639980001"}
channels:
  email: {type: outbox, path: outbox, as: email}
  sms: {type: outbox, path: outbox, as: sms}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [sms, email]}
services:
  campus: {name: Campus, customer: DNUM, escalation: on-call, contacts: {delivery_manager: amina}}
  canary: {name: Canari, customer: ACME, escalation: on-call, contacts: {delivery_manager: amina}}
rotas:
  night: {order: [amina], starts: 2026-11-02, handover: mon 09:00}
auth: {rate: 10000, burst: 10000}
"""


@dataclass
class Alive:
    """A daemon, where it answers, and a way to make tokens."""

    one: Whole
    url: str

    async def token(self, role: Role, customer: str = "") -> dict[str, str]:
        """Make a token; return the header that shows it."""
        name = f"{role}-{len(self.one.daemon.tokens.all())}"
        wanted = Issued(at=START, by="test", name=name, digest="", role=role, customer=customer)
        return {"Authorization": f"Bearer {(await self.one.daemon.tokens.issue(wanted))[1]}"}

    async def open(self, service: str, title: str) -> str:
        """Open an incident as a person does; return its number."""
        now = self.one.daemon.clock.now()
        signal = Signal(key=f"person:{title}", source="person", title=title, at=now, since=now, service=service)
        verdict = Verdict(rule="x", level=2, severity="major", priority="P2", title=title, dedup=signal.key)
        return (await self.one.daemon.desk.report(signal, verdict, requester="amina")).number


@asynccontextmanager
async def alive(folder: Path, text: str = WORLD + HEARTBEAT, start: datetime = START) -> AsyncIterator[Alive]:
    """Run a daemon, and serve it on a free port."""
    async with whole(folder, text, start) as one:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        runner = await serve(build(one.doors.context()), listener, folder / "control.sock")
        try:
            yield Alive(one, f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            await runner.cleanup()
