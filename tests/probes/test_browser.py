"""The browser probe in a real Chromium: what a user does, the picture of a failure, and no process left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError

from sentinel.engine.evidence import PNG
from sentinel.probes import browser_pool, descendants
from sentinel.probes.base import Sight
from sentinel.probes.browser import KIND, BrowserOptions
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.fakes.web import Received, WebServer, page
from tests.probes.seeing import Attempt, Seen
from tests.real.components import where
from tests.waiting import alive, until

LOGIN = """<!doctype html><title>Campus</title><h1>Sign in</h1>
<form action="/home"><input id="user" name="user"><input id="word" name="word" type="password">
<button>Go</button></form>"""
HOME = """<!doctype html><title>Home</title><script>
setTimeout(() => document.body.append("Welcome back"), 50)</script><body></body>"""
LIMIT_S = 60.0
# One loop, and so one browser, for all: to start it costs more than all they do with it.
ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def web() -> AsyncIterator[WebServer]:
    async with WebServer({"/login": html(LOGIN), "/home": html(HOME)}) as server:
        yield server


@pytest_asyncio.fixture(autouse=True, scope="module", loop_scope="module")
async def nothing_stays() -> AsyncIterator[None]:
    """They end without a process that they started."""
    before = set(descendants.of(os.getpid()))
    yield
    await browser_pool.close()
    assert set(descendants.of(os.getpid())) <= before


def html(text: str) -> bytes:
    return page(text, "200 OK", "Content-Type: text/html; charset=utf-8")


class Kept:
    """Where the pictures go."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []

    def __call__(self, picture: bytes) -> str:
        self.pictures.append(picture)
        return f"picture-{len(self.pictures)}.png"


async def look(options: dict[str, Any], around: Attempt | None = None) -> tuple[Seen, Kept]:
    around, kept = around or Attempt(timeout_s=LIMIT_S), Kept()
    parsed = BrowserOptions.model_validate({"chromium": str(where("chromium")), **options})
    sight = Sight(
        parsed.targets()[0], around.timeout_s, around.resolver, around.policy, now=datetime.now(UTC), keep=kept
    )
    return await around.of(KIND, parsed, sight), kept


def steps(web: WebServer, *more: dict[str, Any]) -> dict[str, Any]:
    return {"steps": [{"goto": f"{web.url}/login", "name": "open"}, *more]}


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_a_user_signs_in_and_the_same_browser_serves_the_next_run(web: WebServer) -> None:
    sign_in = {"name": "sign in", "fill": {"#user": "probe", "#word": "secret"}, "click": "text=Go"}
    arrive = {"expect": {"text": "Welcome back", "url": r"/home\?user=probe", "selector": "body"}}
    around = Attempt(timeout_s=LIMIT_S, resolver=Names())
    seen, kept = await look(steps(web, sign_in, arrive), around)
    assert (seen.reason, seen.detail, kept.pictures) == ("", "", [])
    assert [seen.metric("probe_step_success", step=name) for name in ("open", "sign in", "3")] == [1, 1, 1]
    assert "word=secret" in web.received[-1].target or any("word=secret" in each.target for each in web.received)
    assert not any("google" in name for name in around.resolver.asked)
    first = browser_pool.shared(str(where("chromium"))).process_id
    both = await asyncio.gather(look(steps(web)), look(steps(web)), look(steps(web)))
    assert [seen.reason for seen, _ in both] == ["", "", ""]
    assert browser_pool.shared(str(where("chromium"))).process_id == first


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_a_failure_names_the_step_and_keeps_a_picture(web: WebServer) -> None:
    seen, kept = await look(steps(web, {"name": "look", "expect": {"text": "Welcome"}, "within": "300ms"}))
    assert (seen.reason, seen.metric("probe_step_success", step="look")) == ("expect", 0)
    assert seen.detail.startswith(
        "step 'look': text 'Welcome' does not come; the page is “Campus” at http://localhost:"
    )
    assert "the picture is picture-1.png" in seen.sight.facts
    assert kept.pictures[0].startswith(PNG)
    seen, kept = await look({**steps(web, {"fill": {"#password": "my secret"}, "within": "300ms"}), "screenshot": "no"})
    assert (seen.reason, "my secret" in seen.detail, kept.pictures) == ("timeout", False, [])
    typed = {"fill": {"#user": "probe", "#word": "my secret"}, "click": "text=Go"}
    seen, _ = await look(steps(web, typed, {"expect": {"text": "Nobody"}, "within": "300ms"}))
    assert seen.detail.endswith("/home?user=****&word=****")
    seen, _ = await look({"steps": [{"goto": f"{web.url}/gone"}]})
    assert (seen.reason, "status 404" in seen.detail) == ("expect", True)


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_pages_reach_only_what_a_probe_may_and_by_our_resolver(web: WebServer) -> None:
    port = web.url.rpartition(":")[2]
    names = Names({"campus.example.org": ["127.0.0.1"], "meta.example.org": ["169.254.169.254"]})
    around = Attempt(timeout_s=LIMIT_S, resolver=names)
    seen, _ = await look({"steps": [{"goto": f"http://campus.example.org:{port}/login"}]}, around)
    assert (seen.reason, "campus.example.org" in names.asked) == ("", True)
    web.routes["/pivot"] = html("<script>location = 'http://meta.example.org/latest'</script>")
    pivot = [{"goto": f"http://campus.example.org:{port}/pivot"}, {"goto": "http://meta.example.org/latest"}]
    seen, _ = await look({"steps": pivot}, around)
    assert (seen.reason in {"denied", "expect", "browser"}, "169.254.169.254" in str(seen.sight.facts)) == (True, True)
    for spelled in ("http://2852039166/", "https://[::ffff:169.254.169.254]/", "https://meta.example.org/"):
        seen, _ = await look({"steps": [{"goto": spelled}]}, around)
        assert "is never probed" in str(seen.sight.facts)
        assert seen.reason
    denied = replace(around, policy=TargetPolicy(deny=(ip_network("127.0.0.0/8"),)))
    before = len(web.received)
    seen, _ = await look({"steps": [{"goto": f"http://localhost:{port}/login"}]}, denied)
    assert (bool(seen.reason), len(web.received)) == (True, before)


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_a_page_that_never_ends_costs_the_time_limit_and_the_browser_goes_on(web: WebServer) -> None:
    web.routes["/loop"] = html("<script>while (true) {}</script>")
    began = asyncio.get_running_loop().time()
    try:
        seen, _ = await look({"steps": [{"goto": f"{web.url}/loop"}]}, Attempt(timeout_s=3.0))
        assert seen.reason in {"timeout", "browser"}
    except TimeoutError:
        pass
    assert asyncio.get_running_loop().time() - began < LIMIT_S, "it costs its own limit, and not that of another run"
    seen, _ = await look(steps(web))
    assert seen.reason == ""


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_a_browser_that_was_killed_fails_one_run_and_is_started_again(web: WebServer) -> None:
    reached = asyncio.Event()

    async def hang(_request: Received, _writer: asyncio.StreamWriter) -> None:
        reached.set()
        await asyncio.sleep(30)

    web.routes["/hang"] = hang
    run = asyncio.create_task(look({"steps": [{"goto": f"{web.url}/hang"}]}))
    await asyncio.wait_for(reached.wait(), LIMIT_S)
    worker = browser_pool.shared(str(where("chromium"))).process_id
    assert worker is not None
    descendants.kill(worker)
    seen, _ = await run
    assert (seen.reason, "died" in seen.detail) == ("browser", True)
    assert (await look(steps(web)))[0].reason == ""


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_a_daemon_that_is_killed_leaves_no_browser(web: WebServer, tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from sentinel.probes.browser_pool import shared\n"
        "order = {'proxy': None, 'insecure': False, 'limit_s': 20, 'picture': False}\n"
        "order |= {'script': '', 'values': {}, 'steps': []}\n"
        "async def main():\n"
        "    pool = shared(sys.argv[1])\n"
        "    print((await pool.run(order))['ok'], pool.process_id, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(where("chromium")), stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    assert daemon.stdout is not None
    ok, _, worker = (await asyncio.wait_for(daemon.stdout.readline(), LIMIT_S)).decode().partition(" ")
    assert ok == "True"
    below = [int(worker), *descendants.of(int(worker))]
    assert len(below) > 3
    daemon.kill()
    await daemon.wait()
    await until(lambda: not any(map(alive, below)))


@ONE_LOOP
@pytest.mark.real("chromium")
async def test_a_script_plays_what_it_likes_in_a_process_of_its_own(web: WebServer, tmp_path: Path) -> None:
    file = tmp_path / "journey.py"
    file.write_text(
        "async def run(page, values):\n"
        f"    await page.goto('{web.url}/login')\n"
        "    assert await page.title() == values['title'], 'another title'\n"
    )
    # What comes of one that ends well is seen in the browser that runs already.
    order = {"proxy": None, "insecure": False, "limit_s": LIMIT_S, "picture": False, "steps": [], "script": str(file)}
    answer = await browser_pool.shared(str(where("chromium"))).run({**order, "values": {"title": "Campus"}})
    assert (answer["ok"], answer["step"]) == (True, "script")
    seen, kept = await look({"script": str(file), "values": {"title": "Moodle"}})
    assert (seen.reason, "AssertionError: another title" in seen.detail, len(kept.pictures)) == ("script", True, 1)
    assert seen.sight.target == "journey.py"
    file.write_text("async def run(page, values):\n    while True: pass\n")
    with pytest.raises(TimeoutError):
        await look({"script": str(file)}, Attempt(timeout_s=2.0))
    file.chmod(0o666)
    seen, _ = await look({"script": str(file)})
    assert (seen.reason, "may be written by anybody" in seen.detail) == ("script", True)


@ONE_LOOP
async def test_without_a_browser_it_says_what_to_install() -> None:
    options = BrowserOptions.model_validate({"steps": [{"goto": "http://192.0.2.1/"}], "chromium": "/nowhere/chromium"})
    seen = await Attempt().at(KIND, {"steps": [{"goto": "http://192.0.2.1/"}], "chromium": str(options.chromium)})
    assert (seen.reason, "install Debian's `chromium`" in seen.detail) == ("browser", True)


GOTO = {"goto": "http://192.0.2.1/"}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"steps": [GOTO], "script": "/etc/x.py"},
        {"steps": [{"click": "a"}]},
        {"steps": [GOTO, {"name": "nothing"}]},
        {"steps": [{**GOTO, "name": "2"}, {"click": "a"}]},
        {"steps": [{"goto": "file:///etc/passwd"}]},
        {"script": "journey.py"},
        {"steps": [GOTO], "values": {"a": "b"}},
    ],
)
def test_options_that_play_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BrowserOptions.model_validate(wrong)
