"""Messages by a command: its arguments, its exit status, its end."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.channels.base import Undelivered
from sentinel.channels.command import CommandOptions
from tests.channels.rigs import TEXTED, make, script
from tests.waiting import alive, until


def run(folder: Path, body: str, **options: Any) -> Any:
    return make("command", run=[script(folder, body), "{id}", "{mobile}", "{text}"], **options)


async def test_the_first_line_printed_is_the_reference(tmp_path: Path) -> None:
    assert await run(tmp_path, "echo queued 7; echo more").send(TEXTED) == "queued 7"
    assert (tmp_path / "log").read_text() == f"INC-42/0/1/alice|+33639980001|{TEXTED.sms}\n"


async def test_a_silent_success_is_named_by_the_message(tmp_path: Path) -> None:
    assert await run(tmp_path, "true").send(TEXTED) == TEXTED.id


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80))
async def test_a_text_stays_one_argument_whatever_it_holds(tmp_path: Path, text: str) -> None:
    sender = make("command", run=["/usr/bin/printf", "%s", "{text}"])
    assert await sender.send(replace(TEXTED, sms=text)) == (text.strip() or TEXTED.id)


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(1, False), (2, False), (75, False), (69, False), (64, True), (65, True), (67, True), (78, True)],
)
async def test_the_exit_status_says_whether_to_try_again(tmp_path: Path, status: int, permanent: bool) -> None:
    with pytest.raises(Undelivered) as caught:
        await run(tmp_path, f"echo no modem >&2; exit {status}").send(TEXTED)
    assert caught.value.permanent is permanent
    assert caught.value.why.endswith(f"/modem ended with status {status}: no modem")


async def test_a_command_ended_by_a_signal_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(Undelivered) as caught:
        await run(tmp_path, "kill -9 $$").send(TEXTED)
    assert (caught.value.permanent, caught.value.why[-8:]) == (False, "signal 9")


async def test_what_a_command_started_dies_with_it(tmp_path: Path) -> None:
    sender = run(tmp_path, f"sleep 60 & echo $! > {tmp_path}/child; wait", timeout="1500ms")
    with pytest.raises(Undelivered) as caught:
        await sender.send(TEXTED)
    assert caught.value.outcome == "timeout"
    child = int((tmp_path / "child").read_text())
    await until(lambda: not alive(child))


async def test_a_pipe_held_open_by_somebody_else_ends_at_the_limit(tmp_path: Path) -> None:
    sender = run(tmp_path, f"setsid sleep 60 & echo $! > {tmp_path}/child", timeout="1500ms")
    with pytest.raises(Undelivered, match="took longer"):
        await sender.send(TEXTED)
    os.kill(int((tmp_path / "child").read_text()), 9)


async def test_endless_output_is_read_and_cut(tmp_path: Path) -> None:
    reference = await run(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x").send(TEXTED)
    assert reference == "x" * 200


async def test_the_environment_holds_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_SECRET", "s3cret")
    sender = run(tmp_path, f"env > {tmp_path}/env")
    await sender.send(TEXTED)
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}


async def test_a_command_that_is_not_there_is_refused_for_good(tmp_path: Path) -> None:
    sender = make("command", run=[str(tmp_path / "nothing"), "{text}"])
    with pytest.raises(Undelivered) as caught:
        await sender.send(TEXTED)
    assert caught.value.permanent
    with pytest.raises(Undelivered, match="is not a program that may be run"):
        await sender.check()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ([], "the command is not an absolute path"),
        (["modem"], "the command is not an absolute path"),
        (["/bin/modem", "--text={text}"], "'{text}' must be an argument by itself"),
        (["/bin/modem", "{number}"], "'{number}' must be an argument by itself"),
    ],
)
def test_a_command_line_that_could_be_misread_is_refused(command: list[str], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CommandOptions.model_validate({"run": command})
    assert says in str(caught.value)
