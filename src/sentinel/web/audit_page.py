"""The page of who did what: incidents, changes, tokens, accounts, matrices, rotas, silences, newest first.

What is said of a fact is chosen here, word by word: digests and secrets stand in some of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec
from aiohttp import web

from sentinel.core import events as e
from sentinel.core.matching import Silence
from sentinel.core.rota import Entry
from sentinel.store.plain_rows import Deed
from sentinel.web import bodies, people
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render
from sentinel.web.views import silence_view
from sentinel.web.wording import Wording, wording

HERE: Final = "/audit"
SHOWN_MAX: Final = 50
INSTANT: Final = timedelta(microseconds=1)
READ_MAX: Final = 2_000  # Rows of each log, for one page: of what is left out the next page is a link away.
# What may be quoted of a line of the ledger, besides what it is: people wrote it to be read.
QUOTED: Final = ("name", "title", "person", "why", "note", "text", "comment")
PLACES: Final = {
    "change": "/changes/{}",
    "fix": "/changes",
    "problem": "/problems/{}",
    "matrix": "/matrices",
    "account": "/people?q={}",
}

_silence: Final = msgspec.json.Decoder(Silence)


class Act(NamedTuple):
    """Something that somebody did; ``place`` is the page of what it is about."""

    at: datetime
    by: str
    about: str
    place: str
    text: str


def routes() -> list[Route]:
    """Return the page."""
    return [Route("GET", HERE, show)]


async def show(request: web.Request) -> web.Response:
    """Show who did what lately, or before a moment; by one of them, where the address says who."""
    bodies.known_parameters(request, "by", "before", "lang", "theme")
    context = request.app[CONTEXT]
    asked = bodies.line(request.query.get("by", ""), bodies.NAME_MAX_CHARS)
    by = people.known(asked, context.settings().directory) if asked else ""
    before = _before(request.query.get("before", "")) or datetime.max.replace(tzinfo=UTC)
    found: list[Deed]
    found, reached = await context.read(context.store.deeds, before, READ_MAX, by)
    words = wording(request, context.settings(), context.now())
    every = [*_recorded(found, words, context), *_changed(context, words)]
    acts = [one for one in every if one.by and (not by or one.by == by) and one.at < before]
    if reached is not None:  # Of what is as old as that, or older, not all was read: it stands on a later page.
        acts = [one for one in acts if one.at > reached]
    acts.sort(key=lambda one: one.at, reverse=True)
    shown = _page(acts)
    return render(
        request,
        "audit.html",
        acts=shown,
        asked=asked,
        older=shown[-1].at.isoformat() if len(acts) > len(shown) else _on(reached, before),
        reached=reached if len(acts) == len(shown) else None,
        later=bool(request.query.get("before")),
    )


def _page(acts: list[Act]) -> list[Act]:
    """Return the first of them, and with the last one what was done at the same instant: the next page begins after."""
    shown = acts[:SHOWN_MAX]
    return shown + [one for one in acts[SHOWN_MAX:] if one.at == shown[-1].at]


def _on(reached: datetime | None, before: datetime) -> str:
    """Return before which moment the next page looks, when not all was read."""
    if reached is None:
        return ""
    following = reached + INSTANT  # What was done at that very moment is looked at again, and shown once.
    return (following if following < before else reached).isoformat()


def _before(written: str) -> datetime | None:
    if not written:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Problem(400, "`before` must be a moment with its offset: 2026-12-05T06:00:00+01:00.")
    return moment


def _recorded(found: list[Deed], words: Wording, context: Context) -> Iterator[Act]:
    """Yield what the store knows of: events, lines of the ledger, silences."""
    for deed in found:
        if deed.kind == "event":
            event = e.decode(deed.body)
            by = getattr(event, "by", "")
            text = words.event(event, context.settings().directory)
            yield Act(deed.at, by if isinstance(by, str) else "", deed.where, f"/incidents/{deed.where}", text)
        elif deed.kind == "line":
            yield _line(deed, words)
        else:
            yield from _silenced(_silence.decode(deed.body), words)


def _line(deed: Deed, words: Wording) -> Act:
    fact: dict[str, Any] = msgspec.json.decode(deed.body)
    subject, _, name = deed.where.partition("/")
    quoted = [fact[key] for key in QUOTED if isinstance(fact.get(key), str) and fact[key]]
    what = words.named("deed", f"{subject}-{fact.get('type', '')}")
    text = f"{what}{words.colon} {', '.join(quoted)}" if quoted else what
    by = fact.get("by", "")
    about = f"{words.named('deed_of', subject)} {name}"
    place = PLACES.get(subject, "").format(quote(name, safe=""))
    return Act(deed.at, by if isinstance(by, str) else "", about, place, text)


def _silenced(one: Silence, words: Wording) -> Iterator[Act]:
    """Yield what people did with a silence: what the configuration makes, nobody did."""
    what = " ".join(silence_view(one).matchers)
    comment = f"{words.colon} {one.comment}" if one.comment else ""
    if not one.origin:
        at = one.starts_at if one.ended_by else min(one.starts_at, one.updated_at or one.starts_at)
        yield Act(at, one.by, what, "/silences", words.say("audit_silenced", until=words.moment(one.ends_at)) + comment)
    if one.ended_by:
        yield Act(one.ends_at, one.ended_by, what, "/silences", words.say("audit_silence_ended"))


def _changed(context: Context, words: Wording) -> Iterator[Act]:
    """Yield what people changed of rotas, and the silences that they have come again."""
    for kept, _ in context.recurring.all() if context.recurring is not None else ():
        text = words.say("audit_silenced_again", every=kept.wanted.every)
        yield Act(kept.at, kept.wanted.by, " ".join(kept.wanted.matchers), "/silences", text)
    for entry in context.rotas.entries():
        rota = context.rotas.current.get(entry.rota)
        name = rota.name if rota is not None else entry.rota
        text = _said(entry, words, context)
        if entry.made_at is not None:
            yield Act(entry.made_at, entry.by, name, "/oncall", text)
        if entry.undone_by:
            gone = entry.undone_at or entry.ends_at
            yield Act(gone, entry.undone_by, name, "/oncall", words.say("audit_undone", what=text))


def _said(entry: Entry, words: Wording, context: Context) -> str:
    directory = context.settings().directory
    who, other = people.shown(entry.who, directory), people.shown(entry.with_, directory)
    said = words.say(f"oncall_did_{entry.kind}", who=who, other=other)
    note = f"{words.colon} {entry.note}" if entry.note else ""
    return f"{said} {words.moment(entry.starts_at)} → {words.moment(entry.ends_at)}{note}"
