"""A mail is read with care: what people write is found, what programs write is known for it, nothing crashes."""

from __future__ import annotations

import contextlib
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.intake.mail import is_vouched
from sentinel.intake.mail_message import TEXT_MAX_CHARS, Unreadable, read, unquoted

pytestmark = pytest.mark.rule("SRC-6")


def mail(text: str = "Le site ne répond plus.", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = headers.pop("From", "Amina Benali <amina@example.org>")
    message["Subject"] = headers.pop("Subject", "Campus en panne")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def test_who_wrote_what_to_which_of_ours():
    found = read(
        mail(
            Subject="RE: Rép : Campus é",
            Message_ID="<a@b.example.org>",
            In_Reply_To="<inc-1.2.amina.email@s.example.org>",
            References="<inc-1@s.example.org> <inc-1.2.amina.email@s.example.org>",
        )
    )
    assert (found.sender, found.subject, found.id) == ("amina@example.org", "Campus é", "a@b.example.org")
    assert found.text == "Le site ne répond plus."
    assert found.references == ("inc-1.2.amina.email@s.example.org", "inc-1@s.example.org")
    assert not found.automatic


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1\n\n> Personne n'a pris en charge\n> P1", "1"),
        ("OK\n\nLe sam. 21 nov. 2026 à 22:15, Sentinel <s@example.org> a écrit :\n> P1", "OK"),
        ("OK\n\nLe sam. 21 nov. 2026 à 22:15, Sentinel\n<s@example.org> a écrit :\n> P1", "OK"),
        ("OK\n\nOn Sat, Nov 21, 2026 at 10:15 PM Sentinel <s@example.org> wrote:\n\nP1 down", "OK"),
        ("fait\n\n-----Message d'origine-----\nDe : Sentinel\n", "fait"),
        ("fait\n\n________________________________\nDe : Sentinel <s@example.org>\nEnvoyé : samedi", "fait"),
        ("fait\n\nFrom: Sentinel <s@example.org>\nSent: Saturday", "fait"),
        ("fait\n-- \nAmina Benali\n+33 6 39 98 00 01", "fait"),
        ("De rien\nOn attend le câblage", "De rien\nOn attend le câblage"),
        ("", ""),
    ],
)
def test_what_is_quoted_and_signed_is_left_out(written: str, meant: str):
    assert unquoted(written) == meant


def test_a_mail_that_has_only_html_is_read_too_and_its_quotes_are_left_out():
    message = EmailMessage()
    message["From"] = "amina@example.org"
    message.set_content(
        "<html><head><style>p{}</style></head><body><p>1</p><p>J&#39;y vais</p>"
        "<blockquote><p>Take charge: <a href='https://s.example.org/a/abcdefghijklmnop'>here</a></p></blockquote>",
        subtype="html",
    )
    found = read(message.as_bytes())
    assert found.text.split() == ["1", "J'y", "vais"]
    assert "/a/abcdefghijklmnop" in found.whole


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated (failure)"},
        {"Precedence": "bulk"},
        {"X_Sentinel": "s.example.org"},
        {"List_Id": "<news.example.org>"},
        {"Return_Path": "<>"},
        {"From": "MAILER-DAEMON@mx.example.org"},
        {"From": "noreply@example.org"},
    ],
)
def test_what_a_program_wrote_is_known_for_it(headers: dict[str, str]):
    assert read(mail(**headers)).automatic


def test_our_own_mails_are_automatic_too():
    from dataclasses import replace
    from email.headerregistry import Address

    from sentinel.channels.mail_message import written
    from tests.channels.rigs import MESSAGE

    ours = written(
        replace(MESSAGE, proof="abc"), sender=Address(addr_spec="s@example.org"), hostname="h.example.org", site="S"
    )
    assert b"\r\nMessage-ID: <inc-42.0.1.alice.abc@h.example.org>\r\n" in ours
    assert read(ours).automatic


@pytest.mark.parametrize("sender", ["a@example.org, b@example.org", "nobody", "", "x <a@b> <c@d>", "=?utf-8?q?=00?="])
def test_a_mail_from_several_or_from_nobody_that_can_be_told_has_no_sender(sender: str):
    data = b"From: " + sender.encode() + b"\r\n\r\nhello"
    assert "," not in read(data).sender
    if sender in {"nobody", ""}:
        assert read(data).sender == ""
    assert read(b"From: a@example.org\r\nFrom: b@example.org\r\n\r\nhello").sender == ""


REPORT = (
    b"From: MAILER-DAEMON@mx.example.org\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\r\n"
    b"\r\n--x\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; amina@example.org\r\nAction: %s\r\n"
    b"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Message-ID: <inc-1.2.amina.email.abc@h.example.org>\r\nSubject: x\r\n\r\nbody\r\n--x--\r\n"
)


def test_a_delivery_report_names_the_mail_that_did_not_arrive():
    failure = read(REPORT % b"failed").failure
    assert failure is not None
    assert failure.original == "inc-1.2.amina.email.abc@h.example.org"
    assert "550 no such user" in failure.why
    assert read(REPORT % b"delayed").failure is None


@pytest.mark.parametrize(
    ("results", "vouched"),
    [
        (["mx.example.org; dmarc=pass header.from=example.org"], True),
        (["mx.example.org; spf=pass smtp.mailfrom=amina@example.org; dkim=fail"], True),
        (["mx.example.org; dkim=pass header.d=example.org header.s=x"], True),
        (["mx.example.org; dkim=pass header.d=evil.example"], False),
        (["mx.example.org; spf=pass smtp.mailfrom=evil.example"], False),
        (["mx.example.org; dmarc=fail header.from=example.org"], False),
        (["evil.example; dmarc=pass header.from=example.org"], False),
        (["mx.example.org; none", "mx.example.org; dmarc=pass header.from=example.org"], False),
        (["", "mx.example.org"], False),
        ([], False),
    ],
)
def test_only_the_trusted_servers_latest_word_on_the_senders_own_domain_counts(results: list[str], vouched: bool):
    data = b"".join(b"Authentication-Results: " + one.encode() + b"\r\n" for one in results) + mail()
    assert is_vouched(read(data), "mx.example.org") is vouched


def test_a_mail_of_any_depth_and_size_is_read_or_refused():
    deep = b"From: a@example.org\r\n"
    for depth in range(2_000):
        deep += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth)
    for data in (deep, mail("x" * 2_000_000), mail("<" * 10_000) + b"\0" * 10_000):
        with contextlib.suppress(Unreadable):
            assert len(read(data).text) <= TEXT_MAX_CHARS


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"no header at all", b"Subject: x\r\n\r\nhello", b"\xff\xfe" * 50])
def test_what_is_no_mail_is_said_to_be_none(data: bytes):
    with pytest.raises(Unreadable):
        read(data)


HEADERS = st.sampled_from(
    [
        *(b"From", b"Subject", b"Message-ID", b"References", b"Content-Type", b"Content-Transfer-Encoding"),
        *(b"Content-Disposition", b"Authentication-Results", b"Auto-Submitted", b"Precedence", b"Date", b"To"),
    ]
)
WORDS = st.sampled_from(
    [
        *(
            b"multipart/report; boundary=b",
            b"multipart/mixed; boundary=b",
            b"text/plain; charset=no-such",
            b"text/html",
        ),
        *(b"message/rfc822", b"message/delivery-status", b"base64", b"quoted-printable", b"x-uuencode"),
        *(b"text/plain; charset*=utf-8''%ff; name*0*=a", b"=?utf-8?b?////?=", b"=?x?q?=GG?=", b"a@b, <c", b"<<<>@>"),
        *(b'text/plain; charset="', b"attachment; filename*=x'y'%zz", b"=?utf-7?q?+AAA-?=", b"text/html; charset=idna"),
    ]
)
BODIES = st.lists(
    st.sampled_from(
        [
            b"--b\r\n",
            b"--b--\r\n",
            b"\r\n",
            b"Action: failed\r\n",
            b"<![CDATA[",
            b"<!x",
            b"&#xD800;",
            b"begin 644 x\r\n",
        ]
    )
    | st.binary(max_size=60),
    max_size=12,
).map(b"".join)


@given(st.lists(st.tuples(HEADERS, WORDS | st.binary(max_size=60)), max_size=10), BODIES)
def test_nothing_that_anybody_can_send_brings_it_down(headers: list[tuple[bytes, bytes]], body: bytes):
    data = b"From: a@example.org\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    try:
        found = read(data + b"\r\n" + body)
    except Unreadable:
        return
    found.text.encode()
    found.subject.encode()
    is_vouched(found, "mx.example.org")
