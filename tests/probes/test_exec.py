"""The exec probe: the plugin contract, and that nothing a plugin starts is left behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel.probes import program
from sentinel.probes.base import Failed, Sight
from sentinel.probes.exec import KIND, ExecOptions, parse, run
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.waiting import alive, until

DESCRIPTORS = Path("/proc/self/fd")

WAIT_S = 60.0


def sight(target: str = "plugin") -> Sight:
    return Sight(target, WAIT_S, Names(), TargetPolicy(), now=datetime.now(UTC))


@pytest.fixture
def plugin(tmp_path: Path):
    """Write a shell script that may be run, and return its path."""

    def write(body: str, mode: int = 0o755) -> str:
        path = tmp_path / "check_thing"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(mode)
        return str(path)

    return write


async def fail(options: ExecOptions, seen: Sight | None = None) -> Failed:
    with pytest.raises(Failed) as caught:
        await asyncio.wait_for(run(options, seen or sight()), WAIT_S)
    assert caught.value.reason in KIND.reasons
    return caught.value


async def gone(process_id: int) -> None:
    """Wait until a process is no more."""
    await until(lambda: not alive(process_id), f"the end of {process_id}")


async def written(path: Path) -> str:
    """Return what a file says, once its line is whole."""
    return (await until(lambda: path.exists() and (said := path.read_text()).endswith("\n") and said)).strip()


async def test_exit_0_passes_and_the_first_value_is_the_probes_value(plugin):
    seen = sight()
    path = plugin("echo \"DISK OK - 42% used | /=42%;80;90;0;100 'my disk'=7GB;;\"; exit 0")
    await run(ExecOptions(run=(path,)), seen)
    assert seen.value == 42.0


async def test_the_named_metric_is_the_probes_value(plugin):
    seen = sight()
    path = plugin("echo \"OK | /=42% 'my disk'=7.5GB;;\"")
    await run(ExecOptions(run=(path,), metric="my disk"), seen)
    assert seen.value == 7.5


async def test_a_named_metric_that_is_missing_fails(plugin):
    failed = await fail(ExecOptions(run=(plugin("echo 'OK | a=1'"),), metric="b"))
    assert failed.reason == "metric"


@pytest.mark.parametrize(("code", "reason"), [(1, "warning"), (2, "critical"), (3, "unknown"), (77, "unknown")])
async def test_other_exit_codes_fail_with_the_first_line_as_detail(plugin, code, reason):
    failed = await fail(ExecOptions(run=(plugin(f"echo 'THING is not well | a=1'; echo more; exit {code}"),)))
    assert failed.reason == reason
    assert failed.detail.endswith("THING is not well")


async def test_a_warning_passes_when_the_options_say_so(plugin):
    path = plugin("echo 'a bit much'; exit 1")
    await run(ExecOptions(run=(path,), warning="passes"), sight())


async def test_under_format_exit_anything_but_0_fails(plugin):
    failed = await fail(ExecOptions(run=(plugin("echo oops >&2; exit 1"),), format="exit", warning="passes"))
    assert (failed.reason, failed.detail) == ("exit", "exit code 1: oops")


async def test_a_plugin_killed_by_a_signal_crashed(plugin):
    failed = await fail(ExecOptions(run=(plugin("kill -SEGV $$"),)))
    assert failed.reason == "crashed"
    assert "SIGSEGV" in failed.detail


async def test_the_detail_holds_no_control_characters(plugin):
    failed = await fail(ExecOptions(run=(plugin(r"printf 'red \033[31malert\377\n'; exit 2"),)))
    assert failed.detail.isprintable()


async def test_a_plugin_that_does_not_exist_is_named():
    failed = await fail(ExecOptions(run=("/nonexistent/check_nothing",)))
    assert failed.reason == "not_found"
    assert "/nonexistent/check_nothing" in failed.detail


async def test_a_plugin_without_the_right_to_run_is_refused(plugin):
    assert (await fail(ExecOptions(run=(plugin("exit 0", 0o644),)))).reason == "not_executable"


async def test_a_plugin_that_anybody_may_write_is_refused(plugin):
    failed = await fail(ExecOptions(run=(plugin("exit 0", 0o757),)))
    assert failed.reason == "not_executable"
    assert "written by anybody" in failed.detail


async def test_a_file_in_no_format_the_system_knows_is_refused(tmp_path):
    path = tmp_path / "garbage"
    path.write_bytes(b"\x00\x01garbage")
    path.chmod(0o755)
    assert (await fail(ExecOptions(run=(str(path),)))).reason == "not_executable"


async def test_output_beyond_the_limit_is_cut_and_read_on(plugin):
    seen = sight()
    path = plugin("echo 'OK | a=1'; head -c 300000 /dev/zero | tr '\\0' x; exit 0")
    await run(ExecOptions(run=(path,)), seen)
    assert seen.value == 1.0
    assert sum(map(len, seen.facts)) < 64 * 1024


async def test_a_flood_of_output_ends_the_plugin(plugin):
    assert (await fail(ExecOptions(run=(plugin("yes"),)))).reason == "output"


async def test_the_environment_holds_nothing_of_ours(plugin, monkeypatch):
    monkeypatch.setenv("CANARY", "secret")
    seen = sight()
    await run(ExecOptions(run=(plugin("env | sort"),), format="exit", env={"EXTRA": "given"}), seen)
    assert {fact.partition("=")[0] for fact in seen.facts[1:]} <= {"EXTRA", "HOME", "LANG", "PATH", "PWD", "SHLVL", "_"}
    assert "EXTRA=given" in seen.facts


async def test_standard_input_is_empty(plugin):
    await run(ExecOptions(run=(plugin('[ -z "$(cat)" ]'),), format="exit"), sight())


@pytest.mark.parametrize("hostile", ["$(id)", "a;b", "a b", "`id`", "é'\"", "../.."])
async def test_a_target_arrives_as_one_argument_whatever_it_holds(plugin, hostile):
    seen = sight(hostile)
    path = plugin('echo "$#:$2"')
    await run(ExecOptions(run=(path, "-H", "{target}"), targets=(hostile,), format="exit"), seen)
    assert f"2:{hostile}" in seen.facts


async def test_no_core_is_dumped_and_files_are_limited(plugin):
    seen = sight()
    # The limits are set just after the start: the script waits for them.
    limited = '[ "$(ulimit -c)" = 0 ] && [ "$(ulimit -n)" = 1024 ]'
    body = f"for i in $(seq 200); do {limited} && exit 0; sleep 0.01; done; exit 1"
    await run(ExecOptions(run=(plugin(body),), format="exit"), seen)


async def test_a_cancelled_run_leaves_neither_the_plugin_nor_its_children(plugin, tmp_path):
    path = plugin(f"sleep 1000 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/parent; wait")
    task = asyncio.create_task(run(ExecOptions(run=(path,)), sight()))
    parent, child = int(await written(tmp_path / "parent")), int(await written(tmp_path / "child"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, WAIT_S)
    await gone(parent)
    await gone(child)


async def test_a_plugin_that_ignores_sigterm_is_killed(plugin, tmp_path):
    path = plugin(f"trap '' TERM; echo $$ > {tmp_path}/parent; while :; do sleep 0.1; done")
    task = asyncio.create_task(run(ExecOptions(run=(path,)), sight()))
    parent = int(await written(tmp_path / "parent"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, WAIT_S)
    await gone(parent)


async def test_cancelling_twice_leaves_nothing_either(plugin, tmp_path):
    path = plugin(f"trap '' TERM; echo $$ > {tmp_path}/parent; while :; do sleep 0.1; done")
    task = asyncio.create_task(run(ExecOptions(run=(path,)), sight()))
    parent = int(await written(tmp_path / "parent"))
    task.cancel()
    await asyncio.sleep(0.05)  # Into the time that SIGTERM is given.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, WAIT_S)
    await gone(parent)
    await asyncio.wait_for(asyncio.gather(*program._lives, return_exceptions=True), WAIT_S)


@pytest.mark.parametrize("turns", range(12))
async def test_a_run_that_is_cancelled_while_it_starts_leaves_nothing(plugin, tmp_path, turns):
    path = plugin(f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    before = len(list(DESCRIPTORS.iterdir()))
    task = asyncio.create_task(run(ExecOptions(run=(path,)), sight()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, WAIT_S)
    if (tmp_path / "child").exists() and (text := (tmp_path / "child").read_text()):
        await gone(int(text))
    await until(lambda: len(list(DESCRIPTORS.iterdir())) <= before)  # Pipes close with the next turns of the loop.


async def test_a_child_that_outlives_a_good_plugin_is_killed_and_does_not_hold_us_up(plugin, tmp_path):
    path = plugin(f"sleep 1000 & echo $! > {tmp_path}/child; echo 'OK | a=5'; exit 0")
    seen = sight()
    await asyncio.wait_for(run(ExecOptions(run=(path,)), seen), WAIT_S)
    assert seen.value == 5.0
    await gone(int(await written(tmp_path / "child")))


async def test_a_run_leaves_no_open_descriptor(plugin):
    path = plugin("echo OK")
    await run(ExecOptions(run=(path,)), sight())
    before = len(list(DESCRIPTORS.iterdir()))
    for _ in range(3):
        await run(ExecOptions(run=(path,)), sight())
    assert len(list(DESCRIPTORS.iterdir())) <= before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"run": ["check_disk"]}, "not an absolute path"),
        ({"run": []}, "at least 1"),
        ({"run": ["/bin/true", "--host={target}"], "targets": ["a"]}, "an argument by itself"),
        ({"run": ["/bin/true", "{target}"]}, "`targets` is missing"),
        ({"run": ["/bin/true", "{target}"], "targets": ["-rf"]}, "pattern"),
        ({"run": ["/bin/true", "{target}"], "targets": ["a", "a"]}, "twice"),
        ({"run": ["/bin/true"], "metric": "a", "format": "exit"}, "needs `format: nagios`"),
        ({"run": ["/bin/true"], "shell": "yes"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_work_are_refused(options, says):
    with pytest.raises(ValidationError, match=says):
        ExecOptions.model_validate(options)


@pytest.mark.real("nagios-plugins")
@pytest.mark.parametrize(("state", "reason"), [("0", ""), ("1", "warning"), ("2", "critical"), ("3", "unknown")])
async def test_a_real_plugin_speaks_the_contract(state, reason):
    options = ExecOptions(run=("/usr/lib/nagios/plugins/check_dummy", state, "for the record"))
    if not reason:
        await run(options, sight())
        return
    failed = await fail(options)
    assert (failed.reason, failed.detail.endswith("for the record")) == (reason, True)


@pytest.mark.real("nagios-plugins")
async def test_the_performance_data_of_a_real_plugin_is_read():
    seen = sight()
    await run(ExecOptions(run=("/usr/lib/nagios/plugins/check_load", "-w", "9999", "-c", "9999"), metric="load5"), seen)
    assert seen.value is not None
    assert seen.value >= 0


async def test_the_probe_runs_on_uvloop_as_on_asyncio(plugin, tmp_path):
    def on_uvloop():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            seen = sight()
            runner.run(run(ExecOptions(run=(path,)), seen))
            return seen.value

    path = plugin(f"sleep 1000 & echo $! > {tmp_path}/child; echo 'OK | a=5'")
    assert await asyncio.to_thread(on_uvloop) == 5.0
    await gone(int(await written(tmp_path / "child")))


def test_without_targets_the_program_is_the_target():
    assert ExecOptions(run=("/usr/lib/nagios/plugins/check_load",)).targets() == ("check_load",)


@pytest.mark.parametrize(
    ("output", "text", "data"),
    [
        ("OK", "OK", []),
        ("OK | a=1", "OK", [("a", 1.0, "")]),
        ("OK | a=1.5s;2;3;0;10 b=2%", "OK", [("a", 1.5, "s"), ("b", 2.0, "%")]),
        ("OK | 'it''s'=-3KB", "OK", [("it's", -3.0, "KB")]),
        ("OK | a=U b=2c", "OK", [("b", 2.0, "c")]),
        ("OK | a=1,5", "OK", [("a", 1.5, "")]),
        ("OK | a=1\nlong text\nmore | b=2\nc=3", "OK", [("a", 1.0, ""), ("b", 2.0, ""), ("c", 3.0, "")]),
        ("OK | a=1e999", "OK", []),
        ("OK | rubbish == ' a=1", "OK", [("a", 1.0, "")]),
        ("", "", []),
    ],
)
def test_plugin_output_is_split_as_the_contract_says(output, text, data):
    found, values = parse(output)
    assert (found, [(each.label, each.value, each.unit) for each in values]) == (text, data)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="=|"), min_size=1),
            st.floats(allow_nan=False, allow_infinity=False, width=32),
            st.sampled_from(["", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c"]),
            st.sampled_from(["", ";80;90", ";;;0;100", ";@10:20;~:5"]),
        ),
        max_size=20,
    )
)
def test_whatever_performance_data_a_plugin_writes_is_read_back(values):
    # Lines are split at `\n` alone: other line ends are part of a label.
    written = " ".join(
        f"'{label.replace(chr(39), chr(39) * 2)}'={value!r}{unit}{rest}" for label, value, unit, rest in values
    )
    _, data = parse(f"OK | {written}")
    assert [(each.label, each.value, each.unit) for each in data] == [
        (label, value, unit) for label, value, unit, _ in values
    ]


@given(st.text())
def test_no_output_upsets_the_parser(output):
    text, data = parse(output)
    assert len(text) <= 400
    assert all(isinstance(each.value, float) for each in data)
