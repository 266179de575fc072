"""Signing in as people do: asked in by an administrator, with a password, a second factor, a session in a browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import msgspec
import pyotp
import pytest
from argon2 import PasswordHasher
from lxml import html

from sentinel.engine.accounts import AGE_MAX, IDLE_MAX
from sentinel.web.context import SignInProxy
from sentinel.web.signing import TRIES_EACH
from tests.waiting import until
from tests.web.alive import Alive, alive

PASSWORD = "le chat dort sur le serveur"
OURS = {"Sec-Fetch-Site": "same-origin"}
PAGE = {"Accept": "text/html"}
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # What it costs is tried nowhere but in practice.


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Alive]:
    async with alive(tmp_path) as one:
        one.one.daemon.accounts.hasher = QUICK
        yield one


def browser(house: Alive) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(house.url, cookie_jar=aiohttp.CookieJar(unsafe=True), headers=PAGE)


async def join(house: Alive, person: str = "amina", password: str = PASSWORD) -> None:
    """Give somebody an account, as the invitation does."""
    await house.one.daemon.accounts.set_password(person, password, person)


async def sign_in(http: aiohttp.ClientSession, person: str = "amina", password: str = PASSWORD, code: str = "") -> int:
    form = {"person": person, "password": password, "code": code, "next": "/"}
    async with http.post("/sign-in", data=form, headers=OURS, allow_redirects=False) as answer:
        return answer.status


async def status(http: aiohttp.ClientSession, path: str = "/", **headers: str) -> int:
    async with http.get(path, headers=headers, allow_redirects=False) as answer:
        return answer.status


async def test_somebody_who_is_asked_in_chooses_a_password_and_is_in(house):
    secret = await house.one.daemon.accounts.invite("amina", "root")
    path = f"/invitations/{secret}"
    async with browser(house) as http:
        for _ in range(3):  # Previews of links look, and spend nothing.
            assert await status(http, path) == 200
        form = {"password": PASSWORD, "again": PASSWORD}
        async with http.post(path, data=form, headers=OURS, allow_redirects=False) as answer:
            assert answer.status == 303
            assert "HttpOnly" in answer.headers["Set-Cookie"]
            assert "SameSite=Lax" in answer.headers["Set-Cookie"]
        assert await status(http, path) == 404, "it serves once"
        async with http.get("/me") as answer:
            assert "Amina Benali" in await answer.text()


@pytest.mark.parametrize(
    ("password", "again"), [("too short", "too short"), (PASSWORD, f"{PASSWORD}!"), ("amina benali", "amina benali")]
)
async def test_a_password_that_will_not_do_leaves_the_invitation_as_it_was(house, password, again):
    path = f"/invitations/{await house.one.daemon.accounts.invite('amina', 'root')}"
    async with browser(house) as http:
        async with http.post(path, data={"password": password, "again": again}, headers=OURS) as answer:
            assert answer.status == 400
            assert html.fromstring(await answer.text()).cssselect("[role=alert]")
        assert await status(http, path) == 200


async def test_who_has_not_signed_in_is_led_to_the_form_and_back(house):
    await join(house)
    async with browser(house) as http:
        async with http.get("/requests?x=1", allow_redirects=False) as answer:
            assert answer.status == 303
            assert answer.headers["Location"] == "/sign-in?next=%2Frequests%3Fx%3D1"
        async with http.get("/requests") as answer:
            shown = html.fromstring(await answer.text())
            assert shown.cssselect("input[name=next]")[0].get("value") == "/requests"
        assert await sign_in(http) == 303
        assert await status(http, "/requests") == 200


@pytest.mark.parametrize("next_", ["https://evil.example.org/", "//evil.example.org", "/\\evil.example.org", "x", ""])
async def test_nobody_is_led_to_another_site(house, next_):
    await join(house)
    async with browser(house) as http:
        form = {"person": "amina", "password": PASSWORD, "next": next_}
        async with http.post("/sign-in", data=form, headers=OURS, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/"


async def test_a_wrong_password_and_nobody_get_the_same_answer(house):
    await join(house)
    said = set()
    async with browser(house) as http:
        for person in ("amina", "nobody"):
            form = {"person": person, "password": "x" * 20}
            async with http.post("/sign-in", data=form, headers=OURS) as answer:
                text = (await answer.text()).replace(f'value="{person}"', "")
                said.add((answer.status, re.sub(r"\d+ (h|s|min)[^<]*|\d\d:\d\d[^<]*", "", text)))
    assert len(said) == 1


async def test_a_mail_address_signs_in_too(house):
    await join(house)
    async with browser(house) as http:
        assert await sign_in(http, "Amina@example.org") == 303


async def test_many_tries_are_held_up_and_links_are_not(house):
    await join(house)
    async with browser(house) as http:
        tried = [await sign_in(http, password="x" * 20) for _ in range(TRIES_EACH + 1)]
        assert tried == [401] * TRIES_EACH + [429]
        assert await sign_in(http) == 429, "the right password has to wait as well"
        assert await status(http, "/a/nothing") == 404
        assert await status(http, "/-/healthy") == 200


async def test_a_session_does_what_the_role_may_and_under_the_name(house):
    await join(house)
    number = await house.open("campus", "login fails")
    async with browser(house) as http:
        await sign_in(http)
        async with http.post(f"/incidents/{number}/acknowledge", headers=OURS, allow_redirects=False) as answer:
            assert answer.status == 303
        async with http.get(f"/incidents/{number}") as answer:
            assert not html.fromstring(await answer.text()).cssselect("input[name=by]"), "nobody is asked who they are"
        async with http.get("/api/v1/tokens") as answer:
            assert answer.status == 403, "amina is an operator"
    assert (await house.one.daemon.desk.look_at(number)).acknowledged_by == "amina"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example.org"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.org"},
    ],
)
async def test_another_site_acts_in_nobodys_name(house, headers):
    await join(house)
    number = await house.open("campus", "login fails")
    async with browser(house) as http:
        await sign_in(http)
        async with http.post(f"/incidents/{number}/acknowledge", headers=headers) as answer:
            assert answer.status == 403
        async with http.post("/sign-out", headers=headers) as answer:
            assert answer.status == 403
    assert (await house.one.daemon.desk.look_at(number)).acknowledged_by == ""


async def test_a_cookie_from_before_is_never_a_session(house):
    await join(house)
    async with browser(house) as http:
        http.cookie_jar.update_cookies({"sentinel_session": "chosen-by-somebody-else"})
        assert await status(http) == 303
        await sign_in(http)
        cookies = {cookie.key: cookie.value for cookie in http.cookie_jar}
        assert cookies["sentinel_session"] != "chosen-by-somebody-else"
        assert await status(http) == 200


async def test_signing_out_ends_the_session_not_only_the_cookie(house):
    await join(house)
    async with browser(house) as http:
        await sign_in(http)
        (secret,) = (cookie.value for cookie in http.cookie_jar if cookie.key == "sentinel_session")
        async with http.post("/sign-out", headers=OURS, allow_redirects=False) as answer:
            assert answer.status == 303
        assert await status(http, Cookie=f"sentinel_session={secret}") == 303


async def test_disabling_somebody_ends_what_they_do_at_once(house):
    await join(house)
    async with browser(house) as http:
        await sign_in(http)
        await house.one.daemon.accounts.disable("amina", "root", "left")
        assert await status(http) == 303
        assert await sign_in(http) == 401


async def test_another_password_ends_every_other_session(house):
    await join(house)
    async with browser(house) as one, browser(house) as other:
        await sign_in(one)
        await sign_in(other)
        form = {"password": PASSWORD, "new": f"{PASSWORD} encore", "again": f"{PASSWORD} encore"}
        async with one.post("/me/password", data=form, headers=OURS, allow_redirects=False) as answer:
            assert answer.status == 303
        assert await status(one) == 200
        assert await status(other) == 303


async def test_one_ends_the_sessions_of_elsewhere(house):
    await join(house)
    async with browser(house) as one, browser(house) as other:
        await sign_in(one)
        await sign_in(other)
        async with one.post("/me/sessions/end", headers=OURS, allow_redirects=False) as answer:
            assert answer.status == 303
        assert (await status(one), await status(other)) == (200, 303)
        async with one.post(f"/me/sessions/{'0' * 64}/end", headers=OURS) as answer:
            assert answer.status == 409


async def test_a_second_factor_is_asked_for_and_each_code_serves_once(house):
    await join(house)
    accounts, clock = house.one.daemon.accounts, house.one.daemon.clock
    async with browser(house) as http:
        await sign_in(http)
        async with http.get("/me") as answer:
            secret = html.fromstring(await answer.text()).cssselect("input[name=secret]")[0].get("value")
        made = pyotp.TOTP(secret)
        wrong = {"password": PASSWORD, "secret": secret, "code": "000000"}
        async with http.post("/me/second", data=wrong, headers=OURS) as answer:
            assert answer.status == 400
        right = wrong | {"code": made.at(clock.now())}
        async with http.post("/me/second", data=right, headers=OURS, allow_redirects=False) as answer:
            assert answer.status == 303
    assert accounts.of("amina").second == secret
    async with browser(house) as http:
        assert await sign_in(http) == 401
        code = made.at(clock.now())
        assert await sign_in(http, code=code) == 303
        assert await sign_in(http, code=code) == 401, "whoever looked over the shoulder has nothing"


async def test_sessions_outlive_a_restart_and_end_by_themselves(house):
    await join(house)
    accounts, clock = house.one.daemon.accounts, house.one.daemon.clock
    secret = await accounts.begin("amina", "password")
    await accounts.load()
    session = await accounts.find(secret)
    assert session is not None
    now = clock.now()
    assert msgspec.structs.replace(session, seen_at=now - IDLE_MAX + timedelta(seconds=1)).in_force(now)
    assert not msgspec.structs.replace(session, seen_at=now - IDLE_MAX).in_force(now)
    assert not msgspec.structs.replace(session, began_at=now - AGE_MAX).in_force(now)


async def test_no_password_is_taken_where_it_could_be_read(served):
    async with served.http.get("/sign-in", headers={"X-Forwarded-For": "192.0.2.7", **PAGE}) as answer:
        assert "alarm" in await answer.text()
    form = {"person": "amina", "password": PASSWORD}
    headers = {"X-Forwarded-For": "192.0.2.7", **OURS}
    async with served.http.post("/sign-in", data=form, headers=headers) as answer:
        assert answer.status == 403


async def test_over_tls_the_cookie_is_of_this_host_only(served):
    served.room.settings = replace(served.room.settings, trusted_proxies=(ip_network("127.0.0.0/8"),))
    await served.room.accounts.set_password("amina", PASSWORD, "amina")
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", **OURS}
    form = {"person": "amina", "password": PASSWORD}
    async with served.http.post("/sign-in", data=form, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303
        cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-sentinel_session=")
    assert "Secure" in cookie


async def test_a_proxy_that_is_trusted_signs_people_in(served):
    proxy = SignInProxy(header="X-Remote-User", networks=(ip_network("127.0.0.1/32"),))
    served.room.settings = replace(served.room.settings, sign_in_proxy=proxy, loopback="no")
    assert await status(served.http, "/api/v1/me", **{"X-Remote-User": "bruno@example.org"}) == 200
    async with served.http.get("/api/v1/me", headers={"X-Remote-User": "bruno"}) as answer:
        assert (await answer.json())["acts_as"] == "bruno"
    assert await status(served.http, "/api/v1/me", **{"X-Remote-User": "mallory"}) == 403
    assert await status(served.http, "/api/v1/me") == 401


async def test_the_header_of_a_proxy_is_nobodys_word_from_elsewhere(served):
    proxy = SignInProxy(header="X-Remote-User", networks=(ip_network("192.0.2.0/24"),))
    served.room.settings = replace(served.room.settings, sign_in_proxy=proxy, loopback="no")
    assert await status(served.http, "/api/v1/me", **{"X-Remote-User": "bruno"}) == 401


async def test_an_administrator_asks_in_disables_and_enables(served):
    async with served.http.post("/api/v1/accounts/amina/invite", json={"by": "root"}) as answer:
        assert answer.status == 201
        url = (await answer.json())["url"]
    assert url.startswith("https://sentinel.example.org/invitations/")
    async with served.http.get("/api/v1/accounts") as answer:
        found = {one["person"]: one for one in await answer.json()}
    assert found["amina"]["invited_until"]
    async with served.http.post("/api/v1/accounts/amina/disable", json={"by": "root", "why": "left"}) as answer:
        assert (await answer.json())["disabled_at"]
    async with served.http.post("/api/v1/accounts/amina/invite", json={"by": "root"}) as answer:
        assert answer.status == 409
    async with served.http.post("/api/v1/accounts/amina/enable", json={"by": "root"}) as answer:
        assert (await answer.json())["disabled_at"] is None
    async with served.http.post("/api/v1/accounts/nobody/invite", json={"by": "root"}) as answer:
        assert answer.status == 404


async def test_somebody_sees_how_they_are_reached_and_tries_it(house):
    await join(house)
    async with browser(house) as http:
        await sign_in(http)
        async with http.get("/me?lang=fr") as answer:
            shown = html.fromstring(await answer.text())
        reach = shown.cssselect("#reach")[0].text_content()
        assert "amina@example.org" in reach
        assert "+33639980001" in reach
        assert [one.get("value") for one in shown.cssselect("#reach input[name=channel]")] == ["email", "sms"]
        async with http.post("/me/test", data={"channel": "email"}, headers=OURS, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/me?done=test#reach"
        daemon = house.one.daemon
        await until(lambda: daemon.store.messages(limit=1)[0].state == "done")
        assert len(house.one.mailed()) == 1
        async with http.get("/me?lang=en") as answer:
            test = html.fromstring(await answer.text()).cssselect("#my-test")[0].text_content()
        assert " ".join(test.split()).startswith("✓ left")
        assert "handed over" in test
        async with http.post("/me/test", data={"channel": "sms"}, headers=OURS) as answer:
            assert answer.status == 429
        async with http.post("/me/test", data={"channel": "pigeon"}, headers=OURS) as answer:
            assert answer.status == 404
    assert not house.one.mailed(".sms")


async def test_pages_are_in_the_language_of_who_signed_in_unless_the_browser_says_another(house):
    await join(house)
    async with browser(house) as http:
        await sign_in(http)
        for headers, language in (({}, "fr"), ({"Accept-Language": "en"}, "en")):
            async with http.get("/me", headers=headers) as answer:
                assert html.fromstring(await answer.text()).get("lang") == language
