"""Rotas as they are written, and as the core is told of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from sentinel.core.oncall import person_at
from tests.core.rotas import at

PROBE = 'probes:\n  web: {type: tcp, target: "web1.example.org:443"}\n'
PEOPLE = "people:\n  amina: {email: amina@example.org}\n  bruno: {email: bruno@example.org}\n"


def rotas(write, text: str):
    return write(f"{PROBE}{PEOPLE}rotas:\n{text}").setup.directory.rotas


def test_a_rota_is_what_was_written(good):
    rota = good.setup.directory.rotas["technical"]
    own, layer = rota.layers
    assert (own.hour, own.days, own.first_day, own.order) == (time(9), 7, date(2026, 11, 23), ("amina", "bruno"))
    assert (layer.hour, layer.days, layer.order) == (time(8), 1, ("bruno",))
    assert layer.covers.inside
    assert not rota.covers.inside
    assert (rota.fill_by, rota.fill_warn, rota.fill_to) == (timedelta(days=1), timedelta(days=2), ("amina",))
    assert (rota.notice_before, rota.published) == (timedelta(hours=2), True)
    (override,) = rota.entries
    assert (override.who, override.starts_at, override.note) == (
        "amina",
        datetime(2026, 12, 23, 8, tzinfo=UTC),
        "échange de Noël",
    )


def test_outside_a_calendar_means_its_holidays_too(good):
    rota = good.setup.directory.rotas["technical"]
    assert person_at(rota, at("2027-01-01 11:00")) == "bruno", "New Year's Day"
    assert person_at(rota, at("2026-11-25 11:00")) == "", "a Wednesday"


def test_what_is_not_written_is_a_week_from_monday_nine_filled_by_hand(good):
    rota = good.setup.directory.rotas["bare"]
    (own,) = rota.layers
    assert (rota.name, own.hour, own.days, own.order, own.timezone) == ("bare", time(9), 7, (), "Europe/Paris")
    assert own.first_day.weekday() == 0
    assert (rota.fill_by, rota.notice_before) == (timedelta(days=1), timedelta(hours=1))
    assert rota.fill_to == ("amina",), "those of watchdog.self_alert"
    assert not rota.published


def test_turns_begin_on_the_first_weekday_of_the_hand_over_from_starts_on(write):
    made = rotas(write, "  r: {handover: fri 17:00, starts: 2026-11-23, order: [amina, bruno]}\n")["r"]
    assert made.layers[0].first_day == date(2026, 11, 27)
    assert person_at(made, at("2026-11-27 17:00")) == "amina"
    assert person_at(made, at("2026-12-04 17:00")) == "bruno"


def test_a_layer_takes_from_the_rota_what_it_does_not_say(write):
    said = "handover: fri 17:00, timezone: Europe/London, starts: 2026-11-23, order: amina"
    text = f"  r: {{{said}, layers: [{{order: bruno}}]}}\n"
    own, layer = rotas(write, text)["r"].layers
    assert (layer.hour, layer.timezone, layer.first_day) == (own.hour, "Europe/London", own.first_day)


def test_notices_are_switched_off_by_never(good):
    assert good.setup.directory.rotas["by-hand"].notice_before is None


def test_whom_a_rota_may_put_on_call_must_be_reachable(write):
    text = (
        f"{PROBE}{PEOPLE}  chloe: {{mobile: '+33639980003'}}\n"
        "channels:\n  mail: {type: outbox, path: outbox, as: email}\n"
        "rotas:\n  r: {order: [amina, chloe], starts: 2026-11-23}\n"
        "escalations:\n  p1:\n    - {at: 0m, to: 'rota:r', by: mail}\n"
    )
    (warning,) = (w for w in write(text).warnings if "nobody is told" not in w.text)
    assert warning.text == "1 of 2 in 'rota:r' cannot be reached by `mail`"


@pytest.mark.parametrize("people", ["yes", "no"])
def test_who_is_on_call_can_be_kept_out_of_the_metrics(write, people):
    loaded = write(f"{PROBE}server: {{metrics: {{people: {people}}}}}\n")
    assert loaded.setup.server.metrics.people == (people == "yes")
