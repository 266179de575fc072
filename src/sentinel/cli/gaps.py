"""What ``check`` says of rotas: in which part of the present and the coming cycle a step would reach nobody."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from sentinel.config.errors import Mistake
    from sentinel.config.load import Loaded
    from sentinel.core.rota import Entry, Rota


def gaps_of(loaded: Loaded, path: Path, now: datetime) -> list[Mistake]:
    """Return a warning for each rota with a gap; what people filled is read from the database, when there is one."""
    from sentinel.config.errors import Mistake
    from sentinel.config.explain import key_place
    from sentinel.core.rota import with_entries

    rotas = loaded.setup.directory.rotas
    found: list[Mistake] = []
    entries = _filled(loaded, path) if any(_said(rota, now) for rota in rotas.values()) else ()
    for name, rota in rotas.items():
        known = tuple(one for one in entries if set(one.people) <= loaded.setup.directory.people.keys())
        for text, hint in _said(with_entries(rota, known), now):
            place = key_place(loaded.config.root, ("rotas", name))
            found.append(Mistake(*place, f"rotas.{name}", text, hint))
    return found


def _said(rota: Rota, now: datetime) -> list[tuple[str, str]]:
    """Return what there is to say of a rota, with what to do about it."""
    from sentinel.core import oncall

    coming = oncall.cycle_after(rota, oncall.cycle_at(rota, now))
    begins_at = min(layer.begins_at(0) for layer in rota.layers)
    if begins_at > now:
        return [(f"nobody is on call before {_local(rota, begins_at)}, when the rota begins", "")]
    gaps = oncall.gaps(rota, now, coming.ends_at)
    if not gaps:
        return []
    span = f"from {_local(rota, gaps[0].starts_at)} until {_local(rota, gaps[0].ends_at)}"
    more = f", and {len(gaps) - 1} more time{'s' if len(gaps) > 2 else ''}" if len(gaps) > 1 else ""
    what = f"`rota:{rota.id}` reaches nobody {span}{more}"
    day = rota.cycles.day_of(oncall.cycle_at(rota, gaps[0].starts_at).number)
    return [(what, f"`sentinel oncall fill {rota.id} PERSON --week {day:%G-W%V}`")]


def _local(rota: Rota, moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(rota.cycles.timezone)):%a %Y-%m-%d %H:%M}"


def _filled(loaded: Loaded, path: Path) -> tuple[Entry, ...]:
    from sentinel.places import storage_url
    from sentinel.store.base import StoreUnavailable
    from sentinel.store.failures import StoreUnfit
    from sentinel.store.opening import open_to_read

    try:
        opened = open_to_read(storage_url(loaded.setup, path))
        try:
            return tuple(opened.rota_entries())
        finally:
            opened.close()
    except (StoreUnavailable, StoreUnfit):  # No daemon has run yet: nothing was filled.
        return ()
