"""Inhibition: a failure that explains others keeps them from raising incidents of their own (rule SRC-8)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sentinel.core.matching import like


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """Which signals are meant: each label has one of the values; ``*`` stands for anything, a missing one is empty."""

    labels: dict[str, tuple[str, ...]] = {}

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a signal with these labels is meant."""
        return all(any(like(labels.get(name, ""), value) for value in values) for name, values in self.labels.items())


class Inhibit(msgspec.Struct, frozen=True, kw_only=True):
    """While a signal that ``when`` means fails, those that ``mute`` means are explained by it.

    Both must have the same values of the labels ``equal``. What is muted is written into the incident that explains
    it when ``annotate`` says so.
    """

    name: str
    when: Selector
    mute: Selector
    equal: tuple[str, ...] = ()
    annotate: bool = True


class Explanation(msgspec.Struct, frozen=True):
    """Why a signal is muted: the key of the one that explains it, and whether it is written down there."""

    key: str
    annotate: bool


class Standing:
    """The signals that fail now, arranged so that an explanation is found without looking at all of them."""

    def __init__(self, rules: tuple[Inhibit, ...] = ()) -> None:
        self.rules = rules
        self._failing: dict[str, Mapping[str, str]] = {}
        # For each rule: the values of its `equal` labels to the signals that have them, and whether it mutes these too.
        self._explaining: list[dict[tuple[str, ...], dict[str, bool]]] = [{} for _ in rules]

    def put(self, key: str, labels: Mapping[str, str]) -> None:
        """Take a signal that fails."""
        if key in self._failing:
            self.drop(key)
        self._failing[key] = labels
        for rule, explaining in zip(self.rules, self._explaining, strict=True):
            if rule.when.holds(labels):
                explaining.setdefault(_values(rule, labels), {})[key] = rule.mute.holds(labels)

    def drop(self, key: str) -> None:
        """Let go of a signal that fails no more."""
        labels = self._failing.pop(key, None)
        if labels is None:
            return
        for rule, explaining in zip(self.rules, self._explaining, strict=True):
            values = _values(rule, labels)
            held = explaining.get(values)
            if held is not None and held.pop(key, None) is not None and not held:
                del explaining[values]

    def explains(self, key: str, labels: Mapping[str, str]) -> Explanation | None:
        """Return what explains a signal, by the first rule that says so; nothing explains itself.

        What a rule means on both sides is never muted by another one of that sort: two would mute each other.
        """
        for rule, explaining in zip(self.rules, self._explaining, strict=True):
            if not explaining or not rule.mute.holds(labels):
                continue
            both = rule.when.holds(labels)
            for source, source_both in explaining.get(_values(rule, labels), {}).items():
                if source != key and not (both and source_both):
                    return Explanation(source, rule.annotate)
        return None


def _values(rule: Inhibit, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
