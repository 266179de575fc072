"""A service with a crisis cell on both sides, and its critical incident: the house of the stories about crises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from sentinel.config.crises import CrisisEntry
from sentinel.config.crisis_plans import plan_of
from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core import incident
from sentinel.core.crisis_plan import CrisisPlan
from sentinel.core.crisis_state import NONE, CrisisState
from sentinel.core.events import Event
from sentinel.core.model import Directory, Person, Plan, Verdict
from sentinel.core.state import Incident
from tests.core.story import DIRECTORY, Story, step

# A Saturday night and a Monday morning: the procedure knows no difference.
NIGHT = datetime(2026, 11, 21, 21, 10, tzinfo=UTC)
MORNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)

CONTACTS = {
    "incident_manager": ("elise",),
    "delivery_manager": ("farid",),
    "technical": ("amina", "bruno"),
    "account_director": ("gaelle",),
    "agency_director": ("hugo",),
    "operations": ("ines",),
    "customer_n1": ("ines",),
    "customer_n2": ("jean",),
    "customer_n3": ("karine",),
    "security": ("sofia",),
}
CUSTOMERS = frozenset({"ines", "jean", "karine"})
PEOPLE = ("amina", "bruno", "elise", "farid", "gaelle", "hugo", "ines", "jean", "karine", "sofia", "xavier", "pat")
LADDER = (step(0, "amina"), step(20, "bruno"))


def person(name: str) -> Person:
    side: Any = "customer" if name in CUSTOMERS else "partner" if name == "pat" else "provider"
    return Person(id=name, name=name.title(), addresses={"email": f"{name}@example.org"}, side=side)


CELL: Directory = replace(DIRECTORY, people={name: person(name) for name in PEOPLE}, groups={})


def crisis_plan(**written: Any) -> CrisisPlan:
    """Return the procedure's own plan, with what a configuration writes differently."""
    return plan_of({"own": CrisisEntry.model_validate(written)} if written else {}, "campus", CONTACTS)


def plan(**written: Any) -> Plan:
    return Plan(
        ladder=LADDER,
        ticket="builtin",
        manager=CONTACTS["incident_manager"],
        operations=CONTACTS["operations"],
        crisis=crisis_plan(**written),
    )


class Crisis(Story):
    """A P1 that a probe found five minutes after its last good run, which is T0."""

    def __init__(self, begins: datetime = NIGHT, directory: Directory = CELL, **written: Any) -> None:
        super().__init__(plan(**written), directory)
        self.t0 = begins
        self.now = begins + FIVE_MINUTES

    def begin(self, *, major: str = "", priority: Any = "P1") -> Crisis:
        """Open it, as the rule says major or not."""
        self.report(last_good_at=self.t0, priority=priority)  # type: ignore[arg-type]
        if major:
            self.again(major)
        return self

    def again(self, major: str) -> Crisis:
        """Let the probe fail again, and the rule call it major."""
        (standing,) = self.state.signals.values()
        verdict = Verdict(
            rule="both",
            level=3,
            severity="blocking",
            priority="P1",
            title="",
            dedup="campus",
            major=major,  # type: ignore[arg-type]
        )
        self.do(c.Report(signal=standing.signal, verdict=verdict, plan=self.plan))
        return self

    def until(self, minutes: float) -> Crisis:
        """Let time pass until so many minutes after T0, everything that is sent being accepted."""
        moment = self.t0 + timedelta(minutes=minutes)
        self.wait(seconds=(moment - self.now).total_seconds())
        return self

    def ticket(self) -> Crisis:
        self.do(c.LinkTicket(backend="builtin", reference="T-1"))
        return self

    @property
    def crisis(self) -> CrisisState:
        return self.state.crisis or NONE

    def minute(self, event: Event) -> float:
        """Return how many minutes after the first T0 something happened."""
        return (event.at - self.t0).total_seconds() / 60

    def line(self) -> list[tuple[float, str]]:
        """Return what happened of the crisis: minutes from T0, and what; of steps and messages which."""
        return [(self.minute(event), said) for event in self.events if (said := _said(event))]

    def whom(self, kind: type[Event]) -> set[str]:
        """Return whom the last event of a kind told."""
        return {page.person for page in self.happened(kind)[-1].tell}


def _said(event: Event) -> str:
    match event:
        case ce.StepDone(step=step_id):
            return f"{step_id} done"
        case ce.StepLate(step=step_id):
            return f"{step_id} late"
        case ce.UpdateSent(by=by):
            return f"update by {by or 'the system'}"
    tag = str(event.__struct_config__.tag)
    return tag if isinstance(event, ce.CrisisEvent) else ""


def awake(story: Story) -> timedelta | None:
    """Return how long after now the incident wakes."""
    waking = incident.wake_at(story.state)
    return waking - story.now if waking else None


# Plans and acts for lives at random, with the people of ``tests.core.story``.
CRISES = (
    crisis_plan(),
    crisis_plan(start="auto", updates={"automatic": "no"}),
    crisis_plan(when={"major": False}, updates={"every": "30m"}),
)


def crisis_command(state: Incident, who: str, index: int) -> c.Command:
    """Return one of the things that can be asked of a crisis."""
    return (
        cc.DeclareCrisis(by=who),
        cc.DeclineCrisis(by=who, why="one page only"),
        cc.DoStep(by=who, step="cell"),
        cc.DoStep(by=who, step="manager"),
        cc.SendUpdate(by=who),
        cc.PlanUpdates(by=who, every=timedelta(minutes=20)),
        cc.DecideDrp(by=who, yes=True, why="lost"),
        cc.StartDrp(by=who),
        cc.CorrectT0(by=who, t0=state.t0 - timedelta(minutes=30), why="seen before"),
        cc.CorrectT0(by=who, t0=state.updated_at, why="seen later"),
        cc.ActivateLevel(by=who, level=2),
        cc.CloseCrisis(by=who),
        cc.JoinCell(by=who, person="bob"),
    )[index]
