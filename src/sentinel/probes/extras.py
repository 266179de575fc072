"""What a kind needs beyond the package itself: said when a configuration is read, and not at night."""

from __future__ import annotations

import importlib

from sentinel.config.fields import wrong


def require(module: str, extra: str, what: str) -> None:
    """See to it that a module can be imported, by importing it: what is installed in part is of no use either.

    Raises:
        PydanticCustomError: it cannot; the text says what installs it.
    """
    try:
        importlib.import_module(module)
    except ImportError:
        raise wrong(
            f"{what} needs the extra `{extra}`, which is not installed", f"pip install 'sentinel-ops[{extra}]'"
        ) from None
