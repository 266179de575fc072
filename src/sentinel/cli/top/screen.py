"""The screen of ``sentinel top``: what is open and the rest of now, the facts of one incident, and its keys."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, ClassVar, Final

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from sentinel.cli.asked import Ended
from sentinel.cli.client import Daemon
from sentinel.cli.output import local, safe
from sentinel.cli.top import lines
from sentinel.cli.top.asking import Answer, Asking, Confirming, Helping, Resolving, Writing
from sentinel.cli.top.following import POLL_S, Following, Seen
from sentinel.web.now_view import NowView, OpenView

SECOND_S: Final = 1.0
WIDE_COLUMNS: Final = 110
FILTER_MAX_CHARS: Final = 100


class Detail(Screen[None]):
    """One incident with its timeline."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,backspace,left,h", "back", "Back", key_display="esc"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, number: str) -> None:
        super().__init__()
        self.number = number

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(Text(), id="lost")
        with VerticalScroll(id="incident"):
            yield Static(Text("Asking …"), id="facts")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Let the arrows move the text."""
        self.query_one("#incident").focus()

    def show(self, text: Text) -> None:
        """Show what is known."""
        self.query_one("#facts", Static).update(text)

    def action_scroll(self, by: int) -> None:
        """Move the text by a line."""
        self.query_one("#incident").scroll_relative(y=by, animate=False)

    def action_back(self) -> None:
        """Go back to all of them."""
        self.dismiss()


class Top(App[None]):
    """What is open, who has it, until when, and what comes next."""

    CSS_PATH = "top.tcss"
    TITLE = "Sentinel"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE_COLUMNS, "-wide")]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("n", "note", "Note"),
        Binding("r", "resolve", "Resolve"),
        Binding("e", "escalate", "Escalate"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("question_mark", "keys", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, daemon: Daemon, following: Following, by: str, name: str) -> None:
        # Without colours the terminal's own are the only ones: Textual would draw shades of grey.
        super().__init__(ansi_color=bool(os.environ.get("NO_COLOR")))
        self.animation_level = "none"  # Over a slow line each frame of one keeps somebody waiting.
        self._daemon, self._following = daemon, following
        self._by, self._name = by, name
        self._wanted = ""
        self._shown: list[OpenView] = []

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(Text("Asking …"), id="summary")
        yield Static(Text(), id="lost")
        yield Static(Text(), id="on-call")
        yield Static(Text(), id="problems")
        yield OptionList(id="incidents", markup=False)
        yield Static(Text(), id="more")
        yield Input(placeholder="number, title, service, who has it …", max_length=FILTER_MAX_CHARS, id="filter")
        with Horizontal(id="rest"):
            for part in ("coming", "services", "troubled"):
                with VerticalScroll(can_focus=False):
                    yield Static(Text(), id=part)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin to follow."""
        self.query_one("#incidents").focus()
        self._following.start(self._hear)
        self.set_interval(SECOND_S, self._count)

    async def on_unmount(self) -> None:
        """Follow no more."""
        await asyncio.to_thread(self._following.end)

    def _hear(self, seen: Seen) -> None:
        """Take, in the thread of whoever follows, what is seen; nothing once the screen has gone."""
        if self.is_running:
            self.call_later(self._draw, seen)

    # -------------------------------------------------------------------------------------------------- what is shown

    def _draw(self, seen: Seen) -> None:
        if not self.is_running:  # The screen is being taken down: what it showed has gone before its clock stops.
            return
        base = self.screen_stack[0]
        for screen in self.screen_stack:
            for lost in screen.query("#lost").results(Static):
                lost.update(Text(f"✗ {_lost(seen)}" if seen.lost else "", style=lines.BAD))
                lost.display = bool(seen.lost)
        now = seen.picture
        if now is None:
            return
        base.query_one("#on-call", Static).update(lines.on_call(now.on_call, now.at))
        wrong = base.query_one("#problems", Static)
        wrong.update(lines.problems(now.problems))
        wrong.display = bool(now.problems)
        coming = [Text(lines.coming(one, now.at)) for one in now.coming]
        services, troubled = list(map(lines.service, now.services)), list(map(lines.troubled, now.troubled))
        base.query_one("#coming", Static).update(lines.listed("What falls due next", coming, "nothing"))
        base.query_one("#services", Static).update(lines.listed("Services", services, "none"))
        base.query_one("#troubled", Static).update(lines.listed("Targets in trouble", troubled, "✓ none"))
        self._list(now)
        self._count()
        for screen in self.screen_stack:
            if isinstance(screen, Detail) and not seen.lost:
                self._look_up(screen)

    def _list(self, now: NowView) -> None:
        """Put the incidents in the list; whoever stood on one stands on it still."""
        listed = self.screen_stack[0].query_one("#incidents", OptionList)
        self._shown = [one for one in now.open if self._wanted in _words(one)]
        at = self._at(now)
        if [option.id for option in listed.options] != [one.number for one in self._shown]:
            here = listed.highlighted_option.id if listed.highlighted_option else None
            listed.clear_options()
            listed.add_options(Option(lines.incident(one, at), id=one.number) for one in self._shown)
            numbers = [one.number for one in self._shown]
            listed.highlighted = numbers.index(here) if here in numbers else (0 if numbers else None)
        hidden = len(now.open) - len(self._shown)
        parts = [
            Text("" if self._shown or hidden else "✓ Nothing is open.", style=lines.GOOD),
            Text(f"{hidden} not shown: / changes the filter, esc ends it" if hidden else ""),
            Text(f"and {now.more_open} more: sentinel incidents --open" if now.more_open else ""),
        ]
        more = self.screen_stack[0].query_one("#more", Static)
        more.update(lines.joined(parts))
        more.display = any(part.plain for part in parts)

    def _count(self) -> None:
        """Let the clocks run on: a picture is a few seconds old."""
        seen = self._following.seen
        if seen.picture is None or not self.is_running:
            return
        at = self._at(seen.picture)
        summary = lines.summary(seen.picture, _how(seen, at))
        self.screen_stack[0].query_one("#summary", Static).update(summary)
        listed = self.screen_stack[0].query_one("#incidents", OptionList)
        for index, one in enumerate(self._shown[: listed.option_count]):
            listed.replace_option_prompt_at_index(index, lines.incident(one, at))

    def _at(self, now: NowView) -> datetime:
        """Return what time it is where the daemon is."""
        return now.at + timedelta(seconds=monotonic() - self._following.seen.came_at_s)

    # ------------------------------------------------------------------------------------------------------- the keys

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show the facts of the incident."""
        if event.option_id:
            detail = Detail(event.option_id)
            self.push_screen(detail)
            self.call_after_refresh(self._look_up, detail)

    @work(group="detail", exclusive=True)
    async def _look_up(self, detail: Detail) -> None:
        try:
            found = await asyncio.to_thread(self._daemon.get, "incidents", detail.number)
        except Ended as error:
            self.notify(error.message, severity="error", markup=False)
            return
        if detail.is_mounted and detail in self.screen_stack:
            detail.show(Text("\n").join(lines.detail(found)))

    def action_move(self, way: str) -> None:
        """Go to another incident."""
        listed = self.query_one("#incidents", OptionList)
        listed.action_cursor_down() if way == "down" else listed.action_cursor_up()

    def action_keys(self) -> None:
        """Say which key does what."""
        self.push_screen(Helping())

    def action_filter(self) -> None:
        """Ask which incidents to show."""
        if not isinstance(self.screen, Detail):
            field = self.query_one("#filter", Input)
            field.display = True
            field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show those in which the text stands."""
        if event.input.id == "filter":
            self._wanted = event.value.casefold()
            if self._following.seen.picture is not None:
                self._list(self._following.seen.picture)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, and go on among what is left."""
        if event.input.id == "filter":
            event.input.display = bool(event.value)
            self.query_one("#incidents").focus()

    def key_escape(self) -> None:
        """Show all again."""
        if not isinstance(self.screen, Detail):
            field = self.query_one("#filter", Input)
            field.value = ""
            field.display = False
            self.query_one("#incidents").focus()

    def action_acknowledge(self) -> None:
        """Take an incident."""
        if number := self._chosen():
            self._order(
                number, "acknowledge", Confirming(f"Take {number} as {self._name}?", self._title(number), "Take it (y)")
            )

    def action_note(self) -> None:
        """Add a note to an incident."""
        if number := self._chosen():
            self._order(number, "note", Writing(f"A note on {number}, as {self._name}", self._title(number), "Add"))

    def action_resolve(self) -> None:
        """Resolve an incident."""
        if number := self._chosen():
            what = f"Resolve {number} as {self._name}: what was done?"
            needed = any(one.cause_needed for one in self._open() if one.number == number)
            self._order(number, "resolve", Resolving(what, self._title(number), "Resolve", cause_needed=needed))

    def action_escalate(self) -> None:
        """Call the next level."""
        if number := self._chosen():
            what = f"Call the next level for {number} as {self._name}: why?"
            self._order(number, "escalate", Writing(what, self._title(number), "Call them"))

    @work(group="order")
    async def _order(self, number: str, what: str, asking: Asking) -> None:
        answer: Answer | None = await self.push_screen_wait(asking)
        if answer is None:
            return
        try:
            done: dict[str, Any] = await asyncio.to_thread(self._post, number, what, answer)
        except Ended as error:
            self.notify(f"✗ {error.message}", severity="error", markup=False)
            return
        state = safe(done["state"]).replace("_", " ")
        self.notify(f"✓ {number} is {state}" + (": the note is added" if what == "note" else ""), markup=False)
        self._following.hurry()

    def _post(self, number: str, what: str, answer: Answer) -> Any:
        return self._daemon.post("incidents", number, what, by=self._by, **answer)

    def _chosen(self) -> str:
        """Return the number of the incident that stands on the screen, or that is marked in the list."""
        if isinstance(self.screen, Detail):
            return self.screen.number
        marked = self.query_one("#incidents", OptionList).highlighted_option
        return (marked.id or "") if marked else ""

    def _open(self) -> tuple[OpenView, ...]:
        picture = self._following.seen.picture
        return picture.open if picture else ()

    def _title(self, number: str) -> str:
        return next((safe(one.title) for one in self._open() if one.number == number), "")


def _words(one: OpenView) -> str:
    """Return what a filter looks at."""
    return " ".join(
        (one.number, one.priority, one.state, one.title, one.service, one.taken_by or "", one.assigned_to or "")
    ).casefold()


def _how(seen: Seen, at: datetime) -> Text:
    """Say how the picture is kept, and what time it is."""
    if seen.lost:
        return Text("✗ connection lost", style=lines.BAD)
    clock = local(at, seconds=True)[-8:]
    if seen.live:
        return Text(f"✓ live {clock}", style=lines.GOOD)
    return Text(f"! asked every {POLL_S:g} s {clock}", style=lines.DOUBTFUL)


def _lost(seen: Seen) -> str:
    """Say what is wrong, and how old is what stands on the screen."""
    of = f" What stands below is of {local(seen.picture.at, seconds=True)[-8:]}." if seen.picture else ""
    return f"Connection lost: {safe(seen.lost)} It is tried again every {POLL_S:g} s.{of}"
