"""Real ticket systems pass the same contract as their stand-ins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.redmine import redmine
from tests.real.roundup import roundup
from tests.real.rt import rt
from tests.tickets.contract import TicketEssentials
from tests.tickets.redmine_rig import RedmineRig
from tests.tickets.roundup_rig import RoundupRig
from tests.tickets.rt_rig import RtRig


@pytest.fixture(scope="module")
def redmine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redmine(tmp_path_factory.mktemp("redmine")) as url:
        yield url


@pytest.mark.real("redmine", "puma")
class TestRedmine(TicketEssentials):
    @pytest.fixture
    def rig(self, redmine_url: str) -> RedmineRig:
        return RedmineRig(redmine_url)


@pytest.fixture(scope="module")
def rt_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    with rt(tmp_path_factory.mktemp("rt")) as made:
        yield made


@pytest.mark.real("rt-server")
class TestRequestTracker(TicketEssentials):
    @pytest.fixture
    def rig(self, rt_server: tuple[str, dict[str, str]]) -> RtRig:
        return RtRig(*rt_server)


@pytest.fixture(scope="module")
def roundup_url() -> Iterator[str]:
    with roundup() as url:
        yield url


@pytest.mark.real("roundup")
class TestRoundup(TicketEssentials):
    @pytest.fixture
    def rig(self, roundup_url: str) -> RoundupRig:
        return RoundupRig(roundup_url)
