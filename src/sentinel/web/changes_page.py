"""The pages of planned changes: weeks to come, one change with its checks, a form to plan one (CHG-1 to CHG-6)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web
from msgspec.structs import replace

from sentinel.core.calendar import instant_of
from sentinel.core.change import Change
from sentinel.core.change_plan import Wanted
from sentinel.core.change_plan import plan as judged
from sentinel.core.fixes import Fix
from sentinel.core.model import Refused
from sentinel.core.quality import Reason, written
from sentinel.core.quality_words import CHOICES, LABELS, read
from sentinel.engine.changes import Changes
from sentinel.web import bodies, identity, moments, people
from sentinel.web.changes import known, numbered
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back
from sentinel.web.wording import Wording, wording

HERE: Final = "/changes"
OVER_MAX: Final = 50  # On one page; older ones are a link away.
WEEKS: Final = 6
WEEKS_MAX: Final = 104  # So far ahead or back the calendar is shown.
TIMELINE_MAX: Final = 200
# What a person may do with a change in each phase.
ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "planned": ("start", "cancel"),
    "announced": ("start", "cancel"),
    "preparing": ("cancel",),
    "stopped": ("start", "cancel"),
    "under_way": ("finish",),
}
FORMS: Final = ("start", "finish", "cancel", "link", "unlink")
NOT_ASKED: Final = frozenset({"notice", "at"})  # They follow from when the change begins.


class Slot(NamedTuple):
    """A window in the calendar: a change, or what the configuration will make one (then without a number)."""

    begins_at: datetime
    ends_at: datetime
    title: str
    services: tuple[str, ...]
    change: Change | None


class Week(NamedTuple):
    """A week of the site's calendar: its Monday, its number, what begins in it."""

    monday: date
    number: int
    here: bool
    slots: tuple[Slot, ...]


def routes() -> list[Route]:
    """Return the pages and their forms."""
    return [
        Route("GET", HERE, show),
        Route("GET", f"{HERE}/plan", plan_form),
        Route("POST", f"{HERE}/plan", plan),
        Route("POST", f"{HERE}/plan/check", check),
        Route("POST", f"{HERE}/fixes", add_fix),
        Route("POST", f"{HERE}/fixes/{{number}}/done", deliver_fix),
        Route("GET", f"{HERE}/{{number}}", show_one),
        *(Route("POST", f"{HERE}/{{number}}/{name}", act) for name in FORMS),
    ]


# ------------------------------------------------------------------------------------------------------------- looking


async def show(request: web.Request) -> web.Response:
    """Show what is under way, the weeks to come, the fixes that wait, and what is over."""
    context = request.app[CONTEXT]
    changes = known(context)
    ahead, page = _asked(request, "week", -WEEKS_MAX, WEEKS_MAX, 0), _asked(request, "page", 1, 1000, 1)
    every = changes.all()
    over = sorted((one for one in every if one.over), key=lambda one: one.ends_at, reverse=True)
    return render(
        request,
        "changes.html",
        acting=[one for one in every if one.phase in {"preparing", "under_way", "stopped"}],
        weeks=_weeks(context, every, ahead),
        ahead=ahead,
        step=WEEKS,
        over=over[(page - 1) * OVER_MAX : page * OVER_MAX],
        page=page,
        more=len(over) > page * OVER_MAX,
        fixes=[(fix, changes.is_owed(fix)) for fix in changes.fixes()],
        may_plan=_may(request, "deliver"),
        may_work=_may(request, "work"),
    )


async def add_fix(request: web.Request) -> web.Response:
    """Keep that a fix is validated and waits for its delivery (rule CHG-7)."""
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    context, by = request.app[CONTEXT], people.acting(request, form.get("by", ""))
    since = moments.read(form.get("since", ""), context.settings().timezone, "since")
    fix = Fix(
        service=form.get("service", ""),
        title=bodies.line(form.get("title", ""), bodies.TITLE_MAX_CHARS),
        component=bodies.line(form.get("component", "")),
        since=since or context.now(),
        by=by,
    )
    await known(context).add_fix(fix)
    return went_back(request, f"{HERE}#fixes", by)


async def deliver_fix(request: web.Request) -> web.Response:
    """Keep that a fix was delivered, by a change where one is named."""
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    by, change = people.acting(request, form.get("by", "")), form.get("change", "").strip()
    number = numbered(request.match_info["number"], "FIX")
    await known(request.app[CONTEXT]).deliver_fix(number, by, numbered(change, "CHG") if change else "")
    return went_back(request, f"{HERE}#fixes", by)


async def show_one(request: web.Request) -> web.Response:
    """Show one change: its checks and their reasons, its backups, what was seen, who did what."""
    context = request.app[CONTEXT]
    change = known(context).get(numbered(request.match_info["number"], "CHG"))
    words = _words(request)
    said = {label: written(getattr(change.facts, label)) for label in LABELS if label != "at"}
    return render(
        request,
        "change.html",
        one=change,
        actions=[name for name in ACTIONS.get(change.phase, ()) if _may(request, _right(name))],
        may_work=_may(request, "work"),
        by_word=bool(change.missing_backups) and not known(context).means.plans.has_backup,
        reasons=change.reasons,
        quality=lambda reason: _sentence(words, reason, change.services),
        facts={label: value for label, value in said.items() if value},
        timeline=known(context).timeline(change.number)[: -TIMELINE_MAX - 1 : -1],
        line=lambda fact: _line(words, context, fact),
    )


def _weeks(context: Context, every: Iterable[Change], ahead: int) -> list[Week]:
    """Return the weeks that are asked for with what begins in each, planned or still to become a change."""
    zone = ZoneInfo(context.settings().timezone)
    today = context.now().astimezone(zone).date()
    first = today - timedelta(days=today.weekday()) + timedelta(weeks=ahead)
    ends_at = _midnight(first + timedelta(weeks=WEEKS), zone)
    found = [Slot(one.began_at or one.begins_at, one.ends_at, one.title, one.services, one) for one in every]
    taken = {one.origin for one in every if one.origin}
    coming = max(context.now(), _midnight(first, zone))
    configured = known(context).means.plans.occurrences(coming, ends_at) if coming < ends_at else []
    found += [
        Slot(one.begins_at, one.ends_at, one.title, one.services, None) for one in configured if one.origin not in taken
    ]
    found.sort(key=lambda slot: (slot.begins_at, slot.title))
    weeks = []
    for monday in (first + timedelta(weeks=number) for number in range(WEEKS)):
        begins, ends = _midnight(monday, zone), _midnight(monday + timedelta(weeks=1), zone)
        slots = tuple(slot for slot in found if begins <= slot.begins_at < ends)
        weeks.append(Week(monday, monday.isocalendar().week, monday <= today < monday + timedelta(weeks=1), slots))
    return weeks


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant_of(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001  local


def _sentence(words: Wording, reason: Reason, services: tuple[str, ...]) -> str:
    """Write a reason in the reader's language; of several services with the one that it is about."""
    what = words.say(f"quality_{reason.code}")
    text = what if reason.code == "no_level" else words.say(f"axis_{reason.axis}", level=reason.level, what=what)
    about = next((name for name in services if len(services) > 1 and reason.text.startswith(f"{name}: ")), "")
    return f"{about}{words.colon} {text}" if about else text


def _line(words: Wording, context: Context, fact: Any) -> str:
    """Write what happened to a change as one line."""
    tag = str(type(fact).__struct_config__.tag).replace("-", "_")
    directory = context.settings().directory
    by = people.shown(getattr(fact, "by", ""), directory)
    values = {name: getattr(fact, name) for name in fact.__struct_fields__ if isinstance(getattr(fact, name), str)}
    if tag == "planned" and fact.forced_by:
        tag = "planned_forced"
    elif tag == "planned" and not fact.allowed:
        tag = "planned_refused"
    elif tag == "backed_up" and not fact.ok:
        tag = "backed_up_not"
    elif tag == "saw" and not fact.failing:
        tag = "saw_good"
    return words.say(f"change_line_{tag}", **{**values, "by": by or "Sentinel"})


# -------------------------------------------------------------------------------------------------------------- acting


async def act(request: web.Request) -> web.Response:
    """Do what a form asks with a change, and go back to its page."""
    form = await _form(request)
    context, number = request.app[CONTEXT], numbered(request.match_info["number"], "CHG")
    by, why = people.acting(request, form.get("by", "")), bodies.lines(form.get("why", ""))
    match request.path.rpartition("/")[2]:
        case "start":
            await known(context).start(number, by, backed_up=bool(form.get("backed_up")))
        case "finish":
            await context.finish_change(number, by)
        case "link":
            await known(context).link(number, number_of(form.get("incident", "").strip()), by)
        case "unlink":
            await _unlink(known(context), number, number_of(form.get("incident", "").strip()), by)
        case _:
            await known(context).cancel(number, by, why)
    return went_back(request, f"{HERE}/{number}", by)


async def _unlink(changes: Changes, number: str, incident: str, by: str) -> None:
    if incident not in changes.get(number).incidents:
        raise Refused(f"{incident} is not put down to {number}.")
    await changes.unlink(incident, by)


async def plan_form(request: web.Request) -> web.Response:
    """Show the form by which a change is planned."""
    return _planning(request, {})


async def check(request: web.Request) -> web.Response:
    """Say whether a change would keep to the quality levels of its services; nothing is planned."""
    form = await _form(request)
    wanted = _wanted(request, form)
    return _planning(request, form, services=wanted.services, **_judgement(request, wanted))


async def plan(request: web.Request) -> web.Response:
    """Plan a change; one that is refused comes back with each reason, and with what was written."""
    form = await _form(request)
    wanted = _wanted(request, form)
    try:
        made = await known(request.app[CONTEXT]).plan(wanted)
    except Refused as refused:
        found = _judgement(request, wanted)
        if found.get("judged") is None or found["judged"].allowed or wanted.force:
            found = {"refused": str(refused)}  # It is not for what the levels ask.
        response = _planning(request, form, services=wanted.services, **found)
        response.set_status(409)
        return response
    return went_back(request, f"{HERE}/{made.number}", wanted.by)


def _judgement(request: web.Request, wanted: Wanted) -> dict[str, Any]:
    """Return what the quality levels say of a change, forced or not; or why it makes no sense."""
    context = request.app[CONTEXT]
    looked = replace(wanted, title=wanted.title or "?", force=False)
    try:
        ground = known(context).means.plans.ground(wanted.services, wanted.begins_at)
        return {"judged": judged(looked, ground, context.now(), context.settings().directory)}
    except Refused as refused:
        return {"refused": str(refused)}


def _planning(request: web.Request, form: dict[str, str], **more: Any) -> web.Response:
    context = request.app[CONTEXT]
    words = _words(request)
    values: dict[str, Any] = {"judged": None, "refused": "", "services": (), **more}
    judged_services = values.pop("services")
    terms = known(context).means.plans.services
    return render(
        request,
        "change_plan.html",
        form=form,
        chosen=form.get("services", "").split("\n"),
        terms=[terms[name] for name in sorted(terms)],
        choices={label: values_ for label, values_ in CHOICES.items() if label not in NOT_ASKED},
        quality=lambda reason: _sentence(words, reason, judged_services),
        earliest=moments.field(context.now(), context.settings().timezone),
        **values,
    )


def _wanted(request: web.Request, form: dict[str, str]) -> Wanted:
    """Return the change that a form asks for.

    Raises:
        Problem: 400 a field is empty or cannot be read.
    """
    context = request.app[CONTEXT]
    zone = context.settings().timezone
    begins_at, ends_at = (moments.read(form.get(name, ""), zone, name) for name in ("begins_at", "ends_at"))
    services = tuple(dict.fromkeys(bodies.line(name) for name in form.get("services", "").split("\n") if name))
    if begins_at is None or ends_at is None or not services:
        raise Problem(400, "A change needs its services, its beginning and its end.")
    labels = {label: form[label].strip() for label in LABELS if label not in NOT_ASKED and form.get(label, "").strip()}
    try:
        facts = read(labels, ZoneInfo(zone))
    except ValueError as error:
        raise Problem(400, f"{bodies.line(str(error))}.") from error
    return Wanted(
        title=bodies.line(form.get("title", "")),
        services=services,
        begins_at=begins_at.astimezone(UTC),
        ends_at=ends_at.astimezone(UTC),
        facts=facts,
        by=people.acting(request, form.get("by", "")),
        force=bool(form.get("force")),
        why=bodies.lines(form.get("why", "")),
    )


# ---------------------------------------------------------------------------------------------------------- small steps


async def _form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form; several of one name are lines of one text."""
    fields = await bodies.form(request)
    return {name: "\n".join(str(value) for value in fields.getall(name)) for name in fields}


def _asked(request: web.Request, name: str, least: int, most: int, default: int) -> int:
    written_ = request.query.get(name, "")
    try:
        number = int(written_) if written_ else default
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise Problem(400, f"`{name}` must be a whole number from {least} to {most}.")
    return number


def _may(request: web.Request, right: Any) -> bool:
    who = identity.of(request)
    return who is not None and who.has(right)


def _right(action: str) -> str:
    return "deliver" if action == "cancel" else "work"


def _words(request: web.Request) -> Wording:
    context = request.app[CONTEXT]
    return wording(request, context.settings(), context.now())
