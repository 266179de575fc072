"""Alerts in Opsgenie (API v2), whose service ends on 5 April 2027, and in whatever keeps its interface."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from sentinel.config.fields import OneOrMany, Secret
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.alerts import AlertTickets, refused_by
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of

PRODUCT: Final = "Opsgenie"
PATH: Final = "/v2/alerts"
# Where people see alerts, by where the interface is; for what merely speaks like it nobody knows.
PAGES: Final = {"api.opsgenie.com": "app.opsgenie.com", "api.eu.opsgenie.com": "app.eu.opsgenie.com"}


class OpsgenieOptions(TicketOptions):
    """The key of an API integration, and the teams that are responsible."""

    backend: Literal["opsgenie"]
    token: Secret
    teams: OneOrMany[str] = ()


class OpsgenieDialect:
    """How Opsgenie speaks."""

    product = PRODUCT
    change = "PUT"
    size = "limit"
    after = "offset"

    def __init__(self, url: str) -> None:
        self._page = PAGES.get(urlsplit(url).hostname or "", "")
        self._url = url

    def whole(self, found: dict[str, Any]) -> Any:
        """Return what an answer is about."""
        return found.get("data")

    def listed(self, found: dict[str, Any]) -> Any:
        """Return the list of an answer."""
        return found.get("data")

    def by_alias(self, alias: str) -> str:
        """Return where the open alert of an alias is."""
        return f"/{quote(alias, safe='')}?identifierType=alias"

    def owner(self, assignee: str) -> dict[str, Any]:
        """Return the body that gives an alert to a user, by their address."""
        return {"owner": {"username": assignee}}

    def link(self, alert: str) -> str:
        """Return where people see an alert."""
        if self._page:
            return f"https://{self._page}/alert/detail/{alert}/details"
        return f"{self._url}{PATH}/{alert}"


def _build(options: Any, policy: TargetPolicy) -> AlertTickets:
    url = options.url.rstrip("/").removesuffix(PATH)
    headers = {"Authorization": f"GenieKey {options.token.reveal()}"}
    talk = Talk(PRODUCT, f"{url}{PATH}", headers, caller_of(policy, options.timeout), partial(refused_by, PRODUCT))
    teams = tuple({"type": "team", "name": team} for team in options.teams)
    return AlertTickets(options.called, talk, OpsgenieDialect(url), teams)


KIND = TicketKind("opsgenie", OpsgenieOptions, _build)
