"""Reading the tree into models, entry by entry: one bad entry hides no mistake of another."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, cast

from pydantic import BaseModel, ValidationError

from sentinel.channels.base import ChannelKind
from sentinel.config import model as m
from sentinel.config.base import Section
from sentinel.config.calendars import CalendarEntry
from sentinel.config.contracts import ContractEntry
from sentinel.config.crises import CrisisEntry
from sentinel.config.errors import Mistakes, Path
from sentinel.config.explain import Explainer, place_of
from sentinel.config.fields import Secret
from sentinel.config.header_secrets import written_headers
from sentinel.config.inhibition import InhibitEntry
from sentinel.config.kinds import CHANNELS, PROBES, TICKETS, Kinds, kind_of
from sentinel.config.ladders import LADDERS_MAX, EscalationEntry, InForce, LadderEntry, is_ladders
from sentinel.config.matrices import MatrixEntry
from sentinel.config.nodes import Mapping, Node, Scalar, Sequence
from sentinel.config.portal import StatusPageEntry
from sentinel.config.references import References
from sentinel.config.reporting import ReportEntry
from sentinel.config.rotas import RotaEntry
from sentinel.config.rule_entry import RuleEntry
from sentinel.config.silencing import SilenceEntry
from sentinel.config.telling import RecipientEntry, StepEntry
from sentinel.config.ticketing import Tickets
from sentinel.config.words import quoted
from sentinel.config.zones import zone
from sentinel.probes.base import Options as ProbeOptions
from sentinel.probes.base import ProbeKind
from sentinel.tickets.options import TicketOptions

NAME_MAX_CHARS: Final = 64
ALIKE_MAX: Final = 8  # Of the options that were read last, with which the next are compared.
# What is hidden under these keys must come from a reference; bodies, forms and headers may be plain.
SECRET_KEYS: Final = frozenset({"app_token", "bearer", "client_secret", "credentials", "password", "secret", "token"})

_NAME = re.compile(r"\w[\w.-]*")
_MODEL = TypeVar("_MODEL", bound=BaseModel)
_SECTION = TypeVar("_SECTION", bound=Section)
_Known: TypeAlias = Callable[[Path], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Kinded:
    """An entry with a kind: what all kinds share, the kind's own options, and the text both were read from.

    What ``options`` say of a probe's targets is in ``targets``: ten thousand probes alike may share one of the former.
    """

    kind: ProbeKind | ChannelKind
    shared: Any
    options: Any
    raw: dict[str, Any]
    targets: tuple[str, ...] = ()


@dataclass(slots=True)
class Config:
    """All sections as read; entries that are wrong are missing here, but their names stay in ``names``."""

    root: Mapping
    single: dict[str, Any] = field(default_factory=dict)
    people: dict[str, m.PersonEntry] = field(default_factory=dict)
    groups: dict[str, m.GroupEntry] = field(default_factory=dict)
    services: dict[str, m.ServiceEntry] = field(default_factory=dict)
    escalations: dict[str, EscalationEntry] = field(default_factory=dict)
    calendars: dict[str, CalendarEntry] = field(default_factory=dict)
    sla: dict[str, ContractEntry] = field(default_factory=dict)
    rotas: dict[str, RotaEntry] = field(default_factory=dict)
    matrices: dict[str, MatrixEntry] = field(default_factory=dict)
    crises: dict[str, CrisisEntry] = field(default_factory=dict)
    status_pages: dict[str, StatusPageEntry] = field(default_factory=dict)
    silences: dict[str, SilenceEntry] = field(default_factory=dict)
    channels: dict[str, Kinded] = field(default_factory=dict)
    probes: dict[str, Kinded] = field(default_factory=dict)
    rules: list[tuple[int, RuleEntry]] = field(default_factory=list)
    inhibit: list[tuple[int, InhibitEntry]] = field(default_factory=list)
    recipients: list[tuple[int, RecipientEntry]] = field(default_factory=list)
    reports: list[tuple[int, ReportEntry]] = field(default_factory=list)
    ordered: m.Ordered = field(default_factory=m.Ordered.defaults)
    names: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def site(self) -> m.Site:
        """The site."""
        return cast(m.Site, self.single["site"])

    @property
    def serves_others(self) -> bool:
        """Whether there is work without a probe: other tools say what is wrong, or ask `/probe`."""
        return "intake" in self.root.items or "probe" in self._keys_of("server")

    @property
    def doors(self) -> frozenset[str]:
        """The doors for other tools that are written of, by the keys of `intake`."""
        return self._keys_of("intake")

    def _keys_of(self, section: str) -> frozenset[str]:
        node = self.root.items[section][1] if section in self.root.items else None
        return frozenset(node.items) if isinstance(node, Mapping) else frozenset()

    @property
    def defaults(self) -> m.Defaults:
        """What holds for every probe that does not say otherwise."""
        return cast(m.Defaults, self.single["defaults"])


class Reader:
    """Reads sections, and notes what is wrong with them."""

    def __init__(self, root: Mapping, references: References, mistakes: Mistakes) -> None:
        self.root = root
        self.references = references
        self.mistakes = mistakes
        self.config = Config(root)
        self._context: dict[str, Any] = {}
        self._alike: dict[str, deque[ProbeOptions]] = {}

    def read(self) -> Config:
        """Read everything."""
        config = self.config
        self._top_keys()
        config.single["site"] = self._single("site", m.Site)
        self._context["timezone"] = zone(config.site.timezone)  # All that follows may hold moments of the site.
        for name, single in m.SINGLE.items():
            config.single[name] = config.single.get(name) or self._single(name, single)
        self._whole(m.Version)
        config.ordered = self._whole(m.Ordered) or m.Ordered.defaults()
        for name, entry_model in m.NAMED.items():
            self._named(name, entry_model)
        for name, entry_model in m.LISTED.items():
            self._listed(name, entry_model)
        return config

    def _top_keys(self) -> None:
        for key, (place, _) in self.root.items.items():
            if key not in m.TOP_KEYS:
                self.mistakes.unknown(place, (key,), f"unknown key `{key}`", (key, m.TOP_KEYS))
        if "probes" not in self.root.items and not self.config.serves_others:
            self.mistakes.add(self.root.place, (), "`probes` is missing")

    def _single(self, name: str, section: type[_SECTION]) -> _SECTION:
        if name not in self.root.items:
            return section.defaults()
        node = self.root.items[name][1]
        if isinstance(node, Scalar) and node.text is None:
            return section.defaults()
        read = self._with_mirrors(node) if name == "tickets" else self._validated(node, (name,), section)
        return cast(_SECTION, read) or section.defaults()

    def _with_mirrors(self, node: Node) -> Tickets | None:
        """Read the tickets: first each mirror, in the words of its kind of back-end, then the section around them."""
        path = ("tickets",)
        written = node.items.get("mirror") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping) or written is None or not isinstance(written[1], Sequence):
            return self._validated(node, path, Tickets)
        raw = self.references.plain(Mapping(node.place, {k: v for k, v in node.items.items() if k != "mirror"}), path)
        raw["mirror"] = self._mirrors(written[1], (*path, "mirror"))
        return cast(Tickets | None, self._model(node, path, (Tickets, raw), _known_keys(Tickets, keys_of(Tickets))))

    def _mirrors(self, node: Sequence, path: Path) -> list[TicketOptions]:
        found = []
        for number, item in enumerate(node.items):
            kind = kind_of(item, (*path, number), TICKETS, self.mistakes)
            if kind is not None:
                found.append(self._validated(item, (*path, number), kind.options))
        return [one for one in found if one is not None]

    def _whole(self, section: type[_SECTION]) -> _SECTION | None:
        """Read keys that stand at the top themselves."""
        given = {key: self.root.items[key] for key in section.model_fields if key in self.root.items}
        if not given:
            return section.defaults()
        return self._validated(Mapping(self.root.place, given), (), section)

    def _entries(self, section: str) -> list[tuple[str | int, Node]]:
        if section not in self.root.items:
            return []
        node = self.root.items[section][1]
        if isinstance(node, Scalar) and node.text is None:
            return []
        if section in m.LISTED and isinstance(node, Sequence):
            return list(enumerate(node.items))
        if section in m.NAMED and isinstance(node, Mapping):
            return [(name, entry) for name, (_, entry) in node.items.items()]
        what = "list" if section in m.LISTED else "mapping of names"
        self.mistakes.add(node.place, (section,), f"this is not a {what}")
        return []

    def _named(self, section: str, entry_model: type[BaseModel]) -> None:
        entries = self._entries(section)
        self.config.names[section] = frozenset(str(name) for name, _ in entries)
        read = {"probes": self._probe, "channels": self._channel, "escalations": self._escalation}.get(section)
        into = getattr(self.config, section)
        for name, node in entries:
            path = (section, name)
            self._check_name(str(name), path)
            entry = read(node, path) if read else self._validated(node, path, entry_model)
            if entry is not None:
                into[name] = entry

    def _check_name(self, name: str, path: Path) -> None:
        if not _NAME.fullmatch(name) or len(name) > NAME_MAX_CHARS:
            place = self.root.items[str(path[0])][1].items[name][0]  # type: ignore[union-attr,call-overload]
            what = f"{quoted(name)} is not a name"
            self.mistakes.add(place, path, what, f"letters, digits, `_`, `.`, `-`; at most {NAME_MAX_CHARS}")

    def _listed(self, section: str, entry_model: type[BaseModel]) -> None:
        into = getattr(self.config, section)
        for number, node in self._entries(section):
            entry = self._validated(node, (section, number), entry_model)
            if entry is not None:
                into.append((number, entry))

    def _escalation(self, node: Node, path: Path) -> EscalationEntry | None:
        if isinstance(node, Sequence):
            # Each is read under its own path, so that errors name what is written.
            if is_ladders(node):
                return self._escalated(self._all(node, path, LadderEntry), node, path)
            steps = self._all(node, path, StepEntry)
            if not node.items:
                self.mistakes.add(node.place, path, "the escalation has no steps")
            ladder = LadderEntry.model_construct(name=None, during=InForce("always"), steps=steps) if steps else None
        else:
            ladder = self._validated(node, path, LadderEntry)
        return self._escalated((ladder,) if ladder else (), node, path)

    def _escalated(self, ladders: tuple[LadderEntry, ...], node: Node, path: Path) -> EscalationEntry | None:
        if len(ladders) > LADDERS_MAX:
            self.mistakes.add(node.place, path, f"there are {len(ladders)} ladders", f"at most {LADDERS_MAX}")
        return EscalationEntry.model_construct(ladders=ladders) if ladders else None

    def _all(self, node: Sequence, path: Path, section: type[_MODEL]) -> tuple[_MODEL, ...]:
        """Read the items of a list; nothing when one of them is wrong."""
        found = [self._validated(item, (*path, number), section) for number, item in enumerate(node.items)]
        good = tuple(one for one in found if one is not None)
        return good if len(good) == len(found) else ()

    def _probe(self, node: Node, path: Path) -> Kinded | None:
        return self._kinded(node, path, m.ProbeEntry, PROBES)

    def _channel(self, node: Node, path: Path) -> Kinded | None:
        return self._kinded(node, path, m.ChannelEntry, CHANNELS)

    def _kinded(self, node: Node, path: Path, shared_model: type[Section], table: Kinds) -> Kinded | None:
        kind = kind_of(node, path, table, self.mistakes)
        raw = self.references.plain(node, path)
        if not isinstance(raw, dict):
            return None
        shared_keys, own_keys = keys_of(shared_model), keys_of(kind.options) if kind else frozenset()
        shared_raw = {key: raw[key] for key in raw if key in shared_keys and not _is_kinds_own(key, raw[key], own_keys)}
        own_raw = {key: raw[key] for key in raw if key not in shared_keys or _is_kinds_own(key, raw[key], own_keys)}
        known = _known_keys(kind.options if kind else shared_model, shared_keys | own_keys)
        shared = self._model(node, path, (shared_model, shared_raw), known)
        options = self._model(node, path, (kind.options, own_raw), known) if kind else None
        if kind is None or shared is None or options is None:
            return None
        self._written_secrets(options, node, path)
        if isinstance(kind, ProbeKind):
            return Kinded(kind, shared, self._common(kind.name, options), raw, options.targets())
        return Kinded(kind, shared, options, raw)

    def _common(self, kind: str, options: ProbeOptions) -> ProbeOptions:
        """Return the same object for all probes of a kind that differ only in their targets."""
        common = options.common()
        if common is options:
            return options
        alike = self._alike.setdefault(kind, deque(maxlen=ALIKE_MAX))
        known = next((one for one in alike if one == common), None)
        if known is None:
            alike.append(common)
        return known or common

    def _validated(self, node: Node, path: Path, section: type[_MODEL]) -> _MODEL | None:
        raw = self.references.plain(node, path)
        if raw is None and path[:-1] and path[0] in m.NAMED:
            raw = {}  # `campus:` with nothing behind it
        made = self._model(node, path, (section, raw), _known_keys(section, keys_of(section)))
        return cast("_MODEL | None", made)

    def _model(self, node: Node, path: Path, asked: tuple[type[BaseModel], Any], known: _Known) -> Any:
        section, raw = asked
        try:
            return section.model_validate(raw, context=self._context)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        Explainer(node, path, self.mistakes).tell(errors, known)
        return None

    def _written_secrets(self, options: BaseModel, node: Node, path: Path) -> None:
        for loc in written_secrets(options):
            place, _, found, _ = place_of(node, loc)
            self.mistakes.add(
                place,
                path + found,
                "a secret is written in the file",
                "write `${cred:NAME}`, `${file:PATH}` or `${env:NAME}`",
            )


@cache
def keys_of(section: type[BaseModel]) -> frozenset[str]:
    """Return the keys a model takes, as they are written."""
    return frozenset(info.alias or name for name, info in section.model_fields.items())


def _is_kinds_own(key: str, value: Any, own_keys: frozenset[str]) -> bool:
    """Tell whether a key goes to the kind: `fallback` as a text names another channel, whatever the kind calls so."""
    return key in own_keys and not (key == "fallback" and isinstance(value, str))


def _known_keys(section: type[BaseModel], top: frozenset[str]) -> _Known:
    def known(path: Path) -> Iterable[str]:
        return top if not path else _keys_below(section, path)

    return known


def _keys_below(section: type[BaseModel], path: Path) -> Iterable[str]:
    """Return the keys that the models along a path take; members of unions are all looked into."""
    models: list[type[BaseModel]] = [section]
    for part in path:
        inside = [
            info.annotation for one in models for name, info in one.model_fields.items() if part in {name, info.alias}
        ]
        if inside:
            models = [found for annotation in inside for found in _models_in(annotation)]
    return sorted({key for one in models for key in keys_of(one)})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _models_in(inner)]


@cache
def _may_hold_secrets(section: type[BaseModel]) -> bool:
    return any(
        _mentions_secret(info.annotation) or any(_may_hold_secrets(one) for one in _models_in(info.annotation))
        for info in section.model_fields.values()
    )


def _mentions_secret(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, Secret)
    return any(_mentions_secret(inner) for inner in getattr(annotation, "__args__", ()))


def written_secrets(options: BaseModel, at: Path = ()) -> list[Path]:
    """Return where a password or key stands in the file itself."""
    if not _may_hold_secrets(type(options)):
        return []
    found: list[Path] = []
    for name, info in type(options).model_fields.items():
        value = getattr(options, name)
        path = (*at, info.alias or name)
        if name in SECRET_KEYS and type(value) is Secret and value and not value.referenced:
            found.append(path)
        elif isinstance(value, BaseModel):
            found += written_secrets(value, path)
        elif isinstance(value, dict):
            found += [(*path, header) for header in written_headers(name, value)]
        elif isinstance(value, tuple):
            inner = [(number, one) for number, one in enumerate(value) if isinstance(one, BaseModel)]
            found += [loc for number, one in inner for loc in written_secrets(one, (*path, number))]
    return found
