"""A probe of ourselves: a listener that greets on 127.0.0.1, looked at by the real prober (a part of the self-test)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from sentinel import probes
from sentinel.engine.prober import Prober
from sentinel.probes.plan import Confirm, ProbePlan

NAME = "self-test"
GREETING = b"sentinel lives\r\n"
LIMIT_S = 5.0


async def look(prober: Callable[[], Prober]) -> str:
    """Return what is wrong with probing; empty when it works. A policy that denies the address works too.

    Raises:
        OSError: not even a listener can be opened.
    """
    server = await asyncio.start_server(_greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        target = f"127.0.0.1:{port}"
        kind = probes.kind("tcp")
        options = kind.options.model_validate({"target": target, "expect": {"receive": "^sentinel lives"}})
        plan = ProbePlan(
            name=NAME,
            type=kind.name,
            options=options,
            targets=(target,),
            interval_s=LIMIT_S,
            timeout_s=LIMIT_S,
            fingerprint=NAME,
            confirm=Confirm(attempts=0),
        )
        outcome = await prober().run(plan, target, confirm=False)
    result = outcome.result
    return "" if result.ok or result.reason == "denied" else f"a probe of ourselves fails: {result.detail}"


async def _greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.write(GREETING)
        await writer.drain()
    writer.close()
