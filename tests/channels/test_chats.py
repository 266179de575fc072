"""Chats, push and calls: what is posted stays within each service's limits, and no text from outside acts there."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sentinel import channels
from sentinel.channels import discord, markdown, mattermost, slack, teams
from sentinel.channels.base import Message, Undelivered
from sentinel.core.model import Person
from sentinel.messages.compose import compose
from tests.channels.rigs import CHATS, CHATTED, LINKS, NOW, HttpRig, make, rig
from tests.fakes.chat_services import Caller, ChatService, Ntfy
from tests.messages.story import BOB, notice, told

HOSTILE = (
    "@channel @here @everyone <!channel> <!here|x> <@U012AB3CD> <https://evil.example|log in here> "
    "[log in](https://evil.example) ![x](https://evil.example/p.png) <at>Alice</at> *bold* _it_ ~s~ "
    "`c` #general :skull:\n"
    "# Heading\n> quote\n- list\n1. list\n    code\n```\nfence\n```\n|a|b|\n|-|-|"
)
LONG = "é" * 50_000


@pytest.fixture(params=sorted(CHATS))
async def chat(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HttpRig]:
    async with rig(request.param, tmp_path) as made:
        assert isinstance(made, HttpRig)
        yield made


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as open_things:
        yield open_things


@pytest.mark.parametrize(
    "change",
    [
        {"brief": LONG, "text": LONG, "subject": LONG, "spoken": LONG},
        {"brief": HOSTILE, "subject": HOSTILE, "spoken": HOSTILE},
        {"brief": "\U0001f525" * 4_000, "subject": "\U0001f525" * 400},
        {"brief": "*" * 10_000, "subject": "[" * 400},
        {"brief": "", "links": ()},
        {"id": "INC-42/" + "x" * 400},
    ],
    ids=["long", "hostile", "wide", "escaped", "bare", "named"],
)
async def test_whatever_is_said_the_service_takes_it(chat: HttpRig, change: dict[str, Any]) -> None:
    await chat.sender.send(replace(CHATTED, **change))
    assert len(chat.peer.received) == 1


async def test_addresses_are_behind_words_and_the_message_names_itself(chat: HttpRig) -> None:
    await chat.sender.send(CHATTED)
    body = chat.peer.received[0].body.decode()
    assert LINKS[0].url in body
    assert CHATTED.id in body


async def test_the_address_of_a_chat_is_a_secret_and_never_quoted() -> None:
    options = channels.kind("slack").options.model_validate({"url": "https://hooks.example.org/services/T0/B0/canary"})
    assert "canary" not in repr(options)
    with pytest.raises(ValidationError) as caught:
        channels.kind("slack").options.model_validate({"url": "ftp://canary"})
    assert "canary" not in caught.value.errors()[0]["msg"]


async def test_a_page_of_somebody_in_between_is_not_taken_for_slacks_ok(tmp_path: Path) -> None:
    async with rig("slack", tmp_path) as made:
        assert isinstance(made, HttpRig)
        assert isinstance(made.peer, ChatService)
        made.peer.page = "<html>sign in</html>"
        with pytest.raises(Undelivered, match="not `ok`") as caught:
            await made.sender.send(CHATTED)
        assert caught.value.outcome == "retry"


# Text from outside ------------------------------------------------------------------------------------------------

HOSTILE_MESSAGE = replace(CHATTED, subject=HOSTILE.partition("\n")[0], brief=HOSTILE)


def test_to_slack_everything_from_outside_is_plain_text() -> None:
    posted = slack.write(HOSTILE_MESSAGE)
    assert "<" not in posted["text"]
    texts = [part["type"] for part in _texts(posted["blocks"])]
    assert texts
    assert set(texts) == {"plain_text"}


def _texts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        own = [value] if isinstance(value.get("text"), str) else []
        return own + [one for inner in value.values() for one in _texts(inner)]
    return [one for inner in value for one in _texts(inner)] if isinstance(value, list) else []


def test_to_teams_nothing_from_outside_stands_in_a_part_that_reads_markdown() -> None:
    written = teams.write(HOSTILE_MESSAGE)
    kinds = {b"message", b"AdaptiveCard", b"RichTextBlock", b"TextRun", b"Action.OpenUrl"}
    assert set(re.findall(rb'"type":"([\w.]+)"', written)) == kinds


@pytest.mark.parametrize("write", [lambda one: mattermost.write(one).decode(), lambda one: str(discord.write(one))])
def test_where_markdown_is_read_nobody_is_mentioned_and_only_our_own_links_are_links(
    write: Callable[[Message], str],
) -> None:
    written = write(HOSTILE_MESSAGE)
    assert not re.search(r"@(channel|here|everyone|all)", written)
    assert "](https://evil" not in written
    assert "](https://s.example.org/a/7kq2)" in written


# What a Markdown reader would act on, were no backslash before it.
ACTS = re.compile(r"[`*_{}\[\]()<>#|~:+!-]|^[0-9]+[.)]", re.MULTILINE)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("\\`*_[]()<>#+-.!|~@:/ a1\n\t"), max_size=60))
def test_no_text_keeps_a_sign_that_acts(text: str) -> None:
    escaped = markdown.escaped(text)
    assert not ACTS.search(re.sub(r"\\[^\n]", "x", escaped))
    assert not re.search(r"@[a-z]", escaped)
    assert not any(line.startswith((" ", "\t")) for line in escaped.split("\n"))


def test_an_address_cannot_leave_its_brackets() -> None:
    made = markdown.link("see [it]", "https://s.example.org/a)[x](https://evil.example")
    assert made == r"[see \[it\]](https://s.example.org/a%29%5Bx%5D%28https://evil.example)"


# What they say --------------------------------------------------------------------------------------------------


def test_a_brief_says_it_in_the_readers_language_without_addresses() -> None:
    french, english = told(), told(person=BOB)
    assert "Gravité : bloquante (niveau 3)" in french.brief.replace("\u00a0", " ")
    assert "Severity: blocking (level 3)" in english.brief
    assert "http" not in french.brief
    assert [link.label for link in french.links] == ["Prendre en charge", "Voir l'incident"]
    assert [link.acts for link in english.links] == [True, False]
    assert [link.label for link in told("recovered").links] == ["Voir l'incident"]


def test_a_call_says_what_is_wrong_and_which_keys_there_are() -> None:
    assert told().spoken.replace("\u00a0", " ") == (
        "Alerte Sentinel P1. Campus Moodle : Campus inutilisable depuis 22h10. connexion : HTTP 503. "
        "Pour prendre en charge, tapez 1. Pour appeler la personne suivante, tapez 2."
    )
    assert told("recovered", person=BOB).spoken.startswith(
        "Sentinel alert P1. Campus Moodle: Campus inutilisable from "
    )
    assert "press" not in told("recovered", person=BOB).spoken


# ntfy -----------------------------------------------------------------------------------------------------------


async def test_a_persons_own_topic_gets_the_button_and_rings_only_when_somebody_is_asked(stack: AsyncExitStack) -> None:
    service = await stack.enter_async_context(Ntfy(token="tk_secret"))
    sender = make("ntfy", url=service.url, token="tk_secret", **{"as": "person"})
    stack.push_async_callback(sender.close)
    alice = Person(id="alice", name="Alice Durand", addresses={"ntfy": "alice-7f3a"})
    assert await sender.send(compose(notice(), alice, to="alice-7f3a", site="TDP")) == "sPs71M8A2T"
    asked = service.last
    assert (asked["topic"], asked["priority"], asked["click"]) == ("alice-7f3a", 5, "https://s.example.org/a/7Kq2")
    assert asked["actions"][0] == {
        "action": "view", "label": "Prendre en charge", "url": "https://s.example.org/a/7Kq2", "clear": True,
    }  # fmt: skip
    await sender.send(compose(notice("recovered"), alice, to="alice-7f3a", site="TDP"))
    assert service.last["priority"] == 3


async def test_a_token_that_ntfy_does_not_know_is_refused_for_good(stack: AsyncExitStack) -> None:
    service = await stack.enter_async_context(Ntfy(token="another"))
    sender = make("ntfy", url=service.url, token="tk_secret", topic="ops")
    stack.push_async_callback(sender.close)
    with pytest.raises(Undelivered) as caught:
        await sender.send(CHATTED)
    assert caught.value.permanent
    assert "tk_secret" not in caught.value.why


@pytest.mark.parametrize("options", [{}, {"topic": "ops", "as": "person"}, {"topic": "no/slash"}, {"topic": "x" * 65}])
def test_a_topic_is_one_and_the_only_one(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        channels.kind("ntfy").options.model_validate(options)


# Calls ----------------------------------------------------------------------------------------------------------


async def test_a_call_is_asked_for_with_its_words_its_keys_and_a_signature(stack: AsyncExitStack) -> None:
    service = await stack.enter_async_context(Caller())
    sender = make("voice", url=service.url, secret="s3cret", headers={"Authorization": "Bearer x"})
    stack.push_async_callback(sender.close)
    assert await sender.send(CHATTED) == "call-1"
    request = service.received[0]
    signed = hmac.new(b"s3cret", f"{int(NOW)}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.headers["Sentinel-Signature"] == f"v1={signed}"
    assert service.last == {
        "id": CHATTED.id,
        "to": "+33639980001",
        "language": "fr-FR",
        "text": CHATTED.spoken,
        "priority": "P1",
        "keys": "12",
        "reply_url": "https://s.example.org/a/7kq2/keys",
    }
