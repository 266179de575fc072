"""From where a probe looks: there is one place until there are agents."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from sentinel.config.fields import OneOrMany
from sentinel.config.words import quoted, wrong

LOCAL: Final = "local"


def read_site(value: Any) -> Any:
    """Read the name of a place: only this machine is one."""
    if value != LOCAL:
        raise wrong(f"{quoted(value)} is no place to look from: there are no remote agents yet", f"write `{LOCAL}`")
    return value


From = Annotated[OneOrMany[Annotated[str, BeforeValidator(read_site)]], Field(min_length=1)]
