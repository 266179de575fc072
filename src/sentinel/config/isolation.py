"""The section ``isolation``: how Sentinel knows that it is itself cut off (rule SRC-9)."""

from __future__ import annotations

from pydantic import model_validator

from sentinel.config.base import Section
from sentinel.config.fields import OneOrMany, Positive, wrong


class IsolationRules(Section):
    """The probes that are canaries, and how many of them must fail; all of them unless told."""

    canaries: OneOrMany[str] = ()
    need: Positive | None = None

    @model_validator(mode="after")
    def _can_be_met(self) -> IsolationRules:
        if self.need is not None and self.need > len(self.canaries):
            raise wrong(f"`need` is {self.need}, and there are {len(self.canaries)} canaries")
        return self
