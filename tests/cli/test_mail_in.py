"""``sentinel mail-in``: how a mail server's pipe ends, and a call that an operator logs."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from sentinel.web.app import build, serve
from tests.engine.whole import HEARTBEAT, PEOPLE, whole

SENTINEL = Path(sys.executable).with_name("sentinel")
MAIL = b"From: Amina <amina@example.org>\r\nSubject: Dark\r\nMessage-ID: <a@b.example>\r\n\r\nThe lights are out.\r\n"


async def piped(data: bytes, socket: Path) -> tuple[int, str]:
    """Run the command as a mail server does."""

    def run() -> subprocess.CompletedProcess[bytes]:
        environ = {**os.environ, "SENTINEL_SOCKET": str(socket)}
        return subprocess.run(
            [SENTINEL, "mail-in"], input=data, capture_output=True, env=environ, timeout=60, check=False
        )

    done = await asyncio.to_thread(run)
    return done.returncode, done.stderr.decode()


@pytest.mark.rule("SRC-6")
async def test_a_mail_is_taken_refused_or_kept_as_its_exit_code_says(tmp_path: Path):
    socket = tmp_path / "control.sock"
    async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
        runner: web.AppRunner = await serve(build(one.doors.context()), ("127.0.0.1", 0), socket)
        try:
            assert (await piped(MAIL, socket))[0] == 0
            assert (await piped(MAIL, socket))[0] == 0
            assert (await piped(MAIL + b"x" * 3_000_000, socket))[0] == 0
            code, said = await piped(MAIL.replace(b"amina@", b"mallory@"), socket)
            assert (code, said) == (77, "Sentinel takes mail from people it knows only.\n")
            assert (await piped(MAIL.replace(b"Subject", b"Auto-Submitted: auto-replied\r\nSubject"), socket))[0] == 0
            assert (await piped(b"", socket))[0] == 65
        finally:
            await runner.cleanup()
        found = one.daemon.store.incident("INC-1")
        assert found is not None
        assert (found.level, found.title, found.requester) == (3, "Dark", "amina")
        assert one.daemon.store.incident("INC-2") is None
    code, said = await piped(MAIL, socket)
    assert code == 75, said
    assert "Is it running?" in said


@pytest.mark.rule("SRC-6")
async def test_a_call_is_logged_with_who_called_at_level_3(reached):
    call = ("raise", "Nobody can sign in", "--by-phone", "--from", "Jean Vidal, +33 6 39 98 00 12", "--by", "amina")
    raised = await reached.json(*call, "--detail", "since this morning")
    assert (raised["level"], raised["priority"]) == (3, "P1")
    shown = await reached.json("show", raised["number"])
    (signal,) = shown["signals"]
    assert signal["source"] == "phone"
    assert "Jean Vidal, +33 6 39 98 00 12" in signal["detail"]
    assert (await reached.json(*call, "--level", "2"))["level"] == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--by-phone",), "Who called?"),
        (("--from", "Jean"), "--from goes with --by-phone"),
        (("--by-phone", "--from", "Jean", "symptom=down"), "A call is no ticket"),
        (("--by-phone", "--from", "Jean", "--category", "mail"), "A call is no ticket"),
    ],
)
async def test_a_mistake_is_usage(reached, words: tuple[str, ...], why: str):
    done = await reached.run("raise", "Nobody can sign in", *words)
    assert done.exit_code == 2
    assert why in done.stderr
