"""The http probe against a server that speaks the real protocol: what is sent, what is judged, what is measured."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from sentinel.probes.http import KIND, HttpOptions
from tests.fakes.web import Received, WebServer, page, redirect
from tests.probes.seeing import Attempt, see

HOME = page("<h1>Se connecter</h1>", "200 OK", "Content-Type: text/html; charset=utf-8", "X-Site: campus-2")


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    async with WebServer({"/": HOME}) as server:
        yield server


async def test_a_page_that_answers_200_is_fine(web: WebServer) -> None:
    seen = await see(KIND, url=f"{web.url}/")
    assert (seen.reason, seen.detail) == ("", "")
    assert seen.metric("probe_http_status_code") == 200
    assert seen.metric("probe_http_version") == 1.1
    assert seen.metric("probe_http_content_length") == len(b"<h1>Se connecter</h1>")
    assert seen.metric("probe_http_uncompressed_body_length") == len(b"<h1>Se connecter</h1>")
    assert seen.metric("probe_http_ssl") == 0
    assert seen.metric("probe_ip_protocol") == 4
    assert set(seen.sight.phases) == {"resolve", "connect", "tls", "processing", "transfer"}
    assert seen.sight.phases["connect"] > 0
    assert seen.sight.phases["tls"] == 0


async def test_only_what_the_configuration_says_is_sent(web: WebServer) -> None:
    await see(KIND, url=f"{web.url}/?a=é&b=c%20d#part")
    (received,) = web.received
    assert (received.method, received.target) == ("GET", "/?a=%C3%A9&b=c%20d")
    assert {name for name, _ in received.headers} == {"Host", "User-Agent", "Connection"}
    assert received.header("User-Agent").startswith("Sentinel/")
    assert received.header("Host") == f"localhost:{web.port}"


async def test_headers_of_the_configuration_are_sent_and_replace_our_own(web: WebServer) -> None:
    headers = {"User-Agent": "watcher", "Host": "www.example.org", "X-Empty": "", "Cookie": "theme=dark"}
    await see(KIND, url=f"{web.url}/", headers=headers)
    (received,) = web.received
    assert [received.header(name) for name in headers] == list(headers.values())


@pytest.mark.parametrize(
    ("options", "method", "body", "content_type"),
    [
        ({"form": {"a": "1 é", "b": "&"}}, "POST", b"a=1+%C3%A9&b=%26", "application/x-www-form-urlencoded"),
        ({"json": {"a": ["1", {"b": "c"}]}}, "POST", b'{"a":["1",{"b":"c"}]}', "application/json"),
        ({"body": "<xml/>", "method": "PUT"}, "PUT", b"<xml/>", None),
        ({"body": "x", "headers": {"content-type": "text/plain"}}, "POST", b"x", "text/plain"),
        ({"method": "HEAD"}, "HEAD", b"", None),
        ({"method": "OPTIONS"}, "OPTIONS", b"", None),
    ],
)
async def test_a_request_carries_what_it_is_given(
    web: WebServer, options: dict[str, object], method: str, body: bytes, content_type: str | None
) -> None:
    seen = await see(KIND, url=f"{web.url}/", **options)
    assert seen.reason == ""
    (received,) = web.received
    assert (received.method, received.body, received.header("Content-Type")) == (method, body, content_type)


async def test_a_user_name_and_password_are_sent_at_once(web: WebServer) -> None:
    await see(KIND, url=f"{web.url}/", basic_auth={"username": "sonde", "password": "pâté:1"})
    assert web.received[0].header("Authorization") == f"Basic {base64.b64encode('sonde:pâté:1'.encode()).decode()}"


@pytest.mark.parametrize(
    ("expect", "reason", "detail"),
    [
        ({"status": "404"}, "status", "expected status 404, found 200"),
        ({"status": ["204", "3xx"]}, "status", "expected status 204 or 3xx, found 200"),
        ({"body_contains": "Tableau de bord"}, "body", "does not contain 'Tableau de bord'"),
        ({"body_contains": ["Se connecter", "absent"]}, "body", "does not contain 'absent'"),
        ({"body_not_contains": "connecter"}, "body", "contains 'connecter'"),
        ({"body_matches": "Se d[ée]connecter"}, "body", "does not match 'Se d[ée]connecter'"),
        ({"body_not_matches": "(?i)<H1>"}, "body", "matches '(?i)<H1>'"),
        ({"header": {"X-Site": "^campus-1$"}}, "header", "no header X-Site matches '^campus-1$'"),
        ({"header": {"X-Else": "."}}, "header", "the answer has no header X-Else"),
        ({"header_not": {"x-site": "campus"}}, "header", "the header x-site matches 'campus'"),
        ({"header_absent": "X-Site"}, "header", "the answer has a header X-Site"),
        ({"json": {"status": "ok"}}, "body", "the body is not JSON"),
        ({"http_version": "2"}, "version", "expected HTTP/2, found HTTP/1.1"),
        ({"final_url": "/login$"}, "redirect", "which does not match '/login$'"),
        ({"tls": "yes"}, "tls", "is not encrypted"),
        ({"max_duration": "0s"}, "max_duration", "more than 0s"),
        ({"cert_days": "21"}, "cert_days", "is not encrypted and has no certificate"),
    ],
)
async def test_what_is_not_as_expected_is_said_in_a_sentence(
    web: WebServer, expect: dict[str, object], reason: str, detail: str
) -> None:
    seen = await see(KIND, url=f"{web.url}/", expect=expect)
    assert seen.reason == reason
    assert detail in seen.detail
    assert seen.metric("probe_failed_due_to_regex") == (1 if reason in {"body", "header"} else 0)


async def test_all_that_is_as_expected_passes_together(web: WebServer) -> None:
    expect = {
        "status": ["200", "204"], "body_contains": "Se connecter", "body_not_contains": "Erreur",
        "body_matches": "<h1>.*</h1>",
        "header": {"x-SITE": "^campus-\\d$"}, "header_absent": "Server", "http_version": ["1.1", "2"],
        "final_url": "/$", "tls": "no", "max_duration": "1m",
    }  # fmt: skip
    assert (await see(KIND, url=f"{web.url}/", expect=expect)).detail == ""


@pytest.mark.parametrize(
    ("path", "wanted", "good"),
    [
        ("status", "ok", True),
        ("status", "down", False),
        ("queue.0.depth", "< 10", True),
        ("queue.0.depth", "> 10", False),
        ("queue.0.full", "false", True),
        ("queue.7.depth", "0", False),
        ("status", "> 1", False),
    ],
)
async def test_values_in_json_are_compared(web: WebServer, path: str, wanted: str, good: bool) -> None:
    web.routes["/health"] = page('{"status": "ok", "queue": [{"depth": 3, "full": false}]}')
    seen = await see(KIND, url=f"{web.url}/health", expect={"json": {path: wanted}})
    assert seen.reason == ("" if good else "body")


@pytest.mark.parametrize("body", ["[" * 100_000, '{"status": NaN}', "9" * 5000, "\ufeff", '"\\ud800"'])
async def test_json_beyond_reason_is_a_failure_not_a_bug(web: WebServer, body: str) -> None:
    web.routes["/"] = page(body)
    assert (await see(KIND, url=f"{web.url}/", expect={"json": {"status": "ok"}})).reason == "body"


async def test_text_is_read_in_the_character_set_of_the_page(web: WebServer) -> None:
    web.routes["/"] = page("Déjà là".encode("iso-8859-1"), "200 OK", "Content-Type: text/html; charset=ISO-8859-1")
    assert (await see(KIND, url=f"{web.url}/", expect={"body_contains": "Déjà"})).reason == ""


async def test_a_redirect_is_followed_with_its_cookies(web: WebServer) -> None:
    web.routes["/old"] = redirect("/", "302 Found", 'Set-Cookie: session="abc"; Path=/')
    seen = await see(KIND, url=f"{web.url}/old", expect={"body_contains": "Se connecter"})
    assert seen.reason == ""
    assert seen.metric("probe_http_redirects") == 1
    assert web.received[1].cookies == {"session": '"abc"'}


async def test_a_redirect_can_be_judged_by_itself(web: WebServer) -> None:
    web.routes["/old"] = redirect("/")
    seen = await see(KIND, url=f"{web.url}/old", follow_redirects="no", expect={"status": "302"})
    assert (seen.reason, len(web.received)) == ("", 1)


@pytest.mark.parametrize(
    ("status", "method", "body"), [(301, "GET", b""), (303, "GET", b""), (307, "POST", b"x"), (308, "POST", b"x")]
)
async def test_a_redirected_post_keeps_its_method_only_where_the_standard_says_so(
    web: WebServer, status: int, method: str, body: bytes
) -> None:
    web.routes["/old"] = redirect("/", f"{status} Elsewhere")
    await see(KIND, url=f"{web.url}/old", body="x")
    assert (web.received[1].method, web.received[1].body) == (method, body)


async def test_a_redirect_loop_ends(web: WebServer) -> None:
    web.routes["/"] = redirect("/")
    seen = await see(KIND, url=f"{web.url}/", max_redirects="3")
    assert seen.reason == "redirect"
    assert "more than 3 redirects" in seen.detail
    assert len(web.received) == 4
    assert seen.metric("probe_http_redirects") == 4


async def test_credentials_do_not_follow_a_redirect_to_another_server(web: WebServer) -> None:
    async with WebServer({"/": HOME}) as other:
        web.routes["/"] = redirect(f"http://127.0.0.1:{other.port}/", "302 Found", "Set-Cookie: s=1; Path=/")
        headers = {"X-Api-Key": "k-1", "Cookie": "id=7", "X-Harmless": "yes"}
        seen = await see(KIND, url=f"{web.url}/", headers=headers, bearer="t-1")
        assert seen.reason == ""
        assert web.received[0].header("Authorization") == "Bearer t-1"
        (received,) = other.received
    assert {name.lower() for name, _ in received.headers} == {"host", "user-agent", "connection", "x-harmless"}


async def test_a_body_is_not_sent_on_to_another_server(web: WebServer) -> None:
    async with WebServer({"/": HOME}) as other:
        web.routes["/"] = redirect(f"http://127.0.0.1:{other.port}/", "307 Elsewhere")
        seen = await see(KIND, url=f"{web.url}/", form={"password": "p-1"})
        assert (seen.reason, other.received) == ("redirect", [])
    assert "p-1" not in seen.detail + "".join(seen.sight.facts)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://localhost/", "https://", "http://localhost:99999/", "http://[::1/"]
)
async def test_a_redirect_to_no_web_address_fails(web: WebServer, location: str) -> None:
    web.routes["/"] = redirect(location)
    seen = await see(KIND, url=f"{web.url}/")
    assert seen.reason == "redirect"
    assert "redirects to no address" in seen.detail


async def test_compression_is_undone_only_when_it_was_asked_for(web: WebServer) -> None:
    import gzip

    packed = gzip.compress(b"hello " * 100)
    web.routes["/"] = page(packed, "200 OK", "Content-Encoding: gzip")
    asked = await see(KIND, url=f"{web.url}/", compression="gzip", expect={"body_contains": "hello"})
    plain = await see(KIND, url=f"{web.url}/")
    assert web.received[0].header("Accept-Encoding") == "gzip"
    assert asked.reason == ""
    assert asked.metric("probe_http_uncompressed_body_length") == 600
    assert plain.metric("probe_http_uncompressed_body_length") == len(packed)


async def test_last_modified_becomes_a_metric_when_it_is_a_date(web: WebServer) -> None:
    web.routes["/"] = page("", "200 OK", "Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT")
    web.routes["/odd"] = page("", "200 OK", "Last-Modified: yesterday")
    good = await see(KIND, url=f"{web.url}/")
    odd = await see(KIND, url=f"{web.url}/odd")
    assert good.metric("probe_http_last_modified_timestamp_seconds") == 1792567680
    assert "probe_http_last_modified_timestamp_seconds" not in odd.metrics


async def test_nobody_there_is_a_failure_to_connect() -> None:
    async with WebServer() as server:
        url = f"{server.url}/"
    seen = await see(KIND, url=url)
    assert seen.reason == "connect"
    assert seen.detail.endswith("Connection refused")
    assert seen.metric("probe_http_status_code") == 0
    assert [seen.sight.phases[phase] for phase in ("tls", "processing", "transfer")] == [0, 0, 0]


async def test_a_name_without_an_address_is_a_dns_failure() -> None:
    assert (await see(KIND, url="http://www.example.org/")).reason == "dns"


async def test_each_target_is_asked_for_itself(web: WebServer) -> None:
    options = {"targets": [f"{web.url}/", f"{web.url}/nothing"]}
    assert HttpOptions.model_validate(options).targets() == tuple(options["targets"])
    assert (await Attempt().at(KIND, options, f"{web.url}/nothing")).detail == "expected status 2xx, found 404"


async def test_a_proxy_is_asked_instead_of_the_target(web: WebServer) -> None:
    async def relay(received: Received, writer: object) -> None:
        writer.write(page("through the proxy"))

    async with WebServer({"http://localhost:1/x": relay}) as proxy:
        seen = await see(
            KIND,
            url="http://localhost:1/x",
            proxy_url=f"http://localhost:{proxy.port}",
            expect={"body_contains": "through"},
        )
        assert seen.reason == ""
        assert proxy.received[0].target == "http://localhost:1/x"


async def test_the_environment_cannot_put_a_proxy_between(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert (await see(KIND, url=f"{web.url}/")).reason == ""


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({}, "`url` is missing"),
        ({"url": "http://a/", "targets": ["http://b/"]}, "both given"),
        ({"url": "ftp://a/"}, "not a web address"),
        ({"url": "http://user:pass@a/"}, "user name or password"),
        ({"url": "http://a/", "body": "x", "form": {"a": "b"}}, "exclude each other"),
        ({"url": "http://a/", "bearer": "x", "basic_auth": {"username": "u"}}, "exclude each other"),
        ({"url": "http://a/", "headers": {"A B": "x"}}, "not the name of a header"),
        ({"url": "http://a/", "headers": {"A": "x\r\nB: y"}}, "control character"),
        ({"url": "http://a/", "headers": {"Content-Length": "3"}}, "not for a configuration"),
        ({"url": "http://a/", "headers": {"A": "1", "a": "2"}}, "given twice"),
        ({"url": "http://a/", "expect": {"status": "20x"}}, "not a status"),
        ({"url": "http://a/", "expect": {"body_matches": "("}}, "not a pattern"),
        ({"url": "http://a/", "expect": {"json": {"a..b": "1"}}}, "not a path"),
        ({"url": "http://a/", "expect": {"json": {"a": "> x"}}}, "not a comparison"),
        ({"url": "http://a/", "expects": {}}, "Extra inputs"),
    ],
)
def test_a_mistake_in_the_options_is_named(options: dict[str, object], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        HttpOptions.model_validate(options)


def test_the_reasons_are_a_closed_set() -> None:
    assert {
        "body", "cert_days", "connect", "denied", "dns", "header", "max_duration", "protocol", "redirect", "size",
        "status", "timeout", "tls", "version",
    } == KIND.reasons  # fmt: skip
