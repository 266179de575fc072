"""Keeps a picture of now: asked for when the daemon says that something changed, else every two seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

import msgspec

from sentinel.cli.asked import Ended
from sentinel.cli.client import Stream
from sentinel.web.now_view import NowView

POLL_S: Final = 2.0  # How often it is asked while nothing says what changes.
REST_S: Final = 15.0  # How often it is asked all the same: some of it changes by time alone.
BREATH_S: Final = 0.4  # Between two questions at least, whatever happens.
AGAIN_S: Final = 5.0  # After that a stream that is refused or breaks is tried again.
END_WITHIN_S: Final = 1.0


class Source(Protocol):
    """What the daemon is asked for."""

    def get(self, *path: str, **query: Any) -> Any:
        """Ask for something."""

    def follow(self) -> Stream:
        """Follow what changes."""


@dataclass(frozen=True)
class Seen:
    """What is known: the last picture and when it came (``monotonic``), whether it is live, and what is wrong.

    ``lost`` is empty while the daemon answers.
    """

    picture: NowView | None = None
    came_at_s: float = 0.0
    live: bool = False
    lost: str = ""


class Following:
    """Two threads: one asks for the picture, the other listens for when to."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._told: Callable[[Seen], None] = lambda _seen: None
        self._changed = threading.Event()
        self._over = threading.Event()
        self._stream: Stream | None = None
        self._threads: list[threading.Thread] = []
        self.seen = Seen()

    def start(self, told: Callable[[Seen], None]) -> None:
        """Begin; ``told`` is called, in a thread of its own, with all that is seen."""
        self._told = told
        # A question under way must not keep the terminal when somebody leaves.
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._ask, self._listen)]
        for thread in self._threads:
            thread.start()

    def hurry(self) -> None:
        """Ask again now: something was done."""
        self._changed.set()

    def end(self) -> None:
        """Stop both."""
        self._over.set()
        self._changed.set()
        if (stream := self._stream) is not None:
            stream.end()
        for thread in self._threads:
            thread.join(END_WITHIN_S)

    def _ask(self) -> None:
        while not self._over.is_set():
            self._changed.clear()
            try:
                picture = msgspec.convert(self._source.get("now"), NowView)
                self.seen = Seen(picture, monotonic(), self._stream is not None)
            except Ended as error:
                self.seen = Seen(self.seen.picture, self.seen.came_at_s, lost=error.message)
            except msgspec.ValidationError as error:
                why = f"The daemon's answer is not understood; is it of another version? {error}"
                self.seen = Seen(self.seen.picture, self.seen.came_at_s, lost=why)
            if self._over.is_set():
                return
            self._told(self.seen)
            self._over.wait(BREATH_S)
            self._changed.wait(REST_S if self.seen.live and not self.seen.lost else POLL_S)

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                stream = self._source.follow()
            except Ended:
                self._over.wait(AGAIN_S)
                continue
            self._stream = stream
            self._read(stream)
            self._stream = None
            stream.close()
            self._changed.set()  # Whether only the stream has gone, the next question tells.
            self._over.wait(POLL_S)

    def _read(self, stream: Stream) -> None:
        self._changed.set()  # What happened before it began nobody said.
        try:
            while not self._over.is_set():
                if stream.wait():
                    self._changed.set()
        except OSError:
            return  # It is over: until there is another one, the picture is asked for regularly.
