"""The host gets other rules for a time zone while Sentinel runs, as packages bring them: a reload takes them."""

from __future__ import annotations

import shutil
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sentinel.core.business import business_time
from tests import virtual
from tests.core.calendars import calendar
from tests.engine.whole import HEARTBEAT, PEOPLE, whole

MIDNIGHT = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)


@pytest.fixture
def zones(tmp_path: Path) -> Iterator[Path]:
    """A folder of rules in the place of the host's."""
    paths = zoneinfo.TZPATH
    host = next(Path(folder) for folder in paths if (Path(folder) / "Europe/Paris").is_file())
    folder = tmp_path / "zoneinfo"
    shutil.copytree(host / "Europe", folder / "Europe")
    shutil.copytree(host / "America", folder / "America")
    shutil.copy(host / "UTC", folder / "UTC")
    zoneinfo.reset_tzpath([str(folder)])
    forget()
    yield folder
    zoneinfo.reset_tzpath(paths)
    forget()


def forget() -> None:
    ZoneInfo.clear_cache()
    business_time.cache_clear()


@pytest.mark.fault(54)
@pytest.mark.rule("CAL-4")
def test_other_rules_of_a_time_zone_hold_from_the_next_reload_on(tmp_path: Path, zones: Path):
    async def story() -> None:
        async with whole(tmp_path, HEARTBEAT + PEOPLE) as one:
            office = calendar("09:00-19:00")
            opens_at = business_time(office).opening(MIDNIGHT)
            assert opens_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
            replacement = zones / "Europe" / "Paris.new"
            shutil.copy(zones / "America" / "New_York", replacement)
            replacement.rename(zones / "Europe" / "Paris")
            assert business_time(office).opening(MIDNIGHT) == opens_at, "nothing changes in the middle of a day"
            assert (await one.daemon.reload()).done
            assert business_time(office).opening(MIDNIGHT) == datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
            zone = ZoneInfo("Europe/Paris")
            assert (await one.daemon.reload()).done
            assert ZoneInfo("Europe/Paris") is zone, "the same rules are not read again"

    virtual.run(story())
