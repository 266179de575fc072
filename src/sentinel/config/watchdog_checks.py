"""What the section ``watchdog`` refers to must be there, and what it watches must have somebody to tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from sentinel.channels.base import ChannelKind
from sentinel.config.contract_checks import Fault
from sentinel.config.portal_checks import REFER, WRITTEN
from sentinel.config.sections import Config, Kinded, written_secrets
from sentinel.config.watchdog import Watchdog
from sentinel.config.watchers import TEXT_MARK, CanaryEntry
from sentinel.config.words import did_you_mean, quoted

# By which kind of channel a canary must leave to come back so; the empty one reaches a place.
LEAVES_BY: Final = {"mail": ("email",), "sms": ("mobile",), "webhook": ("",), "receipt": ("mobile", "email")}


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield channels that are not there, a canary that cannot come back, trouble that nobody would be told of."""
    watchdog = cast(Watchdog, config.single["watchdog"])
    for number, channel in enumerate(watchdog.alive_without):
        if channel not in config.names["channels"]:
            yield _unknown(channel, config, ("watchdog", "alive_without", number))
    if watchdog.canary is not None:
        yield from _canary(watchdog.canary, config)
    told_of = {"canary": watchdog.canary is not None, "peers": bool(watchdog.peers)}
    for name in [name for name, there in told_of.items() if there and not watchdog.self_alert.to]:
        yield Fault(("watchdog", name), "nobody would be told", "name somebody at watchdog.self_alert.to")
    for section in ("alive", "peers"):
        for name, entry in getattr(watchdog, section).items():
            written = written_secrets(entry)
            if entry.key is not None and not entry.key.referenced:
                written.append(("key",))
            for loc in written:
                yield Fault(("watchdog", section, name, *loc), WRITTEN, REFER)
    keys: dict[str, str] = {}
    for name, peer in watchdog.peers.items():
        if peer.key is not None and (other := keys.setdefault(peer.key.reveal(), name)) != name:
            yield Fault(("watchdog", "peers", name, "key"), f"{quoted(other)} has this key too", "give each its own")


def _canary(canary: CanaryEntry, config: Config) -> Iterator[Fault]:
    path = ("watchdog", "canary")
    if canary.by not in config.channels:
        if canary.by not in config.names["channels"]:  # Else it is wrong itself, and that is told there.
            yield _unknown(canary.by, config, (*path, "by"))
        return
    kind = _way(config.channels[canary.by])
    if kind not in LEAVES_BY[canary.back]:
        wanted = " or ".join({"email": "mail", "mobile": "SMS", "": "a webhook"}[one] for one in LEAVES_BY[canary.back])
        yield Fault((*path, "back"), f"what leaves by {quoted(canary.by)} does not come back so", f"it takes {wanted}")
        return
    try:
        canary.address(kind)
    except ValueError as error:
        fault = Fault((*path, "to"), str(error)) if canary.to else Fault(path, "it does not say where", "write `to`")
        yield fault


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield a program of the last gasp that is never told what is wrong by its arguments."""
    run = cast(Watchdog, config.single["watchdog"]).last_gasp.run
    if run and not any(TEXT_MARK in argument for argument in run):
        yield Fault(("watchdog", "last_gasp", "run"), "the text reaches it on its standard input only", "add `{text}`")


def _way(entry: Kinded) -> str:
    """Return which kind of address a channel wants; empty when it reaches a place."""
    wanted = cast(ChannelKind, entry.kind).address
    return {"email": "email", "sms": "mobile"}.get(entry.options.as_, "") if wanted == "choose" else wanted


def _unknown(channel: str, config: Config, path: tuple[str | int, ...]) -> Fault:
    known = sorted(config.names["channels"])
    return Fault(path, f"unknown channel {quoted(channel)}", did_you_mean(channel, known))
