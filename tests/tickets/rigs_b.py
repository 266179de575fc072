"""The stand-ins of part B for the contract: what each is built with, and what people do there."""

from __future__ import annotations

import html
import json
from typing import Any, Self
from urllib.parse import parse_qs

from sentinel import tickets
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import TicketBackend
from sentinel.tickets.webhook import WebhookOptions, WebhookTickets
from tests.fakes.alerts_api import CLOUD_ID, AlertsApi
from tests.fakes.glpi import Glpi
from tests.fakes.http_peer import HttpPeer, Received
from tests.fakes.itop import Itop
from tests.fakes.jira import Jira, plain
from tests.fakes.servicenow import TABLE, ServiceNow
from tests.fakes.ticket_webhook import SECRET, TicketWebhook
from tests.fakes.zammad import Zammad
from tests.tickets.contract import Shown

TIMEOUT = "20s"


def built(content: dict[str, Any]) -> TicketBackend:
    """Build a back-end as a configuration would."""
    kind = tickets.kind(content["backend"])
    return kind.build(kind.options.model_validate({"timeout": TIMEOUT, **content}), TargetPolicy())


class StandIn:
    """A rig around a stand-in."""

    name = ""
    person = "amina"
    place = ""
    reopens = True
    assigns = True
    server: HttpPeer

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        return self

    async def __aexit__(self, *why: Any) -> None:
        await self.server.__aexit__(*why)

    @property
    def url(self) -> str:
        return self.server.url

    @staticmethod
    def built(content: dict[str, Any]) -> TicketBackend:
        """Build another back-end than the contract's."""
        return built(content)


class GlpiRig(StandIn):
    name = "glpi"

    def __init__(self) -> None:
        self.server: Glpi = Glpi()

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        token = "wrong" if wrong_key else self.server.user_token
        return built({"backend": "glpi", "url": url, "token": token, "app_token": self.server.app_token})

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/Ticket")

    def notes(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/ITILFollowup")

    async def count(self, key: str) -> int:
        return len([one for one in self.server.tickets.values() if one["name"].startswith(f"[{key}]")])

    async def show(self, reference: str) -> Shown:
        number = int(reference)
        one = self.server.tickets[number]
        assigned = self.server.items.get((number, "Ticket_User"), [])
        texts = [*self.server.texts(number, "ITILFollowup"), *self.server.texts(number, "ITILSolution")]
        return Shown(
            title=one["name"],
            body=html.unescape(html.unescape(one["content"])),
            priority=str(one["priority"]),
            assignee=self.server.people[assigned[-1]["users_id"]] if assigned else "",
            notes=tuple(html.unescape(text) for text in texts),
        )

    async def resolve(self, reference: str, text: str) -> None:
        self.server.say(int(reference), "ITILSolution", text, 7)
        self.server.tickets[int(reference)] |= {"status": 5, "users_id_lastupdater": 7}

    async def reopen(self, reference: str) -> None:
        self.server.tickets[int(reference)] |= {"status": 2, "users_id_lastupdater": 7}

    async def take(self, reference: str) -> None:
        link = {"id": 1, "tickets_id": int(reference), "users_id": 7, "type": 2}
        self.server.items.setdefault((int(reference), "Ticket_User"), []).append(link)
        self.server.tickets[int(reference)] |= {"status": 2, "users_id_lastupdater": 7}

    async def comment(self, reference: str, text: str) -> None:
        self.server.say(int(reference), "ITILFollowup", text, 8)


class JiraRig(StandIn):
    name = "jira"
    place = "OPS"
    cloud = True

    def __init__(self) -> None:
        self.server: Jira = Jira(cloud=self.cloud)
        self.person = "amina@example.org" if self.cloud else "amina"

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        content = {
            "backend": "jira",
            "url": url,
            "token": "wrong" if wrong_key else self.server.token,
            "cloud": self.cloud,
        }
        user = {"user": self.server.user} if self.cloud else {}
        return built({**content, **user, "project": place or self.place})

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/issue")

    def notes(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/comment")

    async def count(self, key: str) -> int:
        return len([one for one in self.server.issues.values() if f"sentinel-{key}" in one["fields"]["labels"]])

    async def show(self, reference: str) -> Shown:
        fields = self.server.issues[reference]["fields"]
        return Shown(
            title=fields["summary"],
            body=plain(fields["description"]),
            priority=fields["priority"]["name"],
            assignee=self._person(fields["assignee"]),
            notes=tuple(self.server.texts(reference)),
        )

    @staticmethod
    def _person(one: dict[str, str] | None) -> str:
        return (one.get("emailAddress") or one["name"]) if one else ""

    async def resolve(self, reference: str, text: str) -> None:
        self.server.put_comment(reference, text, "Amina")
        self.server.put_status(reference, "Done")

    async def reopen(self, reference: str) -> None:
        self.server.put_status(reference, "To Do")

    async def take(self, reference: str) -> None:
        self.server.put_assignee(reference, "amina")
        self.server.put_status(reference, "In Progress")

    async def comment(self, reference: str, text: str) -> None:
        self.server.put_comment(reference, text, "Bruno")


class JiraServerRig(JiraRig):
    name = "jira server"
    cloud = False


class ServiceNowRig(StandIn):
    name = "servicenow"

    def __init__(self) -> None:
        self.server: ServiceNow = ServiceNow()

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        token = "wrong" if wrong_key else self.server.password
        return built({"backend": "servicenow", "url": url, "user": self.server.user, "token": token})

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path.startswith(TABLE)

    def notes(self, request: Received) -> bool:
        return request.method == "PATCH" and b'"work_notes"' in request.body

    async def count(self, key: str) -> int:
        return len([one for one in self.server.records.values() if one["correlation_id"] == key])

    def _id(self, reference: str) -> str:
        return next(sys_id for sys_id, one in self.server.records.items() if one["number"] == reference)

    async def show(self, reference: str) -> Shown:
        one = self.server.records[self._id(reference)]
        solution = [one["close_notes"]] if one["close_notes"] else []
        return Shown(
            title=one["short_description"],
            body=one["description"],
            priority=one["priority"],
            assignee=self.server.login(one["assigned_to"]),
            notes=(*self.server.texts(one["sys_id"]), *solution),
        )

    async def resolve(self, reference: str, text: str) -> None:
        done = {"state": "6", "close_code": "Solution provided", "close_notes": text}
        self.server.write(self._id(reference), "amina", **done)

    async def reopen(self, reference: str) -> None:
        self.server.write(self._id(reference), "amina", state="2")

    async def take(self, reference: str) -> None:
        self.server.write(self._id(reference), "amina", state="2", assigned_to=self.server.sys_id("amina"))

    async def comment(self, reference: str, text: str) -> None:
        self.server.write(self._id(reference), "bruno", work_notes=text)


class ZammadRig(StandIn):
    name = "zammad"
    person = "amina@example.org"
    place = "Operations"

    def __init__(self) -> None:
        self.server: Zammad = Zammad()

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        token = "wrong" if wrong_key else self.server.token
        content = {"backend": "zammad", "url": url, "token": token, "customer": "sentinel@example.org"}
        return built({**content, "group": place or self.place})

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path.startswith("/api/v1/tickets")

    def notes(self, request: Received) -> bool:
        return request.method == "POST" and request.path.startswith("/api/v1/ticket_articles")

    async def count(self, key: str) -> int:
        return len([one for one in self.server.tickets.values() if one["title"].startswith(f"[{key}]")])

    async def show(self, reference: str) -> Shown:
        one = self.server.tickets[int(reference)]
        owner = "" if one["owner"] == "-" else one["owner"]
        body = self.server.articles[int(reference)][0]["body"]
        return Shown(one["title"], body, one["priority"], owner, tuple(self.server.texts(int(reference))))

    async def resolve(self, reference: str, text: str) -> None:
        self.server.put_article(int(reference), text, "amina@example.org")
        self.server.write(int(reference), state="closed", updated_by="amina@example.org")

    async def reopen(self, reference: str) -> None:
        self.server.write(int(reference), state="open", updated_by="amina@example.org")

    async def take(self, reference: str) -> None:
        self.server.write(int(reference), state="open", owner="amina@example.org", updated_by="amina@example.org")

    async def comment(self, reference: str, text: str) -> None:
        self.server.put_article(int(reference), text, "bruno@example.org")


class OpsgenieRig(StandIn):
    name = "opsgenie"
    person = "amina@example.org"
    reopens = False
    jsm = False

    def __init__(self) -> None:
        self.server: AlertsApi = AlertsApi(jsm=self.jsm)

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        token = "wrong" if wrong_key else self.server.key
        if self.jsm:
            return built({"backend": "jsm", "url": url, "user": self.server.user, "token": token, "cloud_id": CLOUD_ID})
        return built({"backend": "opsgenie", "url": url, "token": token})

    def opens(self, request: Received) -> bool:
        return request.method == "POST" and request.path == self.server.prefix

    def notes(self, request: Received) -> bool:
        return request.method == "POST" and request.path.endswith("/notes")

    async def count(self, key: str) -> int:
        return len([one for one in self.server.alerts.values() if one["alias"] == key])

    async def show(self, reference: str) -> Shown:
        one = self.server.alerts[reference]
        return Shown(
            one["message"], one["description"], one["priority"], one["owner"], tuple(self.server.texts(reference))
        )

    async def resolve(self, reference: str, text: str) -> None:
        self.server.put_note(reference, text, "amina@example.org")
        self.server.press(reference, "close")

    async def reopen(self, reference: str) -> None:
        raise NotImplementedError("an alert that is closed stays closed")

    async def take(self, reference: str) -> None:
        self.server.press(reference, "acknowledge")
        self.server.alerts[reference]["owner"] = self.person

    async def comment(self, reference: str, text: str) -> None:
        self.server.put_note(reference, text, "bruno@example.org")


class JsmRig(OpsgenieRig):
    name = "jsm"
    jsm = True


class ItopRig(StandIn):
    name = "itop"
    person = "Amina Diallo"
    place = "Example University"
    reopens = False  # What was assigned once is never new again; tests/tickets/test_itop.py tells how it opens.

    def __init__(self) -> None:
        self.server: Itop = Itop()

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        token = "wrong" if wrong_key else self.server.password
        named = {"organization": place or self.place, "team": "Operations", "agent": "Sentinel", "service": "Learning"}
        return built({"backend": "itop", "url": url, "user": self.server.user, "token": token, **named})

    @staticmethod
    def _asked(request: Received) -> dict[str, Any]:
        form = parse_qs(request.body.decode()) if request.method == "POST" else {}
        return dict(json.loads(form["json_data"][0])) if form else {}

    def opens(self, request: Received) -> bool:
        return self._asked(request).get("operation") == "core/create"

    def notes(self, request: Received) -> bool:
        return "private_log" in self._asked(request).get("fields", {})

    async def count(self, key: str) -> int:
        return len([one for one in self.server.objects.values() if one["title"].startswith(f"[{key}]")])

    async def show(self, reference: str) -> Shown:
        one = self.server.objects[int(reference)]
        texts = tuple(self.server.texts(int(reference)))
        assignee = "" if one["agent_name"] == "Sentinel" else one["agent_name"]
        return Shown(one["title"], one["description"], one["priority"], assignee, texts)

    async def resolve(self, reference: str, text: str) -> None:
        self.server.write(int(reference), status="resolved", solution=text)

    async def reopen(self, reference: str) -> None:
        self.server.write(int(reference), status="assigned")

    async def take(self, reference: str) -> None:
        self.server.write(int(reference), status="assigned", agent_name=self.person)

    async def comment(self, reference: str, text: str) -> None:
        self.server.put_log(int(reference), "public_log", text, "bruno")


class WebhookRig(StandIn):
    name = "webhook"
    assigns = False  # It takes any name: there is nobody it does not know.

    def __init__(self) -> None:
        self.server: TicketWebhook = TicketWebhook()

    def make(self, url: str, *, wrong_key: bool = False, place: str = "") -> TicketBackend:
        read = {
            "url": f"{url}/tickets/{{reference}}",
            "reference": "ticket.id",
            "state": "ticket.status",
            "states": {"fertig": "resolved"},
            "assignee": "ticket.owner",
            "text": "ticket.solution",
            "comments": "comments",
            "comment_id": "id",
            "comment_text": "text",
            "comment_by": "by",
        }
        token = "wrong" if wrong_key else self.server.token
        content = {"backend": "webhook", "url": f"{url}/tickets", "headers": {"X-Api-Token": token}, "secret": SECRET}
        options = WebhookOptions.model_validate({"timeout": TIMEOUT, **content, "reference": "ticket.id", "read": read})
        made = WebhookTickets(options, TargetPolicy())
        made.now = lambda: self.server.now
        return made

    def opens(self, request: Received) -> bool:
        return request.method == "POST"

    def notes(self, request: Received) -> bool:
        return request.method == "POST"

    async def count(self, key: str) -> int:
        return len([one for one in self.server.tickets.values() if one["key"] == key])

    async def show(self, reference: str) -> Shown:
        one = self.server.tickets[reference]
        said = [each["text"] for each in self.server.said.get(reference, [])]
        return Shown(one["title"], one["description"], one["priority"], one["assignee"], (*one["notes"], *said))

    async def resolve(self, reference: str, text: str) -> None:
        self.server.write(reference, state="fertig", resolution=text)

    async def reopen(self, reference: str) -> None:
        self.server.write(reference, state="open")

    async def take(self, reference: str) -> None:
        self.server.write(reference, state="acknowledged", assignee=self.person)

    async def comment(self, reference: str, text: str) -> None:
        self.server.say(reference, text, "bruno")


RIGS = {
    "glpi": GlpiRig,
    "itop": ItopRig,
    "jira": JiraRig,
    "jira server": JiraServerRig,
    "jsm": JsmRig,
    "opsgenie": OpsgenieRig,
    "servicenow": ServiceNowRig,
    "webhook": WebhookRig,
    "zammad": ZammadRig,
}
