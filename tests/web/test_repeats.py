"""A request that is repeated with its key is done once."""

from __future__ import annotations

import asyncio

from tests.fakes.room import room
from tests.web.test_access import token
from tests.web.test_tokens import bearer

RAISED = {"title": "no mail", "by": "amina", "level": 2}


async def raise_(served, key: str, body: object = None, **headers: str):
    sent = {"Idempotency-Key": key, **headers}
    async with served.http.post("/api/v1/incidents", json=body or RAISED, headers=sent) as answer:
        return answer.status, await answer.read(), answer.headers


async def test_a_repeated_request_gets_the_same_answer_and_does_nothing(served):
    first, again = await raise_(served, "k-1"), await raise_(served, "k-1")
    assert (first[0], first[1]) == (201, again[1])
    assert (again[0], again[2]["Location"]) == (201, first[2]["Location"])
    assert ("Idempotency-Replayed" in first[2], again[2]["Idempotency-Replayed"]) == (False, "true")
    assert again[2]["Content-Type"] == first[2]["Content-Type"]
    assert len(served.room.store.incidents(limit=10)) == 1
    assert (await raise_(served, "k-2"))[0] == 201
    assert len(served.room.store.incidents(limit=10)) == 2


async def test_a_key_is_for_one_request(served):
    await raise_(served, "k-1")
    status, text, _ = await raise_(served, "k-1", {**RAISED, "level": 3})
    assert (status, b"was for something else" in text) == (422, True)
    async with served.http.post("/api/v1/overload", json=RAISED, headers={"Idempotency-Key": "k-1"}) as answer:
        assert answer.status == 422


async def test_the_key_of_one_client_is_not_that_of_another(served):
    one, other = await token(served.room, "operator", "one"), await token(served.room, "operator", "other")
    body = {"title": "no mail"}
    first = await raise_(served, "k-1", body, **bearer(one))
    second = await raise_(served, "k-1", body, **bearer(other))
    assert (first[0], second[0]) == (201, 201)
    assert first[1] != second[1]


async def test_what_was_refused_may_be_asked_again(served):
    bad = {**RAISED, "service": "nothing"}
    assert (await raise_(served, "k-1", bad))[0] == 400
    assert (await raise_(served, "k-1"))[0] == 201


async def test_at_once_one_is_done_and_the_other_told_to_wait_or_told_the_same(served):
    answers = await asyncio.gather(*(raise_(served, "k-1") for _ in range(8)))
    assert {status for status, _, _ in answers} <= {201, 409}
    assert len(served.room.store.incidents(limit=10)) == 1


async def test_after_a_death_in_the_middle_nobody_claims_to_know(tmp_path, served):
    await raise_(served, "k-1")
    await asyncio.to_thread(forget_answer, served)
    status, text, _ = await raise_(served, "k-1")
    assert (status, b"look whether it is done" in text) == (409, True)
    assert len(served.room.store.incidents(limit=10)) == 1


def forget_answer(served) -> None:
    """Leave the store as a process leaves it that dies between what it did and its answer."""
    import sqlite3

    with sqlite3.connect(served.room.file) as database:
        assert database.execute("UPDATE answer SET body = NULL").rowcount == 1


async def test_answers_are_told_after_a_restart_and_forgotten_after_a_day(tmp_path):
    async with room(tmp_path) as before:
        assert await before.answers.take("key", "same") == ("new", b"")
        await before.answers.keep("key", b"answer")
    async with room(tmp_path) as after:
        assert await after.answers.take("key", "same") == ("done", b"answer")
        await after.answers.tidy()
        assert await after.answers.take("key", "same") == ("done", b"answer")
        from datetime import timedelta

        after.store.forget_answers(after.clock.now() + timedelta(seconds=1))
        assert await after.answers.take("key", "same") == ("new", b"")


async def test_a_key_that_is_none_is_refused(served):
    for key in ("", "a b", "x" * 256):
        assert (await raise_(served, key))[0] == 400


async def test_an_answer_with_a_secret_is_never_kept(served):
    async with served.http.post(
        "/api/v1/tokens",
        json={"name": "a", "role": "viewer", "by": "amina"},
        headers={"Idempotency-Key": "k"},
    ) as answer:
        assert answer.status == 400
    assert served.room.store.count_answers() == 0
