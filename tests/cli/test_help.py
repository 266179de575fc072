from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from sentinel.cli import COMMANDS, main
from tests.cli.conftest import run


def every(command: click.Command, *words: str) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [words]
    context = click.Context(command)
    found = [words] if words else []
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        found += every(below, *words, name)
    return found


@pytest.mark.parametrize("words", every(main), ids=" ".join)
def test_every_command_explains_itself(words):
    done = run(*words, "--help")
    assert done.exit_code == 0
    assert done.stdout.startswith("Usage: ")
    assert len(done.stdout.splitlines()[2].strip()) > 10


def test_help_lists_every_command_and_imports_none():
    code = (
        "import sys\nfrom sentinel.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    code = end.code\n"
        "heavy = {'pydantic', 'aiohttp', 'sqlalchemy', 'jinja2', 'pycurl', 'rich', 'asyncio', 'sentinel.cli.run'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


# What a check of a few probes has no use for. Kinds are imported when a file names them.
UNUSED_BY_CHECK = {
    "aiodns", "aiohttp", "jinja2", "pycurl", "rich", "sentinel.channels.http", "sentinel.core.crisis",
    "sentinel.daemon", "sentinel.core.events", "sentinel.core.incident", "sentinel.probes.heartbeat",
    "sentinel.probes.http", "sentinel.tickets.jira", "sentinel.tickets.webhook", "sqlalchemy",
}  # fmt: skip
UNUSED_BY_CLIENTS = {
    "aiohttp",
    "asyncio",
    "jinja2",
    "msgspec",
    "pydantic",
    "sentinel.config.load",
    "sqlalchemy",
    "yaml",
}


def imported(*words: str, code: int = 0) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    program = (
        "import sys\nfrom sentinel.cli import main\n"
        f"try:\n    main({[*words]!r})\nexcept SystemExit as end:\n    assert end.code == {code}, end.code\n"
        "print('\\n' + ' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_check_imports_nothing_of_the_daemon_nor_kinds_that_are_not_used(tmp_path):
    file = tmp_path / "probes.yaml"
    text = "probes:\n  home: {type: tcp, target: '127.0.0.1:9', service: home}\n"
    text += "people: {amina: {email: a@example.org}}\nservices: {home: {escalation: all}}\n"
    text += "escalations: {all: [{at: 0m, to: [amina], by: [email]}]}\n"
    file.write_text(text + "channels: {email: {type: outbox, path: outbox, as: email}}\n")
    assert imported("check", str(file)) & UNUSED_BY_CHECK == set()


@pytest.mark.parametrize(
    "words", ["incidents", "show INC-1", "ack INC-1", "oncall", "silence list", "crisis show INC-1"]
)
def test_who_asks_the_daemon_imports_nothing_of_it(words, tmp_path):
    found = imported("--socket", str(tmp_path / "nothing"), *words.split(), code=5)
    assert found & UNUSED_BY_CLIENTS == set()


def test_a_command_that_is_not_there_is_usage_and_the_nearest_is_named():
    done = run("incident")
    assert done.exit_code == 2
    assert "Did you mean 'incidents'?" in done.stderr


def test_the_version_is_told():
    import sentinel

    assert run("--version").stdout == f"sentinel {sentinel.__version__}\n"


@pytest.mark.parametrize("shell", ["zsh", "fish", "bash"])
def test_each_shell_gets_its_completion_script(shell):
    done = run("completion", shell)
    assert done.exit_code == 0
    assert "_SENTINEL_COMPLETE" in done.stdout


def test_the_shell_completes_commands():
    assert "incidents" in completed("sentinel inc")
    assert completed("sentinel silence e") == ["expire"]


def test_the_shell_completes_names_of_the_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert completed("sentinel probe d") == []
    (tmp_path / "probes.yaml").write_text(
        "people: {amina: {email: amina@example.org}}\nservices: {campus: {}}\n"
        "probes: {door: {type: tcp, target: '127.0.0.1:9'}, home: {type: http, url: https://example.org/}}\n"
    )
    assert completed("sentinel probe d") == ["door"]
    assert completed("sentinel explain --probe ") == ["door", "home"]
    assert completed("sentinel notify test ") == ["amina"]
    assert completed("sentinel raise x --service ") == ["campus"]
    (tmp_path / "probes.yaml").write_text("probes: [")
    assert completed("sentinel probe d") == []


def completed(line: str) -> list[str]:
    words = line.split(" ")
    environ = {"_SENTINEL_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    program = [str(Path(sys.executable).with_name("sentinel"))]
    done = subprocess.run(program, capture_output=True, text=True, timeout=30, check=True, env=os.environ | environ)
    assert done.stderr == ""
    return [row.partition(",")[2] for row in done.stdout.splitlines() if row]
