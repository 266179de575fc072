"""What every command may be asked besides its own business, and the ways a command ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

import click

C = TypeVar("C", bound=Callable[..., Any])

CONFIG_PLACES = (Path("probes.yaml"), Path("/etc/sentinel/probes.yaml"))


class Exit(IntEnum):
    """The exit codes, the same for every command."""

    FINE = 0
    BAD = 1
    USAGE = 2
    CONFIGURATION = 3
    PARTIAL = 4
    UNREACHABLE = 5


@dataclass(slots=True)
class Asked:
    """The options all commands share. ``config`` and ``url`` are empty unless somebody wrote them."""

    config: Path | None = None
    json: bool = False
    socket: Path | None = None
    url: str = ""
    token: str = field(default="", repr=False)
    token_file: Path | None = None

    def config_path(self) -> Path:
        """Return the configuration file: as asked, as the environment says, else the first usual place that has one."""
        if self.config is not None:
            return self.config
        if os.environ.get("SENTINEL_CONFIG"):
            return Path(os.environ["SENTINEL_CONFIG"])
        return next((place for place in CONFIG_PLACES if place.exists()), CONFIG_PLACES[0])


class Ended(click.ClickException):
    """A command ends here, with a sentence on standard error and an exit code."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # click declares it for the class, and reads it from the instance

    def show(self, file: Any = None) -> None:  # noqa: ARG002  click's own interface
        """Write the sentence."""
        click.echo(self.message, err=True)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(Asked), name, value)

    return callback


def configuration_option(command: C) -> C:
    """Let a command be told where the configuration is."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_keep("config"),
        help="The configuration file; otherwise $SENTINEL_CONFIG, ./probes.yaml, /etc/sentinel/probes.yaml.",
    )(command)


def json_option(command: C) -> C:
    """Let a command print for programs."""
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_keep("json"), help="Print JSON for programs."
    )(command)


def daemon_options(command: C) -> C:
    """Let a command be told where the daemon is."""
    socket = click.option(
        "--socket",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_keep("socket"),
        help="The daemon's control socket; otherwise $SENTINEL_SOCKET, else where the configuration puts it.",
    )
    url = click.option(
        "--url",
        expose_value=False,
        callback=_keep("url"),
        help="Reach the daemon by HTTP instead: http://127.0.0.1:9115; otherwise $SENTINEL_URL.",
    )
    token = click.option(
        "--token",
        expose_value=False,
        callback=_keep("token"),
        help="The token to show there; better --token-file or $SENTINEL_TOKEN: other users see the words of a command.",
    )
    token_file = click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_keep("token_file"),
        help="The file that holds the token; otherwise $SENTINEL_TOKEN_FILE.",
    )
    return configuration_option(json_option(socket(url(token(token_file(command))))))


def by_option(command: C) -> C:
    """Let a command act in somebody's name."""
    return click.option("--by", default="", help="Who acts; otherwise the user who runs the command.")(command)


pass_asked = click.make_pass_decorator(Asked, ensure=True)
