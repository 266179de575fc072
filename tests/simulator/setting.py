"""What the simulated house is configured to do: people, ways to reach them, ladders, contracts, calendars, rotas.

There are several settings; a reload goes from one to another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from msgspec.structs import replace

from sentinel.core.business import business_time
from sentinel.core.calendar import ALWAYS
from sentinel.core.hours import Agreed, watch
from sentinel.core.model import (
    Channel,
    Directory,
    LadderHours,
    Level,
    Listener,
    Person,
    Plan,
    Priority,
    Severity,
    Verdict,
    Watch,
)
from sentinel.core.sla import Contract
from sentinel.core.terms import Terms
from sentinel.engine.draft import Policy
from tests.core.calendars import calendar
from tests.core.contracts import contract, target
from tests.core.rotas import OUTSIDE, WEEKLY, rota
from tests.core.story import step
from tests.simulator import hours

BUSINESS = calendar(closed="2026-05-01 2026-05-08 2026-12-25 2027-01-01 2027-05-01")
EXTENDED = calendar(saturday="09:00-17:00", closed="2026-05-01 2026-12-25")
GOLD = contract(ALWAYS, {"P1": 2, "P2": 4, "P3": 8})
SILVER = contract(BUSINESS, {"P1": 4, "P2": 8, "P3": 16}, ack_minutes=30)
BLOCKING = contract(EXTENDED, {"P1": 2, "P2": 8}, target("workaround", "P1", "its own", hours=1), ack_minutes=60)
LEVELS: dict[Level, tuple[Severity, Priority]] = {1: ("minor", "P3"), 2: ("major", "P2"), 3: ("blocking", "P1")}
RETRY_FOR = timedelta(hours=4)
REOPEN_WITHIN = timedelta(minutes=30)


def person(name: str, *by: str, mobile: bool = True, email: bool = True) -> Person:
    number = sum(name.encode()) % 100
    addresses = {"email": f"{name}@example.org"} if email else {}
    addresses |= {"mobile": f"+336399800{number:02}"} if mobile else {}
    return Person(id=name, name=name.title(), addresses=addresses, by=by)


PEOPLE = {
    one.id: one
    for one in (
        person("amina", "sms", "email"),
        person("bruno", "email"),
        person("chloe"),
        person("david", email=False),
        person("elise", "sms", "email"),
        person("farid", "email", "sms"),
        person("hugo"),
        person("omar", mobile=False),
        person("rita", mobile=False),
    )
}
CHANNELS = {
    "email": Channel(name="email", address="email"),
    "sms": Channel(name="sms", address="mobile", fallback="modem"),
    "modem": Channel(name="modem", address="mobile"),
    "chat": Channel(name="chat", address=""),
}
ROTAS = {
    "technical": rota(replace(WEEKLY, first_day=date(2025, 11, 24)), covers=OUTSIDE),
    "empty": replace(rota(replace(WEEKLY, order=())), id="empty"),
}
GROUPS = {"ops": ("amina", "bruno", "chloe", "david"), "night": ("rota:technical", "amina"), "nobody": ()}
COMMON = Plan(last_resort=("hugo",), ticket="builtin", manager=("elise",), operations=("omar",))
RITA = Listener(who="rita", by=("email",), on=("opened", "resolved", "acknowledged", "closed"), min_level=1)
HUGO = Listener(who="hugo", by=("sms",), min_level=3)
EVERY_5 = timedelta(minutes=5)

PLANS: dict[str, Plan] = {
    # By levels of a team, with repeats: what asks for an answer, and what only an end of the fault stops.
    "campus": replace(
        COMMON,
        ladder=(
            step(0, "group:ops", by=("sms", "email"), repeats=2, every=EVERY_5),
            step(0, "hugo", by=("sms",), unless="resolved"),
            step(15, "elise", by=("sms",)),
            step(30, "farid", "hugo", by=("sms", "email"), unless="resolved"),
        ),
        listeners=(RITA,),
        outage_tolerated=timedelta(minutes=10),
        flap_changes=6,
        flap_within=timedelta(minutes=20),
    ),
    # Whoever is on call first; in opening hours that is nobody, and the next step is taken at once.
    "payroll": replace(
        COMMON,
        ladder=(
            step(0, "rota:technical", by=("sms",)),
            step(10, "group:ops"),
            step(20, "elise", by=("sms",), repeats=1, every=timedelta(minutes=10)),
        ),
        listeners=(RITA, HUGO),
        problem_after=3,
    ),
    # A place, a level below the highest, and a step that nothing stops.
    "mail": replace(
        COMMON,
        ladder=(
            step(0, "chloe", by=("chat", "sms"), min_level=2),
            step(5, "group:night", by=("sms",), min_level=2),
            step(45, "farid", by=("email",), unless="never"),
        ),
        cascade_after=timedelta(minutes=15),
        expected=timedelta(minutes=5),
        intervention=("david",),
    ),
    # Nobody is asked to act: those who listen are all.
    "intranet": replace(COMMON, listeners=(RITA, HUGO), operations=()),
    # A rota that nobody filled, a group of nobody: what is left is the level above, at once.
    "library": replace(
        COMMON,
        ladder=(step(0, "rota:empty", by=("sms",)), step(10, "group:nobody"), step(20, "bruno", "elise")),
        cascade_after=timedelta(minutes=15),
        problem_unknown_cause=True,
    ),
    # One ladder in opening hours, another outside them: whoever is on call is reached when the others have gone.
    "portal": replace(
        COMMON,
        ladder=(
            step(0, "group:ops", by=("sms",), ladder="office"),
            step(15, "elise", by=("sms", "email"), ladder="office", repeats=3, every=timedelta(minutes=20)),
            step(0, "rota:technical", "hugo", by=("sms",), ladder="night"),
            step(20, "farid", by=("sms",), ladder="night", unless="resolved"),
        ),
        ladders=(
            LadderHours(name="office", during="inside", calendar="business"),
            LadderHours(name="night", during="otherwise"),
        ),
        listeners=(RITA,),
    ),
}
AGREED = Agreed({"business": business_time(BUSINESS)})
CONTRACTS: dict[str, Contract | None] = {"campus": GOLD, "payroll": SILVER, "mail": BLOCKING, "library": SILVER,
                                         "portal": GOLD}  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """One configuration, and what the code under test is given of it."""

    name: str
    people: dict[str, Person] = field(default_factory=lambda: PEOPLE)
    channels: dict[str, Channel] = field(default_factory=lambda: CHANNELS)
    groups: dict[str, tuple[str, ...]] = field(default_factory=lambda: GROUPS)
    plans: dict[str, Plan] = field(default_factory=lambda: PLANS)
    contracts: dict[str, Contract | None] = field(default_factory=lambda: CONTRACTS)

    def policy(self) -> Policy:
        terms = Terms(contract_of=self.contracts.get, remind_at=remind_at, close_by=close_by, watch_at=watch_at)
        directory = Directory(people=self.people, groups=self.groups, channels=self.channels, rotas=ROTAS, terms=terms)
        return Policy(
            directory=directory,
            plan_for=lambda service, _verdict: self.plans[service],
            close_by=close_by,
            reopen_within=REOPEN_WITHIN,
            problem_within=timedelta(days=30),
        )


def without(table: dict[str, object], *names: str) -> dict:
    return {name: one for name, one in table.items() if name not in names}


SETTINGS = (
    Setting("as it began"),
    Setting(
        "david has left, and the gateway has no stand-in",
        people=without(PEOPLE, "david"),
        channels={**CHANNELS, "sms": Channel(name="sms", address="mobile")},
        contracts={**CONTRACTS, "payroll": GOLD},
    ),
    Setting(
        "no room to write into, other ladders, no contract for the mail",
        channels=without(CHANNELS, "chat"),
        groups={**GROUPS, "ops": ("chloe", "amina")},
        plans={**PLANS, "campus": PLANS["payroll"], "intranet": PLANS["campus"]},
        contracts=without(CONTRACTS, "mail"),
    ),
)


def verdict(level: Level, dedup: str) -> Verdict:
    severity, priority = LEVELS[level]
    return Verdict(rule=f"level {level}", level=level, severity=severity, priority=priority, title=dedup, dedup=dedup)


def watch_at(_service: str, _priority: Priority, plan: Plan, now: datetime) -> Watch:
    return watch(plan.ladders, AGREED, now)


def remind_at(since: datetime) -> datetime:
    return hours.same_time_later(BUSINESS, since, 1)


def close_by(resolved_at: datetime) -> datetime:
    return hours.same_time_later(BUSINESS, resolved_at, 2)
