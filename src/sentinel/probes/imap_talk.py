"""A conversation with an IMAP server (RFC 3501) on a wire: sign in, open a folder, search, fetch, delete."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import Final

from sentinel.probes.base import Failed, Sight
from sentinel.probes.hiding import hide
from sentinel.probes.patience import Patience
from sentinel.probes.said import clean
from sentinel.probes.wire import Wire

LINES_MAX = 1000  # Of the answer to one command.
LITERAL_MAX_BYTES = 256 * 1024
QUOTE_MAX_CHARS = 120
LITERAL: Final = re.compile(rb"\{([0-9]{1,10})\}$")
EXISTS: Final = re.compile(rb"\* ([0-9]{1,10}) EXISTS", re.IGNORECASE)
NOT_PRINTABLE: Final = re.compile(r"[^ -~]+")


class ImapTalk:
    """Says one command at a time; every failure names what was asked, never a password."""

    def __init__(self, wire: Wire, sight: Sight, patience: Patience) -> None:
        self._wire = wire
        self._sight = sight
        self._patience = patience
        self._count = 0
        self._secrets: tuple[str, ...] = ()

    async def greeting(self) -> str:
        """Return what the server says first.

        Raises:
            Failed: ``protocol`` it is no greeting, or the server is not willing.
        """
        text = self._shown(await self._line("the connection"))
        self._sight.fact(f"received {text}")
        if not re.match(r"\* (OK|PREAUTH)\b", text, re.IGNORECASE):
            raise Failed("protocol", f"{self._wire.name} greets with “{text}”")
        return text

    async def capabilities(self) -> frozenset[str]:
        """Return what the server can do, in capitals; ask again after TLS and after the sign-in.

        Raises:
            Failed: ``protocol``.
        """
        lines = await self.say("CAPABILITY")
        words = (line.decode("ascii", "replace").upper().split() for line in lines)
        return frozenset(word for found in words if found[1:2] == ["CAPABILITY"] for word in found[2:])

    async def sign_in(self, username: str, password: str, offers: frozenset[str]) -> None:
        """Sign in by AUTHENTICATE PLAIN, or by LOGIN where that is not offered.

        Raises:
            Failed: ``auth`` the server refuses, or offers neither.
        """
        self._secrets = (password, quoted(password)[1:-1])
        if "AUTH=PLAIN" in offers:
            pair = base64.b64encode(f"\0{username}\0{password}".encode()).decode("ascii")
            self._secrets += (pair,)
            await self.say("AUTHENTICATE PLAIN", "auth", more=pair)
        elif "LOGINDISABLED" not in offers and f"{username}{password}".isascii():
            await self.say(f"LOGIN {quoted(username)} {quoted(password)}", "auth")
        else:
            raise Failed("auth", f"{self._wire.name} offers neither AUTHENTICATE PLAIN nor LOGIN")

    async def open(self, folder: str, *, to_change: bool = False) -> int:
        """Open a folder and return how many messages are in it; nothing changes unless it is meant to.

        Raises:
            Failed: ``folder`` there is none of that name, or it is not for us.
        """
        lines = await self.say(f"{'SELECT' if to_change else 'EXAMINE'} {quoted(encoded(folder))}", "folder")
        counts = [int(found[1]) for line in lines if (found := EXISTS.match(line))]
        if not counts:
            raise Failed("protocol", f"{self._wire.name} does not say how many messages are in {folder}")
        return counts[-1]

    async def search(self, criteria: str) -> list[str]:
        """Return the names (UIDs) of the messages that fit.

        Raises:
            Failed: ``search`` the server does not understand, or refuses.
        """
        lines = await self.say(f"UID SEARCH {criteria}", "search")
        words = (line.decode("ascii", "replace").split() for line in lines)
        return [name for found in words if found[1:2] == ["SEARCH"] for name in found[2:] if name.isdigit()]

    async def fetch(self, name: str, size_max_bytes: int) -> bytes:
        """Return the beginning of a message, which stays unseen.

        Raises:
            Failed: ``protocol``.
        """
        return b"\n".join(await self.say(f"UID FETCH {name} (BODY.PEEK[]<0.{size_max_bytes}>)"))

    async def delete(self, names: list[str], offers: frozenset[str]) -> None:
        """Delete messages: these only, which without UIDPLUS leaves them there, marked as deleted.

        Raises:
            Failed: ``protocol``.
        """
        await self.say(f"UID STORE {','.join(names)} +FLAGS.SILENT (\\Deleted)")
        if "UIDPLUS" in offers:
            await self.say(f"UID EXPUNGE {','.join(names)}")

    async def leave(self) -> None:
        """Take leave; everything has been seen by then, and some servers hang up without a word."""
        with contextlib.suppress(Failed):
            await self.say("LOGOUT")

    async def say(self, command: str, reason: str = "protocol", *, more: str = "") -> list[bytes]:
        """Say a command, with ``more`` when the server asks for it, and return the lines before its good end.

        Raises:
            Failed: ``reason`` it has no good end; ``protocol`` the answer is none.
        """
        self._count += 1
        tag, asked = f"s{self._count}", " ".join(command.split()[: 2 if command.startswith("UID ") else 1])
        await self._wire.write(f"{tag} {command}\r\n".encode())
        lines: list[bytes] = []
        while len(lines) < LINES_MAX:
            line = await self._line(asked)
            if line.startswith(b"+") and more:
                await self._wire.write(f"{more}\r\n".encode())
                more = ""
            elif line.startswith(f"{tag} ".encode()):
                self._check(line, asked, reason)
                return lines
            elif line[:5].upper() == b"* BYE" and asked != "LOGOUT":
                raise Failed("protocol", f"{self._wire.name} answers “{self._shown(line)}” to {asked}")
            else:
                lines.append(line)
        raise Failed("protocol", f"{self._wire.name} answers {asked} with more than {LINES_MAX} lines")

    def _check(self, line: bytes, asked: str, reason: str) -> None:
        self._sight.fact(f"{asked}: {self._shown(line)}")
        if line.split(b" ")[1][:3].strip().upper() != b"OK":
            raise Failed(reason, f"{self._wire.name} answers “{self._shown(line)}” to {asked}")

    def _shown(self, line: bytes) -> str:
        """Return a line as it may be shown: a server that repeats the password must not make us do so."""
        return clean(hide(line.decode("utf-8", "replace"), self._secrets), QUOTE_MAX_CHARS)

    async def _line(self, asked: str) -> bytes:
        """Return the next line, with the blocks of text that it announces by their length."""
        self._patience.waiting_for = f"the answer to {asked}"
        whole = b""
        while True:
            line = await self._wire.read_line()
            if line is None:
                raise Failed("protocol", f"{self._wire.name} hangs up on {asked}")
            whole += line
            announced = LITERAL.search(line)
            if announced is None:
                return whole
            size = int(announced[1])
            if len(whole) + size > LITERAL_MAX_BYTES:
                raise Failed(
                    "protocol", f"{self._wire.name} answers {asked} with more than {LITERAL_MAX_BYTES >> 10} KiB"
                )
            whole += b"\n" + await self._wire.read_exactly(size)


def quoted(text: str) -> str:
    """Write a text as IMAP quotes it; it must hold no line end."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def encoded(folder: str) -> str:
    """Write the name of a folder as IMAP does (RFC 3501, section 5.1.3): `Envoyés` is `Envoy&AOk-s`."""

    def shift(found: re.Match[str]) -> str:
        raw = base64.b64encode(found[0].encode("utf-16-be")).decode("ascii")
        return f"&{raw.rstrip('=').replace('/', ',')}-"

    return NOT_PRINTABLE.sub(shift, folder.replace("&", "&-"))
