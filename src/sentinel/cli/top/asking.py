"""What is asked before something is done: a question to confirm, or a text; and the help."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, RadioButton, RadioSet, Static

TEXT_MAX_CHARS: Final = 2_000
CAUSES: Final = ("not said", "intrinsic", "extrinsic")
HELP: Final = """\
j k ↓ ↑   another incident
enter     its facts and its timeline; esc goes back
a         acknowledge: it has your name on it, calls stop
n         add a note
r         resolve: say what was done
e         escalate: call the next level now, and say why
/         only those in which a text stands; esc shows all
?         this
q         quit

P1 and P2 are ✗, the rest is !. A clock counts down to when
its target falls due. Moments are in this terminal's time zone."""


class Answer(dict[str, str]):
    """What somebody said: the fields of the request."""


class Asking(ModalScreen[Answer | None]):
    """A box that asks; nothing is done unless it is confirmed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    def __init__(self, what: str, about: str, confirm: str) -> None:
        super().__init__()
        self._what, self._about, self._confirm = what, about, confirm

    def compose(self) -> ComposeResult:
        """Lay the box out."""
        with Vertical(id="box"):
            yield Static(Text(self._what, style="bold"))
            yield Static(Text(self._about))
            yield from self.fields()
            yield Static(Text(), id="wrong")
            with Horizontal():
                yield Button(self._confirm, id="confirm", variant="primary")
                yield Button("Cancel (esc)", id="cancel")

    def fields(self) -> ComposeResult:
        """Yield what is to be filled in: nothing."""
        yield from ()

    def answer(self) -> Answer:
        """Return what was filled in.

        Raises:
            ValueError: something is missing: what.
        """
        return Answer()

    def on_mount(self) -> None:
        """Begin where something is to be written, else at the button."""
        self.query("Input, #confirm").first().focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do it, or leave it."""
        self.done() if event.button.id == "confirm" else self.action_leave()

    def on_input_submitted(self) -> None:
        """Do it: enter is enough."""
        self.done()

    def done(self) -> None:
        """Answer, unless something is missing."""
        try:
            self.dismiss(self.answer())
        except ValueError as error:
            self.query_one("#wrong", Static).update(Text(f"✗ {error}", style="bold red"))

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)


class Confirming(Asking):
    """Asks whether it is meant; y says so too."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "yes", "Yes"), Binding("n", "leave", "No")]

    def action_yes(self) -> None:
        """Do it."""
        self.done()


class Writing(Asking):
    """Asks for a text."""

    def fields(self) -> ComposeResult:
        """Yield the line for the text."""
        yield Input(max_length=TEXT_MAX_CHARS, id="text")

    def answer(self) -> Answer:
        """Return the text."""
        text = self.query_one("#text", Input).value.strip()
        if not text:
            raise ValueError("A text is needed.")
        return Answer(text=text)


class Resolving(Writing):
    """Asks what was done, and what kind of cause it had."""

    def __init__(self, what: str, about: str, confirm: str, *, cause_needed: bool) -> None:
        super().__init__(what, about, confirm)
        self._cause_needed = cause_needed

    def fields(self) -> ComposeResult:
        """Yield the line for the text, and the causes."""
        yield from super().fields()
        yield Static(Text("Cause" + (" (needed)" if self._cause_needed else "")))
        with RadioSet(id="cause"):
            for number, cause in enumerate(CAUSES):
                yield RadioButton(cause, value=not number)

    def answer(self) -> Answer:
        """Return the text and the cause."""
        answer, chosen = super().answer(), self.query_one("#cause", RadioSet).pressed_index
        if chosen > 0:
            answer["cause_class"] = CAUSES[chosen]
        elif self._cause_needed:
            raise ValueError("Its cause is needed: tab goes there, the space bar chooses.")
        return answer


class Helping(ModalScreen[None]):
    """Says which key does what; any key goes back."""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical(id="box"):
            yield Static(Text(HELP))

    def on_key(self) -> None:
        """Go back."""
        self.dismiss()
