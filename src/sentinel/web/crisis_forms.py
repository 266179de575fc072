"""What the forms of the crisis room ask for, as commands: each is one of those that the API has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from sentinel.core import crisis_commands as cc
from sentinel.core.commands import Command
from sentinel.core.model import Directory
from sentinel.web import bodies, moments, people
from sentinel.web.problem import Problem

EVERY_MAX_MIN: Final = 1440


class Form(NamedTuple):
    """What a form says: who, the words, what else stands in it, and the reader's people and time zone."""

    by: str
    text: str
    fields: Mapping[str, str]
    directory: Directory
    zone: str

    def said(self, name: str) -> str:
        """Return a field on one line; an empty text when there is none."""
        return bodies.line(self.fields.get(name, ""), bodies.NAME_MAX_CHARS)

    def person(self) -> str:
        """Return the id of who is named in the field ``person``."""
        return people.known(self.said("person"), self.directory)


def _declare(form: Form) -> Command:
    security = bool(form.fields.get("security", ""))
    return cc.DeclareCrisis(by=form.by, why=form.text, trigger=form.said("trigger"), security=security)


def _check(form: Form) -> Command:
    step, _, item = form.said("item").partition("/")
    return cc.DoStep(by=form.by, step=step, item=item, text=form.text)


def _every(form: Form) -> Command:
    written = form.said("minutes")
    if not (written.isascii() and written.isdecimal() and len(written) < 6 and 1 <= int(written) <= EVERY_MAX_MIN):
        raise Problem(400, f"Messages go out every 1 to {EVERY_MAX_MIN} minutes.")
    return cc.PlanUpdates(by=form.by, every=timedelta(minutes=int(written)))


def _t0(form: Form) -> Command:
    if form.said("t0") == form.said("was"):
        # The field holds no seconds: sent back as it was, it would move T0 by some.
        raise Problem(400, "Say when the outage began: that is the T0 of now.")
    t0 = moments.read(form.said("t0"), form.zone, "t0")
    if t0 is None:
        raise Problem(400, "Say when the outage began.")
    return cc.CorrectT0(by=form.by, t0=t0, why=form.text)


ACTIONS: Final[dict[str, Callable[[Form], Command]]] = {
    "declare": _declare,
    "decline": lambda form: cc.DeclineCrisis(by=form.by, why=form.text),
    "step": lambda form: cc.DoStep(by=form.by, step=form.said("step"), text=form.text),
    "check": _check,
    "message": lambda form: cc.SendUpdate(by=form.by, text=form.text),
    "every": _every,
    "drp_yes": lambda form: cc.DecideDrp(by=form.by, yes=True, why=form.text),
    "drp_no": lambda form: cc.DecideDrp(by=form.by, yes=False, why=form.text),
    "drp_started": lambda form: cc.StartDrp(by=form.by, why=form.text),
    "t0": _t0,
    "level2": lambda form: cc.ActivateLevel(by=form.by, level=2, why=form.text),
    "level3": lambda form: cc.ActivateLevel(by=form.by, level=3, why=form.text),
    "join": lambda form: cc.JoinCell(by=form.by, person=form.person()),
    "leave": lambda form: cc.LeaveCell(by=form.by, person=form.person()),
    "change": lambda form: cc.AttachChange(by=form.by, change=form.said("change"), text=form.text),
    "approve": lambda form: cc.ApproveChange(by=form.by, change=form.said("change")),
    "close": lambda form: cc.CloseCrisis(by=form.by, text=form.text),
}
