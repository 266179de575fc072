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


def test_check_imports_nothing_of_the_daemon(tmp_path):
    (tmp_path / "probes.yaml").write_text("probes:\n  home: {type: tcp, target: '127.0.0.1:9'}\n")
    code = (
        "import sys\nfrom sentinel.cli import main\n"
        "try:\n    main(['check', sys.argv[1]])\nexcept SystemExit as end:\n    assert end.code in (0, 4), end.code\n"
        "heavy = {'aiohttp', 'sqlalchemy', 'pycurl', 'rich', 'jinja2', 'sentinel.daemon'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    file = str(tmp_path / "probes.yaml")
    done = subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


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
