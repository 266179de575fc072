"""The prometheus probe: a threshold on what a query of an existing Prometheus returns."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Self
from urllib.parse import urlencode

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Comparison, Flag, Url
from sentinel.probes import http_answer
from sentinel.probes.base import DETAIL_MAX_CHARS, Failed, ProbeKind, Sight
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Answer, Link
from sentinel.probes.http_options import Payload, WebOptions, check_link
from sentinel.probes.said import clean

QUERY_MAX_CHARS: Final = 8_000
NAMED_MAX = 3
LABELS_MAX_CHARS = 100


class Expect(BaseModel):
    """What must hold of every series that the query returns, and how many there must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: Comparison
    series: Comparison | None = None
    empty: Flag = False


class PrometheusOptions(WebOptions):
    """The options of the prometheus probe: ``server``, ``query``, and what to expect of its value."""

    server: Url
    query: Annotated[str, Field(min_length=1, max_length=QUERY_MAX_CHARS)]
    expect: Expect

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        check_link(self.server)
        return self

    def targets(self) -> tuple[str, ...]:
        """Name the server."""
        return (self.server,)


class _Sample(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, rename="camel"):
    result_type: str
    result: Any


class _Reply(msgspec.Struct, rename="camel"):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: list[str] = []


async def run(options: PrometheusOptions, sight: Sight) -> None:
    """Ask the query's value now, and compare every series with what is expected; the value is the worst of them.

    Raises:
        Failed: one of ``REASONS``; ``value`` a series does not hold, ``empty`` the query returns nothing, ``query``
            the server refuses it, ``protocol`` the server does not speak Prometheus' API.
    """
    sight.samples |= http_answer.AT_FIRST_0
    where = Link.parse(f"{options.server.rstrip('/')}/api/v1/query?{urlencode({'query': options.query})}")
    with Session(sight, options.settings) as session:
        answer = await session.fetch(options.request("GET", where, Payload(), {}))
    samples = _samples(_read(answer, sight), sight)
    sight.fact(f"{len(samples)} series")
    _judge(options.expect, samples, sight)


def _read(answer: Answer, sight: Sight) -> _Reply:
    try:
        reply = msgspec.json.decode(answer.body, type=_Reply)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Failed("protocol", f"{sight.target} answers {answer.status}, and not as Prometheus does") from error
    if reply.status != "success" or reply.data is None:
        why = clean(f"{reply.error_type}: {reply.error}", DETAIL_MAX_CHARS)
        raise Failed("query", f"{sight.target} refuses the query: {why}")
    for warning in reply.warnings:
        sight.fact(f"warning: {clean(warning, DETAIL_MAX_CHARS)}")
    return reply


def _samples(reply: _Reply, sight: Sight) -> list[tuple[str, float]]:
    """Return each series with its value; a scalar is a series without labels."""
    assert reply.data is not None, "the caller checked"
    kind = reply.data.result_type
    try:
        if kind == "scalar":
            return [("", float(msgspec.convert(reply.data.result, tuple[float, str])[1]))]
        if kind == "vector":
            found = msgspec.convert(reply.data.result, list[_Sample])
            return [(_name(sample.metric), float(sample.value[1])) for sample in found]
    except (msgspec.ValidationError, ValueError) as error:
        raise Failed("protocol", f"{sight.target} answers with values that are none: {error}") from error
    raise Failed("query", f"the query returns a {clean(kind, 20)}; it must return a value, not a range")


def _judge(expect: Expect, samples: list[tuple[str, float]], sight: Sight) -> None:
    if expect.series is not None and not expect.series.holds(len(samples)):
        raise Failed("empty", f"the query returns {len(samples)} series; {expect.series} is expected")
    if not samples:
        if expect.empty:
            return
        raise Failed("empty", "the query returns nothing: neither good nor bad is known")
    bad = [(name, value) for name, value in samples if math.isnan(value) or not expect.value.holds(value)]
    sight.value = (bad or samples)[0][1]
    if bad:
        named = ", ".join(f"{name} {value:g}".strip() for name, value in bad[:NAMED_MAX])
        more = f" and {len(bad) - NAMED_MAX} more" if len(bad) > NAMED_MAX else ""
        raise Failed("value", f"the query returns {named}{more}; {expect.value} is expected")


def _name(labels: dict[str, str]) -> str:
    shown = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__")
    return clean(f"{labels.get('__name__', '')}{{{shown}}}" if shown else labels.get("__name__", ""), LABELS_MAX_CHARS)


REASONS = http_answer.REASONS | {"value", "empty", "query", "protocol"}

KIND = ProbeKind("prometheus", PrometheusOptions, run, REASONS, "probe_http_duration_seconds")
