"""Asks another Sentinel how it is, at its ``/-/ready``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Final

import msgspec

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Caller, Request, refusal
from sentinel.probes.net import TargetPolicy

PATH: Final = "/-/ready"
LIMIT: Final = timedelta(seconds=8)
FAILING_MAX: Final = 20
SAYS: Final = frozenset({HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE})

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """What it answers: whether it is ready, its clock, when its self-test last passed, and which checks fail."""

    ready: bool
    at: Moment | None = None
    self_test_passed_at: Moment | None = None
    self_test_failing: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(Ready)


@dataclass(frozen=True, slots=True)
class PeerDoor:
    """Where a peer is; ``token`` is shown to it, for a proxy that asks for one."""

    url: str
    policy: TargetPolicy
    token: str = field(default="", repr=False)

    async def ask(self) -> Ready:
        """Ask it.

        Raises:
            Undelivered: nobody answers, or nobody that is a Sentinel.
        """
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        caller = Caller(self.policy, LIMIT)
        try:
            answer = await caller.call(Request("GET", self.url.rstrip("/") + PATH, headers))
        finally:
            await caller.close()
        if answer.status not in SAYS:
            raise refusal(answer)
        try:
            said = _decoder.decode(answer.body)
        except msgspec.DecodeError as error:
            raise Undelivered("what answers is no Sentinel that can be a peer") from error
        return msgspec.structs.replace(said, self_test_failing=said.self_test_failing[:FAILING_MAX])
