"""``sentinel top``: a screen over a real daemon, driven by its keys."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from sentinel.cli import top as command
from sentinel.cli.asked import Asked, Ended, Exit
from sentinel.cli.client import Daemon, Stream
from sentinel.cli.top.asking import Asking
from sentinel.cli.top.following import Following
from sentinel.cli.top.screen import Detail, Top
from sentinel.core import commands as c
from sentinel.web.app import build, serve
from tests import waiting
from tests.cli.conftest import run
from tests.engine.whole import HEARTBEAT, whole
from tests.web.alive import WORLD, Alive, alive

# The town with a contract, and with a cause that whoever resolves must say.
SLA = "sla:\n  gold: {calendar: always, ack: 15m, resolve: 4h}\n"
GOLD = WORLD.replace("DNUM,", "DNUM, sla: gold,") + HEARTBEAT + SLA
STEP = "    - {at: 0m, to: [amina], by: [sms, email]}\n"
LADDER = (STEP + STEP.replace("0m", "10m")).replace("]}", "], min_level: 2}")
CAUSE = WORLD.replace(STEP, LADDER) + HEARTBEAT + "tickets: {required_on_close: [cause]}\n"


@asynccontextmanager
async def shown(url: str, by: str = "amina", size: tuple[int, int] = (140, 40)) -> AsyncIterator[Pilot[None]]:
    """Run the screen over a daemon's port, from when it follows what happens."""
    daemon = Daemon(Asked(url=url))
    name = await asyncio.to_thread(command.name_of, daemon, by)
    top = Top(daemon, Following(daemon), by, name)
    async with top.run_test(size=size) as pilot:
        await until(pilot, lambda: "live" in text(pilot, "summary"))
        yield pilot


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    async def holds() -> bool:
        await pilot.pause()
        try:
            return true()
        except NoMatches:  # The screen is not built yet.
            return False

    await waiting.until(holds, waiting.quoted(true))


def text(pilot: Pilot[None], part: str) -> str:
    return str(pilot.app.screen.query_one(f"#{part}", Static).content)


def listed(pilot: Pilot[None]) -> list[str]:
    """The incidents as they stand in the list."""
    options = pilot.app.screen_stack[0].query_one("#incidents", OptionList).options
    return [str(option.prompt) for option in options]


async def write(pilot: Pilot[None], key: str, text_: str) -> None:
    """Press a key that asks for a text, and answer."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(pilot.app.screen, Asking))
    pilot.app.screen.query_one("#text", Input).value = text_
    await pilot.press("enter")


async def said(one: Alive, number: str) -> str:
    """The timeline of an incident, as it is recorded."""
    read = one.one.doors.context().read
    lines_ = await read(one.one.doors.context().store.timeline, number)
    return msgspec.json.encode([line.event for line in lines_]).decode()


async def test_it_says_what_is_broken_who_has_it_who_is_on_call_and_what_comes(tmp_path):
    async with alive(tmp_path, GOLD) as one:
        await one.open("campus", "login fails")
        async with shown(one.url) as pilot:
            (incident,) = listed(pilot)
            for part in ("✗ P2", "login fails", "INC-1", "✗ open", "nobody has it", "campus", "acknowledgement 1"):
                assert part in incident
            assert "✗ 1 P2" in text(pilot, "summary")
            assert "Amina Benali" in text(pilot, "on-call")
            assert "INC-1 due: acknowledgement" in text(pilot, "coming")
            assert "Campus" in text(pilot, "services")
            before = incident
            await until(pilot, lambda: listed(pilot)[0] != before)
            assert "acknowledgement 1" in listed(pilot)[0], "the clock counts by itself"


async def test_what_happens_elsewhere_appears_by_itself_and_whoever_chose_an_incident_keeps_it(tmp_path):
    async with alive(tmp_path) as one:
        await one.open("campus", "first")
        await one.open("campus", "second")
        async with shown(one.url) as pilot:
            await pilot.press("j")
            await one.open("campus", "third")
            await until(pilot, lambda: len(listed(pilot)) == 3)
            highlighted = pilot.app.query_one("#incidents", OptionList).highlighted_option
            assert highlighted is not None
            assert highlighted.id == "INC-2"


async def test_a_second_that_passes_while_the_screen_goes_breaks_nothing(tmp_path):
    async with alive(tmp_path) as one:
        async with shown(one.url) as pilot:
            top = pilot.app
            assert isinstance(top, Top)
        top._count()
        top._draw(top._following.seen)


async def test_an_incident_is_taken_noted_escalated_and_resolved_by_keys(tmp_path):
    async with alive(tmp_path, CAUSE) as one:
        await one.open("campus", "login fails")
        async with shown(one.url) as pilot:
            await pilot.press("a")
            await until(pilot, lambda: isinstance(pilot.app.screen, Asking))
            await pilot.press("escape")
            assert "nobody has it" in listed(pilot)[0], "who does not confirm does nothing"
            await write(pilot, "e", "I cannot do this")
            await until(pilot, lambda: not isinstance(pilot.app.screen, Asking))
            await pilot.press("a", "y")
            await until(pilot, lambda: "taken by Amina Benali" in listed(pilot)[0])
            await write(pilot, "n", "looking at the disk")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Detail))
            await until(pilot, lambda: "amina: looking at the disk" in text(pilot, "facts"))
            await write(pilot, "r", "disk emptied")
            await until(pilot, lambda: "cause is needed" in text(pilot, "wrong"))
            await pilot.press("tab", "right", "space", "shift+tab", "enter")
            await until(pilot, lambda: listed(pilot) == [])
        timeline = await said(one, "INC-1")
        for part in ("I cannot do this", "disk emptied", "intrinsic"):
            assert part in timeline


async def test_what_is_refused_is_said_and_changes_nothing(tmp_path):
    async with alive(tmp_path) as one:
        number = await one.open("campus", "login fails")
        async with shown(one.url) as pilot:
            await write(pilot, "n", "   ")
            await until(pilot, lambda: "A text is needed" in text(pilot, "wrong"))
            await pilot.press("escape")
            await pilot.press("r")
            await until(pilot, lambda: isinstance(pilot.app.screen, Asking))
            desk, now = one.one.daemon.desk, one.one.daemon.clock.now()
            await desk.order(number, c.Resolve(by="bruno", text="done", close_by=desk.close_by(now)))
            pilot.app.screen.query_one("#text", Input).value = "me too"
            await pilot.press("enter")
            await until(pilot, lambda: any("not possible" in one.message for one in pilot.app._notifications))


async def test_only_those_in_which_the_filter_stands_are_listed(tmp_path):
    async with alive(tmp_path) as one:
        await one.open("campus", "login fails")
        await one.open("campus", "mail is slow")
        async with shown(one.url) as pilot:
            await pilot.press("slash", *"MAIL", "enter")
            await until(pilot, lambda: len(listed(pilot)) == 1)
            assert "mail is slow" in listed(pilot)[0]
            assert "1 not shown" in text(pilot, "more")
            await pilot.press("escape")
            await until(pilot, lambda: len(listed(pilot)) == 2)


async def test_text_from_outside_is_text_and_moves_no_terminal(tmp_path):
    async with alive(tmp_path) as one:
        await one.open("campus", "[bold red]a[/] [@click=app.quit]b[/] [/nothing] \x1b[2J\x9b31m\u202e end")
        async with shown(one.url) as pilot:
            assert "[bold red]a[/] [@click=app.quit]b[/] [/nothing]" in listed(pilot)[0]
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(pilot.app.screen, Detail) and "Timeline" in text(pilot, "facts"))
            for seen in (*listed(pilot), text(pilot, "facts")):
                assert not {"\x1b", "\x9b", "\u202e"} & set(seen)
            await pilot.press("escape", "r")
            await until(pilot, lambda: isinstance(pilot.app.screen, Asking))


async def test_a_lost_connection_is_said_what_is_known_stays_and_it_comes_back(tmp_path):
    async with whole(tmp_path, WORLD + HEARTBEAT) as one:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        runner = await serve(build(one.doors.context()), listener, None)
        known = Alive(one, f"http://127.0.0.1:{port}")
        await known.open("campus", "login fails")
        async with shown(known.url, size=(80, 24)) as pilot:
            await runner.cleanup()
            await until(pilot, lambda: "connection lost" in text(pilot, "summary"))
            assert "does not answer" in text(pilot, "lost")
            assert "login fails" in listed(pilot)[0]
            again = socket.socket()
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            again.bind(("127.0.0.1", port))
            runner = await serve(build(one.doors.context()), again, None)
            await until(pilot, lambda: "asked every" in text(pilot, "summary") or "live" in text(pilot, "summary"))
            assert text(pilot, "lost") == ""
        await runner.cleanup()


async def test_what_answers_and_is_no_picture_is_said_and_breaks_nothing():
    class Odd:
        """A daemon of another version, whose stream breaks at once."""

        def get(self, *_path: str, **_query: object) -> object:
            return {"open": "[bold]many"}

        def follow(self) -> Stream:
            raise Ended("no such place", Exit.BAD)

    following = Following(Odd())
    top = Top(Daemon(Asked(url="http://127.0.0.1:1")), following, "amina", "amina")
    async with top.run_test() as pilot:
        await until(pilot, lambda: "not understood" in text(pilot, "lost"))
        await pilot.press("a", "enter", "question_mark")
        await pilot.press("x", "q")
    assert top.return_code == 0


async def test_for_programs_it_prints_once_what_it_would_show(tmp_path):
    async with alive(tmp_path) as one:
        await one.open("campus", "login fails")
        await waiting.until(lambda: one.one.daemon.live.ran_at is not None, "the first run of the probe")
        done = await asyncio.to_thread(run, "top", "--json", "--url", one.url)
        told = done.stdout  # The daemon of the test logs to the same place.
        now = json.loads(told[told.index("{") : told.rindex("}") + 1])
        assert now["targets"] == {"ok": 1}
        assert [(row["number"], row["taken_by"]) for row in now["open"]] == [("INC-1", None)]
        assert now["on_call"][0]["name"] == "Amina Benali"


async def test_whoever_may_not_look_is_told_so(tmp_path):
    async with alive(tmp_path) as one:
        token = (await one.token("customer", "DNUM"))["Authorization"].removeprefix("Bearer ")
        done = await asyncio.to_thread(run, "top", "--json", "--url", one.url, "--token", token)
        assert done.exit_code == Exit.BAD


def test_without_its_extra_it_names_what_to_install(monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda _name: None)
    done = run("top", "--url", "http://127.0.0.1:1")
    assert done.exit_code == Exit.USAGE
    assert "pip install 'sentinel-ops[top]'" in done.stderr


def test_without_a_terminal_it_says_how_to_print():
    done = run("top", "--url", "http://127.0.0.1:1")
    assert done.exit_code == Exit.USAGE
    assert "--json" in done.stderr
