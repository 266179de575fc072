"""A modem's folders: what is put into them, and what is taken from them, with smstools and with gammu."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from sentinel.channels import spool_files
from sentinel.channels.base import Undelivered
from sentinel.channels.sms_inbound import Heard, Receipt
from sentinel.channels.sms_spool import SpoolOptions, SpoolSender
from sentinel.channels.spool_files import Report
from tests.channels.rigs import TEXTED, make
from tests.channels.test_smpp import Notes
from tests.fakes.sms_daemon import SmsDaemon
from tests.waiting import until

NAME = "sentinel-INC-42_0_1_alice"
REPORT = (
    "From: 33639980001\nAlphabet: ISO\nReport: no\n\n"
    "SMS STATUS REPORT\nMessage_id: {}\nDischarge_timestamp: x\nStatus: {}\n"
)


@asynccontextmanager
async def spool(folder: Path, notes: Notes | None = None) -> AsyncIterator[tuple[SpoolSender, SmsDaemon]]:
    async with SmsDaemon(folder) as daemon:
        sender = make("sms-spool", **daemon.folders(), timeout="1s")
        assert isinstance(sender, SpoolSender)
        task = asyncio.create_task(sender.listen(notes or Notes()))
        try:
            yield sender, daemon
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.rule("DSP-3")
async def test_a_message_is_a_whole_file_of_its_own_name_and_taken_when_it_is_sent(tmp_path: Path) -> None:
    async with spool(tmp_path) as (sender, daemon):
        assert await sender.send(replace(TEXTED, sms="Médiathèque: 1 & 2")) == NAME
        assert daemon.sent == ["To: 33639980001\nAlphabet: UTF-8\nReport: yes\n\nMédiathèque: 1 & 2".encode()]
        assert list((tmp_path / "outgoing").iterdir()) == []


@pytest.mark.rule("DSP-4")
async def test_what_a_modem_that_is_away_does_not_take_is_taken_back_and_goes_another_way_once(tmp_path: Path) -> None:
    async with spool(tmp_path) as (sender, daemon):
        daemon.away = True
        with pytest.raises(Undelivered) as caught:
            await sender.send(TEXTED)
        assert (caught.value.outcome, list((tmp_path / "outgoing").iterdir())) == ("retry", [])
        daemon.away = False
        assert await sender.send(TEXTED) == NAME
        assert daemon.seen == [NAME]


@pytest.mark.rule("DSP-4")
async def test_what_the_modem_is_sending_when_time_is_up_may_have_been_sent(tmp_path: Path) -> None:
    async with spool(tmp_path) as (sender, daemon):
        daemon.hangs = True
        with pytest.raises(Undelivered) as caught:
            await sender.send(TEXTED)
        assert caught.value.outcome == "timeout"


async def test_a_failure_says_why_and_does_not_stick_to_the_next_try(tmp_path: Path) -> None:
    async with spool(tmp_path) as (sender, daemon):
        daemon.fails = True
        with pytest.raises(Undelivered, match="Modem not ready"):
            await sender.send(TEXTED)
        daemon.fails = False
        assert await sender.send(TEXTED) == NAME


async def test_a_folder_that_is_not_there_is_said_by_the_check_and_by_a_message(tmp_path: Path) -> None:
    sender = make("sms-spool", outgoing=str(tmp_path / "no"), sent=str(tmp_path / "s"), failed=str(tmp_path / "f"))
    with pytest.raises(Undelivered, match="is not a folder"):
        await sender.check()
    with pytest.raises(Undelivered, match="No such file") as caught:
        await sender.send(TEXTED)
    assert not caught.value.permanent


@pytest.mark.rule("DSP-6")
async def test_a_report_is_of_the_message_that_was_sent_under_its_number(tmp_path: Path) -> None:
    notes = Notes()
    async with spool(tmp_path, notes) as (sender, _):
        await sender.send(TEXTED)
        await sender.send(replace(TEXTED, id="INC-43/0/1/alice"))
        incoming = tmp_path / "incoming"
        (incoming / "GSM1.a").write_text(REPORT.format(1, "48,Still trying,short message"))
        (incoming / "GSM1.b").write_text(REPORT.format(1, "0,Ok,short message received by the SME"))
        (incoming / "GSM1.c").write_text(REPORT.format(2, "70,SM validity period expired,"))
        (incoming / "GSM1.d").write_text(REPORT.format(99, "0,Ok,"))
        await until(lambda: not list(incoming.iterdir()))
        assert sorted(notes.receipts, key=lambda one: one.reference) == [
            Receipt(NAME, "delivered"),
            Receipt("sentinel-INC-43_0_1_alice", "failed", "70 SM validity period expired"),
        ]


@pytest.mark.rule("DSP-6")
async def test_an_answer_stays_in_its_folder_until_it_is_on_disk(tmp_path: Path) -> None:
    notes = Notes(full=True)
    async with spool(tmp_path, notes):
        answer = tmp_path / "incoming" / "GSM1.xyz"
        answer.write_text("From: 33639980001\nAlphabet: ISO\nLength: 1\n\n1\n")
        (tmp_path / "incoming" / "core").write_bytes(b"\x7fELF")
        await until(lambda: notes.turned_away > 0)
        assert answer.exists()
        notes.full = False
        await until(lambda: not answer.exists())
        assert notes.said == [Heard("+33639980001", "1", "GSM1.xyz")]
        assert (tmp_path / "incoming" / "core").exists(), "what is no SMS is left where it is"


@pytest.mark.parametrize(
    ("alphabet", "body", "text"),
    [
        ("ISO", "3 réparé".encode("latin-1"), "3 réparé"),
        ("UTF-8", "3 réparé".encode(), "3 réparé"),
        ("UCS2", "3 réparé".encode("utf-16-be"), "3 réparé"),
    ],
)
def test_an_answer_is_read_in_the_alphabet_that_its_file_names(alphabet: str, body: bytes, text: str) -> None:
    content = f"From: 33639980001\nAlphabet: {alphabet}\n\n".encode() + body
    assert spool_files.heard("GSM1.a", content, "smstools") == Heard("+33639980001", text, "GSM1.a")


def test_gammu_has_number_and_text_in_name_and_file() -> None:
    name = spool_files.name_of("INC-42/0", "+33639980001", "gammu")
    assert name == "OUTA0_0_0_+33639980001_sentinel-INC-42_0.txtd"
    assert spool_files.written("+33639980001", "é", "gammu").decode("utf-16") == "é"
    came = "IN20261121_221000_00_+33639980001_00.txt"
    assert spool_files.heard(came, "OK é".encode("utf-16"), "gammu") == Heard("+33639980001", "OK é", came)
    assert spool_files.heard(came, "OK é".encode(), "gammu") == Heard("+33639980001", "OK é", came)
    assert spool_files.heard("IN20261121_221000_00_Orange_00.txt", b"1", "gammu") is None


def test_a_text_of_somebody_is_no_report_whatever_it_says() -> None:
    assert spool_files.report(b"From: 33639980001\n\nMessage_id: 1\nStatus: 0,Ok,\n") is None
    assert spool_files.report(REPORT.format(7, "0").encode()) == Report("7", "delivered")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sent": "a"}, "two of the folders are the same"),
        ({"format": "gammu", "checked": "c"}, "folders of smstools"),
    ],
)
def test_folders_that_make_no_sense_are_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SpoolOptions.model_validate({"outgoing": "a", "sent": "b", "failed": "d", **options})
