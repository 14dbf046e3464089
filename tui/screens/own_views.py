"""The person's own views of the queue: save what is shown, rename one, delete one."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from tui.asking import Asking
from tui.said import said
from tui.text import harmless
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_COLUMNS = (Column("View", 16, grow=1), Column("What it shows", 24, grow=2))


class OwnViews(ModalScreen[str | None], Asking):
    """A list, a name, and a button for each of the three."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="views.close", tooltip="Back to the queue"),
        Binding("ctrl+s", "save", "Save", id="views.save", tooltip="What is shown, by this name"),
        Binding("f2", "rename", "Rename", id="views.rename", tooltip="The one under the cursor"),
        Binding("f8", "delete", "Delete", id="views.delete", tooltip="The one under the cursor"),
    ]

    def __init__(self, shown: str, view: str) -> None:
        super().__init__()
        self._shown = shown
        self._view = view

    def compose(self) -> ComposeResult:
        """Views, a name, buttons."""
        with Vertical(id="own-views", classes="dialog"):
            yield Static(said(("Views of your own", "head")), classes="dialog-title")
            table = VirtualTable(_COLUMNS, empty="None yet.", id="views-table")
            table.styles.height = 8
            yield table
            yield Label("Shown now, which Save keeps")
            yield Static(said((harmless(self._shown), "accent")))
            yield Label("Name")
            yield Input(id="view-name", max_length=40)
            yield Static(id="views-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close")
                yield Button("Delete", id="delete")
                yield Button("Rename", id="rename")
                yield Button("Save", id="save", variant="primary")

    def on_mount(self) -> None:
        """A name is typed at once."""
        self._show()
        self.query_one(VirtualTable).go_to(self._view)
        self.set_focus(self.query_one("#view-name", Input))

    def _show(self) -> None:
        views = self.console.own_views
        names = list(views)
        self.query_one(VirtualTable).show(
            Rows.of(
                names,
                lambda at: (Cell(harmless(names[at])), Cell(harmless(views[names[at]]), "muted")),
            )
        )

    @property
    def _typed(self) -> str:
        return " ".join(self.query_one("#view-name", Input).value.split())

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        """Back to the queue as it was."""
        self.dismiss(None)

    @on(Button.Pressed, "#save")
    @on(Input.Submitted, "#view-name")
    def action_save(self) -> None:
        """Keep what is shown by a name; the one that had it goes."""
        if not self._typed:
            self._say("Type a name for it.")
        elif self._typed in self.console.views:
            self._say(f"{self._typed} is a view of placet.toml: choose another name.")
        elif self._keep({**self.console.own_views, self._typed: self._shown}):
            self.dismiss(self._typed)

    @on(Button.Pressed, "#rename")
    def action_rename(self) -> None:
        """Give the one under the cursor the name that was typed."""
        views, row = self.console.own_views, self.query_one(VirtualTable).row
        if not row or not self._typed:
            self._say("Put the cursor on a view, and type its new name.")
        elif self._typed in {*views, *self.console.views}:
            self._say(f"There is a view {self._typed} already.")
        elif self._keep({self._typed if name == row else name: q for name, q in views.items()}):
            self._say(f"{row} is {self._typed} now.", "good")

    @on(Button.Pressed, "#delete")
    def action_delete(self) -> None:
        """Take the one under the cursor away."""
        row = self.query_one(VirtualTable).row
        if not row:
            self._say("Put the cursor on a view first.")
        elif self._keep({n: q for n, q in self.console.own_views.items() if n != row}):
            self._say(f"{row} is gone.", "good")

    def _keep(self, views: dict[str, str]) -> bool:
        try:
            self.console.keep_views(views)
        except (ValueError, OSError) as error:
            self._say(str(error))
            return False
        self._show()
        return True

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#views-said", Static).update(said((harmless(text), tone)))
