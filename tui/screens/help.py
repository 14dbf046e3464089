"""What can be done here: every binding that is in force, with its keys, its words and its id."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Static

from tui.said import Piece, said
from tui.text import fit


class Help(ModalScreen[None]):
    """The bindings of the screen below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,question_mark,q", "dismiss", "Close", id="help.close"),
    ]

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        self._below = below

    def compose(self) -> ComposeResult:
        """A line for each act."""
        with VerticalScroll(id="help", classes="dialog"):
            yield Static(said(("What you can do here", "head")), classes="dialog-title")
            yield Static(said(*self._lines()), id="help-text")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close")

    def on_mount(self) -> None:
        """The keys scroll it."""
        self.set_focus(self.query_one("#help"))

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        """Back."""
        self.dismiss()

    def _lines(self) -> list[Piece]:
        acts: dict[str, tuple[list[str], str, str]] = {}
        for key, active in self._below.active_bindings.items():
            binding = active.binding
            if not binding.description:
                continue
            words = active.tooltip or binding.tooltip or binding.description
            keys, *_ = acts.setdefault(
                binding.id or binding.action, ([], binding.description, words)
            )
            keys.append(self.app.get_key_display(binding) if not keys else key)
        made: list[Piece] = []
        for name, (keys, description, words) in acts.items():
            made.append((fit(" ".join(keys[:3]), 22), "accent"))
            made.append(words if words != description else description)
            made.append((f"  {name}\n", "muted"))
        made.append(
            (
                "\nEvery act is in the palette (ctrl+p) too, and at the foot of the screen for the "
                "mouse.\nText is copied with the mouse and ctrl+c; where nothing is selected, that "
                "copies the row under the cursor. Other keys for an act: its id on the right, in "
                'placet.toml under [console.keys], as "case.approve" = "f5".',
                "muted",
            )
        )
        return made
