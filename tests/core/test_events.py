"""Events are readable for ever: ``golden.jsonl`` holds one of each kind ever written, and only ever grows."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from sentinel.core import events as e

GOLDEN = (Path(__file__).parent / "golden.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize("line", GOLDEN, ids=lambda line: msgspec.json.decode(line)["type"])
def test_an_event_written_once_can_be_read_for_ever_and_says_the_same(line):
    written = msgspec.json.decode(line)
    assert holds(msgspec.json.decode(e.encode(e.decode(line))), written)


def holds(now: object, then: object) -> bool:
    """Tell whether what is written now says all that was said then; it may say more."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and holds(now[key], value) for key, value in then.items())
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(holds, now, then))
    return now == then


def test_every_kind_of_event_has_its_golden_line():
    kinds = {kind.__struct_config__.tag for kind in get_args(e.Event)}
    assert {msgspec.json.decode(line)["type"] for line in GOLDEN} == kinds


def test_equal_events_are_written_alike_whatever_the_order_of_their_labels():
    line = next(line for line in GOLDEN if b'"signal-joined"' in line)
    event = e.decode(line)
    assert isinstance(event, e.SignalJoined)
    turned = dict(reversed(event.signal.labels.items()))
    assert list(turned) != list(event.signal.labels)
    again = msgspec.structs.replace(event, signal=msgspec.structs.replace(event.signal, labels=turned))
    assert e.encode(again) == e.encode(event)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"type":"invented","at":"2026-11-21T22:10:00Z"}',
        b'{"type":"noted","at":"yesterday","by":"bob","text":"x"}',
        b'{"type":"noted","at":"2026-11-21T22:10:00Z","by":"bob"}',
        b"not json",
    ],
)
def test_what_is_no_event_is_refused(text):
    with pytest.raises(msgspec.MsgspecError):
        e.decode(text)


def test_an_event_may_hold_what_a_later_version_added():
    event = e.decode(b'{"type":"noted","at":"2026-11-21T22:10:00Z","by":"bob","text":"x","mood":"calm"}')
    assert isinstance(event, e.Noted)
