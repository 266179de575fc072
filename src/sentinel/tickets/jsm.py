"""Alerts in Jira Service Management (operations API v1), which succeeds Opsgenie: other addresses, other envelopes."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from pydantic import Field

from sentinel.config.fields import OneOrMany, Secret
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.alerts import AlertTickets, refused_by
from sentinel.tickets.common import basic
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of

PRODUCT: Final = "Jira Service Management"


class JsmOptions(TicketOptions):
    """Which site (``cloud_id``), and in whose name: the address of a user and their API token. ``teams`` are their ids.

    ``url`` is ``https://api.atlassian.com``.
    """

    backend: Literal["jsm"]
    user: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^:\s]+$")]
    token: Secret
    cloud_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}$")]
    teams: OneOrMany[str] = ()


class JsmDialect:
    """How Jira Service Management speaks."""

    product = PRODUCT
    change = "PATCH"
    size = "size"
    after = "after"

    def __init__(self, url: str) -> None:
        self._url = url

    def whole(self, found: dict[str, Any]) -> Any:
        """Return what an answer is about: it stands alone."""
        return found

    def listed(self, found: dict[str, Any]) -> Any:
        """Return the list of an answer."""
        return found.get("values")

    def by_alias(self, alias: str) -> str:
        """Return where the open alert of an alias is."""
        return f"/alias?{urlencode({'alias': alias})}"

    def owner(self, assignee: str) -> dict[str, Any]:
        """Return the body that gives an alert to an account."""
        return {"accountId": assignee}

    def link(self, alert: str) -> str:
        """Return where the alert is; pages of alerts are found by a number that is not ours to know."""
        return f"{self._url}/{alert}"


def _build(options: Any, policy: TargetPolicy) -> AlertTickets:
    url = f"{options.url.rstrip('/')}/jsm/ops/api/{options.cloud_id}/v1/alerts"
    headers = basic(options.user, options.token.reveal())
    talk = Talk(PRODUCT, url, headers, caller_of(policy, options.timeout), partial(refused_by, PRODUCT))
    teams = tuple({"type": "team", "id": team} for team in options.teams)
    return AlertTickets(options.called, talk, JsmDialect(url), teams)


KIND = TicketKind("jsm", JsmOptions, _build)
