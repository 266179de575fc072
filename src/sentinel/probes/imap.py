"""The imap probe: greet a mail server, go on in TLS, sign in, look into a folder; nothing is changed."""

from __future__ import annotations

import time
from typing import Annotated, Self

from pydantic import Field, model_validator

from sentinel.config.fields import HostPort, wrong
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.imap_access import NAME_MAX_CHARS, PRINTABLE, Access, Expect, visit
from sentinel.probes.imap_talk import ImapTalk
from sentinel.probes.patience import Patience
from sentinel.probes.targets import PortOptions

SEARCH_MAX_CHARS = 500


class ImapOptions(PortOptions, Access):
    """The options of the imap probe."""

    folder: Annotated[str, Field(max_length=NAME_MAX_CHARS, pattern=PRINTABLE)] = ""
    # Braces would announce a block of text that never comes.
    search: Annotated[str, Field(max_length=SEARCH_MAX_CHARS, pattern=r"^[ -z|~]*$")] = ""
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None and not (self.starttls or self.tls):
            raise wrong("`expect.cert_days` needs TLS", "write `tls: yes`, or `starttls: yes`")
        if self.expect.found is not None and not self.search:
            raise wrong("`expect.found` needs a `search`", "write `search: UNSEEN`")
        if self.looks_into and not self.username:
            raise wrong("nobody sees a folder without signing in", "write `username` and `password`")
        return self

    @property
    def looks_into(self) -> str:
        """The folder that is opened; empty for none."""
        return self.folder or ("INBOX" if self.search or self.expect.messages is not None else "")


async def run(options: ImapOptions, sight: Sight) -> None:
    """Greet, encrypt, sign in and look as the options ask, and take leave. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    target = HostPort.read(sight.target)
    with Patience(sight) as patience:
        async with visit(options, sight, target, patience, options.expect) as (talk, offers):
            if options.username:
                with sight.phase("auth"):
                    await talk.sign_in(options.username, options.password.reveal(), offers)
            if options.looks_into:
                with sight.phase("folder"):
                    await _look(options, sight, talk)
            await talk.leave()
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


async def _look(options: ImapOptions, sight: Sight, talk: ImapTalk) -> None:
    """Count what is in the folder, and what fits the search; the last is the value of the probe."""
    folder, expect = options.looks_into, options.expect
    count = await talk.open(folder)
    sight.value = float(count)
    sight.fact(f"{_messages(count)} in {folder}")
    if expect.messages is not None and not expect.messages.holds(count):
        raise Failed("messages", f"{sight.target}: {_messages(count)} in {folder}; {expect.messages} is expected")
    if not options.search:
        return
    found = len(await talk.search(options.search))
    sight.value = float(found)
    if expect.found is not None and not expect.found.holds(found):
        fits = f"{_messages(found)} in {folder} {'fits' if found == 1 else 'fit'} the search"
        raise Failed("found", f"{sight.target}: {fits}; {expect.found} is expected")


def _messages(count: int) -> str:
    return f"{count} message{'s' * (count != 1)}"


REASONS = frozenset(
    {
        "auth", "banner", "cert_days", "connect", "denied", "dns", "folder", "found", "max_duration", "messages",
        "protocol", "search", "starttls", "timeout", "tls",
    }
)  # fmt: skip

KIND = ProbeKind("imap", ImapOptions, run, REASONS)
