"""Opsgenie's search language: ``status:open AND (priority:P1 OR tag:"a b")``; what is not understood is refused.

See <https://support.atlassian.com/opsgenie/docs/search-queries-for-alerts/>.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentinel.intake.opsgenie.bodies import Wrong
from sentinel.messages.clean import one_line

QUERY_MAX_CHARS: Final = 1_000
DEPTH_MAX: Final = 20
SHOWN_MAX_CHARS: Final = 60

Found = Mapping[str, Any]  # An alert as it is shown.
Test = Callable[[Found], bool]

_TOKEN: Final = re.compile(
    r"""\s*(?: (?P<open>\() | (?P<close>\)) | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<operator><=|>=|!=|[:=<>])
          | (?P<word>[^\s()":=<>!][^\s()":=<>]*) )""",
    re.VERBOSE,
)


def _ms(name: str) -> Callable[[Found], Iterable[Any]]:
    return lambda alert: (alert["times"].get(name),)


def _plain(*path: str) -> Callable[[Found], Iterable[Any]]:
    def value(alert: Found) -> Iterable[Any]:
        found: Any = alert
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return (found,)

    return value


# What each field of a query looks at; names without regard to case.
FIELDS: Final[dict[str, Callable[[Found], Iterable[Any]]]] = {
    "createdat": _ms("createdAt"),
    "updatedat": _ms("updatedAt"),
    "lastoccurredat": _ms("lastOccurredAt"),
    "snoozeduntil": _ms("snoozedUntil"),
    "alertid": _plain("id"),
    "id": _plain("id"),
    "tinyid": _plain("tinyId"),
    "alias": lambda alert: (alert["alias"],) if alert["status"] == "open" else (),
    "count": _plain("count"),
    "message": _plain("message"),
    "description": _plain("description"),
    "source": _plain("source"),
    "entity": _plain("entity"),
    "status": _plain("status"),
    "owner": _plain("owner"),
    "acknowledgedby": _plain("report", "acknowledgedBy"),
    "closedby": _plain("report", "closedBy"),
    "recipients": lambda alert: [one.get("name") or one.get("username") for one in alert["named"]],
    "responders": lambda alert: [one.get("name") or one.get("username") for one in alert["named"]],
    "teams": lambda alert: [one.get("name") for one in alert["named"] if one["type"] == "team"],
    "isseen": _plain("isSeen"),
    "acknowledged": _plain("acknowledged"),
    "snoozed": _plain("snoozed"),
    "integration.name": _plain("integration", "name"),
    "integration.type": _plain("integration", "type"),
    "tag": lambda alert: alert["tags"],
    "tags": lambda alert: alert["tags"],
    "actions": lambda alert: alert["actions"],
    "details.key": lambda alert: list(alert["details"]),
    "details.value": lambda alert: list(alert["details"].values()),
    "priority": _plain("priority"),
}
PARTS: Final = frozenset({"message", "description", "details.value"})  # Of which a word is enough.


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query."""

    kind: str
    text: str

    def is_word(self, word: str) -> bool:
        """Tell whether it is one of the words that join conditions."""
        return self.kind == "word" and self.text.upper() == word


def parse(text: str) -> Test:
    """Return what tells whether an alert is asked for; an empty query asks for all.

    Raises:
        Wrong: 422 it is not understood.
    """
    if len(text) > QUERY_MAX_CHARS:
        raise Wrong(422, f"Query is longer than {QUERY_MAX_CHARS} characters")
    tokens = _tokens(text)
    if not tokens:
        return lambda _alert: True
    parser = _Parser(tokens)
    found = parser.either(0)
    if parser.next is not None:
        raise parser.lost("an operator or the end")
    return found


def _tokens(text: str) -> list[Token]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise Wrong(422, f"Query is not understood from: {_shown(text[at:])}")
        kind = str(match.lastgroup)
        said = match[kind]
        found.append(Token(kind, re.sub(r"\\(.)", r"\1", said) if kind == "quoted" else said))
        at = match.end()
    return found


def _shown(text: str) -> str:
    return one_line(text, SHOWN_MAX_CHARS)


class _Parser:
    """Reads tokens from left to right: OR binds least, then AND, then NOT; two conditions side by side are AND."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> Token | None:
        token = self.next
        self._at += 1
        return token

    def lost(self, wanted: str) -> Wrong:
        token = self.next
        where = f"at: {_shown(token.text)}" if token is not None else "at its end"
        return Wrong(422, f"Query is not understood {where}; wanted {wanted}")

    def either(self, depth: int) -> Test:
        if depth > DEPTH_MAX:
            raise Wrong(422, f"Query is nested more than {DEPTH_MAX} deep")
        tests = [self._both(depth)]
        while self.next is not None and self.next.is_word("OR"):
            self.take()
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else lambda alert: any(test(alert) for test in tests)

    def _both(self, depth: int) -> Test:
        tests = [self._not(depth)]
        while self.next is not None and self.next.kind != "close" and not self.next.is_word("OR"):
            if self.next.is_word("AND"):
                self.take()
            tests.append(self._not(depth))
        return tests[0] if len(tests) == 1 else lambda alert: all(test(alert) for test in tests)

    def _not(self, depth: int) -> Test:
        negated = False
        while self.next is not None and self.next.is_word("NOT"):
            self.take()
            negated = not negated
        test = self._condition(depth)
        return (lambda alert: not test(alert)) if negated else test

    def _condition(self, depth: int) -> Test:
        token = self.next
        if token is None or token.kind in {"close", "operator"} or token.is_word("AND") or token.is_word("OR"):
            raise self.lost("a condition such as status:open")
        self.take()
        if token.kind == "open":
            test = self.either(depth + 1)
            self._close()
            return test
        operator = self.next
        if operator is None or operator.kind != "operator":
            return _compare("message", ":", token.text)  # A word alone stands in the message.
        if token.kind == "quoted" or token.text.lower() not in FIELDS:
            raise Wrong(422, f"Query has an unknown field: {_shown(token.text)}; known: {', '.join(FIELDS)}")
        self.take()
        return self._values(token.text.lower(), operator.text, depth)

    def _values(self, name: str, operator: str, depth: int) -> Test:
        """Return the test of a field against a value, or any of several: ``tag: (a OR b)``."""
        value = self.next
        if value is not None and value.kind == "open" and depth <= DEPTH_MAX:
            self.take()
            tests = [self._value(name, operator)]
            while self.next is not None and self.next.is_word("OR"):
                self.take()
                tests.append(self._value(name, operator))
            self._close()
            return lambda alert: any(test(alert) for test in tests)
        return self._value(name, operator)

    def _value(self, name: str, operator: str) -> Test:
        if self.next is None or self.next.kind not in {"word", "quoted"}:
            raise self.lost(f"a value of {name}")
        value = self.take()
        assert value is not None, "it was looked at"
        return _compare(name, operator, value.text)

    def _close(self) -> None:
        if self.next is None or self.next.kind != "close":
            raise self.lost("a closing parenthesis")
        self.take()


def _compare(name: str, operator: str, text: str) -> Test:
    values = FIELDS[name]
    if operator in {"<", ">", "<=", ">="}:
        limit = _number(text)
        if limit is None:
            raise Wrong(422, f"Query compares {name} with what is no number: {_shown(text)}")
        holds = _ORDERED[operator]
        return lambda alert: any(
            (number := _number(value)) is not None and holds(number, limit) for value in values(alert)
        )
    wanted = _pattern(text, part=name in PARTS)
    found: Test = lambda alert: any(wanted(value) for value in values(alert))  # noqa: E731
    return (lambda alert: not found(alert)) if operator == "!=" else found


_ORDERED: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
}


def _number(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _pattern(text: str, *, part: bool) -> Callable[[Any], bool]:
    """Return what compares without regard to case; ``*`` stands for anything, of a ``part`` a piece is enough."""
    pieces = text.casefold().split("*")

    def fits(value: Any) -> bool:
        if value is None:
            return False
        said = ("true" if value else "false") if isinstance(value, bool) else str(value).casefold()
        if len(pieces) == 1:
            return pieces[0] in said if part else said == pieces[0]
        if not said.startswith(pieces[0]) or not said.endswith(pieces[-1]):
            return False
        at, end = len(pieces[0]), len(said) - len(pieces[-1])
        for piece in pieces[1:-1]:
            found = said.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= end

    return fits
