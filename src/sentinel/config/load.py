"""The door to the configuration: one call reads, checks and builds it, or says all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sentinel.config.build import Setup, build
from sentinel.config.checks import Checker
from sentinel.config.errors import ConfigError, Mistake, Mistakes, Place
from sentinel.config.files import read_tree
from sentinel.config.references import References
from sentinel.config.sections import Config, Reader


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret that is used, and the first place that asks for it; never its value."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Loaded:
    """A good configuration, and what there is to say about it."""

    config: Config
    setup: Setup
    warnings: list[Mistake]
    files: list[Path]
    secrets_used: list[Reference]


def load(path: Path, *, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read a configuration file and what it includes; paths in messages are as given here.

    Raises:
        ConfigError: it cannot be used; all mistakes are told at once.
    """
    mistakes, warnings = Mistakes(), Mistakes()
    tree = read_tree(path, mistakes)
    references = References(environ, mistakes)
    if mistakes.fatal:
        # Half a file would only add mistakes that are none.
        raise ConfigError(mistakes.finish(tree.files, ()))
    config = Reader(tree.root, references, mistakes).read()
    Checker(config, mistakes, warnings).check()
    if mistakes:
        raise ConfigError(mistakes.finish(tree.files, references.values))
    return Loaded(
        config=config,
        setup=build(config, tree.digest, path.parent),
        warnings=warnings.finish(tree.files, references.values),
        files=[Path(file) for file in tree.files],
        secrets_used=[Reference(name, place) for name, place in references.places.items()],
    )
