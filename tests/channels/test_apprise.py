"""The channel by Apprise: a message to one of its services, which here is a web address of our own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec

import pytest

from sentinel.channels.base import Undelivered
from tests.channels.rigs import MESSAGE, make
from tests.fakes.http_peer import HttpPeer

# What Apprise uses of Python's own that is on its way out is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
BOUND_S = 20
needs_apprise = pytest.mark.skipif(find_spec("apprise") is None, reason="the extra `apprise` is not installed")
WITHOUT = """
import asyncio, sys
sys.modules["apprise"] = None  # as if it were not installed
from tests.channels.rigs import MESSAGE, make
from sentinel.channels.base import Undelivered
try:
    asyncio.run(make("apprise", url="json://127.0.0.1:1/").send(MESSAGE))
except Undelivered as failure:
    print(failure.permanent, failure.why)
"""


@pytest.fixture
async def peer() -> AsyncIterator[HttpPeer]:
    async with HttpPeer() as made:
        yield made


def address(peer: HttpPeer) -> str:
    return f"json://127.0.0.1:{peer.port}/hooks/ops"


@needs_apprise
async def test_a_message_arrives_with_its_subject_text_and_name(peer: HttpPeer) -> None:
    sender = make("apprise", url=address(peer))
    assert await sender.send(MESSAGE) == MESSAGE.id
    await sender.close()
    sent = json.loads(peer.received[0].body)
    assert sent["title"] == MESSAGE.subject
    assert sent["message"].startswith("Personne n'a encore pris en charge")
    assert MESSAGE.id in sent["message"]
    assert sent["type"] == "failure"


@needs_apprise
@pytest.mark.parametrize("status", [403, 503])
async def test_what_is_not_taken_is_worth_another_try(peer: HttpPeer, status: int) -> None:
    peer.status = status
    sender = make("apprise", url=address(peer))
    with pytest.raises(Undelivered) as caught:
        await sender.send(MESSAGE)
    await sender.close()
    assert (caught.value.permanent, caught.value.outcome) == (False, "retry")


@needs_apprise
async def test_silence_ends_in_bounded_time_and_is_not_taken_for_a_refusal(peer: HttpPeer) -> None:
    peer.silent = True
    sender = make("apprise", url=address(peer), timeout="1s")
    async with asyncio.timeout(BOUND_S):
        with pytest.raises(Undelivered) as caught:
            await sender.send(MESSAGE)
    await sender.close()
    assert (caught.value.permanent, caught.value.outcome) == (False, "timeout")


@needs_apprise
async def test_an_address_that_apprise_does_not_know_is_refused_and_never_quoted() -> None:
    sender = make("apprise", url="nosuchservice://canary-token/")
    with pytest.raises(Undelivered) as caught:
        await sender.check()
    await sender.close()
    assert caught.value.permanent
    assert "canary" not in caught.value.why


def test_without_the_extra_a_message_is_refused_with_what_to_install() -> None:
    said = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert said == "True the extra `apprise` is not installed: pip install 'sentinel-ops[apprise]'\n"
