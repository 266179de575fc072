"""Alerts in Opsgenie (API v2), whose service ends on 5 April 2027, and in whatever keeps its interface."""

from __future__ import annotations

from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

from sentinel.probes.net import TargetPolicy
from sentinel.tickets.alerts import PAGE, AlertOptions, AlertTickets
from sentinel.tickets.options import TicketKind

PATH: Final = "/v2/alerts"
# Where people see alerts, by where the interface is; for what merely speaks like it nobody knows.
PAGES: Final = {"api.opsgenie.com": "app.opsgenie.com", "api.eu.opsgenie.com": "app.eu.opsgenie.com"}


class OpsgenieOptions(AlertOptions):
    """The key of an API integration, and the teams that are responsible."""

    backend: Literal["opsgenie"]


class OpsgenieDialect:
    """How Opsgenie speaks."""

    product = "Opsgenie"
    team = "name"
    change = "PUT"
    size = "limit"
    after = "offset"

    def __init__(self, url: str) -> None:
        self._page = PAGES.get(urlsplit(url).hostname or "", "")
        self.url = f"{url}{PATH}"

    def whole(self, found: dict[str, Any]) -> Any:
        """Return what an answer is about."""
        return found.get("data")

    def listed(self, found: dict[str, Any]) -> Any:
        """Return the list of an answer."""
        return found.get("data")

    def following(self, _found: dict[str, Any], page: list[dict[str, Any]]) -> str:
        """Return the place of the last entry of a page that is full."""
        return str(page[-1].get("offset") or "") if len(page) >= PAGE else ""

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
        return f"{self.url}/{alert}"


def _build(options: Any, policy: TargetPolicy) -> AlertTickets:
    dialect = OpsgenieDialect(options.url.rstrip("/").removesuffix(PATH))
    return AlertTickets(options, policy, dialect, {"Authorization": f"GenieKey {options.token.reveal()}"})


KIND = TicketKind("opsgenie", OpsgenieOptions, _build)
