"""What is written under `sla` is what a service level promises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.core.business import BusinessDuration
from sentinel.core.model import PRIORITIES

PROBE = 'probes:\n  web: {type: tcp, target: "web1.example.org:443"}\n'


@pytest.fixture
def contract(write):
    """Write one contract, and return it."""

    def written(text):
        return write(f"sla:\n  mine: {text}\n{PROBE}").setup.contracts["mine"]

    return written


def calendars(contract, clock):
    return [getattr(contract.target(clock, priority), "calendar", None) for priority in PRIORITIES]


def minutes(number):
    return BusinessDuration(time=timedelta(minutes=number))


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        ("30m", minutes(30)),
        ("4h", minutes(240)),
        ("1h30m", minutes(90)),
        ("1.5h", minutes(90)),
        ("24h", minutes(1440)),
        ("2d", BusinessDuration(days=2)),
    ],
)
@pytest.mark.rule("CAL-4")
def test_hours_and_minutes_are_open_time_and_days_are_opening_days(contract, written, allowed):
    assert contract(f"{{calendar: business, resolve: {{P1: {written}}}}}").target("resolve", "P1").allowed == allowed


def test_one_time_holds_for_every_priority(contract):
    found = contract("{calendar: business, ack: 1h, resolve: {P1: 2h, P2: 1d}}")
    assert [found.target("ack", priority).allowed for priority in PRIORITIES] == [minutes(60)] * 4
    assert found.target("resolve", "P3") is None


@pytest.mark.rule("CAL-3")
@pytest.mark.parametrize(
    ("written", "ack", "resolve"),
    [
        ("business", ["business"] * 4, ["business"] * 4),
        (
            "{P1: extended, P2: extended, P3: business, P4: business}",
            ["extended", "extended", "business", "business"],
            ["extended", "extended", "business", "business"],
        ),
        ("{ack: always, resolve: business}", ["always"] * 4, ["business"] * 4),
        (
            "{ack: always, resolve: {P1: extended, P2: business, P3: business, P4: business}}",
            ["always"] * 4,
            ["extended", "business", "business", "business"],
        ),
    ],
)
def test_a_contract_names_a_calendar_for_all_for_each_priority_and_for_each_clock(contract, written, ack, resolve):
    found = contract(f"{{calendar: {written}, ack: 1h, resolve: 4h}}")
    assert (calendars(found, "ack"), calendars(found, "resolve")) == (ack, resolve)
    assert found.calendars.keys() == {*ack, *resolve}


def test_when_a_contract_warns_and_what_pending_stops_have_defaults(
    contract,
):
    usual = contract("{calendar: business, ack: 1h}")
    assert (usual.warn_at_percent, usual.pending_stops) == ((50.0, 80.0), ("resolve",))
    own = contract("{calendar: business, ack: 1h, warn_at: [90%, 33.3%], pending_stops: [ack, resolve]}")
    assert (own.warn_at_percent, own.pending_stops) == ((33.3, 90.0), ("ack", "resolve"))


def test_a_contract_of_the_same_name_takes_the_place_of_a_built_in_one(write):
    contracts = write(f"sla:\n  gold: {{calendar: business, ack: 5m}}\n{PROBE}").setup.contracts
    assert contracts.names == {"gold", "silver", "bronze", "anomalies"}
    assert contracts["gold"].target("resolve", "P1") is None
    assert contracts["silver"].target("resolve", "P1").allowed == minutes(240)


def test_a_service_names_its_contract(write):
    text = "services:\n  campus: {sla: gold}\n  own: {sla: mine}\n  bare:\nsla:\n  mine: {calendar: always, ack: 5m}\n"
    services = write(text + PROBE).setup.services
    assert [service.sla for service in services.values()] == ["gold", "mine", ""]


def test_contracts_of_several_files_add_up(write, tmp_path):
    (tmp_path / "more.yaml").write_text(
        "sla:\n  other: {calendar: nights, ack: 5m}\ncalendars:\n  nights: {hours: {mon-sun: 00:00-06:00}}\n"
    )
    setup = write(f"include: more.yaml\nsla:\n  mine: {{calendar: business, ack: 5m}}\n{PROBE}").setup
    assert {"mine", "other"} <= setup.contracts.names
    assert "nights" in setup.contracts["other"].calendars
