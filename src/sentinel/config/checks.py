"""What must fit together: every reference leads somewhere, every step reaches somebody, nothing goes in circles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, cast

from sentinel import probes as probe_kinds
from sentinel.config import crisis_checks, ladder_checks, matrix_checks, review_checks
from sentinel.config import model as m
from sentinel.config.calendars import NAMES as CALENDARS
from sentinel.config.errors import Mistakes, Path, Place
from sentinel.config.explain import key_place, place_of
from sentinel.config.quantities import write_duration
from sentinel.config.rule_entry import RuleMatch
from sentinel.config.sections import Config
from sentinel.config.subject_checks import FAULTS, WARNINGS
from sentinel.config.support import SupportEntry
from sentinel.config.timing import Timing, timing_of
from sentinel.config.watchdog import Watchdog
from sentinel.config.ways import address_of
from sentinel.config.words import quoted
from sentinel.core.matching import like
from sentinel.probes.base import ProbeKind
from sentinel.rules import calendar_of

CRITICAL_INTERVAL_MAX: Final = timedelta(minutes=5)
DETECTION_USUAL_MAX: Final = timedelta(minutes=5, seconds=30)
NAMED_MAX: Final = 5
DEFAULT_ESCALATION: Final = "default"
DOORS_FOR_ALERTS: Final = frozenset({"alertmanager", "dynatrace", "opsgenie", "pagerduty", "hooks"})
# What the option `as` of a channel says of the address it wants.


class Checker:
    """Compares the sections with each other, once each has been read."""

    def __init__(self, config: Config, mistakes: Mistakes, warnings: Mistakes) -> None:
        self.config = config
        self.mistakes = mistakes
        self.warnings = warnings
        self._way_of = {name: address_of(entry) for name, entry in config.channels.items()}

    def check(self) -> None:
        """Note everything that does not fit."""
        for faults in FAULTS:
            for fault in faults(self.config):
                self._wrong(*fault)
        self._fillers()
        self._people_and_groups()
        self._channels()
        self._services()
        self._support()
        self._rules()
        self._escalations()
        self._recipients()
        self._reports()
        self._watchdog()
        self._probes()
        self._heard()
        self._doubtful()

    # --------------------------------------------------------------------------------------------------- small helpers

    def _place(self, *path: str | int) -> Place:
        return place_of(self.config.root, path)[0]

    def _wrong(self, path: Path, text: str, suggestion: str = "") -> None:
        place, _, found, _ = place_of(self.config.root, path)
        self.mistakes.add(place, found, text, suggestion)

    def _named(self, section: str, word: str, path: Path) -> bool:
        """Check a reference to an entry of a section; an entry that is itself wrong still counts."""
        known = self.config.names[section]
        if word in known:
            return True
        what = {"people": "person"}.get(section, section.removesuffix("s"))
        place, _, found, _ = place_of(self.config.root, path)
        self.mistakes.unknown(place, found, f"unknown {what} {quoted(word)}", (word, sorted(known)))
        return False

    def _audience(self, word: str, path: Path) -> bool:
        kind, colon, name = word.rpartition(":")
        if kind == "matrix":
            fault = matrix_checks.audience_fault(self.config, word, path)
            if fault:
                self._wrong(*fault)
            return fault is None
        if colon and kind not in {"group", "rota"}:
            known = "write a person, `group:NAME`, `rota:NAME` or `matrix:NAME/LEVEL`"
            self._wrong(path, f"{quoted(word)} is not an audience", known)
            return False
        if colon:
            return self._named(f"{kind}s", name, path)
        if word not in self.config.names["people"] and word in self.config.names["groups"]:
            self._wrong(path, f"unknown person {quoted(word)}", f"write `group:{word}`")
            return False
        return self._named("people", word, path)

    def _each(self, words: Iterable[str], path: Path) -> Iterator[tuple[str, Path]]:
        return ((word, (*path, number)) for number, word in enumerate(words))

    # ---------------------------------------------------------------------------------------- people, groups, channels

    def _people_and_groups(self) -> None:
        for name, person in self.config.people.items():
            for channel, path in self._each(person.by, ("people", name, "by")):
                if self._named("channels", channel, path):
                    self._fits(name, channel, path)
        for name, group in self.config.groups.items():
            for member, path in self._each(group.members, ("groups", name, "members")):
                kind, _, rota = member.rpartition(":")
                self._named("rotas" if kind == "rota" else "people", rota if kind == "rota" else member, path)

    def _fits(self, person: str, channel: str, path: Path) -> None:
        wanted = self._way_of.get(channel, "")
        entry = self.config.people.get(person)
        if entry is not None and wanted and not getattr(entry, wanted):
            self._wrong(
                path, f"{quoted(person)} has no `{wanted}`, which `{channel}` needs", f"add it at people.{person}"
            )

    def _channels(self) -> None:
        for name, entry in self.config.channels.items():
            fallback = cast(m.ChannelEntry, entry.shared).fallback
            if fallback and self._named("channels", fallback, ("channels", name, "fallback")):
                self._fallback_ends(name)

    def _fallback_ends(self, name: str) -> None:
        seen = [name]
        while (entry := self.config.channels.get(seen[-1])) is not None and entry.shared.fallback:
            if entry.shared.fallback == name:
                self._wrong(
                    ("channels", name, "fallback"), f"the fallbacks go in a circle: {' → '.join([*seen, name])}"
                )
                return
            if entry.shared.fallback in seen:
                return  # It is told where the circle is.
            seen.append(entry.shared.fallback)

    # ----------------------------------------------------------------------------------------- services, rules, probes

    def _services(self) -> None:
        for name, service in self.config.services.items():
            if service.escalation:
                self._named("escalations", service.escalation, ("services", name, "escalation"))
            for channel, path in self._each(service.carries, ("services", name, "carries")):
                self._named("channels", channel, path)
            for role, audiences in service.contacts.items():
                for word, path in self._each(audiences, ("services", name, "contacts", role)):
                    self._audience(word, path)

    def _support(self) -> None:
        support = cast(SupportEntry, self.config.single["support"])
        for service, path in self._each(support.services, ("support", "services")):
            self._named("services", service, path)
        if support.key is not None and not (support.services or self.config.names["services"]):
            self._wrong(("support",), "there is no service to report about", "write one under `services`")

    def _rules(self) -> None:
        kinds = {*probe_kinds.KINDS, *probe_kinds.ALIASES}
        catch_all: tuple[str, Place] | None = None
        for number, rule in self.config.rules:
            path: Path = ("rules", number)
            shown = quoted(rule.name or f"rules.{number}")
            if catch_all is not None:
                what = f"rule {shown} is never reached: {catch_all[0]} before it takes everything"
                self.warnings.add(self._place(*path), path, what, "move it up")
            elif rule.match == RuleMatch() and rule.when is None and not rule.for_:
                catch_all = (shown, self._place(*path))
            for section, known in (("probe", self.config.names["probes"]), ("service", self.config.names["services"])):
                self._patterns(section, getattr(rule.match, section), known, (*path, "match", section))
            self._patterns("type", rule.match.type, kinds, (*path, "match", "type"))
            self._reasons(rule.match, (*path, "match", "reason"))
            calendars = self.config.names["calendars"] | CALENDARS
            words = (calendar_of(word) for word in rule.match.during)
            self._patterns("calendar", words, calendars, (*path, "match", "during"))
            if rule.group:
                group = (
                    rule.group
                    if ":" in rule.group or rule.group in self.config.names["people"]
                    else f"group:{rule.group}"
                )
                self._audience(group, (*path, "group"))

    def _patterns(self, what: str, words: Iterable[str], known: Iterable[str], path: Path) -> None:
        names = frozenset(known)
        for word, at in self._each(words, path):
            if not word or word in names or ("*" in word and any(like(name, word) for name in names)):
                continue
            place, _, found, _ = place_of(self.config.root, at)
            self.mistakes.unknown(place, found, f"unknown {what} {quoted(word)}", (word, sorted(names)))

    def _reasons(self, match: RuleMatch, path: Path) -> None:
        kinds = {entry.kind.name: cast(ProbeKind, entry.kind) for entry in self.config.probes.values()}
        known = frozenset(reason for kind in kinds.values() for reason in kind.reasons)
        if not known or (match.source and "probe" not in match.source):
            return
        for word, at in self._each(match.reason, path):
            if not any(like(reason, word) for reason in known):
                place, _, found, _ = place_of(self.config.root, at)
                self.warnings.unknown(
                    place, found, f"no probe here fails for the reason {quoted(word)}", (word, sorted(known))
                )

    def _probes(self) -> None:
        self._watched_at_all()
        level_3 = frozenset(probe for _, rule in self.config.rules if rule.level == 3 for probe in rule.match.probe)
        slow: dict[timedelta, list[str]] = defaultdict(list)
        for name, entry in self.config.probes.items():
            shared = cast(m.ProbeEntry, entry.shared)
            if shared.service:
                self._named("services", shared.service, ("probes", name, "service"))
            timing = timing_of(shared, self.config.defaults)
            self._timing(name, timing)
            if cast(ProbeKind, entry.kind).passive:
                continue
            if (shared.critical or name in level_3) and timing.interval > CRITICAL_INTERVAL_MAX:
                self._too_rare(name, timing)
            if timing.worst_case > DETECTION_USUAL_MAX:
                slow[timing.worst_case].append(name)
        self._slow(slow)

    def _watched_at_all(self) -> None:
        given = "probes" in self.config.root.items and not self.config.serves_others
        if given and not self.config.names["probes"]:
            self._wrong(("probes",), "there is no probe", "write `NAME: {type: http, url: …}`")

    def _where(self, name: str, key: str) -> Path:
        given: Path = ("probes", name, key)
        return given if len(place_of(self.config.root, given)[2]) == len(given) else ("probes", name)

    def _too_rare(self, name: str, timing: Timing) -> None:
        # Rule SRC-1: an outage of something critical is ticketed at T0 + 5 min.
        shown = write_duration(timing.interval)
        what = f"'{shown}' is too long for a critical probe"
        path = self._where(name, "interval")
        where = self._place(*path) if path[-1] == "interval" else key_place(self.config.root, path)
        self.mistakes.add(where, path, what, "at most `5m`")

    def _timing(self, name: str, timing: Timing) -> None:
        if timing.timeout > timing.interval:
            long, short = write_duration(timing.timeout), write_duration(timing.interval)
            what = f"the timeout of {long} is longer than the interval of {short}"
            self._wrong(self._where(name, "timeout"), what)
        if timing.need > timing.attempts:
            what = f"{timing.need} failed attempts are needed, but only {timing.attempts} made"
            self._wrong(self._where(name, "confirm"), what, "raise `attempts` or lower `need`")

    def _slow(self, slow: dict[timedelta, list[str]]) -> None:
        for worst, names in slow.items():
            place = key_place(self.config.root, ("probes", names[0]))
            shown = ", ".join(f"`{name}`" for name in names[:NAMED_MAX])
            more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
            what = f"an outage may go unseen for {write_duration(worst)} by {shown}{more}"
            self.warnings.add(place, ("probes", names[0]), what, "shorten `interval`, `timeout` or `confirm`")

    # ----------------------------------------------------------------------------------------------------- who is told

    def _heard(self) -> None:
        """Warn of failures and alerts that would reach nobody: legal, and hardly ever meant."""
        if self.config.recipients or any(rule.group for _, rule in self.config.rules):
            return
        known = self.config.names["escalations"]
        suggestion = f"or write one called `{DEFAULT_ESCALATION}`"
        heard = {DEFAULT_ESCALATION, *(service.escalation for service in self.config.services.values())}
        if self.config.doors & DOORS_FOR_ALERTS and not known & heard:
            place = key_place(self.config.root, ("intake",))
            in_services = f"name an `escalation` in their services, {suggestion}"
            self.warnings.add(place, ("intake",), "nobody is told of alerts", in_services)
        unheard = []
        for name, probe in self.config.probes.items():
            service = self.config.services.get(cast(m.ProbeEntry, probe.shared).service)
            if ((service.escalation if service else "") or DEFAULT_ESCALATION) not in known:
                unheard.append(name)
        if unheard:
            named = ", ".join(f"`{name}`" for name in unheard[:NAMED_MAX])
            more = f" and {len(unheard) - NAMED_MAX} more" if len(unheard) > NAMED_MAX else ""
            place = key_place(self.config.root, ("probes", unheard[0]))
            in_service = f"name an `escalation` in the service, {suggestion}"
            self.warnings.add(place, ("probes", unheard[0]), f"nobody is told when {named}{more} fails", in_service)

    def _escalations(self) -> None:
        for path, step in ladder_checks.steps_of(self.config):
            self._step(step.to, step.by, path)

    def _doubtful(self) -> None:
        for warnings in WARNINGS:
            for path, text, suggestion in warnings(self.config):
                self.warnings.add(self._place(*path), path, text, suggestion)

    def _recipients(self) -> None:
        for number, recipient in self.config.recipients:
            path: Path = ("recipients", number)
            for service, at in self._each(recipient.services, (*path, "services")):
                self._named("services", service, at)
            self._told((recipient.who,), recipient.by, (*path, "who"), path)

    def _reports(self) -> None:
        mails = tuple(name for name, way in self._way_of.items() if way == "email")
        for number, report in self.config.reports:
            path: Path = ("reports", number)
            self._told(report.to, mails, (*path, "to"), path)
            if not mails:
                self._wrong(path, "reports go by mail, and no channel carries mail", "add one of `type: smtp`")

    def _watchdog(self) -> None:
        told = cast(Watchdog, self.config.single["watchdog"]).self_alert
        self._told(told.to, told.by, ("watchdog", "self_alert", "to"), ("watchdog", "self_alert"))

    def _fillers(self) -> None:
        for name, rota in self.config.rotas.items():
            self._told(rota.fill_to, (), ("rotas", name, "fill_to"), ("rotas", name))
        for audiences, path in (*crisis_checks.audiences_of(self.config), *review_checks.audiences_of(self.config)):
            self._told(audiences, (), path, path[:2])

    def _step(self, to: tuple[str, ...], by: tuple[str, ...], path: Path) -> None:
        self._told(to, by, (*path, "to"), path)

    def _told(self, to: tuple[str, ...], by: tuple[str, ...], to_path: Path, path: Path) -> None:
        """Check who is told by what: all must exist, and each person must be reachable by one of the channels."""
        scalar = len(to) == 1 and to_path[-1] == "who"
        known = [
            (word, at)
            for word, at in ([(to[0], to_path)] if scalar else self._each(to, to_path))
            if self._audience(word, at)
        ]
        channels = [channel for channel, at in self._each(by, (*path, "by")) if self._named("channels", channel, at)]
        if len(channels) < len(by) or any(channel not in self._way_of for channel in channels):
            return
        ways = {self._way_of[channel] for channel in channels}
        if "" in ways:
            return  # A channel that reaches a place needs nobody's address.
        if not channels:
            ways = {way for way in self._way_of.values() if way}
        for word, at in known:
            self._reachable(word, (ways, channels), at)

    def _reachable(self, word: str, asked: tuple[set[str], list[str]], path: Path) -> None:
        ways, channels = asked
        held = list(self._addresses(word))
        missed = sum(1 for addresses in held if not ways & addresses)
        if not missed:
            return  # All can be reached, or the entry is wrong, and that is told there.
        by = f"by {' or '.join(f'`{channel}`' for channel in channels)}" if channels else "by any channel"
        if missed == len(held):
            where = "" if ":" in word else f" at people.{word}"
            need = f"add {' or '.join(f'`{way}`' for way in sorted(ways))}{where}" if ways else "add one to `channels`"
            self._wrong(path, f"{quoted(word)} cannot be reached {by}", need)
        else:
            text = f"{missed} of {len(held)} in {quoted(word)} cannot be reached {by}"
            self.warnings.add(self._place(*path), path, text)

    def _addresses(self, word: str) -> Iterator[frozenset[str]]:
        """Yield, for each person behind an audience, the kinds of address there are."""
        kind, _, name = word.rpartition(":")
        members: Iterable[str] = (word,)
        if kind == "group":
            group = self.config.groups.get(name)
            members = group.members if group else ()
            yield from (frozenset({"email"}) for _ in (group.email if group else ()))
        if kind == "rota":
            members = self._on_call(name)
        if kind == "matrix":
            members = matrix_checks.members(self.config, name)
        for member in members:
            if member.startswith("rota:"):
                yield from self._addresses(member)
            person = self.config.people.get(member)
            if person is not None:
                yield frozenset(way for way in ("email", "mobile", "ntfy") if getattr(person, way))

    def _on_call(self, name: str) -> Iterable[str]:
        """Return everybody whom the configuration may put on call."""
        rota = self.config.rotas.get(name)
        if rota is None:
            return ()
        named = [person for turns in rota.turns() for person in turns.order]
        return dict.fromkeys([*named, *(override.who for override in rota.overrides)])


def audience_of(word: str, config: Config) -> str:
    """Return the audience a rule's `group` means: a person by that name, otherwise the group."""
    return word if ":" in word or word in config.names["people"] else f"group:{word}"
