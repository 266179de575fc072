"""Alerts in Jira Service Management (operations API v1), which succeeds Opsgenie: other addresses, other envelopes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import Field

from sentinel.probes.net import TargetPolicy
from sentinel.tickets.alerts import AlertOptions, AlertTickets
from sentinel.tickets.common import basic
from sentinel.tickets.options import TicketKind


class JsmOptions(AlertOptions):
    """Which site (``cloud_id``), and in whose name: the address of a user and their API token. ``teams`` are their ids.

    ``url`` is ``https://api.atlassian.com``.
    """

    backend: Literal["jsm"]
    user: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^:\s]+$")]
    cloud_id: Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{36}$")]


class JsmDialect:
    """How Jira Service Management speaks."""

    product = "Jira Service Management"
    team = "id"
    change = "PATCH"
    size = "size"
    after = "after"

    def __init__(self, url: str) -> None:
        self.url = url

    def whole(self, found: dict[str, Any]) -> Any:
        """Return what an answer is about: it stands alone."""
        return found

    def listed(self, found: dict[str, Any]) -> Any:
        """Return the list of an answer."""
        return found.get("values")

    def following(self, found: dict[str, Any], _page: list[dict[str, Any]]) -> str:
        """Return what the link to the next page has for ``after``: it alone knows whether there is one."""
        links = found.get("links")
        link = links.get("next") if isinstance(links, dict) else None
        return next(iter(parse_qs(urlsplit(str(link)).query).get(self.after, ())), "") if link else ""

    def by_alias(self, alias: str) -> str:
        """Return where the open alert of an alias is."""
        return f"/alias?{urlencode({'alias': alias})}"

    def owner(self, assignee: str) -> dict[str, Any]:
        """Return the body that gives an alert to an account."""
        return {"accountId": assignee}

    def link(self, alert: str) -> str:
        """Return where the alert is; pages of alerts are found by a number that is not ours to know."""
        return f"{self.url}/{alert}"


def _build(options: Any, policy: TargetPolicy) -> AlertTickets:
    url = f"{options.url.rstrip('/')}/jsm/ops/api/{options.cloud_id}/v1/alerts"
    return AlertTickets(options, policy, JsmDialect(url), basic(options.user, options.token.reveal()))


KIND = TicketKind("jsm", JsmOptions, _build)
