"""The process that holds the browser: it is told runs by lines of JSON, and answers each by a line.

A process of its own, so that whatever pages do to a browser happens to nobody else, and all of it can be killed. It
ends, and the browser with it, when its standard input does: also when the daemon was killed.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import os
import re
import sys
import time
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright

from sentinel.probes import descendants

LINE_MAX_BYTES: Final = 1 << 20
SCREENSHOT_LIMIT_MS: Final = 1000
CLOSE_LIMIT_S: Final = 3.0
MARGIN_S: Final = 0.1
SAID_MAX_CHARS: Final = 10_000  # The daemon hides secrets in it before it cuts it for people.
# Chromium heeds the last list only: Playwright's, and what tells its maker about the forms it meets.
WITHOUT: Final = (
    "AutofillServerCommunication", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying",
    "OptimizationHints", "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning", "Translate",
)  # fmt: skip
# Nothing that a page could use to speak past the proxy, or that speaks by itself.
ARGUMENTS: Final = (
    "--disable-background-networking", "--disable-breakpad", "--disable-component-update", "--disable-gpu",
    "--disable-quic", "--disable-sync", "--no-first-run", "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--js-flags=--max-old-space-size=256", f"--disable-features={','.join(WITHOUT)}",
)  # fmt: skip


class Unmet(Exception):  # noqa: N818  what a page lacks is no error of ours
    """The page is not as expected."""


async def play(page: Page, step: dict[str, Any]) -> None:
    """Take one step.

    Raises:
        Unmet: what is expected does not come.
        Error: the browser cannot do it.
    """
    if url := step.get("goto"):
        answer = await page.goto(url, wait_until="load")
        if answer is not None and answer.status >= 400:
            raise Unmet(f"status {answer.status} at {answer.url}")
    for selector, value in (step.get("fill") or {}).items():
        await page.fill(selector, value)
    if selector := step.get("click"):
        await page.click(selector)
    if key := step.get("press"):
        await page.keyboard.press(key)
    await expect(page, step.get("expect") or {})


async def expect(page: Page, wanted: dict[str, str]) -> None:
    """Wait until the page is as expected."""
    try:
        if pattern := wanted.get("url"):
            await page.wait_for_url(re.compile(pattern))
        if selector := wanted.get("selector"):
            await page.wait_for_selector(selector)
        if text := wanted.get("text"):
            await page.get_by_text(text).first.wait_for()
    except Error as error:
        if "Timeout" in str(error):
            shown = ", ".join(f"{name} {value!r}" for name, value in wanted.items())
            raise Unmet(f"{shown} does not come; the page is “{await page.title()}” at {page.url}") from error
        raise


async def script(page: Page, path: str, values: dict[str, str]) -> None:
    """Run somebody's script: its ``async def run(page, values)``."""
    found = importlib.util.spec_from_file_location("probe_script", path)
    assert found is not None, "the path of a script ends in .py"
    assert found.loader is not None, "a file of Python has a loader"
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    await module.run(page, values)


class Worker:
    """One browser, started with the first run."""

    def __init__(self, executable: str, playwright: Any) -> None:
        self._executable = executable
        self._playwright = playwright
        self._browser: Browser | None = None
        self._starting = asyncio.Lock()

    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one run, in a context of its own: no cookie or cache outlives it."""
        answer: dict[str, Any] = {"id": order["id"], "ok": False, "step": "start", "steps": []}
        order["ends_at_s"] = time.monotonic() + order["limit_s"]
        try:
            async with asyncio.timeout(order["limit_s"]):
                context = await (await self._started()).new_context(
                    proxy=order["proxy"], ignore_https_errors=order["insecure"], accept_downloads=False,
                    service_workers="block", viewport={"width": 1280, "height": 800},
                )  # fmt: skip
        except (Error, TimeoutError) as error:
            return answer | {"reason": "browser", "detail": f"the browser does not start: {first_line(error)}"}
        try:
            return await self._in_context(context, order, answer)
        finally:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await context.close()

    async def _in_context(
        self, context: BrowserContext, order: dict[str, Any], answer: dict[str, Any]
    ) -> dict[str, Any]:
        page = await context.new_page()
        try:
            async with asyncio.timeout(order["ends_at_s"] - time.monotonic()):
                await self._walk(page, order, answer)
        except Unmet as unmet:
            answer |= {"reason": "expect", "detail": str(unmet)}
        except TimeoutError:
            detail = f"no end within {order['limit_s']:.1f} s; the page is at {page.url}"
            answer |= {"reason": "timeout", "detail": detail}
        except Error as error:
            late = "Timeout" in first_line(error)
            answer |= {"reason": "timeout" if late else "browser", "detail": first_line(error)}
        except Exception as error:  # A script is somebody else's, and may raise anything.
            if not order["script"]:
                raise
            answer |= {"reason": "script", "detail": f"{type(error).__name__}: {first_line(error)}"}
        else:
            return answer | {"ok": True}
        return answer | {"screenshot": await _screenshot(page) if order["picture"] else ""}

    async def _walk(self, page: Page, order: dict[str, Any], answer: dict[str, Any]) -> None:
        for step in order["steps"]:
            answer["step"] = step["name"]
            began = time.perf_counter()
            # Playwright's limit comes first: its sentence says what was waited for.
            left_s = max(MARGIN_S, order["ends_at_s"] - time.monotonic() - MARGIN_S)
            page.set_default_timeout(min(left_s, step["within_s"] or left_s) * 1000)
            try:
                await play(page, step)
            finally:
                answer["steps"].append([step["name"], time.perf_counter() - began])
        if order["script"]:
            answer["step"] = "script"
            await script(page, order["script"], order["values"])

    async def _started(self) -> Browser:
        async with self._starting:
            if self._browser is None or not self._browser.is_connected():
                sandbox = os.geteuid() != 0  # Chromium refuses to start as root with one.
                self._browser = await self._playwright.chromium.launch(
                    executable_path=self._executable, args=[*ARGUMENTS], chromium_sandbox=sandbox
                )
            return self._browser


async def _screenshot(page: Page) -> str:
    try:
        return base64.b64encode(await page.screenshot(timeout=SCREENSHOT_LIMIT_MS)).decode("ascii")
    except Error:
        return ""


def first_line(error: BaseException) -> str:
    """Return what an error of Playwright says first; a log of calls follows it, with what was typed."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:SAID_MAX_CHARS]


async def main(executable: str) -> None:
    """Carry out what is told on standard input until it ends."""
    reader = asyncio.StreamReader(limit=LINE_MAX_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    runs: dict[int, asyncio.Task[None]] = {}

    async def one(order: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"id": order["id"], "ok": False, "step": "", "steps": [], "reason": "browser"}
        try:
            answer = await worker.run(order)
        except (Error, OSError, TimeoutError) as error:
            answer["detail"] = first_line(error)
        except asyncio.CancelledError:
            answer["detail"] = "cancelled"
        finally:
            runs.pop(order["id"], None)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    async with async_playwright() as playwright:
        worker = Worker(executable, playwright)
        while line := await reader.readline():
            order = json.loads(line)
            if "cancel" in order:
                if task := runs.get(order["cancel"]):
                    task.cancel()
            else:
                runs[order["id"]] = asyncio.create_task(one(order))
        # Nobody is there any more: what the browser is in the middle of does not matter.
        for process in descendants.of(os.getpid()):
            descendants.kill(process)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
