"""Who runs what: a host's targets stay together, and another worker moves as little as can be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sentinel.engine.workers.sharing import AUTO_MAX, part, share_out, worker_count, worker_of
from sentinel.probes.plan import ProbePlan
from tests.engine.workers.house import plans_of

HOSTS = [f"h{number}.example.org" for number in range(3_000)]
PORT = "port: {service: campus, type: tcp, interval: 10s, timeout: 1s, target: 'web1.example.org:22'}"


def test_hosts_are_shared_out_evenly():
    for workers in (2, 3, 8):
        counts = [0] * workers
        for host in HOSTS:
            counts[worker_of(host, workers)] += 1
        assert min(counts) > 0.8 * len(HOSTS) / workers


def test_one_more_worker_takes_its_part_and_moves_nothing_else():
    moved = [host for host in HOSTS if worker_of(host, 3) != worker_of(host, 4)]
    assert all(worker_of(host, 4) == 3 for host in moved)
    assert 0.2 < len(moved) / len(HOSTS) < 0.3


def test_all_targets_of_a_host_go_to_one_worker_whatever_the_probe(tmp_path: Path):
    plans = plans_of(
        tmp_path,
        PORT,
        "page: {service: campus, type: http, interval: 10s, timeout: 1s, url: 'https://web1.example.org/x'}",
        "ping: {service: campus, type: icmp, interval: 10s, timeout: 1s, target: web1.example.org}",
    )
    home, shares = share_out(plans.values(), 5)
    assert not home
    assert [set(share) for share in shares if share] == [{"port", "page", "ping"}]


def test_a_probe_of_many_hosts_is_split_and_nothing_is_lost(tmp_path: Path):
    targets = [f"h{number}.example.org" for number in range(40)]
    plans = plans_of(tmp_path, f"many: {{service: campus, type: icmp, interval: 10s, timeout: 1s, targets: {targets}}}")
    _, shares = share_out(plans.values(), 2)
    parts = [share["many"] for share in shares]
    assert sorted(target for one in parts for target in one.targets) == sorted(targets)
    assert all(one.targets for one in parts)
    assert {one.fingerprint for one in parts} == {plans["many"].fingerprint}


def test_what_is_called_and_what_starts_programs_stays_with_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SENTINEL_TEST_TOKEN", "0123456789abcdef0123")
    plans = plans_of(
        tmp_path,
        "job: {service: campus, type: heartbeat, token: '${env:SENTINEL_TEST_TOKEN}', every: 1m}",
        "plugin: {service: campus, type: exec, interval: 10s, timeout: 1s, run: [/bin/true]}",
        PORT,
        PORT.replace("port: {", "paused: {paused: true, "),
    )
    home, shares = share_out(plans.values(), 2)
    assert set(home) == {"job", "plugin", "paused"}
    assert sorted(name for share in shares for name in share) == ["port"]


def test_without_workers_everything_is_done_at_home(tmp_path: Path):
    plans = plans_of(tmp_path, PORT)
    assert share_out(plans.values(), 0) == (plans, [])


@pytest.mark.parametrize(
    ("targets", "interval_s", "cores", "count"),
    [
        (1_000, 60.0, 8, 0),
        (10_000, 60.0, 8, 0),
        (50_000, 60.0, 2, 2),
        (50_000, 60.0, 8, 5),
        (50_000, 60.0, 1, 0),
        (500_000, 60.0, 128, AUTO_MAX),
    ],
)
def test_auto_takes_a_worker_a_core_when_there_is_much_to_do(
    tmp_path: Path, targets: int, interval_s: float, cores: int, count: int
):
    one = plans_of(tmp_path, PORT)["port"]
    plan: ProbePlan = replace(one, targets=("t",) * targets, interval_s=interval_s)
    assert worker_count("auto", [plan], cores) == count
    assert worker_count("auto", [replace(plan, paused=True)], cores) == 0
    assert worker_count(3, [plan], cores) == 3


@pytest.mark.parametrize(("limit", "workers"), [(500, 2), (501, 2), (7, 3), (64, 64)])
def test_the_parts_of_a_limit_make_the_limit(limit: int, workers: int):
    assert sum(part(limit, number, workers) for number in range(workers)) == limit


def test_every_worker_may_run_something():
    assert part(1, 3, 4) == 1
