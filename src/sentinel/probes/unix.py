"""The unix probe: connect to a stream socket of this machine; hold a conversation by lines on it, or ask by HTTP."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from functools import lru_cache
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Host, OneOrMany, quoted, wrong
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.conversation import TALK_REASONS, Talk, TalkOptions
from sentinel.probes.duration import check_duration
from sentinel.probes.expect import REGEX_REASONS, HttpExpect, judge
from sentinel.probes.http_answer import AT_FIRST_0
from sentinel.probes.http_answer import REASONS as HTTP_REASONS
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Link, Request, Settings
from sentinel.probes.http_options import CONFIDENTIAL, Headers
from sentinel.probes.patience import Patience
from sentinel.probes.targets import TARGETS_MAX, check_targets
from sentinel.probes.wire import Wire

PATH_MAX_BYTES = 107  # What the kernel's sockaddr_un holds, less its end.
URL_PATH_MAX_CHARS = 4096
FULL_RETRY_S = 0.01
SETTINGS_KEPT_MAX = 1024


def _check_path(path: str) -> str:
    if not path.startswith(("/", "@")) or len(path) == 1:
        raise wrong(f"{quoted(path)} is not the path of a socket", "write it as `/run/app.sock`, or `@name`")
    if "\0" in path or len(os.fsencode(path)) > PATH_MAX_BYTES:
        raise wrong(f"{quoted(path)} is longer than {PATH_MAX_BYTES} bytes, or holds a zero byte")
    return path


SocketPath = Annotated[str, AfterValidator(_check_path)]


class HttpOnSocket(BaseModel):
    """What is asked by HTTP, and of which host; redirects are not followed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=URL_PATH_MAX_CHARS)] = "/"
    host: Host = "localhost"
    headers: Headers = Field({})
    expect: HttpExpect = HttpExpect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None or self.expect.tls:
            raise wrong("HTTP on a socket is not encrypted here", "take out `cert_days` and `tls`")
        return self

    def request(self) -> Request:
        """Return what is sent."""
        lines = {name: value.reveal() for name, value in self.headers.items()}
        secret = {name for name in lines if CONFIDENTIAL.search(name)}
        open_lines = tuple(line for line in lines.items() if line[0] not in secret)
        link = Link.parse(f"http://{self.host}{self.path}")
        return Request("GET", link, open_lines, tuple((name, lines[name]) for name in sorted(secret)))


class UnixOptions(TalkOptions):
    """The options of the unix probe: paths of sockets, ``@name`` for those that are in no folder."""

    target: SocketPath | None = None
    many: OneOrMany[SocketPath] = Field((), alias="targets", max_length=TARGETS_MAX)
    http: HttpOnSocket | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_targets(self.target, self.many)
        if self.http is not None and (self.encrypts or self.conversation):
            raise wrong("`http` and a conversation exclude each other", "take out `tls`, `starttls`, `steps`, `expect`")
        if self.http is not None and any(target.startswith("@") for target in self.targets()):
            raise wrong("`http` needs a socket that has a path")
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each path."""
        return (self.target,) if self.target is not None else self.many


async def run(options: UnixOptions, sight: Sight) -> None:
    """Connect, and do what the options ask for on the connection. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    if options.http is not None:
        await _ask(options.http, sight)
    else:
        with Patience(sight) as patience:
            await _talk(options, sight, patience)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


async def _talk(options: UnixOptions, sight: Sight, patience: Patience) -> None:
    async def connect() -> socket.socket:
        return await _connect(sight)

    with Wire(await connect(), sight.target) as wire:
        sight.gauge("probe_failed_due_to_regex", 0)
        sight.gauge("probe_failed_due_to_bytes", 0)
        sight.fact("connected")
        patience.waiting_for = "what it says"
        if options.encrypts or options.conversation:
            # A certificate has a host's name, never a path.
            await Talk(options, sight, "localhost", connect).hold(wire)


async def _ask(asked: HttpOnSocket, sight: Sight) -> None:
    sight.samples |= AT_FIRST_0
    with Session(sight, _settings(sight.target)) as session:
        answer = await session.fetch(asked.request())
        try:
            judge(asked.expect, answer)
        except Failed as failure:
            sight.gauge("probe_failed_due_to_regex", int(failure.reason in REGEX_REASONS))
            raise


async def _connect(sight: Sight) -> socket.socket:
    path = sight.target
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        with sight.phase("connect"):
            where = f"\0{path[1:]}" if path[0] == "@" else path
            # No event tells when a full queue has room again: the kernel says EAGAIN and forgets us.
            while (number := connection.connect_ex(where)) == errno.EAGAIN:  # noqa: ASYNC110  as said
                await asyncio.sleep(FULL_RETRY_S)
        if number:
            raise Failed("connect", f"{path}: {os.strerror(number)}")
    except BaseException:
        connection.close()
        raise
    return connection


@lru_cache(maxsize=SETTINGS_KEPT_MAX)
def _settings(path: str) -> Settings:
    return Settings(follow=False, socket_path=path)


REASONS = TALK_REASONS | HTTP_REASONS

KIND = ProbeKind("unix", UnixOptions, run, REASONS)
