"""The base of all sections of the file."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sentinel.config.quantities import read_whole

TEXT_MAX_CHARS: Final = 500


class Section(BaseModel):
    """The base of all that stands in the file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# The country whose public holidays count, or a region of it: `FR`, `FR-57`.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]

Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARS)]
LevelField = Annotated[Literal[1, 2, 3], BeforeValidator(read_whole)]
