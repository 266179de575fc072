"""A stand-in for iTop that speaks its REST interface (webservices/rest.php), as far as incidents and requests need it.

Written from its documentation and the source of its services, without an iTop beside it: every answer is 200, and
whether it worked stands in ``code``; a ticket moves by stimuli alone, each possible from some states only, and some of
them ask for fields; a case log grows by ``add_item`` and nothing else.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from tests.fakes.ticket_peer import TicketPeer

OK, UNAUTHORIZED, MISSING_JSON, UNKNOWN, INTERNAL = 0, 1, 3, 11, 100
TO = {
    "new": {"ev_assign": "assigned"},
    "assigned": {"ev_pending": "pending", "ev_resolve": "resolved", "ev_reassign": "assigned"},
    "pending": {"ev_assign": "assigned"},
    "resolved": {"ev_close": "closed", "ev_reopen": "assigned"},
    "closed": {},
}
MANDATORY = {
    "assigned": ("team_id", "agent_id"),
    "pending": ("pending_reason",),
    "resolved": ("service_id", "resolution_code", "solution"),
}
# What its urgency makes of an impact on a service.
PRIORITIES = {("2", "1"): "1", ("2", "2"): "2", ("2", "3"): "3", ("2", "4"): "4"}


@dataclass
class Itop(TicketPeer):
    """Keeps tickets of one class in memory."""

    user: str = "sentinel"
    password: str = "secret"
    objects: dict[int, dict[str, Any]] = field(default_factory=dict)
    logs: dict[int, list[dict[str, str]]] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "Organization": ("Example University",), "Service": ("Learning",), "Team": ("Operations",),
            "Person": ("Sentinel", "Amina Diallo"),
        }
    )  # fmt: skip
    done: list[str] = field(default_factory=list)
    agent: str = ""

    def opens(self, request: web.Request) -> bool:
        return bool(self.done) and self.done[-1] == "core/create"

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()} | dict(request.query)
        signed = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {signed}":
            return self._error(UNAUTHORIZED, "Invalid login")
        if "version" not in form:
            return self._error(2, "Missing parameter 'version' (e.g. '1.0')")
        asked = json.loads(form["json_data"])
        self.done.append(asked["operation"])
        try:
            match asked["operation"]:
                case "core/get" if asked["class"] in self.names:
                    return self._named(asked)
                case "core/get":
                    return self._found(self._sought(asked["key"]), asked, "")
                case operation if request.method == "GET":
                    return self._error(INTERNAL, f"{operation} is asked for by POST")
                case "core/create":
                    return self._create(asked)
                case "core/update":
                    return self._update(asked)
                case "core/apply_stimulus":
                    return self._apply(asked)
        except ValueError as error:
            return self._error(INTERNAL, str(error))
        return self._error(UNKNOWN, f"Unknown verb '{asked['operation']}' in version '{form['version']}'")

    def _error(self, code: int, message: str) -> web.Response:
        return self.told(200, {"code": code, "message": f"Error: {message}"})

    def _sought(self, key: Any) -> list[int]:
        if isinstance(key, int | str) and str(key).isdigit():
            if int(key) not in self.objects:
                raise ValueError(f"Invalid object Incident::{key}")
            return [int(key)]
        if asked := re.fullmatch(r"SELECT \w+ WHERE id = (\d+)", key):
            return [int(asked[1])] if int(asked[1]) in self.objects else []
        asked = re.fullmatch(r"SELECT \w+ WHERE title LIKE '(.*)%'", key)
        assert asked, key
        sought = re.compile(re.sub(r"_", ".", re.escape(asked[1]).replace("%", ".*")), re.IGNORECASE)
        return [number for number, one in self.objects.items() if sought.match(one["title"])]

    def _found(self, numbers: list[int], asked: dict[str, Any], message: str) -> web.Response:
        names = [name.strip() for name in asked["output_fields"].split(",")]
        kind = asked["class"]
        shown = {
            f"{kind}::{number}": {
                "code": 0, "message": message, "class": kind, "key": str(number),
                "fields": {name: self._value(number, name) for name in names},
            }
            for number in numbers
        }  # fmt: skip
        return self.told(200, {"code": OK, "message": f"Found: {len(numbers)}", "objects": shown or None})

    def _named(self, asked: dict[str, Any]) -> web.Response:
        kind = asked["class"]
        try:
            number = self._refer("", asked["key"])
        except ValueError:
            return self.told(200, {"code": OK, "message": "Found: 0", "objects": None})
        one = {"code": 0, "message": "", "class": kind, "key": number, "fields": {"id": number}}
        return self.told(200, {"code": OK, "message": "Found: 1", "objects": {f"{kind}::{number}": one}})

    def _value(self, number: int, name: str) -> Any:
        if name.endswith("_log"):
            return {"entries": [one for one in self.logs[number] if one["log"] == name]}
        if name == "id":
            return str(number)
        if name not in self.objects[number]:
            raise ValueError(f"output_fields: invalid attribute code '{name}'")
        return self.objects[number][name]

    def _fill(self, number: int, fields: dict[str, Any]) -> None:
        """Change fields; nothing of it when one is wrong."""
        resolved, log = {}, []
        for name, value in fields.items():
            if isinstance(value, dict) and "add_item" in value:
                log.append((name, value["add_item"]["message"]))
                continue
            refers = name in {"org_id", "service_id", "team_id", "agent_id", "caller_id"}
            resolved[name] = self._refer(name, value) if refers else str(value)
        if self.objects.get(number, {}).get("status") == "closed" and fields:
            raise ValueError("The object cannot be modified: it is closed")
        kept = self.objects.setdefault(number, {})
        kept |= resolved
        if "agent_id" in resolved:
            kept["agent_name"] = self.agent
        kept["priority"] = PRIORITIES.get((kept["impact"], kept["urgency"]), "4")
        for name, text in log:
            self.put_log(number, name, text, "sentinel")
        self._touch(number)

    def _refer(self, name: str, value: Any) -> str:
        asked = re.fullmatch(r"SELECT (\w+) WHERE (?:name|friendlyname) = '(.*)'", str(value))
        if str(value).isdigit():
            return str(value)
        if asked is None or asked[2] not in self.names[asked[1]]:
            raise ValueError(f"{name}: No item found for query: {value}")
        if name == "agent_id":
            self.agent = asked[2]
        return str(self.names[asked[1]].index(asked[2]) + 1)

    def _create(self, asked: dict[str, Any]) -> web.Response:
        fields = asked["fields"]
        for name in ("org_id", "title", "description"):
            if not fields.get(name):
                raise ValueError(f"Missing mandatory attribute(s): {name}")
        number = self.next()
        blank = dict.fromkeys(
            ("team_id", "agent_id", "service_id", "solution", "resolution_code", "pending_reason"), ""
        )
        start = {**blank, "status": "new", "impact": "1", "urgency": "4", "ref": f"I-{number:06d}", "agent_name": ""}
        refused = {name: self._refer(name, fields[name]) for name in ("org_id", "service_id") if name in fields}
        self.objects[number], self.logs[number] = {**start, **refused}, []
        self._fill(number, fields)
        return self._found([number], asked, "created")

    def _update(self, asked: dict[str, Any]) -> web.Response:
        (number,) = self._sought(asked["key"])
        self._fill(number, asked["fields"])
        return self._found([number], asked, "updated")

    def _apply(self, asked: dict[str, Any]) -> web.Response:
        (number,) = self._sought(asked["key"])
        stimulus, kept = asked["stimulus"], self.objects[number]
        target = TO[kept["status"]].get(stimulus)
        if target is None:
            why = f"Invalid stimulus: '{stimulus}' on the object {kept['ref']} in state '{kept['status']}'"
            return self.told(200, {"code": INTERNAL, "message": why, "objects": None})
        after = {**kept, **asked["fields"]}
        missing = [name for name in MANDATORY.get(target, ()) if not after.get(name) or after[name] == "0"]
        if missing:
            why = f"Missing mandatory attribute(s) for applying the stimulus: {', '.join(missing)}."
            return self.told(200, {"code": INTERNAL, "message": why, "objects": None})
        self._fill(number, asked["fields"])
        kept["status"] = target
        return self._found([number], asked, "updated")

    def _touch(self, number: int) -> None:
        self.objects[number]["last_update"] = f"2026-11-21 22:{self.next() % 60:02d}:00"

    # What people do there.

    def put_log(self, number: int, log: str, text: str, by: str) -> None:
        """Write into a case log."""
        at = f"2026-11-21 22:{self.next() % 60:02d}:30"
        self.logs[number].append(
            {"log": log, "date": at, "user_login": by, "message": text, "message_html": f"<p>{text}</p>"}
        )
        self._touch(number)

    def write(self, number: int, **fields: str) -> None:
        """Change a ticket as a person does in the forms."""
        self.objects[number] |= fields
        self._touch(number)

    def texts(self, number: int) -> list[str]:
        """Return what was written into the private log."""
        return [one["message"] for one in self.logs[number] if one["log"] == "private_log"]
