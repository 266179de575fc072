"""``sentinel mail-in``: the program at the end of a mail server's pipe. It ends with the codes of sysexits."""

from __future__ import annotations

import base64
import sys
from typing import Final

import click

from sentinel.cli.asked import Asked, Ended, Exit, daemon_options, pass_asked
from sentinel.cli.client import Daemon

# What mail servers make of how a pipe ends (sysexits.h).
DATA_ERROR: Final = 65  # It comes back to its sender: nobody can read it.
TRY_LATER: Final = 75  # It stays in the queue.
NOT_ALLOWED: Final = 77  # It comes back to its sender.
CODES: Final = {"taken": 0, "ignored": 0, "refused": NOT_ALLOWED, "unreadable": DATA_ERROR}

READ_MAX_BYTES: Final = 64 * 1024 * 1024
SENT_MAX_BYTES: Final = 700 * 1024  # More is not read: attachments do not matter.


@click.command("mail-in")
@daemon_options
@pass_asked
def mail_in(asked: Asked) -> None:
    """Hand one mail, from standard input, to the daemon.

    For the pipe of a mail server. Ends with 0 when it was taken, or was an automatic answer, which is dropped; 75 when
    the daemon cannot take it now, so that it is tried again; 77 when nobody known wrote it; 65 when it cannot be read.
    """
    data = sys.stdin.buffer.read(SENT_MAX_BYTES)
    read = len(data)
    while read < READ_MAX_BYTES and (more := sys.stdin.buffer.read(65_536)):
        read += len(more)  # A mail server that cannot write all of it would take that for a failure.
    came = _handed_over(asked, data) if data else "unreadable"
    if came == "refused":
        click.echo("Sentinel takes mail from people it knows only.", err=True)
    elif came == "unreadable":
        click.echo("This mail cannot be read.", err=True)
    click.get_current_context().exit(CODES.get(came, TRY_LATER))


def _handed_over(asked: Asked, data: bytes) -> str:
    """Return what came of a mail. Whatever is wrong here, the mail is not: it must neither be lost nor come back."""
    try:
        return str(Daemon(asked).post("mail", message=base64.b64encode(data).decode())["came"])
    except Ended as ended:
        raise _Later(ended.message) from ended
    except (OSError, KeyError, TypeError) as error:
        raise _Later(f"The daemon cannot be asked: {type(error).__name__}.") from error


class _Later(Ended):
    """The mail stays in the mail server's queue."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.UNREACHABLE)
        self.exit_code = TRY_LATER  # type: ignore[misc]  # as in ``Ended``
