"""Tokens over HTTP: made once, shown once, gone at once; what they do stands under their name."""

from __future__ import annotations

import json

import aiohttp

from tests.fakes.room import room
from tests.web.test_access import token


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def made(served, **body: object) -> dict[str, object]:
    async with served.http.post("/api/v1/tokens", json={"by": "amina", **body}) as answer:
        assert answer.status == 201, await answer.text()
        return await answer.json()


async def test_a_token_is_told_once_used_and_revoked(served):
    new = await made(served, name="board", role="viewer")
    text = new["token"]
    async with served.http.get("/api/v1/me", headers=bearer(text)) as answer:
        me = await answer.json()
    assert (me["role"], me["acts_as"], me["services"]) == ("viewer", "token:board", None)
    async with served.http.post("/api/v1/tokens", json={"name": "x", "role": "viewer"}, headers=bearer(text)) as answer:
        assert (answer.status, "administer" in (await answer.json())["detail"]) == (403, True)
    await served.room.tokens.revoke("board", "amina", "")
    async with served.http.get("/api/v1/me", headers=bearer(text)) as answer:
        assert answer.status == 401


async def test_the_text_of_a_token_is_nowhere_but_in_the_one_answer(served):
    text = str((await made(served, name="board", role="administrator"))["token"])
    secret = text.rpartition("_")[2]
    async with served.http.get("/api/v1/tokens", headers=bearer(text)) as answer:
        assert secret not in await answer.text()
    kept = b"".join(file.read_bytes() for file in served.room.file.parent.glob("sentinel.db*"))
    assert b"board" in kept
    assert secret.encode() not in kept
    assert text not in repr(served.room.tokens.all())


async def test_a_token_survives_a_restart_and_so_does_that_it_is_revoked(tmp_path):
    async with room(tmp_path) as before:
        kept, gone = await token(before, "viewer", "kept"), await token(before, "viewer", "gone")
        await before.tokens.revoke("gone", "amina", "")
    async with room(tmp_path) as after:
        found = after.tokens.find(kept)
        assert found is not None
        assert found.name == "kept"
        assert after.tokens.find(gone) is None


async def test_every_change_stands_in_the_ledger_with_who_made_it(served):
    await made(served, name="board", role="viewer")
    await served.room.tokens.revoke("board", "bruno", "lost")
    facts = [json.loads(line.body) for line in served.room.store.ledger("token")]
    assert [(fact["type"], fact["by"]) for fact in facts] == [("issued", "amina"), ("revoked", "bruno")]
    assert served.room.store.verify() == []


async def test_a_token_that_makes_no_sense_is_refused_with_the_reason(served):
    admin = bearer(str((await made(served, name="admin", role="administrator"))["token"]))
    for body, status, why in (
        ({"name": "admin", "role": "viewer"}, 409, "There is a token admin already; revoke it first."),
        ({"name": "a b", "role": "viewer"}, 400, "cannot be read"),
        ({"name": "a", "role": "king"}, 400, "cannot be read"),
        ({"name": "a", "role": "customer"}, 409, "needs a customer"),
        ({"name": "a", "role": "viewer", "customer": "DNUM"}, 409, "no other role has one"),
        ({"name": "a", "role": "customer", "customer": "DNUMM"}, 400, "No service is of the customer `DNUMM`"),
        ({"name": "a", "role": "viewer", "person": "zoe"}, 400, "There is no person `zoe`."),
        ({"name": "a", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, 409, "over before it begins"),
    ):
        async with served.http.post("/api/v1/tokens", json=body, headers=admin) as answer:
            assert (answer.status, why in (await answer.json())["detail"]) == (status, True), body
    async with served.http.delete("/api/v1/tokens/nobody", headers=admin) as answer:
        assert answer.status == 409


async def test_what_a_token_does_stands_under_its_person_and_under_nobody_else(served):
    incident = await served.room.open()
    text = await token(served.room, "operator", "phone", person="amina")
    path = f"/api/v1/incidents/{incident.number}"
    async with served.http.post(f"{path}/note", json={"text": "x", "by": "bruno"}, headers=bearer(text)) as answer:
        assert answer.status == 403
        assert (await answer.json())["detail"] == "This token acts as amina, and in nobody else's name."
    async with served.http.post(f"{path}/acknowledge", json={}, headers=bearer(text)) as answer:
        assert (await answer.json())["acknowledged_by"] == "amina"
    async with served.http.post(
        f"{path}/note", json={"text": "y", "by": "Amina Benali"}, headers=bearer(text)
    ) as answer:
        assert answer.status == 200


async def test_a_token_called_as_a_person_is_not_that_person(served):
    incident = await served.room.open()
    text = await token(served.room, "operator", "amina")
    async with served.http.post(
        f"/api/v1/incidents/{incident.number}/acknowledge", json={}, headers=bearer(text)
    ) as answer:
        assert (await answer.json())["acknowledged_by"] == "token:amina"


async def test_the_control_socket_needs_no_token_however_many_there_are(served):
    await made(served, name="board", role="viewer")
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(served.control))) as http,
        http.get("http://localhost/api/v1/tokens") as answer,
    ):
        assert [one["name"] for one in await answer.json()] == ["board"]
