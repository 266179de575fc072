"""Short lives of one store, desk and dispatcher, each forked from a process that has everything loaded, and killed.

``python -m tests.faults.lives FOLDER SEED KILLS`` writes what happened as JSON. In the folder, ``taken`` holds a line
for each message that the carrier took, and ``acknowledged`` the number of each incident that the desk confirmed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sqlite3
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sentinel import logs
from sentinel.channels.base import Message
from sentinel.core import commands as c
from sentinel.core.model import Listener, Plan, Refused, Signal, Step, Verdict
from sentinel.dispatch import Dispatcher
from sentinel.engine.clock import SystemClock
from sentinel.engine.desk import Desk
from sentinel.engine.draft import Policy
from sentinel.engine.outbox import Outbox
from sentinel.engine.passage import Carrier
from sentinel.engine.supervision import keep
from sentinel.engine.timers import Timers
from sentinel.store.base import Store
from sentinel.store.locks import lock
from sentinel.store.opening import open_store
from sentinel.tickets.base import TicketReference
from sentinel.tickets.builtin import BuiltinTickets
from sentinel.tickets.drafting import draft
from tests.engine.house import DIRECTORY, Counts, write

LIFE_MAX_S = 0.2
START_LIMIT_S = 60.0
LAST_LIFE_LIMIT_S = 60.0
TAKES_MAX_S = 0.008
FAULTS_EVERY_MAX_S = 0.1
LOOK_EVERY_S = 0.005
PLAN = Plan(
    ladder=(Step(after=timedelta(0), to=("amina", "bruno"), by=("sms",)),),
    listeners=(Listener(who="farid", by=("email",), on=("opened", "resolved")),),
    ticket="builtin",
)


class Paper:
    """A carrier outside the process that may die: what stands on its paper has been taken."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._chance = chance

    async def send(self, message: Message) -> str:
        await asyncio.sleep(self._chance.uniform(0, TAKES_MAX_S))
        os.write(self._file, f"{message.id}\n".encode())
        await asyncio.sleep(self._chance.uniform(0, TAKES_MAX_S))
        return "taken"

    async def check(self) -> None:
        """Nothing to prove."""

    async def close(self) -> None:
        """Nothing to close."""


def give_up(where: str) -> None:
    """End at the first error of our own; it stands in the log."""
    sys.stderr.write(f"bug in {where}\n")
    sys.stderr.flush()
    os._exit(1)


class Life:
    """The parts between a verdict and a carrier, wired as the daemon does it."""

    def __init__(self, folder: Path, store: Store, seed: int) -> None:
        self.folder, self.store, self.chance = folder, store, random.Random(seed)
        self.clock = SystemClock()
        self.writer, self.reader = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        policy = Policy(
            directory=DIRECTORY,
            plan_for=lambda _service, _verdict: PLAN,
            close_by=lambda now: now + timedelta(days=2),
        )
        self.desk = Desk(store, self.writer, self.clock, policy, lambda state, _notify: state.title.encode())
        self.dispatcher = Dispatcher(Outbox(store, self.reader), self.desk, self.clock, write, Counts())
        paper = Paper(folder / "taken", self.chance)
        self.dispatcher.carriers = {"sms": Carrier(paper), "email": Carrier(paper)}
        self.dispatcher.tickets = {"builtin": self._put_ticket}
        self.desk.written = lambda *_: self.dispatcher.wake()
        self.tickets = BuiltinTickets(self._keep_ticket)
        self.timers = Timers(self.desk, self.clock)

    async def _put_ticket(self, state: Any) -> TicketReference:
        loop = asyncio.get_running_loop()
        timeline = await loop.run_in_executor(self.reader, self.store.timeline, state.number)
        return await self.tickets.put(draft(state, [(found.sequence, found.event) for found in timeline], ""))

    async def _keep_ticket(self, ticket: Any) -> TicketReference:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.writer, self.store.put_ticket, ticket, self.clock.now())

    async def begin(self) -> None:
        """Do what the daemon does at a start."""
        await asyncio.get_running_loop().run_in_executor(self.writer, self.store.recover_sending)
        await self.desk.load()
        loops = {"desk": self.desk.run, "timers": self.timers.run, "dispatch": self.dispatcher.run}
        self.running = [asyncio.create_task(keep(name, run, give_up)) for name, run in loops.items()]

    async def fault(self, number: int) -> None:
        """Let something fail, be acknowledged now and then, recover and be closed."""
        key, now = f"probe:{os.getpid()}-{number}", self.clock.now()
        signal_ = Signal(key=key, source="probe", title=key, at=now, since=now, service="campus")
        verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title=key, dedup=key)
        opened = await self.desk.report(signal_, verdict)
        with (self.folder / "acknowledged").open("a") as known:
            known.write(f"{opened.number}\n")
        await asyncio.sleep(self.chance.uniform(0, 0.05))
        if self.chance.random() < 0.3:
            await self.desk.order(opened.number, c.Acknowledge(by="amina", via="cli"))
        await self.desk.recover(key, "two good runs")
        await asyncio.sleep(self.chance.uniform(0, 0.05))
        with suppress(Refused):
            await self.desk.order(opened.number, c.Close(by="amina", why="over"))

    async def settled(self, caught: set[str]) -> None:
        """Wait until what an earlier kill caught in the air has come to rest."""
        loop = asyncio.get_running_loop()
        for name in caught:
            incident = name.partition("/")[0]
            while True:
                rows = await loop.run_in_executor(
                    self.reader, partial(self.store.messages, limit=500, incident=incident)
                )
                if not [row for row in rows if row.id == name and row.state in {"pending", "sending"}]:
                    break
                await asyncio.sleep(LOOK_EVERY_S)

    async def quiet(self) -> None:
        """Wait until nothing is owed."""
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(self.reader, self.store.queue) or not await self._at_rest():
            await asyncio.sleep(LOOK_EVERY_S)

    async def _at_rest(self) -> bool:
        return await asyncio.get_running_loop().run_in_executor(self.reader, self.store.next_due) is None


async def live(folder: Path, url: str, seed: int, caught: set[str], ready: int) -> None:
    """Work until killed; say when what an earlier kill had caught in the air is settled."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, show_tasks)
    store, results = open_store(url)
    life = Life(folder, store, seed)
    await life.begin()
    faults = [asyncio.create_task(busy(life))]
    if caught:
        await life.settled(caught)
    os.write(ready, b"+")
    await asyncio.gather(*faults)
    results.close()


def show_tasks() -> None:
    """Say where everything stands: a life that hangs is asked before it is ended."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()


async def busy(life: Life) -> None:
    number, parent = 0, os.getppid()
    tasks = set()
    while os.getppid() == parent:  # Who is to kill it may be killed itself.
        number += 1
        tasks.add(asyncio.create_task(life.fault(number)))
        await asyncio.sleep(life.chance.uniform(0, FAULTS_EVERY_MAX_S))


async def rest(folder: Path, url: str) -> None:
    """Live once more, undisturbed, until all is delivered."""
    store, results = open_store(url)
    life = Life(folder, store, 0)
    await life.begin()
    async with asyncio.timeout(LAST_LIFE_LIMIT_S):
        await life.quiet()
    await life.dispatcher.stop(1.0)
    for task in life.running:
        task.cancel()
    await asyncio.gather(*life.running, return_exceptions=True)
    life.writer.shutdown()
    life.reader.shutdown()
    results.close()
    store.close()


def in_the_air(path: Path) -> set[str]:
    """Return the messages that were being sent when the process died."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT id FROM outbox WHERE state = 'sending'")
        return {name for (name,) in found}


def main() -> None:
    folder, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    logs.configure(level="warning")
    chance = random.Random(seed)
    path = folder / "sentinel.db"
    url = f"sqlite:///{path}"
    caught: Counter[str] = Counter()
    now: set[str] = set()
    for each in open_store(url):
        each.close()
    for number in range(kills):
        hear, say = os.pipe()
        if not (pid := os.fork()):
            with lock(url):
                asyncio.run(live(folder, url, seed * 1_000 + number, now, say))
            os._exit(0)
        os.close(say)
        if not select.select([hear], [], [], START_LIMIT_S)[0]:
            os.kill(pid, signal.SIGUSR1)
            time.sleep(1.0)
            os.kill(pid, signal.SIGKILL)
            raise AssertionError(f"life {number} did not settle {now}")
        alive = os.read(hear, 1) == b"+"
        time.sleep(chance.uniform(0, LIFE_MAX_S))
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL, "it lived until the kill"
        assert alive, f"life {number} ended by itself"
        os.close(hear)
        now = in_the_air(path)
        caught.update(now)
    asyncio.run(rest(folder, url))
    sys.stdout.write(json.dumps({"caught": caught}))


if __name__ == "__main__":
    main()
