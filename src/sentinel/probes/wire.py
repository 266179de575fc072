"""A TCP connection as the probes need it: plain or TLS, upgraded on the way, read by lines, and gone when closed.

TLS runs over memory buffers and a bare socket: it works the same on asyncio and uvloop, an upgrade keeps the socket,
and a hung handshake holds a few KiB instead of a transport.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from types import TracebackType
from typing import Any, Self

from sentinel.probes.base import Failed

READ_BYTES = 16 * 1024
LINE_MAX_BYTES = 64 * 1024
LINES_MAX = 10_000
TOTAL_MAX_BYTES = 1024 * 1024
# What a handshake may take, certificates of 100 KiB twice over; and what may arrive encrypted for the total above.
HANDSHAKE_MAX_BYTES = 256 * 1024
ENCRYPTED_MAX_BYTES = 2 * TOTAL_MAX_BYTES
# Taking what is already here does not wait: after so many reads and lines the event loop gets its turn.
TAKES_A_TURN_MAX = 64


class Wire:
    """One connection; ``async`` callers own it and close it with ``with``.

    A line is at most 64 KiB, everything read at most 10,000 lines and 1 MiB, and a handshake at most 256 KiB; more is
    a failure, ``protocol``.
    """

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.name = name
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._held = bytearray()
        self._total_bytes = 0
        self._room_bytes = ENCRYPTED_MAX_BYTES
        self._takes = 0
        self._lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    async def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            Failed: ``connect`` the peer has gone.
        """
        try:
            if self._tls is None:
                await self._loop.sock_sendall(self._socket, data)
            else:
                self._tls.write(data)
                await self._flush()
        except OSError as error:
            raise self._gone(error) from error

    async def read_line(self) -> bytes | None:
        r"""Return the next line without its end (``\n`` or ``\r\n``), the rest at the end, None after the end.

        Raises:
            Failed: ``connect`` the connection broke, ``protocol`` too much came.
        """
        line = await self.read_until(b"\n")
        return None if line is None else line.removesuffix(b"\n").removesuffix(b"\r")

    async def read_until(self, end: bytes) -> bytes | None:
        """Return everything up to a byte and with it, the rest at the end, None after the end.

        Raises:
            Failed: ``connect`` the connection broke, ``protocol`` too much came.
        """
        self._lines += 1
        if self._lines > LINES_MAX:
            raise Failed("protocol", f"{self.name} sends more than {LINES_MAX} lines")
        await self._breathe()
        searched = 0
        while (found := self._held.find(end, searched)) < 0:
            searched = len(self._held)
            if searched > LINE_MAX_BYTES:
                raise Failed("protocol", f"{self.name} sends a line longer than {LINE_MAX_BYTES // 1024} KiB")
            if not await self._fill():
                return self._take(len(self._held)) or None
        return self._take(found + 1)

    async def read_exactly(self, count: int) -> bytes:
        """Return that many bytes, fewer only at the end.

        Raises:
            Failed: ``connect`` the connection broke, ``protocol`` too much came.
        """
        while len(self._held) < count and await self._fill():
            pass
        return self._take(min(count, len(self._held)))

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> ssl.SSLObject:
        """Shake hands as the client; an IP address as the name is checked against the certificate's addresses.

        Raises:
            Failed: ``protocol`` the peer sent something behind its agreement that an attacker may have put there, or
                a handshake without end.
            OSError: the handshake failed (``ssl.SSLError`` is one) or the connection broke.
        """
        if self._held:
            raise Failed("protocol", f"{self.name} goes on in the clear after it agreed to TLS")
        session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._room_bytes = HANDSHAKE_MAX_BYTES
        while True:
            try:
                session.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLError:
                await self._flush()  # The alert that tells the peer why.
                raise
            else:
                break
        await self._flush()
        self._room_bytes = ENCRYPTED_MAX_BYTES
        self._tls = session
        return session

    async def _fill(self) -> bool:
        """Take in what comes next; False at the end."""
        try:
            data = await self._receive()
        except OSError as error:
            raise self._gone(error) from error
        self._total_bytes += len(data)
        if self._total_bytes > TOTAL_MAX_BYTES:
            raise Failed("protocol", f"{self.name} sends more than {TOTAL_MAX_BYTES // 1024} KiB")
        self._held += data
        return bool(data)

    async def _receive(self) -> bytes:
        if self._tls is None:
            return await self._take_in()
        while True:
            try:
                return self._tls.read(READ_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()  # TLS 1.3 answers key updates.
                await self._feed()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    async def _feed(self) -> None:
        data = await self._take_in()
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise Failed("protocol", f"{self.name} sends TLS records without end")
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _take_in(self) -> bytes:
        await self._breathe()
        return await self._loop.sock_recv(self._socket, READ_BYTES)

    async def _breathe(self) -> None:
        """Let the others have their turn; who sends faster than we read would keep the loop to itself."""
        self._takes += 1
        if self._takes % TAKES_A_TURN_MAX == 0:
            await asyncio.sleep(0)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._loop.sock_sendall(self._socket, self._outgoing.read())

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken

    def _gone(self, error: OSError) -> Failed:
        return Failed("connect", f"{self.name} broke the connection: {error.strerror or error}")


def chain_of(session: ssl.SSLObject) -> list[bytes]:
    """Return the certificates the peer sent, in DER, the leaf first; only the leaf where Python cannot tell more."""
    # Public since Python 3.13; before, the C object behind the session has it.
    source: Any = session if hasattr(session, "get_unverified_chain") else getattr(session, "_sslobj", None)
    if hasattr(source, "get_unverified_chain"):
        found = source.get_unverified_chain() or ()
        return [each if isinstance(each, bytes) else each.public_bytes(DER) for each in found]
    leaf = session.getpeercert(binary_form=True)
    return [leaf] if leaf else []


DER = 2  # X509_FILETYPE_ASN1, which the ssl module does not name in public.
