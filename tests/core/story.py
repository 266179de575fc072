"""Stories of one incident on virtual time: the pure core is driven as the desk and the timers drive it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core import incident
from sentinel.core.effects import Effect, Notify, PutTicket, Withdraw
from sentinel.core.model import (
    Channel,
    Directory,
    Level,
    Listener,
    Person,
    Plan,
    Priority,
    Severity,
    Signal,
    Step,
    Verdict,
)
from sentinel.core.state import Incident

T0 = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
HOME = "probe:campus-home/campus.example.org"
LOGIN = "probe:campus-login/campus.example.org"
WAKES_MAX = 10_000
SEVERITY: dict[Priority, Severity] = {"P1": "blocking", "P2": "major", "P3": "minor", "P4": "minor"}


def person(name: str, *by: str, email: bool = True, mobile: bool = True) -> Person:
    number = sum(name.encode()) % 100
    addresses = {"email": f"{name}@example.org"} if email else {}
    addresses |= {"mobile": f"+336399800{number:02}"} if mobile else {}
    return Person(id=name, name=name.title(), addresses=addresses, by=by)


DIRECTORY = Directory(
    people={
        "alice": person("alice", "sms", "email"),
        "bob": person("bob", "email"),
        "elise": person("elise"),
        "hugo": person("hugo"),
        "rita": person("rita"),
    },
    groups={"ops": ("alice", "bob"), "nobody": ()},
    channels={
        "email": Channel(name="email", address="email"),
        "sms": Channel(name="sms", address="mobile", fallback="modem"),
        "modem": Channel(name="modem", address="mobile"),
        "chat": Channel(name="chat", address=""),
    },
)


def step(minutes: float, *to: str, **more: object) -> Step:
    return Step(after=timedelta(minutes=minutes), to=to, **more)  # type: ignore[arg-type]


PLAN = Plan(
    ladder=(step(0, "group:ops"), step(15, "elise", by=("sms",)), step(30, "hugo", by=("sms",), unless="resolved")),
    listeners=(Listener(who="rita", by=("email",)),),
    last_resort=("hugo",),
    ticket="builtin",
)


class Story:
    """One incident, its clock, and all that it owed to the world so far."""

    def __init__(self, plan: Plan = PLAN, directory: Directory = DIRECTORY) -> None:
        self.plan = plan
        self.directory = directory
        self.now = T0
        self.events: list[e.Event] = []
        self.effects: list[Effect] = []
        self._heard = 0
        self._state: Incident | None = None

    # What happens -----------------------------------------------------------------------------------------------

    def report(
        self,
        key: str = HOME,
        *,
        level: Level = 3,
        priority: Priority = "P1",
        source: str = "probe",
        requester: str = "",
        since: datetime | None = None,
        last_good_at: datetime | None = None,
        plan: Plan | None = None,
    ) -> Story:
        command = c.Report(
            signal=Signal(
                key=key,
                source=source,  # type: ignore[arg-type]
                title="Campus does not answer",
                at=self.now,
                since=since or self.now,
                last_good_at=last_good_at,
                service="campus",
                detail="HTTP 503",
            ),
            verdict=Verdict(
                rule="campus unusable",
                level=level,
                severity=SEVERITY[priority],
                priority=priority,
                title="",
                dedup="campus",
            ),
            plan=plan or self.plan,
            requester=requester,
        )
        if self._state is None:
            self._take(incident.first("INC-1", command, self.now, self.directory))
            return self
        return self.do(command)

    def do(self, command: c.Command) -> Story:
        self._take(incident.decide(self.state, command, self.now, self.directory))
        return self

    def recover(self, key: str = HOME) -> Story:
        return self.do(c.Recover(key=key, text="2 good runs", close_by=self.close_by))

    def acknowledge(self, by: str = "alice") -> Story:
        return self.do(c.Acknowledge(by=by, via="web"))

    def resolve(self, by: str = "alice", text: str = "restarted") -> Story:
        return self.do(c.Resolve(by=by, text=text, close_by=self.close_by))

    def wait(self, **duration: float) -> Story:
        """Let time pass with the daemon awake: it ticks whenever the incident asked to be woken."""
        until = self.now + timedelta(**duration)
        for _ in range(WAKES_MAX):
            waking = incident.wake_at(self.state)
            if waking is None or waking > until:
                self.now = until
                return self
            self.now = max(self.now, waking)
            self.do(c.Tick())
        raise AssertionError("the incident does not stop waking")

    def sleep(self, **duration: float) -> Story:
        """Let time pass with the daemon dead; it ticks once when it is back."""
        self.now += timedelta(**duration)
        return self.do(c.Tick())

    def accept(self, *whom: str) -> Story:
        """Let carriers take the messages to these (``alice/sms``), or all messages on their way."""
        for message in self._unsettled(whom):
            self.do(c.Accept(message=message, reference="ref", tries=1))
        return self

    def fail(self, *whom: str, final: bool = False) -> Story:
        """Let channels fail to deliver the messages to these, or all on their way now."""
        for message in self._unsettled(whom):
            self.do(c.Fail(message=message, why="gateway answered 500", final=final))
        return self

    # What can be seen -------------------------------------------------------------------------------------------

    @property
    def state(self) -> Incident:
        assert self._state is not None, "the story begins with a report"
        return self._state

    @property
    def close_by(self) -> datetime:
        return self.now + timedelta(days=2)

    def told(self) -> list[str]:
        """Return who was told by what of what, since this was asked last: ``alice/sms escalated``."""
        fresh, self._heard = self.effects[self._heard :], len(self.effects)
        return [
            f"{one.page.person}/{one.page.channel} {one.event.__struct_config__.tag}"
            for one in fresh
            if isinstance(one, Notify)
        ]

    def paged(self) -> list[str]:
        """Return whom steps of the ladder paged since this was asked last."""
        return [told.removesuffix(" escalated") for told in self.told() if told.endswith(" escalated")]

    def withdrawn(self) -> set[str]:
        """Return whom messages were not wanted for any more, over the whole story."""
        gone = [message for one in self.effects if isinstance(one, Withdraw) for message in one.messages]
        return {"/".join(message.split("/")[-2:]) for message in gone}

    def tickets(self) -> int:
        return sum(isinstance(one, PutTicket) for one in self.effects)

    def happened(self, *kinds: type[e.Event]) -> list[e.Event]:
        return [event for event in self.events if isinstance(event, kinds)]

    def said(self) -> list[str]:
        """Return the kinds of all events, in order."""
        return [str(event.__struct_config__.tag) for event in self.events]

    def _unsettled(self, whom: tuple[str, ...]) -> list[str]:
        found = [
            message
            for message, sent in self.state.sent.items()
            if sent.fate in {"waiting", "failing"} and (not whom or f"{sent.person}/{sent.channel}" in whom)
        ]
        assert found or not whom, f"nothing is on its way to {', '.join(whom)}"
        return found

    def _take(self, decided: list[e.Event]) -> None:
        for event in decided:
            self._state = incident.evolve(self._state, event)
            self.events.append(event)
            self.effects.extend(incident.react(self._state, event))
