"""The practice platform over HTTP: the site, what breaks it, the SMS gateway and the outbox page."""

from __future__ import annotations

import asyncio
import json
import re
import tomllib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from importlib.resources import files
from pathlib import Path

import aiohttp
import pytest

from sentinel import demo
from sentinel.demo import campus
from sentinel.demo.letterbox import letters
from sentinel.demo.paper import language_of
from tests.waiting import until

NEVER = demo.Schedule(kinds=())
SIGN_IN = {"username": campus.USERNAME, "password": campus.PASSWORD}


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[demo.Platform]:
    running = await demo.start(tmp_path, listen=("127.0.0.1", 0), schedule=NEVER)
    yield running
    await running.close()


@pytest.fixture
async def visitor(platform: demo.Platform) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # Cookies of an address without a name.
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(platform.url, cookie_jar=jar, timeout=timeout) as session:
        yield session


async def read(answer: aiohttp.ClientResponse) -> str:
    return (await answer.content.readexactly(answer.content_length or 0)).decode()


async def get(visitor: aiohttp.ClientSession, path: str, **more: object) -> tuple[int, str]:
    async with visitor.get(path, **more) as answer:  # type: ignore[arg-type]
        return answer.status, await read(answer)


async def sign_in(visitor: aiohttp.ClientSession, **wrong: str) -> tuple[int, str]:
    _, form = await get(visitor, "/login/index.php")
    found = re.search(r'name="logintoken" value="([^"]+)"', form)
    assert found
    async with visitor.post("/login/index.php", data={**SIGN_IN, "logintoken": found[1], **wrong}) as answer:
        return answer.status, await read(answer)


async def test_a_user_goes_from_home_over_the_login_to_the_course(visitor):
    status, home = await get(visitor, "/")
    assert (status, "Log in" in home) == (200, True)
    status, dashboard = await sign_in(visitor)
    assert (status, "Dashboard" in dashboard) == (200, True)
    status, course = await get(visitor, "/course/view.php?id=2")
    assert (status, "Test module" in course) == (200, True)


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"username": "root"}, {"logintoken": "stolen"}])
async def test_nobody_gets_in_without_password_and_token(visitor, wrong):
    status, page = await sign_in(visitor, **wrong)
    assert (status, 'role="alert"' in page) == (403, True)
    _, course = await get(visitor, "/course/view.php?id=2")
    assert "Test module" not in course


async def test_a_token_belongs_to_the_session_that_was_given_it(visitor, platform):
    async with aiohttp.ClientSession(platform.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as other:
        _, form = await get(other, "/login/index.php")
    token = re.search(r'name="logintoken" value="([^"]+)"', form)
    assert token
    await get(visitor, "/login/index.php")
    async with visitor.post("/login/index.php", data={**SIGN_IN, "logintoken": token[1]}) as answer:
        assert answer.status == 403


async def test_who_is_not_signed_in_is_led_to_the_login(visitor):
    async with visitor.get("/course/view.php?id=2", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/login/index.php")


async def test_there_is_one_course(visitor):
    await sign_in(visitor)
    assert (await get(visitor, "/course/view.php?id=3"))[0] == 404


async def test_what_is_remembered_of_visitors_is_bounded(visitor, platform, monkeypatch):
    monkeypatch.setattr(campus, "SESSIONS_MAX", 3)
    for _ in range(5):
        visitor.cookie_jar.clear()
        await get(visitor, "/login/index.php")
    assert len(platform.runner.app[campus.SESSIONS]) == 3


async def shows(visitor: aiohttp.ClientSession) -> dict[str, int]:
    """Return how the pages answer somebody who was signed in before."""
    paths = {"home": "/", "login": "/login/index.php", "course": "/course/view.php?id=2"}
    return {name: (await get(visitor, path, allow_redirects=False))[0] for name, path in paths.items()}


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("home-500", {"home": 500, "login": 200, "course": 200}),
        ("login-503", {"home": 200, "login": 503, "course": 200}),
        ("course-missing", {"home": 200, "login": 200, "course": 404}),
    ],
)
async def test_the_site_fails_as_told_until_it_is_mended(visitor, kind, answers):
    await sign_in(visitor)
    async with visitor.post("/practice/break", data={"kind": kind}) as answer:
        assert (answer.status, (await answer.json())["fault"]) == (200, kind)
    assert await shows(visitor) == answers
    async with visitor.post("/practice/mend") as answer:
        assert (await answer.json())["fault"] is None
    assert await shows(visitor) == {"home": 200, "login": 200, "course": 200}


async def test_signing_in_fails_while_the_login_is_broken(visitor, platform):
    platform.faults.break_with("login-503")
    async with visitor.post("/login/index.php", data=SIGN_IN) as answer:
        assert answer.status == 503


async def test_a_slow_site_makes_visitors_wait_and_still_closes_soon(visitor, platform):
    platform.faults.break_with("slow")
    waiting = asyncio.create_task(get(visitor, "/"))
    await until(lambda: platform.runner.server.connections)
    assert not waiting.done()
    async with asyncio.timeout(30):
        await platform.close()
    with pytest.raises(aiohttp.ClientError):
        await waiting


@pytest.mark.parametrize("body", [{"data": {"kind": "fire"}}, {"json": {"kind": ["slow"]}}, {"json": 3}, {}])
async def test_breaking_it_in_an_unknown_way_names_the_known_ones(visitor, body):
    async with visitor.post("/practice/break", **body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"] == "`kind` is one of home-500, login-503, course-missing, slow"


async def test_a_browser_is_led_back_to_the_buttons(visitor):
    async with visitor.post(
        "/practice/break", data={"kind": "home-500"}, headers={"Accept": "text/html"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/practice")
    _, page = await get(visitor, "/practice")
    assert "the home page answers 500" in page
    assert page.count("<form") == 5


async def test_another_sites_page_cannot_break_it(visitor, platform):
    evil = {"Origin": "https://evil.example.org"}
    async with visitor.post("/practice/break", data={"kind": "slow"}, headers=evil) as answer:
        assert answer.status == 403
    assert platform.faults.now is None
    async with visitor.post("/practice/break", data={"kind": "home-500"}, headers={"Origin": platform.url}) as answer:
        assert answer.status == 200


SMS = {"to": "+33639980001", "text": "P1 Campus DOWN since 22:10", "ref": "INC-1/2/alice/sms"}


async def send(visitor: aiohttp.ClientSession, sms: object) -> tuple[int, dict[str, str]]:
    async with visitor.post("/practice/sms", json=sms) as answer:
        return answer.status, await answer.json()


async def test_an_sms_becomes_a_file_of_the_outbox(visitor, tmp_path):
    status, answer = await send(visitor, SMS)
    assert (status, answer["id"][:4]) == (200, "sms-")
    (letter,) = letters(tmp_path / "outbox")
    assert (letter.kind, letter.to, letter.text) == ("sms", SMS["to"], SMS["text"])
    assert (tmp_path / "outbox").stat().st_mode & 0o777 == 0o700


async def test_the_same_sms_sent_again_gets_the_same_id_and_is_written_once(visitor, tmp_path):
    first, again = await send(visitor, SMS), await send(visitor, SMS)
    assert first == again
    assert await send(visitor, {**SMS, "ref": "INC-1/3/alice/sms"}) != first
    assert len(letters(tmp_path / "outbox")) == 2


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({**SMS, "to": "bob"}, "`to` is a telephone number"),
        ({**SMS, "to": None}, "`to` is a telephone number"),
        ({**SMS, "text": ""}, "`text` has 1 to 1600 characters"),
        ({**SMS, "text": "x" * 1601}, "`text` has 1 to 1600 characters"),
        ({**SMS, "ref": 7}, "`ref` has 1 to 300 characters"),
        ([], "`to` is a telephone number"),
    ],
)
async def test_the_gateway_refuses_what_is_no_sms_and_says_why(visitor, tmp_path, wrong, error):
    assert await send(visitor, wrong) == (400, {"error": error})
    assert letters(tmp_path / "outbox") == []


async def test_the_gateway_survives_what_is_no_json_and_what_is_too_much(visitor):
    headers = {"Content-Type": "application/json"}
    for body, status in ((b"{", 400), (b"\xff\xfe", 400), (b"[" * 60_000, 400), (b" " * 70_000, 413)):
        async with visitor.post("/practice/sms", data=body, headers=headers) as answer:
            assert answer.status == status


async def test_the_gateway_asks_for_patience_when_the_outbox_cannot_be_written(visitor, tmp_path):
    (tmp_path / "outbox").write_text("in the way")
    status, answer = await send(visitor, SMS)
    assert status == 503
    assert answer["error"].startswith("the outbox cannot be written")


def post_mail(folder: Path, name: str, subject: str, text: str) -> None:
    mail = EmailMessage()
    mail["To"] = "ops@example.org"
    mail["Subject"] = subject
    mail.set_content(text)
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(mail.as_bytes())


async def test_the_outbox_page_shows_mails_and_sms_newest_first(visitor, tmp_path):
    post_mail(tmp_path / "outbox", "20200101T000000Z_a.eml", "Old mail", "first")
    await send(visitor, SMS)
    _, page = await get(visitor, "/practice/outbox")
    assert page.index(SMS["text"]) < page.index("Old mail")


async def test_the_outbox_page_shows_markup_as_text(visitor, tmp_path):
    evil = "<script>alert(1)</script>"
    post_mail(tmp_path / "outbox", "20200101T000000Z_a.eml", evil, evil)
    await send(visitor, {**SMS, "text": evil})
    _, page = await get(visitor, "/practice/outbox")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 3


async def test_the_outbox_page_leaves_out_what_is_no_message_and_says_when_there_is_none(visitor, tmp_path):
    folder = tmp_path / "outbox"
    assert "Nothing was sent yet." in (await get(visitor, "/practice/outbox"))[1]
    folder.mkdir()
    (folder / "notes.txt").write_text("not a message")
    (folder / ".20200101T000000Z_half.txt").write_text("half written")
    (folder / "20200101T000000Z_a.pdf").write_bytes(b"%PDF")
    (folder / "20200101T000000Z_folder.eml").mkdir()
    assert "Nothing was sent yet." in (await get(visitor, "/practice/outbox"))[1]


async def test_looking_at_the_outbox_changes_nothing_in_it(visitor, tmp_path):
    await send(visitor, SMS)
    before = {file.name: file.read_bytes() for file in (tmp_path / "outbox").iterdir()}
    await get(visitor, "/practice/outbox")
    assert {file.name: file.read_bytes() for file in (tmp_path / "outbox").iterdir()} == before


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("en;q=0.4, fr;q=0.6", "fr"),
        ("de, en-GB", "en"),
        ("de", "en"),
        ("fr;q=x", "en"),
        ("*", "en"),
        ("fr;q=0", "en"),
    ],
)
def test_the_language_is_the_one_the_visitor_likes_best(accepted, language):
    assert language_of(accepted) == language


@pytest.mark.parametrize("path", ["/", "/login/index.php", "/practice", "/practice/outbox", "/course/view.php?id=2"])
async def test_every_page_reads_in_french_too_and_needs_no_script(visitor, path):
    async with visitor.get(path, headers={"Accept-Language": "fr"}) as answer:
        page = await read(answer)
        assert answer.headers["Content-Language"] == "fr"
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert '<html lang="fr">' in page
    assert page.count("<h1>") == 1
    assert "<script" not in page
    assert "Aller au contenu" in page


def test_both_languages_say_the_same_things():
    def shape(words: object) -> object:
        return {key: shape(value) for key, value in words.items()} if isinstance(words, dict) else None

    folder = files("sentinel.demo") / "templates"
    english, french = (tomllib.loads((folder / f"{name}.toml").read_text("utf-8")) for name in ("en", "fr"))
    assert shape(english) == shape(french)


async def test_a_port_in_use_is_named(platform, tmp_path):
    port = int(platform.url.rpartition(":")[2])
    with pytest.raises(
        OSError, match=f"the practice platform cannot listen on 127.0.0.1:{port}: address already in use"
    ):
        await demo.start(tmp_path, listen=("127.0.0.1", port))


async def test_its_state_can_be_read_by_programs(visitor):
    _, text = await get(visitor, "/practice/state")
    assert json.loads(text) == {"fault": None, "next_in_s": None}
