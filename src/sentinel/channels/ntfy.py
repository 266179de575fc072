"""A push message by ntfy: to a topic that many read, or to a person's own, with the button to take charge."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.channels.chat import Payload, bounded, dumped
from sentinel.channels.http import TIMEOUT, Answer, OnePlace, Request, refusal
from sentinel.config.fields import Duration, Secret, Url, wrong

MESSAGE_MAX_BYTES: Final = 4_096  # What is longer would become an attachment that nobody opens at night.
TITLE_MAX_BYTES: Final = 250
ACTIONS_MAX: Final = 3
TOPIC: Final = r"^[-_A-Za-z0-9]{1,64}$"
PRIORITIES: Final = {"P1": 5, "P2": 4}  # 5 rings through "do not disturb": only who is asked to act is woken.
USUAL: Final = 3
TAGS: Final = {True: ["rotating_light"], False: ["information_source"]}


class NtfyOptions(Options):
    """A server, and the topic; with ``as: person`` the topic is each person's own (``people.NAME.ntfy``)."""

    url: Url = "https://ntfy.sh"
    as_: Annotated[Literal["person", "topic"], Field(alias="as")] = "topic"
    topic: Annotated[str, Field(pattern=TOPIC)] | None = None
    token: Secret | None = None
    timeout: Duration = TIMEOUT

    @model_validator(mode="after")
    def _one_topic(self) -> NtfyOptions:
        if (self.topic is None) == (self.as_ == "topic"):
            raise wrong("`topic` and `as: person` exclude one another, and one of them is needed")
        return self


class NtfySender(OnePlace):
    """Publishes as JSON, at the server's root."""

    def __init__(self, options: NtfyOptions, surroundings: Surroundings) -> None:
        super().__init__(lambda: options.url, surroundings.policy, options.timeout)
        self._options = options

    async def send(self, message: Message) -> str:
        """Publish the message, and return the server's name for it.

        Raises:
            Undelivered: it was not taken.
        """
        headers = {"Content-Type": "application/json"}
        if self._options.token:
            headers["Authorization"] = f"Bearer {self._options.token.reveal()}"
        body = dumped(write(message, self._options.topic or message.to))
        url = self._url().rstrip("/") + "/"  # JSON is published at the root: elsewhere it would be the text.
        return taken(await self._caller.call(Request("POST", url, headers, body)))


def write(message: Message, topic: str) -> Payload:
    """Return what is published: plain text, the addresses on its buttons."""
    links = message.links[:ACTIONS_MAX]
    actions = [{"action": "view", "label": link.label, "url": link.url, "clear": link.acts} for link in links]
    foot = f"\n\n{message.id}"
    text = bounded(message.brief or message.text, MESSAGE_MAX_BYTES - len(foot.encode())) + foot
    payload: dict[str, Any] = {
        "topic": topic,
        "title": bounded(message.subject, TITLE_MAX_BYTES),
        "message": text,
        "priority": PRIORITIES.get(message.priority, USUAL) if message.asking else USUAL,
        "tags": TAGS[message.asking],
        "actions": actions,
    }
    return payload | ({"click": links[0].url} if links else {})


def taken(answer: Answer) -> str:
    """Return the id that the server gave the message.

    Raises:
        Undelivered: it was not taken.
    """
    if not answer.ok:
        raise refusal(answer)
    try:
        return str(json.loads(answer.body)["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise Undelivered(f"answered {answer.status}, but not as ntfy does: {answer.quote()}") from error


def _build(options: Any, surroundings: Surroundings) -> NtfySender:
    return NtfySender(options, surroundings)


KIND = ChannelKind("ntfy", NtfyOptions, _build, "choose")
