"""What must fit together in ``rotas``: everybody and every calendar named is there."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.config import calendars
from sentinel.config.contract_checks import Fault
from sentinel.config.errors import Path
from sentinel.config.rotas import Covering
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield what does not fit in the rotas; whom ``fill_to`` names is checked where audiences are."""
    for name, rota in config.rotas.items():
        path: Path = ("rotas", name)
        yield from _covering(config, rota.covers, (*path, "covers"))
        yield from _people(config, rota.order, (*path, "order"))
        for number, layer in enumerate(rota.layers):
            yield from _covering(config, layer.covers, (*path, "layers", number, "covers"))
            yield from _people(config, layer.order, (*path, "layers", number, "order"))
        for number, override in enumerate(rota.overrides):
            yield from _person(config, override.who, (*path, "overrides", number, "who"))


def _covering(config: Config, covers: Covering, path: Path) -> Iterator[Fault]:
    known = config.names["calendars"] | calendars.NAMES
    if covers.calendar == calendars.ALWAYS_NAME and covers.where == "outside":
        yield Fault(path, "nothing is outside `always`", "write `always`, or name another calendar")
    elif covers.calendar and covers.calendar not in known:
        near = did_you_mean(covers.calendar, sorted(known))
        yield Fault(path, f"unknown calendar {quoted(covers.calendar)}", near)


def _people(config: Config, words: tuple[str, ...], path: Path) -> Iterator[Fault]:
    for number, word in enumerate(words):
        yield from _person(config, word, (*path, number))


def _person(config: Config, word: str, path: Path) -> Iterator[Fault]:
    if word not in config.names["people"]:
        near = did_you_mean(word, sorted(config.names["people"]))
        yield Fault(path, f"unknown person {quoted(word)}", "a rota holds people, not groups" if ":" in word else near)
