"""Two Sentinels that watch each other: who is gone is told once, a link that is cut is told once at both ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sentinel.channels.base import Undelivered
from sentinel.core.state import Incident
from sentinel.engine.peers import PeerPlan, Seen
from tests import virtual
from tests.engine.test_canary import CUT_OFF, FARID, SPARE, UPLINK
from tests.engine.whole import HEARTBEAT, PEOPLE, START, Whole, whole

WATCHED = """\
site: {language: fr}
watchdog:
  self_alert: {to: [farid], by: [spare]}
  peers:
    lyon: {url: "http://127.0.0.1:9", key: "${file:token2}", every: 15s, silent_for: 90s}
"""


@dataclass
class Other:
    """Another Sentinel as it is seen over the wire. It shares our clock here, but need not."""

    reachable: bool = True
    ready: bool = True
    failing: tuple[str, ...] = ()
    behind: timedelta = timedelta(0)
    asked: int = 0
    _passed_at: datetime = field(default=START)
    one: Whole | None = None

    async def ask(self) -> Seen:
        assert self.one is not None
        self.asked += 1
        if not self.reachable:
            raise Undelivered("127.0.0.1 cannot be reached: connection refused")
        now = self.one.daemon.clock.now() - self.behind
        if not self.failing:
            self._passed_at = now
        return Seen(ready=self.ready, at=now, passed_at=self._passed_at, failing=self.failing)


@asynccontextmanager
async def paired(
    folder: Path, start: datetime = START, text: str = WATCHED, more: str = ""
) -> AsyncIterator[tuple[Whole, Other]]:
    """Run a daemon with a peer that does as it is told."""
    people = PEOPLE.replace("channels:", FARID).replace("escalations:", SPARE)
    people = people.replace("path: spare", f"path: {folder / 'spare'}")
    config = text + people + HEARTBEAT.replace("every: 10m", "every: 7d") + more
    async with whole(folder, config, start) as one:
        other = Other(one=one)
        one.daemon.watching.peers.configure({"lyon": PeerPlan(ask=other.ask, every_s=15, silent_for_s=90)})
        yield one, other


def own(one: Whole) -> list[Incident]:
    return [state for state in one.daemon.desk.open() if state.rule == "self-alert" and state.active]


def spare(one: Whole) -> list[Path]:
    return sorted((one.folder / "spare").glob("*.eml"))


def test_a_peer_that_is_gone_is_told_once_to_our_administrators_and_to_no_customer(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, lyon):
            await asyncio.sleep(600)
            assert own(one) == []
            assert one.value("sentinel_peer_up", peer="lyon") == 1
            lyon.reachable = False
            await asyncio.sleep(80)
            assert own(one) == []
            await asyncio.sleep(40)
            (told,) = own(one)
            assert told.title == "La supervision de lyon est muette"
            detail = next(iter(told.signals.values())).signal.detail
            assert detail.startswith("La supervision de lyon est muette depuis ")
            assert {page.person for page in told.reached} == {"farid"}
            assert (told.service, told.ticket) == ("", "")
            assert one.value("sentinel_peer_up", peer="lyon") == 0
            await asyncio.sleep(40 * 60)
            assert [state.number for state in own(one)] == [told.number]
            assert len(spare(one)) == 2, "that it is silent, and that nobody has taken it"
            lyon.reachable = True
            await asyncio.sleep(50)
            assert own(one), "one answer is no recovery"
            await asyncio.sleep(60)
            assert own(one) == []
            assert [row.plan.name for row in one.daemon.live.rows()] == ["backup"], "it is no target of ours"

    virtual.run(story())


def test_a_peer_that_calls_and_cannot_be_reached_is_cut_off_one_way(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, lyon):
            lyon.reachable = False
            for _ in range(12):
                one.daemon.watching.peers.heard("lyon")
                await asyncio.sleep(15)
            (told,) = own(one)
            assert told.title == "La supervision de lyon n'est plus joignable d'ici"
            assert told.level == 2

    virtual.run(story())


def test_a_peer_whose_self_test_fails_is_ill_however_well_it_answers(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, lyon):
            lyon.behind = timedelta(hours=2)  # Its clock is its own affair.
            await asyncio.sleep(300)
            assert own(one) == []
            lyon.failing = ("store",)
            await asyncio.sleep(180)
            assert own(one) == [], "a self-test may fail for a moment"
            await asyncio.sleep(180)
            (told,) = own(one)
            assert told.title == "La supervision de lyon est malade"

    virtual.run(story())


def test_one_that_is_not_ready_is_not_well(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, lyon):
            lyon.ready = False
            await asyncio.sleep(180)
            assert [state.title for state in own(one)] == ["La supervision de lyon est malade"]

    virtual.run(story())


def test_a_link_that_comes_and_goes_is_no_flood(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, lyon):
            for _ in range(8):
                lyon.reachable = False
                await asyncio.sleep(150)
                lyon.reachable = True
                await asyncio.sleep(100)
            assert len(one.daemon.desk.open()) <= 1
            assert len(spare(one)) <= 4, "the longer it goes on, the longer it must be well"

    virtual.run(story())


def test_when_our_own_host_is_cut_off_nothing_is_said_of_others(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path, text=CUT_OFF + WATCHED, more=UPLINK) as (one, lyon):
            await one.daemon.isolation.excuses()
            lyon.reachable = False
            await asyncio.sleep(600)
            assert one.daemon.isolation.cut_off
            assert own(one) == []

    virtual.run(story())


def test_a_restart_while_a_peer_is_gone_does_not_say_that_it_is_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, lyon):
            lyon.reachable = False
            await asyncio.sleep(180)
            (told,) = own(one)
            now = one.daemon.clock.now()
        async with paired(tmp_path, now) as (again, lyon):
            lyon.reachable = False
            await asyncio.sleep(600)
            assert [state.number for state in own(again)] == [told.number]
            assert len(spare(again)) == 2, "that it is silent, and that nobody has taken it"
            lyon.reachable = True
            await asyncio.sleep(180)
            assert own(again) == []

    virtual.run(story())


def test_after_we_stood_still_ourselves_nobody_else_is_called_silent(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, _):
            await asyncio.sleep(60)
            known = one.daemon.watching.peers._known["lyon"]
            known.well_at -= 3600  # As after an hour in which nothing ran here.
            await asyncio.sleep(60)
            assert own(one) == []

    virtual.run(story())


def test_its_key_is_heard_at_the_door_for_pings_and_counts_as_nobodys_heartbeat(tmp_path: Path) -> None:
    async def story() -> None:
        async with paired(tmp_path) as (one, _):
            (job,) = [job for job in one.doors.settings().jobs if job.name == "peer:lyon"]
            assert job.key == "d4a2e0aa-0000-4000-8000-000000000002"
            from sentinel.core.pings import Said

            await one.daemon.heard(job.name, Said())
            assert one.value("sentinel_peer_last_seen_timestamp_seconds", peer="lyon") > 0
            with suppress(KeyError):
                one.value("probe_heartbeat_last_seen_timestamp_seconds", probe="peer:lyon")
                raise AssertionError("it is no probe")

    virtual.run(story())
