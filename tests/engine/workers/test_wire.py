"""What goes between the daemon and its workers: whole, or refused."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.model import Result
from sentinel.engine.workers import wire
from sentinel.engine.workers.outbox import scrubbed
from tests.engine.workers.house import plans_of

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
SECRET = "the key of the house"


def reading(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


def ran(detail: str = "", label: str = "x") -> wire.Ran:
    result = Result(probe="p", target="t", at=AT, duration_s=0.1, ok=not detail, detail=detail, value=float("inf"))
    return wire.Ran(result, "f", "failure" if detail else "success", (("probe_value", (("name", label),), 1.0),), {})


async def test_what_is_written_is_what_is_read():
    batch = wire.Batch(at_s=1.5, ran=(ran("no"), ran()), lines=(wire.Line("info", "said", {"n": 1}),), done=(3,))
    reader = reading(wire.frame(wire.Hello(version="1")) + wire.frame(batch))
    assert await wire.read_report(reader) == wire.Hello(version="1")
    assert await wire.read_report(reader) == batch
    with pytest.raises(EOFError):
        await wire.read_report(reader)


async def test_plans_arrive_with_their_secrets_and_patterns_and_without_what_was_kept_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SENTINEL_TEST_KEY", SECRET)
    plans = plans_of(
        tmp_path,
        "page: {service: campus, type: http, interval: 9s, timeout: 1s, url: 'http://a.example.org/', "
        "headers: {X-Key: '${env:SENTINEL_TEST_KEY}'}, expect: {body_matches: 'wel+come'}}",
    )
    plan = plans["page"]
    vars(plan.options)["kept_for_later"] = struct  # As a cached_property does; a module cannot be pickled.
    (again,) = wire.unpack_plans(wire.pack_plans([plan]))
    assert again.fingerprint == plan.fingerprint
    assert "kept_for_later" not in vars(again.options)
    del vars(plan.options)["kept_for_later"]
    assert again == plan
    assert SECRET.encode() in wire.pack_plans([plan]), "it is needed there"
    assert SECRET not in repr(again)


@given(st.binary(max_size=200))
async def test_nonsense_is_said_to_be_nonsense(data: bytes):
    try:
        said = await wire.read_report(reading(struct.pack(">I", len(data)) + data))
    except (wire.Garbled, EOFError):
        return
    assert wire.frame(said)


@pytest.mark.parametrize(
    "wrong",
    [
        struct.pack(">I", wire.FRAME_MAX_BYTES + 1),
        wire.frame(wire.Stop()),
        wire.frame(wire.Take(plans=b"cos\nsystem\n(S'true'\ntR.")),
    ],
)
async def test_a_worker_can_neither_fill_the_memory_nor_give_orders(wrong: bytes):
    with pytest.raises(wire.Garbled):
        await wire.read_report(reading(wrong))


def test_what_a_target_answers_is_made_fit_to_be_sent():
    sent = scrubbed(ran("half a \udcff character", "\ud800"))
    assert wire.frame(wire.Batch(at_s=0.0, ran=(sent,)))
    assert sent.result.detail == "half a ? character"
    assert sent.samples[0][1] == (("name", "?"),)
    assert scrubbed(ran("plain")) == ran("plain")
