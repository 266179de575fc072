"""Several targets of one probe are one incident; how many of them fail says how bad it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.config.shares import Share
from tests import virtual
from tests.engine import wired
from tests.engine.whole import PEOPLE, Whole, whole

FRONTS = ("web1", "web2", "web3", "web4", "web5")
CONFIG = f"""\
site: {{language: en}}
defaults: {{interval: 1m, confirm: {{attempts: 0}}, recover: {{need: 1}}}}
{PEOPLE}probes:
  fronts: {{type: icmp, service: campus, targets: [{", ".join(FRONTS)}], quorum: 2}}
"""
RULES = """\
rules:
  - {name: half, match: {probe: fronts}, when: 50% of targets fail, level: 3, priority: P1}
  - {name: some, level: 2, priority: P3}
"""

pytestmark = pytest.mark.usefixtures("_wired")


async def lose(one: Whole, *targets: str) -> tuple[int, int]:
    """Lose these targets and no others; return the level of the one incident, and how many fail in it."""
    wired.DOWN.clear()
    wired.DOWN.update(targets)
    await asyncio.sleep(90)
    (incident,) = one.daemon.desk.open()
    return incident.level, len(incident.failing())


@pytest.mark.rule("SRC-8")
def test_below_its_quorum_a_part_fails_and_from_it_on_the_whole(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            await asyncio.sleep(90)
            assert await lose(one, "web1") == (2, 1)
            assert await lose(one, "web1", "web4") == (3, 2)
            assert await lose(one, "web4") == (3, 1), "what has been critical is not made less of by itself"
            wired.DOWN.clear()
            await asyncio.sleep(90)
            assert one.daemon.desk.open()[0].phase == "resolved"

    virtual.run(story())


def test_each_target_keeps_its_own_series(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            wired.DOWN.add("web1")
            await asyncio.sleep(90)
            seen = {dict(labels)["target"]: value for labels, value in one.samples()["probe_success"].items()}
            assert seen == {name: float(name != "web1") for name in FRONTS}

    virtual.run(story())


def test_without_a_quorum_all_of_them_must_fail(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG.replace(", quorum: 2", "")) as one:
            await asyncio.sleep(90)
            assert await lose(one, *FRONTS[:4]) == (2, 4)
            assert await lose(one, *FRONTS) == (3, 5)

    virtual.run(story())


def test_a_rule_can_ask_for_a_share_of_the_targets(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, CONFIG.replace(", quorum: 2", "") + RULES) as one:
            await asyncio.sleep(90)
            assert await lose(one, *FRONTS[:2]) == (2, 2)
            assert await lose(one, *FRONTS[:3]) == (3, 3)

    virtual.run(story())


@pytest.mark.parametrize(("written", "number"), [("1", 1), ("5", 5), ("1%", 1), ("40%", 2), ("50%", 3), ("100%", 5)])
def test_a_share_is_rounded_up(written: str, number: int):
    share = Share.read(written)
    assert (share.of(5), str(share)) == (number, written)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("6", "`quorum` is 6, and there are 5 targets (at probes.fronts.quorum)"),
        ("0", "'0' is neither a number nor a percentage above nothing"),
        ("0%", "'0%' is neither a number nor a percentage above nothing"),
        ("130%", "'130%' is over 100%"),
        ("most", "'most' is neither a number nor a percentage above nothing"),
    ],
)
def test_a_quorum_that_cannot_be_is_refused_where_it_stands(tmp_path: Path, written: str, said: str):
    path = tmp_path / "probes.yaml"
    path.write_text(CONFIG.replace("quorum: 2", f"quorum: {written}"))
    with pytest.raises(ConfigError) as refused:
        load(path)
    shown = "\n".join(str(mistake) for mistake in refused.value.mistakes)
    assert said in shown
    assert "probes.yaml:14:" in shown
