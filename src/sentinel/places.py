"""Where things are when the configuration does not say: light, since every command asks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentinel.config.build import Setup

SQLITE = "sqlite:///"
SOCKET_NAME = "control.sock"
EVIDENCE_NAME = "evidence"
ATTACHMENTS_NAME = "attachments"
SERVICE_CONFIG = Path("/etc/sentinel/probes.yaml")
SERVICE_STATE = Path("/var/lib/sentinel")


def storage_url(setup: Setup, path: Path) -> str:
    """Return where things are kept: as configured, else in systemd's state folder, else beside the configuration.

    A relative path is seen from the configuration's folder, whoever asks from wherever. The service's own
    configuration means the service's own folder, also when asked outside of it.
    """
    folder = path.absolute().parent
    if setup.storage.url:
        url = setup.storage.url.reveal()
        return f"{SQLITE}{folder / url.removeprefix(SQLITE)}" if url.startswith(SQLITE) else url
    if path.absolute() == SERVICE_CONFIG:
        folder = SERVICE_STATE
    return f"{SQLITE}{Path(os.environ.get('STATE_DIRECTORY', folder)).absolute() / 'sentinel.db'}"


def evidence_folder(setup: Setup, path: Path) -> Path:
    """Return where pictures of failures are kept."""
    return _beside(setup, path, EVIDENCE_NAME)


def attachments_folder(setup: Setup, path: Path) -> Path:
    """Return where files that clients attach to alerts are kept."""
    return _beside(setup, path, ATTACHMENTS_NAME)


def _beside(setup: Setup, path: Path, name: str) -> Path:
    """Return what is beside the database, or where it would be were it a file."""
    url = storage_url(setup, path)
    if not url.startswith(SQLITE):
        return Path(os.environ.get("STATE_DIRECTORY", path.absolute().parent)).absolute() / name
    return Path(url.removeprefix(SQLITE)).absolute().with_name(name)


def control_path(url: str) -> Path | None:
    """Return where the control socket is: in systemd's runtime folder, else beside the database."""
    if "RUNTIME_DIRECTORY" in os.environ:
        return Path(os.environ["RUNTIME_DIRECTORY"]) / SOCKET_NAME
    if not url.startswith(SQLITE):
        return None
    return Path(url.removeprefix(SQLITE)).absolute().with_name(SOCKET_NAME)
