"""The grpc probe: the health-checking protocol of gRPC, spoken by libcurl's HTTP/2."""

from __future__ import annotations

import base64
import time
from functools import lru_cache
from typing import Annotated, Any, Self
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, Secret, wrong
from sentinel.probes import tlsinfo
from sentinel.probes.base import Failed, Labels, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.grpc_health import SERVING, STATUSES, frame, serving_status
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Answer, Link, Request, Settings
from sentinel.probes.http_options import TOKEN, Headers
from sentinel.probes.said import clean
from sentinel.probes.targets import PortOptions
from sentinel.probes.tlscontext import TlsOptions, YesOrTls

METHOD = "/grpc.health.v1.Health/Check"
ANSWER_MAX_BYTES = 64 << 10
SERVICE_MAX_CHARS = 1000
SETTINGS_KEPT_MAX = 1024

CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
UNKNOWN, DEADLINE_EXCEEDED, UNAVAILABLE = 2, 4, 14
# What an answer that is none of gRPC stands for, by gRPC's own table.
CODE_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
AT_FIRST_0: dict[tuple[str, Labels], float] = {("probe_grpc_ssl", ()): 0.0, ("probe_grpc_status_code", ()): 0.0}


def _check_metadata(metadata: dict[str, Secret]) -> dict[str, Secret]:
    for name in metadata:
        if not TOKEN.fullmatch(name) or name.lower().startswith("grpc-") or name.lower() in {"host", "content-type"}:
            raise wrong("a name of `metadata` is not for a configuration to set", "write it as `x-tenant: campus`")
    return metadata


class Expect(BaseModel):
    """What must be so besides SERVING."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cert_days: Count | None = None
    max_duration: Duration | None = None


class GrpcOptions(PortOptions):
    """The options of the grpc probe; no ``service`` asks for the server as a whole."""

    service: Annotated[str, Field(max_length=SERVICE_MAX_CHARS)] = ""
    tls: YesOrTls = None
    metadata: Annotated[Headers, AfterValidator(_check_metadata)] = Field({})
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None and self.tls is None:
            raise wrong("`expect.cert_days` needs TLS", "write `tls: yes`")
        return self

    def request(self, target: str, left_s: float) -> Request:
        """Return what is sent; the server learns how long it is waited for."""
        link = Link.parse(f"{'https' if self.tls else 'http'}://{target}{METHOD}")
        headers = (
            ("Content-Type", "application/grpc"),
            ("TE", "trailers"),
            ("grpc-timeout", f"{max(1, int(left_s * 1000))}m"),
        )
        return Request("POST", link, headers, tuple(map(_line, self.metadata.items())), frame(self.service))

    @property
    def settings(self) -> Settings:
        """How it is sent."""
        return _settings(self.tls or TlsOptions(), self.ip_protocol, self.ip_protocol_fallback)


def _line(pair: tuple[str, Secret]) -> tuple[str, str]:
    name, value = pair[0].lower(), pair[1].reveal()
    # Values that may be anything have a name in -bin, and travel as base64.
    return name, base64.b64encode(value.encode()).decode("ascii") if name.endswith("-bin") else value


@lru_cache(maxsize=SETTINGS_KEPT_MAX)
def _settings(tls: TlsOptions, prefer: Any, fallback: bool) -> Settings:
    return Settings(
        tls=tls, prefer=prefer, fallback=fallback, only_http2=True, follow=False, body_max_bytes=ANSWER_MAX_BYTES
    )


async def run(options: GrpcOptions, sight: Sight) -> None:
    """Ask whether the service is serving. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    sight.samples |= AT_FIRST_0
    try:
        with Session(sight, options.settings) as session:
            answer = await session.fetch(options.request(sight.target, sight.left_s()))
        sight.gauge("probe_grpc_ssl", answer.link.secure)
        _judge(sight, options.service, answer)
    except Failed as failure:
        if failure.reason not in {"dns", "denied", "status", "serving"}:
            _told(sight, DEADLINE_EXCEEDED if failure.reason == "timeout" else UNAVAILABLE)
        raise
    finally:
        _tidy(sight)
    if options.expect.cert_days is not None:
        tlsinfo.check_days(sight, answer.link.host, session.chain, options.expect.cert_days)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


def _judge(sight: Sight, service: str, answer: Answer) -> None:
    """See whether an answer says that the service is serving."""
    asked = f"the service {service!r}" if service else "the server"
    told = answer.header("grpc-status")
    if answer.version != "2.0":
        raise Failed("protocol", f"{sight.target} speaks HTTP/{answer.version}, not gRPC")
    if answer.status != 200 and told is None:
        _told(sight, CODE_OF_HTTP.get(answer.status, UNKNOWN))
        raise Failed("status", f"{sight.target} answers with the HTTP status {answer.status}, not by gRPC")
    if told is None or not (told.isascii() and told.isdigit() and len(told) < 4):
        raise Failed("protocol", f"{sight.target} ends its answer without a gRPC status")
    code = int(told)
    if code:
        _told(sight, code)
        word = CODES[code] if code < len(CODES) else str(code)
        why = clean(unquote(answer.header("grpc-message") or ""), 200)
        raise Failed("status", f"{sight.target} answers {word} about {asked}" + (f": {why}" if why else ""))
    found = serving_status(sight.target, answer.body)
    _told(sight, 0, found)
    sight.fact(f"{asked} is {found}")
    if found != SERVING:
        raise Failed("serving", f"{sight.target}: {asked} is {found}")


def _told(sight: Sight, code: int, found: str = "") -> None:
    sight.gauge("probe_grpc_status_code", code)
    for status in STATUSES:
        sight.gauge("probe_grpc_healthcheck_response", status == found, serving_status=status)


def _tidy(sight: Sight) -> None:
    """Leave what is said of gRPC: two phases, and nothing of the HTTP beneath."""
    parts = {phase: took_s for phase, took_s in sight.phases.items() if phase != "resolve"}
    if parts:
        sight.fact(" · ".join(f"{phase} {took_s * 1000:.1f} ms" for phase, took_s in parts.items()))
    sight.phases = {"resolve": sight.phases.get("resolve", 0.0)}
    if parts:
        sight.phases["check"] = sum(parts.values())
    sight.samples = {key: value for key, value in sight.samples.items() if not key[0].startswith("probe_http_")}


REASONS = frozenset(
    {
        "cert_days", "connect", "denied", "dns", "max_duration", "protocol", "serving", "size", "status", "timeout",
        "tls",
    }
)  # fmt: skip

KIND = ProbeKind("grpc", GrpcOptions, run, REASONS, "probe_grpc_duration_seconds")
