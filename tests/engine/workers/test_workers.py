"""Real worker processes: what they see is what the daemon would see, and no end of theirs is a target's fault."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.core.pings import NOTHING
from sentinel.engine.clock import SystemClock
from sentinel.engine.prober import Outcome, Prober, Surroundings
from sentinel.engine.workers import process, wire, worker
from sentinel.engine.workers.wire import Ran
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import ProbePlan
from sentinel.probes.resolver import AioResolver
from tests.engine.workers.house import WITHIN_S, fleet, plans_of
from tests.fakes.dns_server import DnsServer, records
from tests.fakes.http_peer import HttpPeer
from tests.fakes.tcp_peer import TcpPeer
from tests.probes.test_icmp import may_ping
from tests.waiting import alive, until

COMMON = "service: campus, interval: 1s, timeout: 800ms, confirm: {attempts: 0}"
SECRET = "the-key-of-the-house"


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def here(plan: ProbePlan) -> Outcome:
    """Run a probe in this process."""
    clock, resolver = SystemClock(), AioResolver()
    around = Surroundings(
        clock=clock,
        resolver=resolver,
        policy=TargetPolicy(),
        since=lambda _name: clock.now(),
        heard=lambda _name: NOTHING,
        lagging=lambda _seconds: False,
        bug=lambda _where: None,
    )
    try:
        return await Prober(around).run(plan, plan.targets[0])
    finally:
        await resolver.close()


def compared(result: object, verdict: str, samples: set[object], phases: set[str]) -> tuple[object, ...]:
    names = ("probe", "target", "ok", "reason", "detail", "attempts")
    return (*(getattr(result, name) for name in names), verdict, samples, phases)


def of_worker(ran: Ran) -> tuple[object, ...]:
    return compared(ran.result, ran.verdict, {(name, labels) for name, labels, _ in ran.samples}, set(ran.phases))


def of_here(outcome: Outcome) -> tuple[object, ...]:
    return compared(outcome.result, outcome.verdict, set(outcome.sight.samples), set(outcome.sight.phases))


def overheard(told: worker.Worker) -> list[wire.Order]:
    """Return what a worker is told from now on, in a list that grows."""
    orders: list[wire.Order] = []
    news = told._news

    def noted() -> Iterator[wire.Order]:
        for order in news():
            orders.append(order)
            yield order

    told._news = noted  # type: ignore[method-assign]
    return orders


async def test_a_run_in_a_worker_ends_as_one_in_the_daemon_does(tmp_path: Path):
    async with (
        HttpPeer() as page,
        TcpPeer() as port,
        DnsServer(records("www.example.org. 60 IN A 192.0.2.1")) as names,
        fleet() as one,
    ):
        lines = [
            f"page: {{{COMMON}, type: http, url: '{page.url}/x'}}",
            f"wrong: {{{COMMON}, type: http, url: '{page.url}/x', expect: {{status: 418}}}}",
            f"port: {{{COMMON}, type: tcp, target: '{port.address}'}}",
            f"closed: {{{COMMON}, type: tcp, target: '127.0.0.1:{closed_port()}'}}",
            f"name: {{{COMMON}, type: dns, server: '{names.address}', query: www.example.org}}",
            *([f"ping: {{{COMMON}, type: icmp, count: 1, target: 127.0.0.1}}"] if may_ping() else []),
        ]
        plans = plans_of(tmp_path, *lines)
        one.replace(plans)
        # A busy machine makes a result doubtful, and such a run looks once more.
        await until(lambda: {ran.result.probe for ran in one.ran if not ran.result.doubt} == set(plans))
        told = {ran.result.probe: ran for ran in reversed(one.ran) if not ran.result.doubt}
        for name, plan in plans.items():
            assert of_worker(told[name]) == of_here(await here(plan))
        good = {name for name in plans if told[name].result.ok}
        assert good == plans.keys() - {"wrong", "closed"}
        assert one.at_home == []


async def test_a_worker_that_is_killed_is_replaced_and_nothing_is_said_of_its_targets(tmp_path: Path):
    async with TcpPeer() as port, fleet() as one:
        one.replace(plans_of(tmp_path, f"port: {{{COMMON}, type: tcp, target: '{port.address}'}}"))
        await until(lambda: one.ran)
        killed, before = one.worker().pid, len(one.ran)
        orders = overheard(one.worker())
        os.kill(killed, signal.SIGKILL)
        await until(lambda: len(one.ran) > before)
        assert one.worker().pid != killed
        assert one.restarts == ["ended"]
        assert all(ran.result.ok for ran in one.ran)
        (take,) = [order for order in orders if isinstance(order, wire.Take)]
        at = one.ran[before - 1].result.at.timestamp()
        assert take.last_runs == (("port", port.address, at),), "so that the target keeps its turn"


async def test_a_worker_that_stands_still_is_noticed_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "LOOK_EVERY_S", 0.2)
    async with TcpPeer() as port, fleet() as one:
        one.replace(plans_of(tmp_path, f"port: {{{COMMON}, type: tcp, target: '{port.address}'}}"))
        await until(lambda: one.ran)
        stopped = one.worker().pid
        os.kill(stopped, signal.SIGSTOP)
        await until(lambda: one.restarts)
        assert one.restarts == ["hung"]
        assert not alive(stopped)
        before = len(one.ran)
        await until(lambda: len(one.ran) > before)
        assert all(ran.result.ok for ran in one.ran)


async def test_a_program_that_is_no_worker_is_tried_again_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    monkeypatch.setattr(worker, "RESTART_FIRST_S", 0.05)
    monkeypatch.setattr(worker, "TROUBLE_AFTER_S", 0.0)
    async with fleet() as one:
        one.replace(plans_of(tmp_path, f"port: {{{COMMON}, type: tcp, target: '127.0.0.1:9'}}"))
        await until(lambda: len(one.restarts) == 3)
        assert set(one.restarts) == {"start"}
        assert one.fleet.troubles() == ["probe worker 0 does not run"]


async def test_who_asks_for_a_run_gets_it_from_the_worker_that_has_the_target(tmp_path: Path):
    slow = COMMON.replace("interval: 1s", "interval: 1h")
    async with TcpPeer() as port, fleet(2) as one:
        one.replace(
            plans_of(
                tmp_path,
                f"port: {{{slow}, type: tcp, target: '{port.address}'}}",
                f"plugin: {{{slow}, type: exec, run: [/bin/true]}}",
            )
        )
        assert await asyncio.wait_for(one.fleet.run_now("port"), WITHIN_S)
        asked = len(one.of("port"))
        assert asked >= 1
        assert await asyncio.wait_for(one.fleet.run_now("port"), WITHIN_S)
        assert len(one.of("port")) > asked, "the result is there before the answer"
        assert await asyncio.wait_for(one.fleet.run_now("plugin"), WITHIN_S)
        assert "plugin" in one.at_home
        assert not await one.fleet.run_now("nobody")


async def test_a_run_that_somebody_waits_for_survives_the_worker(tmp_path: Path):
    slow = COMMON.replace("interval: 1s", "interval: 1h")
    async with TcpPeer() as port, fleet() as one:
        one.replace(plans_of(tmp_path, f"port: {{{slow}, type: tcp, target: '{port.address}'}}"))
        await until(lambda: one.worker().up)
        os.kill(one.worker().pid, signal.SIGSTOP)
        asked = asyncio.create_task(one.fleet.run_now("port"))
        os.kill(one.worker().pid, signal.SIGKILL)
        assert await asyncio.wait_for(asked, WITHIN_S)
        assert one.of("port")


async def test_a_reload_tells_workers_only_what_changed(tmp_path: Path):
    async with TcpPeer() as port, TcpPeer() as other, fleet() as one:
        kept = f"kept: {{{COMMON}, type: tcp, target: '{port.address}'}}"
        one.replace(plans_of(tmp_path, kept, f"gone: {{{COMMON}, type: tcp, target: '{port.address}'}}"))
        await until(lambda: one.of("kept") and one.of("gone"))
        pid = one.worker().pid
        orders = overheard(one.worker())
        one.replace(plans_of(tmp_path, kept, f"new: {{{COMMON}, type: tcp, target: '{other.address}'}}"))
        await until(lambda: one.of("new"))
        told = [type(order).__name__ for order in orders]
        assert told == ["Drop", "Take", "Apply"]
        assert one.worker().pid == pid
        before, gone = len(one.of("kept")), len(one.of("gone"))
        await until(lambda: len(one.of("kept")) > before)
        assert len(one.of("gone")) <= gone + 1, "what was under way may still come in"


async def test_workers_come_and_go_with_the_configuration(tmp_path: Path):
    async with TcpPeer() as port, fleet(1) as one:
        lines = [f"p{n}: {{{COMMON}, type: tcp, target: '{port.address}'}}" for n in range(2)]
        plans = plans_of(tmp_path, *lines)
        one.replace(plans)
        await until(lambda: one.worker().up)
        first = one.worker().pid
        one.fleet.working = type(one.fleet.working)(2)
        one.replace(plans)
        await until(lambda: one.worker(1).up)
        assert one.worker().pid == first
        second = one.worker(1).pid
        one.fleet.working = type(one.fleet.working)(0)
        one.replace(plans)
        await until(lambda: not alive(first) and not alive(second))
        await until(lambda: set(one.at_home) == set(plans))


async def test_a_stop_ends_what_is_under_way_and_leaves_no_process(tmp_path: Path):
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with TcpPeer(silent) as port, fleet(2) as one:
        waits = f"port: {{{COMMON}, type: tcp, target: '{port.address}', steps: [{{expect: hello}}]}}"
        one.replace(plans_of(tmp_path, waits))
        await until(lambda: all(one.worker(number).up for number in range(2)))
        pids = [one.worker(number).pid for number in range(2)]
        await asyncio.wait_for(one.fleet.stop(), worker.STOP_WITHIN_S)
        assert not any(map(alive, pids))
        assert one.restarts == []


async def test_no_secret_stands_where_other_users_can_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SENTINEL_TEST_KEY", SECRET)
    async with HttpPeer() as page, fleet() as one:
        one.replace(
            plans_of(
                tmp_path,
                f"page: {{{COMMON}, type: http, url: '{page.url}/', headers: {{X-Key: '${{env:SENTINEL_TEST_KEY}}'}}}}",
            )
        )
        await until(lambda: one.ran)
        assert one.ran[0].result.ok
        proc = Path(f"/proc/{one.worker().pid}")
        for name in ("cmdline", "environ"):
            assert SECRET.encode() not in (proc / name).read_bytes()
        assert b"sentinel.engine.workers" in (proc / "cmdline").read_bytes()
