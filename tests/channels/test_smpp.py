"""The line to an SMS centre: bound, kept, made anew; what it answers, and what comes in on it (faults 36 and 37)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.channels import smpp
from sentinel.channels.base import Undelivered
from sentinel.channels.listening import NotKept
from sentinel.channels.smpp import SmppOptions, SmppSender
from sentinel.channels.sms_inbound import Heard, Receipt
from sentinel.probes.net import TargetPolicy
from tests.channels.rigs import AROUND, TEXTED, Certificates, make
from tests.fakes.smsc import PASSWORD, SYSTEM_ID, Smsc
from tests.waiting import until

BOUND_S = 10


@dataclass
class Notes:
    """Ears that write down, as long as there is room."""

    said: list[Heard] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    full: bool = False
    turned_away: int = 0

    async def heard(self, heard: Heard) -> None:
        if self.full:
            self.turned_away += 1
            raise NotKept
        self.said.append(heard)

    async def became(self, receipt: Receipt) -> None:
        if self.full:
            raise NotKept
        self.receipts.append(receipt)


def sender_of(smsc: Smsc, around: Any = AROUND, **options: Any) -> SmppSender:
    given = {"host": "127.0.0.1", "port": smsc.port, "system_id": SYSTEM_ID, "password": PASSWORD, "timeout": "30s"}
    made = make("smpp", around, **(given | options))
    assert isinstance(made, SmppSender)
    return made


@asynccontextmanager
async def listening(smsc: Smsc, notes: Notes, **options: Any) -> AsyncIterator[SmppSender]:
    sender = sender_of(smsc, **options)
    task = asyncio.create_task(sender.listen(notes))
    try:
        await until(lambda: smsc.lines == 1)
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sender.close()


@pytest.mark.rule("DSP-3")
async def test_a_message_goes_out_with_a_receipt_asked_for_and_the_centres_id_is_its_reference() -> None:
    async with Smsc() as smsc:
        sender = sender_of(smsc, sender="+33757000000")
        assert await sender.send(TEXTED) == "26"
        (one,) = smsc.submitted
        assert (one.source, one.source_kind) == ("33757000000", (1, 1))
        assert (one.destination, one.destination_kind) == ("33639980001", (1, 1))
        assert (one.data_coding, one.esm_class, one.registered_delivery) == (0, 0, 1)
        assert one.octets.decode() == TEXTED.sms
        assert smsc.binds == [("transceiver", SYSTEM_ID, PASSWORD)]
        await sender.close()


async def test_messages_share_one_line_and_each_gets_its_own_answer() -> None:
    async with Smsc() as smsc:
        sender = sender_of(smsc)
        references = await asyncio.gather(*(sender.send(replace(TEXTED, id=f"INC-{n}")) for n in range(40)))
        assert sorted(references, key=int) == [str(n) for n in range(26, 66)]
        assert len(smsc.binds) == 1
        await sender.close()


@pytest.mark.rule("DSP-4")
@pytest.mark.parametrize(
    ("status", "permanent", "after_s"),
    [
        (0x58, False, 5.0),
        (0x14, False, 5.0),
        (0x08, False, None),
        (0x0B, True, None),
        (0x45, False, None),
        (0x421, False, None),
    ],
)
async def test_what_the_centre_answers_says_whether_trying_again_can_help(
    status: int, permanent: bool, after_s: float | None
) -> None:
    async with Smsc(statuses=[status]) as smsc:
        sender = sender_of(smsc)
        with pytest.raises(Undelivered) as caught:
            await sender.send(TEXTED)
        assert (caught.value.permanent, caught.value.after_s) == (permanent, after_s)
        assert f"0x{status:02X}" in caught.value.why
        assert await sender.send(TEXTED), "the line goes on"
        await sender.close()


@pytest.mark.rule("DSP-4")
async def test_a_line_that_breaks_under_a_message_leaves_open_whether_it_was_taken() -> None:
    async with Smsc(silent=True) as smsc:
        sender = sender_of(smsc)
        sending = asyncio.create_task(sender.send(TEXTED))
        await until(lambda: len(smsc.submitted) == 1)
        smsc.hang_up()
        with pytest.raises(Undelivered) as caught:
            await sending
        assert (caught.value.permanent, caught.value.outcome) == (False, "timeout")
        smsc.silent = False
        assert await sender.send(TEXTED), "the next message makes the line anew"
        await sender.close()


async def test_a_wrong_password_is_refused_for_good_and_not_tried_at_every_message() -> None:
    async with Smsc() as smsc:
        sender = sender_of(smsc, password="wrong")
        for _ in range(3):
            with pytest.raises(Undelivered) as caught:
                await sender.send(TEXTED)
            assert caught.value.permanent
            assert "0x0E (wrong password)" in caught.value.why
        assert len(smsc.binds) == 1
        await sender.close()


async def test_a_centre_that_takes_the_connection_and_says_nothing_costs_a_bounded_time() -> None:
    async with Smsc(deaf=True) as smsc:
        sender = sender_of(smsc, timeout="200ms")
        with pytest.raises(Undelivered) as caught:
            await sender.check()
        assert not caught.value.permanent
        await sender.close()


async def test_nobody_there_is_worth_another_try_and_a_forbidden_address_is_not() -> None:
    async with Smsc() as smsc:
        port = smsc.port
        denied = sender_of(smsc, replace(AROUND, policy=TargetPolicy(deny=(ip_network("127.0.0.0/8"),))))
        with pytest.raises(Undelivered) as caught:
            await denied.send(TEXTED)
        assert caught.value.permanent
        assert smsc.binds == []
    gone = make("smpp", host="127.0.0.1", port=port, system_id=SYSTEM_ID, password=PASSWORD, timeout="30s")
    with pytest.raises(Undelivered) as caught:
        await gone.send(TEXTED)
    assert (caught.value.permanent, caught.value.outcome) == (False, "retry")


async def test_with_tls_the_centre_must_be_the_one_that_is_trusted(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    async with Smsc(tls=certificates.server) as smsc:
        sender = sender_of(smsc, tls=True, ca_file=certificates.ca_file)
        assert await sender.send(TEXTED)
        await sender.close()
        stranger = sender_of(smsc, tls=True)
        with pytest.raises(Undelivered) as caught:
            await stranger.send(TEXTED)
        assert caught.value.permanent


async def test_a_silent_line_is_asked_whether_it_is_there_and_one_that_does_not_answer_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smpp, "PAUSE_FIRST_S", 0.05)
    async with Smsc() as smsc, listening(smsc, Notes(), keepalive="1s", timeout="300ms"):
        await until(lambda: smsc.enquiries >= 1)
        smsc.deaf = True
        await until(lambda: smsc.lines == 0)
        smsc.deaf = False
        await until(lambda: smsc.lines == 1)
        assert len(smsc.binds) >= 2  # A machine that stands still for long makes more of them.


@pytest.mark.rule("DSP-6")
@pytest.mark.parametrize("in_fields", [True, False])
@pytest.mark.parametrize(
    ("ids", "forms"),
    [
        (("{:d}", "{:d}"), {}),
        (("{:X}", "{:010d}"), {"submit_ids": "hex", "receipt_ids": "decimal"}),
        (("{:d}", "{:08x}"), {"submit_ids": "decimal", "receipt_ids": "hex"}),
    ],
)
async def test_a_receipt_bears_the_reference_that_the_message_was_taken_with(
    ids: tuple[str, str], forms: dict[str, str], in_fields: bool
) -> None:
    notes = Notes()
    async with (
        Smsc(ids=ids, tlv_receipts=in_fields, receipts="DELIVRD") as smsc,
        listening(smsc, notes, **forms) as sender,
    ):
        reference = await sender.send(TEXTED)
        await until(lambda: notes.receipts != [])
        assert notes.receipts == [Receipt(reference, "delivered")]
        smsc.report(smsc.first_id, "ENROUTE")
        smsc.report(smsc.first_id, "UNDELIV", "0B1")
        await until(lambda: len(smsc.answers) == 3)
        assert notes.receipts[1:] == [Receipt(reference, "failed", "UNDELIV B1")]


@pytest.mark.rule("DSP-6")
async def test_an_answer_is_heard_and_only_then_taken_off_the_centres_hands() -> None:
    notes = Notes(full=True)
    async with Smsc() as smsc, listening(smsc, notes):
        first = smsc.say("33639980001", b"1")
        await until(lambda: smsc.answers != [])
        assert smsc.answers == [(first, 0x64)], "come again: it is not on disk"
        notes.full = False
        again = smsc.say("33639980001", b"1")
        await until(lambda: len(smsc.answers) == 2)
        assert (smsc.answers[1], notes.said) == ((again, 0), [Heard("+33639980001", "1")])


async def test_a_text_in_parts_is_heard_as_one_however_they_come() -> None:
    notes = Notes()
    async with Smsc() as smsc, listening(smsc, notes):
        smsc.say("33639980001", bytes([5, 0, 3, 9, 2, 2]) + b" le disque", esm_class=0x40)
        smsc.say("33639980002", b"OK")
        smsc.say("33639980001", bytes([5, 0, 3, 9, 2, 1]) + b"3 On a vide", esm_class=0x40)
        await until(lambda: len(smsc.answers) == 3)
        assert Heard("+33639980001", "3 On a vide le disque") in notes.said
        assert len(notes.said) == 2
        assert {status for _, status in smsc.answers} == {0}


async def test_a_part_whose_other_never_comes_is_heard_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "PARTS_WAIT_S", 0.05)
    notes = Notes()
    async with Smsc() as smsc, listening(smsc, notes):
        smsc.say("33639980001", bytes([5, 0, 3, 9, 2, 1]) + b"3 On a vide", esm_class=0x40)
        await until(lambda: smsc.answers != [])
        assert notes.said == [Heard("+33639980001", "3 On a vide")]


async def test_while_nobody_listens_the_centre_is_told_to_come_again() -> None:
    async with Smsc() as smsc:
        sender = sender_of(smsc)
        await sender.check()
        smsc.say("33639980001", b"1")
        await until(lambda: smsc.answers != [])
        assert smsc.answers[0][1] == 0x64
        await sender.close()


async def test_a_flood_of_what_cannot_be_kept_up_with_is_told_to_come_again() -> None:
    held = asyncio.Event()

    class Slow(Notes):
        async def heard(self, heard: Heard) -> None:
            await held.wait()
            await super().heard(heard)

    notes = Slow()
    async with Smsc() as smsc, listening(smsc, notes):
        for _ in range(60):
            smsc.say("33639980001", b"1")
        await until(lambda: len(smsc.answers) == 10)
        assert {status for _, status in smsc.answers} == {0x14}
        held.set()
        await until(lambda: len(smsc.answers) == 60)
        assert len(notes.said) == 50


async def test_what_is_no_smpp_ends_the_line_and_nothing_else() -> None:
    async def shout(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(shout, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        sender = make("smpp", host="127.0.0.1", port=port, system_id=SYSTEM_ID, password=PASSWORD, timeout="30s")
        with pytest.raises(Undelivered) as caught:
            await sender.check()
        assert not caught.value.permanent


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"password": "muchtoolong"}, "at most 8"),
        ({"sender": "Médiathèque"}, "is not a sender"),
        ({"ca_file": "/nowhere.pem", "tls": True}, "not a file of authorities"),
        ({"system_id": "x" * 16}, "15"),
        ({"alphabet": "ebcdic"}, "gsm7"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SmppOptions.model_validate({"host": "h", "system_id": "s", "password": "p", **options})
