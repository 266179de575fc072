"""Route by role by tenant: who may ask what, for every route there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import aiohttp
import msgspec
import pytest
from aiohttp import web

from sentinel.core.access import ROLES, Issued
from sentinel.core.model import Role
from sentinel.web.app import build, routes
from sentinel.web.context import CONTEXT
from sentinel.web.guard import LIMITS, answer_problems, guarded
from sentinel.web.limits import Limits
from sentinel.web.openapi import roles_of
from sentinel.web.rights import GRANTS
from tests.fakes.room import Room, room
from tests.waiting import until
from tests.web.alive import alive
from tests.web.test_guard import answer_of

ELSEWHERE = "203.0.113.9"
START = datetime(2026, 11, 21, tzinfo=UTC)


async def token(around: Room, role: Role, name: str = "", customer: str = "", person: str = "", **more: object) -> str:
    """Make a token, and return its text."""
    wanted = Issued(
        at=START, by="test", name=name or role, digest="", role=role,
        customer=customer or ("DNUM" if role == "customer" else ""), person=person, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return (await around.tokens.issue(wanted))[1]


@pytest.fixture
async def around(tmp_path):
    async with room(tmp_path) as made:
        made.settings = replace(made.settings, limit=(10_000.0, 10_000.0))
        yield made


@pytest.fixture
async def app(around):
    made = build(around.context())
    made.freeze()
    return made


async def ask(app, method: str, path: str, text: str, peer: str = ELSEWHERE, **headers: str):
    shown = {"Authorization": f"Bearer {text}"} if text else {}
    return await answer_of(app, method, path, peer, **shown, **headers)


def asked(path: str) -> str:
    return path.replace("{number}", "INC-1").replace("{", "x").replace("}", "")


def test_every_route_says_who_may_ask_it():
    table = [route for route in routes("/metrics") if route.access in {"local", "near"}]
    assert len(table) > 100
    missing = [f"{route.method} {route.path}" for route in table if route.grant is None]
    assert missing == [], "a line in web/rights.py says which right it needs and what a customer sees"
    assert {f"{route.method} {route.path}" for route in table} == GRANTS.keys()


def test_nothing_that_changes_something_needs_only_the_right_to_look_and_no_customer_changes_anything():
    for name, grant in GRANTS.items():
        if not name.startswith("GET ") and not name.startswith("POST /me/"):  # One's own account is one's own.
            assert grant.right != "look", name
            assert grant.tenant == "nothing", name


async def reached(_request: web.Request) -> web.Response:
    """Stand for whatever a route does once the guard has let somebody in."""
    return web.Response()


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_is_served_to_the_roles_of_the_table_and_refused_to_all_others(around, role):
    incident = await around.open("campus is down", "campus")
    guards = web.Application(middlewares=[answer_problems])
    guards[CONTEXT], guards[LIMITS] = around.context(), Limits()
    table = [route for route in routes("/metrics") if route.access in {"local", "near"}]
    for route in table:
        guards.router.add_route(route.method, route.path, guarded(replace(route, handler=reached)))
    guards.freeze()
    text = await token(around, role)
    for route in table:
        path = asked(route.path).replace("INC-1", incident.number)
        answer = await ask(guards, route.method, path, text)
        expected = 200 if role in roles_of(route.grant) else 403
        assert answer.status == expected, f"{route.method} {route.path}"


def session_of(around: Room, role: Role) -> str:
    """Let the configuration give a role to somebody; return their id."""
    whoever = next(iter(around.settings.directory.people.values()))
    theirs = {"side": "customer", "customer": "DNUM"} if role == "customer" else {"side": "provider", "role": role}
    person = msgspec.structs.replace(whoever, **theirs)
    directory = msgspec.structs.replace(around.settings.directory, people={person.id: person})
    around.settings = replace(around.settings, directory=directory)
    return person.id


@pytest.mark.parametrize("role", ROLES)
async def test_every_route_is_served_to_the_sessions_of_the_same_roles_and_refused_to_all_others(around, role):
    """The same table for those who signed in: who they are comes from `people`, what changes from our pages."""
    theirs, other = await around.open("campus is down", "campus"), await around.open("mail is down", "mail")
    app = web.Application(middlewares=[answer_problems])
    app[CONTEXT], app[LIMITS] = around.context(), Limits()
    table = [route for route in routes("/metrics") if route.access in {"local", "near"}]
    for route in table:
        app.router.add_route(route.method, route.path, guarded(replace(route, handler=reached)))
    app.freeze()
    person = session_of(around, role)
    cookie = f"sentinel_session={await around.accounts.begin(person, 'password')}"
    for route in table:
        path, name = asked(route.path), f"{route.method} {route.path}"
        ours = path.replace("INC-1", theirs.number)
        may = role in roles_of(route.grant)
        answer = await answer_of(app, route.method, ours, ELSEWHERE, Cookie=cookie, Sec_Fetch_Site="same-origin")
        assert answer.status == (200 if may else 403), name
        if route.grant.tenant == "incident":
            answer = await answer_of(app, route.method, path.replace("INC-1", other.number), ELSEWHERE, Cookie=cookie)
            assert answer.status == (404 if role == "customer" else 200), name
        if route.method != "GET":
            answer = await answer_of(app, route.method, ours, ELSEWHERE, Cookie=cookie, Sec_Fetch_Site="cross-site")
            assert answer.status == 403, name
    await around.accounts.end_all(person)
    answer = await answer_of(app, "GET", "/me", ELSEWHERE, Cookie=cookie)
    assert answer.status == 403, "a session that has ended opens nothing"


# What the roles are for, said a second time, by hand.
FOR = {
    "GET /api/v1/incidents": "viewer operator incident_manager delivery_manager administrator customer",
    "GET /api/v1/messages": "viewer operator incident_manager delivery_manager administrator",
    "POST /api/v1/incidents/{number}/acknowledge": "operator incident_manager delivery_manager administrator",
    "POST /api/v1/incidents/{number}/crisis/message": "incident_manager delivery_manager administrator",
    "POST /api/v1/matrices/{name}/validate": "delivery_manager administrator",
    "POST /api/v1/changes": "delivery_manager administrator",
    "POST /api/v1/tokens": "administrator",
    "POST /api/v1/reload": "administrator",
    "GET /api/v1/reports/sla": "viewer operator incident_manager delivery_manager administrator customer",
}


def test_the_roles_are_what_they_are_for():
    assert {name: " ".join(roles_of(GRANTS[name])) for name in FOR} == FOR


async def test_every_route_asks_who_comes_from_elsewhere_for_a_token_once_there_is_one(around, app):
    await token(around, "viewer")
    for name in GRANTS:
        method, path = name.split()
        for text in ("", "wrong", "sentinel_0123456789_" + "A" * 43):
            answer = await ask(app, method, asked(path), text)
            assert answer.status == 401, name
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.content_type == "application/problem+json"


async def test_a_token_is_needed_on_this_machine_too_once_there_is_one_but_not_by_what_watches(around, app):
    assert (await ask(app, "GET", "/api/v1/status", "", "127.0.0.1")).status == 200
    text = await token(around, "viewer")
    assert (await ask(app, "GET", "/api/v1/status", "", "127.0.0.1")).status == 401
    assert (await ask(app, "GET", "/api/v1/status", text, "127.0.0.1")).status == 200
    for path in ("/metrics", "/probe", "/-/healthy"):
        assert (await ask(app, "GET", path, "", "127.0.0.1")).status == 200, path
    assert (await ask(app, "POST", "/hooks/alertmanager", "", "127.0.0.1")).status == 415
    around.settings = replace(around.settings, loopback="yes")
    assert (await ask(app, "GET", "/api/v1/status", "", "127.0.0.1")).status == 200
    assert (await ask(app, "GET", "/api/v1/status", "", ELSEWHERE)).status == 401


async def test_without_any_token_this_machine_may_be_asked_to_show_one_all_the_same(around, app):
    around.settings = replace(around.settings, loopback="no")
    assert (await ask(app, "GET", "/api/v1/status", "", "127.0.0.1")).status == 401


async def test_a_password_of_something_else_means_nothing_while_nobody_needs_a_token(app):
    assert (await ask(app, "GET", "/api/v1/status", "of-another-program", "127.0.0.1")).status == 200


async def test_a_revoked_or_lapsed_token_is_refused_at_once_and_opens_no_other_door(around, app):
    text = await token(around, "viewer", expires_at=around.clock.now() + timedelta(hours=1))
    assert (await ask(app, "GET", "/api/v1/status", text)).status == 200
    await around.tokens.revoke("viewer", "amina", "lost")
    assert (await ask(app, "GET", "/api/v1/status", text)).status == 401
    expires_at = around.clock.now() + timedelta(milliseconds=300)
    lapsed = await token(around, "viewer", "lapsed", expires_at=expires_at)
    await until(lambda: around.clock.now() >= expires_at)
    assert (await ask(app, "GET", "/api/v1/status", lapsed)).status == 401
    assert (await ask(app, "GET", "/api/v1/status", "", "127.0.0.1")).status == 401, "a day that goes by opens no door"
    assert (await ask(app, "GET", "/api/v1/status", text, "127.0.0.1")).status == 401


async def test_a_token_comes_through_a_proxy_and_nothing_else_does(around, app):
    text = await token(around, "viewer")
    for header in ("Forwarded", "X_Forwarded_For", "X_Real_IP", "Via"):
        assert (await ask(app, "GET", "/api/v1/status", text, "127.0.0.1", **{header: ELSEWHERE})).status == 200
        assert (await ask(app, "GET", "/api/v1/status", "", "127.0.0.1", **{header: "127.0.0.1"})).status == 401


async def test_a_browser_that_another_site_sent_changes_nothing_with_the_password_it_kept(around, app):
    text = await token(around, "operator")
    headers = {"Origin": "https://evil.example.org", "Host": "sentinel.example.org"}
    answer = await ask(app, "POST", "/api/v1/incidents/INC-1/acknowledge", text, **headers)
    assert answer.status == 403
    ours = {"Origin": "https://sentinel.example.org", "Host": "10.0.0.1:9115"}
    assert (await ask(app, "POST", "/api/v1/incidents/INC-1/acknowledge", text, **ours)).status == 404


async def test_a_page_asks_a_browser_for_the_token_as_a_password(around, app):
    await token(around, "viewer")
    answer = await ask(app, "GET", "/", "", Accept="text/html")
    assert (answer.status, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    import base64

    text = await token(around, "viewer", "board")
    basic = base64.b64encode(f"anything:{text}".encode()).decode()
    assert (await answer_of(app, "GET", "/", ELSEWHERE, Authorization=f"Basic {basic}")).status == 200


async def test_a_token_in_the_address_is_none(around, app):
    text = await token(around, "viewer")
    assert (await ask(app, "GET", f"/api/v1/status?key={text}", "")).status == 401


async def test_the_client_is_whom_a_trusted_proxy_names_and_nobody_else(around, app):
    """A stranger behind the proxy uses up what is theirs, not what is the proxy's."""
    await token(around, "viewer")
    around.settings = replace(
        around.settings, limit=(1.0, 10.0), trusted_proxies=(ip_network("10.0.0.1/32"), ip_network("10.0.0.2/32"))
    )

    async def status(peer: str, forwarded: str) -> int:
        return (await ask(app, "GET", "/api/v1/status", "", peer, X_Forwarded_For=forwarded)).status

    statuses = [await status("10.0.0.1", "198.51.100.1, 192.0.2.7, 10.0.0.2") for _ in range(10)]
    assert statuses[0] == 401
    assert statuses[-1] == 429
    assert await status("10.0.0.1", "192.0.2.8") == 401
    assert await status("10.0.0.1", "192.0.2.7") == 429
    assert await status("192.0.2.99", "192.0.2.7") == 401, "its own word counts for nothing"


# Customers --------------------------------------------------------------------------------------------------------


async def test_a_customer_sees_its_own_incidents_only(around, app):
    theirs = await around.open("campus is down", "campus")
    other = await around.open("the secret canary of the other", "mail")
    text = await token(around, "customer", customer="DNUM")
    listed = await ask(app, "GET", "/api/v1/incidents", text)
    assert theirs.number in listed.text
    assert "canary" not in listed.text
    for query in ("?service=mail", "?order=queue&service=mail", "?state=open&service=mail"):
        assert (await ask(app, "GET", f"/api/v1/incidents{query}", text)).text == "[]"
    assert theirs.number in (await ask(app, "GET", "/api/v1/incidents?order=queue", text)).text
    shown = await ask(app, "GET", f"/api/v1/incidents/{theirs.number}", text)
    assert shown.status == 200
    assert "timeline" not in shown.text
    assert "messages" not in shown.text
    hidden = await ask(app, "GET", f"/api/v1/incidents/{other.number}", text)
    never = await ask(app, "GET", "/api/v1/incidents/INC-77", text)
    assert (hidden.status, never.status) == (404, 404)
    assert hidden.text.replace(other.number, "") == never.text.replace("INC-77", "")


async def test_nothing_a_customer_may_ask_holds_a_trace_of_another_customer(tmp_path):
    """In a whole daemon, where the other has an incident, a request, a change, and figures in the report."""
    may = [route for route in routes("/metrics") if route.grant is not None and route.grant.tenant != "nothing"]
    assert len(may) >= 7
    async with alive(tmp_path) as there, aiohttp.ClientSession(there.url) as http:
        await there.open("canary", "the canary sings")
        admin, theirs = await there.token("administrator"), await there.token("customer", "DNUM")
        change = {
            "title": "canary moves", "services": ["canary"], "begins_at": "2026-12-01T01:00:00Z",
            "ends_at": "2026-12-01T02:00:00Z", "force": True, "why": "for the test",
        }  # fmt: skip
        asking = {"title": "canary wants", "category": "new_account", "description": "x", "service": "canary"}
        for path, body in (("/api/v1/changes", change), ("/api/v1/requests", asking | {"wanted": "2026-12-24"})):
            async with http.post(path, json=body, headers=admin) as answer:
                assert answer.status == 201, await answer.text()
        seen_by_us = set()
        for route in may:
            path = f"{asked(route.path)}{'?month=2026-10' if route.path.endswith('reports/sla') else ''}"
            for headers, who in ((theirs, "customer"), (admin, "us")):
                async with http.get(path, headers=headers) as answer:
                    text = (await answer.text()).lower()
                if who == "customer":
                    assert "canar" not in text, path
                elif "canar" in text:
                    seen_by_us.add(path.partition("?")[0])
        names = ("incidents", "incidents/INC-1", "requests", "changes", "reports/sla")
        pages = ("/", "/incidents", "/incidents/INC-1", "/requests", "/reports", "/reports/sla")
        assert seen_by_us == {f"/api/v1/{name}" for name in names} | set(pages)


async def test_a_customer_that_no_service_is_of_any_more_sees_nothing(around, app):
    incident = await around.open("campus is down", "campus")
    text = await token(around, "customer", customer="DNUM")
    around.settings = replace(around.settings, owners={})
    assert (await ask(app, "GET", "/api/v1/incidents", text)).text == "[]"
    assert (await ask(app, "GET", "/api/v1/requests", text)).text == "[]"
    assert (await ask(app, "GET", f"/api/v1/incidents/{incident.number}", text)).status == 404
    assert (await ask(app, "GET", "/api/v1/reports/sla", text)).status == 404


async def test_a_customer_asks_for_reports_on_its_own_services(around, app):
    text = await token(around, "customer", customer="DNUM")
    answer = await ask(app, "GET", "/api/v1/reports/sla?service=mail", text)
    assert (answer.status, "no service mail" in answer.text) == (404, True)
