"""``sentinel token``, and every command from another machine."""

from __future__ import annotations

import json

import pytest

from sentinel.cli.client import next_page
from tests.cli.conftest import run


async def made(reached, *words: str) -> str:
    done = await reached.run("token", "add", *words, "--by", "amina")
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()[-1]  # The daemon of the test writes its log to the same place.


async def test_a_token_is_made_shown_once_listed_used_and_revoked(reached, tmp_path):
    await reached.room.open("login fails", "campus")
    text = await made(reached, "board", "--role", "viewer", "--for", "90d")
    assert text.startswith("sentinel_")
    file = tmp_path / "board.token"
    file.write_text(f"{text}\n")
    url = f"http://127.0.0.1:{reached.port}"
    over = ("--url", url, "--token-file", str(file))
    for words in ((*over, "incidents"), ("incidents", *over)):  # Before the command and after it.
        done = await reached.run(*words)
        assert (done.exit_code, "login fails" in done.stdout) == (0, True), done.output
    done = await reached.run("token", "show", "--url", url, SENTINEL_TOKEN=text)
    assert done.stdout == "token:board, with the role viewer; sees every service.\n"
    refused = await reached.run("ack", "1", *over)
    assert (refused.exit_code, "needs the right `work`" in refused.stderr) == (1, True)
    listed = await reached.run("token", "list")
    assert text not in listed.output
    assert "in force" in listed.stdout
    assert (await reached.run("token", "revoke", "board", "lost")).stdout.endswith("The token board is revoked.\n")
    assert (await reached.run("incidents", *over)).exit_code == 1
    assert [one["state"] for one in await reached.json("token", "list")] == ["revoked"]


async def test_who_acts_with_a_token_is_whom_it_is_for(reached):
    await reached.room.open()
    text = await made(reached, "phone", "--role", "operator", "--person", "amina")
    done = await reached.run("ack", "1", "--json", "--url", f"http://127.0.0.1:{reached.port}", "--token", text)
    assert json.loads(done.stdout[done.stdout.index("{") :])["acknowledged_by"] == "amina"


async def test_without_a_token_a_command_from_elsewhere_is_told_what_is_missing(reached):
    await made(reached, "board", "--role", "viewer")
    done = await reached.run("incidents", SENTINEL_URL=f"http://127.0.0.1:{reached.port}")
    assert (done.exit_code, "Show a token" in done.stderr) == (1, True)
    assert (await reached.run("incidents")).exit_code == 0, "the control socket needs none"


@pytest.mark.parametrize(
    "url", ["http://sentinel.example.org", "http://192.0.2.1:9115", "http://localhost.example.org"]
)
def test_a_token_is_not_sent_in_clear_to_another_machine(url):
    done = run("incidents", "--url", url, "--token", "x" * 40)
    assert (done.exit_code, done.stderr) == (2, "A token is not sent in clear to another machine; write https://…\n")


def test_a_token_file_that_holds_none_is_named(tmp_path):
    file = tmp_path / "token"
    for content in ("", "a b", "é"):
        file.write_text(content)
        done = run("incidents", "--url", "http://127.0.0.1:1", "--token-file", str(file))
        assert (done.exit_code, "is none" in done.stderr) == (2, True), content
    done = run("incidents", "--url", "http://127.0.0.1:1", "--token-file", str(tmp_path / "nothing"))
    assert (done.exit_code, "No such file" in done.stderr) == (2, True)


def test_a_page_leads_on_only_within_the_same_daemon():
    assert next_page('</api/v1/probes?cursor=x>; rel="next"') == "/api/v1/probes?cursor=x"
    for link in ("", '<https://evil.example.org/>; rel="next"', '</a>; rel="prev"'):
        assert next_page(link) == ""


def test_the_description_is_printed_without_a_daemon():
    done = run("openapi")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["openapi"] == "3.1.0"
