"""CSS selectors over foreign pages, both within limits: a page decides neither how much is kept nor how long it takes.

The selectors are tried on one element after the other, each try counted. An engine of XPath is no help here: what it
makes of ``div p`` takes seconds for a page that nests as deep as it may, and nobody can stop it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from cssselect import SelectorError, parser
from lxml import etree, html

from sentinel.config.fields import quoted, wrong
from sentinel.probes.base import Failed

PAGE_MAX_CHARS: Final = 1 << 20
# What a page takes as a tree: so much a tag with a word of text, so much an attribute.
TAG_BYTES: Final = 330
ATTRIBUTE_BYTES: Final = 220
TREE_MAX_BYTES: Final = 4 << 20
# The parser beneath compares the attributes of a tag with each other.
ATTRIBUTES_MAX: Final = 500
TRIES_MAX: Final = 100_000
SUPPORTED: Final = (
    "names, `#id`, `.class`, `[attribute]`, the combinators, `:not()`, `:is()`, `:first-child` and its like"
)

_VALUE: Final = re.compile(rb"=\s*(?:\"[^\"]*\"|'[^']*')")
_WORD: Final = re.compile(rb"[^\s/>]+")


class Css:
    """A selector, or several with commas between."""

    def __init__(self, text: str) -> None:
        try:
            self._trees = [each.parsed_tree for each in parser.parse(text.strip()) if not each.pseudo_element]
            plain = len(self._trees) == len(parser.parse(text.strip()))
        except SelectorError as error:
            raise wrong(f"{quoted(text)} is not a CSS selector: {error}") from None
        if not plain or not all(_is_known(tree) for tree in self._trees):
            raise wrong(f"{quoted(text)} uses what is not supported in a CSS selector", f"write {SUPPORTED}")

    def first(self, page: Any) -> Any:
        """Return the first element of a page that fits; None when none does.

        Raises:
            Failed: ``capture`` that took more than ``TRIES_MAX`` tries.
        """
        search = _Search()
        return next((e for e in page.iter("*") if any(search.fits(tree, e) for tree in self._trees)), None)


def parse(text: str) -> Any:
    """Return the root of a page.

    Raises:
        Failed: ``capture`` it is none, or larger than it may be.
    """
    if len(text) > PAGE_MAX_CHARS:
        raise Failed("capture", f"the page is longer than {PAGE_MAX_CHARS} characters")
    content = text.encode("utf-8", "replace")
    _check_tree(content)
    try:
        return html.document_fromstring(
            content, parser=html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False)
        )
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise Failed("capture", "the page is not HTML") from error


def _check_tree(content: bytes) -> None:
    """Count tags and attributes, rather too many than too few, before anything is made of them."""
    import re2  # noqa: PLC0415  half of the kinds never need it

    size_bytes = 0
    # A tag or a comment as browsers see it: a `>` in quotes does not end it, and quotes are quotes behind a `=` only.
    for tag in re2.finditer(rb"""(?s)<[A-Za-z!?](?:=\s*"[^"]*"|=\s*'[^']*'|[^>])*""", content):
        words = sum(1 for _ in islice(_WORD.finditer(_VALUE.sub(b"= ", tag[0])), ATTRIBUTES_MAX + 1))
        size_bytes += TAG_BYTES + (words - 1) * ATTRIBUTE_BYTES
        if words > ATTRIBUTES_MAX:
            raise Failed("capture", f"the page has a tag of more than {ATTRIBUTES_MAX} attributes")
        if size_bytes > TREE_MAX_BYTES:
            raise Failed("capture", f"the page has tags and attributes of more than {TREE_MAX_BYTES >> 20} MiB")


class _Search:
    """Tries a selector on elements, and counts."""

    def __init__(self) -> None:
        self._left = TRIES_MAX

    def fits(self, tree: Any, element: Any) -> bool:
        """Tell whether an element is one that the selector means."""
        self._count()
        return FITS[type(tree)](self, tree, element)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Failed("capture", f"the page takes more than {TRIES_MAX} tries of the selector")

    def _element(self, tree: Any, element: Any) -> bool:
        return tree.element is None or element.tag == tree.element.lower()

    def _class(self, tree: Any, element: Any) -> bool:
        return tree.class_name in (element.get("class") or "").split() and self.fits(tree.selector, element)

    def _hash(self, tree: Any, element: Any) -> bool:
        return element.get("id") == tree.id and self.fits(tree.selector, element)

    def _attribute(self, tree: Any, element: Any) -> bool:
        found = element.get(tree.attrib.lower())
        wanted = "" if tree.value is None else str(tree.value.value)
        return OPERATORS[tree.operator](found, wanted) and self.fits(tree.selector, element)

    def _negation(self, tree: Any, element: Any) -> bool:
        return self.fits(tree.selector, element) and not self.fits(tree.subselector, element)

    def _matching(self, tree: Any, element: Any) -> bool:
        return self.fits(tree.selector, element) and any(self.fits(one, element) for one in tree.selector_list)

    def _pseudo(self, tree: Any, element: Any) -> bool:
        return self.fits(tree.selector, element) and PSEUDO[tree.ident](self, element)

    def _function(self, tree: Any, element: Any) -> bool:
        step, offset = parser.parse_series(tree.arguments)
        at = 1 + self._siblings(element, before=tree.name == "nth-child")
        steps = at - offset
        return self.fits(tree.selector, element) and (steps == 0 if step == 0 else steps % step == 0 <= steps // step)

    def _combined(self, tree: Any, element: Any) -> bool:
        if not self.fits(tree.subselector, element):
            return False
        match tree.combinator:
            case " ":
                return any(self.fits(tree.selector, each) for each in element.iterancestors())
            case ">":
                above = element.getparent()
                return above is not None and self.fits(tree.selector, above)
            case "~":
                return any(self.fits(tree.selector, each) for each in element.itersiblings("*", preceding=True))
        before = next(element.itersiblings("*", preceding=True), None)
        return before is not None and self.fits(tree.selector, before)

    def _siblings(self, element: Any, *, before: bool) -> int:
        count = 0
        for _ in element.itersiblings("*", preceding=before):
            self._count()
            count += 1
        return count

    def is_first(self, element: Any) -> bool:
        """Tell whether no element stands before it under the same one."""
        return next(element.itersiblings("*", preceding=True), None) is None

    def is_last(self, element: Any) -> bool:
        """Tell whether no element stands behind it under the same one."""
        return next(element.itersiblings("*"), None) is None


FITS: dict[type, Callable[[_Search, Any, Any], bool]] = {
    parser.Element: _Search._element,
    parser.Class: _Search._class,
    parser.Hash: _Search._hash,
    parser.Attrib: _Search._attribute,
    parser.Negation: _Search._negation,
    parser.Matching: _Search._matching,
    parser.SpecificityAdjustment: _Search._matching,
    parser.Pseudo: _Search._pseudo,
    parser.Function: _Search._function,
    parser.CombinedSelector: _Search._combined,
}
PSEUDO: dict[str, Callable[[_Search, Any], bool]] = {
    "first-child": _Search.is_first,
    "last-child": _Search.is_last,
    "only-child": lambda search, element: search.is_first(element) and search.is_last(element),
    "checked": lambda _, element: any(element.get(name) is not None for name in ("checked", "selected")),
    "disabled": lambda _, element: element.get("disabled") is not None,
}
FUNCTIONS = frozenset({"nth-child", "nth-last-child"})
OPERATORS: dict[str, Callable[[str | None, str], bool]] = {
    "exists": lambda found, _: found is not None,
    "=": lambda found, wanted: found == wanted,
    "!=": lambda found, wanted: found != wanted,
    "~=": lambda found, wanted: found is not None and wanted in found.split(),
    "|=": lambda found, wanted: found is not None and (found == wanted or found.startswith(f"{wanted}-")),
    "^=": lambda found, wanted: bool(wanted) and found is not None and found.startswith(wanted),
    "$=": lambda found, wanted: bool(wanted) and found is not None and found.endswith(wanted),
    "*=": lambda found, wanted: bool(wanted) and found is not None and wanted in found,
}


def _is_known(tree: Any) -> bool:
    """Tell whether every part of a selector is one of those above."""
    if getattr(tree, "namespace", None):
        return False
    if isinstance(tree, parser.Pseudo) and tree.ident not in PSEUDO:
        return False
    if isinstance(tree, parser.Function) and not _is_series(tree):
        return False
    inner = [getattr(tree, name) for name in ("selector", "subselector") if hasattr(tree, name)]
    return type(tree) in FITS and all(_is_known(each) for each in (*inner, *getattr(tree, "selector_list", ())))


def _is_series(tree: Any) -> bool:
    try:
        parser.parse_series(tree.arguments)
    except ValueError:
        return False
    return tree.name in FUNCTIONS
