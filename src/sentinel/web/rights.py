"""The one table of who may ask what: for each route the right it needs, and what a customer sees of it.

A route that is served to whoever has a role and is not in here is served to nobody (threat T28).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sentinel.core.access import Right
from sentinel.web.limits import Weight

# What a customer sees. `nothing`: not served. `theirs`: what the handler shows is narrowed to the services of the
# customer. `incident`: served when the incident in the path is of one of them. `all`: it says nothing of anybody.
Tenant = Literal["nothing", "theirs", "incident", "all"]


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may ask: whoever has the right, and a customer as far as ``tenant`` goes; how much the answer weighs.

    What ``shows_secret`` answers with is never kept to be told again.
    """

    right: Right
    tenant: Tenant = "nothing"
    weight: Weight = "act"
    shows_secret: bool = False


LOOK: Final = Grant("look", weight="look")
BULK: Final = Grant("look", weight="bulk")
THEIRS: Final = Grant("look", "theirs", "look")
WORK: Final = Grant("work")
VITAL: Final = Grant("work", weight="vital")
LEAD: Final = Grant("lead", weight="vital")
DELIVER: Final = Grant("deliver")
ADMINISTER: Final = Grant("administer")
API: Final = "/api/v1"


def _below(path: str, **grants: Grant) -> dict[str, Grant]:
    """Return the lines of what can be done with the thing of a path."""
    return {f"POST {path}/{name}": grant for name, grant in grants.items()}


PAGES: Final[dict[str, Grant]] = {
    "GET /": THEIRS,
    "GET /live": LOOK,
    "GET /me": Grant("look", "all", "look"),
    "POST /me/test": Grant("look", "all"),
    "POST /me/password": Grant("look", "all"),
    "POST /me/second": Grant("look", "all"),
    "POST /me/second/remove": Grant("look", "all"),
    "POST /me/sessions/end": Grant("look", "all"),
    "POST /me/sessions/{id}/end": Grant("look", "all"),
    "GET /incidents": THEIRS,
    "POST /incidents": VITAL,
    "GET /incidents/{number}": Grant("look", "incident", "look"),
    **_below("/incidents/{number}", hold=WORK, release=WORK, merge=WORK, cascade=VITAL, problem=LEAD),
    "GET /incidents/{number}/pictures/{name}": BULK,
    **_below("/incidents/{number}", acknowledge=VITAL, resolve=VITAL, note=WORK, reopen=VITAL, close=WORK),
    **_below("/incidents/{number}", escalate=VITAL, assign=VITAL, unacknowledge=VITAL, pend=WORK, resume=WORK),
    **_below("/incidents/{number}", workaround=WORK, recategorise=WORK, publish=LEAD),
    "GET /incidents/{number}/crisis": LOOK,
    **_below("/incidents/{number}/crisis", declare=VITAL, step=VITAL, check=VITAL, join=VITAL, leave=VITAL),
    **_below("/incidents/{number}/crisis", decline=LEAD, message=LEAD, close=LEAD, level2=LEAD, level3=LEAD),
    **_below("/incidents/{number}/crisis", drp_yes=LEAD, drp_no=LEAD, drp_started=LEAD, t0=LEAD, every=LEAD),
    **_below("/incidents/{number}/crisis", preview=LEAD, change=LEAD, approve=LEAD),
    "GET /incidents/{number}/report": LOOK,
    **_below("/incidents/{number}", report=LEAD, review=LEAD),
    "GET /probes": LOOK,
    "GET /probes/{name}": LOOK,
    "POST /probes/{name}/run": WORK,
    "GET /services": LOOK,
    "GET /services/{name}": LOOK,
    "GET /requests": THEIRS,
    "POST /requests": WORK,
    **_below("/requests/{number}", take=WORK, plan=WORK, done=WORK, refuse=WORK),
    "GET /problems": LOOK,
    "GET /problems/{number}": LOOK,
    **_below("/problems/{number}", note=WORK, known=WORK, link=WORK, unlink=WORK, actions=WORK),
    **_below("/problems/{number}", owner=LEAD, solve=LEAD, reopen=LEAD),
    **_below("/problems/{number}/actions/{action}", done=WORK, discussed=LEAD),
    **_below("/incidents/{number}/actions/{action}", done=WORK, discussed=LEAD),
    "GET /matrices": LOOK,
    **_below("/matrices/{name}", propose=WORK, withdraw=WORK, validate=DELIVER),
    "GET /changes": LOOK,
    "GET /changes/plan": DELIVER,
    "POST /changes/plan": DELIVER,
    "POST /changes/plan/check": DELIVER,
    "GET /changes/{number}": LOOK,
    "POST /changes/fixes": WORK,
    "POST /changes/fixes/{number}/done": WORK,
    **_below("/changes/{number}", start=WORK, finish=WORK, link=WORK, unlink=WORK, cancel=DELIVER),
    "POST /overload": LEAD,
    "GET /oncall": LOOK,
    **_below("/oncall/{rota}", fill=WORK, swap=WORK),
    "POST /oncall/changes/{id}/undo": WORK,
    "GET /silences": LOOK,
    "POST /silences": WORK,
    "POST /silences/{id}/end": WORK,
    "POST /silences/recurring/{id}/end": WORK,
    "GET /configuration": Grant("administer", weight="bulk"),
    "POST /configuration/reload": ADMINISTER,
    "GET /audit": Grant("deliver", weight="bulk"),
    "GET /people": LOOK,
    "POST /people/{id}/test": WORK,
    "POST /people/{id}/invite": Grant("administer", shows_secret=True),
    **_below("/people/{id}", disable=Grant("administer", weight="vital"), enable=ADMINISTER),
    "GET /tokens": Grant("administer", weight="look"),
    "POST /tokens": Grant("administer", shows_secret=True),
    "POST /tokens/{id}/revoke": Grant("administer", weight="vital"),
    "GET /oncall/{rota}.ics": LOOK,
    "GET /oncall/people/{person}.ics": LOOK,
    "GET /reports": THEIRS,
    "GET /reports/sla": Grant("look", "theirs", "bulk"),
    "GET /reports/style.css": Grant("look", "all", "look"),
    "GET /probe": LOOK,
    "GET /config": LOOK,
    "GET /logs": LOOK,
    "POST /-/reload": ADMINISTER,
    "POST /am/-/reload": ADMINISTER,
}

INCIDENTS: Final[dict[str, Grant]] = {
    f"GET {API}/incidents": Grant("look", "theirs", "look"),
    f"POST {API}/incidents": VITAL,
    f"GET {API}/incidents/{{number}}": Grant("look", "incident", "look"),
    **_below(f"{API}/incidents/{{number}}", acknowledge=VITAL, resolve=VITAL, reopen=VITAL, cascade=VITAL),
    **_below(f"{API}/incidents/{{number}}", escalate=VITAL, note=WORK, close=WORK, hold=WORK, merge=WORK),
    **_below(f"{API}/incidents/{{number}}", pend=WORK, resume=WORK, workaround=WORK, recategorise=WORK),
    **_below(f"{API}/incidents/{{number}}", problem=LEAD, unacknowledge=VITAL, assign=WORK, publish=LEAD),
    f"GET {API}/incidents/{{number}}/crisis": LOOK,
    **_below(f"{API}/incidents/{{number}}/crisis", declare=VITAL, step=VITAL, join=VITAL, leave=VITAL),
    **_below(f"{API}/incidents/{{number}}/crisis", decline=LEAD, message=LEAD, every=LEAD, drp=LEAD, t0=LEAD),
    **_below(f"{API}/incidents/{{number}}/crisis", level=LEAD, change=LEAD, close=LEAD),
    f"GET {API}/incidents/{{number}}/report": BULK,
    **_below(f"{API}/incidents/{{number}}", report=LEAD, review=LEAD, actions=WORK),
    **_below(f"{API}/incidents/{{number}}/actions/{{action}}", done=WORK, discussed=LEAD),
    f"POST {API}/signals": VITAL,
    f"POST {API}/mail": ADMINISTER,
    f"GET {API}/requests": Grant("look", "theirs", "look"),
    f"POST {API}/requests": WORK,
    **_below(f"{API}/requests/{{number}}", plan=WORK, done=WORK, refuse=WORK),
}

REST: Final[dict[str, Grant]] = {
    f"GET {API}/probes": BULK,
    f"POST {API}/probes/{{name}}/run": WORK,
    f"GET {API}/heartbeats/{{name}}/pings": LOOK,
    f"GET {API}/silences": LOOK,
    f"POST {API}/silences": WORK,
    f"DELETE {API}/silences/{{id}}": WORK,
    f"GET {API}/silences/recurring": LOOK,
    f"POST {API}/silences/recurring": WORK,
    f"DELETE {API}/silences/recurring/{{id}}": WORK,
    f"GET {API}/oncall": LOOK,
    f"GET {API}/oncall/shifts": BULK,
    f"GET {API}/oncall/changes": LOOK,
    f"POST {API}/oncall/changes/{{id}}/undo": WORK,
    **_below(f"{API}/oncall/{{rota}}", fill=WORK, swap=WORK),
    f"GET {API}/addresses": LOOK,
    f"GET {API}/overload": LOOK,
    f"POST {API}/overload": LEAD,
    f"GET {API}/matrices": LOOK,
    f"GET {API}/matrices/{{name}}": LOOK,
    f"GET {API}/matrices/{{name}}/history": LOOK,
    **_below(f"{API}/matrices/{{name}}", propose=WORK, withdraw=WORK, validate=DELIVER),
    f"POST {API}/people/{{id}}/test": WORK,
    f"GET {API}/messages": LOOK,
    f"GET {API}/reports/sla": Grant("look", "theirs", "bulk"),
    f"POST {API}/reload": ADMINISTER,
    f"GET {API}/now": LOOK,
    f"GET {API}/status": LOOK,
    f"GET {API}/changes": Grant("look", "theirs", "look"),
    f"POST {API}/changes": DELIVER,
    f"GET {API}/changes/{{number}}": LOOK,
    **_below(f"{API}/changes/{{number}}", start=WORK, finish=WORK, link=WORK, unlink=WORK, cancel=DELIVER),
    f"GET {API}/fixes": LOOK,
    f"POST {API}/fixes": WORK,
    f"POST {API}/fixes/{{number}}/done": WORK,
    f"GET {API}/actions": LOOK,
    f"GET {API}/problems": LOOK,
    f"GET {API}/problems/{{number}}": LOOK,
    **_below(f"{API}/problems/{{number}}", note=WORK, known=WORK, link=WORK, actions=WORK),
    **_below(f"{API}/problems/{{number}}", owner=LEAD, solve=LEAD, reopen=LEAD),
    **_below(f"{API}/problems/{{number}}/actions/{{action}}", done=WORK, discussed=LEAD),
    f"GET {API}/openapi.json": Grant("look", "all", "bulk"),
    f"GET {API}/me": Grant("look", "all", "look"),
    f"GET {API}/tokens": Grant("administer", weight="look"),
    f"POST {API}/tokens": Grant("administer", shows_secret=True),
    f"DELETE {API}/tokens/{{id}}": Grant("administer", weight="vital"),
    f"GET {API}/accounts": Grant("administer", weight="look"),
    f"POST {API}/accounts/{{person}}/invite": Grant("administer", shows_secret=True),
    **_below(f"{API}/accounts/{{person}}", disable=Grant("administer", weight="vital"), enable=ADMINISTER),
}

GRANTS: Final[dict[str, Grant]] = {**PAGES, **INCIDENTS, **REST}
