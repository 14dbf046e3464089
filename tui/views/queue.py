"""The queue: what waits for me, and what waits for others, the most urgent first."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from tui import words
from tui.gateway import Line, Me
from tui.said import Piece, said
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_COLUMNS = (
    Column("Time left", 14, key="urgency"),
    Column("What", 20, grow=3, key="what"),
    Column("Amount", 15, right=True, key="amount"),
    Column("Findings", 16, key="findings"),
    Column("Decided", 14, grow=2, drop=2),
    Column("Still missing", 22, grow=4, drop=1),
    Column("Checkpoint", 18, grow=1, drop=3),
)

SORTS: dict[str, tuple[str, Callable[[Line], Any]]] = {
    "urgency": ("the most urgent first", lambda line: line.deadline),
    "amount": ("the largest amount first", lambda line: -(line.amount or Decimal(0))),
    "findings": ("the most findings first", lambda line: (-line.blocking, -line.warning)),
    "what": ("by record", lambda line: line.subject),
    "opened": ("the longest waiting first", lambda line: line.opened_at),
}

SAVED: dict[str, tuple[str, Callable[[Line, Me], bool]]] = {
    "mine": ("waits for me", lambda line, me: line.waits_for(me)),
    "others": ("waits for others", lambda line, me: not line.waits_for(me)),
    "all": ("all that is open", lambda line, me: True),  # noqa: ARG005 - one shape for all
    "blocking": ("with blocking findings", lambda line, me: line.blocking > 0),  # noqa: ARG005 - the same
}


class Queue(View):
    """The list, its filter, and a look at the row under the cursor."""

    name_shown = "Queue"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="queue.filter", tooltip="Filter by any word"),
        Binding("v", "saved", "View", id="queue.view", tooltip="Mine, others', all, blocking"),
        Binding("s", "sort", "Sort", id="queue.sort", tooltip="By time, amount, findings, record"),
        Binding("space", "mark", "Mark", id="queue.mark", tooltip="Mark several, to decide them"),
        Binding(
            "A", "bulk", "Approve marked", id="queue.bulk", tooltip="Approve all that are marked"
        ),
        Binding("escape", "clear", "Clear", id="queue.clear", show=False),
        Binding("ctrl+r,f5", "load", "Refresh", id="queue.refresh", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._by_id: dict[str, Line] = {}
        self._saved = "mine"
        self._sort = "urgency"
        self._loaded = False

    def compose(self) -> ComposeResult:
        """Filter, list, look."""
        yield Static(id="queue-head", classes="view-head")
        yield Input(placeholder="any word of it; escape to clear", classes="filter")
        with Horizontal(classes="split"):
            yield VirtualTable(_COLUMNS, marks=True, empty="Looking …", id="queue-table")
            yield Static(id="queue-look", classes="side")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Who only reads is offered no act."""
        if action in {"mark", "bulk"}:
            return self.console.signed_in and any(
                set(each.roles) & set(self.session.me.roles) for each in self._lines
            )
        return super().check_action(action, parameters)

    @work(exclusive=True, group="queue")
    async def load(self) -> None:
        """Ask what waits."""
        if not self.console.signed_in:
            return
        found = await self.ask(self.session.gateway.lines())
        if found is None:
            return
        self._lines = found
        if not self._loaded:
            self._loaded = True
            if not any(each.waits_for(self.session.me) for each in found):
                self._saved = "all"
        self._show()

    def action_load(self) -> None:
        """Ask again."""
        self.load()

    def _show(self) -> None:
        me = self.session.me
        wanted = self.query_one(Input).value.casefold().split()
        keep, order = SAVED[self._saved][1], SORTS[self._sort][1]
        chosen = [
            each
            for each in self._lines
            if keep(each, me) and all(word in self._haystack(each) for word in wanted)
        ]
        chosen.sort(key=order)
        self._by_id = {each.id: each for each in chosen}
        table = self.query_one(VirtualTable)
        table.sorted_by = self._sort
        table.say(
            "Nothing fits the filter." if wanted else f"Nothing here: {SAVED[self._saved][0]}."
        )
        table.show(Rows.of([each.id for each in chosen], lambda at: self._cells(chosen[at])))
        mine = sum(each.waits_for(me) for each in self._lines)
        self.query_one("#queue-head", Static).update(
            said(
                (f"{SAVED[self._saved][0]}: {len(chosen)}", "strong"),
                f"  of {len(self._lines)} open, {mine} for you"
                f"  ·  {SORTS[self._sort][0]}"
                + (f"  ·  {len(table.marked)} marked" if table.marked else ""),
            )
        )
        self._look()
        self.screen.refresh_bindings()

    def _haystack(self, line: Line) -> str:
        said_ = (
            line.subject,
            self._subject(line),
            line.title,
            words.money(line.amount),
            *line.missing,
        )
        return " ".join(said_).casefold()

    def _subject(self, line: Line) -> str:
        definition = self.session.gateway.newest_definition(line.process)
        return harmless(words.subject_words(definition, line.subject))

    def _cells(self, line: Line) -> Sequence[Cell]:
        left, tone = words.time_left(line.deadline, words.now())
        definition = self.session.gateway.newest_definition(line.process)
        return (
            Cell(left, tone),
            Cell(self._subject(line)),
            Cell(words.money(line.amount, words.currency(definition))),
            findings_cell(line),
            Cell(decided_words(line), "plain" if line.decided else "muted"),
            Cell(harmless("; ".join(line.missing)), "muted"),
            Cell(harmless(line.title), "muted"),
        )

    def _look(self) -> None:
        table = self.query_one(VirtualTable)
        line = self._by_id.get(table.row)
        self.query_one("#queue-look", Static).update(
            said(*(self._look_at(line) if line else [("Nothing is selected.", "muted")]))
        )

    def _look_at(self, line: Line) -> list[Piece]:
        left, tone = words.time_left(line.deadline, words.now())
        definition = self.session.gateway.newest_definition(line.process)
        amount = words.money(line.amount, words.currency(definition))
        mine = line.waits_for(self.session.me)
        made: list[Piece] = [
            (f"{self._subject(line)}\n", "head"),
            f"{harmless(line.title)}\n\n",
            (f"{amount}\n", "strong"),
            (f"{left}, until {words.clock(line.deadline)}\n\n", tone),
            ("waits for you\n" if mine else "does not wait for you\n", "good" if mine else "muted"),
            ("\nFindings\n", "head"),
            (f"{findings_cell(line).text}\n", findings_cell(line).tone),
            ("\nStill missing\n", "head"),
        ]
        made += [f"{harmless(each)}\n" for each in line.missing] or ["nothing\n"]
        made.append(("\nDecided\n", "head"))
        made += [
            f"{harmless(words.person(who))}: {harmless(verdict)}\n" for who, verdict in line.decided
        ] or [("nobody yet\n", "muted")]
        made.append((f"\n{line.id}\n{line.case}", "muted"))
        return made

    # --- acts ----------------------------------------------------------------------------------

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Look at another row."""
        self._look()

    @on(VirtualTable.Opened)
    def opened(self, event: VirtualTable.Opened) -> None:
        """Open the row's case."""
        self._open(event.row)

    @on(VirtualTable.HeaderClicked)
    def header(self, event: VirtualTable.HeaderClicked) -> None:
        """Sort by a column."""
        if event.key in SORTS:
            self._sort = event.key
            self._show()

    def _open(self, row: str) -> None:
        from tui.screens.case import CaseScreen  # noqa: PLC0415 - not before the first screen

        self.app.push_screen(CaseScreen(row))

    def action_mark(self) -> None:
        """Mark the row, for the acts on many."""
        self.query_one(VirtualTable).toggle_mark()
        self._show()

    def action_bulk(self) -> None:
        """Approve what is marked, each on its own evidence."""
        marked = self.query_one(VirtualTable).marked
        chosen = [each for each in self._lines if each.id in marked]
        if not chosen:
            self.app.notify("Mark what you mean with the space bar first.", markup=False)
            return
        from tui.screens.bulk import Bulk  # noqa: PLC0415 - not before the first screen

        self.app.push_screen(Bulk(chosen))

    def action_saved(self) -> None:
        """The next saved view."""
        self._saved = _next(list(SAVED), self._saved)
        self._show()

    def action_sort(self) -> None:
        """The next order."""
        self._sort = _next(list(SORTS), self._sort)
        self._show()

    def action_filter(self) -> None:
        """Type a filter."""
        box = self.query_one(Input)
        box.add_class("-shown")
        box.focus()

    def action_clear(self) -> None:
        """Take the filter away, and the marks."""
        box = self.query_one(Input)
        box.value = ""
        box.remove_class("-shown")
        self.query_one(VirtualTable).marked.clear()
        self.query_one(VirtualTable).focus()
        self._show()

    @on(Input.Changed)
    def filtered(self) -> None:
        """Filter while it is typed."""
        if self.console.signed_in:
            self._show()

    @on(Input.Submitted)
    def filter_done(self) -> None:
        """Back to the list, which stays filtered."""
        self.query_one(VirtualTable).focus()


def _next(names: Sequence[str], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)]


def findings_cell(line: Line) -> Cell:
    """Findings in words, the worst first."""
    parts = [
        f"{count} {name}"
        for count, name in ((line.blocking, "blocking"), (line.warning, "warn"))
        if count
    ]
    tone = "bad" if line.blocking else "warn" if line.warning else "good"
    return Cell(", ".join(parts) or ("none" if not line.info else f"{line.info} info"), tone)


def decided_words(line: Line) -> str:
    """Who has decided, and how."""
    return harmless(
        ", ".join(f"{words.person(who)} {verdict}" for who, verdict in line.decided) or "nobody yet"
    )
