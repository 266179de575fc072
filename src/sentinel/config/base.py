"""The base of all sections of the file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """The base of all that stands in the file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# The country whose public holidays count, or a region of it: `FR`, `FR-57`.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
