"""``sentinel completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_SENTINEL_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: eval "$(sentinel completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None, "click knows the shells that are offered"
    root = context.find_root().command
    click.echo(found(root, {}, "sentinel", VARIABLE).source())
