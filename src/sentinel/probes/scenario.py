"""The scenario probe: what a user does, as HTTP steps that share cookies and hand values on."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from sentinel.config.fields import Secret, did_you_mean, quoted, wrong
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.capture import Capture
from sentinel.probes.expect import HttpExpect, judge
from sentinel.probes.http_answer import REASONS as HTTP_REASONS
from sentinel.probes.http_answer import check_cert
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import Link, Request
from sentinel.probes.http_options import Headers, Payload, WebOptions, check_link
from sentinel.probes.references import REFERENCE, fill, fill_tree, names_in

STEPS_MAX = 30
CAPTURES_MAX = 20
METHODS = ("get", "post", "put", "patch", "head", "delete")
REASONS = HTTP_REASONS | {"capture"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Step(Payload):
    """One request and what is expected of its answer. Exactly one of the methods holds its address."""

    name: Annotated[str, Field(max_length=64)] = ""
    get: str | None = None
    post: str | None = None
    put: str | None = None
    patch: str | None = None
    head: str | None = None
    delete: str | None = None
    headers: Headers = Field({})
    expect: HttpExpect = HttpExpect()
    capture: Annotated[dict[str, Capture], Field(max_length=CAPTURES_MAX)] = Field({})

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if sum(getattr(self, method) is not None for method in METHODS) != 1:
            raise wrong("a step has one of `get`, `post`, `put`, `patch`, `head`, `delete`", "write `get: https://…`")
        for name in self.capture:
            if not NAME.fullmatch(name):
                raise wrong(f"{quoted(name)} is not a name for a value", "use letters, digits and `_`")
        if not self.whole:
            check_link(REFERENCE.sub("x", self.url))
            # A page must not decide to whom the next step speaks.
            if REFERENCE.search("/".join(self.url.split("/")[:3])):
                raise wrong(f"{quoted(self.url)} takes its host from an answer", "use `{name}` after the host only")
        return self

    @cached_property
    def method(self) -> str:
        """The method, in small letters."""
        return next(method for method in METHODS if getattr(self, method) is not None)

    @cached_property
    def url(self) -> str:
        """The address, its references not replaced yet."""
        return str(getattr(self, self.method))

    @property
    def whole(self) -> bool:
        """Tell whether the address is one captured value as a whole, such as a link found in a page."""
        return REFERENCE.fullmatch(self.url) is not None

    def texts(self) -> Iterator[Any]:
        """Yield every text of the step that may refer to a captured value."""
        yield self.url
        yield self.json_
        yield from (value.reveal() for value in (self.form or {}).values())
        yield from (value.reveal() for value in self.headers.values())
        if self.body is not None:
            yield self.body.reveal()

    def filled(self, values: Mapping[str, str]) -> Payload:
        """Return what the step carries, its references replaced."""
        form = None if self.form is None else {n: Secret(fill(v.reveal(), values)) for n, v in self.form.items()}
        body = None if self.body is None else Secret(fill(self.body.reveal(), values))
        return Payload(body=body, form=form, json=fill_tree(self.json_, values))


class ScenarioOptions(WebOptions):
    """The options of the scenario probe: those of http for all steps, and the steps."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=STEPS_MAX)]

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        known: set[str] = set()
        for name, step in self.named:
            for used in (used for text in step.texts() for used in names_in(text)):
                if used not in known:
                    hint = did_you_mean(used, known) or "capture it in an earlier step, or write `{{…}}` for braces"
                    raise wrong(f"step {quoted(name)}: no earlier step captures `{used}`", hint)
            known |= step.capture.keys()
        names = [name for name, _ in self.named]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise wrong(f"two steps are named {quoted(twice[0])}")
        if self.steps[0].whole:
            raise wrong("the first step has no address of its own")
        return self

    @cached_property
    def named(self) -> tuple[tuple[str, Step], ...]:
        """The steps with their names; one without is called by its number."""
        return tuple((step.name or str(number), step) for number, step in enumerate(self.steps, 1))

    @cached_property
    def first(self) -> Link:
        """The address of the first step, which can refer to nothing yet."""
        return Link.parse(fill(self.steps[0].url, {}))

    @cached_property
    def servers(self) -> frozenset[tuple[str, str, int]]:
        """The servers that the configuration itself names."""
        links = [Link.parse(REFERENCE.sub("x", step.url)) for step in self.steps if not step.whole]
        return frozenset((link.scheme, link.host, link.port) for link in links)

    def targets(self) -> tuple[str, ...]:
        """Name the server the scenario begins at."""
        return (self.first.authority,)


async def run(options: ScenarioOptions, sight: Sight) -> None:
    """Take the steps one after the other, until one fails. The caller sets the time limit for all.

    Raises:
        Failed: one of ``REASONS``; the detail names the step.
    """
    for name, _ in options.named:
        sight.gauge("probe_step_success", 0, step=name)
    values: dict[str, str] = {}
    with Session(sight, options.settings) as session:
        here = options.first
        for name, step in options.named:
            began = time.perf_counter()
            sight.fact(f"step {name}")
            try:
                here = await _take(options, step, Walk(sight, session, values, here))
            except Failed as failure:
                raise Failed(failure.reason, f"step {name!r}: {failure.detail}") from failure
            finally:
                sight.gauge("probe_step_duration_seconds", time.perf_counter() - began, step=name)
            sight.gauge("probe_step_success", 1, step=name)


class Walk:
    """Where a run stands: what it has captured and where it has come to."""

    def __init__(self, sight: Sight, session: Session, values: dict[str, str], here: Link) -> None:
        self.sight = sight
        self.session = session
        self.values = values
        self.here = here


async def _take(options: ScenarioOptions, step: Step, walk: Walk) -> Link:
    """Take one step, and return where it ended."""
    answer = await walk.session.fetch(_request(options, step, walk))
    judge(step.expect, answer)
    check_cert(walk.sight, walk.session, answer, step.expect)
    for name, capture in step.capture.items():
        await asyncio.sleep(0)  # A large page takes a while each time: the others have their turn in between.
        walk.values[name] = capture.find(answer, walk.session.cookies())
    return answer.link


def _request(options: ScenarioOptions, step: Step, walk: Walk) -> Request:
    """Make the request of a step.

    Raises:
        Failed: ``capture`` a captured address is none, or would be sent what it is not trusted with.
    """
    try:
        if step.whole:
            link = walk.here.follow(fill(step.url, walk.values))
        else:
            link = Link.parse(fill(step.url, walk.values, lambda value: quote(value, safe="")))
    except ValueError as error:
        raise Failed("capture", f"the captured address cannot be used: {error}") from error
    headers = {name: Secret(fill(value.reveal(), walk.values)) for name, value in step.headers.items()}
    request = options.request(step.method.upper(), link, step.filled(walk.values), headers)
    if (link.scheme, link.host, link.port) in options.servers:
        return request
    if request.body is not None or request.secret:
        raise Failed("capture", f"the captured address leads to {link.shown}, which is not among the steps' servers")
    return request


KIND = ProbeKind("scenario", ScenarioOptions, run, REASONS, "probe_http_duration_seconds", functional=True)
