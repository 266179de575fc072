"""Debian's Chromium, by Playwright: one for all tests of a process, and pages that note everything that goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

from tests.real.components import where

ARGUMENTS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic", "--disable-dev-shm-usage",
)  # fmt: skip
WIDE: Final = 1280
NARROW: Final = 390
WITHIN_MS: Final = 10_000
CLOSES_WITHIN_S: Final = 20.0
AXE: Final = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
# Nothing is asked of a page but what the guidelines ask on the levels A and AA, and what axe thinks good practice.
AXE_RUN: Final = "axe.run(document, {resultTypes: ['violations'], elementRef: false})"
# What depends on nothing but colours: the same page in the other looks is asked only that.
AXE_COLOURS: Final = AXE_RUN.replace("{", "{runOnly: ['color-contrast', 'link-in-text-block'], ", 1)
OTHER_LOOKS: Final[dict[str, Literal["light", "dark"]]] = {"light": "dark", "dark": "light"}
# No page costs more to fetch the first time, with its looks and its script.
TRANSFERRED_MAX_BYTES: Final = 150 * 1024
# Two frames later whatever the page's script does at its beginning is drawn.
MOVED: Final = """() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(window.moved)))))"""
# A policy that is broken says so in the page, too, and so does what moves after it was drawn: before any script of
# ours runs both are listened to.
LISTEN: Final = """
window.broken = [];
window.moved = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) =>
  window.moved.push(`${entry.value.toFixed(5)}: `
    + entry.sources.map((one) => (one.node?.outerHTML ?? String(one.node)).slice(0, 120)).join(' | ')))
).observe({type: 'layout-shift', buffered: true});
document.addEventListener('securitypolicyviolation', (event) =>
  window.broken.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@dataclass
class Watched:
    """A page of a browser, and what went wrong on it."""

    page: Page
    home: str
    wrong: list[str] = field(default_factory=list)
    asked: str = ""
    weighed: bool = False
    came_bytes: int = 0

    def watch(self) -> None:
        """Note what the page complains of, and what it asks of others."""
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"script error: {error}"))
        self.page.on("request", self._asked)

    async def weigh(self) -> None:
        """Count from now on what comes over the wire for a page, with nothing kept from before."""
        line = await self.page.context.new_cdp_session(self.page)
        line.on("Network.loadingFinished", self._came)
        await line.send("Network.enable")
        await line.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self.weighed = True

    def _came(self, finished: dict[str, Any]) -> None:
        self.came_bytes += int(finished["encodedDataLength"])

    def _said(self, message: ConsoleMessage) -> None:
        # That the page itself was answered with an error is the status, which whoever goes there looks at.
        of_page = message.text.startswith("Failed to load resource") and message.location["url"] in {
            self.asked,
            self.page.url,
        }
        if message.type in {"error", "warning"} and not of_page:
            self.wrong.append(f"console: {message.text} {message.location['url']}")

    def _asked(self, request: Request) -> None:
        there = urlsplit(request.url)
        if there.scheme not in {"data", "about", "blob"} and f"{there.scheme}://{there.netloc}" != self.home:
            self.wrong.append(f"asks another origin: {request.url}")

    async def go(self, path: str) -> int:
        """Go to a path; return the status."""
        self.asked, self.came_bytes = f"{self.home}{path}", 0
        answer = await self.page.goto(self.asked)
        assert answer is not None, path
        return answer.status

    async def faults(self, *, but: str = "") -> list[str]:
        """Return what is wrong with the page as it is, from what it said to accessibility, and forget what it said.

        ``but`` is a rule of axe's that the page breaks for a reason.
        """
        found, self.wrong = self.wrong, []
        found += [f"policy: {one}" for one in await self.page.evaluate("window.broken")]
        if self.weighed and not 0 < self.came_bytes <= TRANSFERRED_MAX_BYTES:
            found.append(f"{self.came_bytes} bytes came over the wire")
        moved: list[str] = await self.page.evaluate(MOVED)
        found += await too_wide(self.page)
        found += [one for one in await self._unfit() if not (but and one.startswith(f"axe {but} "))]
        if moved:
            found += await self._moved_again()
        return found

    async def _unfit(self) -> list[str]:
        """Return what axe-core finds as the page is, and what it finds of its colours in the other looks."""
        found = await axe(self.page)
        looks: str = await self.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        other = OTHER_LOOKS[looks]
        await self.page.emulate_media(color_scheme=other)
        try:
            return found + [f"{one} (in {other})" for one in await axe(self.page, AXE_COLOURS)]
        finally:
            await self.page.emulate_media(color_scheme=OTHER_LOOKS[other])

    async def _moved_again(self) -> list[str]:
        """Return what moves after it was drawn in a second look, too: in the first alone it was the machine's haste."""
        await self.page.goto(self.page.url)
        return [f"moves: {one}" for one in await self.page.evaluate(MOVED)]


async def too_wide(page: Page) -> list[str]:
    """Say by how much one would have to scroll sideways, and because of what."""
    script = """() => {
      const room = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth <= room) return [];
      const all = [...document.querySelectorAll('body *')];
      const wide = all.filter((one) => one.getBoundingClientRect().right > room + 1);
      const last = wide.filter((one) => ![...one.children].some((child) => wide.includes(child)));
      return [`wider than ${room} px: ${document.documentElement.scrollWidth} px, `
        + last.slice(0, 3).map((one) => one.outerHTML.slice(0, 120)).join(' | ')];
    }"""
    found: list[str] = await page.evaluate(script)
    return found


async def axe(page: Page, run: str = AXE_RUN) -> list[str]:
    """Return what axe-core finds: a rule, and the first elements that break it."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE)  # The page's policy binds its own scripts, not those of the one who tests it.
    violations: list[dict[str, Any]] = (await page.evaluate(run))["violations"]
    return [
        f"axe {one['id']} ({one['impact']}): {one['help']}: {' | '.join(map(_told, one['nodes'][:3]))}"
        for one in violations
    ]


def _told(node: dict[str, Any]) -> str:
    return f"{node['html'][:160]} [{'; '.join(check['message'] for check in node['any'][:1])}]"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the browser."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=str(where("chromium")), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def looking(browser: Browser, home: str, **options: Any) -> AsyncIterator[Watched]:
    """Open a page in a browser profile of its own. ``language``, ``theme``, ``width`` and ``cookie`` say whose."""
    context = await profile(browser, **options)
    try:
        one = Watched(await context.new_page(), home)
        one.watch()
        yield one
    finally:
        # Chromium may never close a profile whose page is on its way to another; the browser is killed at the end.
        await asyncio.wait([asyncio.ensure_future(context.close())], timeout=CLOSES_WITHIN_S)


async def profile(browser: Browser, **options: Any) -> BrowserContext:
    """Return a profile: nothing is remembered from any other."""
    language, width = options.pop("language", "fr"), options.pop("width", WIDE)
    cookie = options.pop("cookie", None)
    context = await browser.new_context(
        locale=f"{language}-{'GB' if language == 'en' else 'FR'}",
        color_scheme=options.pop("theme", "light"),
        viewport={"width": width, "height": 844 if width == NARROW else 900},
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(WITHIN_MS)
    await context.add_init_script(LISTEN)
    if cookie is not None:
        await context.add_cookies([cookie])
    return context
