"""What ``intake.mail``, ``intake.sms`` and channels that can be answered refer to must be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.intake import IntakeSection
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield names of services that there are not."""
    intake = cast(IntakeSection, config.single["intake"])
    known = sorted(config.names["services"])
    for name, service in (("mail", intake.mail.service), ("sms", intake.sms.service)):
        if service and service not in known:
            fault = f"unknown service {quoted(service)}"
            yield Fault(("intake", name, "service"), fault, did_you_mean(service, known))


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield channels that can be answered, of which no answer could come in."""
    for name, entry in config.channels.items():
        if entry.kind.name == "http-sms" and entry.options.replies and entry.options.door() is None:
            why = "answers cannot come in: nothing tells the gateway from anybody else"
            yield Fault(("channels", name, "replies"), why, "write `reply_key: ${cred:sms_key}`")
