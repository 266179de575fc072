"""One SMS: a single segment of GSM-7, with what matters in its first 70 characters."""

from __future__ import annotations

from typing import Final

from sentinel.messages import gsm7
from sentinel.messages.clean import one_line
from sentinel.messages.gsm7 import Part
from sentinel.messages.wording import Wording

# A lock screen shows about 70 characters, and so does one UCS-2 segment should a gateway insist on it.
HEAD_MAX_SEPTETS: Final = 70
SERVICE_SHARE: Final = 0.4
SERVICE_MIN_SEPTETS: Final = 6  # "Camp..": an outage told with two full dates leaves no more
DETAIL_MAX_CHARS: Final = 120
TEXT_MAX_CHARS: Final = 120


def write(wording: Wording) -> str:
    """Return the SMS. The detail gives way first, then what people wrote, never the head or the incident's number.

    A link is whole or absent: one too long for what the head leaves is left out.
    """
    detail = wording.detail[:DETAIL_MAX_CHARS] if wording.asking else ""
    text = _fitted(wording, detail)
    # Without room for the detail its brackets go, too, and with them the stop of the sentence that they end.
    return text if not detail or f"{_head(wording)} (" in text else _fitted(wording, "")


def _fitted(wording: Wording, detail: str) -> str:
    address = wording.action() or wording.call() or wording.page()
    parts = [
        Part(_head(wording) + ("" if detail else ".")),
        Part(detail, gives=4, around=("(", ").")),
        Part(wording.sentence("sms"), gives=2),
        Part(_known(wording), gives=3),
        Part(wording.text[:TEXT_MAX_CHARS], gives=3),
        Part(wording.ask("sms_take_charge_by"), gives=2, whole=True),
        Part(_link(address.link if address else ""), gives=1, whole=True),
        Part(gsm7.cut(gsm7.fold(wording.notice.incident), gsm7.SHORTEST_CUT_SEPTETS)),
    ]
    return gsm7.fit(parts)


def _known(wording: Wording) -> str:
    """Return how to get round a known fault, to who is asked to act."""
    known = one_line(wording.notice.known_workaround, DETAIL_MAX_CHARS) if wording.asking else ""
    return f"{wording.notice.problem}{wording.voice.word('colon_sms')}{known.rstrip('.')}." if known else ""


def _head(wording: Wording) -> str:
    """Return label, priority, service, title and since when; with the stop behind it at most 70 septets."""
    notice = wording.notice
    label = wording.voice.kind(notice.kind, "label")
    before = gsm7.fold(" ".join(filter(None, (label, notice.priority))))
    when = gsm7.fold(wording.when)
    room = HEAD_MAX_SEPTETS - gsm7.septets(before) - gsm7.septets(when) - len("  .")
    return " ".join(filter(None, (before, _what(wording, room), when)))


def _what(wording: Wording, room: int) -> str:
    """Return service and title in a number of septets, shared so that both can be recognised."""
    colon = wording.voice.word("colon_sms")
    joined = wording.joined(colon)
    whole = gsm7.fold(joined)
    if gsm7.septets(whole) <= room or joined in {wording.title, wording.service}:
        return gsm7.cut(whole, room)
    service, title = gsm7.fold(wording.service), gsm7.fold(wording.title)
    room -= len(colon)
    share = max(int(room * SERVICE_SHARE), room - gsm7.septets(title), SERVICE_MIN_SEPTETS)
    service = gsm7.cut(service, share)
    return f"{service}{colon}{gsm7.cut(title, room - gsm7.septets(service))}"


def _link(address: str) -> str:
    """Return an address that GSM-7 can write unchanged."""
    return address if gsm7.fold(address) == address else ""
