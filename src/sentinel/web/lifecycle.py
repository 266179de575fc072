"""The paths other programs call: metrics, life cycle, heartbeats, and ``/probe``."""

from __future__ import annotations

import hmac
from typing import Final

import msgspec
from aiohttp import web
from isal import igzip

from sentinel.messages.clean import one_line
from sentinel.web import bodies
from sentinel.web.context import CONTEXT, Settings
from sentinel.web.problem import RETRY_AFTER_S, Problem

PROBES_IN_FLIGHT_MAX: Final = 50
COMPRESS_FROM_BYTES: Final = 1400
COMPRESSION_LEVEL: Final = 1  # ten times faster than zlib's usual for a page a fifth larger
FAILURE_MAX_CHARS: Final = 500
EXIT_STATUS_MAX: Final = 255
REMARKS: Final = frozenset({"start", "log"})  # calls that say neither well nor ill


class Running:
    """How many ``/probe`` runs are under way: each is a connection that somebody else asked for."""

    def __init__(self) -> None:
        self.count = 0


RUNNING = web.AppKey("RUNNING", Running)


async def metrics(request: web.Request) -> web.Response:
    """Answer with every metric, in the format the client prefers."""
    page, content_type = request.app[CONTEXT].metrics_page(request.headers.get("Accept", ""))
    headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if len(page) >= COMPRESS_FROM_BYTES and "gzip" in request.headers.get("Accept-Encoding", ""):
        page = igzip.compress(page, COMPRESSION_LEVEL)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=page, headers=headers)


async def healthy(_request: web.Request) -> web.Response:
    """Say that the process lives."""
    return web.Response(text="Sentinel is alive.\n")


async def ready(request: web.Request) -> web.Response:
    """Say whether everything is started; the reasons stay on the page, since anyone may ask this."""
    if request.app[CONTEXT].health().ready:
        return web.Response(text="Sentinel is ready.\n")
    return web.Response(text="Sentinel is not ready.\n", status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


async def reload(request: web.Request) -> web.Response:
    """Read the configuration again; a bad one changes nothing, and its mistakes are the answer."""
    outcome = await request.app[CONTEXT].reload()
    lines = "".join(f"{line}\n" for line in (*outcome.mistakes, *outcome.warnings))
    if outcome.done:
        return web.Response(text=f"{lines}The new configuration is in use.\n")
    return web.Response(text=f"{lines}The old configuration stays in use.\n", status=400)


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a reload, for programs."""

    done: bool
    mistakes: tuple[str, ...]
    warnings: tuple[str, ...]


async def reload_api(request: web.Request) -> web.Response:
    """Read the configuration again, and answer in JSON; ``done`` says whether the new one is in use."""
    outcome = await request.app[CONTEXT].reload()
    return bodies.json(Reloaded(done=outcome.done, mistakes=outcome.mistakes, warnings=outcome.warnings))


async def ping(request: web.Request) -> web.Response:
    """Hear a heartbeat: on disk before the answer, for who calls once an hour does not call again."""
    context = request.app[CONTEXT]
    name = _heartbeat(request.match_info["key"], context.settings())
    signal = request.match_info.get("signal", "")
    if not name or not _is_signal(signal):
        return web.Response(text="not found", status=404)
    if signal not in REMARKS:
        await context.heard(name, await _failure(request, signal))
    return web.Response(text="OK")


async def probe(request: web.Request) -> web.Response:
    """Probe a target now, as blackbox_exporter does."""
    running = request.app[RUNNING]
    if running.count >= PROBES_IN_FLIGHT_MAX:
        raise Problem(503, f"{PROBES_IN_FLIGHT_MAX} probes are under way already.", Retry_After=str(RETRY_AFTER_S))
    running.count += 1
    try:
        found = await request.app[CONTEXT].blackbox(dict(request.query), dict(request.headers))
    finally:
        running.count -= 1
    return web.Response(body=found.text.encode(), status=found.status, headers={"Content-Type": found.content_type})


def _heartbeat(key: str, settings: Settings) -> str:
    """Find a heartbeat by its key, comparing with every one so that the time taken tells nothing; empty for none."""
    name, written = "", key.encode("utf-8", "surrogateescape")
    for known, probe_name in settings.heartbeats.items():
        if hmac.compare_digest(known.encode(), written):
            name = probe_name
    return name


def _is_signal(signal: str) -> bool:
    if signal in {"", "fail", *REMARKS}:
        return True
    return signal.isascii() and signal.isdecimal() and len(signal) <= 3 and int(signal) <= EXIT_STATUS_MAX


async def _failure(request: web.Request, signal: str) -> str:
    """Return the failure that a call reports; empty when all is well."""
    if signal == "fail":
        said = (await request.read()).decode("utf-8", "replace")
        return one_line(said, FAILURE_MAX_CHARS) or "the job reported a failure"
    return f"the job ended with status {int(signal)}" if signal and int(signal) else ""
