"""A probe of ourselves: a listener that greets on 127.0.0.1, looked at by the real prober (a part of the self-test)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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
    with _greeter() as target:
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


@contextmanager
def _greeter() -> Iterator[str]:
    """Greet whoever connects to the address that is given.

    An asyncio server that is closed while it accepts loses the connection's socket: a self-test given up would leak it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, _greet, listener)
        try:
            yield "{}:{}".format(*listener.getsockname())
        finally:
            loop.remove_reader(listener)


def _greet(listener: socket.socket) -> None:
    with suppress(OSError):
        connection, _ = listener.accept()
        with connection:
            connection.sendall(GREETING)  # So short a line finds room in a new connection, and waits for nobody.
