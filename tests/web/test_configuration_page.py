"""The page of the configuration: no secret shows, what a reload would change does, and a bad file changes nothing."""

from __future__ import annotations

import re

import aiohttp
import pytest

from sentinel import configured
from sentinel.config.fields import Secret, secrets_noted
from sentinel.config.load import load
from sentinel.configured import Configured, differences, look
from tests.web.alive import alive

SECRETS = {
    "smtp": "canary-smtp-7781", "hook": "canary-hook-5561", "probe": "canary-probe-9914", "chat": "canary-chat-4407",
}  # fmt: skip
FILE = """\
site: {{name: Practice}}
people:
  amina: {{name: Amina Benali, email: amina@example.org}}
channels:
  mail: {{type: smtp, host: mx.example.org, from: s@example.org, username: u, password: "${{file:smtp}}"}}
  place: {{type: webhook, url: "https://chat.example.org/{chat}/x?k=1"}}
intake:
  hooks:
    tool: {{key: {hook}-0123456789abcdef, id: "{{event}}", title: "{{title}}"}}
probes:
  site: {{type: http, url: "https://www.example.org/", headers: {{X-Api: {probe}}}}}
  call: {{type: heartbeat, token: "${{file:ref}}", every: 10m}}
"""


@pytest.fixture
def file(tmp_path):
    for name, text in (("ref", "c3f1e0aa-0000-4000-8000-000000000001"), ("smtp", SECRETS["smtp"])):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "probes.yaml"
    path.write_text(FILE.format(**SECRETS))
    return path


def test_no_secret_shows_wherever_it_stands(file):
    found = look(file, load(file).setup)
    assert found.mistakes == ()
    text = "\n".join(text for section in found.sections for _, text in section.entries)
    assert [name for name, secret in SECRETS.items() if secret in text] == []
    assert "c3f1e0aa" not in text
    for kept in ("${file:ref}", "mx.example.org", "amina@example.org", "www.example.org", "****"):
        assert kept in text
    assert found.same
    assert found.differences == ()


def test_what_a_field_reads_as_a_secret_is_hidden_whatever_its_key_is_called(file, monkeypatch):
    monkeypatch.setattr(configured, "_SOUNDS_SECRET", re.compile("(?!)"))
    file.write_text(file.read_text() + "# the same text elsewhere, where nobody takes it for a secret\n")
    text = file.read_text().replace("name: Practice", f"name: Practice {SECRETS['probe']}")
    file.write_text(text)
    found = look(file, load(file).setup)
    shown = "\n".join(text for section in found.sections for _, text in section.entries)
    assert [name for name in ("smtp", "hook", "probe", "chat") if SECRETS[name] in shown] == []
    assert "mx.example.org" in shown


def test_every_secret_that_is_read_is_noted_also_one_that_nobody_keeps(file):
    with secrets_noted() as noted:
        load(file)
    assert SECRETS["smtp"] in noted
    assert "c3f1e0aa-0000-4000-8000-000000000001" in noted
    before = set(noted)
    Secret("after")
    assert noted == before, "and none outside"


def test_what_another_file_has_otherwise_is_named(file):
    before = load(file).setup
    text = file.read_text().replace("Amina Benali", "Amina Haddad").replace("Practice", "Other")
    file.write_text(text.replace("  call:", '  tcp: {type: tcp, target: "192.0.2.1:80"}\n  call2:'))
    found = {one.section: (one.added, one.removed, one.changed) for one in differences(before, load(file).setup)}
    assert found == {
        "probes": (("tcp", "call2"), ("call",), ()), "people": ((), (), ("amina",)), "site": ((), (), ()),
    }  # fmt: skip


def test_a_blank_line_changes_nothing_that_is_compared(file):
    before = load(file).setup
    file.write_text(file.read_text() + "\n# a remark\n")
    assert list(differences(before, load(file).setup)) == []


async def test_a_reload_takes_a_good_file_and_says_what_is_wrong_with_a_bad_one(tmp_path):
    async with alive(tmp_path) as one, aiohttp.ClientSession() as http:
        headers = {"Accept": "text/html", "Accept-Language": "en", **await one.token("administrator")}
        async with http.get(f"{one.url}/configuration?section=people", headers=headers) as answer:
            assert "The file is what runs." in await answer.text()
        path = one.one.daemon.path
        path.write_text(path.read_text().replace("Amina Benali", "Amina Haddad"))
        async with http.get(f"{one.url}/configuration", headers=headers) as answer:
            assert "~ changed:" in " ".join((await answer.text()).split())
        async with http.post(f"{one.url}/configuration/reload", headers=headers) as answer:
            assert "is in use" in await answer.text()
        assert one.one.daemon.setup.directory.people["amina"].name == "Amina Haddad"
        path.write_text(path.read_text() + "nonsense: 1\n")
        async with http.post(f"{one.url}/configuration/reload", headers=headers) as answer:
            assert answer.status == 400
            assert "unknown key `nonsense`" in await answer.text()
        operator = await one.token("delivery_manager")
        async with http.get(f"{one.url}/configuration", headers=operator) as answer:
            assert answer.status == 403


async def test_a_look_is_kept_until_something_it_read_is_another(tmp_path):
    async with alive(tmp_path) as one:
        daemon = one.one.daemon
        folder, configured = daemon.path.parent, Configured(daemon)
        more, secret = folder / "conf.d", folder / "secret"
        more.mkdir()
        secret.write_text("canary-1")
        secret.chmod(0o600)
        daemon.path.write_text(daemon.path.read_text() + "include: [conf.d/*.yaml]\n")
        place = 'channels: {place: {type: webhook, url: "https://chat.example.org/${file:../secret}"}}'
        (more / "channels.yaml").write_text(place)
        first = await configured.look()
        assert not first.mistakes
        assert await configured.look() is first

        async def another(change):
            before = await configured.look()
            change()
            after = await configured.look()
            assert after is not before
            assert await configured.look() is after
            return after

        added = more / "one.yaml"
        found = await another(lambda: added.write_text("probes: {here: {type: tcp, target: '192.0.2.1:80'}}"))
        assert str(added) in found.files
        await another(lambda: added.write_text("probes: {there: {type: tcp, target: '192.0.2.1:80'}}"))
        await another(lambda: secret.write_text("canary-2"))
        assert str(added) not in (await another(added.unlink)).files
        broken = await another(lambda: daemon.path.write_text(daemon.path.read_text() + "nonsense: 1\n"))
        assert "nonsense" in broken.mistakes[0]
        secret.unlink()
        assert await configured.look() is not await configured.look(), "what cannot be read may be there any time"


async def test_a_kept_look_says_what_runs_after_a_reload(tmp_path):
    async with alive(tmp_path) as one:
        daemon = one.one.daemon
        configured = Configured(daemon)
        daemon.path.write_text(daemon.path.read_text() + "\n# a remark\n")
        assert not (await configured.look()).same
        assert (await daemon.reload()).done
        assert (await configured.look()).same
