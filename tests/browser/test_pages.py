"""Every page in a real browser: French and English, light and dark, wide and narrow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from sentinel.web.app import routes
from tests.browser.chromium import NARROW, WIDE, Watched, looking
from tests.browser.table import FOR_A_REASON, NO_PAGE, NO_PAGES, NOT_FOUND, PAGES
from tests.browser.world import World, fill

pytestmark = pytest.mark.real("chromium")

# Each language, theme and width once; each page is asked for its colours in the other theme, too. All pages anew in
# all combinations took as long as all other tests of the pages together.
LOOKS = (("fr", "light", WIDE), ("en", "dark", NARROW))


@dataclass
class Shown:
    """Browsers that look at the same house, and what the paths of its pages need."""

    names: dict[str, str]
    browsers: dict[str, Watched]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shown(browser: Browser, house: World) -> AsyncIterator[Shown]:
    names = await fill(house)
    async with AsyncExitStack() as stack:
        cookie = await house.session()
        browsers = {
            f"{language} {theme} {width}": await stack.enter_async_context(
                looking(browser, house.url, language=language, theme=theme, width=width, cookie=cookie)
            )
            for language, theme, width in LOOKS
        }
        for one in browsers.values():
            await one.weigh()
        yield Shown(names, browsers)


def test_every_route_that_is_looked_at_has_a_line_in_the_table():
    served = {
        route.path for route in routes("/metrics") if route.method == "GET" and not route.path.startswith("/api/")
    }
    pages = {path for path in served - NO_PAGE if not path.startswith(NO_PAGES)}
    assert pages == set(PAGES)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("path", [path for paths in PAGES.values() for path in paths])
async def test_a_page_has_no_fault_in_any_language_or_looks(shown, path):
    there = path.format(**shown.names)

    async def look(name: str, one: Watched) -> list[str]:
        status = await one.go(there)
        wanted = 404 if path in NOT_FOUND else 200
        found = [] if status == wanted else [f"status {status}"]
        return [f"{name}: {fault}" for fault in found + await one.faults(but=FOR_A_REASON.get(path, ""))]

    faults = await asyncio.gather(*(look(name, one) for name, one in shown.browsers.items()))
    assert [fault for some in faults for fault in some] == []


@pytest.mark.asyncio(loop_scope="session")
async def test_a_page_that_cannot_be_read_in_its_other_looks_is_found(shown):
    one = shown.browsers["fr light 1280"]
    await one.go("/people")
    await one.page.evaluate("""() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync('@media (prefers-color-scheme: dark) { h2 { color: #555 } }');
      document.adoptedStyleSheets = [sheet];
    }""")
    (fault,) = await one.faults()
    assert fault.startswith("axe color-contrast ")
    assert fault.endswith("(in dark)")
