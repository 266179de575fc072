"""The page of escalation matrices: what holds, what is proposed, and the forms of both parties."""

from __future__ import annotations

import pytest
from lxml import html

from tests.web.test_matrices import keep
from tests.web.test_pages import page, words


async def send(served, form: str, status: int = 200, **fields: str) -> html.HtmlElement:
    headers = {"Accept": "text/html"}
    async with served.http.post(f"/matrices/campus/{form}", data=fields, headers=headers) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return html.fromstring(text)


def fields_of(shown: html.HtmlElement, side: str) -> dict[str, str]:
    """Return what the form of a side holds before anybody writes in it."""
    (form,) = shown.cssselect(f"#propose-campus-{side} form")
    named = form.cssselect("input[name]")
    return {str(one.get("name")): str(one.get("value") or "") for one in named}


@pytest.mark.rule("ESC-4")
async def test_a_party_proposes_in_its_form_only_what_it_changed_and_the_keeper_validates(served):
    keep(served.room)
    shown = await page(served, "/matrices")
    rows = [words(row) for row in shown.cssselect("tbody tr")]
    assert rows[1].startswith("2 provider: Amina Benali customer: Inès Caron")
    written = {**fields_of(shown, "customer"), "by": "ines", "in_3": "Inès Caron", "note": "from January"}
    shown = await send(served, "propose", **written)
    (proposal,) = served.room.matrices.kept("campus").proposals.values()
    assert (proposal.in_hours, proposal.out_of_hours) == ({"3": ("ines",)}, {})
    assert "Business hours, level 3: Inès Caron" in words(shown)
    assert "alone validates" in words(await send(served, "validate", 409, by="bruno", committee="COPIL"))
    shown = await send(served, "validate", by="amina", committee="COPIL", note="all agreed")
    assert "version 2" in words(shown)
    assert "validated by Amina Benali" in words(shown)
    assert served.room.matrices.current["campus"].in_hours["3"] == {"customer": ("ines",)}


@pytest.mark.rule("ESC-4")
async def test_a_proposal_is_taken_back(served):
    keep(served.room)
    await send(served, "propose", by="amina", side="provider", in_1="Bruno Lefèvre, Amina Benali")
    assert served.room.matrices.kept("campus").proposals[1].in_hours == {"1": ("bruno", "amina")}
    await send(served, "withdraw", by="amina", number="1")
    assert not served.room.matrices.kept("campus").proposals


@pytest.mark.rule("ESC-4")
async def test_what_cannot_be_proposed_is_refused_and_says_why(served):
    keep(served.room)
    untouched = fields_of(await page(served, "/matrices"), "provider")
    assert "names contacts" in words(await send(served, "propose", 409, **{**untouched, "by": "amina"}))
    assert "its own part" in words(await send(served, "propose", 409, by="ines", side="provider", in_1="bruno"))
    assert "nobody of the configuration" in words(
        await send(served, "propose", 409, by="amina", side="provider", in_1="x")
    )
    assert "`side` must be" in words(await send(served, "propose", 400, by="amina", side="other"))
    assert "`number`" in words(await send(served, "withdraw", 400, by="amina", number="one"))
    async with served.http.post("/matrices/nothing/validate", data={"by": "amina"}) as answer:
        assert answer.status == 404


async def test_without_a_matrix_the_page_says_so(served):
    assert "No matrix is configured." in words(await page(served, "/matrices"))
