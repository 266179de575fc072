"""Writes docs/screenshots from a house in which everything happens: `python -m tests.browser.screenshots [FOLDER]`."""

from __future__ import annotations

import asyncio
import email
import email.policy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from PIL import Image
from playwright.async_api import Page

from tests.browser.chromium import NARROW, WIDE, chromium, looking
from tests.browser.world import World, fill, world

FOLDER: Final = Path(__file__).parents[2] / "docs" / "screenshots"
SIZE_MAX_BYTES: Final = 120 * 1024
COLOURS: Final = 64
MAIL_WIDTH: Final = 640


@dataclass(frozen=True)
class Picture:
    """One picture: its name, the path of its page, and how it is looked at."""

    name: str
    path: str
    language: str = "en"
    theme: str = "light"
    width: int = WIDE
    signed_in: bool = True


PICTURES: Final = (
    Picture("now", "/"),
    Picture("now-dark", "/", "fr", "dark"),
    Picture("now-phone", "/", "fr", width=NARROW),
    Picture("now-phone-dark", "/", "en", "dark", NARROW),
    Picture("incident", "/incidents/{number}"),
    Picture("incident-dark", "/incidents/{number}", "fr", "dark"),
    Picture("crisis", "/incidents/{number}/crisis", "fr"),
    Picture("crisis-dark", "/incidents/{number}/crisis", "en", "dark"),
    Picture("service", "/services/{service}", "fr"),
    Picture("report", "/reports/sla?month=2026-11", "fr"),
    Picture("on-call", "/oncall"),
    Picture("phone", "/a/{code}", width=NARROW, signed_in=False),
    Picture("status-page", "/status/{page}", signed_in=False),
    Picture("status-page-dark", "/status/{page}", "fr", "dark", signed_in=False),
)


async def take(folder: Path) -> None:
    """Run the house, and take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        async with world(Path(name)) as house, chromium() as browser:
            names = await fill(house)
            await house.later(minutes=22)
            cookie = await house.session()
            for one in PICTURES:
                signed = {"cookie": cookie} if one.signed_in else {}
                how = {"language": one.language, "theme": one.theme, "width": one.width, **signed}
                async with looking(browser, house.url, **how) as there:
                    status = await there.go(one.path.format(**names))
                    assert status == 200, f"{one.name}: {status}"
                    await save(there.page, folder / f"{one.name}.png")
            for theme in ("light", "dark"):
                async with looking(browser, house.url, theme=theme, width=MAIL_WIDTH) as there:
                    await there.page.set_content(page_mail(house))
                    await save(there.page, folder / f"mail-{theme}.png")


async def save(page: Page, file: Path) -> None:
    """Write what a page looks like, small enough to be kept with the sources."""
    await page.screenshot(path=file)
    shrink(file)
    size = file.stat().st_size
    assert size <= SIZE_MAX_BYTES, f"{file.name}: {size} bytes"


def page_mail(house: World) -> str:
    """Return the HTML of the first mail that asks somebody to take an incident."""
    for file in sorted(house.house.one.mailed(), key=lambda file: file.stat().st_mtime):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        found = mail.get_body(("html",))
        text = found.get_content() if found is not None else ""
        if "/a/" in text:
            return str(text)
    raise AssertionError("nobody was asked by mail")


def shrink(file: Path) -> None:
    """Write a picture with as few colours as do: a page has few."""
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    asyncio.run(take(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))


if __name__ == "__main__":
    main()
