"""Every option of every kind of channel is explained, with its default."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel import channels
from sentinel.channels.gateway import PRESETS
from sentinel.channels.sms_http import SmsOptions

PAGE = (Path(__file__).parents[2] / "docs" / "channels.md").read_text()


def section(kind: str) -> str:
    return PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("kind", sorted(channels.KINDS))
def test_every_option_is_explained(kind: str) -> None:
    fields = channels.kind(kind).options.model_fields
    missing = [name for key, field in fields.items() if f"`{(name := field.alias or key)}`" not in section(kind)]
    assert missing == []


def test_every_preset_is_explained() -> None:
    assert [name for name in PRESETS if f"| `{name}` |" not in section("http-sms")] == []
    assert set(PRESETS) | {"custom"} == set(SmsOptions.model_fields["preset"].annotation.__args__)  # type: ignore[union-attr]
