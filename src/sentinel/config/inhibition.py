"""The section ``inhibit``: which failure explains which others, so that these raise no incident (rule SRC-8)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sentinel.config.base import Section
from sentinel.config.fields import OneOrMany, wrong
from sentinel.core.inhibition import Inhibit, Selector

# Labels that ask, with the patterns of which one is enough; `*` stands for anything.
Patterns = dict[Annotated[str, Field(min_length=1, max_length=256)], OneOrMany[str]]
STATE = "state"  # `when: {probe: web-ping, state: failing}` reads well; nothing else can explain anything.


class InhibitEntry(Section):
    """While something that matches ``when`` fails, what matches ``mute`` raises no incident of its own.

    Both must have the same values of the labels ``equal``. ``keep: annotate`` writes what is muted into the incident
    that explains it.
    """

    when: Patterns
    mute: Patterns
    equal: OneOrMany[str] = ()
    keep: Literal["annotate", "nothing"] = "annotate"

    @model_validator(mode="after")
    def _asks_for_something(self) -> InhibitEntry:
        if not self.when.keys() - {STATE}:
            raise wrong("`when` asks for nothing", "write `probe`, `service`, `alertname` or another label")
        if not self.mute:
            raise wrong("`mute` asks for nothing", "write `probe`, `service`, `alertname` or another label")
        if self.when.get(STATE, ("failing",)) != ("failing",) or self.mute.get(STATE, ("failing",)) != ("failing",):
            raise wrong("only what is failing explains or is explained", "write `state: failing`, or leave it out")
        return self


def inhibit_of(entry: InhibitEntry, number: int) -> Inhibit:
    """Return what an entry says to the judge."""
    return Inhibit(
        name=f"inhibit {number + 1}",
        when=_selector(entry.when),
        mute=_selector(entry.mute),
        equal=entry.equal,
        annotate=entry.keep == "annotate",
    )


def _selector(patterns: Patterns) -> Selector:
    return Selector(labels={label: values for label, values in patterns.items() if label != STATE})
