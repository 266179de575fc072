"""The canary takes the way of every page, and its absence is what is told."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import shutil
from datetime import timedelta
from pathlib import Path

from sentinel.core.state import Incident
from sentinel.engine.tidying import CANARIES_KEPT_FOR
from sentinel.parts import TIDY_EVERY_S
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, START, Whole, whole

FARID = """\
  farid: {name: Farid Haddad, email: farid@example.org, mobile: "+33639980006"}
channels:"""
SPARE = """\
  spare: {type: outbox, path: spare, as: email}
escalations:"""
WATCHED = """\
site: {language: fr, name: Campus}
watchdog:
  self_alert: {to: [farid], by: [spare]}
  canary: {every: 10m, within: 150s, by: email, to: canary@example.org, back: mail}
"""
EVERY_S = 600
# Nobody listens on the discard port.
CUT_OFF = "isolation: {canaries: [uplink]}\n"
UPLINK = "  uplink: {type: tcp, target: '127.0.0.1:9', interval: 1h, timeout: 1s}\n"


def configured(folder: Path, text: str = WATCHED) -> str:
    """Return a configuration whose canary leaves by mail, and whose watchers are told another way."""
    people = PEOPLE.replace("channels:", FARID).replace("escalations:", SPARE)
    people = people.replace("path: spare", f"path: {folder / 'spare'}")
    return text + people + HEARTBEAT.replace("every: 10m", "every: 7d")


def canaries(one: Whole, suffix: str = ".eml") -> list[Path]:
    return [path for path in one.mailed(suffix) if "CANARY-" in path.read_text()]


def own(one: Whole) -> list[Incident]:
    return [state for state in one.daemon.desk.open() if state.rule == "self-alert" and state.active]


def spoil(one: Whole) -> None:
    """Let nothing be put into the outbox folder any more."""
    shutil.rmtree(one.folder / "outbox", ignore_errors=True)
    (one.folder / "outbox").write_text("a file where the folder should be")


def test_it_is_sent_again_and_again_and_comes_back_by_the_mailbox_with_its_latency(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await asyncio.sleep(30)
            (sent,) = canaries(one)
            await asyncio.sleep(15)
            assert await one.daemon.inbound.mail.take(sent.read_bytes()) == "ignored"
            assert one.value("sentinel_canaries_total", result="back") == 1
            assert 30 <= one.value("sentinel_canary_seconds_sum") <= 60
            assert one.value("sentinel_canary_back_timestamp_seconds") == one.daemon.clock.now().timestamp()
            await asyncio.sleep(EVERY_S)
            assert len(canaries(one)) == 2
            assert one.value("sentinel_canaries_total", result="sent") == 2
            assert one.daemon.desk.open() == [], "it is nobody's incident"

    virtual.run(story())


def test_what_it_says_is_read_by_a_person_without_alarm(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await asyncio.sleep(30)
            mail = email.message_from_bytes(canaries(one)[0].read_bytes(), policy=email.policy.default)
            assert mail["To"] == "canary@example.org"
            assert mail["Subject"].startswith("[Campus] Message témoin, aucune alerte CANARY-1-")
            body = mail.get_body(("plain",))
            assert body is not None
            assert "Il n'y a rien à faire" in body.get_content()

    virtual.run(story())


def test_one_that_does_not_come_back_is_told_to_the_administrators_until_the_next_does(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await asyncio.sleep(2 * 60)
            assert own(one) == []
            await asyncio.sleep(60)
            (told,) = own(one)
            assert told.title == "Le message témoin envoyé par email n'est pas revenu"
            assert {page.person for page in told.reached} == {"farid"}
            assert (told.service, told.ticket, told.plan.listeners) == ("", "", ())
            assert one.value("sentinel_canaries_total", result="lost") == 1
            assert one.daemon.watching.alive.failing.keys() <= {"canary"}
            await asyncio.sleep(EVERY_S)
            assert [state.number for state in own(one)] == [told.number], "the second one lost is no news"
            assert one.value("sentinel_canaries_total", result="sent") == 2
            assert await one.daemon.watching.canary.heard(canaries(one)[-1].read_text().replace("=\n", ""), "mail")
            await asyncio.sleep(30)
            assert own(one) == []

    virtual.run(story())


def test_a_channel_that_is_dead_holds_one_canary_and_no_more(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            spoil(one)
            for _ in range(3):
                await asyncio.sleep(EVERY_S)
                waiting = [row for row in one.daemon.store.messages(limit=100) if row.state in {"pending", "sending"}]
                assert len([row for row in waiting if row.id.startswith("canary/")]) <= 1
            assert len(own(one)) == 1

    virtual.run(story())


def test_a_restart_neither_sends_it_twice_nor_forgets_that_it_is_awaited(tmp_path: Path) -> None:
    text = configured(tmp_path)

    async def story() -> None:
        async with whole(tmp_path, text) as one:
            await asyncio.sleep(30)
            assert len(canaries(one)) == 1
            now = one.daemon.clock.now()
        async with whole(tmp_path, text, start=now + timedelta(minutes=4)) as again:
            await asyncio.sleep(60)
            (sent,) = canaries(again)
            assert await again.daemon.inbound.mail.take(sent.read_bytes()) == "ignored"
            assert 240 <= again.value("sentinel_canary_seconds_sum") <= 360
            await asyncio.sleep(2 * 60)
            assert own(again) == []
            now = again.daemon.clock.now()
        async with whole(tmp_path, text, start=now + CANARIES_KEPT_FOR) as late:
            await asyncio.sleep(60)
            assert len(canaries(late)) == 2, "what was missed while it was off is not made up for"
            assert {row.id for row in late.daemon.store.messages(limit=9)} == {"canary/1", "canary/2"}
            await asyncio.sleep(TIDY_EVERY_S)
            assert "canary/1" not in {row.id for row in late.daemon.store.messages(limit=9)}, "it is forgotten in time"

    virtual.run(story())


def test_a_crash_between_the_two_writes_sends_the_same_message_again_which_is_known(tmp_path: Path) -> None:
    text = configured(tmp_path)

    async def story() -> None:
        async with whole(tmp_path, text) as one:
            await asyncio.sleep(30)
            one.daemon.store.put_records((), [("canary", "last")])  # As if it had died before it wrote that.
        async with whole(tmp_path, text, start=START + timedelta(minutes=2)) as again:
            await asyncio.sleep(30)
            assert len(canaries(again)) == 1
            assert again.daemon.watching.canary.flight.number == 1

    virtual.run(story())


def test_nobody_else_can_bring_one_back_and_an_old_one_proves_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path)) as one:
            await asyncio.sleep(30)
            canary = one.daemon.watching.canary
            mark = f"CANARY-1-{one.daemon.inbound.proof('canary/1')}"
            assert not await canary.heard("CANARY-1-aaaaaaaaaaaaaaaaaaaaaaaaaa", "mail")
            assert not await canary.heard(f"CANARY-2-{one.daemon.inbound.proof('canary/1')}", "mail")
            assert await canary.heard(mark, "sms"), "it is ours, so it is nobody's message; but that is not its way"
            assert one.value("sentinel_canaries_total", result="back") == 0
            assert await canary.heard(f"> {mark.upper()}.", "mail"), "programs quote, and some shout"
            assert one.value("sentinel_canaries_total", result="back") == 1
            assert await canary.heard(mark, "mail")
            assert one.value("sentinel_canaries_total", result="back") == 1
            await asyncio.sleep(EVERY_S)
            assert await canary.heard(mark, "mail")
            assert one.value("sentinel_canaries_total", result="back") == 1

    virtual.run(story())


def test_while_the_host_is_cut_off_none_is_sent(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, CUT_OFF + configured(tmp_path) + UPLINK) as one:
            await one.daemon.isolation.excuses()
            await asyncio.sleep(EVERY_S + 60)
            assert one.daemon.isolation.cut_off
            assert len(canaries(one)) <= 1, "one may have left before it was noticed"

    virtual.run(story())


def test_without_one_nothing_is_sent_and_nothing_is_missed(tmp_path: Path) -> None:
    text = "".join(line for line in WATCHED.splitlines(keepends=True) if "canary" not in line)

    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path, text)) as one:
            await asyncio.sleep(EVERY_S + 60)
            assert canaries(one) == []
            assert one.daemon.watching.canary.wrong() == ""

    virtual.run(story())


def test_an_sms_holds_its_mark_whole_in_one_segment(tmp_path: Path) -> None:
    text = WATCHED.replace("by: email, to: canary@example.org, back: mail", 'by: sms, to: "+33639980009", back: sms')

    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path, text)) as one:
            await asyncio.sleep(30)
            said = canaries(one, ".txt")[0].read_text()
            assert f"CANARY-1-{one.daemon.inbound.proof('canary/1')}" in said
            assert "+33639980009" in said
            assert await one.doors.context().canary(said, "sms")
            assert one.value("sentinel_canaries_total", result="back") == 1

    virtual.run(story())


def test_a_receipt_counts_only_where_it_was_asked_for(tmp_path: Path) -> None:
    text = WATCHED.replace(
        "by: email, to: canary@example.org, back: mail", 'by: sms, to: "+33639980009", back: receipt'
    )

    async def story() -> None:
        async with whole(tmp_path, configured(tmp_path, text)) as one:
            await asyncio.sleep(30)
            row = next(row for row in one.daemon.store.messages(limit=9) if row.id == "canary/1")
            assert await one.daemon.inbound.receipts.take("sms", row.reference, "delivered") == 1
            assert one.value("sentinel_canaries_total", result="back") == 1

    virtual.run(story())


def test_the_message_of_a_webhook_holds_the_mark_for_machines() -> None:
    from sentinel.engine.canary import mark_of
    from sentinel.messages.canary import Cage, write

    cage = Cage(to="", site="Campus", language="en", timezone="Europe/Paris")
    message = write("canary/7", mark_of("canary/7", "abcdefgh"), START, cage)
    assert json.dumps(message.facts) == '{"kind": "canary", "mark": "CANARY-7-abcdefgh"}'
    assert message.subject == "[Campus] Test page, no alarm CANARY-7-abcdefgh"
