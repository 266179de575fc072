"""What is configured and needs a package that is not installed: said before it is needed at night."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import cast

from sentinel.channels.base import ChannelKind
from sentinel.config.contract_checks import Fault
from sentinel.config.portal import AuthSection
from sentinel.config.sections import Config


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield what misses its extra here: channels will refuse every message, and nobody signs in at a provider."""
    for name, entry in config.channels.items():
        kind = cast(ChannelKind, entry.kind)
        if kind.extra and find_spec(kind.extra) is None:
            what = f"`{kind.name}` needs the extra `{kind.extra}`, which is not installed: it carries nothing"
            yield Fault(("channels", name, "type"), what, f"pip install 'sentinel-ops[{kind.extra}]'")
    if cast(AuthSection, config.single["auth"]).oidc is not None and find_spec("joserfc") is None:
        what = "`auth.oidc` needs the extra `oidc`, which is not installed: nobody signs in there"
        yield Fault(("auth", "oidc"), what, "pip install 'sentinel-ops[oidc]'")
