"""The places that are told that Sentinel lives, each in its own words, over real connections."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sentinel.channels.alive import AlivePlace, below
from sentinel.channels.base import Undelivered
from sentinel.channels.peer import PeerDoor
from sentinel.probes.net import TargetPolicy
from tests.fakes.http_peer import HttpPeer

POLICY = TargetPolicy()


@pytest.fixture
async def peer() -> AsyncIterator[HttpPeer]:
    async with HttpPeer() as made:
        yield made


async def test_a_place_for_pings_hears_that_all_is_well_and_why_it_is_not(peer: HttpPeer) -> None:
    place = AlivePlace("ping", f"{peer.url}/ping/8c1e?create=1", POLICY)
    await place.alive()
    await place.failing("store: the disk is full; é" * 100)
    well, ill = peer.received
    assert (well.method, well.path, well.body) == ("GET", "/ping/8c1e?create=1", b"")
    assert (ill.method, ill.path) == ("POST", "/ping/8c1e/fail?create=1")
    assert len(ill.body) <= 1_000
    assert ill.body.decode().startswith("store: the disk is full")


async def test_a_plain_place_is_never_asked_for_anything_else(peer: HttpPeer) -> None:
    place = AlivePlace("plain", f"{peer.url}/snitch", POLICY)
    await place.alive()
    await place.failing("store: the disk is full")
    assert [request.path for request in peer.received] == ["/snitch"]


async def test_opsgenie_hears_its_own_ping_with_the_key_of_its_own_and_takes_a_202(peer: HttpPeer) -> None:
    peer.status, peer.answer = 202, '{"result":"PONG - Heartbeat received","took":0,"requestId":"x"}'
    place = AlivePlace("opsgenie", peer.url, POLICY, name="main site", key="0123")
    await place.alive()
    await place.failing("store: the disk is full")
    (request,) = peer.received
    assert (request.method, request.path) == ("GET", "/v2/heartbeats/main%20site/ping")
    assert request.headers["Authorization"] == "GenieKey 0123"


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_who_answers_anything_but_yes_has_not_heard_it(peer: HttpPeer, status: int) -> None:
    peer.status = status
    with pytest.raises(Undelivered):
        await AlivePlace("ping", f"{peer.url}/ping/8c1e", POLICY).alive()


async def test_its_address_and_key_show_nowhere() -> None:
    place = AlivePlace("opsgenie", "https://example.org/secret-path", POLICY, name="n", key="secret-key")
    assert "secret" not in repr(place)
    assert below("https://example.org/ping/x/", "fail") == "https://example.org/ping/x/fail"


async def test_a_peer_says_how_it_is_also_when_it_is_not_ready(peer: HttpPeer) -> None:
    peer.status = 503
    peer.answer = (
        '{"ready":false,"at":"2026-11-21T22:10:00Z","self_test_passed_at":null,"self_test_failing":["store"],"new":1}'
    )
    said = await PeerDoor(f"{peer.url}/", POLICY, "abc").ask()
    assert (said.ready, said.self_test_failing, said.self_test_passed_at) == (False, ("store",), None)
    (request,) = peer.received
    assert (request.path, request.headers["Authorization"]) == ("/-/ready", "Bearer abc")
    assert request.headers["Accept"] == "application/json"


@pytest.mark.parametrize("answer", ["Sentinel is ready.\n", "[]", '{"ready": "yes"}', '{"at": 5}', "\x00"])
async def test_what_is_no_sentinel_is_no_peer(peer: HttpPeer, answer: str) -> None:
    peer.answer = answer
    with pytest.raises(Undelivered, match="no Sentinel"):
        await PeerDoor(peer.url, POLICY).ask()
