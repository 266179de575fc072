"""Being told to stop with much to do, and being stopped and continued by a host that pauses its machines."""

from __future__ import annotations

import asyncio
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.faults.daemon import Launcher, Site, local_part, site

INCIDENTS = 3  # Of more at once a person is told by digests.
PEOPLE = 14
MESSAGES = INCIDENTS * PEOPLE
PAUSED_S = 4.0
TOKEN = "5d1a5d4e-8c54-4bc2-9d5d-0c53d0d0a6a1"


async def raise_many(practice: Site) -> None:
    """Let a person report so many things that are critical."""
    for number in range(INCIDENTS):
        body = {"title": f"fault {number}", "level": 3, "service": "campus", "by": "bob"}
        status, said = await practice.ask("/api/v1/incidents", "POST", body)
        assert status == 201, said


def waiting(practice: Site) -> int:
    return int(practice.rows("SELECT count(*) FROM outbox WHERE kind = 'message' AND state <> 'done'")[0][0])


@pytest.mark.fault(8)
@pytest.mark.rule("DSP-3")
@pytest.mark.parametrize("answers", [True, False], ids=["slow carrier", "carrier that never answers"])
async def test_what_is_queued_at_a_stop_is_sent_after_the_next_start(tmp_path: Path, launcher: Launcher, answers: bool):
    async with site(tmp_path, launcher) as practice:
        practice.config["escalations"]["on-call"][0]["by"] = ["sms"]
        practice.config["people"]["bob"] = {"name": "Bob", "email": "bob@example.org"}
        on_call = {f"p{number}": {"mobile": f"+336399801{number:02}"} for number in range(PEOPLE)}
        practice.config["people"].update(on_call)
        practice.config["escalations"]["on-call"][0]["to"] = list(on_call)
        practice.config["channels"]["sms"]["timeout"] = "30s"
        practice.config["probes"]["home"]["paused"] = True  # All there is to tell is what a person reports.
        practice.gateway.silent = True
        await practice.start(send_within_s=2.0)
        await raise_many(practice)
        await practice.until(lambda: len(practice.gateway.received) == 4, "as many as may be under way")
        practice.signal(signal.SIGTERM)
        await practice.until(lambda: "stopping" in practice.log, "the beginning of the end")
        under_way = {text["ref"] for text in practice.gateway.texts}
        if answers:
            practice.gateway.let_go()
        assert await practice.exit_code() == 0, practice.log
        practice.must_not_have_stumbled()
        rows = practice.messages()
        states = {name: row.state for name, row in rows.items()}
        assert {states[name] for name in under_way} == {"done" if answers else "sending"}
        assert len([state for state in states.values() if state == "pending"]) >= MESSAGES - 4
        practice.gateway.silent = False
        await practice.start()
        await practice.until(lambda: waiting(practice) == 0, "the rest")
        await practice.stop()
        copies = practice.copies()
        twice = set() if answers else {local_part(name) for name in under_way}
        assert copies.keys() == practice.owed().keys()
        assert {name for name, number in copies.items() if number > 1} == twice
        assert max(copies.values()) <= 2


@pytest.mark.fault(6)
@pytest.mark.rule("ESC-1")
async def test_killed_while_the_next_step_waits_it_comes_at_the_start_once(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["people"]["bob"] = {"name": "Bob", "mobile": "+33639980002"}
        practice.config["escalations"]["on-call"] = [
            {"at": "0m", "to": ["alice"], "by": ["sms"]},
            {"at": "3s", "to": ["bob"], "by": ["sms"]},
        ]
        await practice.start()
        practice.target.status = 503
        await practice.until(practice.settled, "the first step, written down")
        practice.signal(signal.SIGKILL)
        await practice.killed()
        await asyncio.sleep(3)  # It falls due while nobody is there.
        await practice.start()
        await practice.until(lambda: len(practice.gateway.texts) == 2, "the second step")
        await practice.until(practice.settled, "its receipt")
        await practice.stop()
        assert [text["to"] for text in practice.gateway.texts] == ["+33639980001", "+33639980002"]
        assert practice.told().count("escalated") == 2


async def beat(practice: Site) -> None:
    """Call the heartbeat four times a second, as a job does that runs on another machine."""
    url = f"http://127.0.0.1:{practice.port}/ping/{TOKEN}"
    while True:
        asyncio.get_running_loop().run_in_executor(None, lambda: urllib.request.urlopen(url, timeout=10).close())
        await asyncio.sleep(0.25)


@pytest.mark.fault(9)
async def test_a_pause_of_the_whole_process_is_neither_a_burst_nor_an_alarm(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        practice.config["probes"]["job"] = {"type": "heartbeat", "token": "${env:TOKEN}", "every": "1s", "grace": "2s"}
        practice.config["probes"]["job"] |= {"interval": "500ms", "timeout": "400ms", "service": "campus"}
        practice.config["defaults"] = {"confirm": {"attempts": 3, "every": "20ms", "need": 3}}
        await practice.start(environ={"TOKEN": TOKEN})
        job = asyncio.create_task(beat(practice))
        await practice.until(lambda: len(practice.target.received) >= 4, "a few runs")
        practice.signal(signal.SIGSTOP)
        await asyncio.sleep(0.2)  # A request under way may still arrive.
        before = len(practice.target.received)
        await asyncio.sleep(PAUSED_S)
        assert len(practice.target.received) == before
        begin = asyncio.get_running_loop().time()
        practice.signal(signal.SIGCONT)
        await practice.until(lambda: len(practice.target.received) >= before + 6, "runs as before")
        took_s = asyncio.get_running_loop().time() - begin
        assert len(practice.target.received) - before <= 2 * took_s + 3, "what was missed is not made up for"
        job.cancel()
        await practice.stop()
        assert practice.numbers() == []
        assert "target failing" not in practice.log
