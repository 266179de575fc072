"""Programs that print for ever, or drip, or hold on: the exec probe keeps within the bounds as the others do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.probes import exec as program
from tests.hostile.bounds import SHORT_S, Bounded, meet


@pytest.mark.parametrize("line", ["y", "", "OK | a=1", "x" * 4000])
async def test_output_without_end_is_cut(line: str) -> None:
    seen = await meet(program.KIND, run=["/usr/bin/yes", line])
    assert (seen.reason, seen.detail) == ("output", "the program prints more than 1024 KiB")


async def test_performance_data_without_end_is_read_in_bounds(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\nprintf 'OK |'\nseq -s ' ' -f \"'a'=%gs;;;0\" 1 3000\n")
    plugin.chmod(0o755)
    seen = await meet(program.KIND, run=[str(plugin)])
    assert (seen.reason, seen.sight.value) == ("", 1.0)


async def test_who_drips_meets_the_time_limit(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\nwhile :; do printf .; sleep 0.02; done\n")
    plugin.chmod(0o755)
    seen = await Bounded(SHORT_S).at(program.KIND, {"run": [str(plugin)]})
    assert seen.reason == "timeout"
