"""The scenario probe: the journey of a Moodle user, and every place where it can end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.probes import kind
from sentinel.probes.scenario import KIND, ScenarioOptions
from tests.fakes.moodle import Moodle
from tests.fakes.web import WebServer, page
from tests.probes.seeing import Seen, see

PASSWORD = "p@ss & mot"


@pytest.fixture
async def moodle() -> AsyncIterator[Moodle]:
    moodle = Moodle(password=PASSWORD)
    async with moodle.web:
        yield moodle


def journey(url: str, password: str = PASSWORD) -> list[dict[str, Any]]:
    return [
        {"name": "accueil", "get": f"{url}/", "expect": {"body_contains": "Se connecter"}},
        {
            "name": "formulaire",
            "get": f"{url}/login/index.php",
            "capture": {"token": "css:input[name=logintoken]@value"},
        },
        {
            "name": "connexion",
            "post": f"{url}/login/index.php",
            "form": {"username": "sonde", "password": password, "logintoken": "{token}"},
            "expect": {"body_contains": "Tableau de bord", "final_url": "/my/$"},
        },
        {"name": "cours", "get": f"{url}/course/view.php?id=2", "expect": {"body_contains": "Module de test"}},
    ]


async def walk(moodle: Moodle, **change: Any) -> Seen:
    return await see(KIND, steps=journey(moodle.web.url, **change))


def successes(seen: Seen) -> dict[str, float]:
    return {
        dict(labels)["step"]: value
        for (name, labels), value in seen.sight.samples.items()
        if name == "probe_step_success"
    }


async def test_a_user_can_sign_in_and_open_the_course(moodle: Moodle) -> None:
    seen = await walk(moodle)
    assert (seen.reason, seen.detail) == ("", "")
    assert successes(seen) == {"accueil": 1, "formulaire": 1, "connexion": 1, "cours": 1}
    assert seen.metric("probe_step_duration_seconds", step="connexion") > 0
    assert [(each.method, each.path) for each in moodle.web.received] == [
        ("GET", "/"),
        ("GET", "/login/index.php"),
        ("POST", "/login/index.php"),
        ("GET", "/my/"),
        ("GET", "/course/view.php"),
    ]


async def test_each_run_has_cookies_of_its_own(moodle: Moodle) -> None:
    await walk(moodle)
    await walk(moodle)
    first, second = (each for each in moodle.web.received if each.path == "/")
    assert (first.cookies, second.cookies) == ({}, {})


async def test_a_wrong_password_fails_the_login_step(moodle: Moodle) -> None:
    seen = await walk(moodle, password="wrong-1")
    assert seen.reason == "body"
    assert seen.detail.startswith("step 'connexion': the body of ")
    assert successes(seen) == {"accueil": 1, "formulaire": 1, "connexion": 0, "cours": 0}
    assert seen.metric("probe_step_duration_seconds", step="cours") is None


async def test_an_expired_token_fails_the_login_step(moodle: Moodle) -> None:
    moodle.tokens_expire = True
    seen = await walk(moodle)
    assert (seen.reason, successes(seen)["connexion"]) == ("body", 0)


async def test_a_form_without_its_token_fails_where_it_was_looked_for(moodle: Moodle) -> None:
    moodle.token_missing = True
    seen = await walk(moodle)
    assert seen.reason == "capture"
    assert seen.detail == "step 'formulaire': nothing is found by `css:input[name=logintoken]@value`"


async def test_a_broken_course_fails_the_last_step(moodle: Moodle) -> None:
    moodle.course_broken = True
    seen = await walk(moodle)
    assert (seen.reason, seen.detail) == ("status", "step 'cours': expected status 2xx, found 500")


async def test_the_site_being_down_fails_the_first_step(moodle: Moodle) -> None:
    steps = journey("http://localhost:1")
    seen = await see(KIND, steps=steps)
    assert seen.reason == "connect"
    assert seen.detail.startswith("step 'accueil': ")


async def test_the_password_stays_out_of_everything_but_the_form(moodle: Moodle) -> None:
    canary = "canary-91be"
    seen = await walk(moodle, password=canary)
    shown = seen.detail + "".join(seen.sight.facts) + repr(seen.sight.samples)
    assert canary not in shown + repr(ScenarioOptions.model_validate({"steps": journey("http://a", canary)}))
    assert canary in moodle.web.received[2].body.decode()


@pytest.mark.parametrize(
    ("capture", "value"),
    [
        ("css:a.course@href", "/course/view.php?id=2"),
        ("css: h1 > b", "Tableau & bord"),
        (r"regex:view\.php\?id=(\d+)", "2"),
        (r"regex:view\.php", "view.php"),
        ("header:x-request-id", "r-17"),
        ("cookie:session", "s-1"),
    ],
)
async def test_a_value_is_captured_and_encoded_for_the_next_address(capture: str, value: str) -> None:
    from urllib.parse import quote

    html = '<h1><b>Tableau &amp; bord</b></h1><a href="/x">1</a><a class="course" href="/course/view.php?id=2">2</a>'
    routes = {"/": page(html, "200 OK", "X-Request-Id: r-17", "Set-Cookie: session=s-1; Path=/"), "/next": page("")}
    async with WebServer(routes) as web:
        steps = [{"get": f"{web.url}/", "capture": {"v": capture}}, {"get": f"{web.url}/next?v={{v}}&w={{{{v}}}}"}]
        seen = await see(KIND, steps=steps)
        assert seen.detail == ""
        assert web.received[1].target == f"/next?v={quote(value, safe='')}&w=%7Bv%7D"


async def test_a_value_of_json_is_put_into_headers_json_and_body() -> None:
    async with WebServer({"/": page('{"a": {"b": ["x", 7]}}')}) as web:
        steps = [
            {"get": f"{web.url}/", "capture": {"seven": "json:a.b.1", "x": "json:a.b.0"}},
            {"put": f"{web.url}/", "json": {"k": ["{seven}", "{{x}}"]}, "headers": {"X-Number": "n{seven}"}},
            {"post": f"{web.url}/", "body": '{"x": {x}, {1}}'},
        ]
        assert (await see(KIND, steps=steps)).detail == ""
        assert web.received[1].body == b'{"k":["7","{x}"]}'
        assert web.received[1].header("X-Number") == "n7"
        assert web.received[2].body == b'{"x": x, {1}}'


async def test_a_captured_link_can_be_followed_within_the_servers_of_the_steps() -> None:
    async with WebServer({"/": page('<a id="next" href="course?id=2">go</a>'), "/course": page("here")}) as web:
        steps = [
            {"get": f"{web.url}/", "capture": {"link": "css:#next@href"}},
            {"get": "{link}", "expect": {"body_contains": "here"}},
        ]
        assert (await see(KIND, steps=steps)).detail == ""


@pytest.mark.parametrize("link", ["http://127.0.0.1:{port}/steal", "//127.0.0.1:{port}/steal"])
async def test_a_captured_link_gets_no_credentials_for_another_server(link: str) -> None:
    async with WebServer({"/steal": page("thanks")}) as other, WebServer() as web:
        web.routes["/"] = page(f'<a href="{link.format(port=other.port)}">go</a>')
        steps = [{"get": f"{web.url}/", "capture": {"link": "css:a@href"}}, {"get": "{link}"}]
        refused = await see(KIND, steps=steps, bearer="t-1")
        assert (refused.reason, other.received) == ("capture", [])
        harmless = await see(KIND, steps=steps)
        assert harmless.detail == ""


async def test_a_captured_link_to_the_metadata_service_is_denied() -> None:
    async with WebServer({"/": page('<a href="http://169.254.169.254/">go</a>')}) as web:
        steps = [{"get": f"{web.url}/", "capture": {"link": "css:a@href"}}, {"get": "{link}"}]
        assert (await see(KIND, steps=steps)).reason == "denied"


async def test_a_captured_line_break_cannot_make_a_header() -> None:
    async with WebServer({"/": page('{"a": "x\\r\\nX-Evil: 1"}')}) as web:
        steps = [{"get": f"{web.url}/", "capture": {"a": "json:a"}}, {"get": f"{web.url}/", "headers": {"X-A": "{a}"}}]
        assert (await see(KIND, steps=steps)).reason == "capture"
        assert len(web.received) == 1


@pytest.mark.parametrize("html", ["", "\x00", "<" * 50_000, "<div>" * 20_000, "<input name=logintoken value=''>"])
async def test_hostile_html_is_a_failed_capture(html: str) -> None:
    async with WebServer({"/": page(html)}) as web:
        steps = [{"get": f"{web.url}/", "capture": {"t": "css:input[name=logintoken]@value"}}]
        assert (await see(KIND, steps=steps)).reason == "capture"


@pytest.mark.parametrize(
    ("steps", "mistake"),
    [
        ([], "at least 1 item"),
        ([{"name": "x"}], "a step has one of `get`"),
        ([{"get": "http://a/", "post": "http://a/"}], "a step has one of `get`"),
        ([{"get": "ftp://a/"}], "not http or https"),
        ([{"get": "http://a/?{token}"}], "no earlier step captures `token`"),
        (
            [{"get": "http://a/", "capture": {"token": "header:X"}, "headers": {"X": "{token}"}}],
            "no earlier step captures",
        ),
        (
            [{"get": "http://a/", "capture": {"token": "header:X"}}, {"post": "http://a/", "form": {"t": "{tokne}"}}],
            "no earlier step captures `tokne`",
        ),
        ([{"get": "http://a/", "capture": {"h": "header:X"}}, {"get": "http://{h}/"}], "takes its host from an answer"),
        ([{"get": "http://a/", "capture": {"1x": "header:X"}}], "not a name for a value"),
        ([{"get": "http://a/", "capture": {"x": "xpath://a"}}], "not a capture"),
        ([{"get": "http://a/", "capture": {"x": "css:a[["}}], "not a CSS selector"),
        ([{"get": "http://a/", "capture": {"x": "regex:("}}], "not a pattern"),
        ([{"name": "a", "get": "http://a/"}, {"name": "a", "get": "http://a/"}], "two steps are named 'a'"),
    ],
)
def test_a_mistake_in_the_steps_is_named(steps: list[dict[str, Any]], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        ScenarioOptions.model_validate({"steps": steps})


def test_a_misspelt_reference_gets_a_suggestion() -> None:
    steps = [{"get": "http://a/", "capture": {"token": "header:X"}}, {"get": "http://a/?{tokne}"}]
    with pytest.raises(ValidationError) as caught:
        ScenarioOptions.model_validate({"steps": steps})
    assert caught.value.errors()[0]["ctx"]["suggestion"] == "did you mean `token`?"


def test_journey_is_another_name_for_scenario() -> None:
    assert kind("journey") is kind("scenario") is KIND
    assert ScenarioOptions.model_validate({"steps": journey("https://campus.example.org")}).targets() == (
        "campus.example.org",
    )
