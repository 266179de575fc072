"""Runs the daemon as ``sentinel run`` does, but kills it at a named point, or shortens its patience.

Production code holds no switches for tests: what interferes stands here, around methods that are there anyway.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sentinel import daemon, service, watching
from sentinel.channels import email, sms_http
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.dispatch import Dispatcher
from sentinel.engine import doubt, express, isolation, loopback, tries
from sentinel.engine.desk import Desk
from sentinel.probes import http
from sentinel.store import database, outbox
from sentinel.store.base import Write
from sentinel.store.main import SqlStore
from sentinel.store.results import SqlResultStore
from sentinel.web import connections

LOADED = (email, sms_http, http)  # What daemons load when they need it is loaded once, before they are forked.
Concerns = Callable[..., bool]
LOOK_EVERY_S = 0.02


@dataclass(frozen=True)
class Point:
    """Before or after which call the process dies; ``concerns`` says of its arguments whether it is such a one."""

    owner: Any
    name: str
    moment: Literal["before", "after"]
    concerns: Concerns = lambda *_: True


def holds(kind: type[e.Event]) -> Concerns:
    """Concern transactions with an event of that kind."""
    return lambda _store, write: _has(write, kind)


def _has(write: Write, kind: type[e.Event]) -> bool:
    return any(isinstance(recorded.event, kind) for recorded in write.events)


def settles(channel: str, state: str) -> Concerns:
    """Concern transactions that bring a message by that channel into that state."""
    return lambda _store, write: any(s.id.endswith(f"/{channel}") and s.state == state for s in write.settlements)


def carries(channel: str) -> Concerns:
    """Concern tries by that channel."""
    return lambda _dispatcher, name, _message: name == channel


def fills(_connection: Any, write: Write, _dialect: str) -> bool:
    """Concern the moment inside the first transaction when the log is written and the outbox is not, or just is."""
    return _has(write, e.Opened)


def orders(command: type[Any]) -> Concerns:
    """Concern commands of that kind."""
    return lambda _desk, _number, given, *_: isinstance(given, command)


POINTS = {
    # From the verdict to the disk.
    "the verdict is there": Point(Desk, "report", "before"),
    "the incident is about to be written": Point(SqlStore, "commit", "before", holds(e.Opened)),
    "the log is written and the outbox is not": Point(outbox, "put", "before", fills),
    "all is written and not committed": Point(outbox, "put", "after", fills),
    "the incident is on disk": Point(SqlStore, "commit", "after", holds(e.Opened)),
    # From the disk to the carriers.
    "the text is about to be marked": Point(SqlStore, "commit", "before", settles("sms", "sending")),
    "the text is marked as being sent": Point(SqlStore, "commit", "after", settles("sms", "sending")),
    "the text is about to leave": Point(Dispatcher, "_once", "before", carries("sms")),
    "the gateway has taken the text": Point(Dispatcher, "_once", "after", carries("sms")),
    "the receipt is about to reach the desk": Point(Desk, "order", "before", orders(c.Accept)),
    "the receipt of the text is about to be written": Point(SqlStore, "commit", "before", settles("sms", "done")),
    "the receipt of the text is on disk": Point(SqlStore, "commit", "after", settles("sms", "done")),
    "the mail is about to leave": Point(Dispatcher, "_once", "before", carries("email")),
    "the relay has taken the mail": Point(Dispatcher, "_once", "after", carries("email")),
    "the receipt of the mail is about to be written": Point(SqlStore, "commit", "before", settles("email", "done")),
    "the receipt of the mail is on disk": Point(SqlStore, "commit", "after", settles("email", "done")),
    # The ticket.
    "the ticket is about to be written": Point(SqlStore, "put_ticket", "before"),
    "the ticket is on disk": Point(SqlStore, "put_ticket", "after"),
    "the ticket is about to be linked": Point(SqlStore, "commit", "before", holds(e.TicketLinked)),
    "the ticket is linked": Point(SqlStore, "commit", "after", holds(e.TicketLinked)),
    # What probes saw.
    "results are about to be written": Point(SqlResultStore, "record", "before"),
    "results are on disk": Point(SqlResultStore, "record", "after"),
    # The recovery.
    "the recovery is there": Point(Desk, "recover", "before"),
    "the recovery is about to be written": Point(SqlStore, "commit", "before", holds(e.Resolved)),
    "the recovery is on disk": Point(SqlStore, "commit", "after", holds(e.Resolved)),
}


def die() -> None:
    """End as by ``kill -9``: nothing is flushed, nobody is told."""
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(point: Point) -> Callable[..., Any]:
    """Return the method with death before or after it."""
    real = getattr(point.owner, point.name)

    def at(moment: str, arguments: tuple[Any, ...]) -> None:
        if moment == point.moment and point.concerns(*arguments):
            die()

    @functools.wraps(real)
    def plain(*arguments: Any, **named: Any) -> Any:
        at("before", arguments)
        answer = real(*arguments, **named)
        at("after", arguments)
        return answer

    @functools.wraps(real)
    async def coroutine(*arguments: Any, **named: Any) -> Any:
        at("before", arguments)
        answer = await real(*arguments, **named)
        at("after", arguments)
        return answer

    return coroutine if inspect.iscoroutinefunction(real) else plain


def shorten(module: Any, name: str, value: Any) -> None:
    """Put another limit in the place of a named one: a shorter time, or a longer one for a machine that is busy."""
    assert hasattr(module, name), f"{module.__name__} names no {name} any more"
    setattr(module, name, value)


def run(order: dict[str, Any]) -> int:
    """Be the daemon that was asked for."""
    with Path(os.devnull).open("rb") as nothing, Path(order["log"]).open("wb") as output:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(Path(order["configuration"]).parent)
    if order.get("kill"):
        point = POINTS[order["kill"]]
        setattr(point.owner, point.name, deadly(point))
    if order.get("detour"):  # Nothing goes at once: all of it is read from the outbox and marked.
        shorten(express, "AT_ONCE_MAX", -1)
    if patience_s := order.get("patience_s"):
        shorten(tries, "BACKOFF", (timedelta(seconds=patience_s),))
    if within_s := order.get("send_within_s"):
        shorten(daemon, "SEND_WITHIN_S", within_s)
    if look_every_s := order.get("look_every_s"):
        shorten(isolation, "LOOK_EVERY_S", look_every_s)
        shorten(doubt, "NETWORK_PAUSE_S", look_every_s)
    if speak_within_s := order.get("speak_within_s"):
        shorten(connections, "HEAD_WITHIN_S", speak_within_s)
        shorten(connections, "BODY_WITHIN_S", speak_within_s)
    if given_up_s := order.get("given_up_s"):
        user_timeout_ms = int(given_up_s * 1000)
        shorten(database, "REACHING", database.REACHING | {"connect_timeout": 2, "tcp_user_timeout": user_timeout_ms})
    if late_max_s := order.get("late_max_s"):
        shorten(watching, "LAG_MAX_S", late_max_s)
        shorten(loopback, "LIMIT_S", late_max_s)
    os.environ.update(order.get("environ", {}))
    code = service.run(Path(order["configuration"]))
    sys.stderr.flush()
    return code


def main() -> None:
    """Fork a daemon for every line that comes in, and say its process id; importing all of it takes a second, once.

    How a daemon ended is put into its log's name with ``.ended``: the exit code, or the signal below zero.
    """
    children: dict[int, dict[str, Any]] = {}
    while True:
        if select.select([sys.stdin], [], [], LOOK_EVERY_S)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            order = json.loads(line)
            if not (pid := os.fork()):
                os._exit(run(order))
            children[pid] = order
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
        while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            note = Path(children.pop(ended[0])["log"] + ".ended")
            note.with_suffix(".tmp").write_text(str(os.waitstatus_to_exitcode(ended[1])))
            note.with_suffix(".tmp").rename(note)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
