"""The page of planned changes: what comes, what is under way, what is over, and the fixes that wait (rule CHG-6)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.core.change import Change
from sentinel.core.quality import Reason
from sentinel.web import bodies, people
from sentinel.web.changes import known, numbered
from sentinel.web.context import CONTEXT
from sentinel.web.pages import render, went_back
from sentinel.web.wording import wording

OVER_MAX: Final = 50
FORMS: Final = ("start", "finish", "cancel")
# What a person may do with a change in each phase.
ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "planned": ("start", "cancel"),
    "announced": ("start", "cancel"),
    "preparing": ("cancel",),
    "stopped": ("start", "cancel"),
    "under_way": ("finish",),
}


async def show(request: web.Request) -> web.Response:
    """Show the changes that come, the fixes that wait, and what is over."""
    context = request.app[CONTEXT]
    changes = known(context)
    coming = sorted(changes.open(), key=lambda one: one.begins_at)
    over = sorted((one for one in changes.all() if one.over), key=lambda one: one.ends_at, reverse=True)
    words = wording(request, context.settings(), context.now())

    def quality(reason: Reason) -> str:
        return words.say(f"axis_{reason.axis}", level=reason.level, what=words.say(f"quality_{reason.code}"))

    return render(
        request,
        "changes.html",
        coming=coming,
        over=over[:OVER_MAX],
        fixes=[(fix, changes.is_owed(fix)) for fix in changes.fixes()],
        actions=_actions,
        quality=quality,
    )


async def act(request: web.Request) -> web.Response:
    """Do what a form asks with a change, and go back to the page."""
    form = await request.post()
    context, number = request.app[CONTEXT], numbered(request.match_info["number"], "CHG")
    by, why = people.acting(request, str(form.get("by", ""))), bodies.lines(str(form.get("why", "")))
    match request.path.rpartition("/")[2]:
        case "start":
            await known(context).start(number, by)
        case "finish":
            await context.finish_change(number, by)
        case _:
            await known(context).cancel(number, by, why)
    return went_back(request, "/changes", by)


def _actions(change: Change) -> tuple[str, ...]:
    return ACTIONS.get(change.phase, ())
