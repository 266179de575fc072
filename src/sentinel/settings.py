"""What the web and its doors need to know of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.channels.sms_http import SmsOptions
from sentinel.channels.sms_inbound import SmsDoor
from sentinel.config.build import Setup
from sentinel.config.hooks import mapping_of
from sentinel.probes.heartbeat import HeartbeatOptions
from sentinel.web.context import AlertDoor, Hook, Integration, Job, Settings, Support


def settings_of(setup: Setup) -> Settings:
    """Return what the web needs to know."""
    return Settings(
        directory=setup.directory,
        listen_host=setup.listen.host,
        site_name=setup.site.name,
        site_url=setup.site.url or "",
        timezone=setup.site.timezone,
        language=setup.site.language,
        metrics_path=setup.server.metrics.path,
        metrics_allow=tuple(setup.server.metrics.allow),
        services={name: service.name for name, service in setup.services.items()},
        customers=tuple(service.customer for service in setup.services.values() if service.customer),
        jobs=tuple(jobs_of(setup)),
        ping_key=setup.intake.pings.key.reveal() if setup.intake.pings.key else "",
        support=_support(setup),
        sms_doors=sms_doors_of(setup),
        alerts=alert_door_of(setup),
        problems=problem_door_of(setup),
        opsgenie=opsgenie_of(setup),
        integrations=tuple(
            Integration(name=name, key=entry.key.reveal(), service=entry.service)
            for name, entry in setup.intake.pagerduty.keys.items()
        ),
        hooks=tuple(
            Hook(key=entry.key.reveal(), mapping=mapping_of(name, entry)) for name, entry in setup.intake.hooks.items()
        ),
        owners={name: service.customer for name, service in setup.services.items()},
        loopback=setup.auth.loopback,
        trusted_proxies=tuple(setup.auth.trusted_proxies),
        limit=(setup.auth.rate, setup.auth.burst),
    )


def jobs_of(setup: Setup) -> Iterator[Job]:
    """Yield the jobs that call."""
    for name, plan in setup.probes.items():
        options = plan.options
        if isinstance(options, HeartbeatOptions):
            yield Job(
                name=name,
                key=options.token.reveal() if options.token else "",
                slug=options.slug or name,
                post_only=options.post_only,
                meaning=options.keywords.meaning if options.keywords else None,
            )


def sms_doors_of(setup: Setup) -> dict[str, SmsDoor]:
    """Return how each SMS gateway comes in that has a way to prove itself."""
    options = {name: plan.options for name, plan in setup.channels.items() if isinstance(plan.options, SmsOptions)}
    return {name: door for name, one in options.items() if (door := one.door()) is not None}


def _support(setup: Setup) -> Support | None:
    """Return the backup support entry, if there is one; without a word it is about every service."""
    entry = setup.support
    if entry.key is None:
        return None
    services = entry.services or tuple(setup.services)
    return Support(key=entry.key.reveal(), services=services, phone=entry.phone or "", per_hour=entry.per_hour)


def alert_door_of(setup: Setup) -> AlertDoor:
    """Return who may send alerts, and what clients of an Alertmanager are told."""
    door = setup.intake.alertmanager
    return AlertDoor(
        enabled=door.enabled,
        allow=tuple(door.allow),
        key=door.key.reveal() if door.key else "",
        resolve_timeout=door.resolve_timeout,
        compat_version=door.compat_version,
        group_by=setup.group_by,
    )


def problem_door_of(setup: Setup) -> AlertDoor:
    """Return who may send Dynatrace's notifications."""
    door = setup.intake.dynatrace
    return AlertDoor(enabled=door.enabled, allow=tuple(door.allow), key=door.key.reveal() if door.key else "")


def opsgenie_of(setup: Setup) -> tuple[Integration, ...]:
    """Return who speaks Opsgenie's API; nobody while the door is closed."""
    door = setup.intake.opsgenie
    if not door.enabled:
        return ()
    return tuple(
        Integration(name=name, key=key.reveal(), service=door.services.get(name, "")) for name, key in door.keys.items()
    )
