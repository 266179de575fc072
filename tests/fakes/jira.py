"""A stand-in for Jira that speaks its REST interface, as far as issues need it: Cloud (v3), or Server (v2).

Written from its documentation, without a Jira beside it: a workflow whose steps are found by asking, a resolution that
the last one wants, texts as documents in v3 alone, the search by token that replaced the old one in the Cloud and does
not see what was made a moment ago unless it is told which issues to look at, and the visitor without a name that a
wrong token makes of us: it is told 200 and nothing.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.ticket_peer import TicketPeer

CATEGORY = {"To Do": "new", "In Progress": "indeterminate", "Waiting": "indeterminate", "Done": "done"}
# Which step leads where, by its number; there is no way from the first column to the last one.
STEPS = {
    "To Do": {"11": "In Progress"},
    "In Progress": {"21": "Done", "22": "Waiting", "24": "To Do"},
    "Waiting": {"23": "In Progress"},
    "Done": {"31": "In Progress"},
}
SUMMARY_MAX_CHARS = 255
RESOLUTIONS = ["Fixed", "Duplicate"]


@dataclass
class Jira(TicketPeer):
    """Keeps the issues of the project OPS in memory."""

    cloud: bool = True
    user: str = "sentinel@example.org"
    token: str = "api-token"
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    indexed: set[str] = field(default_factory=set)
    people: tuple[str, ...] = ("amina", "bruno")
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return f"/rest/api/{3 if self.cloud else 2}/"

    def opens(self, request: web.Request) -> bool:
        return request.method == "POST" and request.path.endswith("/issue")

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        if not request.path.startswith(self.api):
            return self.told(404, {"errorMessages": ["no such resource"]})
        parts = request.path.removeprefix(self.api).split("/")
        content = json.loads(body) if body else {}
        if not self._known(request):
            return self._stranger(parts)
        match (request.method, *parts):
            case ("GET", "myself"):
                return self.told(200, {"accountId": "me", "displayName": "Sentinel", "timeZone": "Europe/Paris"})
            case ("GET", "project", name):
                kinds = {"key": name, "issueTypes": [{"name": "Task"}, {"name": "Bug"}]}
                why = {"errorMessages": [f"No project could be found with key '{name}'."], "errors": {}}
                return self.told(200, kinds) if name == "OPS" else self.told(404, why)
            case ("GET", "user", "assignable", "search"):
                known = [one for one in self.people if request.query["query"] == f"{one}@example.org"]
                return self.told(200, [self._person(one) for one in known])
            case ("POST", "issue", "bulkfetch") if self.cloud:
                kept = [self.issues[key] for key in content["issueIdsOrKeys"] if key in self.issues]
                return self.told(
                    200, {"issues": [self._shown(one, content["fields"]) for one in kept], "issueErrors": []}
                )
            case ("POST", "search", "jql"):
                return self._search(content) if self.cloud else self.told(404, {"errorMessages": ["no such resource"]})
            case ("POST", "search"):
                gone = {
                    "errorMessages": ["The requested API has been removed. Please migrate to /rest/api/3/search/jql."]
                }
                return self.told(410, gone) if self.cloud else self._search(content)
            case ("POST", "issue"):
                return self._create(content)
            case (_, "issue", key, *below) if key in self.issues:
                return self._issue(request, key, "/".join(below), content)
        return self.told(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})

    def _known(self, request: web.Request) -> bool:
        if not self.cloud:
            return request.headers.get("Authorization") == f"Bearer {self.token}"
        expected = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {expected}"

    def _stranger(self, parts: list[str]) -> web.Response:
        """Answer whom Jira does not know: as a visitor, who may search and finds nothing."""
        headers = {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}
        if parts[0] == "search":
            return self.told(200, {"issues": [], "isLast": True, "total": 0, "startAt": 0}, headers)
        if parts == ["issue"]:
            return self.told(400, self._errors(project="valid project is required"), headers)
        return self.told(401, {"errorMessages": ["Client must be authenticated to access this resource."]}, headers)

    @staticmethod
    def _errors(**errors: str) -> dict[str, Any]:
        return {"errorMessages": [], "errors": errors}

    def _search(self, content: dict[str, Any]) -> web.Response:
        if among := re.fullmatch(r"key in \(([\w, -]+)\)", content["jql"]):
            keys = [key for key in among[1].split(", ") if key in self.issues]
            if len(keys) < len(among[1].split(", ")) and content.get("validateQuery") is not False:
                return self.told(400, {"errorMessages": ["An issue with key 'X-1' does not exist for field 'key'."]})
            shown = [self._shown(self.issues[key], content["fields"]) for key in keys]
            return self.told(200, {"issues": shown, "startAt": 0, "maxResults": 50, "total": len(shown)})
        asked = re.search(r'project = "?(\w+)"? AND labels = "?([\w-]+)"?', content["jql"])
        assert asked, content["jql"]
        if asked[1] != "OPS":
            why = f"The value '{asked[1]}' does not exist for the field 'project'."
            return self.told(400, {"errorMessages": [why], "warningMessages": []})
        if not self.lagging:
            self.indexed |= self.issues.keys()
        seen = self.indexed | {
            key for key, issue in self.issues.items() if int(issue["id"]) in content.get("reconcileIssues", [])
        }
        found = [issue for key, issue in self.issues.items() if key in seen and asked[2] in issue["fields"]["labels"]]
        # The Cloud says no more than the numbers unless it is asked for fields.
        shown = [self._shown(issue, content.get("fields") or ([] if self.cloud else ["*all"])) for issue in found]
        beside = {"isLast": True} if self.cloud else {"startAt": 0, "maxResults": 50, "total": len(shown)}
        return self.told(200, {"issues": shown, **beside})

    @staticmethod
    def _shown(issue: dict[str, Any], names: list[str]) -> dict[str, Any]:
        fields = issue["fields"]
        some = fields if names == ["*all"] else {name: fields.get(name) for name in names}
        return {"id": issue["id"], "key": issue["key"], "fields": some}

    def _create(self, content: dict[str, Any]) -> web.Response:
        fields = content["fields"]
        if fields["project"] != {"key": "OPS"}:
            return self.told(400, self._errors(project="valid project is required"))
        wrong = self._wrong(fields)
        if wrong:
            return self.told(400, wrong)
        number = self.next()
        kept = {"labels": [], "description": None, "assignee": None, "resolution": None, **fields}
        key = f"OPS-{number}"
        self.issues[key] = {"id": str(10000 + number), "key": key, "fields": {**kept, "status": self._status("To Do")}}
        self.comments[key] = []
        self._touch(key)
        return self.told(
            201, {"id": str(10000 + number), "key": key, "self": f"{self.url}{self.api}issue/{10000 + number}"}
        )

    def _wrong(self, fields: dict[str, Any]) -> dict[str, Any]:
        summary = fields.get("summary", "x")
        if "\n" in summary:
            return self._errors(summary="The summary is invalid because it contains newline characters.")
        if len(summary) > SUMMARY_MAX_CHARS:
            return self._errors(summary=f"Summary must be less than {SUMMARY_MAX_CHARS} characters.")
        if any(" " in label for label in fields.get("labels", [])):
            return self._errors(labels="The label contains spaces which is invalid.")
        return self._bad_text("description", fields.get("description", ""))

    def _bad_text(self, name: str, text: Any) -> dict[str, Any]:
        document = isinstance(text, dict) and text.get("type") == "doc" and text.get("version") == 1
        if self.cloud and text and not document:
            return self._errors(
                **{name: "Operation value must be an Atlassian Document (see the Atlassian Document Format)"}
            )
        if not self.cloud and not isinstance(text, str | None):
            return self._errors(**{name: "Operation value must be a string"})
        return {}

    @staticmethod
    def _status(name: str) -> dict[str, Any]:
        return {"id": str(list(CATEGORY).index(name)), "name": name, "statusCategory": {"key": CATEGORY[name]}}

    def _touch(self, key: str) -> None:
        self.issues[key]["fields"]["updated"] = f"2026-11-21T23:{self.next() % 60:02d}:00.000+0100"

    def _issue(self, request: web.Request, key: str, below: str, content: dict[str, Any]) -> web.Response:
        match (request.method, below):
            case ("GET", ""):
                names = request.query.get("fields", "*all").split(",")
                more = {"changelog": {"histories": self.history.get(key, [])}} if "expand" in request.query else {}
                return self.told(200, {**self._shown(self.issues[key], names), **more})
            case ("PUT", ""):
                wrong = self._wrong(content["fields"])
                if not wrong:
                    self.issues[key]["fields"].update(content["fields"])
                    self._touch(key)
                return self.told(400, wrong) if wrong else self.told(204)
            case ("GET", "transitions"):
                return self.told(200, {"transitions": [self._step(*step) for step in self._steps(key).items()]})
            case ("POST", "transitions"):
                return self._move(key, content)
            case ("PUT", "assignee"):
                return self._assign(key, content)
            case ("GET", "comment"):
                return self._comments(request, key)
            case ("POST", "comment"):
                return self._comment(key, content)
        return self.told(405, {"errorMessages": ["Method not allowed"]})

    def _steps(self, key: str) -> dict[str, str]:
        return STEPS[self.issues[key]["fields"]["status"]["name"]]

    def _step(self, number: str, name: str) -> dict[str, Any]:
        wanted = {"resolution": {"required": True, "allowedValues": [{"name": one} for one in RESOLUTIONS]}}
        return {
            "id": number,
            "name": f"to {name}",
            "to": self._status(name),
            "fields": wanted if name == "Done" else {},
        }

    def _move(self, key: str, content: dict[str, Any]) -> web.Response:
        name = self._steps(key).get(content["transition"]["id"])
        if name is None:
            why = (
                "It seems that you have tried to perform a workflow operation that is not valid for the current state."
            )
            return self.told(400, {"errorMessages": [why]})
        resolution = (content.get("fields") or {}).get("resolution")
        if name == "Done" and (resolution or {}).get("name") not in RESOLUTIONS:
            return self.told(400, self._errors(resolution="Resolution is required."))
        self.put_status(key, name)
        self.issues[key]["fields"]["resolution"] = resolution
        return self.told(204)

    def _assign(self, key: str, content: dict[str, Any]) -> web.Response:
        who = content.get("accountId" if self.cloud else "name")
        if who not in (*self.people, None):
            return self.told(404 if self.cloud else 400, self._errors(assignee=f"User '{who}' does not exist."))
        self.put_assignee(key, who)
        return self.told(204)

    def _comments(self, request: web.Request, key: str) -> web.Response:
        first, most = int(request.query.get("startAt", 0)), int(request.query.get("maxResults", 50))
        # Whatever order is asked for, before the Cloud the oldest come first.
        newest = self.cloud and request.query.get("orderBy") == "-created"
        kept = self.comments[key][::-1] if newest else self.comments[key]
        page = kept[first : first + most]
        return self.told(
            200, {"startAt": first, "maxResults": most, "total": len(self.comments[key]), "comments": page}
        )

    def _comment(self, key: str, content: dict[str, Any]) -> web.Response:
        wrong = self._bad_text("comment", content["body"])
        if wrong:
            return self.told(400, wrong)
        return self.told(201, self.put_comment(key, content["body"], "Sentinel"))

    def _person(self, who: str) -> dict[str, str]:
        if self.cloud:
            return {"accountId": who, "displayName": who.title(), "emailAddress": f"{who}@example.org"}
        return {"name": who, "displayName": who.title()}

    # What people do there.

    def put_status(self, key: str, name: str) -> None:
        """Move an issue to a column."""
        self.issues[key]["fields"]["status"] = self._status(name)
        entry = {
            "author": self._person("amina"),
            "created": f"2026-11-21T23:00:{self.next():08d}",
            "items": [{"field": "status"}],
        }
        self.history.setdefault(key, []).append(entry)
        self._touch(key)

    def put_assignee(self, key: str, who: str | None) -> None:
        """Give an issue to somebody."""
        self.issues[key]["fields"]["assignee"] = self._person(who) if who else None
        self._touch(key)

    def put_comment(self, key: str, body: Any, author: str) -> dict[str, Any]:
        """Say something below an issue."""
        text = body if not (self.cloud and isinstance(body, str)) else document(body)
        one = {"id": str(self.next()), "body": text, "author": {"displayName": author, "accountId": author.lower()}}
        one["created"] = f"2026-11-21T23:{self.next() % 60:02d}:00.000+0100"
        self.comments[key].append(one)
        self._touch(key)
        return one

    def texts(self, key: str) -> list[str]:
        """Return the comments of an issue as people read them."""
        return [plain(one["body"]) for one in self.comments[key]]


def document(text: str) -> dict[str, Any]:
    """Write a document as the editor does."""
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph]}


def plain(body: Any) -> str:
    """Return what a person reads in a text or a document."""
    if isinstance(body, str):
        return re.sub(r"\\([\\{}\[\]*_!|])", r"\1", body)
    if body.get("type") == "text":
        return str(body["text"])
    if body.get("type") == "hardBreak":
        return "\n"
    inside = [plain(one) for one in body.get("content", [])]
    return ("\n" if body.get("type") == "doc" else "").join(inside)
