"""What the doors answer to, and who may come in."""

from __future__ import annotations

from typing import Final

from sentinel.intake import alertmanager as am
from sentinel.intake import canary, dynatrace, hooks, mail_door, pagerduty, pings, silences, sms, tickets, webhook
from sentinel.intake.alertmanager import speaking
from sentinel.intake.opsgenie import routes as opsgenie
from sentinel.web.guard import Route

API: Final = "/am/api/v2"


def routes() -> list[Route]:
    """Return everything that is answered to other tools."""
    return [
        Route("GET", f"{API}/status", speaking(am.get_status), access="alerts"),
        Route("GET", f"{API}/receivers", speaking(am.get_receivers), access="alerts"),
        Route("GET", f"{API}/alerts", speaking(am.get_alerts), access="alerts"),
        Route("POST", f"{API}/alerts", speaking(am.post_alerts), access="alerts"),
        Route("GET", f"{API}/alerts/groups", speaking(am.get_groups), access="alerts"),
        Route("GET", f"{API}/silences", speaking(silences.get_silences), access="alerts"),
        Route("POST", f"{API}/silences", speaking(silences.post_silence), access="alerts"),
        Route("GET", f"{API}/silence/{{id}}", speaking(silences.get_silence), access="alerts"),
        Route("DELETE", f"{API}/silence/{{id}}", speaking(silences.delete_silence), access="alerts"),
        Route("*", f"{API}/{{path:.*}}", speaking(am.unknown), access="alerts"),
        Route("*", "/am/api/v1/{path:.*}", speaking(am.gone), access="alerts"),
        Route("GET", "/am/-/healthy", am.healthy, access="anyone"),
        Route("GET", "/am/-/ready", am.ready, access="anyone"),
        Route("POST", "/am/-/reload", am.reload),
        Route("POST", "/hooks/alertmanager", webhook.take, access="alerts"),
        Route("POST", "/hooks/dynatrace", dynatrace.take, access="problems"),
        Route("POST", "/api/v1/mail", mail_door.take),
        Route("POST", "/hooks/canary", canary.take, access="anyone"),
        Route("POST", "/hooks/tickets/{name}", tickets.take, access="anyone"),
        Route("POST", "/hooks/{key}", hooks.take, access="anyone"),
        *pagerduty.routes(),
        *pings.routes(),
        *opsgenie.routes(),
        *(Route(method, "/sms/{name}/reply", sms.reply, access="anyone") for method in ("GET", "POST")),
        *(Route(method, "/sms/{name}/receipt", sms.receipt, access="anyone") for method in ("GET", "POST")),
    ]
