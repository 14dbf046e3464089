"""A closer look at one thing, where there is no room for it beside the list."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.said import Piece, said


class Look(ModalScreen[None]):
    """Text, and a button to close it; the mouse copies from it as everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "dismiss", "Close", id="look.close", tooltip="Back to the list"),
    ]

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self._pieces = pieces

    def compose(self) -> ComposeResult:
        """The text."""
        with VerticalScroll(id="look", classes="dialog"):
            yield Static(said(*self._pieces))
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close")

    def on_mount(self) -> None:
        """The keys scroll it."""
        self.set_focus(self.query_one("#look"))

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        """Back."""
        self.dismiss()
