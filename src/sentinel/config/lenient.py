"""What can still be read of a configuration with mistakes: who is told when that is why Sentinel does not run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from sentinel.config.errors import Mistakes
from sentinel.config.files import read_tree
from sentinel.config.model import Site
from sentinel.config.references import References
from sentinel.config.sections import Reader
from sentinel.config.watchdog import Watchdog


def read_watchdog(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Site, Watchdog] | None:
    """Return the site and the section ``watchdog``, whatever is wrong elsewhere; nothing when it is no YAML."""
    mistakes = Mistakes()
    tree = read_tree(path, mistakes)
    if mistakes.fatal:
        return None
    config = Reader(tree.root, References(environ, mistakes), mistakes).read()
    return config.site, cast(Watchdog, config.single["watchdog"])
