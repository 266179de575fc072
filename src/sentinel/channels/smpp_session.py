"""One connection to an SMS centre, bound as a transceiver: requests and their answers, and what the centre sends."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from sentinel.channels import addresses
from sentinel.channels import smpp_pdu as pdu
from sentinel.channels.base import Undelivered
from sentinel.channels.smpp_pdu import Malformed, Pdu, Sms
from sentinel.probes.base import Failed
from sentinel.probes.net import TargetPolicy

WINDOW: Final = 10  # Requests that may wait for their answers at once, as most centres allow.
HANDLED_MAX: Final = 50  # What the centre sent and has not been answered yet; what comes then is to come again.
UNBIND_MAX_S: Final = 1.0
SEQUENCE_MAX: Final = 0x7FFFFFFF

Take = Callable[[Sms], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Line:
    """Where a centre is, and how it knows us."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str
    tls: ssl.SSLContext | None
    policy: TargetPolicy
    timeout_s: float
    keepalive_s: float


class Broken(Exception):  # noqa: N818  normal business
    """The connection is gone; whoever waited for an answer does not know whether it was taken."""


class Session:
    """A bound connection. ``take`` is given each SMS that the centre delivers, and says the status to answer with."""

    def __init__(self, line: Line, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], take: Take) -> None:
        self._line = line
        self._reader, self._writer = streams
        self._take = take
        self._numbers = itertools.cycle(range(1, SEQUENCE_MAX))
        self._asked: dict[int, asyncio.Future[Pdu]] = {}
        self._window = asyncio.Semaphore(WINDOW)
        self._handling: set[asyncio.Task[None]] = set()
        self._heard = asyncio.Event()
        self.ended = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def alive(self) -> bool:
        """Whether something may still be sent."""
        return not self.ended.is_set()

    async def begin(self) -> None:
        """Bind, and keep the line from now on.

        Raises:
            Undelivered: the centre refuses, ``permanent`` where only people can mend that.
            Broken: the connection ended.
        """
        self._tasks.append(asyncio.create_task(self._read()))
        line = self._line
        answer = await self.ask(pdu.BIND_TRANSCEIVER, pdu.bind(line.system_id, line.password, line.system_type))
        if answer.status != pdu.OK:
            why = f"{line.host} refuses the bind: {pdu.said(answer.status)}"
            raise Undelivered(why, permanent=answer.status in pdu.BIND_REFUSED)
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def ask(self, command: int, body: bytes = b"") -> Pdu:
        """Send a request, and return its answer.

        Raises:
            Broken: the connection ended before it came.
        """
        async with self._window:
            if not self.alive:
                raise Broken
            number = next(self._numbers)
            answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
            self._asked[number] = answer
            try:
                await self._write(Pdu(command, sequence=number, body=body))
                return await answer
            finally:
                del self._asked[number]

    async def close(self) -> None:
        """Say good-bye, for a second at most, and let go of the connection."""
        if self.alive:
            with suppress(Broken, TimeoutError):
                async with asyncio.timeout(UNBIND_MAX_S):
                    await self.ask(pdu.UNBIND)
        self._end()
        tasks = [*self._tasks, *self._handling]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, one: Pdu) -> None:
        if not self.alive:
            raise Broken
        try:
            self._writer.write(one.written())
            await self._writer.drain()
        except OSError as error:
            self._end()
            raise Broken from error

    async def _read(self) -> None:
        try:
            while True:
                more, one = pdu.length_of(await self._reader.readexactly(pdu.HEADER.size))
                body = await self._reader.readexactly(more) if more else b""
                self._heard.set()
                if one.command & pdu.ANSWER:
                    self._answered(Pdu(one.command, one.status, one.sequence, body))
                elif not await self._requested(Pdu(one.command, one.status, one.sequence, body)):
                    return
        except (OSError, EOFError, Malformed, Broken):  # IncompleteReadError is an EOFError.
            return
        finally:
            self._end()

    def _answered(self, answer: Pdu) -> None:
        waiting = self._asked.get(answer.sequence)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    async def _requested(self, request: Pdu) -> bool:
        """Answer a request of the centre; tell whether the line goes on."""
        if request.command == pdu.DELIVER_SM:
            if len(self._handling) >= HANDLED_MAX:
                await self._write(request.answer(pdu.QUEUE_FULL, b"\0"))
                return True
            # Beside reading: what it waits for, an answer to a message of ours, may stand behind it on the line.
            task = asyncio.create_task(self._deliver(request))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
        elif request.command in {pdu.ENQUIRE_LINK, pdu.UNBIND}:
            await self._write(request.answer())
        else:
            await self._write(Pdu(pdu.GENERIC_NACK, pdu.INVALID_COMMAND, request.sequence))
        return request.command != pdu.UNBIND

    async def _deliver(self, request: Pdu) -> None:
        try:
            status = await self._take(pdu.delivered(request.body))
        except Malformed:
            status = pdu.INVALID_COMMAND
        with suppress(Broken):
            await self._write(request.answer(status, b"\0"))

    async def _keep_alive(self) -> None:
        """Ask whether the centre is there whenever it has been silent for a while; without an answer, end."""
        while self.alive:
            self._heard.clear()
            try:
                async with asyncio.timeout(self._line.keepalive_s):
                    await self._heard.wait()
                continue
            except TimeoutError:
                pass
            try:
                async with asyncio.timeout(self._line.timeout_s):
                    await self.ask(pdu.ENQUIRE_LINK)
            except (Broken, TimeoutError):
                self._end()

    def _end(self) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        # At once: closing TLS by the book would wait for a side that may be gone.
        self._writer.transport.abort()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(Broken())


async def connect(line: Line, take: Take) -> Session:
    """Connect and bind.

    Raises:
        Undelivered: nobody is there, they are not to be trusted, or they refuse us.
    """
    session: Session | None = None
    try:
        async with asyncio.timeout(line.timeout_s):
            session = Session(line, await _open(line), take)
            await session.begin()
            return session
    except (OSError, Broken) as error:  # TimeoutError and SSLError are OSErrors.
        await _drop(session)
        bad = isinstance(error, ssl.SSLCertVerificationError | _Denied)
        said = str(error) or ("it hangs up" if isinstance(error, Broken) else "no answer in time")
        raise Undelivered(f"{line.host} cannot be reached: {said}", permanent=bad) from error
    except BaseException:
        await _drop(session)
        raise


class _Denied(OSError):  # noqa: N818  a verdict
    """The target policy does not let this address be spoken to."""


async def _open(line: Line) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connected = await addresses.connect(line.host, line.port)
    try:
        line.policy.check(ip_address(str(connected.getpeername()[0]).partition("%")[0]))
        name = line.host if line.tls else None
        return await asyncio.open_connection(sock=connected, ssl=line.tls, server_hostname=name)
    except Failed as denied:
        connected.close()
        raise _Denied(denied.detail) from denied
    except BaseException:
        connected.close()
        raise


async def _drop(session: Session | None) -> None:
    if session is not None:
        session._end()
        await session.close()
