"""From a notice and a person to the message a channel carries."""

from __future__ import annotations

from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from sentinel.channels.base import Attached, Link, Message
from sentinel.core.model import Person
from sentinel.messages import brief, mail, sms
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import clean, one_line
from sentinel.messages.notice import Notice
from sentinel.messages.wording import NAME_MAX_CHARS, OF_ACTIONS, OF_CHANGES, TEXT_MAX_CHARS, Wording

# What may be the first mail of an incident that this person gets: its subject does not begin with "Re:".
BEGINNINGS: Final = frozenset(
    {"opened", "escalated", "called", "at_risk", "overdue", "unresolved"}
    | {"exhausted", "unanswered", "handover", "matrix", "receipt", "report", "silence", "test"}
    | OF_CHANGES
)
# What a message is written out as: mails have their HTML, the others what is short. Each costs as much as the rest.
Form = Literal["mail", "other"]


def compose(notice: Notice, person: Person, *, to: str, site: str, form: Form | None = None) -> Message:
    """Write a notice out for a person, in their language, times in their zone: in one form, or in all of them.

    ``to`` is the address the channel will use; ``site`` names the organisation in the mail's foot. The same notice
    always gives the same message.
    """
    wording = Wording(notice, Voice(person.language, ZoneInfo(person.timezone), notice.category))
    site = one_line(site, NAME_MAX_CHARS)
    mailed, short = form != "other", form != "mail"
    return Message(
        id=notice.id,
        to=to,
        name=one_line(person.name, NAME_MAX_CHARS),
        language=person.language,
        subject=mail.subject(wording),
        text=mail.text(wording, site),
        html=mail.html(wording, site) if mailed else "",
        sms=sms.write(wording) if short else "",
        thread=notice.incident or notice.id,
        first_in_thread=notice.kind in BEGINNINGS or _of_problem(notice),
        priority=notice.priority or "",
        at=notice.at,
        attachments=tuple(Attached(one.name, one.content_type, one.content) for one in notice.attachments),
        facts=_facts(notice) if short else {},
        brief=brief.write(wording) if short else "",
        spoken=brief.spoken(wording) if short else "",
        links=_links(wording) if short else (),
        asking=wording.asking,
    )


def _links(wording: Wording) -> tuple[Link, ...]:
    action = wording.action()
    others = [fact for fact in (wording.call(), wording.page()) if fact]
    acting = [Link(action.label, action.link, acts=True)] if action else []
    return (*acting, *(Link(fact.label, fact.link) for fact in others))


def _of_problem(notice: Notice) -> bool:
    """Tell whether it is about an action of a problem: nothing else was ever sent about that."""
    return notice.kind in OF_ACTIONS and notice.opened_at is None


def _facts(notice: Notice) -> dict[str, Any]:
    """Return the notice for machines: the links that let one person act are left out."""
    facts: dict[str, Any] = _harmless(msgspec.to_builtins(notice))
    del facts["ack_url"], facts["attachments"]
    return facts


def _harmless(value: Any) -> Any:
    match value:
        case str():
            return clean(value, TEXT_MAX_CHARS)
        case dict():
            return {key: _harmless(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_harmless(inner) for inner in value]
        case _:
            return value
