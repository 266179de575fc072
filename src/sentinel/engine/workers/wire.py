"""What the daemon and its workers say to each other: MessagePack behind four bytes of length, on a socket pair.

A worker talks to hostile targets, so that the daemon decodes nothing of it but these types. The daemon is believed by
its workers, and so may send them plans as they are, which only Python's own format carries.
"""

from __future__ import annotations

import asyncio
import io
import pickle
import struct
from collections.abc import Callable, Iterable
from copyreg import __newobj__  # type: ignore[attr-defined]  # what pickle's second protocol calls
from typing import Any, Final, Literal, TypeVar

import msgspec
from pydantic import BaseModel

from sentinel.core.model import Result
from sentinel.probes.base import Labels
from sentinel.probes.plan import ProbePlan

FRAME_MAX_BYTES: Final = 64 * 1024 * 1024
LENGTH: Final = struct.Struct(">I")
PLANS_A_FRAME: Final = 50  # Some milliseconds to write and to read: nothing else waits long.
RESULTS_A_FRAME_MAX: Final = 200
SAMPLES_MAX: Final = 200
LINES_A_FRAME_MAX: Final = 200
LINE_MAX_CHARS: Final = 8_192

Verdict = Literal["success", "failure", "timeout", "error"]
# What becomes the label of a metric comes from closed sets, whoever says it.
Skip = Literal["overrun", "budget", "shutdown"]
Place = Literal["probe", "run", "lag", "loop"]
Level = Literal["debug", "info", "warning", "error", "critical"]
Samples = dict[tuple[str, Labels], float]
T = TypeVar("T")


class Garbled(Exception):  # noqa: N818  the world is not well
    """The other side says what nobody understands."""


# What the daemon says ---------------------------------------------------------------------------------------------


class Settings(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What holds for all probes of a worker: the first word it hears, and again when it changes."""

    servers: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    in_flight: int = 1
    per_host: int = 1
    lag_limit_s: float = 0.25


class Now(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What time it is: how far, in seconds, the daemon's time of day is ahead of the clock that never jumps."""

    ahead_s: float


class Take(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Probes to run from now on, pickled; ``last_runs`` holds a probe, a target and its last run in unix time."""

    plans: bytes
    last_runs: tuple[tuple[str, str, float], ...] = ()


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Probes to run no more."""

    names: tuple[str, ...]


class Apply(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Begin with what was taken and dropped since the last time."""


class Hurry(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run a probe now; ``number`` comes back when it has run."""

    number: int
    name: str


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Start nothing more, say what is left to say, and end."""


Order = Settings | Now | Take | Drop | Apply | Hurry | Stop


# What a worker says -----------------------------------------------------------------------------------------------


class Ran(msgspec.Struct, frozen=True, array_like=True):
    """A run that ended. ``fingerprint`` is that of the plan it followed."""

    result: Result
    fingerprint: str
    verdict: Verdict
    samples: tuple[tuple[str, Labels, float], ...] = ()
    phases: dict[str, float] = {}


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One line for the log."""

    level: Level
    event: str
    fields: dict[str, str | int | float | bool | None] = {}


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The first word of a worker: which program it is."""

    version: str


class Batch(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What has gathered, and how the worker is; also its sign of life.

    ``at_s`` is when it was said, on the clock that never jumps and that all processes share.
    """

    at_s: float
    ran: tuple[Ran, ...] = ()
    started_late_s: tuple[float, ...] = ()
    skipped: dict[Skip, int] = {}
    bugs: dict[Place, int] = {}
    lines: tuple[Line, ...] = ()
    lines_lost: int = 0
    done: tuple[int, ...] = ()
    in_flight: int = 0
    overdue_s: float = 0.0
    loop_lag_s: float = 0.0
    resident_bytes: int = 0


Report = Hello | Batch


def without_results(batch: Batch) -> Batch:
    """Return what a batch says of the worker alone."""
    return msgspec.structs.replace(batch, ran=(), started_late_s=(), lines=())


# Frames -----------------------------------------------------------------------------------------------------------

_encoder = msgspec.msgpack.Encoder()
_orders: msgspec.msgpack.Decoder[Order] = msgspec.msgpack.Decoder(Order)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def frame(message: Order | Report) -> bytes:
    """Return a message as it goes over the wire."""
    body = _encoder.encode(message)
    assert len(body) <= FRAME_MAX_BYTES, "a message is made of few enough parts to fit"
    return LENGTH.pack(len(body)) + body


async def read_order(reader: asyncio.StreamReader) -> Order:
    """Return the next word of the daemon.

    Raises:
        EOFError: it is gone.
        Garbled: it makes no sense.
    """
    return await _read(reader, _orders.decode)


async def read_report(reader: asyncio.StreamReader) -> Report:
    """Return the next word of a worker.

    Raises:
        EOFError: it is gone.
        Garbled: it makes no sense.
    """
    return await _read(reader, _reports.decode)


async def _read(reader: asyncio.StreamReader, decode: Callable[[bytes], T]) -> T:
    try:
        (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        if size > FRAME_MAX_BYTES:
            raise Garbled(f"{size} bytes in one message")
        return decode(await reader.readexactly(size))
    except ConnectionError as error:
        raise EOFError from error
    except msgspec.DecodeError as error:
        raise Garbled(str(error)) from error


# Plans ------------------------------------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    """Writes plans without what their options keep for later: handles and the like mean nothing elsewhere."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, BaseModel):
            return NotImplemented
        state = obj.__getstate__()
        fields = type(obj).model_fields
        state["__dict__"] = {name: value for name, value in state["__dict__"].items() if name in fields}
        return __newobj__, (type(obj),), state


def pack_plans(plans: Iterable[ProbePlan]) -> bytes:
    """Return plans, their secrets included, for a worker's eyes only."""
    written = io.BytesIO()
    _Pickler(written, pickle.HIGHEST_PROTOCOL).dump(tuple(plans))
    return written.getvalue()


def unpack_plans(packed: bytes) -> tuple[ProbePlan, ...]:
    """Return the plans that the daemon has packed; of nobody else."""
    plans: tuple[ProbePlan, ...] = pickle.loads(packed)  # noqa: S301  from the daemon that started this process
    return plans
