"""The description of every operation of the API, beside the shapes that its handlers read and write."""

from __future__ import annotations

from typing import Any, Final

from sentinel.core import matrix_keeping
from sentinel.core.model import Result
from sentinel.core.report.model import Report
from sentinel.intake import mail_door
from sentinel.web import (
    accounts,
    addresses,
    changes,
    crises,
    handling,
    heard,
    incidents,
    lifecycle,
    matrices,
    now_view,
    oncall,
    overload,
    probes,
    problems,
    publishing,
    recurring,
    requests,
    reviews,
    signals,
    tokens,
)
from sentinel.web.context import Delivered
from sentinel.web.crisis_view import CrisisView
from sentinel.web.operations import DAY, LANGUAGE, MOMENT, Operation, Parameter, limit
from sentinel.web.paging import CURSOR
from sentinel.web.review_document import Document
from sentinel.web.rights import API
from sentinel.web.views import IncidentPage, IncidentView, MessageView, ProbeView, SilenceView

_SERVICE: Final = Parameter("service", "Only what is about this service.")
_ROTA: Final = Parameter("rota", "Only this rota.")
_LANG: Final = Parameter("lang", "The language of titles and texts.", LANGUAGE)
_PERIOD: Final = (
    Parameter("service", "Only this service.", many=True),
    Parameter("customer", "Only the services of this customer."),
    Parameter("from", "The first day.", DAY),
    Parameter("to", "The last day, which is in it.", DAY),
    Parameter("month", "A month, such as 2026-10.", {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}$"}),
)

_FILES: Final = ("text/csv", "text/html", "application/pdf")


def _state(*known: str, many: bool = False) -> Parameter:
    about = "Only those in this state" + ("; several with commas between." if many else ".")
    return Parameter("state", about, {"type": "string"} if many else {"type": "string", "enum": list(known)}, many)


def _format(*known: str) -> Parameter:
    return Parameter("format", "How it is written; JSON without it.", {"type": "string", "enum": list(known)})


def _below(path: str, gives: Any, **takes: Any) -> dict[str, Operation]:
    """Return the lines of what is done with the thing of a path, by the last word of the path."""
    query = (_LANG,) if gives is CrisisView else ()
    return {f"POST {path}/{name}": Operation(gives, body, query) for name, body in takes.items()}


_INCIDENT: Final = f"{API}/incidents/{{number}}"
_PROBLEM: Final = f"{API}/problems/{{number}}"
_CHANGE: Final = f"{API}/changes/{{number}}"
_ACTED: Final = {"done": reviews.Said, "discussed": reviews.Said}

INCIDENTS: Final[dict[str, Operation]] = {
    f"GET {API}/incidents": Operation(
        list[IncidentView],
        query=(
            _state(*incidents.PHASES, incidents.UNFINISHED, many=True),
            _SERVICE,
            limit(incidents.LIST_DEFAULT, incidents.LIST_MAX),
            Parameter("before", "The number to go on from."),
            Parameter("order", "In which order.", {"type": "string", "enum": list(incidents.ORDERS)}),
        ),
    ),
    f"POST {API}/incidents": Operation(IncidentView, incidents.Raise, status=201),
    f"GET {_INCIDENT}": Operation((IncidentPage, IncidentView)),
    **_below(_INCIDENT, IncidentView, acknowledge=incidents.Who, note=incidents.Said, resolve=incidents.Resolution),
    **_below(_INCIDENT, IncidentView, reopen=incidents.Said, close=incidents.Said, hold=incidents.Holding),
    **_below(_INCIDENT, IncidentView, merge=incidents.Into, pend=handling.Waiting, resume=handling.Said),
    **_below(_INCIDENT, IncidentView, workaround=handling.Said, recategorise=handling.Category, cascade=handling.Said),
    **_below(_INCIDENT, IncidentView, escalate=handling.Said, problem=handling.Judgement),
    **_below(_INCIDENT, IncidentView, publish=publishing.Publishing),
    **_below(_INCIDENT, IncidentView, unacknowledge=handling.Said, assign=handling.Giving),
    f"GET {_INCIDENT}/crisis": Operation(CrisisView, query=(_LANG,)),
    **_below(f"{_INCIDENT}/crisis", CrisisView, declare=crises.Declared, decline=crises.Said, step=crises.Step),
    **_below(f"{_INCIDENT}/crisis", CrisisView, message=crises.Said, every=crises.Often, drp=crises.Recovery),
    **_below(f"{_INCIDENT}/crisis", CrisisView, t0=crises.Beginning, level=crises.Higher, join=crises.Member),
    **_below(f"{_INCIDENT}/crisis", CrisisView, leave=crises.Member, change=crises.Change, close=crises.Said),
    f"GET {_INCIDENT}/report": Operation(
        Document, query=(_format(*reviews.FORMATS), _LANG), also=("text/markdown", "text/html")
    ),
    **_below(_INCIDENT, IncidentView, report=reviews.Written, review=reviews.Held),
    **_below(_INCIDENT, reviews.ActionView, actions=reviews.NewAction),
    **_below(f"{_INCIDENT}/actions/{{action}}", reviews.ActionView, **_ACTED),
    f"POST {API}/signals": Operation(IncidentView, signals.Ticket, status=201),
    f"POST {API}/mail": Operation(dict[str, str], mail_door.MailIn),
    f"GET {API}/requests": Operation(
        list[requests.RequestView],
        query=(_state(*requests.PHASES), _SERVICE, CURSOR, limit(requests.LIST_DEFAULT, requests.LIST_MAX)),
    ),
    f"POST {API}/requests": Operation(requests.RequestView, requests.Asking, status=201),
    **_below(
        f"{API}/requests/{{number}}",
        requests.RequestView,
        plan=requests.Plan,
        done=requests.Said,
        refuse=requests.Said,
    ),
}

DUTY: Final[dict[str, Operation]] = {
    f"GET {API}/oncall": Operation(
        list[oncall.OnCallView], query=(Parameter("at", "When; now without it.", MOMENT), _ROTA)
    ),
    f"GET {API}/oncall/shifts": Operation(
        list[oncall.StretchView],
        query=(
            _ROTA,
            Parameter("person", "Only the shifts of this person."),
            Parameter("from", "From when.", MOMENT),
            Parameter("until", "Until when.", MOMENT),
            Parameter("week", "A week, such as 2026-W49."),
        ),
    ),
    f"GET {API}/oncall/changes": Operation(list[oncall.ChangeView], query=(_ROTA, CURSOR, limit(1_000, 1_000))),
    f"POST {API}/oncall/changes/{{id}}/undo": Operation(oncall.ChangeView, oncall.Undo),
    f"POST {API}/oncall/{{rota}}/fill": Operation(oncall.ChangeView, oncall.Fill, status=201),
    f"POST {API}/oncall/{{rota}}/swap": Operation(oncall.ChangeView, oncall.Swap, status=201),
    f"GET {API}/addresses": Operation(list[addresses.AddressView]),
    f"GET {API}/overload": Operation(overload.OverloadView),
    f"POST {API}/overload": Operation(overload.OverloadView, overload.Switch),
    f"GET {API}/matrices": Operation(list[matrices.MatrixView]),
    f"GET {API}/matrices/{{name}}": Operation(matrices.MatrixView),
    f"GET {API}/matrices/{{name}}/history": Operation(list[matrix_keeping.Fact]),
    **_below(
        f"{API}/matrices/{{name}}",
        matrices.MatrixView,
        propose=matrices.Proposal,
        validate=matrices.Validation,
        withdraw=matrices.Withdrawal,
    ),
}

AFTER: Final[dict[str, Operation]] = {
    f"GET {API}/actions": Operation(
        list[reviews.ActionView],
        query=(
            Parameter("open", "Anything: only those still to be done."),
            Parameter("owner", "Only those of this person."),
            CURSOR,
            limit(1_000, 1_000),
        ),
    ),
    f"GET {API}/problems": Operation(
        list[problems.ProblemView], query=(_state(*problems.STATES, many=True), CURSOR, limit(1_000, 1_000))
    ),
    f"GET {_PROBLEM}": Operation(problems.ProblemView),
    **_below(_PROBLEM, problems.ProblemView, note=problems.Said, known=problems.Known, owner=problems.Naming),
    **_below(_PROBLEM, problems.ProblemView, solve=problems.Said, reopen=problems.Said, link=problems.Linking),
    **_below(_PROBLEM, problems.ProblemView, actions=reviews.NewAction),
    **_below(f"{_PROBLEM}/actions/{{action}}", problems.ProblemView, done=problems.Said, discussed=problems.Said),
    f"GET {API}/changes": Operation(
        list[changes.ChangeView],
        query=(
            _SERVICE,
            _state("open", *sorted(changes.STATES)),
            limit(changes.LIMIT_MAX, changes.LIMIT_MAX),
            CURSOR,
        ),
    ),
    f"POST {API}/changes": Operation(changes.ChangePage, changes.Plan, status=201),
    f"GET {_CHANGE}": Operation(changes.ChangePage),
    **_below(_CHANGE, changes.ChangePage, start=changes.Act, finish=changes.Act, cancel=changes.Act),
    **_below(_CHANGE, changes.ChangePage, link=changes.Act, unlink=changes.Act),
    f"GET {API}/fixes": Operation(list[changes.FixView], query=(_SERVICE, CURSOR, limit(1_000, 1_000))),
    f"POST {API}/fixes": Operation(changes.FixView, changes.AddFix, status=201),
    f"POST {API}/fixes/{{number}}/done": Operation(changes.FixView, changes.Deliver),
    f"GET {API}/reports/sla": Operation(
        Report,
        query=(*_PERIOD, _format("json", "csv", "html", "pdf"), _LANG),
        also=_FILES,
    ),
}

REST: Final[dict[str, Operation]] = {
    f"GET {API}/probes": Operation(
        list[ProbeView],
        query=(
            Parameter("probe", "Only the targets of this probe."),
            Parameter("state", "Only those in this state."),
            CURSOR,
            limit(10_000, 10_000),
        ),
    ),
    f"POST {API}/probes/{{name}}/run": Operation(list[Result]),
    f"GET {API}/silences": Operation(list[SilenceView], query=(CURSOR, limit(1_000, 1_000))),
    f"POST {API}/silences": Operation(SilenceView, probes.NewSilence, status=201),
    f"DELETE {API}/silences/{{id}}": Operation(SilenceView),
    f"GET {API}/silences/recurring": Operation(list[recurring.RecurringView], query=(CURSOR, limit(1_000, 1_000))),
    f"POST {API}/silences/recurring": Operation(recurring.RecurringView, recurring.NewRecurring, status=201),
    f"DELETE {API}/silences/recurring/{{id}}": Operation(recurring.RecurringView),
    f"POST {API}/people/{{id}}/test": Operation(list[Delivered]),
    f"GET {API}/messages": Operation(
        list[MessageView],
        query=(limit(probes.MESSAGES_DEFAULT, probes.MESSAGES_MAX), Parameter("incident", "Only those of this one.")),
    ),
    f"GET {API}/heartbeats/{{name}}/pings": Operation(list[heard.PingView], query=(CURSOR, limit(1_000, 1_000))),
    f"POST {API}/reload": Operation(lifecycle.Reloaded),
    f"GET {API}/now": Operation(now_view.NowView),
    f"GET {API}/status": Operation(probes.Status),
    f"GET {API}/openapi.json": Operation(dict[str, Any]),
    f"GET {API}/me": Operation(tokens.Me),
    f"GET {API}/tokens": Operation(list[tokens.TokenView], query=(CURSOR, limit(1_000, 1_000))),
    f"POST {API}/tokens": Operation(tokens.NewToken, tokens.Wanted, status=201),
    f"DELETE {API}/tokens/{{id}}": Operation(tokens.TokenView, query=(Parameter("why", "Why."),)),
    f"GET {API}/accounts": Operation(list[accounts.AccountView], query=(CURSOR, limit(1_000, 1_000))),
    f"POST {API}/accounts/{{person}}/invite": Operation(accounts.Invitation, accounts.Invite, status=201),
    f"POST {API}/accounts/{{person}}/disable": Operation(accounts.AccountView, accounts.Disable),
    f"POST {API}/accounts/{{person}}/enable": Operation(accounts.AccountView, accounts.Enable),
}

OPERATIONS: Final[dict[str, Operation]] = {**INCIDENTS, **DUTY, **AFTER, **REST}
