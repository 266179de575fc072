"""From what somebody wants to change, or the configuration plans, to a planned change or a refusal (CHG-1 to CHG-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from sentinel.core import audience
from sentinel.core.change_facts import (
    Announced,
    Cancelled,
    ChangeFact,
    Fact,
    Finished,
    Overran,
    Planned,
    Prepared,
    Started,
    Stopped,
)
from sentinel.core.hearing import by_mail
from sentinel.core.model import Directory, Listener, Page, Refused
from sentinel.core.quality import Agreed, Facts, Judgement, QualityLevel, Reason, judge_all

MOMENT: Final = "change"  # what a recipient listens to
LASTS_MAX: Final = timedelta(days=7)  # a window mutes its services: a forgotten one must come to an end
AHEAD_MAX: Final = timedelta(days=730)
TITLE_MAX_CHARS: Final = 200
# What people hear of (rule CHG-6).
TOLD: Final = (Announced, Prepared, Started, Overran, Finished, Stopped, Cancelled)


class ServiceTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed for a service about changes, and whom they concern: audiences."""

    id: str
    stability: QualityLevel | None = None
    improvement: QualityLevel | None = None
    contract: bool = False
    components: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    technical: tuple[str, ...] = ()


class Notices(msgspec.Struct, frozen=True, kw_only=True):
    """How long before they begin changes are announced, by the strictest stability level they touch."""

    stability_2: timedelta = timedelta(hours=2)
    stability_3: timedelta = timedelta(days=5)

    def of(self, level: QualityLevel | None) -> timedelta:
        """Return how long before; what level 1 brings is done as soon as it is ready."""
        if level == 1:
            return timedelta(0)
        return self.stability_3 if level == 3 else self.stability_2


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A change that somebody wants to plan, or an entry of the configuration: then ``origin`` names it."""

    title: str
    services: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    facts: Facts = Facts()
    by: str = ""
    force: bool = False
    why: str = ""
    origin: str = ""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is judged on: what is agreed for each service at its moment, and whether there is a backup to run."""

    terms: tuple[ServiceTerms, ...]
    agreed: tuple[Agreed, ...]
    notices: Notices = Notices()
    backup: bool = False


def plan(wanted: Wanted, ground: Ground, now: datetime, directory: Directory) -> Planned:
    """Return the planned change; one that breaks a level is not allowed, unless the delivery manager forces it.

    Raises:
        Refused: its times make no sense, or who forces it may not.
    """
    if not wanted.origin:
        _sensible(wanted, now)
    level = strictest(ground.terms)
    announce_at = max(now, wanted.begins_at - ground.notices.of(level))
    facts = known(wanted, ground, announce_at)
    judgement = judge_all((agreed, facts) for agreed in ground.agreed)
    if wanted.origin:
        judgement = _taken_at_its_word(judgement)
    forced = wanted.force and not judgement.allowed
    if forced:
        _may_force(wanted, ground, directory)
    return Planned(
        at=now,
        title=wanted.title,
        services=wanted.services,
        begins_at=wanted.begins_at,
        ends_at=wanted.ends_at,
        announce_at=announce_at,
        level=level,
        facts=facts,
        allowed=judgement.allowed or forced,
        reasons=judgement.reasons,
        backups=tuple(one.id for one in ground.terms if one.stability == 3),
        origin=wanted.origin,
        by=wanted.by,
        forced_by=wanted.by if forced else "",
        why=wanted.why if forced else "",
    )


def strictest(terms: Sequence[ServiceTerms]) -> QualityLevel | None:
    """Return the strictest stability level of several services; nothing when none has one."""
    return max((one.stability for one in terms if one.stability is not None), default=None)


def known(wanted: Wanted, ground: Ground, announce_at: datetime) -> Facts:
    """Return the facts with what Sentinel knows itself: when it announces, what it runs, where the moment lies.

    What somebody has said stays; nobody can promise a longer notice than there is time for.
    """
    facts, listed = wanted.facts, bool(wanted.origin) or any(agreed.inside for agreed in ground.agreed)
    left = max(timedelta(0), wanted.begins_at - announce_at)
    return replace(
        facts,
        at=wanted.begins_at,
        notice=left if facts.notice is None else min(facts.notice, left),
        window=facts.window or ("agreed" if listed else ""),
        calendar=facts.calendar or ("yes" if listed else ""),
        maintenance=facts.maintenance or "yes",
        backup=facts.backup or ("ok" if ground.backup else ""),
    )


def _taken_at_its_word(judgement: Judgement) -> Judgement:
    """Let the configuration promise what it does not say, and what is short of its notice be announced at once."""
    reasons = tuple(_remarked(reason) for reason in judgement.reasons)
    return Judgement(allowed=not any(reason.broken for reason in reasons), reasons=reasons)


def _remarked(reason: Reason) -> Reason:
    late = reason.code in {"notice", "long_notice"}
    return replace(reason, broken=False, remark=True) if reason.broken and (late or not reason.said) else reason


def _sensible(wanted: Wanted, now: datetime) -> None:
    lasts = wanted.ends_at - wanted.begins_at
    if not wanted.title.strip() or len(wanted.title) > TITLE_MAX_CHARS:
        raise Refused(f"A change needs a title of at most {TITLE_MAX_CHARS} characters.")
    if lasts <= timedelta(0):
        raise Refused("A change must end after it begins.")
    if lasts > LASTS_MAX:
        raise Refused(f"A change lasts {LASTS_MAX.days} days at most: nobody is paged for its services meanwhile.")
    if wanted.ends_at <= now:
        raise Refused("A change cannot be planned for the past.")
    if wanted.begins_at > now + AHEAD_MAX:
        raise Refused(f"A change can be planned {AHEAD_MAX.days} days ahead at most.")


def _may_force(wanted: Wanted, ground: Ground, directory: Directory) -> None:
    """Let nobody but the delivery manager of each service break its level, and not without a reason."""
    if not wanted.why.strip():
        raise Refused("Forcing a change needs a reason.")
    for one in ground.terms:
        managers = {person.id for person in audience.people(one.managers, directory)}
        if wanted.by not in managers:
            who = ", ".join(sorted(managers)) or "nobody: `contacts.delivery_manager` names none"
            raise Refused(f"Only the delivery manager of {one.id} may force a change ({who}).")


# Whom it is told to --------------------------------------------------------------------------------------------------


def told(
    fact: Fact, services: Sequence[ServiceTerms], listeners: Sequence[Listener], now: datetime, directory: Directory
) -> Fact:
    """Return the fact with whom it tells: the customer's operations by mail, and who listens to changes (rule CHG-6).

    An overrun and a stop are the managers' business too.
    """
    if not isinstance(fact, TOLD):
        return fact
    directory = audience.now_in(directory, now)
    named = [who for one in services for who in one.operations]
    if isinstance(fact, Overran | Stopped):
        named += [who for one in services for who in (*one.managers, *one.technical)]
    pages = list(by_mail(dict.fromkeys(named), directory))
    concerned = {one.id for one in services}
    for listener in listeners:
        if MOMENT in listener.on and (not listener.services or concerned.intersection(listener.services)):
            ways = audience.pages((listener.who,), listener.by, directory) if listener.by else ()
            pages += ways or by_mail((listener.who,), directory)
    return _telling(fact, tuple(dict.fromkeys(pages)))


def _telling(fact: Fact, pages: tuple[Page, ...]) -> Fact:
    assert isinstance(fact, ChangeFact), "all facts of a change have the same base"
    told_fact: Fact = replace(fact, tell=pages)
    return told_fact
