"""Every ticket back-end passes the contract against its stand-in; the real servers are in tests/real."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.tickets.contract import BrokenContract, Rig, StandInContract
from tests.tickets.rigs_a import RIGS as RIGS_A
from tests.tickets.rigs_b import RIGS as RIGS_B
from tests.tickets.roundup_rig import RoundupRig
from tests.tickets.rt_rig import RtRig

RIGS = {**RIGS_A, **RIGS_B}


class TestStandIns(StandInContract):
    @pytest.fixture(params=sorted(RIGS))
    async def rig(self, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
        async with RIGS[request.param]() as made:
            yield made


class TestBrokenServers(BrokenContract):
    """Of those that have no stand-in: the real ones are asked for the rest."""

    @pytest.fixture(params=["roundup", "rt"])
    def rig(self, request: pytest.FixtureRequest) -> Rig:
        nobody = "http://127.0.0.1:1"
        return (
            RoundupRig(nobody) if request.param == "roundup" else RtRig(nobody, {"sentinel": "1-1-a", "amina": "1-2-b"})
        )
