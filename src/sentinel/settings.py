"""What the web and its doors need to know of the configuration."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.channels.sms_http import SmsOptions
from sentinel.channels.sms_inbound import SmsDoor
from sentinel.config.build import Setup
from sentinel.config.hooks import HookEntry, mapping_of
from sentinel.config.signing import signature_of
from sentinel.probes.heartbeat import HeartbeatOptions
from sentinel.web.context import Agreed, AlertDoor, Hook, Integration, Job, Settings, SignInProxy, Support

PEER = "peer:"  # No probe's name has a colon.


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
        ticket_keys={one.called: one.hook_key.reveal() for one in setup.tickets.mirrors if one.hook_key},
        hooks=tuple(hook_of(name, entry) for name, entry in setup.intake.hooks.items()),
        owners={name: service.customer for name, service in setup.services.items()},
        loopback=setup.auth.loopback,
        trusted_proxies=tuple(setup.auth.trusted_proxies),
        limit=(setup.auth.rate, setup.auth.burst),
        sign_in_proxy=_sign_in_proxy(setup),
        local_accounts=setup.auth.local,
        sign_in_with=setup.auth.oidc.called if setup.auth.oidc else "",
    )


def agreed_of(setup: Setup, service: str) -> Agreed | None:
    """Return what was agreed about a service; nothing for one that is not configured."""
    plan = setup.services.get(service)
    if plan is None:
        return None
    return Agreed(
        name=plan.name,
        customer=plan.customer,
        contract=setup.contract_of(service),
        hours=plan.hours,
        availability_percent=plan.availability_percent,
        outage_tolerated=plan.outage_tolerated,
        restore_within=plan.restore_within,
        escalation=plan.escalation,
        runbook=plan.runbook,
        depends_on=plan.depends_on,
        contacts=plan.contacts,
    )


def _sign_in_proxy(setup: Setup) -> SignInProxy | None:
    entry = setup.auth.proxy
    return SignInProxy(header=entry.header, networks=tuple(entry.from_)) if entry is not None else None


def jobs_of(setup: Setup) -> Iterator[Job]:
    """Yield what calls: jobs, and other Sentinels that have a key."""
    for name, peer in setup.watchdog.peers.items():
        if peer.key is not None:
            yield Job(name=f"{PEER}{name}", key=peer.key.reveal())
    for name, plan in setup.probes.items():
        options = plan.options
        if isinstance(options, HeartbeatOptions):
            yield Job(
                name=name,
                key=options.token.reveal() if options.token else "",
                slug=options.slug or name,
                post_only=options.post_only,
                alert=options.alert or {},
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


def hook_of(name: str, entry: HookEntry) -> Hook:
    """Return an address for JSON bodies."""
    signature = signature_of(entry.signature) if entry.signature is not None else None
    return Hook(key=entry.key.reveal(), mapping=mapping_of(name, entry), signature=signature)


def opsgenie_of(setup: Setup) -> tuple[Integration, ...]:
    """Return who speaks Opsgenie's API; nobody while the door is closed."""
    door = setup.intake.opsgenie
    if not door.enabled:
        return ()
    return tuple(
        Integration(name=name, key=key.reveal(), service=door.services.get(name, "")) for name, key in door.keys.items()
    )
