"""Tokens of the section ``auth`` name people and customers that there are; who is served from outside shows one."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import cast

from sentinel.config import model as m
from sentinel.config.addresses import HostPort
from sentinel.config.contract_checks import Fault
from sentinel.config.portal import AuthSection
from sentinel.config.portal_checks import REFER, WRITTEN
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield people and customers that there are not, tokens written in the file, one token under two names."""
    auth = cast(AuthSection, config.single["auth"])
    customers = sorted({entry.customer for entry in config.services.values() if entry.customer})
    for name, key in (("key", auth.key), ("previous_key", auth.previous_key)):
        if key is not None and not key.referenced:
            yield Fault(("auth", name), WRITTEN, REFER)
    first: dict[str, str] = {}
    for name, entry in auth.tokens.items():
        path = ("auth", "tokens", name)
        if entry.token and not entry.token.referenced:
            yield Fault((*path, "token"), WRITTEN, REFER)
        if entry.person and entry.person not in config.names["people"]:
            near = did_you_mean(entry.person, sorted(config.names["people"]))
            yield Fault((*path, "person"), f"unknown person {quoted(entry.person)}", near)
        if entry.customer and entry.customer not in customers:
            near = did_you_mean(entry.customer, customers)
            yield Fault((*path, "customer"), f"no service is of the customer {quoted(entry.customer)}", near)
        other = first.setdefault(entry.token.reveal(), name)
        if other != name:
            yield Fault((*path, "token"), f"it is the token of {quoted(other)} too", "each needs one of its own")
    yield from _reached_from_outside(config, auth)


def _reached_from_outside(config: Config, auth: AuthSection) -> Iterator[Fault]:
    first: dict[str, tuple[str, ...]] = {}
    for path, listen in _listened(config):
        if not is_loopback(listen.host) and not auth.needed:
            yield Fault(
                path,
                f"{quoted(str(listen))} can be reached from outside, and nobody would have to sign in",
                f"write `127.0.0.1:{listen.port}`, or name `auth.tokens`, or say `auth: {{loopback: no}}`",
            )
        other = first.setdefault(str(listen), path)
        if other != path:
            yield Fault(
                path, f"{quoted(str(listen))} is what `{'.'.join(other)}` says too", "each needs a port of its own"
            )


def _listened(config: Config) -> Iterator[tuple[tuple[str, ...], HostPort]]:
    """Yield the addresses that are listened on, and where they stand."""
    server = cast(m.Server, config.single["server"])
    yield ("server", "listen"), server.listen
    for root, listen in server.roots.items():
        yield ("server", "roots", root), listen


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield an address that tokens would reach in clear."""
    for path, listen in _listened(config):
        if not is_loopback(listen.host) and cast(AuthSection, config.single["auth"]).needed:
            what = f"tokens pass in clear to {quoted(str(listen))}"
            yield Fault(path, what, "listen on 127.0.0.1, behind a proxy that speaks TLS")


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
