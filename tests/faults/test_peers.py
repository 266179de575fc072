"""Three real daemons that watch each other: one is killed, one is stopped, and the third says so, once each."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.faults.daemon import Launcher, Site, site

LATE_MAX_S = 60.0
KEY = "d4a2e0aa-0000-4000-8000-0000000000"


def watching(one: Site, others: dict[str, Site], keys: dict[str, str]) -> None:
    """Let a site look at the others, call them by their keys, and have its canary come back by a webhook."""
    one.folder.joinpath("key-hook").write_text(f"http://127.0.0.1:{one.port}/hooks/canary")
    peers, places = {}, {}
    for name, other in others.items():
        (one.folder / f"key-{name}").write_text(keys[name])
        (one.folder / f"url-{name}").write_text(f"http://127.0.0.1:{other.port}/ping/{KEY}99")
        peers[name] = {"url": f"http://127.0.0.1:{other.port}", "every": "1s", "silent_for": "8s"}
        peers[name]["key"] = f"${{file:key-{name}}}"
        places[name] = {"url": f"${{file:url-{name}}}"}
    one.config["channels"]["hook"] = {"type": "webhook", "url": "${file:key-hook}"}
    one.config["watchdog"] = {
        "self_alert": {"to": ["alice"], "by": ["sms"]},
        "alive_every": "10s",
        "alive": places,
        "peers": peers,
        "canary": {"every": "5m", "within": "1m", "by": "hook", "back": "webhook"},
    }


def texts(one: Site) -> list[str]:
    return [text["text"] for text in one.gateway.texts]


def metric(one: Site, name: str) -> float:
    page = one.call("/metrics")[1].splitlines()
    return next((float(line.rpartition(" ")[2]) for line in page if line.startswith(f"{name} ")), float("nan"))


@pytest.mark.fault(60)
async def test_who_is_killed_and_who_is_stopped_is_told_once_each_by_the_one_that_is_left(
    tmp_path: Path, launcher: Launcher
) -> None:
    folders = [tmp_path / name for name in ("paris", "lyon", "metz")]
    for folder in folders:
        folder.mkdir(mode=0o700)
    async with (
        site(folders[0], launcher) as paris,
        site(folders[1], launcher) as lyon,
        site(folders[2], launcher) as metz,
    ):
        watching(paris, {"lyon": lyon, "metz": metz}, {"lyon": f"{KEY}01", "metz": f"{KEY}02"})
        for other in (lyon, metz):
            watching(other, {"paris": paris}, {"paris": f"{KEY}99"})
        # Three that start at once on a busy machine are late, and say that of each other.
        await asyncio.gather(*(one.start(late_max_s=LATE_MAX_S) for one in (paris, lyon, metz)))
        await paris.until(lambda: metric(paris, 'sentinel_peer_up{peer="lyon"}') == 1, "a first look")
        await paris.until(lambda: metric(paris, 'sentinel_canaries_total{result="back"}') >= 1, "the canary")
        await lyon.until(
            lambda: metric(lyon, 'sentinel_alive_pings_total{result="failed"}') >= 1, "a call by a key that is wrong"
        )
        assert texts(paris) == texts(lyon) == texts(metz) == []
        lyon.signal(signal.SIGKILL)
        metz.signal(signal.SIGSTOP)
        try:
            await paris.until(lambda: len(texts(paris)) >= 2, "both are missed")
        finally:
            metz.signal(signal.SIGCONT)
        assert len(texts(paris)) == 2
        assert {name for name in ("lyon", "metz") for text in texts(paris) if name in text} == {"lyon", "metz"}
        assert metric(paris, 'sentinel_peer_up{peer="metz"}') == 0
        assert len(paris.numbers()) == 2
        assert texts(metz) == [], "who stood still does not say that the other was silent"
        await paris.stop()
        await metz.stop()
