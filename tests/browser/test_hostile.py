"""What others write, and other sites, in a real browser: nothing of theirs runs, and nothing is done for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser

from tests.browser.chromium import Watched, looking
from tests.browser.table import PAGES
from tests.browser.world import CONFIGURATION, MORNING, World, fill, world

pytestmark = [pytest.mark.real("chromium"), pytest.mark.asyncio(loop_scope="session")]

# Each would call `owned` if a page took it for more than text. In text, attributes, scripts, styles, addresses.
PAYLOADS: Final = (
    "<script>owned(1)</script>",
    "</title></textarea></style></script><script>owned(2)</script>",
    '"><img src=x onerror=owned(3)>',
    "' autofocus onfocus=owned(4) x='",
    '" autofocus onfocus=owned(5) x="',
    "<svg/onload=owned(6)>",
    "<details open ontoggle=owned(7)>",
    "<iframe srcdoc='<script>parent.owned(8)</script>'>",
    "javascript:owned(9)",
    "<a href=javascript:owned(10) autofocus>x</a>",
    "{{constructor.constructor('owned(11)')()}}",
    "${owned(12)} `owned(12)`",
    "<style>*{background:url(javascript:owned(13))}</style>",
    "<meta http-equiv=refresh content='0;url=javascript:owned(14)'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=owned(15)&gt;'>",
    "\u202egnp.exe<b>\u2066x\x00\x1b[31m",
    "<base href=//evil.example.org/><form action=//evil.example.org/><button>x",
    "<object data=javascript:owned(17)><embed src=javascript:owned(17)>",
)
TEXT: Final = " ".join(PAYLOADS)
NAME: Final = "<img src=x onerror=owned(20)>"
OWNED: Final = "window.calls = []; window.owned = (number) => window.calls.push(number);"

OPENED: Final = """() => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  return {calls, broken, planted: document.querySelectorAll('base, iframe, object, embed').length};
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hostile(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A house full of what others wrote; its people and services have such names, too."""
    text = CONFIGURATION.replace("Chloé Martin", NAME).replace("Visioconférence", f"'{NAME}'")
    async with world(tmp_path_factory.mktemp("hostile"), MORNING, text) as one:
        yield one


async def test_nothing_that_others_wrote_runs_on_any_page(hostile, browser):
    """Threat T17."""
    names = await fill(hostile)
    for payload in PAYLOADS[:-1]:
        number = await hostile.open(payload[:190], detail=TEXT, level=3, service="mail", dedup=payload[:60])
    await hostile.ask(f"incidents/{number}/note", text=TEXT)
    await hostile.ask(f"incidents/{names['number']}/crisis/message", text=TEXT, by="farid")
    await hostile.ask("silences", matchers=[f"probe={PAYLOADS[2]}"], for_s=3600, comment=TEXT)
    await hostile.ask("requests", title=PAYLOADS[0], category="new_account", description=TEXT, service="campus")
    await hostile.ask("problems/1/note", text=TEXT)
    await hostile.ask("fixes", service="mail", title=PAYLOADS[2], component=PAYLOADS[0])
    async with looking(browser, hostile.url, cookie=await hostile.session()) as one:
        await one.page.context.add_init_script(OWNED)
        paths = [path.format(**names) for paths in PAGES.values() for path in paths]
        for path in [*paths, f"/incidents/{number}"]:
            await one.go(path)
            assert await one.page.evaluate(OPENED) == {"calls": [], "broken": [], "planted": 0}, path
        assert one.wrong == []


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere(house: World, browser: Browser) -> AsyncIterator[tuple[World, Watched]]:
    """A page of another site, in the browser of somebody who has signed in to ours."""

    async def page(request: web.Request) -> web.Response:
        number = request.query["number"]
        text = f"""<!doctype html><title>evil</title>
          <form method=post action="{house.url}/incidents/{number}/acknowledge"><input name=by value=amina></form>
          <iframe id=ours src="{house.url}/"></iframe>"""
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]
    try:
        async with looking(browser, f"http://localhost:{port}", cookie=await house.session()) as one:
            yield house, one
    finally:
        await runner.cleanup()


async def test_a_page_of_another_site_can_neither_do_nor_read_anything(elsewhere):
    """Threat T24: the form is refused, and so is a script's request; the session is signed in all along."""
    house, one = elsewhere
    number = await house.open("Rien ne va plus", level=3)
    await one.go(f"/?number={number}")
    tried = await one.page.evaluate(
        """async (url) => {
          const tell = (promise) => promise.then((answer) => answer.type, (error) => error.name);
          const body = new URLSearchParams({by: 'amina'});
          const form = {method: 'POST', body, mode: 'no-cors', credentials: 'include'};
          return [await tell(fetch(`${url}/incidents/INC-1/acknowledge`, form)),
                  await tell(fetch(`${url}/api/v1/incidents`, {credentials: 'include'}))];
        }""",
        house.url,
    )
    assert tried[1] == "TypeError", "nothing of ours can be read"
    async with one.page.expect_navigation() as going:
        await one.page.evaluate("document.forms[0].submit()")
    answer = await going.value
    assert answer is not None
    assert answer.status in {401, 403}
    for state in (await house.get(f"incidents/{number}"), await house.get("incidents/INC-1")):
        assert state["state"] == "open"


async def test_a_page_of_another_site_cannot_frame_ours(elsewhere):
    """Threat T25."""
    house, one = elsewhere
    number = await house.open("Cadre", level=3)
    await one.go(f"/?number={number}")
    frame = next(frame for frame in one.page.frames if frame != one.page.main_frame)
    assert "Sentinel" not in await frame.content()
    assert any("frame-ancestors" in line or "X-Frame-Options" in line for line in one.wrong)
