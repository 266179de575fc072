"""Every page there is: the pattern of its route, and the paths that are looked at. A new page needs a line here."""

from __future__ import annotations

from typing import Final

# What is served there, or below what ends in a stroke, is for programs: no page for people.
NO_PAGES: Final = (
    "/-/", "/am/", "/incidents/{number}/pictures/", "/oncall/{rota}.ics", "/oncall/people/", "/opsgenie/", "/ping/",
    "/sign-in/oidc", "/sms/", "/static/",
)  # fmt: skip
NO_PAGE: Final = frozenset({"/config", "/live", "/logs", "/metrics", "/probe", "/reports/style.css"})
PAGES: Final[dict[str, tuple[str, ...]]] = {
    "/": ("/", "/?refresh=1", "/nothing-here"),
    "/a/{code}": ("/a/{code}",),
    "/audit": ("/audit",),
    "/changes": ("/changes", "/changes?week=6"),
    "/changes/plan": ("/changes/plan",),
    "/changes/{number}": ("/changes/CHG-1",),
    "/configuration": ("/configuration",),
    "/incidents": ("/incidents", "/incidents?state=over", "/incidents?q=nothing"),
    "/incidents/{number}": ("/incidents/{number}", "/incidents/{over}"),
    "/incidents/{number}/crisis": ("/incidents/{number}/crisis", "/incidents/{over}/crisis"),
    "/incidents/{number}/report": ("/incidents/{over}/report",),
    "/invitations/{secret}": ("/invitations/{secret}",),
    "/matrices": ("/matrices",),
    "/me": ("/me",),
    "/oncall": ("/oncall",),
    "/people": ("/people",),
    "/probes": ("/probes", "/probes?q=nothing"),
    "/probes/{name}": ("/probes/{probe}",),
    "/problems": ("/problems",),
    "/problems/{number}": ("/problems/PRB-1",),
    "/reports": ("/reports",),
    "/reports/sla": ("/reports/sla?month=2026-11",),
    "/requests": ("/requests",),
    "/services": ("/services",),
    "/services/{name}": ("/services/{service}",),
    "/sign-in": ("/sign-in",),
    "/silences": ("/silences",),
    "/status/{page}": ("/status/{page}",),
    "/status/{page}/confirm/{code}": ("/status/{page}/confirm/{confirm}",),
    "/status/{page}/subscribe": ("/status/{page}/subscribe",),
    "/status/{page}/unsubscribe/{code}": ("/status/{page}/unsubscribe/{leave}",),
    "/tokens": ("/tokens",),
    "/support/{key}": ("/support/{key}",),
}
# It says that there is no such page, as a page.
NOT_FOUND: Final = frozenset({"/nothing-here"})
# A page may break one of axe's rules: whoever follows the link to this one, without script, has asked for just that.
FOR_A_REASON: Final = {"/?refresh=1": "meta-refresh"}
