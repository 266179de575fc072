"""Getting into an IMAP server: where it is, how TLS begins, who signs in; shared by imap and smtp's full loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Comparison, Count, Duration, Flag, HostPort, Regex, Secret, wrong
from sentinel.probes import handshake
from sentinel.probes.base import Failed, Sight
from sentinel.probes.imap_talk import ImapTalk
from sentinel.probes.net import open_socket
from sentinel.probes.patience import Patience
from sentinel.probes.targets import HostOptions
from sentinel.probes.tlscontext import TlsOptions, YesOrTls
from sentinel.probes.wire import Wire

NAME_MAX_CHARS = 255
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


class Access(HostOptions):
    """How to get into a mailbox: TLS from the start (``tls``) or asked for (``starttls``), and a name to sign in."""

    tls: YesOrTls = None
    starttls: Flag = False
    username: Annotated[str, Field(max_length=NAME_MAX_CHARS, pattern=PRINTABLE)] = ""
    password: Secret = Secret("")

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.username and not (self.starttls or self.tls):
            raise wrong("a password would travel in the clear", "write `tls: yes`, or `starttls: yes`")
        if any(character < " " for character in self.password.reveal()):
            raise wrong("`password` holds a control character", "is there a line end behind it?")
        return self


class Expect(BaseModel):
    """What must be so besides good answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    banner: Regex | None = None
    messages: Comparison | None = None
    found: Comparison | None = None
    max_duration: Duration | None = None
    cert_days: Count | None = None


@asynccontextmanager
async def visit(
    access: Access, sight: Sight, target: HostPort, patience: Patience, expect: Expect
) -> AsyncIterator[tuple[ImapTalk, frozenset[str]]]:
    """Connect, hear the greeting and go on in TLS; yields the conversation and what the server offers.

    Raises:
        Failed: ``dns``, ``denied``, ``connect``, ``tls``, ``cert_days``, ``banner``, ``starttls``, ``protocol``.
    """
    tls = access.tls or TlsOptions()
    address = await access.find(sight, target.host)
    with Wire(await open_socket(sight, address, target.port), sight.target) as wire:
        talk = ImapTalk(wire, sight, patience)
        if access.tls is not None and not access.starttls:
            patience.waiting_for = "the TLS handshake"
            await handshake.secure(sight, wire, tls, target.host, cert_days=expect.cert_days)
        with sight.phase("banner"):
            banner = await talk.greeting()
        if expect.banner is not None and not expect.banner.search(banner):
            raise Failed("banner", f"{wire.name} greets with “{banner}”; {str(expect.banner)!r} is expected")
        offers = await talk.capabilities()
        if access.starttls:
            if "STARTTLS" not in offers:
                raise Failed("starttls", f"{wire.name} does not offer STARTTLS")
            await talk.say("STARTTLS", "starttls")
            patience.waiting_for = "the TLS handshake"
            await handshake.secure(sight, wire, tls, target.host, cert_days=expect.cert_days)
            offers = await talk.capabilities()
        yield talk, offers
