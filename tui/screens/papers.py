"""Letters, worksheets: what the process's package writes for people from what a checkpoint shows.

A text can be changed before it is kept; anything else is kept as it was written.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static, TextArea

from placet.cli import CommandFailed, processes
from tui.answers import CaseFile
from tui.drafts import BACK, Drafting
from tui.keeping import keep
from tui.said import said
from tui.text import harmless
from tui.widgets.table import Cell, Column, Rows, VirtualTable


class Paper(Protocol):
    """A file that a process's package has written."""

    @property
    def name(self) -> str: ...  # noqa: D102 - as it says

    @property
    def content(self) -> bytes: ...  # noqa: D102 - the same


_COLUMNS = (Column("Paper", 16), Column("File", 20, grow=1))


class Papers(ModalScreen[None], Drafting):
    """Which paper, its text if it has one, and where to keep it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="papers.close", tooltip="Keep nothing more"),
    ]

    def __init__(self, file: CaseFile) -> None:
        super().__init__()
        self._file = file
        self._papers: dict[str, Paper] = {}
        self._chosen = ""
        self._as_written: dict[str, str] = {}
        self._changed: dict[str, str] = {}

    @property
    def about(self) -> str:
        """What is written from this evidence."""
        return f"{self._file.checkpoint.id} {self._file.checkpoint.evidence_digest}"

    def compose(self) -> ComposeResult:
        """The papers, the text of one, its place."""
        with Vertical(id="papers", classes="dialog -wide-dialog"):
            yield Static(said(("Write from what this checkpoint shows", "head")), id="papers-title")
            table = VirtualTable(_COLUMNS, empty="Writing …")
            table.styles.height = 4
            yield table
            yield TextArea(id="paper-text", show_line_numbers=False)
            yield Label("Keep it as")
            yield Input(id="paper-path", max_length=500)
            yield Static(id="papers-said", classes="dialog-said")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Close", id="close")
                yield Button("Keep", id="keep", variant="primary", disabled=True)

    def on_mount(self) -> None:
        """Write them all; it takes a moment."""
        self.query_one(TextArea).display = False
        self.set_focus(self.query_one(VirtualTable))
        self.write()

    @work(exclusive=True, group="papers")
    async def write(self) -> None:
        """Have the process's package write each."""
        table = self.query_one(VirtualTable)
        try:
            self._papers = await asyncio.to_thread(_written, self._file)
        except (ValueError, OSError, CommandFailed) as error:
            self._say(str(error))
        names = list(self._papers)
        table.say("The package of this process that is installed here writes none.")
        table.show(
            Rows.of(
                names,
                lambda at: (
                    Cell(names[at].replace("_", " ")),
                    Cell(harmless(self._papers[names[at]].name), "muted"),
                ),
            )
        )
        if self.take_up():
            self._say(BACK, "muted")
        self._choose()

    def written(self) -> dict[str, str]:
        """The texts that were changed."""
        self._remember()
        return dict(self._changed)

    def put_in(self, kept: Mapping[str, str]) -> None:
        """The same the other way."""
        self._changed.update(kept)

    def _remember(self) -> None:
        text = self.query_one(TextArea).text
        if text == self._as_written.get(self._chosen, text):
            self._changed.pop(self._chosen, None)
        else:
            self._changed[self._chosen] = text

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another paper."""
        self._choose()

    def _choose(self) -> None:
        self._remember()
        self._chosen = self.query_one(VirtualTable).row
        paper = self._papers.get(self._chosen)
        self.query_one("#keep", Button).disabled = paper is None
        text = _text_of(paper) if paper else None
        box = self.query_one(TextArea)
        box.display = text is not None
        if text is not None:
            box.text = harmless(text, lines=True)
            self._as_written[self._chosen] = box.text
            box.text = self._changed.get(self._chosen, box.text)
        if paper is not None:
            self.query_one("#paper-path", Input).value = paper.name

    @on(VirtualTable.Opened)
    def into(self) -> None:
        """Into its text, or to its place."""
        box = self.query_one(TextArea)
        (box if box.display else self.query_one("#paper-path", Input)).focus()

    @on(Button.Pressed, "#close")
    def action_close(self) -> None:
        """Keep no more of them in files."""
        self.put_down()
        self.dismiss()

    @on(Button.Pressed, "#keep")
    @on(Input.Submitted, "#paper-path")
    def keep(self) -> None:
        """Keep it: in a browser it is handed over, elsewhere written where it was said."""
        paper = self._papers.get(self._chosen)
        if paper is None:
            return
        box = self.query_one(TextArea)
        content = box.text.encode() if box.display else paper.content
        path = Path(self.query_one("#paper-path", Input).value.strip() or paper.name).expanduser()
        try:
            self._say(keep(self.app, path, content), "good")
        except ValueError as error:
            self._say(str(error))
        else:
            self._as_written[self._chosen] = box.text

    def _say(self, text: str, tone: str = "bad") -> None:
        self.query_one("#papers-said", Static).update(said((harmless(text), tone)))


def _written(file: CaseFile) -> dict[str, Paper]:
    found = processes().get(file.case.process)
    if found is None:
        return {}
    return {name: write(file.checkpoint, file.parts) for name, write in found.papers.items()}


def _text_of(paper: Paper) -> str | None:
    if not paper.name.endswith((".txt", ".md")):
        return None
    return paper.content.decode("utf-8", "replace")
