"""What an incident manager writes to customers without a crisis: on status pages, in feeds, in mails."""

from __future__ import annotations

import json
import re
from email.message import EmailMessage
from urllib.parse import urlsplit

import lxml.html
import pytest

from sentinel.core import commands as c
from sentinel.core.model import Refused
from tests.web.test_status_page import SECRET, WORLD, Shown, shown, words

FR, EN = "Les connexions échouent ; <b>nous</b> y travaillons.", "Sign-in fails; we are working on it."


def plain(mail: EmailMessage) -> str:
    """Return the text of a mail, whether or not it has another form."""
    return mail.get_body(("plain",)).get_content()


async def said(one: Shown, number: str, status: int = 200, **body: object) -> str:
    """Publish by the API, from this machine, where nobody needs to prove anything yet."""
    path = f"/api/v1/incidents/{number}/publish"
    async with one.http.post(path, json={"by": "amina", **body}) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return text


async def test_each_page_shows_its_own_language_and_says_when_the_next_word_comes(tmp_path):
    async with shown(tmp_path) as one:
        number = await one.open()
        await said(one, number, fr=FR, en=EN, next_s=3600)
        await one.look()
        french = words((await one.get("/status/dnum?lang=fr"))[0]).replace("\xa0", " ")
        assert FR in french
        assert "Prochaine information : 22 novembre 2026 à 0 h 10" in french
        assert EN not in french
        assert EN in words((await one.get("/status/dnum?lang=en"))[0])
        feed = (await one.get("/status/dnum.atom?lang=en"))[0]
        assert EN in feed
        assert SECRET.lower() not in (french + feed).lower()
        found = json.loads((await one.get("/status/dnum.json?lang=fr"))[0])
        assert [message["text"] for message in found["incidents"][0]["messages"]] == [FR]


async def test_one_language_stands_for_both(tmp_path):
    async with shown(tmp_path) as one:
        await said(one, await one.open(), fr=FR)
        await one.look()
        assert FR in words((await one.get("/status/dnum?lang=en"))[0])


async def test_who_subscribed_is_told_in_their_language(tmp_path):
    async with shown(tmp_path) as one:
        for address, language in (("zoe@example.com", "fr"), ("max@example.com", "en")):
            await one.post("/status/dnum/subscribe", 303, address=address, lang=language)
            (asking,) = await one.mails(address)
            await one.post(urlsplit(re.search(r"http\S+/confirm/\S+", plain(asking))[0]).path, 200)
        number = await one.open()
        await one.look()
        await said(one, number, fr=FR, en=EN)
        await one.look()
        for address, text in (("zoe@example.com", FR), ("max@example.com", EN)):
            assert [text in plain(mail) for mail in await one.mails(address)].count(True) == 1


async def test_the_form_is_there_for_who_may_and_does_the_same(tmp_path):
    async with shown(tmp_path) as one:
        number = await one.open()
        roles = {name: {"Accept": "text/html", **await one.token(name)} for name in ("operator", "incident_manager")}
        form, path = {"fr": FR, "en": "", "next": "60"}, f"/incidents/{number}/publish"
        for role, forms, status in (("operator", 0, 403), ("incident_manager", 1, 303)):
            page = lxml.html.fromstring((await one.get(f"/incidents/{number}", **roles[role]))[0])
            assert len(page.cssselect("#publish form")) == forms
            async with one.http.post(path, data=form, headers=roles[role], allow_redirects=False) as answer:
                assert answer.status == status
        assert FR in words((await one.get(f"/incidents/{number}?lang=fr", **roles["operator"]))[0])


async def test_customers_who_signed_in_read_it_on_the_page_of_the_incident(tmp_path):
    async with shown(tmp_path) as one:
        number = await one.open()
        await said(one, number, fr=FR, en=EN)
        theirs = {"Accept": "text/html", **await one.token("customer", "DNUM")}
        assert EN in words((await one.get(f"/incidents/{number}?lang=en", **theirs))[0])


async def test_what_nobody_would_read_is_refused_with_the_reason(tmp_path):
    async with shown(tmp_path) as one:
        minor = await one.open(severity="minor")
        assert "is minor" in await said(one, minor, 409, fr=FR)
        number = await one.open()
        assert "needs a text" in await said(one, number, 409, fr=" ")
        for next_s in (1, 8 * 86_400):
            await said(one, number, 400, fr=FR, next_s=next_s)
        assert "There is no incident" in await said(one, "INC-99", 404, fr=FR)
        with pytest.raises(Refused):
            await one.order(number, c.Publish(by="amina", en="x" * 5000))


async def test_a_service_that_no_page_shows_is_refused(tmp_path):
    world = WORLD.replace("services: campus, public: yes", "services: campus, public: yes, messages: no")
    world = world.replace("closed: {title: Fermée, services: [campus, mail]}", "closed: {title: F, services: mail}")
    async with shown(tmp_path, world) as one:
        assert "No status page shows" in await said(one, await one.open(), 409, fr=FR)
