"""The ledger: its head, how it grows, its newest entries; and verifying the whole of it."""

import asyncio
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from placet.model import quantity
from tui import words
from tui.answers import Away, Head, Listed, NotShown, Refused
from tui.figures import growth, sparkline
from tui.said import Piece, said
from tui.story import entry_look, story_cells
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

TAIL = 1024
_FAILED = {True: "DOES NOT HOLD", False: "NOT JUDGED"}
_COLUMNS = (
    Column("Entry", 7, right=True),
    Column("When", 14, drop=-1),
    Column("What", 18),
    Column("Who", 19, grow=2, drop=1, most=28),
    Column("", 11, grow=3, drop=2),
)


class LedgerView(View):
    """Its newest entries, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "y", "verify", "Verify now", id="ledger.verify", tooltip="Fetch and verify all of it"
        ),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._tail: list[Listed] = []
        self._head: Head | None = None
        self._verdict: Piece = ("not verified yet: y", "muted")

    def compose(self) -> ComposeResult:
        """Head, list, look."""
        yield Static(id="ledger-head", classes="headline")
        with Horizontal(classes="split"):
            yield VirtualTable(_COLUMNS, empty="Looking …", id="ledger-table")
            with VerticalScroll(classes="side"):
                yield Static(id="ledger-look")

    @work(exclusive=True, group="ledger")
    async def load(self) -> None:
        """Ask for the head and the newest entries."""
        if not self.console.signed_in:
            return
        head = await self.ask(self.session.gateway.ledger.head())
        tail = await self.ask(self.session.gateway.ledger.tail(TAIL))
        if head is None or tail is None:
            return
        self._head, self._tail = head, tail[::-1]
        self._show()

    def _show(self) -> None:
        tail = self._tail

        def cells(at: int) -> tuple[Cell, ...]:
            return Cell(str(tail[at].index), "muted"), *story_cells(tail[at])

        self.query_one(VirtualTable).show(Rows.of([str(each.index) for each in tail], cells))
        self._say()
        self._look()

    def _say(self) -> None:
        head = self._head
        if head is None:
            return
        spans = growth(self._tail, words.now(), minutes=60, width=30)
        self.query_one("#ledger-head", Static).update(
            said(
                (f"{quantity(head.size, 'entry', 'entries')}", "head"),
                f"  root {harmless(head.root)}\n",
                ("last hour ", "muted"),
                (sparkline(spans), "accent"),
                f"  {quantity(sum(spans), 'entry', 'entries')}   ",
                self._verdict,
            )
        )

    def _look(self) -> None:
        row = self.query_one(VirtualTable).row
        found = next((each for each in self._tail if str(each.index) == row), None)
        self.query_one("#ledger-look", Static).update(said(*(entry_look(found) if found else ())))

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Another entry."""
        self._look()

    @on(VirtualTable.Opened)
    def opened(self) -> None:
        """The story of the entry's case."""
        row = self.query_one(VirtualTable).row
        found = next((each for each in self._tail if str(each.index) == row), None)
        if found is not None and found.entry is not None and found.entry.case is not None:
            from tui.screens.replay import Replay  # noqa: PLC0415 - not before the first screen

            self.app.push_screen(Replay(found.entry.case))

    def action_verify(self) -> None:
        """Fetch everything and verify it."""
        self.verify()

    @work(exclusive=True, group="verify")
    async def verify(self) -> None:
        """Verify the whole log; the screen stays awake."""
        from placet.audit import verify  # noqa: PLC0415 - it takes long to load

        self._verdict = ("█░ fetching all of it …", "accent")
        self._say()
        try:
            files = await self.session.gateway.ledger.whole_log()
            self._verdict = ("██ verifying …", "accent")
            self._say()
            report = await asyncio.to_thread(verify, files)
        except (Away, Refused, NotShown) as error:
            self._verdict = (f"not verified: {harmless(str(error))}", "warn")
        else:
            count = sum(report.checked.values())
            self._verdict = (
                (f"✓ holds: {quantity(count, 'thing')} checked", "good")
                if report.holds
                else (f"● {_FAILED[report.refuted]}: {harmless(report.troubles[0].found)}", "bad")
            )
        self._say()
