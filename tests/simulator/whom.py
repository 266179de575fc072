"""A second opinion on who is to be told by which channel: written from the rules, not from the code."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sentinel.core.model import Listener, Plan
from tests.core.rotas import FIRST_MONDAY, WEEKLY
from tests.simulator import hours
from tests.simulator.setting import BUSINESS, Setting

PARIS = ZoneInfo("Europe/Paris")
HAND_OVER = timedelta(hours=9)
OFFICE = hours.Calendar(timezone="Europe/Paris", week=BUSINESS.week)
Way = tuple[str, str]  # person, channel


def on_call(name: str, at: datetime) -> str:
    """Return who is on call: the technical rota turns every Monday at nine, and is off in opening hours (ESC-5)."""
    if name != "technical" or hours.is_open(OFFICE, at):
        return ""
    shown = at.astimezone(PARIS).replace(tzinfo=None) - HAND_OVER
    weeks = (shown.date() - FIRST_MONDAY).days // 7
    return WEEKLY.order[weeks % len(WEEKLY.order)]


def people(audiences: tuple[str, ...], setting: Setting, at: datetime) -> list[str]:
    """Return who audiences are, each once, in order."""
    found: list[str] = []
    for audience in audiences:
        kind, _, name = audience.rpartition(":")
        members = setting.groups.get(name, ()) if kind == "group" else (audience,)
        for member in members:
            who = on_call(member.removeprefix("rota:"), at) if member.startswith("rota:") else member
            if who in setting.people and who not in found:
                found.append(who)
    return found


def ways_of(person: str, setting: Setting) -> list[str]:
    """Return the channels that reach a person and that they chose; without a choice that fits, all that reach them."""
    one = setting.people[person]
    reach = [name for name, channel in setting.channels.items() if one.addresses.get(channel.address)]
    return [name for name in one.by if name in reach] or reach


def first_ways_of(person: str, setting: Setting) -> list[str]:
    """Return the same without what stands in for another of them, unless the person named it."""
    ways = ways_of(person, setting)
    if len(ways) == 1 or (ways and ways[0] in setting.people[person].by):
        return ways
    stand_ins = {setting.channels[way].fallback for way in ways}
    return [way for way in ways if way not in stand_ins] or ways


def pages(to: tuple[str, ...], by: tuple[str, ...], setting: Setting, at: datetime) -> list[Way]:
    """Return whom a step pages by what (rule DSP-1)."""
    known = [name for name in by if name in setting.channels]
    personal = [name for name in known if setting.channels[name].address]
    found: list[Way] = []
    for person in people(to, setting, at):
        mine = [name for name in personal if name in ways_of(person, setting)]
        if not known or (personal and not mine):
            mine = first_ways_of(person, setting)[: None if not known else 1]
        found += [(person, name) for name in mine]
    return found + [("", name) for name in known if name not in personal]


def other_ways(person: str, failed: str, tried: set[str], setting: Setting) -> list[str]:
    """Return the channels by which a person can still be tried (rule DSP-4)."""
    if person not in setting.people:
        return []
    channel = setting.channels.get(failed)
    stand_in = setting.channels.get(channel.fallback) if channel else None
    found = first_ways_of(person, setting)
    if stand_in and setting.people[person].addresses.get(stand_in.address):
        found = [stand_in.name, *found]
    return [way for way in dict.fromkeys(found) if way not in tried]


def listeners(plan: Plan, moments: tuple[str, ...], level: int, setting: Setting, at: datetime) -> list[str]:
    """Return who listens to one of these moments."""

    def concerned(one: Listener) -> bool:
        return level >= one.min_level and any(moment in one.on for moment in moments) and not one.services

    return [who for one in plan.listeners if concerned(one) for who in people((one.who,), setting, at)]
