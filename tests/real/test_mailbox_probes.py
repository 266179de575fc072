"""The imap probe and the full loop of the smtp probe, against a real Postfix and a real Dovecot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sentinel.probes import imap, smtp
from tests.probes.seeing import Attempt, Seen
from tests.real.office import Office

pytestmark = [
    pytest.mark.real("postfix", "dovecot", "dovecot-imap"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
]

LIMIT_S = 30


def mailbox(office: Office, **more: Any) -> dict[str, Any]:
    return {
        "target": f"localhost:{office.imap}",
        "tls": {"ca_file": office.ca_file},
        "username": "probed",
        "password": "deborp",
        **more,
    }


async def look(office: Office, **more: Any) -> Seen:
    return await Attempt(timeout_s=LIMIT_S).at(imap.KIND, mailbox(office, **more))


async def send(office: Office, to: str = "probed@example.org", timeout_s: float = LIMIT_S, **more: Any) -> Seen:
    options = {
        "target": f"localhost:{office.smtp}",
        "starttls": True,
        "tls": {"ca_file": office.ca_file},
        "username": "sentinel",
        "password": "correct horse",
        "from": "probe@example.org",
        "to": to,
        "mailbox": mailbox(office, every="200ms"),
        **more,
    }
    return await Attempt(timeout_s=timeout_s).at(smtp.KIND, options)


def kept(office: Office) -> list[Path]:
    """Return the mails in the box."""
    box = office.folder / "boxes" / "probed"
    return [path for folder in ("cur", "new") for path in (box / folder).glob("*")]


async def test_a_mail_is_sent_found_and_deleted_and_the_value_is_its_time_on_the_way(office: Office) -> None:
    seen = await send(office)
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.sight.value is not None
    assert 0 < seen.sight.value < LIMIT_S
    assert set(seen.sight.phases) >= {"mailbox", "banner", "send", "delivery"}
    assert kept(office) == []


async def test_a_mail_that_goes_astray_is_told_from_a_server_that_refuses_it(office: Office) -> None:
    seen = await send(office, "alice@example.org", expect={"delivered_within": "300ms"})
    assert seen.reason == "delivery"
    assert f"accepted a mail that is not in INBOX of localhost:{office.imap}" in seen.detail
    seen = await send(office, "grey@example.org")
    assert (seen.reason, "450 4.2.0" in seen.detail) == ("refused", True)


async def test_without_the_mailbox_no_mail_is_written(office: Office) -> None:
    waiting = mailbox(office, password="wrong horse")
    seen = await send(office, mailbox=waiting)
    assert seen.reason == "mailbox"
    assert "wrong horse" not in seen.detail
    assert "send" not in seen.sight.phases


async def test_a_mailbox_is_opened_and_searched_and_nothing_in_it_changes(office: Office) -> None:
    assert (await send(office)).reason == ""  # The first mail makes the folders of the box.
    assert (await look(office)).reason == ""
    folder = office.folder / "boxes" / "probed" / "new"
    for number in range(3):
        (folder / f"{number}.mail").write_text(f"Subject: backup {number}\n\nfine\n")
    try:
        seen = await look(office, expect={"messages": ">= 3"}, search="UNSEEN SUBJECT backup")
        assert (seen.reason, seen.detail, seen.sight.value) == ("", "", 3)
        assert len(list(folder.iterdir())) == 3
        seen = await look(office, search='SUBJECT "backup 1"', expect={"found": "> 1"})
        assert (seen.reason, seen.sight.value) == ("found", 1)
        assert "1 message in INBOX fits the search; > 1 is expected" in seen.detail
        seen = await look(office, expect={"messages": "0"})
        assert seen.reason == "messages"
    finally:
        for path in kept(office):
            path.unlink()


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"password": "wrong horse"}, "auth", "to AUTHENTICATE"),
        ({"folder": "Envoyés & reçus"}, "folder", "to EXAMINE"),
        ({"search": "BEFORE yesterday"}, "search", "to UID SEARCH"),
        ({"tls": True}, "tls", "not trusted"),
        ({"expect": {"cert_days": 4_000_000}}, "cert_days", "4000000 are asked for"),
        ({"expect": {"banner": "Exchange"}}, "banner", "'Exchange' is expected"),
    ],
)
async def test_what_a_real_server_refuses_is_said_in_words(
    office: Office, change: dict[str, Any], reason: str, words: str
) -> None:
    seen = await look(office, **change)
    assert seen.reason == reason
    assert words in seen.detail
    assert "wrong horse" not in seen.detail + "".join(seen.sight.facts)
