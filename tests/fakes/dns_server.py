"""A DNS server on 127.0.0.1, UDP and TCP on one port, that answers well or badly as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.fakes.tcp_peer import ended

# From the question to the datagrams to send back, and whether they go over UDP.
Answerer: TypeAlias = Callable[[dns.message.Message, bool], list[bytes]]


def records(
    *lines: str, rcode: str = "NOERROR", authority: tuple[str, ...] = (), authoritative: bool = False
) -> Answerer:
    """Answer with records, each written ``name ttl class type value``."""

    def answer(question: dns.message.Message, _udp: bool) -> list[bytes]:
        reply = dns.message.make_response(question)
        reply.set_rcode(dns.rcode.from_text(rcode))
        if authoritative:
            reply.flags |= dns.flags.AA
        reply.answer = [_rrset(line) for line in lines]
        reply.authority = [_rrset(line) for line in authority]
        return [reply.to_wire(max_size=65535)]

    return answer


def _rrset(line: str) -> dns.rrset.RRset:
    name, ttl, of_class, kind, value = line.split(None, 4)
    return dns.rrset.from_text(name, int(ttl), of_class, kind, value)


def silent(_question: dns.message.Message, _udp: bool) -> list[bytes]:
    """Never answer."""
    return []


@dataclass
class DnsServer:
    """Keeps every question, and over which transport it came."""

    answer: Answerer = silent
    tls: ssl.SSLContext | None = None
    questions: list[tuple[str, dns.message.Message]] = field(default_factory=list)
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Udp(self), local_addr=("127.0.0.1", self.port)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._udp.close()
        await ended(self._server, self._tasks)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def respond(self, data: bytes, transport: str) -> list[bytes]:
        question = dns.message.from_wire(data)
        self.questions.append((transport, question))
        return self.answer(question, transport == "udp")

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        # Not in the task: one that is cancelled before its first step never gets to its `finally`.
        task.add_done_callback(lambda done: self._hang_up(done, writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            size = int.from_bytes(await reader.readexactly(2), "big")
            for reply in self.respond(await reader.readexactly(size), "tcp"):
                writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
            await reader.read()

    def _hang_up(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        if writer.get_extra_info("ssl_object"):
            writer.transport.abort()  # A farewell in TLS would wait for an answer that may never come.
        else:
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for reply in self._server.respond(data, "udp"):
            self._transport.sendto(reply, addr)
