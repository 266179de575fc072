"""Alerts that fire for ever, to show that they can: each is a call of the heartbeat that asks for it, and no alert.

Prometheus' own (``Watchdog``, ``DeadMansSwitch``) comes by the same way as every other one. That it is there is good;
its absence is what the heartbeat finds, and what opens an incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sentinel.core.alerts import Alert
from sentinel.core.matching import like
from sentinel.core.pings import Said
from sentinel.web.context import Context, Job


async def without(context: Context, alerts: list[Alert]) -> list[Alert]:
    """Take those that are calls, and return the others. One that is over is no call: silence says the rest.

    Raises:
        StoreUnavailable: a call is not on disk.
    """
    waiting = [job for job in context.settings().jobs if job.alert]
    if not waiting:
        return alerts
    others: list[Alert] = []
    for alert in alerts:
        jobs = asked_for(waiting, alert.labels)
        for job in jobs:
            if not alert.resolved(alert.updated_at):
                await context.heard(job.name, Said(body=alert.labels.get("alertname", "")))
        if not jobs:
            others.append(alert)
    return others


def asked_for(jobs: Sequence[Job], labels: Mapping[str, str]) -> list[Job]:
    """Return the heartbeats that an alert with these labels is a call of; ``*`` in them is anything."""
    return [job for job in jobs if all(like(labels.get(name, ""), value) for name, value in job.alert.items())]
