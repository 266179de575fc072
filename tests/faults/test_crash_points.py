"""SIGKILL at every step between the verdict and the delivery: nothing is lost, nothing arrives more than twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.daemon import Launcher, Site, site
from tests.faults.launcher import POINTS

# Where a carrier has a message and nobody has written that down: it goes out again, under the same id.
TWICE = {
    "the gateway has taken the text": "sms",
    "the receipt of the text is about to be written": "sms",
    "the relay has taken the mail": "email",
    "the receipt of the mail is about to be written": "email",
}
# Where the process dies before anything of that channel leaves, or after all that did is on disk.
ONCE = {
    "the verdict is there": ("sms", "email"),
    "the incident is about to be written": ("sms", "email"),
    "the log is written and the outbox is not": ("sms", "email"),
    "all is written and not committed": ("sms", "email"),
    "the incident is on disk": ("sms", "email"),
    "the text is about to be marked": ("sms",),
    "the text is marked as being sent": ("sms",),
    "the text is about to leave": ("sms",),
    "the receipt of the text is on disk": ("sms",),
    "the mail is about to leave": ("email",),
    "the receipt of the mail is on disk": ("email",),
    "the recovery is there": ("sms", "email"),
    "the recovery is about to be written": ("sms", "email"),
    "the recovery is on disk": ("sms", "email"),
}
# A page that goes at once is marked with what caused it; one that is read from the outbox, in a transaction of its own.
READ_FROM_THE_OUTBOX = {"the text is about to be marked", "the text is marked as being sent"}
# What the timeline tells, and how often; the process may add more of its own.
TIMELINE = {"opened": 1, "escalated": 1, "told": 4, "ticket-linked": 1, "signal-cleared": 1, "resolved": 1}
AFTER_THE_RECOVERY = {point for point in POINTS if point.startswith("the recovery")}


@pytest.mark.fault(1, 2, 3, 4)
@pytest.mark.rule("DSP-3")
@pytest.mark.parametrize("point", POINTS)
async def test_killed_when(tmp_path: Path, launcher: Launcher, point: str):
    async with site(tmp_path, launcher) as practice:
        practice.wait_for_carriers()
        await practice.start(kill=point, detour=point in READ_FROM_THE_OUTBOX)
        practice.target.status = 503
        if point in AFTER_THE_RECOVERY:
            await practice.until(practice.settled, "the pages")
            practice.target.status = 200
        await practice.killed()
        await practice.start()
        await practice.until(lambda: practice.settled() or "resolved" in practice.told(), "the pages")
        practice.target.status = 200
        await practice.until(lambda: resolved_and_settled(practice), "the all-clear")
        await practice.stop()
        check(practice, point)


def resolved_and_settled(practice: Site) -> bool:
    return "resolved" in practice.told() and practice.settled()  # in this order: the all-clear is owed from then on


def check(practice: Site, point: str) -> None:
    assert practice.numbers() == ["INC-1"]
    with practice.store() as store:
        assert store.verify() == []
        assert len(store.tickets(limit=10)) == 1
    told = practice.told()
    assert told[0] == "opened"
    assert {kind: told.count(kind) for kind in TIMELINE} == TIMELINE
    copies = practice.copies()
    assert copies.keys() == practice.owed().keys()
    assert max(copies.values()) <= 2
    first = {channel: copies[f"inc-1.2.alice.{channel}"] for channel in ("sms", "email")}
    if point in TWICE:
        assert first[TWICE[point]] == 2
    for channel in ONCE.get(point, ()):
        assert first[channel] == 1
