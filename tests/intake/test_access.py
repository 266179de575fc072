"""Who may send alerts: this machine, the addresses that are let in, and who has the key."""

from __future__ import annotations

import base64
from dataclasses import replace
from ipaddress import ip_network

import pytest

from sentinel.web.app import build
from sentinel.web.context import AlertDoor
from tests.fakes.room import room
from tests.web.test_guard import answer_of

KEY = "0123456789abcdef-key"
PATH = "/am/api/v2/receivers"


@pytest.fixture
async def app(tmp_path):
    async with room(tmp_path) as around:
        door = AlertDoor(allow=(ip_network("10.20.0.0/16"),), key=KEY)
        around.settings = replace(around.settings, alerts=door)
        made = build(around.context())
        made.freeze()
        yield made


async def test_an_address_that_is_let_in_may_come_under_any_name_but_through_no_proxy(app):
    assert (await answer_of(app, "GET", PATH, "10.20.3.4", Host="sentinel:9115")).status == 200
    assert (await answer_of(app, "GET", PATH, "10.21.3.4", Host="sentinel:9115")).status == 403
    assert (await answer_of(app, "GET", PATH, "10.20.3.4", X_Forwarded_For="10.20.3.5")).status == 403
    # What it is let in for is alerts, and nothing else.
    assert (await answer_of(app, "GET", "/api/v1/incidents", "10.20.3.4")).status == 403


async def test_another_site_that_sends_a_browser_is_refused_at_an_address_that_is_let_in(app):
    headers = {"Host": "sentinel:9115", "Origin": "https://evil.example.org"}
    assert (await answer_of(app, "POST", "/am/api/v2/alerts", "10.20.3.4", **headers)).status == 403


async def test_a_key_lets_anybody_in_as_a_token_or_as_a_password_but_only_for_alerts(app):
    basic = base64.b64encode(f"prometheus:{KEY}".encode()).decode()
    for shown in (f"Bearer {KEY}", f"Basic {basic}"):
        assert (await answer_of(app, "GET", PATH, "203.0.113.9", Authorization=shown)).status == 200
        assert (await answer_of(app, "GET", "/api/v1/incidents", "203.0.113.9", Authorization=shown)).status == 403
    for wrong in (
        "Bearer x",
        "Bearer ",
        f"Bearer {KEY}x",
        "Basic x",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
    ):
        answer = await answer_of(app, "GET", PATH, "203.0.113.9", Authorization=wrong)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
