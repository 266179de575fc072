"""What a query of Prometheus names: enough of the language for our own rules and dashboards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TEXT = re.compile(r"\"[^\"]*\"|'[^']*'")
SELECTOR = re.compile(r"(?P<metric>[a-zA-Z_:][\w:]*)\s*\{(?P<labels>[^}]*)\}")
GROUPING = re.compile(r"\b(?P<word>by|without|on|ignoring|group_left|group_right)\s*\((?P<labels>[^)]*)\)")
RANGE = re.compile(r"\[[^\]]*\]")
NAME = re.compile(r"(?<![\w:.$])[a-zA-Z_:][\w:]*(?!\w|\s*\()")
LABEL = re.compile(r"[a-zA-Z_]\w*")
WORDS = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True)
class Named:
    """The metrics of a query, the labels by which it chooses among one of them, and those by which it groups."""

    metrics: frozenset[str]
    chosen: frozenset[tuple[str, str]]
    grouped: frozenset[str]


def named(query: str) -> Named:
    """Read a query."""
    bare = RANGE.sub("", TEXT.sub("", query))
    chosen = {(found["metric"], label) for found in SELECTOR.finditer(bare) for label in LABEL.findall(found["labels"])}
    bare = SELECTOR.sub(lambda found: found["metric"], bare)
    grouped = {label for found in GROUPING.finditer(bare) for label in LABEL.findall(found["labels"])}
    bare = GROUPING.sub("", bare)
    metrics = set(NAME.findall(bare)) - WORDS
    return Named(frozenset(metrics), frozenset(chosen), frozenset(grouped))


def legend_labels(legend: str) -> Iterator[str]:
    """Yield the labels that a legend, or a sentence of a rule, fills in."""
    yield from re.findall(r"\{\{\s*(?:\$labels\.)?([a-zA-Z_]\w*)\s*\}\}", legend)
