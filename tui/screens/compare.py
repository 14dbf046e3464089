"""Two cases side by side: the same things on one line, what only one has marked."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Static

from placet.model import CaseView
from tui import words
from tui.answers import Away, NotShown, Refused
from tui.asking import Asking
from tui.audit import audit_case
from tui.gateway import Gateway
from tui.said import said
from tui.steps import Step, of_flight, of_ledger, side_by_side
from tui.text import harmless
from tui.widgets.keys import Keys
from tui.widgets.table import Cell, Column, Rows, VirtualTable


class Choose(ModalScreen[None], Asking):
    """Which case to put beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Cancel", id="choose.cancel"),
    ]

    def __init__(self, case: str, steps: Sequence[Step]) -> None:
        super().__init__()
        self._case = case
        self._steps = steps
        self._cases: list[CaseView] = []

    def compose(self) -> ComposeResult:
        """Every other case."""
        with Vertical(id="choose", classes="dialog"):
            yield Static(said(("Compare with which case?", "head")), classes="dialog-title")
            table = VirtualTable(
                (Column("What", 22, grow=1), Column("Result", 12), Column("Case", 31, drop=1)),
                empty="Looking …",
            )
            table.styles.height = 14
            yield table
            with Horizontal(classes="dialog-buttons"):
                yield Button("Cancel", id="close")

    def on_mount(self) -> None:
        """Ask for them."""
        self.query_one(VirtualTable).focus()
        self.load()

    @work(exclusive=True, group="choose")
    async def load(self) -> None:
        """Ask for them."""
        found = await self.ask(self.session.gateway.cases())
        self._cases = [each for each in found or () if each.id != self._case]

        def cells(at: int) -> tuple[Cell, ...]:
            case = self._cases[at]
            definition = self.session.gateway.newest_definition(case.process)
            return (
                Cell(harmless(words.subject_words(definition, case.subject))),
                Cell(harmless(case.result or case.status.value)),
                Cell(case.id, "muted"),
            )

        table = self.query_one(VirtualTable)
        table.say("There is no other case.")
        table.show(Rows.of([each.id for each in self._cases], cells))

    @on(Button.Pressed, "#close")
    def close(self) -> None:
        """None of them."""
        self.dismiss()

    @on(VirtualTable.Opened)
    def chosen(self, event: VirtualTable.Opened) -> None:
        """Put it beside."""
        other = event.row
        self.dismiss()
        self.app.push_screen(Compare(self._case, self._steps, other))


class Compare(Screen[None], Asking):
    """Both stories."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", id="compare.back"),
        Binding("n", "next", "Next difference", id="compare.next"),
    ]

    def __init__(self, case: str, steps: Sequence[Step], other: str) -> None:
        super().__init__()
        self._case = case
        self._steps = steps
        self._other = other
        self._pairs: list[tuple[Step | None, Step | None]] = []

    def compose(self) -> ComposeResult:
        """Two columns."""
        yield Static(
            said(("Reading the other case …", "muted")), classes="headline", id="compare-head"
        )
        yield VirtualTable(
            (
                Column(self._case, 30, grow=1),
                Column("", 1),
                Column(self._other, 30, grow=1),
            ),
            empty="Reading …",
        )
        yield Keys()

    def on_mount(self) -> None:
        """Read the other."""
        self.query_one(VirtualTable).focus()
        self.load()

    @work(exclusive=True, group="compare")
    async def load(self) -> None:
        """Read the other in the same way: recorded if it is, from the ledger if not."""
        gateway = self.session.gateway
        steps = await self._recorded(gateway) if self._is_flight() else None
        if steps is None:
            entries = await self.ask(gateway.entries_of(self._other))
            steps = of_ledger(entries or [])
        self._pairs = side_by_side(self._steps, steps)
        differ = sum(not _same(pair) for pair in self._pairs)
        self.query_one("#compare-head", Static).update(
            said(
                (f"{len(self._pairs)} steps, {differ} differ", "head"),
                "  the same kind of step stands on one line; ≠ where one case alone has it",
            )
        )
        ids = [str(at) for at in range(len(self._pairs))]
        self.query_one(VirtualTable).show(Rows.of(ids, self._cells))

    def _is_flight(self) -> bool:
        return not any("." in each.what for each in self._steps[:1])

    async def _recorded(self, gateway: Gateway) -> list[Step] | None:
        try:
            audited = await audit_case(gateway, self._other, lambda _: None)
        except (Away, Refused, NotShown):
            return None
        return of_flight(audited.flight) if audited.flight else None

    def _cells(self, at: int) -> tuple[Cell, ...]:
        left, right = self._pairs[at]
        same = _same(self._pairs[at])
        tone = "muted" if same else "warn"
        return (
            Cell(left.alike if left else "", tone),
            Cell("" if same else "≠", "warn"),
            Cell(right.alike if right else "", tone),
        )

    def action_next(self) -> None:
        """To the next difference."""
        table = self.query_one(VirtualTable)
        table.cursor = next(
            (at for at in range(table.cursor + 1, len(self._pairs)) if not _same(self._pairs[at])),
            table.cursor,
        )


def _same(pair: tuple[Step | None, Step | None]) -> bool:
    left, right = pair
    return left is not None and right is not None and left.alike == right.alike
