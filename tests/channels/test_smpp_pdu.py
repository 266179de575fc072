"""What SMPP puts on the wire, against octets written out by hand from the specification."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.channels import smpp_pdu as pdu
from sentinel.channels.smpp_pdu import Malformed, Part, Segment, Sms
from sentinel.messages import gsm7


def sms(octets: bytes, coding: int = 0, esm_class: int = 0, **options: bytes) -> Sms:
    return Sms("33639980001", "33757", esm_class, coding, octets)


def test_a_bind_is_written_as_the_specification_has_it() -> None:
    body = pdu.bind("sentinel", "secret", "")
    assert body == b"sentinel\0secret\0\0\x34\0\0\0"
    assert pdu.Pdu(pdu.BIND_TRANSCEIVER, sequence=1, body=body).written()[:16] == struct.pack(
        ">IIII", 16 + len(body), 9, 0, 1
    )


@pytest.mark.parametrize(
    ("sender", "kind"), [("", (0, 0)), ("SENTINEL", (5, 0)), ("+33757000000", (1, 1)), ("36200", (3, 0))]
)
def test_what_kind_of_address_a_sender_is_can_be_seen_from_it(sender: str, kind: tuple[int, int]) -> None:
    assert pdu.kind_of(sender) == kind


def test_septets_go_unpacked_each_in_an_octet_of_its_own() -> None:
    (one,) = pdu.parts_of("Dé@_€[É", "gsm7", 0)
    assert one == Segment(0, 0, b"\x44\x05\x00\x11\x1b\x65\x1b\x3c\x1f")


@pytest.mark.rule("DSP-6")
@given(st.text(alphabet=sorted(gsm7.BASIC | gsm7.EXTENSION), max_size=160))
def test_whatever_gsm7_can_write_comes_back_as_it_was(text: str) -> None:
    parts = pdu.parts_of(text, "gsm7", 7)
    assert "".join(pdu.read_text(sms(one.octets, 0, one.esm_class), "gsm7")[0] for one in parts) == text
    assert len(parts) == (1 if gsm7.septets(text) <= 160 else 2)


def test_every_character_of_gsm7_that_messages_fold_into_can_be_sent() -> None:
    for character in gsm7.BASIC | gsm7.EXTENSION:
        assert pdu.parts_of(character, "gsm7", 0)[0].coding == 0


def test_a_text_too_long_for_one_goes_in_two_parts_that_name_each_other() -> None:
    first, second = pdu.parts_of("x" * 200, "gsm7", 0xABCD)
    assert first.octets[:6] == bytes([5, 0, 3, 0xCD, 2, 1])
    assert second.octets[:6] == bytes([5, 0, 3, 0xCD, 2, 2])
    assert (first.esm_class, len(first.octets), len(second.octets)) == (0x40, 6 + 153, 6 + 47)
    assert pdu.read_text(sms(second.octets, 0, 0x40), "gsm7") == ("x" * 47, Part(0xCD, 2, 2))


def test_an_escape_and_its_letter_are_never_parted() -> None:
    first, second = pdu.parts_of("x" * 152 + "€" + "y" * 20, "gsm7", 0)
    assert first.octets[6:] == b"x" * 152
    assert second.octets[6:8] == b"\x1b\x65"


def test_no_more_than_two_parts_are_ever_sent() -> None:
    assert sum(len(one.octets) - 6 for one in pdu.parts_of("x" * 999, "gsm7", 0)) == 306


def test_a_text_outside_the_alphabet_is_written_in_ucs2() -> None:
    (one,) = pdu.parts_of("Ж é", "gsm7", 0)
    assert (one.coding, one.octets) == (8, "Ж é".encode("utf-16-be"))
    assert len(pdu.parts_of("Ж" * 71, "gsm7", 0)) == 2


def test_a_centre_whose_alphabet_is_latin1_gets_latin1() -> None:
    (one,) = pdu.parts_of("Dé@", "latin1", 0)
    assert (one.coding, one.octets) == (3, b"D\xe9@")


@pytest.mark.parametrize(
    ("octets", "coding", "default", "text"),
    [
        (b"\x05\x04\x00", 0, "gsm7", "éè@"),
        (b"\xe9@", 0, "latin1", "é@"),
        (b"\xe9@", 3, "gsm7", "é@"),
        (b"OK", 1, "gsm7", "OK"),
        (b"\x1b\x65\x05", 0xF1, "gsm7", "€é"),
        ("É1".encode("utf-16-be"), 8, "gsm7", "É1"),
        ("É1".encode("utf-16-be"), 0x18, "gsm7", "É1"),
        (b"\xd8\x00", 8, "gsm7", "�"),
        (b"\x1b", 0, "gsm7", ""),
    ],
)
def test_what_people_answer_is_read_in_the_alphabet_it_is_written_in(
    octets: bytes, coding: int, default: pdu.Alphabet, text: str
) -> None:
    assert pdu.read_text(sms(octets, coding), default) == (text, None)


def test_a_reference_of_two_octets_is_read_as_one_of_one() -> None:
    head = bytes([6, 8, 4, 1, 2, 3, 1])
    assert pdu.read_text(sms(head + b"a", 0, 0x40), "gsm7") == ("a", Part(0x102, 3, 1))


def test_a_receipt_is_read_from_its_fields_and_else_from_its_text() -> None:
    text = (
        b"id:00AF sub:001 dlvrd:000 submit date:2611211800 done date:2611211801 stat:UNDELIV err:0B1 Text:stat:DELIVRD"
    )
    assert pdu.receipt(Sms("", "", 4, 0, text)) == ("00AF", "UNDELIV", "0B1")
    fields = {pdu.RECEIPTED_MESSAGE_ID: b"xyz\0", pdu.MESSAGE_STATE: b"\2"}
    assert pdu.receipt(Sms("", "", 4, 0, text, fields))[:2] == ("xyz", "DELIVRD")
    assert pdu.receipt(Sms("", "", 4, 0, b"done")) == ("", "", "")


@pytest.mark.parametrize(
    ("name", "form", "same"),
    [
        ("1A", "hex", "26"),
        ("0000001a", "hex", "26"),
        ("0026", "decimal", "26"),
        ("a-b", "hex", "a-b"),
        ("0026", "text", "0026"),
    ],
)
def test_hexadecimal_and_decimal_ids_compare_equal_where_the_file_says_so(
    name: str, form: pdu.IdForm, same: str
) -> None:
    assert pdu.same_id(name, form) == same


@given(st.binary(max_size=300))
def test_a_packet_of_any_octets_is_read_or_refused(body: bytes) -> None:
    try:
        found = pdu.delivered(body)
    except Malformed:
        return
    pdu.receipt(found)
    pdu.read_text(found, "gsm7")


@pytest.mark.parametrize("length", [0, 15, pdu.PDU_MAX_BYTES + 1, 0xFFFFFFFF])
def test_a_packet_of_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(Malformed):
        pdu.length_of(struct.pack(">IIII", length, 5, 0, 1))


def test_a_status_that_is_the_centres_own_is_said_as_it_is() -> None:
    assert (pdu.said(0x0B), pdu.said(0x421)) == ("0x0B (destination address)", "0x421")
