"""``probe`` and ``init``, against a site on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from sentinel.config.load import load
from tests.cli.conftest import run


@dataclass
class Site:
    url: str
    status: int = 200
    text: str = "<html>hello</html>"
    pause_s: float = 0.0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async def answer(_request: web.Request) -> web.Response:
        await asyncio.sleep(found.pause_s)
        return web.Response(text=found.text, status=found.status, content_type="text/html")

    async def moved(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/")

    app = web.Application()
    app.router.add_get("/", answer)
    app.router.add_get("/moved", moved)
    runner = web.AppRunner(app)
    await runner.setup()
    tcp = web.TCPSite(runner, "127.0.0.1", 0)
    await tcp.start()
    port = runner.addresses[0][1]
    found = Site(f"http://127.0.0.1:{port}/")
    yield found
    await runner.cleanup()


async def call(*words: str, **environ: str | None):
    return await asyncio.to_thread(lambda: run(*words, **environ))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


async def test_a_url_is_probed_without_any_configuration(site):
    done = await call("probe", site.url)
    assert done.exit_code == 0, done.output
    assert "connect" in done.stdout
    assert "✓ fine after" in done.stdout
    site.status = 503
    done = await call("probe", site.url, "--json")
    assert done.exit_code == 1
    (one,) = json.loads(done.stdout)
    assert (one["ok"], one["reason"]) == (False, "status")
    assert "503" in one["detail"]
    assert one["phases"]["connect"] >= 0
    assert {"metric": "probe_http_status_code", "labels": {}, "value": 503.0} in one["samples"]


async def test_debug_shows_what_was_seen_and_every_sample(site):
    done = await call("probe", site.url, "--debug")
    assert "probe_http_status_code 200" in done.stdout
    assert f"GET {site.url}" in done.stdout


async def test_a_probe_of_the_configuration_runs_against_each_target(site, tmp_path):
    port = site.url.rpartition(":")[2].rstrip("/")
    (tmp_path / "probes.yaml").write_text(
        f"probes:\n  door: {{type: tcp, targets: ['127.0.0.1:{port}', '127.0.0.1:1'], timeout: 2s}}\n"
    )
    done = await call("probe", "door", "--json")
    assert done.exit_code == 1
    assert [(one["target"], one["ok"]) for one in json.loads(done.stdout)] == [
        (f"127.0.0.1:{port}", True),
        ("127.0.0.1:1", False),
    ]
    done = await call("probe", "dor")
    assert done.exit_code == 1
    assert "did you mean `door`?" in done.stderr


async def test_as_a_nagios_plugin_it_prints_one_line_and_exits_0_1_2_or_3(site, tmp_path):
    port = site.url.rpartition(":")[2].rstrip("/")
    (tmp_path / "probes.yaml").write_text(
        "probes:\n"
        f"  door: {{type: tcp, targets: ['127.0.0.1:{port}', '127.0.0.1:1'], timeout: 2s}}\n"
        f"  slow: {{type: http, url: '{site.url}', expect: {{max_duration: 1ms}}}}\n"
    )
    done = await call("probe", site.url, "--nagios")
    assert done.exit_code == 0
    assert done.stdout.startswith("HTTP OK - 1 of 1 targets are fine | time=")
    assert done.stdout.rstrip().endswith("s;;;0;10")
    done = await call("probe", "door", "--nagios")
    assert done.exit_code == 2
    assert done.stdout.startswith("TCP CRITICAL - 127.0.0.1:1: ")
    assert "time_1=" in done.stdout
    assert "time_2=" in done.stdout
    site.pause_s = 0.05
    done = await call("probe", "slow", "--nagios")
    assert (done.exit_code, done.stdout.split(" - ")[0]) == (1, "HTTP WARNING"), done.stdout
    done = await call("probe", "nothing", "--nagios")
    assert done.exit_code == 3
    assert done.stdout.startswith("UNKNOWN - ")
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("url", ["gopher://example.org", "http://", "tcp://example.org", "file:///etc/passwd"])
async def test_a_url_no_probe_knows_is_usage(url):
    done = await call("probe", url)
    assert done.exit_code == 2, done.output
    assert done.stderr


async def test_the_target_policy_holds_for_a_url_as_well(site, tmp_path):
    (tmp_path / "probes.yaml").write_text(
        "target_policy: {deny: [127.0.0.0/8]}\nprobes:\n  x: {type: tcp, target: 'web1.example.org:1'}\n"
    )
    done = await call("probe", site.url, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["reason"] == "denied"


async def test_init_writes_a_configuration_that_is_good_and_probes_what_was_seen(site, tmp_path):
    done = await call("init", site.url, "--yes", "--mobile", "+33639980001")
    assert done.exit_code == 0, done.output
    assert "✓ HTTP 200 in" in done.stdout
    setup = load(tmp_path / "probes.yaml").setup
    assert list(setup.probes) == ["home", "port"]
    assert setup.directory.people["ops"].addresses["mobile"] == "+33639980001"
    assert (tmp_path / "probes.yaml").stat().st_mode & 0o777 == 0o600
    assert (await call("probe", "home")).exit_code == 0


async def test_init_knows_a_moodle_when_it_sees_one(site, tmp_path):
    site.text = '<html><head><meta name="keywords" content="moodle, Campus"></head></html>'
    done = await call("init", site.url.rstrip("/") + "/moved", "--yes")
    assert "it looks like Moodle" in done.stdout
    assert "moodle-login-page" in load(tmp_path / "probes.yaml").setup.probes


async def test_init_never_overwrites(site, tmp_path):
    (tmp_path / "probes.yaml").write_text("precious")
    done = await call("init", site.url, "--yes")
    assert done.exit_code == 3
    assert (tmp_path / "probes.yaml").read_text() == "precious"


async def test_init_writes_nothing_when_an_answer_cannot_be_used(site, tmp_path):
    for option, value in (("--email", 'x"}, evil: {'), ("--mobile", "0639980001")):
        done = await call("init", site.url, "--yes", option, value)
        assert done.exit_code == 3
        assert not (tmp_path / "probes.yaml").exists()


async def test_init_says_what_is_wrong_with_a_site_and_writes_the_probes_all_the_same(tmp_path):
    done = await call("init", "https://does-not-exist.invalid/", "--yes", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["looked"][0][0] is False
    assert list(load(tmp_path / "probes.yaml").setup.probes) == ["home", "port", "certificate"]


async def test_init_without_a_url_writes_an_example(tmp_path):
    assert (await call("init", "--yes")).exit_code == 0
    assert "example.org" in (tmp_path / "probes.yaml").read_text()


@pytest.mark.parametrize("url", ["example.org", "ftp://example.org", "https://", "https://[x/"])
async def test_init_wants_the_url_of_a_web_site(url, tmp_path):
    assert (await call("init", url, "--yes")).exit_code == 2
    assert not (tmp_path / "probes.yaml").exists()
