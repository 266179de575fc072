"""``sentinel export``."""

from __future__ import annotations

import click

from sentinel.cli.output import print_json


@click.group()
def export() -> None:
    """Write what other programs need, to standard output."""


@export.command()
def schema() -> None:
    """Write the JSON Schema of probes.yaml, for completion and checks in editors."""
    from sentinel.config.schema import json_schema

    print_json(json_schema())
