"""Who would be told of an incident and when, as long as nobody acts: ladders, hours, rotas and listeners of now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.core.model import Page, Plan, Verdict, Watch

# So many changes of hours are looked at: an escalation that has not had its say by then begins again and again.
SPELLS_MAX: Final = 6
CHANGES_MAX: Final = 20  # of hours that start no ladder anew


class Case(NamedTuple):
    """What would be opened: an incident of a service, as the rules judge it, with its plan, at a moment."""

    setup: Setup
    service: str
    verdict: Verdict
    plan: Plan
    opened_at: datetime

    def watch(self, at: datetime) -> Watch:
        """Return which ladder is in force at a moment."""
        return self.setup.watch_at(self.service, self.verdict.priority, self.plan, at)


class _Spell(NamedTuple):
    """A time in which one ladder is in force, or waits for the opening."""

    begins_at: datetime
    ends_at: datetime | None
    watch: Watch


def told(case: Case) -> list[dict[str, Any]]:
    """Return who would be told, when and how, as long as nobody acts; a place is named by its channel.

    Steps count from the start of their ladder: from the opening of the hours that bring it into force. Of a rota it
    is who is on call at that moment, as far as the configuration says.
    """
    from sentinel.core import audience

    moments: list[tuple[float, tuple[Page, ...]]] = []
    for at, step in _steps(case):
        then = audience.now_in(case.setup.directory, at)
        moments.append(((at - case.opened_at).total_seconds(), audience.pages(step.to, step.by, then)))
    moments.extend(
        (0.0, audience.pages((listener.who,), listener.by, audience.now_in(case.setup.directory, case.opened_at)))
        for listener in case.plan.listeners
        if "opened" in listener.on and case.verdict.level >= listener.min_level
    )
    found: dict[tuple[float, str], list[str]] = {}
    for after_s, pages in sorted(moments, key=lambda moment: moment[0]):
        for page in pages:
            channels = found.setdefault((after_s, page.person or page.channel), [])
            if page.channel not in channels:
                channels.append(page.channel)
    return [{"after_s": int(after_s), "who": who, "channels": ways} for (after_s, who), ways in found.items()]


def waits_until(case: Case) -> datetime | None:
    """Return until when its ladder waits, because it is out of hours and not urgent enough (rule ESC-2)."""
    first = next(_spells(case))
    return first.ends_at if first.watch.gated and case.plan.ladder else None


def _steps(case: Case) -> Iterator[tuple[datetime, Any]]:
    """Yield each time that a step is taken, until a ladder has had its say."""
    for spell in _spells(case):
        if spell.watch.gated:
            continue
        cut = False
        for step in case.plan.ladder:
            if step.ladder != spell.watch.ladder or case.verdict.level < step.min_level:
                continue
            for repeat in range(step.repeats + 1):
                at = spell.begins_at + step.after + repeat * step.every
                if spell.ends_at is not None and at >= spell.ends_at:
                    cut = True
                else:
                    yield at, step
        if not cut:
            return


def _spells(case: Case) -> Iterator[_Spell]:
    at: datetime | None = case.opened_at
    for _ in range(SPELLS_MAX):
        if at is None:
            return
        watch = case.watch(at)
        end = watch.until
        for _ in range(CHANGES_MAX):
            if end is None or not _same(following := case.watch(end), watch):
                break
            end = following.until
        yield _Spell(at, end, watch)
        at = end


def _same(one: Watch, other: Watch) -> bool:
    """Tell whether no ladder starts anew between two watches."""
    return (one.ladder, one.gated) == (other.ladder, other.gated)
