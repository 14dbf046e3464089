"""What can be done here: every binding that is in force, with its keys, its words and its id."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Static

from tui.commands import moves_about
from tui.said import said

_MORE = (
    "Every act is in the palette (ctrl+p) too, and at the foot of the screen for the mouse.\n"
    "Text is copied with the mouse and ctrl+c; where nothing is selected, that copies the row "
    "under the cursor. Other keys for an act: its id on the right, in placet.toml under "
    '[console.keys], as "case.approve" = "f5".'
)


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
            with Grid(id="help-acts"):
                for keys, words, name in self._acts():
                    yield Static(said((" ".join(keys[:3]), "accent")))
                    yield Static(said(words, (f"  {name}", "muted")))
            yield Static(said((_MORE, "muted")), id="help-more")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close")

    def on_mount(self) -> None:
        """The keys scroll it."""
        self.set_focus(self.query_one("#help"))

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        """Back."""
        self.dismiss()

    def _acts(self) -> list[tuple[list[str], str, str]]:
        """Keys, words and id of each act: those of the place first, moving about last."""
        acts: dict[str, tuple[list[str], str, str]] = {}
        for key, active in self._below.active_bindings.items():
            binding = active.binding
            if not binding.description:
                continue
            words = active.tooltip or binding.tooltip or binding.description
            name = binding.id or binding.action
            keys, *_ = acts.setdefault(name, ([], words, name))
            keys.append(self.app.get_key_display(binding) if not keys else key)
        return sorted(acts.values(), key=lambda each: moves_about(each[2]))
