"""The http probe: one request to a web server, redirects followed, the answer compared with what is expected."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from sentinel.config.fields import OneOrMany, Url, wrong
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.expect import AS_USUAL, REGEX_REASONS, HttpExpect, judge
from sentinel.probes.http_answer import AT_FIRST_0, REASONS, check_cert
from sentinel.probes.http_fetch import Session
from sentinel.probes.http_message import LINKS_KEPT_MAX, Request, link_of
from sentinel.probes.http_options import Payload, WebOptions, check_link
from sentinel.probes.targets import TARGETS_MAX, check_targets


class HttpOptions(WebOptions, Payload):
    """The options of the http probe: ``url`` or ``targets``, what to send, what to expect."""

    url: Url | None = None
    many: OneOrMany[Url] = Field((), alias="targets", max_length=TARGETS_MAX)
    method: Annotated[str, Field(pattern="^[A-Z]{1,20}$")] = ""
    expect: HttpExpect = Field(default_factory=lambda: AS_USUAL)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.url is not None or self.many:
            check_targets(self.url, self.many)
        else:
            raise wrong("`url` is missing", "write `url: https://…`, or `targets: […, …]`")
        for text in self.targets():
            check_link(text)
        return self

    def asked_of(self, target: str) -> Request:
        """Return the request of a target, which is the same at each run."""
        found = self._made.get(target)
        if found is None:
            found = self.request(self.method or self.usual_method, link_of(target), self)
            if len(self._made) < LINKS_KEPT_MAX:
                self._made[target] = found
        return found

    @cached_property
    def _made(self) -> dict[str, Request]:
        return {}

    def common(self) -> Self:
        """Return these options without their addresses."""
        return self.model_copy(update={"url": None, "many": ()})

    def targets(self) -> tuple[str, ...]:
        """Name each address."""
        return (self.url,) if self.url is not None else self.many


async def run(options: HttpOptions, sight: Sight) -> None:
    """Ask for ``sight.target`` and judge the answer. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    sight.samples |= AT_FIRST_0
    with Session(sight, options.settings) as session:
        answer = await session.fetch(options.asked_of(sight.target))
        try:
            judge(options.expect, answer)
        except Failed as failure:
            sight.gauge("probe_failed_due_to_regex", int(failure.reason in REGEX_REASONS))
            raise
        check_cert(sight, session, answer, options.expect)


KIND = ProbeKind("http", HttpOptions, run, REASONS, "probe_http_duration_seconds", functional=True)
