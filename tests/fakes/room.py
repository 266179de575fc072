"""A daemon of its real parts (desk, store, live table) around the web application; what it asks of others is kept."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from sentinel import assembly
from sentinel.config.ruling import catalogue
from sentinel.core import pings
from sentinel.core.model import Channel, Directory, Person, Plan, Result, Signal, Step, Verdict
from sentinel.core.pings import Heard, Said
from sentinel.core.problem_record import ProblemFact
from sentinel.core.report.model import Report, Wanted
from sentinel.core.rota import Rota
from sentinel.core.state import Incident
from sentinel.engine.accounts import Accounts
from sentinel.engine.addresses import Addresses
from sentinel.engine.answers import Answers
from sentinel.engine.clock import SystemClock
from sentinel.engine.desk import Desk
from sentinel.engine.draft import Policy
from sentinel.engine.evidence import Evidence
from sentinel.engine.judge import Judge, Rulebook
from sentinel.engine.ledger import Ledger
from sentinel.engine.live import Live
from sentinel.engine.matrices import Matrices
from sentinel.engine.news import News
from sentinel.engine.overload import OverloadWatch
from sentinel.engine.problems import SUBJECT, Problems
from sentinel.engine.recurring_silences import RecurringSilences
from sentinel.engine.rotas import Rotas
from sentinel.engine.silence_watch import SilenceWatch
from sentinel.engine.tested import ContactTests
from sentinel.engine.tokens import Tokens
from sentinel.messages.addresses import AddressWords
from sentinel.messages.matrix import MatrixWords
from sentinel.messages.problems import ProblemMessages
from sentinel.probes.base import Options
from sentinel.probes.plan import ProbePlan
from sentinel.reports import Reporter
from sentinel.rules import Track
from sentinel.store.base import ResultStore
from sentinel.store.database import Database, Mode, place
from sentinel.store.main import SqlStore
from sentinel.web.context import Context, Delivered, Health, Job, ProbeAnswer, ReloadOutcome, SelfTest, Settings
from tests.new_store import new_store

KEY = "c3f1e0aa-0000-4000-8000-000000000001"
PEOPLE = (
    Person(id="amina", name="Amina Benali", addresses={"email": "amina@example.org", "mobile": "+33639980001"}),
    Person(id="bruno", name="Bruno Lefèvre", addresses={"email": "bruno@example.org"}),
)
DIRECTORY = Directory(
    people={person.id: person for person in PEOPLE},
    groups={"ops": ("amina", "bruno")},
    channels={"email": Channel(name="email", address="email"), "sms": Channel(name="sms", address="mobile")},
)


def plan(name: str, kind: str, *targets: str, service: str = "") -> ProbePlan:
    return ProbePlan(
        name=name,
        type=kind,
        options=Options(),
        targets=targets,
        interval_s=60,
        timeout_s=5,
        fingerprint=name,
        service=service,
    )


@dataclass
class Room:
    """What the tests hold on to."""

    desk: Desk
    rotas: Rotas
    records: Problems
    matrices: Matrices
    overload: OverloadWatch
    addresses: Addresses
    tokens: Tokens
    answers: Answers
    accounts: Accounts
    store: SqlStore
    live: Live
    clock: SystemClock
    file: Path
    settings: Settings = field(
        default_factory=lambda: Settings(
            directory=DIRECTORY,
            site_name="Practice",
            site_url="https://sentinel.example.org",
            services={"campus": "Campus", "mail": "Mail"},
            owners={"campus": "DNUM", "mail": "ACME"},
            jobs=(Job(name="nightly", key=KEY, slug="nightly"),),
        )
    )
    ready: bool = True
    problems: tuple[str, ...] = ()
    self_test: SelfTest = field(default_factory=SelfTest)
    outcome: ReloadOutcome = field(default_factory=ReloadOutcome)
    heard: list[tuple[str, Said]] = field(default_factory=list)
    known: dict[str, Heard] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    hold_probe: asyncio.Event | None = None
    reporter: Reporter | None = None
    news: News = field(default_factory=News)
    evidence: Evidence | None = None
    results: ResultStore | None = None
    recurring: RecurringSilences | None = None
    tested: ContactTests | None = None
    page: Iterable[bytes] = (b"# HELP x y\n",) * 500

    async def open(self, title: str = "login fails: HTTP 503", service: str = "campus", level: int = 3) -> Incident:
        """Open an incident as a probe does."""
        now = self.clock.now()
        key = f"probe:{service}-{title}/x"
        signal = Signal(
            key=key,
            source="probe",
            title=title,
            at=now,
            since=now - timedelta(minutes=12),
            detail=title,
            service=service,
        )
        verdict = Verdict(
            rule="campus unusable",
            level=level,
            severity="blocking",
            priority="P1" if level == 3 else "P3",
            title=title,
            dedup=key,
        )
        return await self.desk.report(signal, verdict)

    def seen(self, probe: str, target: str, ok: bool, detail: str = "") -> None:
        """Put a result in the live table."""
        row = self.live.row(probe, target)
        assert row is not None
        now = self.clock.now()
        row.last = Result(
            probe=probe, target=target, at=now, duration_s=0.412, ok=ok, reason="" if ok else "status", detail=detail
        )
        row.track = Track(failing=not ok, since=now)

    def on_call(self, *made: Rota) -> None:
        """Put rotas in the configuration."""
        policy = self.desk.policy
        rotas = {one.id: one for one in made}
        self.desk.policy = replace(policy, directory=replace(policy.directory, rotas=rotas))
        self.rotas.configure()

    @contextmanager
    def broken_store(self) -> Iterator[None]:
        """Take the tables away and bring them back: every write fails as on a sick database."""
        with sqlite3.connect(self.file) as database:
            for table in ("outbox", "heartbeat"):
                database.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
        try:
            yield
        finally:
            with sqlite3.connect(self.file) as database:
                for table in ("outbox", "heartbeat"):
                    database.execute(f"ALTER TABLE {table}_away RENAME TO {table}")

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.clock, self.live, self.desk, Rulebook(rules=catalogue()))

    def context(self) -> Context:
        async def read(call: Any, *args: Any, **kwargs: Any) -> Any:
            return await asyncio.to_thread(call, *args, **kwargs)

        async def report(wanted: Wanted) -> Report:
            assert self.reporter is not None, "a test that asks for reports says from what"
            return await asyncio.to_thread(self.reporter.make, wanted, self.clock.now())

        async def hear(name: str, said: Said) -> None:
            heard = pings.hear(self.known.get(name, pings.NOTHING), said, self.clock.now(), timedelta(minutes=1))
            await asyncio.to_thread(self.store.put_heartbeat, name, self.clock.now(), heard)
            self.heard.append((name, said))
            self.known[name] = heard

        async def reload() -> ReloadOutcome:
            return self.outcome

        async def probe_once(name: str) -> list[Result] | None:
            found = [row.last for row in self.live.of(name) if row.last]
            return found if self.live.of(name) else None

        async def notify_test(person: str) -> list[Delivered]:
            if person not in DIRECTORY.people:
                raise KeyError(person)
            return [
                Delivered(channel="email", reference="250 queued"),
                Delivered(channel="sms", error="gateway answered 500"),
            ]

        async def blackbox_told(page: str, query: Mapping[str, str]) -> ProbeAnswer:
            return ProbeAnswer(status=200, text=f"{page} {dict(query)}", content_type="text/plain")

        async def blackbox(query: Mapping[str, str], headers: Mapping[str, str]) -> ProbeAnswer:
            self.asked.append(dict(query))
            if self.hold_probe is not None:
                await self.hold_probe.wait()
            return ProbeAnswer(status=200, text="probe_success 1\n")

        return Context(
            settings=lambda: self.settings,
            desk=self.desk,
            rotas=self.rotas,
            problems=self.records,
            matrices=self.matrices,
            overload=self.overload,
            addresses=self.addresses,
            tokens=self.tokens,
            accounts=self.accounts,
            answers=self.answers,
            recurring=self.recurring,
            tested=self.tested,
            store=self.store,
            results=self.results,  # type: ignore[arg-type]  a test that looks at what probes saw says from what
            live=self.live,
            news=self.news,
            evidence=self.evidence,
            read=read,
            now=self.clock.now,
            health=lambda: Health(
                version="0.1.0",
                started_at=datetime(2026, 11, 21, 20, 0, tzinfo=UTC),
                ready=self.ready,
                probes=3,
                last_run_at=self.clock.now(),
                problems=self.problems,
                self_test=self.self_test,
            ),
            reload=reload,
            metrics_page=lambda accept: (iter(self.page), "text/plain; version=0.0.4; charset=utf-8"),
            heard=hear,
            job=lambda name: self.known.get(name, pings.NOTHING),
            probe_once=probe_once,
            notify_test=notify_test,
            blackbox=blackbox,
            blackbox_told=blackbox_told,
            classify=self.judge.classify,
            words=self.judge.words,
            report=report,
        )


@asynccontextmanager
async def room(folder: Path) -> AsyncIterator[Room]:
    """Start a desk on a new database."""
    folder.chmod(0o700)
    database = Database(place(new_store(folder)), Mode(synchronous="normal"))
    store, clock, live = SqlStore(database), SystemClock(), Live()
    policy = Policy(
        directory=DIRECTORY,
        plan_for=lambda service, verdict: Plan(
            ladder=(Step(after=timedelta(0), to=("group:ops",), by=("email", "sms")),) if verdict.level == 3 else (),
            ticket="builtin",
            runbook="https://wiki.example.org/campus",
        ),
        close_by=lambda now: now + timedelta(days=2),
    )
    with ThreadPoolExecutor(1) as writer:
        desk = Desk(store, writer, clock, policy, lambda state, notify: msgspec.json.encode({"to": notify.page.person}))
        live.replace(
            (
                plan("login", "http", "https://campus.example.org/login", service="campus"),
                plan("web-ping", "icmp", "web1.example.org", "web2.example.org", service="campus"),
                plan("nightly", "heartbeat", "heartbeat"),
            )
        )
        await desk.load()
        rotas = Rotas(desk, store, writer, clock)
        await rotas.load()
        matrices = Matrices(desk, (store, writer), clock, MatrixWords())
        await matrices.load()
        overload = OverloadWatch(desk, (store, writer), clock)
        await overload.load()
        addresses = Addresses(desk, (store, writer), asyncio.to_thread, clock, AddressWords("en", "UTC"))
        await addresses.load()
        records = Problems(Ledger(SUBJECT, ProblemFact, (store, writer), clock), desk, clock, ProblemMessages())
        await records.load()
        tokens, answers = Tokens((store, writer), clock), Answers((store, writer), clock)
        await tokens.load()
        running = asyncio.create_task(desk.run())
        try:
            accounts = Accounts((store, writer), clock)
            kept = (desk, rotas, records, matrices, overload, addresses, tokens, answers, accounts)
            around = Room(*kept, store, live, clock, folder / "sentinel.db")
            around.tested = ContactTests((store, writer), clock)
            watch = SilenceWatch(desk, store, asyncio.to_thread, clock)
            around.recurring = RecurringSilences(watch, (store, writer), clock, assembly.recurring_of)
            yield around
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.to_thread(database.close)
