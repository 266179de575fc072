"""The section ``support``: the backup support entry, a page by which people raise a level-3 incident (rule SRC-5)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.fields import OneOrMany, Positive, Secret, wrong

KEY_MIN_CHARS = 16


class SupportEntry(Section):
    """Where the page is (``/support/KEY``), about which services, how many reports an hour it takes.

    ``phone`` is shown to who cannot be served by it.
    """

    key: Secret | None = None
    services: OneOrMany[str] = ()
    phone: Text | None = None
    per_hour: Annotated[Positive, Field(le=1000)] = 20

    @model_validator(mode="after")
    def _is_secret(self) -> SupportEntry:
        if self.key is None and (self.services or self.phone):
            raise wrong("`key` is missing", "write `key: ${cred:support_key}`; take one from `uuidgen`")
        if self.key is not None and len(self.key.reveal()) < KEY_MIN_CHARS:
            raise wrong(f"the key is shorter than {KEY_MIN_CHARS} characters", "take one from `uuidgen`")
        return self
