"""Signing in at an identity provider: a real one, and one that has bad days."""

from __future__ import annotations

import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
from lxml import html

from sentinel.openid import provider as speaking
from sentinel.web import openid_sign_in, signing
from tests.engine.whole import HEARTBEAT, START
from tests.fakes.identity_provider import MAKE, IdentityProvider, identity_provider
from tests.web.alive import WORLD, Alive, alive
from tests.web.test_signing import PAGE

ENGLISH = PAGE | {"Accept-Language": "en"}
SITE = "https://sentinel.example.org"
PEOPLE = """\
  bruno: {name: Bruno, email: shared@example.org}
  chloe: {name: Chloé, email: shared@example.org}
"""


class Scene(NamedTuple):
    """A daemon whose people sign in at a provider, that provider, and a browser."""

    house: Alive
    provider: IdentityProvider
    http: aiohttp.ClientSession


def world(issuer: str, more: str = "") -> str:
    oidc = f'oidc: {{issuer: "{issuer}", client_id: sentinel, client_secret: "${{file:token2}}", name: Campus{more}}}'
    text = WORLD.replace("auth: {", f"auth: {{{oidc}, ").replace("channels:", f"{PEOPLE}channels:", 1)
    return f"site: {{url: {SITE}}}\n{text}{HEARTBEAT}"


def browser(house: Alive) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(house.url, cookie_jar=aiohttp.CookieJar(unsafe=True), headers=ENGLISH)


@asynccontextmanager
async def scene(folder: Path, more: str = "") -> AsyncIterator[Scene]:
    async with (
        identity_provider(START) as provider,
        alive(folder, world(provider.url, more)) as house,
        browser(house) as http,
    ):
        yield Scene(house, provider, http)


@pytest.fixture
async def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(signing, "TRIES_ADDRESS", 1_000)
    async with scene(tmp_path) as one:
        yield one


async def sent(at: Scene, next_: str = "/requests") -> str:
    """Begin to sign in; return where the provider sends the browser back to, without the host."""
    async with at.http.get(f"/sign-in/oidc?{urlencode({'next': next_})}", allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        address = answer.headers["Location"]
    assert address.startswith(f"{at.provider.url}/authorize?")
    async with aiohttp.ClientSession() as elsewhere, elsewhere.get(address, allow_redirects=False) as answer:
        back = answer.headers["Location"]
    assert back.startswith(f"{SITE}/sign-in/oidc/back?")
    return back.removeprefix(SITE)


async def came(http: aiohttp.ClientSession, back: str) -> tuple[int, str]:
    """Come back; return the status, and where it leads or what the page says."""
    async with http.get(back, allow_redirects=False) as answer:
        if answer.status == 303:
            return 303, answer.headers["Location"]
        shown = html.fromstring(await answer.text())
        return answer.status, " ".join(shown.cssselect("main")[0].text_content().split())


async def signed_in(http: aiohttp.ClientSession) -> str:
    async with http.get("/api/v1/me") as answer:
        return str((await answer.json())["acts_as"]) if answer.status == 200 else ""


async def test_the_form_has_a_button_that_leads_to_the_provider_and_back_in(at):
    async with at.http.get("/requests") as answer:
        shown = html.fromstring(await answer.text())
    (button,) = [link for link in shown.cssselect("main a") if link.get("href").startswith("/sign-in/oidc")]
    assert button.text_content() == "Sign in with Campus"
    assert button.get("href") == "/sign-in/oidc?next=/requests"
    assert await came(at.http, await sent(at)) == (303, "/requests")
    assert await signed_in(at.http) == "amina"
    (session,) = at.house.one.daemon.accounts.sessions("amina")
    assert session.way == "oidc"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # What the provider is made of is about to be renamed.
async def test_at_a_real_provider(tmp_path):
    with warnings.catch_warnings(record=True):
        import oidc_provider_mock
    with oidc_provider_mock.run_server_in_thread() as server:
        issuer = f"http://localhost:{server.server_port}"
        async with (
            alive(tmp_path, world(issuer), datetime.now(UTC)) as house,
            browser(house) as http,
            aiohttp.ClientSession() as elsewhere,
        ):
            who = {"email": "Amina@Example.org", "email_verified": True}
            async with elsewhere.put(f"{issuer}/users/amina", json=who) as answer:
                assert answer.status == 204
            async with http.get("/sign-in/oidc?next=/me", allow_redirects=False) as answer:
                address = answer.headers["Location"]
            async with elsewhere.post(address, data={"sub": "amina"}, allow_redirects=False) as answer:
                back = answer.headers["Location"].removeprefix(SITE)
            assert await came(http, back) == (303, "/me")
            assert await signed_in(http) == "amina"


async def test_each_way_to_sign_a_token_is_taken_that_is_safe(at, monkeypatch):
    monkeypatch.setattr(speaking, "KEYS_EVERY_S", 0.0)
    for algorithm in MAKE:
        at.provider.algorithm = algorithm
        at.provider.header = {"alg": "EdDSA"} if algorithm == "Ed25519" else {}
        at.provider.rotate()
        with pytest.warns() if algorithm == "Ed25519" else nullcontext():  # The fake writes its old name.
            assert (await came(at.http, await sent(at)))[0] == 303, algorithm


LATE = int((START - timedelta(minutes=2)).timestamp())
REFUSED = {
    "another audience": {"aud": "another-client"},
    "several audiences and no party": {"aud": ["sentinel", "another-client"]},
    "another party": {"aud": ["sentinel", "another-client"], "azp": "another-client"},
    "another issuer": {"iss": "https://evil.example.org"},
    "expired": {"exp": LATE},
    "without end": {"exp": None},
    "of the future": {"iat": int((START + timedelta(hours=1)).timestamp())},
    "not valid yet": {"nbf": int((START + timedelta(hours=1)).timestamp())},
    "another nonce": {"nonce": "of-another-sign-in"},
    "no nonce": {"nonce": None},
    "of nobody": {"sub": ""},
}


async def test_a_token_that_proves_nothing_lets_nobody_in(at):
    for what, says in REFUSED.items():
        at.provider.says = says
        status, said = await came(at.http, await sent(at))
        assert (status, "no proof of who you are" in said) == (403, True), what
        assert await signed_in(at.http) == "", what


async def test_a_clock_that_is_a_little_late_keeps_nobody_out(at):
    at.provider.says = {"exp": int((START - timedelta(seconds=30)).timestamp())}
    assert (await came(at.http, await sent(at)))[0] == 303


async def test_a_token_without_a_signature_or_with_one_anybody_can_make_lets_nobody_in(at):
    at.provider.header = {"alg": "none"}
    assert (await came(at.http, await sent(at)))[0] == 403
    at.provider.header = {"alg": "HS256"}
    assert (await came(at.http, await sent(at)))[0] == 403
    assert await signed_in(at.http) == ""


async def test_a_key_that_the_provider_does_not_publish_is_nobodys_and_is_asked_for_once_a_minute(at, monkeypatch):
    at.provider.rotate(publish=False)
    for _ in range(3):
        assert (await came(at.http, await sent(at)))[0] == 403
    assert at.provider.asked.count("/keys") == 1
    monkeypatch.setattr(speaking, "KEYS_EVERY_S", 0.0)
    assert (await came(at.http, await sent(at)))[0] == 403
    assert at.provider.asked.count("/keys") == 2


async def test_a_provider_that_changes_its_key_is_understood(at, monkeypatch):
    assert (await came(at.http, await sent(at)))[0] == 303
    at.provider.rotate()
    monkeypatch.setattr(speaking, "KEYS_EVERY_S", 0.0)
    assert (await came(at.http, await sent(at)))[0] == 303


async def test_a_token_that_names_no_key_is_checked_with_the_only_one(at):
    at.provider.header = {"kid": None}
    assert (await came(at.http, await sent(at)))[0] == 303
    at.provider.published.append(MAKE["ES256"]("another"))
    assert (await came(at.http, await sent(at)))[0] == 303, "what was read is kept for an hour"


async def test_a_state_serves_once_in_the_browser_that_began_it(at):
    back = await sent(at)
    async with browser(at.house) as other:
        status, said = await came(other, back)
        assert (status, "another browser" in said) == (400, True)
        assert await signed_in(other) == ""
    assert (await came(at.http, back))[0] == 303, "whoever knows the state takes it from nobody"
    assert (await came(at.http, back))[0] == 400
    assert (await came(at.http, "/sign-in/oidc/back"))[0] == 400


async def test_a_code_that_was_used_already_lets_nobody_in(at):
    code = parse_qs(urlsplit(await sent(at)).query)["code"][0]
    at.provider.codes.clear()
    state = parse_qs(urlsplit(await sent(at)).query)["state"][0]
    query = urlencode({"code": code, "state": state})
    assert (await came(at.http, f"/sign-in/oidc/back?{query}"))[0] == 403


async def test_a_code_of_somebody_elses_sign_in_lets_nobody_in(at):
    """The code was asked for with another verifier: what is stolen on its way is worth nothing."""
    stolen = parse_qs(urlsplit(await sent(at)).query)["code"][0]
    state = parse_qs(urlsplit(await sent(at)).query)["state"][0]
    assert (await came(at.http, f"/sign-in/oidc/back?{urlencode({'code': stolen, 'state': state})}"))[0] == 403


async def test_an_answer_of_another_provider_is_not_taken(at):
    state = parse_qs(urlsplit(await sent(at)).query)["state"][0]
    query = urlencode({"code": "x", "state": state, "iss": "https://evil.example.org"})
    assert (await came(at.http, f"/sign-in/oidc/back?{query}"))[0] == 403


async def test_after_ten_minutes_it_is_begun_anew(at, monkeypatch):
    back = await sent(at)
    monkeypatch.setattr(openid_sign_in, "KEPT_FOR_S", 0.0)
    assert (await came(at.http, back))[0] == 400


async def test_the_oldest_gives_way_when_too_many_are_under_way(at, monkeypatch):
    monkeypatch.setattr(openid_sign_in, "UNDER_WAY_MAX", 2)
    first = await sent(at)
    for _ in range(2):
        last = await sent(at)
    assert (await came(at.http, first))[0] == 400
    assert (await came(at.http, last))[0] == 303


@pytest.mark.parametrize(("error", "said"), [("access_denied", "did not let you in"), ("server_error", "no proof")])
async def test_what_the_provider_refuses_is_said(at, error, said):
    state = parse_qs(urlsplit(await sent(at)).query)["state"][0]
    status, shown = await came(at.http, f"/sign-in/oidc/back?{urlencode({'error': error, 'state': state})}")
    assert (status, said in shown) == (403, True)


async def test_a_provider_that_is_down_is_named_and_the_other_ways_stay(at):
    at.provider.down = True
    status, said = await came(at.http, "/sign-in/oidc")
    assert (status, "Campus does not answer now" in said) == (503, True)
    async with at.http.get("/sign-in") as answer:
        assert answer.status == 200
    at.provider.down = False
    back = await sent(at)
    at.provider.down = True
    assert (await came(at.http, back))[0] == 503


STRANGE = (
    {"issuer": "https://evil.example.org"},
    {"token_endpoint": "file:///etc/passwd"},
    {"authorization_endpoint": 7},
    {"jwks_uri": "//evil.example.org"},
)


async def test_a_provider_that_says_something_strange_of_itself_is_not_spoken_to(at):
    for metadata in STRANGE:
        at.provider.metadata = metadata
        assert (await came(at.http, "/sign-in/oidc"))[0] == 503, metadata


async def test_the_secret_is_shown_as_the_provider_takes_it(at):
    at.provider.methods = ("client_secret_post",)
    assert (await came(at.http, await sent(at)))[0] == 303


# Who it is ----------------------------------------------------------------------------------------------------------


WHO = (
    ({"email": "amina@example.org", "email_verified": False}, 403, "has not verified your mail address"),
    ({"email": "amina@example.org"}, 403, "has not verified your mail address"),
    ({"email": "mallory@example.org", "email_verified": True}, 403, "Ask whoever administers Sentinel"),
    ({"email": "shared@example.org", "email_verified": True}, 403, "Sentinel does not"),
    ({"email": ["amina@example.org"], "email_verified": True}, 403, "Sentinel does not"),
    ({"email": "", "email_verified": True}, 403, "Sentinel does not"),
    ({"email": "AMINA@example.ORG", "email_verified": True}, 303, "/requests"),
    ({"email": "amina@example.org", "email_verified": "true"}, 303, "/requests"),
)


async def test_a_mail_address_that_is_verified_and_of_one_person_signs_in(at):
    for user, status, said in WHO:
        at.provider.user = {"sub": "248289"} | user
        found, shown = await came(at.http, await sent(at))
        assert (found, said in shown) == (status, True), user
        assert bool(await signed_in(at.http)) is (status == 303), user


async def test_a_mail_address_that_stands_elsewhere_is_asked_for(at):
    at.provider.user = {"sub": "248289"}
    at.provider.more = {"email": "amina@example.org", "email_verified": True}
    assert (await came(at.http, await sent(at)))[0] == 303
    at.provider.more |= {"sub": "another"}
    assert (await came(at.http, await sent(at)))[0] == 403


@pytest.mark.parametrize("name", ["Amina", "amina@example.org"])
async def test_another_claim_may_name_people(tmp_path, name):
    async with scene(tmp_path, ", claim: preferred_username") as at:
        at.provider.user = {"sub": "248289", "preferred_username": name}
        assert (await came(at.http, await sent(at)))[0] == 303
        at.provider.user = {"sub": "248289", "preferred_username": "Amina Benali"}
        assert (await came(at.http, await sent(at)))[0] == 403, "names are what people choose"


async def test_whoever_is_disabled_here_comes_in_by_no_way(at):
    await at.house.one.daemon.accounts.disable("amina", "root", "left")
    status, said = await came(at.http, await sent(at))
    assert (status, "disabled" in said) == (403, True)


async def test_many_tries_are_held_up(at, monkeypatch):
    monkeypatch.setattr(signing, "TRIES_ADDRESS", 2)
    assert [(await came(at.http, "/sign-in/oidc"))[0] for _ in range(3)] == [303, 303, 429]


async def test_no_session_begins_where_it_could_be_read(at):
    async with at.http.get("/sign-in/oidc", headers={"X-Forwarded-For": "192.0.2.7"}) as answer:
        assert answer.status == 403


async def test_nobody_is_led_to_another_site(at):
    assert await came(at.http, await sent(at, "//evil.example.org")) == (303, "/")


async def test_without_a_provider_there_is_no_such_way(served):
    for path in ("/sign-in/oidc", "/sign-in/oidc/back"):
        async with served.http.get(path) as answer:
            assert answer.status == 404
    async with served.http.get("/sign-in") as answer:
        assert "/sign-in/oidc" not in await answer.text()


async def test_without_the_extra_nobody_is_sent_to_the_provider_and_the_page_says_that_it_cannot_be(at, monkeypatch):
    monkeypatch.setitem(sys.modules, "joserfc", None)
    status, shown = await came(at.http, "/sign-in/oidc")
    assert status == 503
    assert "Campus" in shown
