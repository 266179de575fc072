"""A message to any service that Apprise knows: chats, pagers, push. Needs the extra ``apprise``.

Apprise answers yes or no, never why: what it could not deliver may work later. It makes its connections itself, in a
thread, so the target policy does not hold for them, and a thread that hangs is left to its own time limit.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.config.fields import Duration, Secret

EXTRA: Final = "apprise"
TIMEOUT: Final = timedelta(seconds=15)
TIMEOUT_MAX: Final = timedelta(seconds=30)
THREADS_MAX: Final = 4  # that may hang at once; what comes then waits, and is tried again
URGENT: Final = frozenset({"P1", "P2"})
MISSING: Final = f"the extra `{EXTRA}` is not installed: pip install 'sentinel-ops[{EXTRA}]'"


class AppriseOptions(Options):
    """Where to send, as Apprise writes it: ``mmosts://chat.example.org/TOKEN``. It holds the credentials."""

    url: Secret
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=TIMEOUT_MAX)] = TIMEOUT


class AppriseSender:
    """Hands each message to Apprise in a thread, for so long at most."""

    def __init__(self, options: AppriseOptions) -> None:
        self._url = options.url
        self._timeout_s = options.timeout.total_seconds()
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=EXTRA)
        self._service: Any = None

    async def send(self, message: Message) -> str:
        """Send the text, and return the message's own name: Apprise gives none.

        Raises:
            Undelivered: it was not taken, which may change; or Apprise or its address is no good, which does not.
        """
        title, body = message.subject, f"{message.text.rstrip()}\n\n{message.id}"
        sending = asyncio.get_running_loop().run_in_executor(self._threads, self._notify, title, body, message.priority)
        try:
            async with asyncio.timeout(self._timeout_s):
                taken = await sending
        except TimeoutError as error:
            raise Undelivered(f"no answer within {self._timeout_s:g} s", outcome="timeout") from error
        if not taken:
            raise Undelivered("Apprise could not deliver it")
        return message.id

    async def check(self) -> None:
        """Prove that Apprise is there and knows the address; it can do no more without sending.

        Raises:
            Undelivered: it is not, or does not.
        """
        async with asyncio.timeout(self._timeout_s):
            await asyncio.get_running_loop().run_in_executor(self._threads, self._opened)

    async def close(self) -> None:
        """Let go of the threads; one that still sends ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _notify(self, title: str, body: str, priority: str) -> bool:
        kind = "failure" if priority in URGENT else "info"
        return bool(self._opened().notify(title=title, body=body, notify_type=kind))

    def _opened(self) -> Any:
        """Return Apprise with the address, made once.

        Raises:
            Undelivered: it is not installed, or does not know such an address.
        """
        if self._service is None:
            try:
                import apprise  # noqa: PLC0415  an extra, and half a second that few starts need
            except ImportError as error:
                raise Undelivered(MISSING, permanent=True) from error
            service = apprise.Apprise()
            if not service.add(self._url.reveal()):
                raise Undelivered("the address is none that Apprise knows", permanent=True)
            for one in service:  # Our own limit comes first: who falls silent may have taken it.
                one.socket_connect_timeout = one.socket_read_timeout = 2 * self._timeout_s
            self._service = service
        return self._service


def _build(options: Any, surroundings: Surroundings) -> AppriseSender:  # noqa: ARG001  the frame hands it to all
    return AppriseSender(options)


KIND = ChannelKind("apprise", AppriseOptions, _build, "", extra=EXTRA)
