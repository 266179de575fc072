"""What only the network can tell of a configuration: do targets resolve, do channels let us in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from socket import getfqdn
from typing import TYPE_CHECKING

from sentinel import channels
from sentinel.channels.base import Surroundings, Undelivered
from sentinel.cli.hosts import host_of
from sentinel.engine.clock import SystemClock
from sentinel.openid.base import Unavailable
from sentinel.openid.configured import provider_of
from sentinel.probes.base import Failed
from sentinel.probes.resolver import AioResolver

if TYPE_CHECKING:
    from sentinel.config.build import ChannelPlan, Setup
    from sentinel.openid.provider import Provider

AT_ONCE_MAX = 20
WITHIN_S = 15.0

Fault = dict[str, str]


async def faults_of(setup: Setup) -> list[Fault]:
    """Return what does not work, in the order of the configuration."""
    resolver = AioResolver([str(server) for server in setup.resolvers])
    places = asyncio.Semaphore(AT_ONCE_MAX)
    hosts: dict[str, str] = {}
    for plan in setup.probes.values():
        for target in plan.targets:
            host = host_of(plan.type, target)
            if host:
                hosts.setdefault(host, f"{plan.name} ({target})")
    provider = provider_of(setup)
    work = [
        *([_within(places, "auth.oidc", _published(provider))] if provider is not None else []),
        *(_within(places, f"channel {name}", _channel(setup, plan)) for name, plan in setup.channels.items()),
        *(_within(places, f"probe {where}", _resolved(resolver, host)) for host, where in hosts.items()),
    ]
    try:
        return [fault for fault in await asyncio.gather(*work) if fault]
    finally:
        await resolver.close()


async def _within(places: asyncio.Semaphore, what: str, work: Awaitable[str]) -> Fault | None:
    async with places:
        try:
            why = await asyncio.wait_for(work, WITHIN_S)
        except TimeoutError:
            why = f"no answer within {WITHIN_S:g} s"
    return {"what": what, "why": why} if why else None


async def _resolved(resolver: AioResolver, host: str) -> str:
    try:
        await resolver.resolve(host)
    except Failed as failure:
        return failure.detail
    return ""


async def _published(provider: Provider) -> str:
    try:
        await provider.check()
    except Unavailable as failure:
        return str(failure)
    return ""


async def _channel(setup: Setup, plan: ChannelPlan) -> str:
    now = SystemClock().now
    surroundings = Surroundings(
        policy=setup.policy,
        hostname=getfqdn(),
        site=setup.site.name,
        now=lambda: now().timestamp(),
        folder=setup.folder,
    )
    sender = channels.kind(plan.kind).build(plan.options, surroundings)
    try:
        await sender.check()
    except Undelivered as failure:
        return failure.why
    finally:
        await sender.close()
    return ""
