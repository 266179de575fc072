"""The tcp probe: connect, go on in TLS when asked, hold a conversation by lines."""

from __future__ import annotations

import time
from socket import socket

from sentinel.probes.base import ProbeKind, Sight
from sentinel.probes.conversation import TALK_REASONS, Talk, TalkOptions
from sentinel.probes.duration import check_duration
from sentinel.probes.net import IPAddress, open_socket
from sentinel.probes.targets import PortOptions, endpoint
from sentinel.probes.wire import Wire


class TcpOptions(PortOptions, TalkOptions):
    """The options of the tcp probe."""

    source_ip_address: IPAddress | None = None


async def run(options: TcpOptions, sight: Sight) -> None:
    """Connect, and do what the options ask for on the connection. The caller sets the time limit.

    Raises:
        Failed: see ``REASONS``.
    """
    begun = time.perf_counter()
    target = endpoint(sight.target)
    address = await options.find(sight, target.host)

    async def connect() -> socket:
        return await open_socket(sight, address, target.port, options.source_ip_address)

    connection = await connect()
    sight.gauge("probe_failed_due_to_regex", 0)
    sight.gauge("probe_failed_due_to_bytes", 0)
    sight.fact(lambda: f"connected to {address} port {target.port}")
    if not (options.encrypts or options.conversation):
        connection.close()
    else:
        with Wire(connection, sight.target) as wire:
            await Talk(options, sight, target.host, connect).hold(wire)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


REASONS = TALK_REASONS | {"dns", "denied", "timeout", "max_duration"}

KIND = ProbeKind("tcp", TcpOptions, run, REASONS)
