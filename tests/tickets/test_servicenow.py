"""What ServiceNow has of its own: queries that find everything, columns that stay as they are, and instances asleep."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from tests.fakes.servicenow import COLUMNS, ServiceNow
from tests.tickets.rigs_b import ServiceNowRig
from tests.tickets.samples import OPEN, RESOLVED


@pytest.fixture
async def rig() -> AsyncIterator[ServiceNowRig]:
    async with ServiceNowRig() as made:
        yield made


@pytest.fixture
def instance(rig: ServiceNowRig) -> ServiceNow:
    return rig.server


@pytest.fixture
async def tickets(rig):
    made = rig.make(rig.url)
    yield made
    await made.close()


async def test_a_query_that_finds_everything_finds_nothing_of_ours(instance, tickets):
    for key in ("INC-1", "INC-2"):
        await tickets.put(replace(OPEN, key=key))
    instance.columns = tuple(name for name in COLUMNS if name != "correlation_id")
    await tickets.put(replace(OPEN, key="INC-3"))
    assert [one["short_description"] for one in instance.records.values()][-1] == "[INC-3] Campus down"
    await tickets.put(replace(OPEN, key="INC-3"))
    assert len(instance.records) == 3, "nobody else's incident was taken for ours, and ours is known by its title"


async def test_a_table_without_our_column_is_told_of_before_it_fills_up(instance, tickets):
    for number in range(20):
        instance.records[f"{number:032x}"] = {"sys_id": f"{number:032x}", "number": f"INC{number:07d}", "state": "1"}
        instance.journal[f"{number:032x}"] = []
    instance.columns = tuple(name for name in COLUMNS if name != "correlation_id")
    with pytest.raises(Undelivered, match="has the table a column `correlation_id`") as refused:
        await tickets.put(OPEN)
    assert refused.value.permanent
    assert len(instance.records) == 20


async def test_a_column_that_stays_as_it_is_with_200_is_noticed(instance, tickets):
    number = (await tickets.put(OPEN)).reference
    instance.readonly = {"state"}
    with pytest.raises(Undelivered, match=f"left state of {number} as it was: may its user change that") as refused:
        await tickets.put(replace(OPEN, state="acknowledged"))
    assert refused.value.permanent


@pytest.mark.rule("DSP-2")
async def test_what_is_over_says_how_and_what_is_closed_is_left_alone(instance, tickets):
    await tickets.put(RESOLVED)
    (one,) = instance.records.values()
    assert (one["state"], one["close_code"], one["close_notes"]) == ("6", "Solution provided", "restarted")
    await tickets.put(replace(RESOLVED, state="closed"))
    assert one["state"] == "7"
    writes = len(instance.writes())
    await tickets.put(replace(RESOLVED, state="closed", notes=((9, "late"),)))
    assert len(instance.writes()) == writes


async def test_a_resolution_code_that_the_instance_does_not_know_is_told_in_its_words(rig, instance):
    options = {"backend": "servicenow", "url": rig.url, "user": "sentinel", "token": "secret", "close_code": "Magic"}
    odd = rig.built(options)
    with pytest.raises(Undelivered, match=r"403: Operation Failed: Data Policy Exception: .* Resolution code"):
        await odd.put(RESOLVED)
    await odd.close()


async def test_an_instance_asleep_is_tried_again_later(instance, tickets):
    instance.page = "<html>Hibernating Instance</html>"
    with pytest.raises(Undelivered, match="not what ServiceNow answers: <html>Hibernating") as later:
        await tickets.put(OPEN)
    assert not later.value.permanent


async def test_who_wrote_what_in_a_journal_is_told_apart(instance, tickets):
    number = (await tickets.put(OPEN)).reference
    sys_id = next(iter(instance.records))
    instance.write(sys_id, "bruno", work_notes="looking\nat it", comments="dear customer")
    (found,) = await tickets.changes({number: ""})
    assert sorted((one.by, one.text) for one in found.comments) == [
        ("bruno", "dear customer"),
        ("bruno", "looking\nat it"),
    ]


def test_a_business_rule_says_which_record_to_look_at(tickets):
    assert tickets.heard({}, b'{"number": "INC0010001"}').look_at == ("INC0010001",)
    with pytest.raises(ValueError, match="no `number`"):
        tickets.heard({}, b'{"number": "INC1^ORstate=1"}')
