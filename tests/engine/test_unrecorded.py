"""Pages that could not be written: once for each fault and person, a few at a time, and never lost track of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from sentinel.channels.base import Undelivered
from sentinel.engine import unrecorded
from sentinel.engine.unrecorded import AT_ONCE_MAX, Unrecorded
from sentinel.store.base import OutboxRow
from tests import virtual

NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


def owed(dedup: str, person: str = "amina", urgency: int = 3, kind: Any = "message") -> tuple[Any, OutboxRow]:
    row = OutboxRow(
        id=f"INC-1/1/{person}/sms",
        kind=kind,
        incident="INC-1",
        sequence=1,
        person=person,
        channel="sms",
        urgency=urgency,
        body=b"",
        created_at=NOW,
        due_at=NOW,
        give_up_at=NOW + timedelta(hours=4),
    )
    return SimpleNamespace(dedup=dedup), row


class Carrier:
    """Carries as slowly as told, or fails."""

    def __init__(self) -> None:
        self.carried: list[str] = []
        self.under_way = self.most = 0
        self.takes_s = 1.0
        self.fails = False

    async def __call__(self, row: OutboxRow) -> str:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        if self.fails:
            raise Undelivered("down")
        self.carried.append(row.person)
        return "ref"


@pytest.mark.fault(13)
def test_a_fault_is_sent_once_to_each_person_and_only_what_is_critical():
    async def story() -> list[str]:
        carrier = Carrier()
        sent = Unrecorded(carrier)
        for _ in range(3):
            sent.send([owed("campus"), owed("campus", "bruno"), owed("campus", "farid", urgency=2)])
            sent.send([owed("campus", "clerk", kind="ticket")])
            await asyncio.sleep(2)
        return carrier.carried

    assert virtual.run(story()) == ["amina", "bruno"]


@pytest.mark.parametrize("forgotten", ["while it is under way", "afterwards"])
def test_what_is_forgotten_is_sent_again_when_it_cannot_be_written_again(forgotten: str):
    async def story() -> list[str]:
        carrier = Carrier()
        sent = Unrecorded(carrier)
        sent.send([owed("campus")])
        if forgotten == "afterwards":
            await asyncio.sleep(2)
        sent.forget("campus")
        await asyncio.sleep(2)
        sent.send([owed("campus")])
        await asyncio.sleep(2)
        assert sent.under_way() == []
        return carrier.carried

    assert virtual.run(story()) == ["amina", "amina"]


def test_what_failed_is_tried_again_at_the_next_report_also_when_it_was_forgotten_meanwhile():
    async def story() -> list[str]:
        carrier = Carrier()
        carrier.fails = True
        sent = Unrecorded(carrier)
        sent.send([owed("campus"), owed("mail")])
        await asyncio.sleep(0.5)
        sent.forget("mail")
        await asyncio.sleep(2)
        carrier.fails = False
        sent.send([owed("campus"), owed("mail")])
        await asyncio.sleep(2)
        return carrier.carried

    assert virtual.run(story()) == ["amina", "amina"]


def test_a_storm_is_sent_a_few_at_a_time_and_what_is_remembered_has_a_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(unrecorded, "KNOWN_MAX", 100)

    async def story() -> None:
        carrier = Carrier()
        sent = Unrecorded(carrier)
        sent.send([owed(f"d{n}") for n in range(300)])
        await asyncio.sleep(60)
        assert len(carrier.carried) == 300
        assert carrier.most == AT_ONCE_MAX
        assert len(sent._known) == 100

    virtual.run(story())
