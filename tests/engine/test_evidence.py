"""Pictures of failures: few, small, the oldest forgotten, and nothing else ever read or deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.engine import evidence
from sentinel.engine.evidence import OF_ONE_PROBE_MAX, PICTURE_MAX_BYTES, PNG, Evidence

AT = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
PICTURE = PNG + b"picture"


def later(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def test_a_picture_is_kept_for_its_probe_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    kept = Evidence(tmp_path / "evidence")
    name = kept.keep("campus", AT, PICTURE)
    assert [(one.name, one.taken_at) for one in kept.of("campus")] == [(name, AT)]
    assert (kept.read(name), kept.of("camp")) == (PICTURE, [])
    assert (tmp_path / "evidence" / name).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "evidence").stat().st_mode & 0o777 == 0o700


def test_probes_whose_names_look_alike_are_told_apart(tmp_path: Path) -> None:
    kept = Evidence(tmp_path)
    for probe in ("a.b", "a-b", "élan", "../../etc/passwd", "x" * 64):
        name = kept.keep(probe, AT, PICTURE)
        assert [one.name for one in kept.of(probe)] == [name]
        assert (tmp_path / name).parent == tmp_path


def test_the_oldest_of_a_probe_is_forgotten(tmp_path: Path) -> None:
    kept = Evidence(tmp_path)
    names = [kept.keep("campus", later(number), PICTURE) for number in range(OF_ONE_PROBE_MAX + 2)]
    other = kept.keep("moodle", AT, PICTURE)
    assert [one.name for one in kept.of("campus")] == names[:1:-1]
    assert kept.read(other) == PICTURE
    assert kept.read(names[0]) is None


def test_all_together_are_bounded_in_number_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "PICTURES_MAX", 10)
    kept = Evidence(tmp_path)
    for number in range(15):
        kept.keep(f"probe{number}", later(number), PICTURE)
    assert sum(bool(kept.of(f"probe{number}")) for number in range(15)) == 10
    monkeypatch.setattr(evidence, "TOTAL_MAX_BYTES", 3 * len(PICTURE))
    kept.keep("last", later(99), PICTURE)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("picture", [b"", b"<html>", PNG + b"x" * PICTURE_MAX_BYTES])
def test_what_is_no_picture_is_not_kept(tmp_path: Path, picture: bytes) -> None:
    assert (Evidence(tmp_path).keep("campus", AT, picture), list(tmp_path.iterdir())) == ("", [])


def test_a_disk_that_refuses_costs_the_picture_only(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("in the way")
    kept = Evidence(tmp_path / "evidence")
    assert (kept.keep("campus", AT, PICTURE), kept.of("campus")) == ("", [])


@pytest.mark.parametrize("name", ["../state.db", "/etc/passwd", "sentinel.db", "", "a.png", "x-00000000.1.2.png\n"])
def test_nothing_else_in_the_folder_is_read_or_deleted(tmp_path: Path, name: str) -> None:
    (tmp_path / "sentinel.db").write_text("state")
    kept = Evidence(tmp_path)
    for number in range(OF_ONE_PROBE_MAX + 1):
        kept.keep("campus", later(number), PICTURE)
    assert kept.read(name) is None
    assert (tmp_path / "sentinel.db").read_text() == "state"
