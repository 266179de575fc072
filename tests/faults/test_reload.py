"""Configurations that change under a running daemon: a bad one changes nothing, a good one loses nothing."""

from __future__ import annotations

import copy
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from tests.fakes.http_peer import HttpPeer
from tests.faults.daemon import Launcher, Site, site

FLOOD = 1_000
CUT_EVERY_CHARS = 60
RELOADED = "sentinel_config_last_reload_successful"
BOB = {"name": "Bob", "mobile": "+33639980002"}
CAROL = {"name": "Carol", "mobile": "+33639980003"}
EXAMPLE = Path(__file__).parents[2] / "probes.yaml"


def reloads(practice: Site) -> int:
    return practice.log.count("configuration in use")


def refusals(practice: Site) -> int:
    return practice.log.count("configuration refused")


async def metric(practice: Site, name: str) -> float:
    _, page = await practice.ask("/metrics")
    return next(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(f"{name} "))


async def reload(practice: Site, config: dict[str, Any] | None = None) -> None:
    """Put a configuration in use by SIGHUP."""
    practice.write(config)
    before = reloads(practice)
    practice.signal(signal.SIGHUP)
    await practice.until(lambda: reloads(practice) > before, "the reload")


async def test_a_start_names_all_mistakes_and_touches_nothing(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["probes"]["home"]["type"] = "htpp"
        practice.config["rules"][0]["level"] = 7
        practice.config["services"]["campus"]["escalation"] = "nobody"
        practice.write()
        practice.process = practice.launch()
        assert await practice.exit_code() == 3
        lines = practice.log.splitlines()
        assert all(line.startswith(f"{practice.path}:") for line in lines), practice.log
        for place in ("probes.home.type", "rules.0.level", "services.campus.escalation"):
            assert place in practice.log
        assert not (tmp_path / "state").exists()


@pytest.mark.fault(62)
async def test_a_bad_configuration_changes_nothing_by_signal_or_by_request(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        bad = copy.deepcopy(practice.config)
        bad["people"] = {}
        practice.write(bad)
        practice.signal(signal.SIGHUP)
        await practice.until(lambda: refusals(practice) == 1, "the refusal")
        assert await metric(practice, RELOADED) == 0
        practice.path.write_text(practice.path.read_text()[:-40])  # half-written
        status, said = await practice.ask("/-/reload", "POST")
        assert status == 400
        assert f"{practice.path}:" in said
        assert "old configuration stays in use" in said
        practice.path.unlink()
        assert (await practice.ask("/-/reload", "POST"))[0] == 400
        practice.target.status = 503
        await practice.until(practice.settled, "the pages of the old configuration")
        practice.write()
        assert (await practice.ask("/-/reload", "POST"))[0] == 200
        assert await metric(practice, RELOADED) == 1
        assert practice.ready()
        await practice.stop()


@pytest.mark.fault(62)
def test_a_file_cut_anywhere_is_refused_in_words_or_is_whole(tmp_path: Path):
    text = EXAMPLE.read_text()
    path = tmp_path / "probes.yaml"
    mistakes: list[str] = []
    ends = range(0, len(text), CUT_EVERY_CHARS)
    for end in ends:
        path.write_text(text[:end])
        with suppress(ConfigError):
            load(path)
            continue
        with pytest.raises(ConfigError) as refused:
            load(path)
        mistakes.append(str(refused.value.mistakes[0]))
    assert all(mistake.startswith(f"{path}:") for mistake in mistakes)
    assert len(mistakes) > len(ends) / 4


@pytest.mark.fault(61)
@pytest.mark.rule("LIF-5")
async def test_an_open_incident_keeps_its_plan(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["people"].update(bob=BOB, carol=CAROL)
        steps = practice.config["escalations"]["on-call"]
        steps[0]["by"] = ["sms"]
        steps.append({"at": "4s", "to": ["bob"], "by": ["sms"]})
        await practice.start()
        practice.target.status = 503
        await practice.until(practice.settled, "the first page")
        steps[:] = [{"at": "0m", "to": ["carol"], "by": ["sms"]}]
        await reload(practice)
        await practice.until(lambda: len(practice.gateway.texts) == 2, "the second step")
        await practice.stop()
        assert [text["to"] for text in practice.gateway.texts] == ["+33639980001", "+33639980002"]
        assert practice.told().count("escalated") == 2


@pytest.mark.fault(61)
@pytest.mark.rule("DSP-4")
async def test_the_waiting_page_of_a_removed_person_ends_and_the_next_one_is_told(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        del practice.config["people"]["alice"]["email"]
        practice.config["people"].update(bob=BOB)
        steps = practice.config["escalations"]["on-call"]
        steps[0]["by"] = ["sms"]
        steps.append({"at": "1h", "to": ["bob"], "by": ["sms"]})
        practice.gateway.silent = True
        await practice.start(patience_s=1.0)
        practice.target.status = 503
        await practice.until(lambda: practice.gateway.received, "the page to Alice")
        del practice.config["people"]["alice"]
        del steps[0]
        await reload(practice)
        practice.gateway.silent = False
        await practice.until(lambda: [t for t in practice.gateway.texts if t["to"] == BOB["mobile"]], "the page to Bob")
        page = "INC-1/2/alice/sms"
        await practice.until(lambda: practice.messages()[page].state == "dead", "the end of the page to Alice")
        await practice.until(lambda: practice.told().count("not-told") == 2, "that it failed, and that it is over")
        await practice.stop()
        assert "alice has no mobile address any more" in practice.messages()[page].error
        assert "1h" not in practice.log


async def test_probes_that_did_not_change_keep_their_times(tmp_path: Path, launcher: Launcher):
    async with HttpPeer() as slow, HttpPeer() as changed, site(tmp_path, launcher) as practice:
        usual = practice.config["probes"]["home"]
        for name, peer in (("slow", slow), ("changed", changed)):
            practice.config["probes"][name] = {**usual, "url": peer.url, "interval": "6h"}
        await practice.start()
        await practice.until(lambda: slow.received and changed.received, "the first runs")
        for path in ("/a", "/b", "/c"):
            practice.config["probes"]["changed"]["url"] = changed.url + path
            await reload(practice)
            await practice.until(lambda path=path: changed.received[-1].path == path, "a run of what changed")
        seen = len(practice.target.received)
        await practice.until(lambda: len(practice.target.received) >= seen + 2, "the usual runs")
        await practice.stop()
        assert len(slow.received) == 1
        assert [asked.path for asked in changed.received] == ["/", "/a", "/b", "/c"]


@pytest.mark.fault(10)
async def test_a_flood_of_signals_is_a_few_reloads(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        for _ in range(FLOOD):
            practice.signal(signal.SIGHUP)
        await practice.until(lambda: reloads(practice) >= 1, "the reload")
        practice.target.status = 503
        await practice.until(practice.settled, "the pages")
        await practice.stop()
        assert reloads(practice) < FLOOD / 10
