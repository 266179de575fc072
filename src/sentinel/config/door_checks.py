"""What ``intake.pagerduty`` and ``intake.hooks`` refer to must be there, and each key must tell one sender from all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.door_keys import KEY_BITS, bits_of
from sentinel.config.errors import Path
from sentinel.config.fields import Secret
from sentinel.config.intake import IntakeSection
from sentinel.config.sections import Config
from sentinel.config.support import SupportEntry
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield services that there are not, keys that two have, and tables for labels that nobody makes."""
    intake = cast(IntakeSection, config.single["intake"])
    known = sorted(config.names["services"])
    entries: list[tuple[Path, Secret, str]] = [
        *((("intake", "pagerduty", "keys", name), one.key, one.service) for name, one in intake.pagerduty.keys.items()),
        *((("intake", "hooks", name), one.key, one.service) for name, one in intake.hooks.items()),
    ]
    for name in intake.pagerduty.keys.keys() & config.names["people"]:
        fault = f"{quoted(name)} is a person already, who would seem to acknowledge"
        yield Fault(("intake", "pagerduty", "keys", name), fault, "give the integration another name")
    taken: dict[str, Path] = {}
    for path, key, service in entries:
        if service and service not in known:
            yield Fault((*path, "service"), f"unknown service {quoted(service)}", did_you_mean(service, known))
        other = taken.setdefault(key.reveal(), path)
        if other != path:
            yield Fault((*path, "key"), f"this is the key of `{'.'.join(map(str, other))}` too", "take one for each")
    for name, hook in intake.hooks.items():
        for label in hook.translate.keys() - hook.labels.keys():
            fault = f"`labels` makes no label {quoted(label)}"
            yield Fault(("intake", "hooks", name, "translate", label), fault, did_you_mean(label, hook.labels))


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield hooks of which nothing ever ends by itself, and a link that could be guessed."""
    key = cast(SupportEntry, config.single["support"]).key
    if key is not None and bits_of(key.reveal()) < KEY_BITS:
        what = f"the key of the link can hold no more than {bits_of(key.reveal())} bits; {KEY_BITS} cannot be guessed"
        yield Fault(("support", "key"), what, "take one from `uuidgen`")
    for name, hook in cast(IntakeSection, config.single["intake"]).hooks.items():
        if not hook.resolved:
            what = "nothing that comes in here is ever over before it `expires`"
            yield Fault(("intake", "hooks", name), what, "write `resolved`")
