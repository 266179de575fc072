"""A second opinion on whom an event tells, whom it takes pages back from, and what is tried when a channel fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sentinel.core import events as e
from tests.simulator import whom
from tests.simulator.case import Case
from tests.simulator.letters import Letter, Letters

if TYPE_CHECKING:
    from tests.simulator.setting import Setting
    from tests.simulator.world import World

Say = Callable[[str, str], None]
RISES = e.Raised | e.Cascaded | e.Recategorised
LISTENED: dict[type, tuple[str, ...]] = {
    e.Opened: ("opened",),
    e.Reopened: ("reopened", "opened"),
    e.Acknowledged: ("acknowledged",),
    e.Resolved: ("resolved",),
    e.Closed: ("closed",),
}
ASKED_FOR = (*LISTENED, e.Noted, e.Pended, e.Resumed)


class Moment:
    """One event of one incident, looked at just before and just after the case takes it."""

    def __init__(self, case: Case, event: e.Event, world: World, letters: Letters, failed: Letter | None) -> None:
        self.case, self.event, self.letters, self.failed = case, event, letters, failed
        self.settings = world.settings_lately()
        self.now = event.at
        self.stuck = {(one.person, one.channel) for one in letters.pages(case.number)}
        self.rises = isinstance(event, RISES) and event.level > case.level
        self.told = {(page.person, page.channel) for page in event.tell}

    def check_before(self, say: Say) -> None:
        """Check what depends on how things stood."""
        case, event = self.case, self.event
        if isinstance(event, e.Escalated):
            step = case.plan.ladder[event.step]
            if case.wants(step) == event.forced:
                say(
                    "I3", f"{case.number}: step {event.step} is forced, or is not, against what is wanted: {case.phase}"
                )
            if not case.wants(step) and not self._asked_for(event):
                say("I3", f"{case.number}: step {event.step} is taken, and nobody wants it: {case.phase}")
            if not any(self._pages_right(setting) for setting in self.settings):
                wanted = [whom.pages(step.to, step.by, setting, self.now) for setting in self.settings]
                say(
                    "I1",
                    f"{case.number}: step {event.step} tells {sorted(self.told)}, not {wanted}; also {self.stuck}",
                )
        if isinstance(event, e.NotTold) and self._must_try_another():
            say("I9", f"{event.message} failed, and {event.person} could be told by another way")

    def check_after(self, say: Say) -> None:
        """Check what depends on how things stand now."""
        case, event = self.case, self.event
        wanted = self._withdrawn()
        if set(event.withdraw) != wanted:
            kind = type(event).__name__
            say("I3", f"{case.number}: {kind} withdraws {sorted(event.withdraw)}, not {sorted(wanted)}")
        if not any(self._heard(setting) for setting in self.settings):
            say("I1", f"{case.number}: {type(event).__name__} tells only {sorted(self.told)}")

    def _asked_for(self, event: e.Escalated) -> bool:
        """Tell whether a person, or a target at risk that was just told of, asked for a step (rule ESC-1)."""
        return bool(event.by) or event.clock in self.case.late_clocks

    # Pages ------------------------------------------------------------------------------------------------------

    def _pages_right(self, setting: Setting) -> bool:
        """Everybody of a step is paged by each of their ways, unless that page is on its way; and nobody else is."""
        assert isinstance(self.event, e.Escalated)
        step = self.case.plan.ladder[self.event.step]
        wanted = whom.pages(step.to, step.by, setting, self.now)
        people = {person for person, _ in wanted}
        strangers = {way for way in self.told if way[0] and way[0] not in people}
        return not strangers and set(wanted) <= self.told | self.stuck

    def _must_try_another(self) -> bool:
        """Tell whether a failure is left alone, though the person could be reached by another channel (rule DSP-4)."""
        event, failed = self.event, self.failed
        assert isinstance(event, e.NotTold)
        if failed is None or not failed.known or not failed.person or event.tell:
            return False
        if failed.kind == "notice":
            if not event.final:
                return False
        elif failed.fate != "waiting":
            return False
        if failed.kind == "page" and not self.case.wants_page(failed.step, forced=failed.forced):
            return False
        if failed.kind == "alarm" and not self.case.active:
            return False
        return all(self._other_ways(failed, setting) for setting in self.settings)

    def _other_ways(self, failed: Letter, setting: Setting) -> list[str]:
        mine = self.letters.of[failed.number].values()
        kin = [one for one in mine if one.occasion == failed.occasion]
        tried = {one.channel for one in kin if one.person in {failed.person, ""}}
        tried |= {channel for person, channel in self.stuck if person == failed.person}
        return whom.other_ways(failed.person, failed.channel, tried, setting)

    def _withdrawn(self) -> set[str]:
        """Return the pages that nobody needs any more because of this event."""
        pages = self.letters.pages(self.case.number)
        if self.rises:
            return {one.id for one in pages}
        if isinstance(self.event, e.Acknowledged | e.Resolved | e.Merged | e.Recategorised | e.HoursChanged):
            return {one.id for one in pages if not self.case.wants_page(one.step, forced=one.forced)}
        return set()

    # Who listens ------------------------------------------------------------------------------------------------

    def _heard(self, setting: Setting) -> bool:
        case, event = self.case, self.event
        told = {person for person, _ in self.told} | {getattr(event, "by", "")}
        moments = LISTENED.get(type(event), ())
        wanted = whom.listeners(case.plan, moments, case.level, setting, self.now) if moments else []
        asks = isinstance(event, ASKED_FOR) and case.requester in setting.people
        if asks and "email" in setting.channels:
            wanted.append(case.requester)
        if isinstance(event, e.Resolved):
            wanted += self._reached(setting)
        return set(wanted) <= told

    def _reached(self, setting: Setting) -> list[str]:
        """Return whom a page has reached: they hear that it is over, by the same way if it is still there."""
        mine = self.letters.of.get(self.case.number, {}).values()
        return [
            one.person
            for one in mine
            if one.page and one.known and one.fate == "accepted" and one.channel in setting.channels
            and (not one.person or one.person in setting.people)
        ]  # fmt: skip


def fates(event: e.Event, letters: Letters) -> None:
    """Note what an event says came of a message."""
    match event:
        case e.Told():
            letters.all[event.message].fate = "accepted"
        case e.NotTold():
            letters.all[event.message].fate = "dead" if event.final else "failing"
