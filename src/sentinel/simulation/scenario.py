"""What is to happen in a simulation: what fails, until when, who does what when. Read from a file, or from words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from sentinel.config.base import Section, Text
from sentinel.config.errors import ConfigError, Mistakes, Place
from sentinel.config.explain import Explainer, place_of
from sentinel.config.fields import Duration, OneOrMany, did_you_mean, quoted
from sentinel.config.files import read_regular_file
from sentinel.config.nodes import Mapping as MappingNode
from sentinel.config.nodes import Node, Scalar, Sequence, parse
from sentinel.config.references import References
from sentinel.core.model import Directory
from sentinel.probes.plan import ProbePlan
from sentinel.simulation.acts import ACTS, AFTER_MAX, ActEntry

SCENARIO_MAX_BYTES: Final = 1 << 20

Key = tuple[str, str]  # A probe, and one of its targets.
Within = Annotated[Duration, Field(le=AFTER_MAX)]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody does, so long after T0; ``place`` is where the file says so."""

    kind: str
    entry: ActEntry
    place: Place | None = None

    @property
    def after(self) -> timedelta:
        """Return how long after T0."""
        return self.entry.at


@dataclass(frozen=True, slots=True)
class Scenario:
    """What fails from T0 on; until ``recover``, or until somebody resolves it, or for ever.

    A failing attempt ends for ``reason``, which is a label of its kind of probe, after ``takes``: unless told, at once,
    as when a connection is refused. A target that hangs uses up its time limit.
    """

    fail: tuple[Key, ...]
    recover: timedelta | None = None
    reason: str = ""
    takes: timedelta | None = None
    do: tuple[Act, ...] = ()

    @property
    def ends(self) -> timedelta | None:
        """Return when the fault is over."""
        resolving = [act.after for act in self.do if act.kind == "resolve"]
        return self.recover if self.recover is not None else min(resolving, default=None)


@dataclass(frozen=True, slots=True)
class Known:
    """What a scenario may name."""

    probes: Mapping[str, ProbePlan]
    services: Iterable[str]
    directory: Directory
    reasons: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def targets(self, word: str) -> tuple[Key, ...]:
        """Return what a word names: a probe, one target of it as PROBE/TARGET, or every probe of a service.

        Raises:
            LookupError: nothing, or a probe that never runs; what is wrong, and what was probably meant.
        """
        probe, _, target = word.partition("/")
        if word in self.probes:
            return self._running(word, self.probes[word].targets)
        if target and probe in self.probes:
            targets = self.probes[probe].targets
            if target not in targets:
                raise LookupError(f"the probe `{probe}` has no target {quoted(target)}", did_you_mean(target, targets))
            return self._running(probe, (target,))
        if word in self.services:
            of_it = [plan for plan in self.probes.values() if plan.service == word and not plan.paused]
            if not of_it:
                raise LookupError(f"no probe of the service `{word}` runs", "")
            return tuple((plan.name, target) for plan in of_it for target in plan.targets)
        near = did_you_mean(word, (*self.probes, *self.services))
        raise LookupError(f"there is no probe or service {quoted(word)}", near)

    def _running(self, probe: str, targets: tuple[str, ...]) -> tuple[Key, ...]:
        if self.probes[probe].paused:
            raise LookupError(f"the probe `{probe}` is paused, and cannot fail", "")
        return tuple((probe, target) for target in targets)


class ScenarioFile(Section):
    """The file, but for what people do: each act has fields of its own."""

    fail: OneOrMany[Text] = Field(min_length=1)
    recover: Within | None = None
    reason: Text | None = None
    takes: Duration | None = None
    do: list[Any] = []


def of_words(word: str, known: Known, *, ack_after: timedelta | None, resolve_after: timedelta | None) -> Scenario:
    """Return the scenario of a probe's or a service's name, with who answers when.

    Raises:
        LookupError: there is none of that name; what is wrong, and what was probably meant.
    """
    return Scenario(fail=known.targets(word), do=tuple(answers(ack_after, resolve_after)))


def answers(ack_after: timedelta | None, resolve_after: timedelta | None) -> Iterable[Act]:
    """Yield what ``--ack-after`` and ``--resolve-after`` say."""
    for kind, after in (("acknowledge", ack_after), ("resolve", resolve_after)):
        if after is not None:
            yield Act(kind, ACTS[kind].entry(at=after))


def read(path: Path, known: Known, environ: Mapping[str, str]) -> Scenario:
    """Read a scenario file.

    Raises:
        ConfigError: it cannot be used; all mistakes are told at once.
    """
    mistakes = Mistakes()
    name = str(path)
    references = References(environ, mistakes)
    root = _root(name, mistakes)
    scenario = _Reading(root, known, references, mistakes).scenario() if root else None
    if mistakes or scenario is None:
        raise ConfigError(mistakes.finish((name,), references.values))
    return scenario


def _root(name: str, mistakes: Mistakes) -> MappingNode | None:
    start = Place(name, 1, 1)
    try:
        text = read_regular_file(name, SCENARIO_MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        mistakes.add(start, (), f"cannot be read: {error.strerror}")
        return None
    except UnicodeDecodeError:
        mistakes.add(start, (), "this is not UTF-8 text", "save the file as UTF-8")
        return None
    root = parse(text, name, mistakes)
    if isinstance(root, MappingNode):
        return root
    if not mistakes:
        mistakes.add(root.place if root else start, (), "the file does not hold a mapping", "start with `fail:`")
    return None


@dataclass(frozen=True, slots=True)
class _Reading:
    root: MappingNode
    known: Known
    references: References
    mistakes: Mistakes

    def scenario(self) -> Scenario | None:
        """Return the scenario, or nothing when there are mistakes."""
        written = self._model(self.root, (), ScenarioFile, self.references.plain(self.root))
        acts, fail = self._acts(), self._fail()
        if written is None:
            return None
        if written.reason:
            self._reason(written.reason, fail)
        return Scenario(
            fail=fail, recover=written.recover, reason=written.reason or "", takes=written.takes, do=tuple(acts)
        )

    def _fail(self) -> tuple[Key, ...]:
        """Return what fails, whatever else is wrong with the file."""
        node = self.root.items["fail"][1] if "fail" in self.root.items else None
        several = isinstance(node, Sequence)
        found: dict[Key, None] = {}
        for number, item in enumerate(node.items if isinstance(node, Sequence) else [node]):
            if not isinstance(item, Scalar) or not item.text:
                continue  # Its shape is wrong, which is said already.
            try:
                found.update(dict.fromkeys(self.known.targets(item.text)))
            except LookupError as error:
                self.mistakes.add(item.place, ("fail", number) if several else ("fail",), *error.args)
        return tuple(found)

    def _reason(self, reason: str, fail: tuple[Key, ...]) -> None:
        kinds = dict.fromkeys(self.known.probes[probe].type for probe, _ in fail)
        possible = sorted({label for kind in kinds for label in self.known.reasons.get(kind, ())})
        if kinds and reason not in possible:
            place, _, path, _ = place_of(self.root, ("reason",))
            what = f"none of these probes fails for {quoted(reason)}"
            self.mistakes.add(place, path, what, f"one of {', '.join(possible)}")

    def _acts(self) -> list[Act]:
        node = self.root.items["do"][1] if "do" in self.root.items else None
        items = node.items if isinstance(node, Sequence) else []
        return [act for number, item in enumerate(items) if (act := self._act(item, number))]

    def _act(self, node: Node, number: int) -> Act | None:
        path = ("do", number)
        if not isinstance(node, MappingNode):
            self.mistakes.add(node.place, path, "this is not an act", "write `{at: 15m, act: acknowledge}`")
            return None
        if "act" not in node.items:
            self.mistakes.add(node.place, path, "`act` is missing", f"one of {', '.join(ACTS)}")
            return None
        named = node.items["act"][1]
        word = named.text or "" if isinstance(named, Scalar) else ""
        if word not in ACTS:
            what = f"unknown act {quoted(word) if isinstance(named, Scalar) else 'that'}"
            self.mistakes.add(
                named.place, (*path, "act"), what, did_you_mean(word, ACTS) or f"one of {', '.join(ACTS)}"
            )
            return None
        raw = {key: value for key, value in self.references.plain(node, path).items() if key != "act"}
        entry = self._model(node, path, ACTS[word].entry, raw)
        if entry is None:
            return None
        self._names(entry, node, path)
        return Act(word, entry, node.place)

    def _names(self, entry: ActEntry, node: MappingNode, path: tuple[str, int]) -> None:
        """Say which names nobody has."""
        people = self.known.directory.people
        for key in ("by", "person"):
            name = getattr(entry, key, "")
            if name and name not in people:
                self._nobody(node, (*path, key), f"there is no person {quoted(name)}", did_you_mean(name, people))
        if entry.service and entry.service not in self.known.services:
            near = did_you_mean(entry.service, self.known.services)
            self._nobody(node, (*path, "service"), f"there is no service {quoted(entry.service)}", near)

    def _nobody(self, node: MappingNode, path: tuple[str, int, str], what: str, near: str) -> None:
        self.mistakes.add(place_of(node, path[2:])[0], path, what, near)

    def _model(self, node: Node, path: tuple[str | int, ...], section: type[Any], raw: Any) -> Any:
        try:
            return section.model_validate(raw)
        except ValidationError as error:
            known = [info.alias or name for name, info in section.model_fields.items()]
            Explainer(node, path, self.mistakes).tell(error.errors(include_url=False), lambda _: known)
            return None
