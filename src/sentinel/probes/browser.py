"""The browser probe: what a user does in a real browser, and a picture of the page when it goes wrong."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import stat
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Duration, Flag, Regex, Secret, Url, quoted, wrong
from sentinel.probes import browser_pool
from sentinel.probes.base import Failed, Options, ProbeKind, Sight
from sentinel.probes.browser_pool import Pool
from sentinel.probes.browser_proxy import USER, Proxy
from sentinel.probes.extras import require
from sentinel.probes.hiding import hide, in_addresses
from sentinel.probes.http_message import Link
from sentinel.probes.said import clean

STEPS_MAX: Final = 50
FIELDS_MAX: Final = 50
TEXT_MAX_CHARS: Final = 1000
SAID_MAX_CHARS: Final = 300
CHROMIUM: Final = Path("/usr/bin/chromium")
# What is kept of the time limit for the picture and for saying what happened, and at least left for the pages.
TELL_S: Final = 1.5
PAGES_MIN_S: Final = 1.0
DOES: Final = ("goto", "fill", "click", "press", "expect")

Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX_CHARS)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expect(_Part):
    """What the page must come to: a text that is seen, an element, an address; all that are given."""

    text: Text | None = None
    selector: Text | None = None
    url: Regex | None = None


class Step(_Part):
    """What is done, in this order; fields are found by CSS selectors, or as Playwright writes them: ``text=Sign in``.

    ``within`` is how long each part of the step may take, within the time limit of the whole.
    """

    name: Annotated[str, Field(max_length=64)] = ""
    goto: Url | None = None
    fill: Annotated[dict[Text, Secret], Field(max_length=FIELDS_MAX)] = Field({})
    click: Text | None = None
    press: Text | None = None
    expect: Expect | None = None
    within: Duration | None = None

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not any(getattr(self, name) for name in DOES):
            raise wrong("the step does nothing", f"write one of {', '.join(f'`{name}`' for name in DOES)}")
        return self

    def told(self, number: int) -> dict[str, Any]:
        """Return the step as the worker is told."""
        expect = self.expect or Expect()
        wanted = {"text": expect.text, "selector": expect.selector, "url": expect.url and expect.url.pattern}
        return {
            "name": self.name or str(number),
            "within_s": self.within.total_seconds() if self.within else None,
            "goto": self.goto,
            "fill": {selector: value.reveal() for selector, value in self.fill.items()},
            "click": self.click,
            "press": self.press,
            "expect": {name: value for name, value in wanted.items() if value},
        }


class BrowserOptions(Options):
    """The options of the browser probe: ``steps``, or a ``script`` with ``async def run(page, values)``."""

    steps: Annotated[tuple[Step, ...], Field(max_length=STEPS_MAX)] = ()
    script: Path | None = None
    values: Annotated[dict[str, Secret], Field(max_length=FIELDS_MAX)] = Field({})
    chromium: Path = CHROMIUM
    verify: Flag = True
    screenshot: Flag = True

    @model_validator(mode="after")
    def _can_be_played(self) -> Self:
        require("playwright", "browser", "`type: browser`")
        if bool(self.steps) == (self.script is not None):
            raise wrong("either `steps` or a `script` says what to do", "write `steps: [{goto: https://…}]`")
        if self.steps and self.steps[0].goto is None:
            raise wrong("the first step goes nowhere", "write `goto: https://…`")
        if self.script is not None and not (self.script.is_absolute() and self.script.suffix == ".py"):
            raise wrong(f"`script` {quoted(str(self.script))} is no absolute path that ends in .py")
        if self.values and self.script is None:
            raise wrong("`values` are for a `script`")
        names = [step["name"] for step in self.told]
        if twice := [name for name in names if names.count(name) > 1]:
            raise wrong(f"two steps are named {quoted(twice[0])}")
        return self

    @cached_property
    def told(self) -> list[dict[str, Any]]:
        """The steps as the worker is told."""
        return [step.told(number) for number, step in enumerate(self.steps, 1)]

    @property
    def secrets(self) -> set[str]:
        """What is typed, and what a script is told."""
        typed = (value for step in self.steps for value in step.fill.values())
        return {value.reveal() for value in (*typed, *self.values.values())}

    def targets(self) -> tuple[str, ...]:
        """Name the server that the first step goes to, or the script."""
        first = self.steps[0].goto if self.steps else None
        return (Link.parse(first).authority if first else self.script.name if self.script else "",)


async def run(options: BrowserOptions, sight: Sight) -> None:
    """Play the steps, or the script, in a fresh context of the browser; a failure keeps a picture of the page.

    Raises:
        Failed: one of ``REASONS``; ``expect`` the page does not come to what is expected, ``script`` the script says
            so, ``browser`` the browser cannot do it, or is not there.
    """
    for step in options.told:
        sight.gauge("probe_step_success", 0, step=step["name"])
    _check(options)
    # A script may do anything to its process: it gets one of its own, and nobody else suffers.
    pool = Pool(str(options.chromium)) if options.script else browser_pool.shared(str(options.chromium))
    try:
        async with Proxy(sight) as proxy:
            with sight.phase("browser"):
                answer = await pool.run(_order(options, sight, proxy))
            failure = _unreached(answer, proxy)
    finally:
        if options.script:
            await pool.close()
    for name, seconds in answer["steps"]:
        sight.gauge("probe_step_duration_seconds", seconds, step=name)
        sight.gauge("probe_step_success", int(answer["ok"] or name != answer["step"]), step=name)
    if not answer["ok"]:
        await _fail(options, sight, answer, failure)


def _unreached(answer: dict[str, Any], proxy: Proxy) -> Failed | None:
    """Return why the page itself was not reached, if that is what the browser says."""
    found = re.search(r"net::\w+ at (https?://\S+)", str(answer.get("detail", "")))
    if found is None:
        return None
    with contextlib.suppress(ValueError):
        return proxy.failures.get(Link.parse(found[1]).authority)
    return None


def _order(options: BrowserOptions, sight: Sight, proxy: Proxy) -> dict[str, Any]:
    return {
        "proxy": {"server": proxy.address, "username": USER, "password": proxy.password},
        "insecure": not options.verify,
        "picture": options.screenshot and sight.keep is not None,
        "limit_s": max(PAGES_MIN_S, sight.left_s() - TELL_S),
        "steps": options.told,
        "script": str(options.script) if options.script else "",
        "values": {name: value.reveal() for name, value in options.values.items()},
    }


def _check(options: BrowserOptions) -> None:
    """Look before the leap, as exec does: no browser, no script, or one that anybody may write (threat T31)."""
    if not os.access(options.chromium, os.X_OK):
        raise Failed("browser", f"there is no browser at {options.chromium}; install Debian's `chromium`")
    if options.script is None:
        return
    try:
        mode = options.script.stat().st_mode
    except OSError as error:
        raise Failed("script", f"{options.script}: {error.strerror}") from error
    if mode & stat.S_IWOTH:
        raise Failed("script", f"{options.script} may be written by anybody, so it is not run; `chmod o-w` it")


async def _fail(options: BrowserOptions, sight: Sight, answer: dict[str, Any], failure: Failed | None) -> None:
    """Keep the picture, and say which step failed and why: what a page could not reach explains most."""
    # A page may show what was typed, and so does its address after a form that is sent by GET.
    reason, detail = answer.get("reason", "browser"), hide(str(answer.get("detail", "")), in_addresses(options.secrets))
    if failure is not None:
        reason, detail = failure.reason, failure.detail
    picture = answer.get("screenshot", "")
    if picture and sight.keep is not None:
        name = await asyncio.to_thread(sight.keep, base64.b64decode(picture))
        if name:
            sight.fact(f"the picture is {name}")
    said = clean(detail, SAID_MAX_CHARS)
    raise Failed(reason if reason in REASONS else "browser", f"step {answer['step']!r}: {said}")


REASONS = frozenset({"browser", "connect", "denied", "dns", "expect", "script", "size", "timeout"})

KIND = ProbeKind("browser", BrowserOptions, run, REASONS, functional=True, at_home=True, close=browser_pool.close)
