"""The API and the commands of escalation matrices: shown, proposed, validated, and their history."""

from __future__ import annotations

from dataclasses import replace as renewed

import pytest
from msgspec.structs import replace

from sentinel.core.matrix import Matrix
from sentinel.core.model import Person
from tests.fakes.room import DIRECTORY, Room

INES = Person(id="ines", name="Inès Caron", addresses={"email": "ines@example.org"}, side="customer")
MATRIX = Matrix(
    id="campus",
    name="Campus",
    keeper="amina",
    committee="COPIL",
    in_hours={"1": {"provider": ("bruno",)}, "2": {"provider": ("amina",), "customer": ("ines",)}},
    out_of_hours={"1": {"provider": ("bruno",)}},
)


def keep(room: Room) -> None:
    """Put a matrix in the configuration."""
    directory = replace(DIRECTORY, people={**DIRECTORY.people, "ines": INES}, matrices={"campus": MATRIX})
    room.settings = renewed(room.settings, directory=directory)
    room.desk.policy = replace(room.desk.policy, directory=directory)
    room.matrices.configure()


async def get(served, path: str = ""):
    async with served.http.get(f"/api/v1/matrices{path}") as answer:
        return answer.status, await answer.json()


async def post(served, path: str, **body: object):
    async with served.http.post(f"/api/v1/matrices/campus/{path}", json=body) as answer:
        return answer.status, await answer.json()


@pytest.mark.rule("ESC-4")
async def test_each_party_proposes_and_the_keeper_validates(served):
    keep(served.room)
    status, now = await post(served, "propose", by="Inès Caron", in_hours={"3": ["ines"]}, note="from January")
    assert status == 200
    (proposal,) = now["proposals"]
    assert (proposal["number"], proposal["by"], proposal["side"]) == (1, "ines", "customer")
    assert (now["version"], "3" in now["in_hours"]) == (1, False)
    status, now = await post(served, "validate", by="amina")
    assert (status, now["version"], now["validated_by"], now["committee"]) == (200, 2, "amina", "COPIL")
    assert now["in_hours"]["3"] == {"customer": ["ines"]}
    assert now["proposals"] == []
    assert (await get(served)) == (200, [now])
    _, history = await get(served, "/campus/history")
    assert [fact["type"] for fact in history] == ["begun", "proposed", "validated"]
    owed = served.room.store.messages(limit=10)
    assert sorted(row.id for row in owed) == [f"matrix:campus/2/{name}/email" for name in ("amina", "bruno", "ines")]


@pytest.mark.rule("ESC-4")
@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("propose", {"by": "ines", "side": "provider", "in_hours": {"1": ["bruno"]}}, 409, "its own part"),
        ("propose", {"by": "ines", "in_hours": {"1": ["bruno"]}}, 409, "cannot be a contact of the customer's"),
        ("propose", {"by": "nobody", "in_hours": {"1": ["ines"]}}, 409, "nobody is nobody"),
        ("propose", {"by": "ines", "in_hours": {"9": ["ines"]}}, 409, "There is no level 9"),
        ("propose", {"by": "ines", "in_hours": {"1": "ines"}}, 400, "cannot be read"),
        ("validate", {"by": "bruno"}, 409, "kept by Amina Benali"),
        ("validate", {"by": "amina"}, 409, "Nothing is proposed"),
        ("withdraw", {"by": "ines", "number": 1}, 409, "No proposal 1"),
    ],
)
async def test_what_may_not_be_is_refused_with_the_reason(served, path, body, status, why):
    keep(served.room)
    found, answer = await post(served, path, **body)
    assert found == status
    assert why in answer["detail"]
    assert (await get(served, "/campus/history"))[1] == []


async def test_an_unknown_matrix_is_not_found(served):
    keep(served.room)
    assert (await get(served, "/moon"))[0] == 404
    assert (await get(served, "/moon/history"))[0] == 404


async def test_a_proposal_is_withdrawn(served):
    keep(served.room)
    await post(served, "propose", by="ines", in_hours={"2": []})
    status, now = await post(served, "withdraw", by="ines", number=1, text="a mistake")
    assert (status, now["proposals"], now["version"]) == (200, [], 1)


async def test_who_has_left_is_named(served):
    keep(served.room)
    people = {name: one for name, one in served.room.settings.directory.people.items() if name != "ines"}
    served.room.settings = renewed(
        served.room.settings, directory=replace(served.room.settings.directory, people=people)
    )
    assert (await get(served, "/campus"))[1]["gone"] == ["ines"]
