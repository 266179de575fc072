"""When nothing else works, one message leaves by the shortest way there is: once for each cause, and once an hour."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner

from sentinel.cli import main
from sentinel.gasping import STANDS_AFTER_TICKS, Watchman
from sentinel.lastgasp import Gasp, LastGasp, MailWay, Ways, breathe
from sentinel.messages.last_gasp import CAUSES, write
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole
from tests.fakes.http_peer import HttpPeer
from tests.fakes.smtp_server import SmtpServer
from tests.faults.test_self_report import report

NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
GASP = Gasp("store", "[Campus] Sentinel ne peut plus alerter", "Sa base ne prend plus rien.\nIts database…\n", NOW)
BOUND_S = 60


def program(folder: Path) -> Path:
    """Write a program that keeps what it is given, a line for each call."""
    path = folder / "tell"
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$2" >>"{folder}/told"\ncat >>"{folder}/input"\n')
    path.chmod(0o700)
    return path


def told(folder: Path) -> list[str]:
    file = folder / "told"
    return file.read_text().splitlines() if file.exists() else []


def configured(folder: Path) -> str:
    gasp = f"watchdog: {{last_gasp: {{run: [{program(folder)}, --now, '{{text}}']}}}}\nsite: {{name: Campus}}\n"
    return gasp + PEOPLE + HEARTBEAT.replace("every: 10m", "every: 7d")


def spoil(one: Whole) -> None:
    shutil.rmtree(one.folder / "outbox", ignore_errors=True)
    (one.folder / "outbox").write_text("a file where the folder should be")


def test_a_dead_store_is_told_past_every_channel_and_again_only_after_a_while(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path).replace("'{text}']", "'{text}'], every: 15m")) as one:
            await asyncio.sleep(120)
            with closing(sqlite3.connect(tmp_path / "sentinel.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(100)
                assert told(tmp_path) == [], "it may be over in a moment"
                await asyncio.sleep(100)
                (line,) = told(tmp_path)
                assert "sa base de données ne prend ou ne rend plus rien" in line
                assert "its database takes nothing" in line
                await asyncio.sleep(10 * 60)
                assert len(told(tmp_path)) == 1
                await asyncio.sleep(6 * 60)
                assert len(told(tmp_path)) == 2
                other.execute("ROLLBACK")
            assert one.value("sentinel_last_gasps_total", result="sent") == 2

    virtual.run(story())


def test_all_channels_that_fail_are_told_and_one_that_works_is_enough_not_to(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await asyncio.sleep(60)
            spoil(one)
            await report(one)
            await asyncio.sleep(240)
            assert one.daemon.watching.gasping.deaf() is not None
            (line,) = told(tmp_path)
            assert "tous ses canaux échouent" in line
            one.daemon.watching.self_watch.attempted("sms", "ok")
            assert one.daemon.watching.gasping.causes() == []

    virtual.run(story())


def test_a_dispatcher_that_is_dead_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)):
            await asyncio.sleep(60)
            (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "dispatch"]
            task.cancel()
            await asyncio.sleep(240)
            (line,) = told(tmp_path)
            assert "une partie de son travail n'avance plus" in line
            assert "(dispatch)" in line

    virtual.run(story())


def test_nothing_is_told_while_all_is_well(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await report(one)
            await asyncio.sleep(900)
            assert told(tmp_path) == []

    virtual.run(story())


# The ways ---------------------------------------------------------------------------------------------------------


async def test_each_way_is_tried_by_itself_and_those_that_fail_do_not_keep_the_others(tmp_path: Path) -> None:
    async with HttpPeer() as peer, SmtpServer(starttls=False) as relay:
        mail = MailWay("127.0.0.1", relay.port, "sentinel@example.org", ("farid@example.org",))
        ways = Ways(run=(str(program(tmp_path)), "--now", "{text}"), url=f"{peer.url}/last", mail=mail)
        assert await asyncio.to_thread(breathe, ways, GASP) == ["run", "url", "mail"]
        assert told(tmp_path) == ["Sa base ne prend plus rien. Its database…"]
        assert (tmp_path / "input").read_text() == GASP.text
        assert peer.received[0].body.decode() == GASP.text
        (letter,) = relay.mails
        assert letter["Subject"] == GASP.subject
        assert letter["Auto-Submitted"] == "auto-generated"
        peer.status, relay.answers["RCPT"] = 500, "550 no such user"
        assert await asyncio.to_thread(breathe, ways, GASP) == ["run"]
        gone = Ways(
            run=("/nonexistent/tell",), url="http://127.0.0.1:9/", mail=MailWay("127.0.0.1", 9, "a@b", ("c@d",))
        )
        assert await asyncio.to_thread(breathe, gone, GASP) == []


async def test_a_redirect_is_not_followed() -> None:
    async with HttpPeer(status=302, headers={"Location": "http://127.0.0.1:9/elsewhere"}) as peer:
        assert await asyncio.to_thread(breathe, Ways(url=peer.url), GASP) == []


def test_no_shell_reads_what_it_says(tmp_path: Path) -> None:
    gasp = Gasp("store", "x", f'"; touch {tmp_path}/broken; $(touch {tmp_path}/broken)\n', NOW)
    assert breathe(Ways(run=(str(program(tmp_path)), "--now", "{text}")), gasp) == ["run"]
    assert not (tmp_path / "broken").exists()


def test_it_is_remembered_over_a_restart_and_where_no_folder_takes_it_in_memory(tmp_path: Path) -> None:
    ways = Ways(run=(str(program(tmp_path)), "--now", "{text}"))
    for folders, again in ((tmp_path / "no such folder", tmp_path), False), ((tmp_path / "no such folder",), True):
        shutil.rmtree(tmp_path / "told", ignore_errors=True)
        first, second = LastGasp(folders), LastGasp(folders)
        first.ways = second.ways = ways
        assert first.tell(GASP) == ["run"]
        assert first.tell(GASP) == []
        assert second.due("store", NOW + timedelta(minutes=59)) is again
        assert second.due("store", NOW + timedelta(minutes=61))
        assert second.due("channels", NOW)


def test_when_no_way_takes_it_it_is_tried_again_a_minute_later(tmp_path: Path) -> None:
    gasp = LastGasp([tmp_path])
    gasp.ways = Ways(run=("/nonexistent/tell",))
    assert gasp.tell(GASP) == []
    assert not gasp.due("store", NOW + timedelta(seconds=30))
    assert gasp.due("store", NOW + timedelta(seconds=61))


def test_every_cause_has_words_in_both_languages() -> None:
    for cause in CAUSES:
        subject, text = write(cause, "why", site="Campus", host="monitor1", language="en")
        assert subject == "[Campus] Sentinel can no longer alert"
        assert text.index("Sentinel, on monitor1") < text.index("Sentinel, sur monitor1")


def test_a_loop_that_stands_still_is_seen_from_a_thread_and_told_once() -> None:
    seen = threading.Event()
    calls: list[int] = []

    def stands() -> None:
        calls.append(1)
        seen.set()

    watchman = Watchman(lambda: 1.0, stands, tick_s=0.002)
    watchman.start()
    assert seen.wait(BOUND_S)
    watchman.stop()
    assert len(calls) == 1
    assert STANDS_AFTER_TICKS * 5 == 60


# The command ------------------------------------------------------------------------------------------------------


def ended(path: Path, result: str, *words: str) -> object:
    environ = {
        "SERVICE_RESULT": result,
        "EXIT_CODE": "killed",
        "EXIT_STATUS": "ABRT",
        "STATE_DIRECTORY": str(path.parent),
    }
    done = CliRunner().invoke(main, ["last-gasp", "-c", str(path), *words], env=environ)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code


def written(folder: Path, text: str) -> Path:
    (folder / "token").write_text("c3f1e0aa-0000-4000-8000-000000000001")
    (folder / "token").chmod(0o600)
    path = folder / "probes.yaml"
    path.write_text(text)
    return path


def test_the_unit_tells_how_it_ended_once_an_hour_and_nothing_of_an_end_that_was_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, configured(tmp_path))
    assert ended(path, "success") == 0
    assert told(tmp_path) == []
    assert ended(path, "watchdog", "--unit", "sentinel.service") == 0
    (line,) = told(tmp_path)
    assert "il s'est arrêté sur une erreur" in line
    assert "(sentinel.service, result watchdog, code killed, status ABRT)" in line
    assert ended(path, "watchdog") == 0
    assert len(told(tmp_path)) == 1
    os.utime(tmp_path / "last-gasp.ended", (0, 0))
    assert ended(path, "watchdog") == 0
    assert len(told(tmp_path)) == 2


def test_a_configuration_with_mistakes_elsewhere_can_still_tell(tmp_path: Path) -> None:
    path = written(tmp_path, configured(tmp_path) + "chanels: {}\n")
    assert ended(path, "exit-code") == 0
    assert len(told(tmp_path)) == 1
    path.write_text("probes: [\n")
    assert ended(path, "exit-code") == 3


def test_it_can_be_tried_and_says_when_no_way_takes_it(tmp_path: Path) -> None:
    path = written(tmp_path, configured(tmp_path))
    assert ended(path, "", "--test") == 0
    assert ended(path, "", "--test") == 0
    assert len(told(tmp_path)) == 2
    (tmp_path / "tell").unlink()
    assert ended(path, "", "--test") == 1
    path.write_text(PEOPLE + HEARTBEAT)
    assert ended(path, "", "--test") == 3
    assert ended(path, "exit-code") == 0
