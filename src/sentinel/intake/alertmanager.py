"""Alertmanager's API v2, as Prometheus, amtool and dashboards speak it: alerts, their groups, receivers, status.

See <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>. There is one receiver: Sentinel.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final, TypeVar

from aiohttp import web

from sentinel.core.alerts import Alert
from sentinel.core.matching import Matcher
from sentinel.engine.alert_meaning import Muting
from sentinel.engine.alerts import Alerts, TooMany
from sentinel.engine.patterns import compiled, fits
from sentinel.intake import matchers, postable, watchdog_alerts
from sentinel.intake.answers import Invalid, content_of, invalid, json, refused, truth, written
from sentinel.web.context import CONTEXT, AlertDoor, Context
from sentinel.web.guard import Handler
from sentinel.web.problem import RETRY_AFTER_S, Problem

T = TypeVar("T")

RECEIVER: Final = "sentinel"
SOURCE: Final = "alertmanager"
READ_AT_ONCE_BYTES: Final = 64 * 1024  # More is read beside the loop.
LOOKED_AT_S: Final = 0.01  # A hundred thousand must not hold up a page, nor must thousands of silences.
# The path of each resource, and what it answers to.
METHODS: Final[dict[str, str]] = {
    "status": "GET",
    "receivers": "GET",
    "alerts": "POST,GET",
    "alerts/groups": "GET",
    "silences": "POST,GET",
    "silence": "DELETE,GET",
}


def door(request: web.Request) -> AlertDoor:
    """Return how this door is configured.

    Raises:
        Problem: 404 it is closed.
    """
    found = request.app[CONTEXT].settings().alerts
    if not found.enabled:
        raise Problem(404, "`intake.alertmanager` is not enabled.")
    return found


def alerts_of(context: Context) -> Alerts:
    """Return what fires."""
    assert context.alerts is not None, "the daemon always has them"
    return context.alerts


def speaking(handler: Handler) -> Handler:
    """Answer what is of the wrong shape, or too much, as an Alertmanager does."""

    async def handle(request: web.Request) -> web.StreamResponse:
        door(request)
        try:
            return await handler(request)
        except Invalid as error:
            return invalid(error)
        except matchers.BadMatcher as error:
            return refused(400, str(error))
        except TooMany as error:
            raise Problem(503, str(error), Retry_After=str(RETRY_AFTER_S)) from error

    return handle


async def post_alerts(request: web.Request) -> web.Response:
    """Take alerts; what makes sense is on disk before the answer, also when the rest of the batch is refused."""
    context = request.app[CONTEXT]
    now = context.now()
    try:
        content = await content_of(request, "alerts")
        arguments = (content, now, door(request).resolve_timeout, alerts_of(context).of_labels)
        many = len(content) > READ_AT_ONCE_BYTES
        taken, wrong = await asyncio.to_thread(postable.read, *arguments) if many else postable.read(*arguments)
    except Invalid:
        context.alerts_heard(SOURCE, 0, 0, 1)
        raise
    await keep(context, SOURCE, taken, len(wrong))
    return refused(400, "; ".join(wrong)) if wrong else web.Response()


async def keep(context: Context, source: str, taken: list[Alert], wrong: int) -> None:
    """Take alerts and count them.

    Raises:
        TooMany: Sentinel holds no more.
        StoreUnavailable: they are not on disk.
    """
    over = sum(alert.resolved(alert.updated_at) for alert in taken)
    context.alerts_heard(source, len(taken) - over, over, wrong)
    taken = await watchdog_alerts.without(context, taken)
    if taken:
        await alerts_of(context).take(taken)


async def get_alerts(request: web.Request) -> web.Response:
    """List what fires, by fingerprint."""
    return json([shown(alert, muting) async for alert, muting in in_turns(await found(request))])


async def get_groups(request: web.Request) -> web.Response:
    """List what fires, by the labels that make one incident of failures."""
    group_by = door(request).group_by
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, Any]]] = {}
    async for alert, muting in in_turns(await found(request)):
        labels = tuple((name, alert.labels[name]) for name in group_by if name in alert.labels)
        groups.setdefault(labels, []).append(shown(alert, muting))
    listed = [
        {"labels": dict(labels), "routeLabels": {}, "receiver": {"name": RECEIVER}, "alerts": inside}
        for labels, inside in sorted(groups.items())
    ]
    return json(listed)


async def get_receivers(_request: web.Request) -> web.Response:
    """List the one receiver."""
    return json([{"name": RECEIVER, "labels": {"name": RECEIVER}}])


async def get_status(request: web.Request) -> web.Response:
    """Say what amtool asks before every command."""
    configured = door(request)
    health = request.app[CONTEXT].health()
    build = {"revision": health.version, "branch": "sentinel", "buildUser": "", "buildDate": "", "goVersion": ""}
    return json(
        {
            "cluster": {"status": "disabled", "peers": []},
            "versionInfo": {"version": configured.compat_version, **build},
            "config": {"original": configuration(configured)},
            "uptime": written(health.started_at),
        }
    )


def configuration(configured: AlertDoor) -> str:
    """Return the smallest configuration that any Alertmanager takes, for ``amtool config``."""
    whole_s = int(configured.resolve_timeout.total_seconds())
    group_by = "".join(f"  - {name}\n" for name in configured.group_by)
    return (
        f"global:\n  resolve_timeout: {whole_s}s\nroute:\n  receiver: {RECEIVER}\n"
        + (f"  group_by:\n{group_by}" if group_by else "")
        + f"receivers:\n- name: {RECEIVER}\n"
    )


async def gone(_request: web.Request) -> web.Response:
    """Say that the first version of the API is no more."""
    error = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0"
    return json({"status": "deprecated", "error": f"{error} - please use the equivalent route in the v2 API"}, 410)


async def unknown(request: web.Request) -> web.Response:
    """Answer for paths and methods that the API does not have."""
    path = request.match_info["path"]
    resource = "silence" if path.startswith("silence/") else path
    allowed = METHODS.get(resource, "")
    if not allowed or (resource == "silence") != ("/" in path and path.startswith("silence/")):
        return invalid(Invalid(404, f"path /api/v2/{path} was not found"))
    answer = invalid(Invalid(405, f"method {request.method} is not allowed, but [{allowed}] are"))
    answer.headers["Allow"] = allowed
    return answer


async def healthy(_request: web.Request) -> web.Response:
    """Say that the process lives, as an Alertmanager does."""
    return web.Response(text="OK")


async def ready(request: web.Request) -> web.Response:
    """Say whether everything is started."""
    if request.app[CONTEXT].health().ready:
        return web.Response(text="OK")
    return web.Response(text="Sentinel is not ready.\n", status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


async def reload(request: web.Request) -> web.Response:
    """Read the configuration again: nothing to say when it is in use, else 500 with the mistakes."""
    outcome = await request.app[CONTEXT].reload()
    if outcome.done:
        return web.Response()
    return web.Response(text="".join(f"{mistake}\n" for mistake in outcome.mistakes), status=500)


# What is asked for ----------------------------------------------------------------------------------------------


async def found(request: web.Request) -> list[tuple[Alert, Muting]]:
    """Return the alerts that the query asks for, and what mutes each.

    Raises:
        BadMatcher: a filter is none.
        Invalid: the receiver is no expression.
    """
    wanted = [matcher for text in request.query.getall("filter", []) for matcher in matchers.parse(text)]
    if not _receiver_asked(request):
        return []
    held = alerts_of(request.app[CONTEXT])
    return [
        (alert, muting)
        async for alert in in_turns(held.firing())
        if matchers.hold(wanted, alert.labels) and _asked(request, muting := held.muting(alert))
    ]


async def in_turns(many: Iterable[T]) -> AsyncIterator[T]:
    """Yield many, and let others have their turn in between."""
    until = time.perf_counter() + LOOKED_AT_S
    for one in many:
        if time.perf_counter() >= until:
            await asyncio.sleep(0)
            until = time.perf_counter() + LOOKED_AT_S
        yield one


def _receiver_asked(request: web.Request) -> bool:
    pattern = request.query.get("receiver", "")
    if pattern:
        try:
            compiled(pattern)
        except ValueError as error:
            raise Invalid(400, f"failed to parse receiver param: {error}") from error
    named: Iterable[Matcher] = (
        matcher for text in request.query.getall("receiver_matchers", []) for matcher in matchers.parse(text)
    )
    return (not pattern or fits(RECEIVER, pattern)) and matchers.hold(named, {"name": RECEIVER})


def _asked(request: web.Request, muting: Muting) -> bool:
    return not (
        (muting.silences and not truth(request, "silenced"))
        or (muting.explained_by and not truth(request, "inhibited"))
        or (muting.others and not truth(request, "muted"))
        or (not muting.reason and not truth(request, "active"))
    )


def shown(alert: Alert, muting: Muting) -> dict[str, Any]:
    """Show an alert."""
    return {
        "annotations": alert.annotations,
        "endsAt": written(alert.ends_at),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": RECEIVER}],
        "startsAt": written(alert.starts_at),
        "status": {
            "inhibitedBy": [_fingerprint_of(muting.explained_by)] if muting.explained_by else [],
            "mutedBy": list(muting.others),
            "silencedBy": list(muting.silences),
            "state": "suppressed" if muting.reason else "active",
        },
        "updatedAt": written(alert.updated_at),
        "generatorURL": alert.source_url,
        "labels": alert.labels,
    }


def _fingerprint_of(key: str) -> str:
    """Return the fingerprint of an alert, and for a probe something that looks like one."""
    kind, _, name = key.partition(":")
    return name if kind == "alert" else hashlib.sha256(key.encode()).hexdigest()[:16]
