"""Threads for calls that block, so that the loop never does."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Pool(ThreadPoolExecutor):
    """A few threads; ``took`` is told the name of each call and its seconds, from any of them; without waiting."""

    def __init__(self, threads: int, name: str, took: Callable[[str, float], None]) -> None:
        super().__init__(threads, name)
        self._took = took

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a thread make the call."""
        return super().submit(self._timed, fn, *args, **kwargs)

    def _timed(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        begin = time.perf_counter()
        try:
            return fn(*args, **kwargs)
        finally:
            self._took(getattr(getattr(fn, "func", fn), "__name__", ""), time.perf_counter() - begin)
