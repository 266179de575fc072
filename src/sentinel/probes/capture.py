"""Values taken out of an answer for the steps that follow: by CSS, pattern, JSON path, header or cookie."""

from __future__ import annotations

import re
from typing import Any, Final

from sentinel.config.fields import Regex, quoted, wrong
from sentinel.config.words import ReadsText
from sentinel.probes.base import Failed
from sentinel.probes.expect import MISSING, parse_json, pick, spoken
from sentinel.probes.http_message import Answer

VALUE_MAX_CHARS: Final = 8192
INPUT_MAX_CHARS: Final = 1 << 20

FORMS = "write `css:input[name=token]@value`, `regex:id=(\\d+)`, `json:a.0.b`, `header:Location` or `cookie:NAME`"
# Half a character, which JSON can spell, cannot be sent to anybody.
UNFIT = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
ATTRIBUTE = re.compile(r"(.+)@([\w:-]+)", re.DOTALL)


class Capture(ReadsText):
    """Where a value is found in an answer: ``css:…@attribute``, ``regex:…``, ``json:…``, ``header:…``, ``cookie:…``."""

    _SCHEMA = {"type": "string", "pattern": "^(css|regex|json|header|cookie):", "description": FORMS}
    __slots__ = ("_attribute", "_how", "_rule", "_source")

    def __init__(self, source: str) -> None:
        self._source = source
        self._how, _, rule = source.partition(":")
        self._attribute = ""
        self._rule: Any = rule.strip()
        if self._how not in FINDERS or not self._rule:
            raise wrong(f"{quoted(source)} is not a capture", FORMS)
        if self._how == "regex":
            self._rule = Regex.read(self._rule)
        elif self._how == "css":
            found = ATTRIBUTE.fullmatch(self._rule)
            selector, self._attribute = (found[1], found[2]) if found else (self._rule, "")
            self._rule = _selector(selector)

    @classmethod
    def read(cls, value: object) -> Capture:
        """Read a capture, and compile what is to be compiled."""
        if not isinstance(value, str):
            raise wrong(f"{quoted(value)} is not a capture", FORMS)
        return cls(value)

    def find(self, answer: Answer, cookies: dict[str, str]) -> str:
        """Return the first value found.

        Raises:
            Failed: ``capture`` there is none, or it is too long or holds control characters.
        """
        if self._how in {"css", "regex", "json"} and len(answer.text) > INPUT_MAX_CHARS:
            raise Failed("capture", f"the page is longer than {INPUT_MAX_CHARS} characters")
        value: str = FINDERS[self._how](self, answer, cookies)
        if not value:
            raise Failed("capture", f"nothing is found by `{self._source}`")
        if len(value) > VALUE_MAX_CHARS or UNFIT.search(value):
            raise Failed("capture", f"what `{self._source}` finds is too long, or holds what is no text")
        return value

    def _css(self, answer: Answer, _cookies: dict[str, str]) -> str:
        element = self._rule.first(answer.page)
        if element is None:
            return ""
        return str(element.get(self._attribute) or "") if self._attribute else str(element.text_content()).strip()

    def _regex(self, answer: Answer, _cookies: dict[str, str]) -> str:
        found = self._rule.search(answer.text)
        return "" if found is None else str(found[1] if found.re.groups else found[0])

    def _json(self, answer: Answer, _cookies: dict[str, str]) -> str:
        value = pick(parse_json(answer.text), self._rule)
        return "" if value is MISSING or value is None else spoken(value)

    def _header(self, answer: Answer, _cookies: dict[str, str]) -> str:
        return answer.header(self._rule) or ""

    def _cookie(self, _answer: Answer, cookies: dict[str, str]) -> str:
        return cookies.get(self._rule, "")

    def __repr__(self) -> str:
        return self._source

    __str__ = __repr__


FINDERS: dict[str, Any] = {
    "css": Capture._css,
    "regex": Capture._regex,
    "json": Capture._json,
    "header": Capture._header,
    "cookie": Capture._cookie,
}


def _selector(text: str) -> Any:
    from sentinel.probes.css import Css  # noqa: PLC0415  half of the kinds never need it

    return Css(text)
