"""Alertmanager's webhook, version 4: its groups are taken apart, each alert goes by its fingerprint (rule SRC-2)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from aiohttp import web

from sentinel.core.alerts import Alert
from sentinel.engine.alerts import TooMany
from sentinel.intake import postable
from sentinel.intake.alertmanager import door, keep
from sentinel.intake.answers import Invalid, body, moment
from sentinel.web.context import CONTEXT
from sentinel.web.problem import RETRY_AFTER_S, Problem

log = structlog.get_logger(__name__)

SOURCE: Final = "webhook"
VERSION: Final = "4"
# A webhook says that an alert is over, or says it again at each `repeat_interval`: an Alertmanager keeps that in mind
# for five days.
FIRES_FOR: Final = timedelta(days=5)
STATUSES: Final = ("firing", "resolved")


async def take(request: web.Request) -> web.Response:
    """Take a notification; it is on disk before the answer, so that an Alertmanager sends again what was not."""
    door(request)
    context = request.app[CONTEXT]
    try:
        read = await body(request, "notification")
        taken = alerts_of(read, context.now())
    except Invalid as error:
        context.alerts_heard(SOURCE, 0, 0, 1)
        raise Problem(error.status, f"{error.message}.") from error
    except postable.Refused as error:
        context.alerts_heard(SOURCE, 0, 0, 1)
        raise Problem(422, f"{error}.") from error
    if read.get("truncatedAlerts"):
        log.warning("an Alertmanager left alerts out", limit="max_alerts of its receiver")
    try:
        await keep(context, SOURCE, taken, 0)
    except TooMany as error:
        raise Problem(503, str(error), Retry_After=str(RETRY_AFTER_S)) from error
    return web.Response()


def alerts_of(read: Any, now: datetime) -> list[Alert]:
    """Return the alerts of a notification.

    Raises:
        Invalid: it is not of the standard shape.
        postable.Refused: an alert makes no sense.
    """
    if not isinstance(read, dict) or read.get("version") != VERSION:
        raise Invalid(422, 'this is no notification of version "4"; a `payload` of its own is not understood')
    listed = read.get("alerts")
    if not isinstance(listed, list) or len(listed) > postable.BATCH_MAX:
        raise Invalid(422, f"`alerts` must be a list of at most {postable.BATCH_MAX}")
    return [_alert(entry, f"alerts.{number}", now) for number, entry in enumerate(listed)]


def _alert(entry: Any, where: str, now: datetime) -> Alert:
    if not isinstance(entry, dict) or entry.get("status") not in STATUSES:
        raise Invalid(422, f"`{where}.status` must be firing or resolved")
    labels = postable.meant(postable.texts(entry.get("labels"), f"{where}.labels"))
    annotations = postable.texts(entry.get("annotations") or {}, f"{where}.annotations")
    starts_at = moment(entry.get("startsAt"), f"{where}.startsAt") or now
    ends_at = moment(entry.get("endsAt"), f"{where}.endsAt")
    firing = entry["status"] == "firing"
    ends_at = now + FIRES_FOR if firing else min(ends_at or now, now)
    url = entry.get("generatorURL")
    url = url[: postable.URL_MAX_CHARS] if isinstance(url, str) else ""
    moments = (min(starts_at, ends_at), ends_at, now)
    return postable.made(labels, annotations, moments, timeout=firing, url=url)
