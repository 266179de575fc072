"""Chats and push services that refuse what their documentation forbids: shapes, lengths, sizes.

Written from the public documentation of each; none of them is the real one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tests.fakes.http_peer import HttpPeer

SLACK_TEXTS = {"header": 150, "section": 3000, "button": 75, "context": 3000}
CARD = "application/vnd.microsoft.card.adaptive"
CARD_PARTS = {"RichTextBlock"}


class Wrong(Exception):  # noqa: N818  it is an answer
    """The service would not take this; the text is why."""


def need(holds: object, why: str) -> None:
    if not holds:
        raise Wrong(why)


@dataclass
class ChatService(HttpPeer):
    """Answers as the service does; what is wrong gets 400 with the reason. ``page`` is what a proxy says instead."""

    page: str = ""

    def respond(self) -> web.Response:
        if self.status != 200:
            return super().respond()
        if self.page:
            return web.Response(text=self.page, content_type="text/html")
        try:
            need(self.received[-1].headers.get("Content-Type") == "application/json", "not JSON")
            return self.taken(json.loads(self.received[-1].body))
        except (Wrong, ValueError, KeyError, TypeError) as error:
            return web.Response(status=400, text=f"invalid_payload: {error!r}")

    def taken(self, body: Any) -> web.Response:
        raise NotImplementedError

    @property
    def last(self) -> Any:
        return json.loads(self.received[-1].body)


@dataclass
class Slack(ChatService):
    """Incoming webhooks with blocks."""

    def taken(self, body: Any) -> web.Response:
        need(body["text"], "no_text")
        need("<" not in body["text"] and ">" not in body["text"], "control sequences")
        need(0 < len(body["blocks"]) <= 50, "invalid_blocks")
        for block in body["blocks"]:
            match block["type"]:
                case "header" | "section":
                    _slack_text(block["text"], SLACK_TEXTS[block["type"]])
                case "context":
                    need(0 < len(block["elements"]) <= 10, "context elements")
                    for element in block["elements"]:
                        _slack_text(element, SLACK_TEXTS["context"])
                case "actions":
                    _slack_buttons(block["elements"])
                case other:
                    raise Wrong(f"invalid_blocks: {other}")
        return web.Response(text="ok")


def _slack_text(text: Any, most: int) -> None:
    need(set(text) == {"type", "text", "emoji"} and text["type"] == "plain_text", "text object")
    need(0 < len(text["text"]) <= most, "text length")


def _slack_buttons(buttons: Any) -> None:
    need(0 < len(buttons) <= 25, "action elements")
    need(len({button["action_id"] for button in buttons}) == len(buttons), "action_id")
    for button in buttons:
        _slack_text(button["text"], SLACK_TEXTS["button"])
        need(len(button["url"]) <= 3000 and urlsplit(button["url"]).scheme in {"http", "https"}, "url")
        need(button.get("style", "primary") in {"primary", "danger"}, "style")


@dataclass
class Teams(ChatService):
    """A Workflow with the trigger "when a webhook request is received": answers 202 with nothing."""

    def taken(self, body: Any) -> web.Response:
        need(len(self.received[-1].body) <= 28 * 1024, "RequestEntityTooLarge")
        need(body["type"] == "message" and len(body["attachments"]) == 1, "message")
        attachment = body["attachments"][0]
        need(attachment["contentType"] == CARD and attachment["contentUrl"] is None, "attachment")
        card = attachment["content"]
        need((card["type"], card["version"]) == ("AdaptiveCard", "1.4"), "card")
        need({part["type"] for part in card["body"]} <= CARD_PARTS, "a part that reads Markdown")
        need(all(run["text"] for part in card["body"] for run in part["inlines"]), "empty run")
        need("entities" not in card.get("msteams", {}), "mentions")
        for action in card["actions"]:
            need(action["type"] == "Action.OpenUrl" and urlsplit(action["url"]).scheme in {"http", "https"}, "action")
        return web.Response(status=202)


@dataclass
class Mattermost(ChatService):
    """Incoming webhooks with attachments."""

    def taken(self, body: Any) -> web.Response:
        need(len(json.dumps(body["attachments"], ensure_ascii=False)) <= 16383, "too long")
        need(body.get("text") or body["attachments"], "no text")
        (attachment,) = body["attachments"]
        need(attachment["fallback"] and attachment["text"], "attachment")
        need(len(attachment["color"]) == 7 and attachment["color"][0] == "#", "color")
        return web.Response(text="ok")


@dataclass
class Discord(ChatService):
    """Webhooks with embeds."""

    def taken(self, body: Any) -> web.Response:
        need(body["allowed_mentions"] == {"parse": []}, "mentions")
        (embed,) = body["embeds"]
        need(0 < len(embed["title"]) <= 256, "title")
        need(0 < len(embed["description"]) <= 4096, "description")
        need(len(embed["footer"]["text"]) <= 2048, "footer")
        need(len(embed["title"]) + len(embed["description"]) + len(embed["footer"]["text"]) <= 6000, "embed size")
        need(0 <= embed["color"] <= 0xFFFFFF, "color")
        return web.Response(status=204)


@dataclass
class Ntfy(ChatService):
    """Publishing as JSON, at the root."""

    token: str = ""

    def taken(self, body: Any) -> web.Response:
        if self.token and self.received[-1].headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"code": 40101, "http": 401, "error": "unauthorized"}, status=401)
        need(self.received[-1].path == "/", "JSON is published at the root")
        need(0 < len(body["topic"]) <= 64, "topic")
        need(0 < len(body["message"].encode()) <= 4096, "it would become an attachment")
        need(1 <= body["priority"] <= 5, "priority")
        need(len(body["actions"]) <= 3, "actions")
        for action in body["actions"]:
            need(action["action"] == "view" and action["label"], "action")
            need(urlsplit(action["url"]).scheme in {"http", "https"}, "action url")
        return web.json_response({"id": "sPs71M8A2T", "event": "message", "topic": body["topic"]})


@dataclass
class Caller(ChatService):
    """Something that makes telephone calls, as our documentation asks for it."""

    def taken(self, body: Any) -> web.Response:
        need(body["to"].startswith("+") and body["text"], "number and text")
        need(body["language"] in {"fr-FR", "en-GB"}, "language")
        need(("reply_url" in body) == ("keys" in body), "keys without an address")
        return web.json_response({"id": "call-1"})
