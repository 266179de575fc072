"""What the channels share that post JSON to a place of yours: options, the signature, the key of a repetition."""

from __future__ import annotations

from pydantic import Field

from sentinel.channels.base import Options, Surroundings
from sentinel.channels.http import TIMEOUT, Answer, OnePlace, Request, refusal
from sentinel.channels.signature import signed
from sentinel.config.fields import Duration, Secret, Url


class PostOptions(Options):
    """Where to post. ``secret`` signs what is sent; ``headers`` may hold credentials."""

    url: Url
    secret: Secret | None = None
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: Duration = TIMEOUT


class Poster(OnePlace):
    """Posts bodies to the place of its options."""

    def __init__(self, options: PostOptions, surroundings: Surroundings) -> None:
        super().__init__(lambda: options.url, surroundings.policy, options.timeout)
        self._options = options
        self._now = surroundings.now

    async def post(self, key: str, body: bytes) -> Answer:
        """Post a JSON body under the key by which a repetition can be recognised, and return the answer.

        Raises:
            Undelivered: it was not taken.
        """
        headers = {name: value.reveal() for name, value in self._options.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._options.secret:
            headers |= signed(self._options.secret.reveal(), int(self._now()), body)
        answer = await self._caller.call(Request("POST", self._url(), headers, body))
        if not answer.ok:
            raise refusal(answer)
        return answer
