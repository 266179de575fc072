"""Every subject that checks its own section: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from sentinel.config import (
    access_checks,
    budget_checks,
    change_checks,
    contract_checks,
    crisis_checks,
    dependency_checks,
    door_checks,
    extra_checks,
    inbound_checks,
    intake_checks,
    isolation_checks,
    ladder_checks,
    matrix_checks,
    openid_checks,
    portal_checks,
    provider_checks,
    quorum,
    report_checks,
    review_checks,
    rota_checks,
    ticket_checks,
    toll_checks,
    unattended_checks,
    watchdog_checks,
)
from sentinel.config.contract_checks import Fault
from sentinel.config.sections import Config

Look = Callable[[Config], Iterable[Fault]]

# What cannot be used as it is written.
FAULTS: Final[tuple[Look, ...]] = (
    contract_checks.faults_of,
    rota_checks.faults_of,
    change_checks.faults_of,
    report_checks.faults_of,
    crisis_checks.faults_of,
    ladder_checks.faults_of,
    review_checks.faults_of,
    isolation_checks.faults_of,
    intake_checks.faults_of,
    door_checks.faults_of,
    inbound_checks.faults_of,
    matrix_checks.faults_of,
    dependency_checks.faults_of,
    unattended_checks.faults_of,
    ticket_checks.faults_of,
    portal_checks.faults_of,
    openid_checks.faults_of,
    access_checks.faults_of,
    budget_checks.faults_of,
    provider_checks.faults_of,
    toll_checks.faults_of,
    quorum.faults_of,
    watchdog_checks.faults_of,
)
# What can be used, and is hardly ever meant.
WARNINGS: Final[tuple[Look, ...]] = (
    ladder_checks.warnings_of,
    change_checks.warnings_of,
    inbound_checks.warnings_of,
    unattended_checks.warnings_of,
    ticket_checks.warnings_of,
    access_checks.warnings_of,
    door_checks.warnings_of,
    extra_checks.warnings_of,
    toll_checks.warnings_of,
    watchdog_checks.warnings_of,
)
