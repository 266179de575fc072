"""The mail service itself is down: nobody is told so by mail, and the mail follows when it works again (DSP-5)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.core import commands as c
from sentinel.core.pings import Said
from tests.engine.whole import HEARTBEAT, PEOPLE, whole
from tests.waiting import until

SITE = PEOPLE.replace("{name: Campus, escalation: on-call}", "{name: Campus, escalation: on-call, carries: [email]}")


@pytest.mark.rule("DSP-5")
async def test_nobody_is_told_by_mail_that_the_mail_is_down_and_the_mail_follows(tmp_path: Path) -> None:
    async with whole(tmp_path, SITE + HEARTBEAT) as one:
        await one.daemon.heard("backup", Said(kind="fail", body="the relay takes nothing"))
        await until(lambda: one.mailed(".txt"))
        await one.daemon.desk.drain()
        assert one.mailed(".eml") == []
        close_by = one.daemon.clock.now() + timedelta(days=1)
        await one.daemon.desk.order("INC-1", c.Resolve(by="bruno", text="restarted", close_by=close_by))
        await until(lambda: one.mailed(".eml"))
