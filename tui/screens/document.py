"""A document as text, with the place that was cited marked; or in the system's viewer."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from placet.cli import File, Found, NoText, Page, find, read_text
from placet.model import CheckpointView, RemarkView
from tui.answers import Away, NotShown, Refused
from tui.asking import Asking
from tui.documents import fetch
from tui.said import Piece, said
from tui.text import fit, harmless
from tui.widgets.keys import Keys
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_WIDEST = 24


class PageTable(VirtualTable, Asking):
    """The pages of one document, one at a time; the cited place is marked by ▶ and its colour."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__((Column("", 10, grow=1),), empty="Fetching it …", id=id)
        self.pages: tuple[Page, ...] = ()
        self.page = 0
        self.found: Found | None = None
        self._named = ""
        self._content: bytes | None = None

    @work(exclusive=True, group="document")
    async def read(self, process: str, subject: str, file: File, spot: str) -> None:
        """Fetch it, and read it as text."""
        await self._read(file.name, fetch(process, subject, file), spot)

    @work(exclusive=True, group="document")
    async def read_attached(self, shown: CheckpointView, remark: RemarkView) -> None:
        """The same of a file that someone attached."""
        content = self.session.gateway.attachment(shown, remark.act)
        await self._read(remark.name or "", content, "")

    async def _read(self, name: str, fetched: Awaitable[bytes], spot: str) -> None:
        self._named = name
        try:
            self._content = await fetched
            self.pages = await read_text(name, self._content)
        except (Away, Refused, NotShown, NoText) as error:
            self.say(harmless(str(error)))
            return
        self.seek(spot)

    def seek(self, spot: str) -> None:
        """Turn to a spot, and mark it."""
        self.found = find(self.pages, spot)
        self.page = self.found.page if self.found else 0
        self.turn(0)
        if self.found:
            self.cursor = self.found.row

    def turn(self, by: int) -> None:
        """Turn the page."""
        if not self.pages:
            return
        self.page = (self.page + by) % len(self.pages)
        page = self.pages[self.page]
        hit = self.found if self.found and self.found.page == self.page else None

        def cells(at: int) -> tuple[Cell, ...]:
            here = hit is not None and hit.row == at
            row = page.rows[at]
            cited = {None, *range(len(row))} if hit is None or hit.column is None else {hit.column}
            shown = [
                Cell(harmless(text), "accent" if here and column in cited else "plain")
                for column, text in enumerate(row)
            ]
            return (Cell("▶" if here else "", "accent"), Cell(str(at + 1), "muted"), *shown)

        columns = [Column("", 1), Column("", len(str(len(page.rows))), right=True)]
        for column, label in enumerate(page.labels):
            marked = hit is not None and hit.column == column
            longest = max((len(row[column]) for row in page.rows), default=0)
            if len(page.labels) == 1:
                columns.append(Column(label, 10, grow=1))
            else:
                width = max(3, min(_WIDEST, longest), len(label) + 2)
                columns.append(Column(f"▼{label}" if marked else label, width))
        self.show(Rows.of([f"{self.page}:{at}" for at in range(len(page.rows))], cells), columns)
        self.say("This page has no text.")
        self.post_message(self.Moved(self, self.row))

    def view(self) -> None:
        """Open it in the system's viewer; in a browser, hand it over."""
        if self._content is None:
            self.app.notify("It is not there yet.", markup=False)
            return
        if self.app.is_web:
            name = Path(self._named).name or "document"
            self.app.deliver_binary(io.BytesIO(self._content), save_filename=name)
            return
        try:
            self.console.viewer.open(self._named, self._content)
        except (Refused, OSError) as error:
            self.app.notify(str(error), severity="warning", markup=False)


class DocumentScreen(Screen[None], Asking):
    """One document of a case."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="document.back"),
        Binding("right,n", "turn(1)", "Next page", id="document.next"),
        Binding("left,N", "turn(-1)", "Page before", id="document.before", show=False),
        Binding("v", "view", "Open it", id="document.view", tooltip="In the system's viewer"),
        Binding("c", "copy", "Copy line", id="document.copy", tooltip="Copy the line's text"),
    ]

    def __init__(self, process: str, subject: str, file: File, spot: str) -> None:
        super().__init__()
        self._named = file.name
        self._spot = spot
        self._begin: Callable[[PageTable], object] = lambda table: table.read(
            process, subject, file, spot
        )

    def compose(self) -> ComposeResult:
        """What it is, and its text."""
        yield Static(id="document-head", classes="headline")
        yield PageTable(id="page")
        yield Static(id="document-line")
        yield Keys()

    def on_mount(self) -> None:
        """Fetch it."""
        table = self.query_one(PageTable)
        table.focus()
        self._begin(table)
        self._say()

    def _say(self) -> None:
        table = self.query_one(PageTable)
        pieces: list[Piece] = [(harmless(self._named), "head")]
        if table.pages:
            page = table.pages[table.page]
            pieces.append(f"  {harmless(page.title)}, {table.page + 1} of {len(table.pages)}")
            pieces.append(("  as text", "muted"))
        if self._spot:
            there = table.found is not None
            pieces.append(f"\ncited: {harmless(self._spot)}")
            if table.pages:
                pieces.append(
                    ("  ▶ marks it", "accent") if there else ("  not found in its text", "warn")
                )
        self.query_one("#document-head", Static).update(said(*pieces))
        self.query_one("#document-line", Static).update(said(harmless(self._line())))

    def _line(self) -> str:
        table = self.query_one(PageTable)
        if not table.pages or table.cursor >= len(table.pages[table.page].rows):
            return ""
        return "   ".join(each for each in table.pages[table.page].rows[table.cursor] if each)

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """The whole of another line."""
        self._say()

    def action_turn(self, by: int) -> None:
        """Another page."""
        self.query_one(PageTable).turn(by)

    def action_view(self) -> None:
        """In the system's viewer."""
        self.query_one(PageTable).view()

    def action_copy(self) -> None:
        """The line under the cursor, through the terminal."""
        self.app.copy_to_clipboard(self._line())
        self.app.notify(f"Copied: {fit(harmless(self._line()), 40).strip()}", markup=False)


class AttachedScreen(DocumentScreen):
    """A file that someone attached to a checkpoint."""

    def __init__(self, shown: CheckpointView, remark: RemarkView) -> None:
        super().__init__("", "", File(remark.name or "", remark.digest), "")
        self._begin = lambda table: table.read_attached(shown, remark)
