"""From the verdict to the carriers' yes: one critical incident at a time, by mail and by SMS, everything on disk."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import uvloop

from bench.figure import Figure, tell
from sentinel.config.load import load
from sentinel.core.model import Signal, Verdict
from sentinel.daemon import Daemon
from sentinel.engine.clock import SystemClock
from sentinel.engine.collecting import Collecting
from sentinel.store.opening import open_store
from tests.fakes.http_peer import HttpPeer
from tests.fakes.smtp_server import SmtpServer

INCIDENTS = 300
WARM_UP = 20
P50_LIMIT_MS = 50.0
P99_LIMIT_MS = 500.0
WAIT_MAX_S = 30.0


def configuration(gateway: HttpPeer, relay: SmtpServer) -> dict[str, object]:
    return {
        "people": {"amina": {"name": "Amina", "email": "amina@example.org", "mobile": "+33639980001"}},
        "channels": {
            "email": {
                "type": "smtp",
                "host": "127.0.0.1",
                "port": relay.port,
                "security": "none",
                "from": "sentinel@example.org",
            },
            "sms": {
                "type": "http-sms",
                "preset": "custom",
                "url": f"{gateway.url}/send",
                "json": {"to": "{mobile}", "text": "{text}", "ref": "{id}"},
                "expect": {"status": 200, "id": "id"},
            },
        },
        "escalations": {"on-call": [{"at": "0m", "to": ["amina"], "by": ["sms", "email"]}]},
        "services": {"campus": {"name": "Campus", "escalation": "on-call"}},
        "probes": {"contract": {"type": "expiry", "ends": "2099-01-01"}},
    }


@asynccontextmanager
async def daemon(folder: Path, config: dict[str, object]) -> AsyncIterator[Daemon]:
    path = folder / "probes.yaml"
    path.write_text(json.dumps(config))
    store, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    built = Daemon(path, load(path).setup, store, results, SystemClock())
    await built.start()
    tasks = [*built.begin(), asyncio.create_task(Collecting(built.dispatcher.at_rest).run())]  # As ``Daemon.run`` does.
    try:
        yield built
    finally:
        await built.stop(tasks)
        results.close()
        store.close()


async def page(built: Daemon, number: int, accepted: asyncio.Queue[str]) -> float:
    """Report a fault; return the milliseconds until both carriers have taken its page."""
    now = built.clock.now()
    title = f"fault {number}"
    signal = Signal(key=title, source="probe", title=title, at=now, since=now, service="campus", detail="HTTP 503")
    verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title=title, dedup=title)
    began = time.perf_counter()
    await built.desk.report(signal, verdict)
    async with asyncio.timeout(WAIT_MAX_S):
        taken = {await accepted.get(), await accepted.get()}
    assert taken == {"email", "sms"}
    return (time.perf_counter() - began) * 1e3


async def measure(folder: Path) -> list[float]:
    async with (
        HttpPeer(answer='{"id": "sms-1"}', headers={"Content-Type": "application/json"}) as gateway,
        SmtpServer() as relay,
        daemon(folder, configuration(gateway, relay)) as built,
    ):
        accepted: asyncio.Queue[str] = asyncio.Queue()
        ended = built.meters.ended

        def noted(channel: str, result: str, waited_s: float) -> None:
            ended(channel, result, waited_s)
            accepted.put_nowait(channel if result == "accepted" else result)

        built.meters.ended = noted  # type: ignore[method-assign]
        took = []
        for number in range(INCIDENTS + WARM_UP):
            took.append(await page(built, number, accepted))
            relay.envelopes.clear()  # The fake looks at all of them again at every connection.
            gateway.received.clear()
        return took[WARM_UP:]


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        took = uvloop.run(measure(folder))
    p99 = statistics.quantiles(took, n=100)[-1]
    conditions = (
        f"{INCIDENTS} incidents one by one, the fakes in the same process, SQLite FULL, worst {max(took):.0f} ms"
    )
    return tell(
        Figure("verdict to mail and SMS accepted, p50", statistics.median(took), P50_LIMIT_MS, "ms", conditions),
        Figure("verdict to mail and SMS accepted, p99", p99, P99_LIMIT_MS, "ms", conditions),
    )


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
