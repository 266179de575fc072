"""The ssh probe: the greeting of an SSH server, and whether its host key is the one that is known."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import re
import time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Duration, HostPort, OneOrMany, Regex, quoted, wrong
from sentinel.config.words import ReadsText
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.extras import require
from sentinel.probes.net import IPAddress, open_socket
from sentinel.probes.patience import Patience
from sentinel.probes.said import clean
from sentinel.probes.targets import PortOptions
from sentinel.probes.wire import Wire

if TYPE_CHECKING:
    from types import ModuleType

LIBRARY = "asyncssh"
LINES_MAX = 50  # Before the one that counts (RFC 4253, section 4.2).
KEYS_MAX = 20
QUOTE_MAX_CHARS = 120
# What the library lets through when a server talks nonsense, besides errors of its own.
NONSENSE = (OSError, ValueError, LookupError, ArithmeticError, AssertionError, TypeError)
# A server shows one key at a time, of a kind that we ask for; the usual ones first.
KINDS = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
)


class HostKey(ReadsText):
    """A host key as ``ssh-keyscan`` and ``known_hosts`` write it, or its fingerprint; compared by the fingerprint."""

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^(SHA256:|ssh-|ecdsa-)"}
    __slots__ = ("_text", "fingerprint")

    def __init__(self, text: str, fingerprint: str) -> None:
        self._text = text
        self.fingerprint = fingerprint

    @classmethod
    def read(cls, value: object) -> HostKey:
        """Read ``SHA256:…`` or ``ssh-ed25519 AAAA…``."""
        text = value.strip() if isinstance(value, str) else ""
        if re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text):
            return cls(text, text)
        words = text.split()
        try:
            if len(words) > 1 and words[0].startswith(("ssh-", "ecdsa-")):
                return cls(text, fingerprint_of(base64.b64decode(words[1], validate=True)))
        except binascii.Error:
            pass
        raise wrong(f"{quoted(value)} is not a host key", "write it as `SHA256:…`, as `ssh-keygen -l` shows it")

    def __str__(self) -> str:
        return self._text


class Expect(BaseModel):
    """What must be so of the greeting and of the key; any of several keys will do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    banner: Regex | None = None
    host_key: Annotated[OneOrMany[HostKey], Field(max_length=KEYS_MAX)] = ()
    max_duration: Duration | None = None

    @model_validator(mode="after")
    def _can_be_checked(self) -> Self:
        if self.host_key:
            require(LIBRARY, "ssh", "`host_key`")
        return self


class SshOptions(PortOptions):
    """The options of the ssh probe."""

    expect: Expect = Expect()


async def run(options: SshOptions, sight: Sight) -> None:
    """Read the greeting, and the key when one is expected. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    target = HostPort.read(sight.target)
    with Patience(sight) as patience:
        address = await options.find(sight, target.host)
        with Wire(await open_socket(sight, address, target.port), sight.target) as wire:
            patience.waiting_for = "the greeting"
            with sight.phase("banner"):
                banner = await _greeting(wire)
        sight.fact(f"received {banner}")
        wanted = options.expect.banner
        if wanted is not None and not wanted.search(banner):
            raise Failed("banner", f"{wire.name} greets with “{banner}”; {str(wanted)!r} is expected")
        if options.expect.host_key:
            patience.waiting_for = "the host key"
            with sight.phase("key"):
                await _check_key(options.expect.host_key, sight, address, target.port)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


async def _greeting(wire: Wire) -> str:
    """Return the line with which the server names its version; others may come before it."""
    first = ""
    for _ in range(LINES_MAX):
        line = await wire.read_line()
        if line is None:
            said = f"says “{first}” and hangs up" if first else "hangs up without a greeting"
            raise Failed("protocol", f"{wire.name} {said}")
        text = clean(line.decode("utf-8", "replace"), QUOTE_MAX_CHARS)
        if text.startswith(("SSH-2.0-", "SSH-1.99-")):
            return text
        if text.startswith("SSH-"):
            raise Failed("protocol", f"{wire.name} greets with “{text}”: no version of SSH that is still in use")
        first = first or text
    raise Failed("protocol", f"{wire.name} greets with more than {LINES_MAX} lines, the first of them “{first}”")


async def _check_key(known: tuple[HostKey, ...], sight: Sight, address: IPAddress, port: int) -> None:
    """Look at the keys, one kind after the other, until one is known."""
    ssh = await asyncio.to_thread(_library)
    wanted, seen, why = {key.fingerprint for key in known}, [], ""
    for algorithms in KINDS:
        connection = await open_socket(sight, address, port)
        try:
            key = await ssh.get_server_host_key(sock=connection, server_host_key_algs=algorithms, config=None)
        except (ssh.Error, *NONSENSE) as error:
            # Most servers hang up when they have no key of a kind; that says nothing of the next.
            why = clean(str(error) or type(error).__name__, QUOTE_MAX_CHARS)
            sight.fact(f"no key of the kind {algorithms[0]}: {why}")
            continue
        finally:
            connection.close()
        fingerprint = fingerprint_of(key.public_data)
        sight.fact(f"host key {key.get_algorithm()} {fingerprint}")
        if fingerprint in wanted:
            return
        seen.append(fingerprint)
    if not seen:
        raise Failed("protocol", f"{sight.target} shows no host key: {why}")
    raise Failed("host_key", f"{sight.target} shows no host key that is known, but {', '.join(seen)}")


def fingerprint_of(key: bytes) -> str:
    """Return the fingerprint of a public key as OpenSSH writes it."""
    return f"SHA256:{base64.b64encode(hashlib.sha256(key).digest()).decode('ascii').rstrip('=')}"


def _library() -> ModuleType:
    """Return the extra; it takes a quarter of a second to load, and has more to say than anybody wants to read."""
    import asyncssh  # noqa: PLC0415  an extra

    logging.getLogger("asyncssh").setLevel(logging.WARNING)
    return asyncssh


REASONS = frozenset({"banner", "connect", "denied", "dns", "host_key", "max_duration", "protocol", "timeout"})

KIND = ProbeKind("ssh", SshOptions, run, REASONS)
