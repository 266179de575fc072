"""``sentinel overload``: shown, switched on and off, each with a reason."""

from __future__ import annotations

import pytest


@pytest.mark.rule("SLA-11")
async def test_overload_is_shown_and_switched(reached):
    shown = await reached.run("overload")
    assert (shown.exit_code, shown.stdout) == (0, "Overload is off\nWaiting for somebody: 0\n")
    assert (await reached.run("overload", "on", "--by", "amina")).exit_code == 2
    done = await reached.run("overload", "on", "--why", "two sites at once", "--by", "amina")
    assert done.stdout.startswith("Overload is on since ")
    assert ", by amina: two sites at once\n" in done.stdout
    again = await reached.run("overload", "on", "--why", "x", "--by", "amina")
    assert (again.exit_code, again.stderr) == (1, "Overload is on already.\n")
    assert (await reached.json("overload"))["on"] is True
    assert (await reached.json("overload", "off", "--why", "over", "--by", "bruno"))["on"] is False
