"""Errors as answers: problem details for programs (RFC 9457), a plain page for people."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import web

from sentinel.core.model import Refused

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 5


class Problem(Exception):  # noqa: N818  it is an answer, not a fault
    """A request that cannot be served; ``detail`` is a sentence for whoever sent it."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.refusal: Refused | None = None  # What of it pages can say in another language.
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Details(msgspec.Struct, frozen=True):
    """The body of an error; ``type`` is about:blank since the status says it all."""

    title: str
    status: int
    detail: str
    type: str = "about:blank"


def answer(problem: Problem) -> web.Response:
    """Write a problem as a response for programs."""
    details = Details(title=HTTPStatus(problem.status).phrase, status=problem.status, detail=problem.detail)
    return web.Response(
        body=msgspec.json.encode(details),
        status=problem.status,
        content_type=PROBLEM_TYPE,
        headers=problem.headers,
    )
