"""One life of the daemon, from its start to its death: the real desk, timers and dispatcher, wired as at home."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sentinel.channels.base import Message
from sentinel.core.state import Incident
from sentinel.dispatch import Dispatcher
from sentinel.engine.desk import Desk
from sentinel.engine.outbox import Outbox
from sentinel.engine.passage import Carrier
from sentinel.engine.timers import Timers
from sentinel.store.base import OutboxRow, StoreUnavailable
from sentinel.tickets.base import TicketReference
from tests.engine.house import write
from tests.simulator.death import Killed
from tests.simulator.letters import marked

if TYPE_CHECKING:
    from tests.simulator.setting import Setting
    from tests.simulator.world import World

LOOPS = 3  # desk, timers, dispatcher
LIVING: ContextVar[Life | None] = ContextVar("LIVING", default=None)


class SimulatedTask(asyncio.Task):  # type: ignore[type-arg]
    """A task of which somebody may hear what came of it."""

    asked = False


def tracking_tasks(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> SimulatedTask:
    """Make a task, and let the life in which it is made know: a process takes all of them along."""
    task = SimulatedTask(coro, loop=loop, **more)
    life = LIVING.get()
    if life is not None:
        life.tasks[task] = None
        task.add_done_callback(life.ended)
    return task


class Telemetry:
    """What the dispatcher counts is nothing to this world, but for bugs."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def attempt(self, channel: str, outcome: str) -> None: ...

    def ended(self, channel: str, result: str, waited_s: float) -> None: ...

    def ticket(self, backend: str, result: str) -> None: ...

    def bug(self, where: str) -> None:
        self._life.world.fault("bug", f"a bug was counted in {where}")


class Link:
    """The store as one life sees it: what is in the way, and what kills, stands in ``faults``."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._world = life.world

    def commit(self, transaction: Any) -> None:
        self._living()
        try:
            self._world.faults.before_commit(self._life, transaction)
        except StoreUnavailable:
            self._life.doubtful |= marked(transaction)
            raise
        self._world.take(transaction, self._life)
        self._world.faults.after_commit(self._life, transaction)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        read = getattr(self._world.store, name)

        def reading(*arguments: Any, **named: Any) -> Any:
            self._living()
            self._world.faults.before_read(self._life)
            return read(*arguments, **named)

        return reading

    def _living(self) -> None:
        if not self._life.alive:
            raise Killed


class Line:
    """The way from one life to a gateway."""

    def __init__(self, life: Life, channel: str) -> None:
        self._life, self._channel = life, channel

    async def send(self, message: Message) -> str:
        return await self._life.world.gateways[self._channel].carry(self._life, message)

    async def check(self) -> None:
        """Nothing to prove."""

    async def close(self) -> None:
        """Nothing to close."""


class Life:
    """The daemon while it lives. What is in its memory dies with it."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.alive, self.up = True, False
        self.refused_s = float("-inf")  # when the store last refused it something
        self.doubtful: set[str] = set()  # what was marked in what it refused: that may be put back
        self.tasks: dict[asyncio.Task[Any], None] = {}
        store: Any = Link(self)
        setting = world.setting
        pool: Any = None
        self.desk = Desk(store, pool, world.clock, setting.policy(), lambda _state, _notify: b"")
        self.dispatcher = Dispatcher(Outbox(store, pool), self.desk, world.clock, self._write, Telemetry(self))
        self.dispatcher.carriers = self._carriers(setting)
        self.dispatcher.tickets = {"builtin": self._put_ticket}
        self.desk.written = self._written
        self.desk.unwritten = self.dispatcher.unrecorded.send
        self.timers = Timers(self.desk, world.clock)
        self.timers.bug = lambda where: world.fault("bug", f"a bug was counted in {where}")
        self._store = store

    def _carriers(self, setting: Setting) -> dict[str, Carrier]:
        return {name: Carrier(Line(self, name)) for name in setting.channels}

    def _write(self, row: OutboxRow) -> Message:
        return write(row)

    def _written(self, happened: Any, settled: Any) -> None:
        for state, _ in happened:
            self.dispatcher.unrecorded.forget(state.dedup)
        if happened or any(one.state == "pending" for one in settled):
            self.dispatcher.wake()

    async def _put_ticket(self, state: Incident) -> TicketReference:
        return await self.world.tickets.put(self, state)

    def take(self, setting: Setting) -> None:
        """Reload: another configuration, as the daemon takes it."""
        self.desk.policy = setting.policy()
        self.dispatcher.carriers = self._carriers(setting)
        self.dispatcher.wake()

    def do(self, work: Coroutine[Any, Any, Any]) -> SimulatedTask:
        """Run something as a part of this process."""
        token = LIVING.set(self)
        try:
            return asyncio.get_running_loop().create_task(work)  # type: ignore[return-value]
        finally:
            LIVING.reset(token)

    def ended(self, task: SimulatedTask) -> None:
        del self.tasks[task]
        if task.cancelled() or not self.alive:
            return
        error = task.exception()
        if isinstance(error, StoreUnavailable):
            return
        if error is not None and not task.asked:
            self.world.fault("bug", f"a task ended by {error!r}")

    async def start(self) -> None:
        """Do what the daemon does at a start.

        Raises:
            StoreUnavailable: its database is not there; whoever started it starts it again.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._store.recover_sending)
        await self.desk.load()
        for run in (self.desk.run, self.timers.run, self.dispatcher.run):
            self.do(run())
        self.up = True

    def idle(self) -> bool:
        """Tell whether nothing is under way in it but waiting."""
        return len(self.tasks) <= LOOPS

    def die(self) -> None:
        """End as by ``kill -9``."""
        self.alive = self.up = False
        for task in list(self.tasks):
            task.cancel()

    def ask(self, work: Coroutine[Any, Any, Any], then: Callable[[str, Any], None]) -> None:
        """Ask something of the daemon: ``then`` hears ``ok``, ``refused``, ``unavailable`` or ``gone``, and of what."""
        asking(self.do(work), then)


def asking(task: SimulatedTask, then: Callable[[str, Any], None]) -> None:
    """Let somebody hear what came of a task."""
    task.asked = True

    def heard(ended: asyncio.Task[Any]) -> None:
        then(*outcome(ended))

    task.add_done_callback(heard)


def outcome(ended: asyncio.Task[Any]) -> tuple[str, Any]:
    if ended.cancelled():
        return "gone", None
    error = ended.exception()
    match error:
        case None:
            return "ok", ended.result()
        case Killed():
            return "gone", None
        case StoreUnavailable():
            return "unavailable", error
        case _ if type(error).__name__ in {"Refused", "Unknown"}:
            return "refused", error
        case _:
            return "bug", error


Asked = Callable[[Desk], Awaitable[Any]]
