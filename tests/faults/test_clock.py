"""The host's clock is set while the daemon runs: what waits for its time is told neither early nor late (F50, F51)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.daemon import Child, Site, site
from tests.faults.test_sick_host import runs, value
from tests.real.components import where
from tests.real.process import SENTINEL


def library() -> Path:
    """Return what stands between a program and its clock."""
    (found,) = (where("faketime").parent.parent / "lib").glob("*/faketime/libfaketime.so.1")
    return found


class OnSetClock(Site):
    """A daemon on a clock that a file sets, in seconds, beside the host's own."""

    @property
    def offset(self) -> Path:
        return self.folder / "offset"

    def launch(self, **interference: object) -> Child:
        assert not interference
        self.output.append(self.folder / f"run-{len(self.output)}.log")
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with self.output[-1].open("wb") as output:
            return subprocess.Popen(
                [SENTINEL, "-c", self.path, "run"],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def set(self, by: str) -> None:
        fresh = self.offset.with_suffix(".new")
        fresh.write_text(f"{by}\n")
        fresh.rename(self.offset)


def ladder(practice: Site, second_at: str) -> None:
    """Have a second person told so long after the first."""
    practice.config["people"]["bruno"] = {"name": "Bruno", "mobile": "+33639980002"}
    practice.config["channels"]["sms"]["timeout"] = "10s"  # Whoever does not get it in time is followed by the next.
    practice.config["escalations"]["on-call"] = [
        {"at": "0m", "to": ["alice"], "by": ["sms"]},
        {"at": second_at, "to": ["bruno"], "by": ["sms"], "unless": "acknowledged"},
    ]


def texted(practice: Site) -> list[str]:
    return [text["to"] for text in practice.gateway.texts]


@pytest.fixture
async def on_set_clock(tmp_path: Path) -> AsyncIterator[OnSetClock]:
    async with site(tmp_path) as plain:
        practice = OnSetClock(**{name: getattr(plain, name) for name in Site.__dataclass_fields__})
        try:
            yield practice
        finally:
            plain.process, plain.output = practice.process, practice.output


@pytest.mark.fault(55)
@pytest.mark.real("faketime")
async def test_a_host_whose_clock_was_never_set_pages_all_the_same_and_keeps_its_records_in_order(
    on_set_clock: OnSetClock,
):
    practice = on_set_clock
    practice.set("+0")
    practice.target.status = 500
    await practice.start()
    await practice.until(lambda: texted(practice), "a page, and with it something written down")
    practice.target.status = 200
    await practice.until(lambda: "resolved" in practice.told(), "its end")
    await practice.stop()
    practice.set(str(-int(time.time())))  # As a machine starts without a battery: in 1970.
    practice.write()
    practice.process = practice.launch()
    await practice.until(lambda: "the clock of the host was never set" in practice.log, "word of it")
    practice.target.status = 500
    sent = len(texted(practice))
    await practice.until(lambda: len(texted(practice)) > sent, "a page")
    assert (await practice.ask("/-/ready"))[0] == 503
    assert await asyncio.to_thread(value, practice, "sentinel_clock_held_seconds") < -1e9
    practice.target.status = 200
    await practice.until(lambda: {"resolved"} <= set(practice.told(practice.numbers()[-1])), "its end")
    practice.set("+0")
    await practice.until(lambda: "the clock of the host has been set" in practice.log, "the time")
    await practice.until(practice.ready, "word that all is well")
    await practice.stop()
    with practice.store() as store:
        assert store.verify() == [], "no time runs backwards"


@pytest.mark.fault(50, 51)
@pytest.mark.real("faketime")
@pytest.mark.parametrize(("by", "second_at"), [("+2h", "1h"), ("-1h", "12s")], ids=["forward", "back"])
async def test_setting_the_clock_moves_no_step_of_an_escalation(on_set_clock: OnSetClock, by: str, second_at: str):
    practice = on_set_clock
    practice.set("+0")
    ladder(practice, second_at)
    practice.target.status = 500
    await practice.start()
    await practice.until(lambda: texted(practice) == ["+33639980001"], "the first step")
    practice.set(by)
    await practice.until(lambda: "clock of the host has jumped" in practice.log, "word of it")
    if second_at == "1h":  # Two hours have passed on the host's clock, and none in the world.
        seen = await asyncio.to_thread(runs, practice, "http", "failure")
        await practice.until(lambda: runs(practice, "http", "failure") >= seen + 5, "a while")
        assert texted(practice) == ["+33639980001"]
        assert await asyncio.to_thread(value, practice, "sentinel_clock_held_seconds") > 7000
    else:
        await practice.until(lambda: texted(practice)[1:] == ["+33639980002"], "the second step")
    await practice.stop()
