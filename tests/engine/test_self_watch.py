"""What does not work in Sentinel itself is told to whoever watches it, once each, and ends by itself."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core.model import Signal, Verdict
from sentinel.core.state import Incident
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

FARID = """\
  farid: {name: Farid Haddad, email: farid@example.org, mobile: "+33639980006"}
channels:"""
SPARE = """\
  spare: {type: outbox, path: spare, as: email}
escalations:"""
WATCHED = """\
site: {language: en}
watchdog:
  self_alert: {to: [farid], by: [spare], if: [no_cycle_for: 11m, channel_down: 15m, queue_older_than: 5m]}
tickets: {open: {min_level: 2}}
"""
CONFIG = WATCHED + PEOPLE.replace("channels:", FARID).replace("escalations:", SPARE) + HEARTBEAT


def configured(tmp_path: Path, text: str = CONFIG) -> str:
    return text.replace("path: spare", f"path: {tmp_path / 'spare'}").replace("every: 10m", "every: 7d")


def own(one: Whole) -> list[Incident]:
    return [state for state in one.daemon.desk.open() if state.rule == "self-alert" and state.active]


def spoil(one: Whole) -> None:
    """Let nothing be put into the outbox folder any more."""
    shutil.rmtree(one.folder / "outbox", ignore_errors=True)
    (one.folder / "outbox").write_text("a file where the folder should be")


async def page(one: Whole, key: str = "person:1", level: int = 3) -> None:
    now = one.daemon.clock.now()
    signal = Signal(key=key, source="person", title="Slow", at=now, since=now, service="campus")
    verdict = Verdict(rule="r", level=level, severity="major", priority="P2", title="Slow", dedup=key)
    await one.daemon.desk.report(signal, verdict)


def spare(one: Whole) -> str:
    return "".join(path.read_text() for path in sorted((one.folder / "spare").glob("*")) if path.is_file())


@pytest.mark.fault(35, 39)
def test_a_channel_that_carries_nothing_is_told_after_its_time_and_over_when_it_works(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            spoil(one)
            await page(one)
            await asyncio.sleep(14 * 60)
            assert own(one) == []
            await asyncio.sleep(2 * 60)
            assert {state.title for state in own(one)} == {
                "Channel sms carries nothing",
                "Channel email carries nothing",
            }
            assert {page.person for state in own(one) for page in state.reached} == {"farid"}
            assert "Channel sms carries nothing" in spare(one)
            assert all(state.ticket == "" and not state.plan.ticket for state in own(one))
            (one.folder / "outbox").unlink()
            await asyncio.sleep(15 * 60)
            assert own(one) == []

    virtual.run(story())


def test_a_channel_with_nothing_left_to_carry_is_asked_whether_it_works_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            spoil(one)
            await page(one)
            await asyncio.sleep(16 * 60)
            await one.daemon.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
            await one.daemon.desk.order(
                "INC-1", c.Resolve(by="amina", text="fixed", close_by=one.daemon.desk.close_by(one.daemon.clock.now()))
            )
            (one.folder / "outbox").unlink()
            await asyncio.sleep(12 * 60)
            assert own(one) == []

    virtual.run(story())


def test_probes_that_are_not_run_any_more_are_told_once_and_a_restart_ends_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await asyncio.sleep(300)
            await one.daemon.scheduler.stop()
            await asyncio.sleep(20 * 60)
            (told,) = own(one)
            assert (told.title, told.level) == ("Sentinel no longer runs all its probes", 3)
            assert "Not every probe was run in time since" in next(iter(told.signals.values())).signal.detail
            now = one.daemon.clock.now()
        async with whole(tmp_path, configured(tmp_path), start=now) as again:
            await asyncio.sleep(5 * 60)
            assert own(again) == []
            assert again.daemon.desk.open()[0].resolution == "every probe is run in time again"

    virtual.run(story())


def test_messages_that_wait_too_long_are_told_where_no_carrier_is_to_blame(tmp_path: Path) -> None:
    text = configured(tmp_path).replace("channel_down: 15m, ", "")

    async def story() -> None:
        async with whole(tmp_path, text) as one:
            spoil(one)
            await page(one)
            await asyncio.sleep(6 * 60)
            assert [state.title for state in own(one)] == ["Messages wait and do not leave"]
            (one.folder / "outbox").unlink()
            await asyncio.sleep(15 * 60)
            assert own(one) == []

    virtual.run(story())


def test_without_a_condition_nothing_is_told(tmp_path: Path) -> None:
    text = configured(tmp_path)
    text = text.replace(", if: [no_cycle_for: 11m, channel_down: 15m, queue_older_than: 5m]", "")

    async def story() -> None:
        async with whole(tmp_path, text) as one:
            spoil(one)
            await page(one)
            await asyncio.sleep(3600)
            assert own(one) == []

    virtual.run(story())


def test_a_ticket_that_is_not_opened_in_time_is_told_and_counted_until_it_is_there(tmp_path: Path) -> None:
    mirror = "mirror: [{backend: glpi, url: 'http://127.0.0.1:9/', token: '${file:token2}'}]"
    text = configured(tmp_path).replace("open: {min_level: 2}", "open: {within: 5m}, " + mirror)

    async def story() -> None:
        async with whole(tmp_path, text) as one:
            await page(one, level=2)
            await asyncio.sleep(4 * 60)
            assert own(one) == []
            await asyncio.sleep(2 * 60)
            (told,) = own(one)
            assert told.title == "Tickets are not opened in time"
            assert "INC-1" in next(iter(told.signals.values())).signal.detail
            assert one.value("sentinel_tickets_late", backend="glpi") == 1
            assert one.value("sentinel_tickets_late", backend="builtin") == 0
            one.write(one.daemon.path.read_text().replace(mirror, "mirror: []"))
            assert (await one.daemon.reload()).done
            await one.daemon.desk.order("INC-1", c.LinkTicket(backend="glpi", reference="7"))
            await asyncio.sleep(60)
            assert own(one) == []
            state = await one.daemon.desk.look_at("INC-1")
            assert (state.ticket, state.mirrored) == ("T-1", {"glpi": "7"})

    virtual.run(story())
