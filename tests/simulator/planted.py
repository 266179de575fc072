"""Bugs that others had, planted one at a time: the simulator has to find each of them.

A bug is a piece of a function's own text that is put in the place of another; the function is compiled anew and runs
with the changed code wherever it is called from. A text that is not there any more, or is there twice, ends the test:
a planted bug cannot rot unseen.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

from sentinel.core.business import business_time


class Rotten(AssertionError):  # noqa: N818  it says what the text is
    """The text that a planted bug changes is not there."""


@dataclass(frozen=True)
class Bug:
    """One change: in ``where`` (``module:Class.function``), ``right`` becomes ``wrong``; it breaks these invariants."""

    name: str
    where: str
    right: str
    wrong: str
    breaks: frozenset[str]

    def __str__(self) -> str:
        return self.name


def bug(name: str, where: str, right: str, wrong: str, *breaks: str) -> Bug:
    return Bug(name, where, right, wrong, frozenset(breaks))


BUGS = (
    bug(
        "a message is marked as sent before it is sent",
        "sentinel.dispatch:Dispatcher._tried",
        "reference = await self.burst(row)",
        'await self._desk.settle(self._settlement(row, "done", row.tries + 1)); reference = await self.burst(row)',
        "I9",
    ),
    bug(
        "timers are kept in memory only",
        "sentinel.engine.desk:Desk.load",
        "self._index.put(state)",
        "self._index.put(state); self._index._wake.pop(state.number, None)",
        "I4",
    ),
    bug(
        "a message is given up after three tries",
        "sentinel.dispatch:Dispatcher.missed",
        "final = failure.permanent or now >= row.give_up_at",
        "final = failure.permanent or now >= row.give_up_at or row.tries >= 2",
        "I9",
    ),
    bug(
        "an opening holds its last minute, too",
        "sentinel.core.business:BusinessTime._openings",
        "yield midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes)",
        "yield midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes + (closes < 1440))",
        "I13",
    ),
    bug(
        "a warning is given again after a restart",
        "sentinel.engine.desk:Desk.load",
        "self._index.put(state)",
        "self._index.put(replace(state, clocks={n: replace(one, given=()) for n, one in state.clocks.items()}))",
        "I4",
        "I8",
        "I13",
    ),
    bug(
        "a step that fell due while the daemon was down is lost",
        "sentinel.engine.desk:Desk.load",
        "self._index.put(state)",
        "self._index.put(state); (self._index._wake.get(state.number) or self._clock.now()) < self._clock.now() "
        "and self._index._wake.pop(state.number)",
        "I4",
    ),
    bug(
        "a message gets a new id at every try",
        "sentinel.dispatch:Dispatcher._tries",
        "message = self._compose(row)",
        'import dataclasses; message = dataclasses.replace(self._compose(row), id=f"{row.id}/{row.tries}")',
        "I2",
    ),
    bug(
        "an acknowledgement does not take pages back",
        "sentinel.core.waiting:acknowledge",
        "withdraw=escalation.unwanted(evolve(state, taken))",
        "withdraw=()",
        "I3",
    ),
    bug(
        "an acknowledgement takes every page back",
        "sentinel.core.waiting:acknowledge",
        "withdraw=escalation.unwanted(evolve(state, taken))",
        "withdraw=escalation.unsettled(state)",
        "I3",
    ),
    bug(
        "a page is lost when its first channel fails",
        "sentinel.core.escalation:fail",
        "missed = replace(missed, tell=_other_ways(state, command.message, directory))",
        "missed = replace(missed, tell=())",
        "I9",
    ),
    bug(
        "in a storm what is too much is dropped",
        "sentinel.engine.draft:Draft._owe",
        "self._outbox[notify.message] = OutboxRow(",
        "if len(self._outbox) < 9: self._outbox[notify.message] = OutboxRow(",
        "I1",
    ),
    bug(
        "a lost race is run again without reading what won",
        "sentinel.engine.desk:Desk._handle",
        "await self._reload([answer for answer, _ in answers])",
        "pass",
        "I2",
        "I4",
        "I8",
        "I9",
    ),
    bug(
        "a clock that is set back takes the timeline along",
        "sentinel.core.incident:decide",
        "now = max(now, state.updated_at)",
        "now = now",
        "I16",
    ),
    bug(
        "an incident that was merged keeps paging",
        "sentinel.core.merging:merge",
        "merged = replace(merged, withdraw=escalation.unwanted(evolve(state, merged)))",
        "merged = replace(merged, withdraw=())",
        "I3",
    ),
    bug(
        "pending stops every clock",
        "sentinel.core.deadlines:stopped",
        "if one.deadline.stops and one.running else one",
        "if one.running else one",
        "I4",
        "I7",
        "I13",
    ),
    bug(
        "people are told that it is done before it is on disk",
        "sentinel.engine.desk:Desk._handle",
        "await self._commit(draft)",
        "[answer.done() or answer.set_result(value) for answer, value in answers]; await asyncio.sleep(0.01); "
        "await self._commit(draft)",
        "I2",
        "I11",
    ),
    bug(
        "a ladder that nobody answered ends in silence",
        "sentinel.core.ladder:ends_at",
        "return max(ends, default=None)",
        "return None",
        "I4",
        "I7",
    ),
)


def function_of(where: str) -> FunctionType:
    """Return the function that a bug changes."""
    module, _, path = where.partition(":")
    found: Any = import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    assert isinstance(found, FunctionType), f"{where} is no plain function"
    return found


def wrong_code(planted: Bug, function: FunctionType) -> CodeType:
    """Return the function's code with the bug in it.

    Raises:
        Rotten: its text is not what the bug was made for.
    """
    text = textwrap.dedent(inspect.getsource(function))
    if text.count(planted.right) != 1:
        raise Rotten(f"{planted.where} holds {planted.right!r} {text.count(planted.right)} times, not once")
    scratch: dict[str, Any] = {}
    text = f"from __future__ import annotations\n{text.replace(planted.right, planted.wrong)}"
    exec(compile(text, f"<planted: {planted.name}>", "exec"), dict(function.__globals__), scratch)
    made: FunctionType = scratch[function.__name__]
    if made.__code__.co_freevars != function.__code__.co_freevars:
        raise Rotten(f"{planted.where} now reaches for names around it")
    return made.__code__


@contextmanager
def planted_in_place(planted: Bug) -> Iterator[None]:
    """Let the code be wrong for a while."""
    function = function_of(planted.where)
    right = function.__code__
    function.__code__ = wrong_code(planted, function)
    business_time.cache_clear()  # What is counted once is kept, right or wrong.
    try:
        yield
    finally:
        function.__code__ = right
        business_time.cache_clear()
