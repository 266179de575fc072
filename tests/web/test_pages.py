from __future__ import annotations

import re

import pytest
from lxml import html

from sentinel.core import commands as c

LOGIN = "https://campus.example.org/login"


async def page(served, path: str = "/", **headers: str) -> html.HtmlElement:
    async with served.http.get(path, headers={"Accept": "text/html", **headers}) as answer:
        assert answer.status == 200
        return html.fromstring(await answer.text())


def words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


async def test_the_page_says_what_is_open_since_when_and_who_has_it(served):
    await served.room.open()
    taken = await served.room.open("Certificate expires", level=2)
    await served.room.desk.order(taken.number, c.Acknowledge(by="bruno", via="cli"))
    shown = await page(served)
    first, second = shown.cssselect("article.incident")
    for text in ("P1", "✗ open", "login fails: HTTP 503", "Campus", "12 min", "nobody has taken it", "INC-1"):
        assert text in words(first)
    assert "taken by Bruno Lefèvre" in words(second)
    assert [button.text for button in first.cssselect("button")] == ["Acknowledge", "Resolve"]
    assert [button.text for button in second.cssselect("button")] == ["Resolve"]


async def test_the_page_shows_the_worst_probe_first_with_what_was_seen(served):
    served.room.seen("web-ping", "web1.example.org", True)
    served.room.seen("login", LOGIN, False, "expected status 200, found 503")
    rows = [words(row) for row in (await page(served)).cssselect("section[aria-labelledby=probes] tbody tr")]
    assert rows[0].startswith("✗ failing login http")
    assert "expected status 200, found 503" in rows[0]
    assert "412 ms" in rows[0]
    assert not any("web1.example.org" in row for row in rows), "what is fine is counted, not shown"


async def test_a_quiet_page_says_so(served):
    assert "Nothing is open." in words(await page(served))


async def test_the_page_of_an_incident_shows_its_messages(served):
    await served.room.open()
    shown = await page(served, "/incidents/INC-1")
    rows = [words(row) for row in shown.cssselect("section[aria-labelledby=messages] tbody tr")]
    assert len(rows) == 3
    assert any("Amina Benali SMS" in row and "… waiting" in row for row in rows)


async def test_problems_of_sentinel_itself_stand_on_top(served):
    served.room.problems = ("dispatch makes no progress",)
    assert "dispatch makes no progress" in words((await page(served)).cssselect("[role=alert]")[0])


@pytest.mark.parametrize(
    ("path", "accept", "language"),
    [
        ("/", "fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("/", "en;q=0.5, fr;q=0.7", "fr"),
        ("/", "de, en;q=0.3", "en"),
        ("/", "de", "en"),
        ("/", "fr;q=0", "en"),
        ("/", "fr;q=x,,;q=", "en"),
        ("/?lang=fr", "en", "fr"),
        ("/?lang=xx", "fr", "fr"),
    ],
)
async def test_the_page_speaks_the_readers_language(served, path, accept, language):
    shown = await page(served, path, **{"Accept-Language": accept})
    assert shown.get("lang") == language
    assert words(shown.cssselect("#open")[0]) == {"en": "Open incidents", "fr": "Incidents ouverts"}[language]


async def test_the_language_that_was_asked_for_is_remembered(served):
    await page(served, "/?lang=fr")
    assert (await page(served, "/", **{"Accept-Language": "en"})).get("lang") == "fr"


async def test_what_comes_from_outside_is_text_and_nothing_else(served):
    await served.room.open("<script>alert(1)</script>\u202e\x1b[31m{{ 7*7 }}")
    for path in ("/", "/incidents/INC-1"):
        async with served.http.get(path) as answer:
            text = await answer.text()
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "{{ 7*7 }}" in text


async def test_no_page_has_a_script_or_a_style_of_its_own(served):
    await served.room.open()
    for path in ("/", "/incidents/INC-1", "/incidents/INC-99"):
        async with served.http.get(path, headers={"Accept": "text/html"}) as answer:
            shown = html.fromstring(await answer.text())
        assert not shown.cssselect("style, [style]")
        assert all(one.get("src").startswith("/static/") and not one.text for one in shown.cssselect("script"))
        assert not [name for element in shown.iter() for name in element.attrib if name.startswith("on")]


async def test_every_field_has_a_label_and_every_id_is_there_once(served):
    await served.room.open("a")
    await served.room.open("b", service="mail")
    for path in ("/", "/incidents/INC-1"):
        shown = await page(served, path)
        ids = [element.get("id") for element in shown.cssselect("[id]")]
        assert len(ids) == len(set(ids))
        labels = {label.get("for") for label in shown.cssselect("label")}
        fields = {field.get("id") for field in shown.cssselect("input:not([type=hidden]), textarea, select")}
        assert fields
        assert fields == labels


async def test_a_form_acknowledges_and_leads_back_to_where_it_stood(served):
    await served.room.open()
    form = {"by": "Amina Benali", "text": "", "back": "now"}
    async with served.http.post("/incidents/INC-1/acknowledge", data=form, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "/"
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert "SameSite=Strict" in answer.headers["Set-Cookie"]
    state = served.room.desk.open()[0]
    assert (state.phase, state.acknowledged_by) == ("acknowledged", "amina")
    assert (await page(served)).cssselect("input[name=by]")[0].get("value") == "Amina Benali"


async def test_forms_note_resolve_reopen_and_close(served):
    await served.room.open()

    async def send(action: str, text: str, expected: str) -> None:
        form = {"by": "bruno", "text": text, "back": "https://evil.example.org/"}
        async with served.http.post(f"/incidents/INC-1/{action}", data=form, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/incidents/INC-1"
        shown = await page(served, "/incidents/INC-1")
        assert expected in words(shown)

    await send("note", "looking <b>", "Bruno Lefèvre: looking <b>")
    await send("resolve", "restarted", "Resolved by Bruno Lefèvre: restarted")
    await send("reopen", "no", "Reopened by Bruno Lefèvre: no")
    await send("resolve", "really", "Resolved by Bruno Lefèvre: really")
    await send("close", "", "Closed by Bruno Lefèvre: confirmed")
    assert "only notes can be added" in words(await page(served, "/incidents/INC-1"))


@pytest.mark.parametrize(
    ("action", "form", "status", "said"),
    [
        ("resolve", {"by": "amina", "text": ""}, 409, "Resolving needs a resolution text."),
        ("acknowledge", {"by": " "}, 400, "Who acts?"),
        ("close", {"by": "amina"}, 409, "INC-1 is open"),
    ],
)
async def test_a_form_that_cannot_be_done_says_why_on_a_page(served, action, form, status, said):
    await served.room.open()
    headers = {"Accept": "text/html"}
    async with served.http.post(f"/incidents/INC-1/{action}", data=form, headers=headers) as answer:
        assert answer.status == status
        assert answer.content_type == "text/html"
        assert said in words(html.fromstring(await answer.text()))
    assert served.room.desk.open()[0].phase == "open"


async def test_looking_changes_nothing(served):
    await served.room.open()
    before = served.room.store.timeline("INC-1")
    for path in ("/", "/incidents/INC-1", "/incidents/INC-1/acknowledge", "/incidents/INC-1/resolve"):
        for method in ("GET", "HEAD", "OPTIONS"):
            async with served.http.request(method, path):
                pass
    assert served.room.store.timeline("INC-1") == before


async def test_the_page_refreshes_itself_only_when_asked(served):
    assert not (await page(served)).cssselect("meta[http-equiv=refresh]")
    assert (await page(served, "/?refresh=1")).cssselect("meta[http-equiv=refresh]")[0].get("content") == "30"


async def test_the_stylesheet_and_the_icon_are_served_and_nothing_else(served):
    for name, kind in (("style.css", "text/css"), ("icon.svg", "image/svg+xml")):
        async with served.http.get(f"/static/{name}") as answer:
            assert answer.content_type == kind
            assert "max-age" in answer.headers["Cache-Control"]
    for name in ("..%2fpages.py", "nothing.css"):
        async with served.http.get(f"/static/{name}") as answer:
            assert answer.status == 404


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
async def test_every_text_is_readable_in_both_themes(served, theme):
    async with served.http.get("/static/style.css") as answer:
        text = await answer.text()
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", text)
    colours = {name: (light, dark)[theme] for name, light, dark in found}
    for ink in ("ink", "dim", "link", "bad", "warn", "good"):
        for ground in ("ground", "sheet"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for ground in ("bad-ground", "warn-ground", "calm-ground", "main"):
        assert contrast("#ffffff", colours[ground]) >= 4.5, ground
