"""What the crisis room shows beside the crisis itself: who is there, the sections of the next message, its readers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple

from sentinel.core import audience, chronogram, crisis_acts, status_messages
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.crisis_state import NONE
from sentinel.core.effects import Notify
from sentinel.core.model import Directory, Page, Person
from sentinel.core.state import Incident
from sentinel.messages import crises as telling_crises
from sentinel.messages import status, telling
from sentinel.messages.catalogue import Voice
from sentinel.messages.compose import compose
from sentinel.web.context import Settings
from sentinel.web.crisis_view import CrisisView

PREVIEWS_MAX: Final = 4  # One for each language and side would be enough for everybody.
MOBILE: Final = "mobile"
Presence = Literal["present", "called", "unreached", "to_call"]


NOBODY_CALLED: Final[tuple[Presence, datetime | None]] = ("to_call", None)


class Member(NamedTuple):
    """Somebody of the cell: where they sit, whether they are there, since when; ``joined`` may leave again."""

    person: str
    seat: str
    presence: Presence
    at: datetime | None
    phone: str
    joined: bool


class Section(NamedTuple):
    """A part of the status message: its heading, and what the system would write there."""

    name: str
    heading: str
    text: str


class Preview(NamedTuple):
    """A status message as it would go out in one language: its subject, its text, and who would read it so."""

    language: str
    subject: str
    text: str
    readers: tuple[str, ...]


def members(state: Incident, view: CrisisView, timeline: Iterable[e.Event], directory: Directory) -> list[Member]:
    """Return who sits in the cell as far as its level goes, by seat, then who joined.

    Whoever did something since the opening is there. Nobody says when they leave the call: this is what is known.
    """
    opened_at = (state.crisis or NONE).opened_at
    if opened_at is None:
        return []
    seen = _seen([event for event in timeline if event.at >= opened_at])
    seats = [(seat.seat, who) for seat in view.cell if seat.active for who in seat.people]
    found: dict[str, Member] = {}
    for seat, who in (*seats, *(("joined", who) for who in view.joined)):
        presence, at = seen.get(who, NOBODY_CALLED)
        person = directory.people.get(who)
        phone = person.addresses.get(MOBILE, "") if person else ""
        found.setdefault(who, Member(who, seat, presence, at, phone, seat == "joined"))
    return list(found.values())


def _seen(since: Sequence[e.Event]) -> dict[str, tuple[Presence, datetime | None]]:
    """Return of everybody whether they did something, were reached, or could not be, and when that was last."""
    failed = {event.person: event.at for event in since if isinstance(event, e.NotTold) and event.final}
    called = {event.person: event.at for event in since if isinstance(event, e.Told)}
    acted = {by: event.at for event in since if (by := getattr(event, "by", ""))}
    found: dict[str, tuple[Presence, datetime | None]] = {who: ("unreached", at) for who, at in failed.items()}
    found |= {who: ("called", at) for who, at in called.items()}
    # Whom others call is called; who leaves is there no more.
    gone = {event.person for event in since if isinstance(event, ce.CellLeft)}
    return found | {who: ("present", at) for who, at in acted.items() if who not in gone}


def sections(state: Incident, directory: Directory, voice: Voice, now: datetime) -> list[Section]:
    """Return the three sections of the next message as the system would write them (rule MAJ-6)."""
    done = (state.crisis or NONE).deeds
    said = telling_crises.status_of(state, done, chronogram.remaining(state), audience.now_in(directory, now))
    parts = status.sections(said, voice, now)
    return [Section(name, heading, text) for name, (heading, text) in zip(status.SECTIONS, parts, strict=True)]


def written(found: Iterable[Section], fields: dict[str, str]) -> str:
    """Return the message that the fields of the form make, under the headings; empty for the draft as it was."""
    known = list(found)
    said = [fields.get(one.name, "").replace("\r\n", "\n").strip() for one in known]
    drafted = [fields.get(f"draft_{one.name}", "").replace("\r\n", "\n").strip() for one in known]
    if said == drafted or not any(said):
        return ""  # The draft goes to each reader in their own language.
    return "\n\n".join(f"{one.heading}\n{text}".rstrip() for one, text in zip(known, said, strict=True))


def readers(state: Incident, directory: Directory, now: datetime) -> tuple[str, ...]:
    """Return the ids of who gets the status message."""
    event = status_messages.sent(state, cc.SendUpdate(by="?"), now, now, audience.now_in(directory, now))
    return _names(event.tell)


def previews(state: Incident, command: cc.SendUpdate, now: datetime, settings: Settings) -> list[Preview]:
    """Return the message as it would go out now, once for each language it goes out in.

    Raises:
        Refused: whoever asks may not send it, or there is nobody to send it to.
    """
    directory = audience.now_in(settings.directory, now)
    (event,) = crisis_acts.send_update(state, command, now, directory)
    by_language: dict[str, list[Person]] = {}
    for who in _names(event.tell):
        person = directory.people.get(who)
        if person is not None:
            by_language.setdefault(person.language, []).append(person)
    return [
        _preview(state, event, whom, settings)
        for _, whom in sorted(by_language.items(), key=lambda one: -len(one[1]))[:PREVIEWS_MAX]
    ]


def _preview(state: Incident, event: e.Event, whom: Sequence[Person], settings: Settings) -> Preview:
    first = whom[0]
    page = next(page for page in event.tell if page.person == first.id)
    notify = Notify(message="preview", sequence=state.sequence + 1, page=page, event=event)
    notice = telling.notice(
        state, notify, directory=settings.directory, services=dict(settings.services), url=settings.site_url
    )
    message = compose(notice, first, to="", site=settings.site_name)
    return Preview(first.language, message.subject, message.text, tuple(person.id for person in whom))


def _names(tell: Iterable[Page]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(page.person for page in tell if page.person))
