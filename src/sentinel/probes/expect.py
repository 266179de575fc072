"""What is expected of an answer from a web server, and the sentence for the first thing that is not so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from sentinel.config.fields import (
    Comparison,
    Count,
    Duration,
    Flag,
    OneOrMany,
    Regex,
    quoted,
    write_duration,
    wrong,
)
from sentinel.config.words import ReadsText
from sentinel.probes.base import Failed
from sentinel.probes.http_message import Answer
from sentinel.probes.said import clean

SHOWN_MAX_CHARS = 80
HTTP_VERSIONS = {"1.0": "1.0", "1.1": "1.1", "2": "2.0", "3": "3.0"}
REGEX_REASONS = frozenset({"body", "header"})


class Status(ReadsText):
    """A status code, ``204``, or a hundred of them, ``2xx``."""

    _SCHEMA = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[1-5](xx|[0-9]{2})$"}]}
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def read(cls, value: object) -> Status:
        """Read a code or its hundred."""
        text = str(value).strip().lower()
        if not re.fullmatch(r"[1-5](xx|[0-9]{2})", text):
            raise wrong(f"{quoted(value)} is not a status", "write `200` or `2xx`")
        return cls(text)

    def fits(self, status: int) -> bool:
        """Tell whether a status is one of these."""
        return status // 100 == int(self._text[0]) if self._text.endswith("xx") else status == int(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Status) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return self._text

    __str__ = __repr__


class Wanted(ReadsText):
    """What a value in JSON is compared with: a comparison such as ``>= 1``, or a text that must be equal."""

    __slots__ = ("_comparison", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._comparison = Comparison.read(text) if text.lstrip()[:1] in {"<", ">", "=", "!"} else None

    @classmethod
    def read(cls, value: object) -> Wanted:
        """Read a comparison or a text."""
        if not isinstance(value, str):
            raise wrong(f"{quoted(value)} is neither a text nor a comparison")
        return cls(value)

    def holds(self, found: object) -> bool:
        """Tell whether a value is as wanted."""
        if self._comparison is not None:
            return isinstance(found, int | float) and not isinstance(found, bool) and self._comparison.holds(found)
        return spoken(found) == self._text

    def __str__(self) -> str:
        return str(self._comparison) if self._comparison is not None else repr(self._text)


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """A header that must match a pattern, or must not; ``may_lack`` says whether it can be absent."""

    name: str
    pattern: Regex
    unwanted: bool = False
    may_lack: bool = False


class HttpExpect(BaseModel):
    """What must be so of an answer; checked in the order status, headers, body, HTTP version, TLS, time."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    status: OneOrMany[Status] = (Status("2xx"),)
    header: dict[str, Regex] = {}
    header_not: dict[str, Regex] = {}
    header_absent: OneOrMany[str] = ()
    body_contains: OneOrMany[str] = ()
    body_not_contains: OneOrMany[str] = ()
    body_matches: OneOrMany[Regex] = ()
    body_not_matches: OneOrMany[Regex] = ()
    json_: dict[str, Wanted] = Field({}, alias="json")
    http_version: OneOrMany[Literal["1.0", "1.1", "2", "3"]] = ()
    final_url: Regex | None = None
    tls: Flag | None = None
    max_duration: Duration | None = None
    cert_days: Count | None = None

    def header_rules(self) -> tuple[HeaderRule, ...]:
        """What must be so of each header."""
        wanted = (HeaderRule(name, pattern) for name, pattern in self.header.items())
        unwanted = (
            HeaderRule(name, pattern, unwanted=True, may_lack=True) for name, pattern in self.header_not.items()
        )
        return (*wanted, *unwanted)

    @cached_property
    def checks(self) -> tuple[Callable[[HttpExpect, Answer], None], ...]:
        """The checks that have something to check, in their order."""
        asked = {
            _status: True,
            _headers: self.header_rules() or self.header_absent,
            _body: self.body_contains or self.body_not_contains or self.body_matches or self.body_not_matches,
            _json: self.json_,
            _protocol: self.http_version or self.final_url is not None or self.tls is not None,
            _duration: self.max_duration is not None,
        }
        return tuple(check for check, wanted in asked.items() if wanted)

    @field_validator("json_")
    @classmethod
    def _paths(cls, value: dict[str, Wanted]) -> dict[str, Wanted]:
        for path in value:
            if not all(path.split(".")):
                raise wrong(f"{quoted(path)} is not a path", "write it as `status` or `items.0.name`")
        return value


# One for all probes that say nothing: pydantic would copy a default that holds a mapping for each of ten thousand.
AS_USUAL = HttpExpect()


def judge(expect: HttpExpect, answer: Answer) -> None:
    """Check all that an answer alone can show.

    Raises:
        Failed: the first thing that is not as expected; the reason is the name of the check.
    """
    for check in expect.checks:
        check(expect, answer)


def _status(expect: HttpExpect, answer: Answer) -> None:
    if any(status.fits(answer.status) for status in expect.status):
        return
    where = f" at {answer.link.shown}" if answer.redirects else ""
    raise Failed("status", f"expected status {_either(expect.status)}, found {answer.status}{where}")


def _headers(expect: HttpExpect, answer: Answer) -> None:
    for rule in expect.header_rules():
        values = answer.values(rule.name)
        if not values and not rule.may_lack:
            raise Failed("header", f"the answer has no header {rule.name}")
        matched = any(rule.pattern.search(value) for value in values)
        if matched and rule.unwanted:
            raise Failed("header", f"the header {rule.name} matches {_shown(rule.pattern)}")
        if values and not matched and not rule.unwanted:
            raise Failed("header", f"no header {rule.name} matches {_shown(rule.pattern)}")
    for name in expect.header_absent:
        if answer.values(name):
            raise Failed("header", f"the answer has a header {name}")


def _body(expect: HttpExpect, answer: Answer) -> None:
    where = f"the body of {answer.link.shown} ({len(answer.body)} bytes)"
    for part in expect.body_contains:
        if part not in answer.text:
            raise Failed("body", f"{where} does not contain {_shown(part)}")
    for part in expect.body_not_contains:
        if part in answer.text:
            raise Failed("body", f"{where} contains {_shown(part)}")
    for pattern in expect.body_matches:
        if not pattern.search(answer.text):
            raise Failed("body", f"{where} does not match {_shown(pattern)}")
    for pattern in expect.body_not_matches:
        if pattern.search(answer.text):
            raise Failed("body", f"{where} matches {_shown(pattern)}")


def _json(expect: HttpExpect, answer: Answer) -> None:
    if not expect.json_:
        return
    tree = parse_json(answer.text)
    for path, wanted in expect.json_.items():
        found = pick(tree, path)
        if not wanted.holds(found):
            shown = "nothing" if found is MISSING else _shown(spoken(found))
            raise Failed("body", f"expected {path} {wanted} in the JSON, found {shown}")


def _protocol(expect: HttpExpect, answer: Answer) -> None:
    if expect.http_version and answer.version not in {HTTP_VERSIONS[version] for version in expect.http_version}:
        raise Failed("version", f"expected HTTP/{_either(expect.http_version)}, found HTTP/{answer.version}")
    if expect.final_url is not None and not expect.final_url.search(str(answer.link)):
        raise Failed("redirect", f"ended at {answer.link.shown}, which does not match {_shown(expect.final_url)}")
    if expect.tls is not None and expect.tls != answer.link.secure:
        raise Failed("tls", f"{answer.link.shown} is {'' if answer.link.secure else 'not '}encrypted")


def _duration(expect: HttpExpect, answer: Answer) -> None:
    if expect.max_duration is not None and answer.duration_s > expect.max_duration.total_seconds():
        took, limit = f"{answer.duration_s:.2f} s", write_duration(expect.max_duration)
        raise Failed("max_duration", f"{answer.link.shown} took {took}, more than {limit}")


MISSING = object()
INDEX = re.compile(r"[0-9]{1,7}")


# What a tree of JSON takes in memory, from what it is written with, and how much it may take. Bodies of more than
# 1 MiB come in only where the configuration lets them, and get as much more.
JSON_COSTS_BYTES = {"[": 64, "{": 192, ",": 48, ":": 64}
JSON_MAX_BYTES = 6 << 20
JSON_TEXT_CHARS = 1 << 20


def parse_json(text: str) -> Any:
    """Parse a foreign JSON text.

    Raises:
        Failed: ``body`` it is none, nested or numbered beyond reason, or would take more than ``JSON_MAX_BYTES``.
    """
    size_bytes = sum(text.count(sign) * cost_bytes for sign, cost_bytes in JSON_COSTS_BYTES.items())
    if size_bytes * JSON_TEXT_CHARS > JSON_MAX_BYTES * max(JSON_TEXT_CHARS, len(text)):
        raise Failed("body", f"the JSON has too many values for a body of {len(text)} characters")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Failed("body", f"the body is not JSON: {type(error).__name__}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def pick(tree: Any, path: str) -> Any:
    """Return what a dotted path leads to (``items.0.name``), or ``MISSING``."""
    for part in path.split("."):
        if isinstance(tree, dict) and part in tree:
            tree = tree[part]
        elif isinstance(tree, list) and INDEX.fullmatch(part) and int(part) < len(tree):
            tree = tree[int(part)]
        else:
            return MISSING
    return tree


def spoken(value: object) -> str:
    """Write a value of JSON as people write it in a configuration: a text bare, anything else as JSON has it."""
    return value if isinstance(value, str) else "" if value is MISSING else json.dumps(value, ensure_ascii=False)


def _either(allowed: tuple[object, ...]) -> str:
    return " or ".join(str(each) for each in allowed)


def _shown(value: object) -> str:
    return repr(clean(str(value), SHOWN_MAX_CHARS))
