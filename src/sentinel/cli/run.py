"""``sentinel run``."""

from __future__ import annotations

import click

from sentinel.cli.asked import Asked, configuration_option, pass_asked


@click.command()
@click.option("--demo", is_flag=True, help="Start the practice platform beside it, which fails on a schedule.")
@click.option("--socket", type=click.Path(), default="", help="Where to put the control socket.")
@configuration_option
@pass_asked
@click.pass_context
def run(context: click.Context, asked: Asked, demo: bool, socket: str) -> None:
    """Run the daemon until SIGTERM; SIGHUP makes it read its configuration again."""
    import gc
    from pathlib import Path

    gc.disable()  # Next to nothing becomes garbage while all is loaded; the daemon turns it on when it runs.
    _without_rich()
    from sentinel import service

    context.exit(service.run(asked.config_path(), practice=demo, control=Path(socket) if socket else None))


def _without_rich() -> None:
    """Load structlog as if rich were not there, which it would load for a terminal's colours: 5 MiB and 0.1 s."""
    import sys
    from typing import Any, cast

    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    cast(Any, sys.modules)["rich"] = None  # This is how Python is told that there is none.
    try:
        import structlog  # noqa: F401  only loaded
    finally:
        del sys.modules["rich"]
