"""What goes wrong in the world: crashes at any commit and any send, disks, channels, clocks, rivals, reloads."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.engine.draft import Draft
from sentinel.store.base import StoreUnavailable, Write
from tests.simulator.carriers import MOODS
from tests.simulator.death import Killed
from tests.simulator.setting import SETTINGS

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

DAY_S, HOUR_S, MINUTE_S = 86_400.0, 3_600.0, 60.0
# How often each happens, in days between two.
CRASH_D, OUTAGE_D, MOOD_D, CLOCK_D, RELOAD_D, RIVAL_D, TICKETS_D = 5.0, 18.0, 16.0, 6.0, 12.0, 3.0, 40.0
COUNT_MAX = 12
COMPANY_S = 900.0  # how soon what fails too fails
Where = Literal["before commit", "after commit", "before send", "after send"]
WHERE: tuple[Where, ...] = ("before commit", "after commit", "before send", "after send")


@dataclass
class Trap:
    """The process dies at the n-th time from now that it comes by a place."""

    where: Where
    left: int


class Faults:
    """Draws what goes wrong and when, from a chance of its own."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(f"{seed}/faults")
        self.trap: Trap | None = None
        self.disk: Literal["well", "full", "gone"] = "well"
        self.rivals = 0
        self.commits = 0
        self.crashes = 0

    def begin(self) -> None:
        self._every(CRASH_D, self._crash)
        self._every(OUTAGE_D, self._outage)
        self._every(CLOCK_D, self._set_clock)
        self._every(RELOAD_D, self._reload)
        self._every(RIVAL_D, self._rival)
        self._every(TICKETS_D, self._tickets_down)
        for channel in self.world.gateways:
            days = MOOD_D / 2 if channel in {"sms", "email"} else MOOD_D * 2
            self._every(days, lambda channel=channel: self._sicken(channel))

    def heal(self) -> None:
        """Let all be well from now on."""
        self.trap, self.rivals = None, 0
        self._disk("well")
        self.world.tickets.down = False
        for gateway in self.world.gateways.values():
            gateway.change("well")
            gateway.banned.clear()

    def _every(self, days: float, what: Callable[[], None]) -> None:
        def happen() -> None:
            if not self.world.healing:
                what()
                self._every(days, what)

        self.world.later(self.chance.expovariate(self.world.rough / (days * DAY_S)), happen)

    # What happens -----------------------------------------------------------------------------------------------

    def _crash(self) -> None:
        if self.chance.random() < 0.2:
            self.kill(self.world.life)
        else:
            self.trap = Trap(self.chance.choice(WHERE), self.chance.randint(1, COUNT_MAX))

    def kill(self, life: Life | None) -> None:
        """End the process, and start another one after a while."""
        if life is None or not life.alive:
            return
        life.die()
        self.crashes += 1
        self._company()
        down_s = self.chance.choice((1.0, 2.0, 5.0, 30.0, 300.0, 1_200.0, 4 * HOUR_S))
        self.world.died(round(self.chance.uniform(down_s / 2, down_s), 3))

    def _outage(self) -> None:
        self._company()
        self._disk(self.chance.choice(("full", "full", "gone")))
        lasts_s = self.chance.choice((2.0, 20.0, 90.0, 600.0))
        self.world.later(self.chance.uniform(lasts_s / 2, lasts_s), lambda: self._disk("well"))

    def _disk(self, disk: Literal["well", "full", "gone"]) -> None:
        self.world.say(f"the disk is {disk}")
        if disk == "well" and self.disk != "well":
            self.world.oracle.excuses.end("disk")
        elif disk != "well" and self.disk == "well":
            self.world.oracle.excuses.begin("disk")
        self.disk = disk

    def _company(self) -> None:
        """Let targets fail soon: what goes wrong alone is seldom interesting."""
        for _ in range(self.chance.choice((0, 1, 3))):
            self.world.later(self.chance.uniform(0, COMPANY_S), self.world.trouble.fail_any)

    def _sicken(self, channel: str) -> None:
        self._company()
        gateway = self.world.gateways[channel]
        gateway.change(self.chance.choice(MOODS))
        lasts_s = self.chance.choices((MINUTE_S, 20 * MINUTE_S, 2 * HOUR_S, 7 * HOUR_S), (4, 6, 3, 1))[0]
        self.world.later(self.chance.uniform(lasts_s / 4, lasts_s), lambda: gateway.change("well"))

    def _set_clock(self) -> None:
        self._company()
        self.world.later(self.chance.uniform(0, 2 * COMPANY_S), self._step)

    def _step(self) -> None:
        by_s = self.chance.choice((-HOUR_S, -90.0, -1.0, 1.0, 90.0, 2 * HOUR_S)) * self.chance.random()
        self.world.set_clock(timedelta(seconds=round(by_s, 3)))
        self.world.people.hurry(abs(by_s))

    def _reload(self) -> None:
        self.world.reload(self.chance.choice(SETTINGS))

    def _rival(self) -> None:
        self.rivals += 1

    def _tickets_down(self) -> None:
        self.world.tickets.down = True
        self.world.later(self.chance.uniform(MINUTE_S, 8 * HOUR_S), self._tickets_up)

    def _tickets_up(self) -> None:
        self.world.tickets.down = False

    # Where it happens -------------------------------------------------------------------------------------------

    def before_commit(self, life: Life, write: Write) -> None:
        """Stand between the desk and the disk."""
        self.commits += 1
        self._step_on(life, "before commit")
        self.before_read(life, also_full=True)
        if self.rivals:
            self._interfere(write)

    def after_commit(self, life: Life, _write: Write) -> None:
        self._step_on(life, "after commit")

    def before_read(self, life: Life, *, also_full: bool = False) -> None:
        if self.disk == "gone" or (also_full and self.disk == "full"):
            life.refused_s = self.world.now_s
            raise StoreUnavailable(f"the disk is {self.disk}")

    def at_send(self, life: Life, moment: Literal["before", "after"]) -> None:
        if not life.alive:
            raise Killed
        self._step_on(life, "before send" if moment == "before" else "after send")

    def _step_on(self, life: Life, where: Where) -> None:
        trap = self.trap
        if trap is None or trap.where != where:
            return
        trap.left -= 1
        if trap.left <= 0:
            self.trap = None
            self.world.say(f"killed {where}")
            self.kill(life)
            raise Killed

    def _interfere(self, write: Write) -> None:
        """Let another writer change one of the incidents first; the desk has to read again and decide anew."""
        before = {state.number: self.world.store.incident(state.number) for state in write.incidents}
        numbers = sorted(number for number, state in before.items() if state is not None)
        if not numbers or not write.events:
            return
        number = self.chance.choice(numbers)
        command: c.Command = c.Note(by="farid", text="written elsewhere")
        if self.chance.random() < 0.5:
            command = c.Acknowledge(by="farid", via="web")
        draft = Draft(self.world.store.last_number(), self.world.setting.policy(), lambda _state, _notify: b"")
        try:
            draft.apply(before[number], command, self.world.clock.now())
        except Refused:
            return
        if draft.happened:
            self.rivals -= 1
            self.world.say(f"another writer changes {number}")
            self.world.take(draft.write(), None)
