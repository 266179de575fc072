"""Reading the configuration for a command: good, or the command ends with every mistake on a line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.cli.asked import Ended, Exit

if TYPE_CHECKING:
    from sentinel.config.load import Loaded


def load_or_end(path: Path) -> Loaded:
    """Return the configuration.

    Raises:
        Ended: it cannot be used.
    """
    from sentinel.config.errors import ConfigError
    from sentinel.config.load import load

    try:
        return load(path)
    except ConfigError as error:
        raise Ended("\n".join(map(str, error.mistakes)), Exit.CONFIGURATION) from error
