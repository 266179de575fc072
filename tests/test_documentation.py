"""What people can write, call and read is in the documentation: a new key, command or metric without a line fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sentinel import channels, metrics, probes
from sentinel.cli import main
from sentinel.config.schema import json_schema
from sentinel.probes.help import PROBE_HELP

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
SPAN = re.compile(r"`([^`\n]+)`")


def code_of(page: Path) -> str:
    """Everything that a page sets as code: a key that only happens to be an English word is not documented by it."""
    text = page.read_text()
    return "\n".join([*FENCED.findall(text), *SPAN.findall(FENCED.sub("", text))])


def undocumented(names: set[str], page: Path) -> list[str]:
    """The names that do not stand as whole words in the code of a page."""
    code = code_of(page)
    return sorted(name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code))


def keys(schema: Any) -> Iterator[str]:
    """Yield every key that a JSON Schema names, at any depth."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict):
            yield from properties
        for part in schema.values():
            yield from keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from keys(part)


def commands(command: click.Command, path: str = "sentinel") -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is not None and not below.hidden:
            yield from commands(below, f"{path} {name}")


def test_every_configuration_key_is_documented():
    found = set(keys(json_schema()))
    assert {"probes", "defaults"} <= found
    assert undocumented(found, DOCS / "configuration.md") == []


def test_every_kind_is_documented_and_its_options_are_in_the_schema():
    kinds = [*map(probes.kind, probes.KINDS), *map(channels.kind, channels.KINDS)]
    options = {field.alias or name for kind in kinds for name, field in kind.options.model_fields.items()}
    assert options
    assert options - set(keys(json_schema())) == set()
    assert undocumented({*probes.KINDS, *channels.KINDS}, DOCS / "configuration.md") == []


def test_every_metric_is_documented():
    found = {metric.name for metric in metrics.METRICS} | PROBE_HELP.keys()
    assert found
    assert undocumented(found, DOCS / "metrics.md") == []


def test_every_command_and_each_of_its_options_is_documented():
    found = dict(commands(main))
    assert "sentinel run" in found
    options = {
        option
        for command in found.values()
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
        if option.startswith("--")
    }
    assert undocumented(set(found) | options, DOCS / "commands.md") == []


def test_every_link_between_pages_leads_somewhere():
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
    links = [(page, link) for page in pages for link in LINK.findall(FENCED.sub("", page.read_text()))]
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_a_name_that_is_missing_from_a_page_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("The word timeout is not code.\n\n`interval` is.\n\n```yaml\nretry-every: 3s\n```\n")
    assert undocumented({"timeout", "interval", "retry-every", "retry"}, page) == ["retry", "timeout"]
