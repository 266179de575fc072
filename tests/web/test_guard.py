"""Who may ask what: every route, every peer."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from sentinel.intake.opsgenie import routes as opsgenie
from sentinel.web.app import build
from sentinel.web.guard import HEADERS
from tests.fakes.room import room

OPEN_TO_ANYONE = {
    "/-/healthy", "/-/ready", "/am/-/healthy", "/am/-/ready", "/static/{name}",  # They say nothing.
    "/ping/{key}", "/ping/{key}/{word}", "/ping/{key}/{slug}/{word}", "/api/push/{key}",  # They carry their own proof.
    "/api/v1/endpoints/{name}/external", "/support/{key}", "/a/{code}", "/a/{code}/keys", "/hooks/{key}",
    "/hooks/canary", "/hooks/tickets/{name}",
    "/pagerduty/v2/enqueue", "/pagerduty/v2/change/enqueue", "/pagerduty/generic/2010-04-15/create_event.json",
    "/sms/{name}/reply", "/sms/{name}/receipt",
    "/sign-in", "/sign-in/oidc", "/sign-in/oidc/back",  # They ask for the proof.
    "/static/status.css", "/status/{page}", "/status/{page}/subscribe",  # Each page says whether it is for anyone.
    "/status/{page}/confirm/{code}", "/status/{page}/unsubscribe/{code}",
    *(route.path.replace(":.*", "") for route in opsgenie.routes()),  # Each asks for a key.
}  # fmt: skip


class Wire:
    """What aiohttp asks a connection: who is at the other end."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._socket = socket.socket()
        self._socket.close()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": (self._peer, 40000), "socket": self._socket}.get(name, default)

    def is_closing(self) -> bool:
        return False


async def answer_of(app: web.Application, method: str, path: str, peer: str, **headers: str) -> web.StreamResponse:
    named = {"Host": "127.0.0.1:9115"} | {name.replace("_", "-"): value for name, value in headers.items()}
    request = make_mocked_request(method, path, headers=named, app=app, transport=Wire(peer))
    match = await app.router.resolve(request)
    match.add_app(app)
    match.freeze()
    request._match_info = match
    try:
        return await app._handle(request)
    except web.HTTPException as answer:
        return answer


@pytest.fixture
async def app(tmp_path):
    async with room(tmp_path) as around:
        made = build(around.context())
        made.freeze()
        yield made


def asked(app: web.Application) -> list[tuple[str, str, str]]:
    """Every route of the application: method, path as registered, path to ask for."""
    found = []
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        found.append((route.method, path, path.replace("{number}", "INC-1").replace("{", "x").replace("}", "")))
    return found


@pytest.mark.parametrize("peer", ["203.0.113.9", "2001:db8::1", "::ffff:203.0.113.9", "10.0.0.7", "fe80::1%eth0"])
async def test_every_route_refuses_another_machine_but_those_named(app, peer):
    open_ = set()
    for method, path, ask in asked(app):
        answer = await answer_of(app, method, ask, peer)
        if answer.status != 403:
            open_.add(path)
    assert open_ == OPEN_TO_ANYONE


async def test_every_route_refuses_what_a_proxy_hands_on(app):
    for header in ("Forwarded", "X_Forwarded_For", "X_Real_IP", "Via"):
        open_ = set()
        for method, path, ask in asked(app):
            answer = await answer_of(app, method, ask, "127.0.0.1", **{header: "127.0.0.1"})
            if answer.status != 403:
                open_.add(path)
        assert open_ == OPEN_TO_ANYONE


async def test_every_route_that_changes_something_refuses_another_site(app):
    changing = [(method, path, ask) for method, path, ask in asked(app) if method not in {"GET", "HEAD"}]
    assert len(changing) > 10
    for method, path, ask in changing:
        if path in OPEN_TO_ANYONE:
            continue
        for headers in (
            {"Origin": "https://evil.example.org"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:9115", "Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Origin": "http://[bad"},
        ):
            assert (await answer_of(app, method, ask, "127.0.0.1", **headers)).status == 403, (path, headers)


async def test_every_answer_carries_the_headers_that_keep_a_browser_in_check(served):
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("GET", "/api/v1/nothing"), ("GET", "/-/healthy")):
        async with served.http.request(method, path) as answer:
            for name, value in HEADERS.items():
                assert answer.headers[name] == value
            assert answer.headers["Cache-Control"] == "no-store"
    assert "'unsafe-inline'" not in HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9115", "localhost", "LOCALHOST:9115", "[::1]:9115", "sentinel.example.org"]
)
async def test_the_names_of_this_machine_and_site_are_served(app, host):
    assert (await answer_of(app, "GET", "/", "127.0.0.1", Host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["rebound.example.org", "203.0.113.9", "localhost.evil.example.org", "[bad", "", "a@b"]
)
async def test_another_name_that_leads_here_is_refused(app, host):
    assert (await answer_of(app, "GET", "/", "127.0.0.1", Host=host)).status == 403


async def test_metrics_are_for_the_addresses_listed(served):
    from dataclasses import replace
    from ipaddress import ip_network

    served.room.settings = replace(served.room.settings, metrics_allow=(ip_network("10.20.0.0/16"),))
    async with served.http.get("/metrics") as answer:
        assert answer.status == 403
    app = build(served.room.context())
    app.freeze()
    assert (await answer_of(app, "GET", "/metrics", "10.20.3.4", Host="monitor:9115")).status == 200
    assert (await answer_of(app, "GET", "/metrics", "10.21.3.4", Host="monitor:9115")).status == 403


async def test_a_form_of_our_own_page_is_served(app):
    headers = {"Origin": "http://127.0.0.1:9115", "Sec_Fetch_Site": "same-origin"}
    assert (await answer_of(app, "POST", "/-/reload", "127.0.0.1", **headers)).status == 200
