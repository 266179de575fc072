"""Texts in Jira: documents in version 3 of its interface (Atlassian Document Format), wiki text before."""

from __future__ import annotations

import re
from typing import Any, Final

from sentinel.tickets.marks import comment_of

DEPTH_MAX: Final = 20
_BLOCKS: Final = frozenset(
    {"paragraph", "heading", "blockquote", "listItem", "codeBlock", "panel", "rule", "tableRow", "taskItem"}
)
# What stands in a line without a text of its own, and where its words are.
_WORDS_OF: Final = {"mention": "text", "emoji": "shortName", "inlineCard": "url", "status": "text", "date": "timestamp"}
_MARKUP: Final = re.compile(r"([\\{}\[\]*_!|])")
_ESCAPED: Final = re.compile(r"\\([\\{}\[\]*_!|])")
_LINK: Final = re.compile(r"(https?://\S+)")


def document(text: str) -> dict[str, Any]:
    """Return a text as a document: a paragraph for each block, its lines kept, addresses as links."""
    blocks = [block.split("\n") for block in re.split(r"\n{2,}", text.strip("\n")) if block]
    paragraphs = [{"type": "paragraph", "content": _lines(lines)} for lines in blocks]
    return {"type": "doc", "version": 1, "content": paragraphs}


def _lines(lines: list[str]) -> list[dict[str, Any]]:
    inside: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        inside += [{"type": "hardBreak"}] if number else []
        inside += [_piece(piece) for piece in _LINK.split(line) if piece]  # A text node that is empty is refused.
    return inside


def _piece(piece: str) -> dict[str, Any]:
    link = {"marks": [{"type": "link", "attrs": {"href": piece}}]} if _LINK.fullmatch(piece) else {}
    return {"type": "text", "text": piece, **link}


def wiki(text: str) -> str:
    """Return a text so that nothing in it is taken for markup."""
    return _MARKUP.sub(r"\\\1", text)


def readable(body: Any) -> str:
    """Return what people read in a document, or in a text of the versions before it."""
    if isinstance(body, str):
        return comment_of(_ESCAPED.sub(r"\1", body))
    return comment_of(_read(body, 0))


def _read(node: Any, depth: int) -> str:
    if not isinstance(node, dict) or depth > DEPTH_MAX:
        return ""
    kind = node.get("type")
    if kind == "text":
        return str(node.get("text", ""))
    if kind == "hardBreak":
        return "\n"
    if kind in _WORDS_OF:
        attributes = node.get("attrs")
        return str(attributes.get(_WORDS_OF[kind], "")) if isinstance(attributes, dict) else ""
    content = node.get("content")
    inside = "".join(_read(one, depth + 1) for one in content) if isinstance(content, list) else ""
    return f"{inside}\n" if kind in _BLOCKS else inside
