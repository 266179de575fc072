"""Where things are when the configuration does not say: light, since every command asks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.config.build import Setup

SQLITE = "sqlite:///"
SOCKET_NAME = "control.sock"


def storage_url(setup: Setup, path: Path) -> str:
    """Return where things are kept: as configured, else in systemd's state folder, else beside the configuration."""
    if setup.storage.url:
        return setup.storage.url.reveal()
    folder = Path(os.environ.get("STATE_DIRECTORY", path.parent)).absolute()
    return f"sqlite:///{folder / 'sentinel.db'}"


def control_path(url: str) -> Path | None:
    """Return where the control socket is: in systemd's runtime folder, else beside the database."""
    if "RUNTIME_DIRECTORY" in os.environ:
        return Path(os.environ["RUNTIME_DIRECTORY"]) / SOCKET_NAME
    if not url.startswith(SQLITE):
        return None
    return Path(url.removeprefix(SQLITE)).absolute().with_name(SOCKET_NAME)
