"""The base of all sections of the file."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sentinel.config.quantities import read_whole

TEXT_MAX_CHARS: Final = 500


class Section(BaseModel):
    """The base of all that stands in the file: unknown keys are refused, values never change."""

    # What reads a section is built when the first one is read: most files have a few of them only.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def defaults(cls) -> Self:
        """Return the section as it is when nothing of it is written, without building what reads it."""
        return cast(Self, cls.model_construct())


# The country whose public holidays count, or a region of it: `FR`, `FR-57`.
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]

Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARS)]
LevelField = Annotated[Literal[1, 2, 3], BeforeValidator(read_whole)]
