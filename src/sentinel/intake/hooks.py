"""JSON bodies of any shape at ``/hooks/KEY``, read as ``intake.hooks`` says (rule SRC-2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web

from sentinel.core.alerts import Alert, fingerprint
from sentinel.core.json_paths import Unreadable
from sentinel.core.mapping import BodyMapping, Said
from sentinel.engine.alerts import TooMany
from sentinel.intake import json_text
from sentinel.intake.alertmanager import alerts_of, keep
from sentinel.intake.answers import read_bounded
from sentinel.intake.proven import once
from sentinel.messages.clean import clean, one_line
from sentinel.web import bodies, keys
from sentinel.web.context import CONTEXT, Context, Hook
from sentinel.web.guard import charge, charge_stranger
from sentinel.web.problem import RETRY_AFTER_S, Problem

log = structlog.get_logger(__name__)

SOURCE: Final = "hook"
BODY_MAX_BYTES: Final = 512 * 1024
VALUE_MAX_CHARS: Final = 500
TITLE_MAX_CHARS: Final = 200
TEXT_MAX_CHARS: Final = 16_384
WRONG_SHOWN_MAX: Final = 5


class Wrong(msgspec.Struct, frozen=True):
    """A part of a body that cannot be read: where it stands, and why."""

    where: str
    why: str

    def __str__(self) -> str:
        """Return both in a sentence fragment."""
        return f"{self.where}: {self.why}" if self.where else self.why


async def take(request: web.Request) -> web.Response:
    """Take a body; all of it that can be read is on disk before the answer, also when the rest is refused."""
    context = request.app[CONTEXT]
    hook = _known(context.settings().hooks, request.match_info["key"])
    if hook is None:
        charge_stranger(request)
        raise Problem(404, "There is nothing here.")
    charge(request, f"hook:{hook.mapping.name}", "vital")
    content = await read_bounded(request, BODY_MAX_BYTES)
    with once(request, hook.mapping.name, hook.signature, content, context.now()):
        return await _taken(context, hook, content)


async def _taken(context: Context, hook: Hook, content: bytes) -> web.Response:
    try:
        said, wrong = read(hook.mapping, decode(content))
    except (Unreadable, ValueError) as error:
        context.alerts_heard(SOURCE, 0, 0, 1)
        status = 422 if isinstance(error, Unreadable) else 400
        raise Problem(status, f"The hook `{hook.mapping.name}`: {one_line(str(error), TEXT_MAX_CHARS)}.") from error
    now, label = context.now(), alerts_of(context).settings.service_label
    for one in said:
        if one.unread_since:
            log.warning("no moment where `since` looks; it counts from now", hook=hook.mapping.name)
    alerts = [alert_of(hook.mapping, one, label, now) for one in said if one.meaning != "ignored"]
    try:
        await keep(context, SOURCE, alerts, len(wrong))
    except TooMany as error:
        raise Problem(503, str(error), Retry_After=str(RETRY_AFTER_S)) from error
    if wrong:
        raise Problem(422, _refusal(hook.mapping.name, wrong, len(said)))
    counted = {meaning: sum(one.meaning == meaning for one in said) for meaning in ("firing", "resolved", "ignored")}
    return bodies.json(counted)


def decode(content: bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is none, or nested without measure.
    """
    try:
        return json_text.decode(content)
    except RecursionError as error:
        raise ValueError("the body is nested too deep") from error
    except ValueError as error:
        raise ValueError(f"the body is no JSON: {one_line(str(error), VALUE_MAX_CHARS)}") from error


def read(mapping: BodyMapping, body: Any) -> tuple[list[Said], list[Wrong]]:
    """Return what a body says, and which parts of it cannot be read.

    Raises:
        Unreadable: the body holds no list where ``many`` looks.
    """
    said, wrong = [], []
    for where, place in mapping.places(body):
        try:
            said.append(mapping.read(place))
        except Unreadable as error:
            wrong.append(Wrong(where, str(error)))
    return said, wrong


def alert_of(mapping: BodyMapping, said: Said, service_label: str, now: datetime) -> Alert:
    """Return the alert of what was said: it goes by its hook and its id, whatever else changes."""
    identity = {"hook": mapping.name, "id": said.id}
    labels = {name: one_line(value, VALUE_MAX_CHARS) for name, value in said.labels.items()}
    given = {service_label: mapping.service} if mapping.service else {}
    over = said.meaning == "resolved"
    told = {
        "summary": one_line(said.title, TITLE_MAX_CHARS) or one_line(f"{mapping.name}: {said.id}", TITLE_MAX_CHARS),
        "description": clean(said.detail, TEXT_MAX_CHARS),
    }
    return Alert(
        fingerprint=fingerprint(identity),
        labels={"alertname": mapping.name, **given, **labels, **identity},
        annotations={name: text for name, text in told.items() if text},
        starts_at=min(said.since or now, now),
        ends_at=now if over else now + mapping.expires,
        updated_at=now,
        timeout=not over,
        source_url=one_line(said.url, TEXT_MAX_CHARS),
    )


def _known(hooks: Iterable[Hook], shown: str) -> Hook | None:
    """Find a hook by its key, comparing with every one so that the time taken tells nothing."""
    found = None
    for hook in hooks:
        if keys.equal(shown, hook.key):
            found = hook
    return found


def _refusal(name: str, wrong: Sequence[Wrong], taken: int) -> str:
    shown = "; ".join(one_line(str(one), VALUE_MAX_CHARS) for one in wrong[:WRONG_SHOWN_MAX])
    more = f"; and {len(wrong) - WRONG_SHOWN_MAX} more" if len(wrong) > WRONG_SHOWN_MAX else ""
    rest = f" The other {taken} of the body were taken." if taken else ""
    return f"The hook `{name}`: {shown}{more}.{rest}"
