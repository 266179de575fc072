"""A worker as a process: ``python -m sentinel.engine.workers FD``, started by the daemon and by nobody else."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import uvloop

from sentinel.engine.workers import inside

PR_SET_PDEATHSIG = 1
# Between the daemon, which must live, and everything else: when memory is short, probes go before pages.
EARLIER_TO_GO = 200
ADJUSTMENT_MAX = 1_000
OWN_ADJUSTMENT = Path("/proc/self/oom_score_adj")


def main(descriptor: int) -> None:
    """Work for the daemon at the other end of a socket, until it says so or is gone."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # A service manager tells all processes to stop; the daemon's word is the one that counts.
        signal.signal(number, signal.SIG_IGN)
    # The end of the socket says the same, but not to a process that is stopped or stuck.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with suppress(OSError, ValueError):
        adjustment = int(OWN_ADJUSTMENT.read_text()) + EARLIER_TO_GO
        OWN_ADJUSTMENT.write_text(str(min(ADJUSTMENT_MAX, adjustment)))
    with suppress(OSError, ValueError):  # A core dump would hold secrets.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # Until all is loaded: next to nothing of it becomes garbage.
    uvloop.run(inside.work(socket.socket(fileno=descriptor)))
    # What is still under way, such as a name that is being resolved, must not hold up the end.
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
