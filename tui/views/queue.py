"""The queue: what waits for me, and what waits for others, the most urgent first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from placet.model import (
    MAX_PAGE,
    CheckpointLine,
    CheckpointOrder,
    CheckpointQuery,
    CheckpointStatus,
    Claimed,
    Count,
    Severity,
    WaitsFor,
)
from tui import words
from tui.said import Piece, said
from tui.settings import view_query
from tui.text import harmless
from tui.views.base import View
from tui.widgets.table import Cell, Column, Rows, VirtualTable

T = TypeVar("T")
_COLUMNS = (
    Column("Time left", 14, key="urgency"),
    Column("What", 20, grow=3),
    Column("Amount", 15, right=True, key="amount"),
    Column("Findings", 16),
    Column("Decided", 14, grow=2, drop=2),
    Column("Still missing", 22, grow=4, drop=1),
    Column("Checkpoint", 18, grow=1, drop=3),
)

SORTS: dict[CheckpointOrder, str] = {
    CheckpointOrder.URGENCY: "the most urgent first",
    CheckpointOrder.AMOUNT_DOWN: "the largest amount first",
    CheckpointOrder.AMOUNT: "the smallest amount first",
    CheckpointOrder.OPENED: "the longest waiting first",
    CheckpointOrder.OPENED_DOWN: "the newest first",
}
_BY_COLUMN = {
    "urgency": (CheckpointOrder.URGENCY,),
    "amount": (CheckpointOrder.AMOUNT_DOWN, CheckpointOrder.AMOUNT),
}

SAVED: dict[str, tuple[str, Mapping[str, Any]]] = {
    "mine": ("waits for me", {"waits_for": WaitsFor.ME}),
    "others": ("waits for others", {"waits_for": WaitsFor.OTHERS}),
    "all": ("all that is open", {"status": CheckpointStatus.OPEN}),
    "blocking": (
        "with blocking findings",
        {"status": CheckpointStatus.OPEN, "severity": Severity.BLOCKING},
    ),
    "claimed": ("claimed by me", {"claimed": Claimed.ME}),
    "overdue": ("over their time", {"status": CheckpointStatus.OPEN, "overdue": True}),
}
_AHEAD = 50  # rows below the cursor: the next page is asked for before they are reached
_LIVE_UP_TO = 1000  # rows that are asked for again by themselves when something changes


def _due(line: CheckpointLine) -> str:
    left = (line.due_at - words.now()).total_seconds()
    days = ((0, "over their time"), (86_400, "due within a day"), (7 * 86_400, "due within a week"))
    return next((said_ for limit, said_ in days if left <= limit), "due later")


def _weight(line: CheckpointLine) -> str:
    if line.findings.blocking:
        return "blocking"
    return "warnings" if line.findings.warning else "nothing that weighs"


GROUPS: dict[str, tuple[str, Callable[[CheckpointLine], str]]] = {
    "kind": ("by kind", lambda line: f"{line.title}, {line.process}"),
    "due": ("by time", _due),
    "findings": ("by findings", _weight),
}


def grouped(lines: Sequence[CheckpointLine], group: str) -> list[CheckpointLine | str]:
    """The rows under their groups' names, in the order in which each first comes."""
    if group not in GROUPS:
        return list(lines)
    found: dict[str, list[CheckpointLine]] = {}
    for each in lines:
        found.setdefault(GROUPS[group][1](each), []).append(each)
    made: list[CheckpointLine | str] = []
    for name, rows in found.items():
        made += [name, *rows]
    return made


class Queue(View):
    """The list, its filter, and a look at the row under the cursor."""

    name_shown = "Queue"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="queue.filter", tooltip="Filter by any word"),
        Binding(
            "v",
            "saved",
            "View",
            id="queue.view",
            tooltip="Mine, others', all, blocking, claimed, late",
        ),
        Binding("s", "sort", "Sort", id="queue.sort", tooltip="By time, amount or age"),
        Binding("u", "group", "Group", id="queue.group", tooltip="By kind, by time, by findings"),
        Binding("space", "mark", "Mark", id="queue.mark", tooltip="Mark several, to decide them"),
        Binding(
            "A", "bulk", "Approve marked", id="queue.bulk", tooltip="Approve all that are marked"
        ),
        Binding("escape", "clear", "Clear", id="queue.clear", show=False),
        Binding("ctrl+r,f5", "load", "Refresh", id="queue.refresh", show=False),
    ]

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[CheckpointLine] = []
        self._by_id: dict[str, CheckpointLine] = {}
        self._saved = ""
        self._sort = CheckpointOrder.URGENCY
        self._next: str | None = None
        self._count: Count | None = None
        self._mine: Count | None = None
        self._behind = False
        self._chosen = False
        self._group = ""
        self._views = dict(SAVED)

    def on_mount(self) -> None:
        """The person's own views come after the ones that everybody has."""
        for name, query in self.console.views.items():
            self._views[name] = (harmless(name), view_query(query))

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
            return any(each.mine for each in self._lines)
        return super().check_action(action, parameters)

    @property
    def _query(self) -> CheckpointQuery:
        wanted = " ".join(self.query_one(Input).value.split())[:100]
        return CheckpointQuery(
            **self._views[self._saved][1], sort=self._sort, text=wanted or None, limit=MAX_PAGE
        )

    @work(exclusive=True, group="queue")
    async def load(self) -> None:
        """Ask what waits: as much as is looked at."""
        if not self.console.signed_in:
            return
        if len(self._lines) > _LIVE_UP_TO:
            self._behind = True
            self._show()
            return
        await self._load_anew(len(self._lines))

    async def _load_anew(self, count: int) -> None:
        gateway = self.session.gateway
        overview = await self.ask(gateway.overview())
        if overview is None:
            return
        if not self._chosen:  # until someone chooses: what waits for them, once there is something
            self._saved = "mine" if overview.mine.count else self._saved or "all"
        found: list[CheckpointLine] = []
        after: str | None = None
        while True:
            page = await self.ask(gateway.page(self._query, after))
            if page is None:
                return
            found += page.checkpoints
            after = page.next
            if after is None or len(found) >= count:
                break
        self._lines, self._next, self._count, self._behind = found, after, overview.open, False
        self._mine = overview.mine
        self._show()

    @work(exclusive=True, group="queue")
    async def look_anew(self) -> None:
        """Another question: from its first page."""
        await self._load_anew(0)

    @work(exclusive=True, group="queue-more")
    async def more(self) -> None:
        """The next page."""
        after, query = self._next, self._query
        if after is None:
            return
        page = await self.ask(self.session.gateway.page(query, after))
        if page is not None and self._next == after and query == self._query:
            known = self._by_id
            self._lines += [each for each in page.checkpoints if each.id not in known]
            self._next = page.next
            self._show()

    def action_load(self) -> None:
        """Ask again."""
        self.look_anew()

    def _show(self) -> None:
        lines = self._lines
        self._by_id = {each.id: each for each in lines}
        table = self.query_one(VirtualTable)
        table.sorted_by = next((k for k, v in _BY_COLUMN.items() if self._sort in v), "")
        label = self._views[self._saved][0]
        filtered = bool(self.query_one(Input).value.strip())
        table.say("Nothing fits the filter." if filtered else f"Nothing here: {label}.")
        rows = grouped(lines, self._group)
        ids = [each if isinstance(each, str) else each.id for each in rows]
        table.show(Rows.of(ids, lambda at: self._row_cells(rows[at])))
        self._say()
        self._look()
        self.screen.refresh_bindings()

    def _say(self) -> None:
        marked = len(self.query_one(VirtualTable).marked)
        shown = f"{len(self._lines)}{' and more' if self._next else ''}"
        pieces: list[Piece] = [
            (f"{self._views[self._saved][0]}: {shown}", "strong"),
            f"  of {_counted(self._count)} open, {_counted(self._mine)} for you",
            f"  ·  {SORTS[self._sort]}",
            f", {GROUPS[self._group][0]}" if self._group else "",
        ]
        if marked:
            pieces.append((f"  ·  {marked} marked", "accent"))
        if self._behind:
            pieces.append(("  ·  something changed: f5", "warn"))
        self.query_one("#queue-head", Static).update(said(*pieces))

    def _row_cells(self, row: CheckpointLine | str) -> Sequence[Cell]:
        if not isinstance(row, str):
            return self._cells(row)
        count = sum(GROUPS[self._group][1](each) == row for each in self._lines)
        more = "+" if self._next else ""
        return (Cell("──", "accent"), Cell(f"{harmless(row)}: {count}{more}", "accent"))

    def _subject(self, line: CheckpointLine) -> str:
        definition = self.session.gateway.newest_definition(line.process)
        return harmless(words.subject_words(definition, line.subject))

    def _cells(self, line: CheckpointLine) -> Sequence[Cell]:
        left, tone = words.time_left(line.due_at, words.now())
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

    def _look_at(self, line: CheckpointLine) -> list[Piece]:
        left, tone = words.time_left(line.due_at, words.now())
        definition = self.session.gateway.newest_definition(line.process)
        amount = words.money(line.amount, words.currency(definition))
        mine = line.mine
        made: list[Piece] = [
            (f"{self._subject(line)}\n", "head"),
            f"{harmless(line.title)}\n\n",
            (f"{amount}\n", "strong"),
            (f"{left}, until {words.clock(line.due_at)}\n\n", tone),
            ("waits for you\n" if mine else "does not wait for you\n", "good" if mine else "muted"),
            ("\nFindings\n", "head"),
            (f"{findings_cell(line).text}\n", findings_cell(line).tone),
            ("\nStill missing\n", "head"),
        ]
        made += [f"{harmless(each)}\n" for each in line.missing] or ["nothing\n"]
        made.append(("\nDecided\n", "head"))
        made += [
            f"{words.person(each.operator)}: {harmless(each.verdict)}\n" for each in line.decided
        ] or [("nobody yet\n", "muted")]
        if line.claimed_by:
            made.append((f"\nclaimed by {words.person(line.claimed_by)}\n", "accent"))
        made.append((f"\n{line.id}\n{line.case}", "muted"))
        return made

    # --- acts ----------------------------------------------------------------------------------

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Look at another row; ask for more before the last one is reached."""
        self._look()
        table = self.query_one(VirtualTable)
        if self._next and table.cursor >= table.rows.count - _AHEAD:
            self.more()

    @on(VirtualTable.Opened)
    def opened(self, event: VirtualTable.Opened) -> None:
        """Open the row's case."""
        if event.row in self._by_id:
            self._open(event.row)

    @on(VirtualTable.HeaderClicked)
    def header(self, event: VirtualTable.HeaderClicked) -> None:
        """Sort by a column."""
        orders = _BY_COLUMN.get(event.key, ())
        if orders:
            self._sort = _next(orders, self._sort) if self._sort in orders else orders[0]
            self.look_anew()

    def _open(self, row: str) -> None:
        from tui.screens.case import CaseScreen  # noqa: PLC0415 - not before the first screen

        self.app.push_screen(CaseScreen(row))

    def action_mark(self) -> None:
        """Mark the row, for the acts on many."""
        table = self.query_one(VirtualTable)
        if table.row in self._by_id:
            table.toggle_mark()
        else:
            table.action_move(1)
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
        self._saved = _next(list(self._views), self._saved or "mine")
        self._chosen = True
        self.look_anew()

    def action_group(self) -> None:
        """The next way to group, the last of which is none."""
        self._group = _next(["", *GROUPS], self._group)
        self._show()

    def action_sort(self) -> None:
        """The next order."""
        self._sort = _next(list(SORTS), self._sort)
        self.look_anew()

    def action_filter(self) -> None:
        """Type a filter."""
        box = self.query_one(Input)
        box.display = True
        self.screen.set_focus(box)  # at once: what is typed next is the filter's

    def action_clear(self) -> None:
        """Take the filter away, and the marks."""
        box = self.query_one(Input)
        box.value = ""
        box.display = False
        self.query_one(VirtualTable).marked.clear()
        self.query_one(VirtualTable).focus()
        self._say()

    @on(Input.Changed)
    def filtered(self) -> None:
        """Filter while it is typed."""
        if self.console.signed_in:
            self.look_anew()

    @on(Input.Submitted)
    def filter_done(self) -> None:
        """Back to the list, which stays filtered."""
        self.query_one(VirtualTable).focus()


def _counted(count: Count | None) -> str:
    return "?" if count is None else f"{count.count:,}{'+' if count.more else ''}"


def _next(names: Sequence[T], name: T) -> T:
    return names[(names.index(name) + 1) % len(names)]


def findings_cell(line: CheckpointLine) -> Cell:
    """Findings in words, the worst first."""
    parts = [
        f"{count} {name}"
        for count, name in ((line.findings.blocking, "blocking"), (line.findings.warning, "warn"))
        if count
    ]
    tone = "bad" if line.findings.blocking else "warn" if line.findings.warning else "good"
    return Cell(
        ", ".join(parts) or ("none" if not line.findings.info else f"{line.findings.info} info"),
        tone,
    )


def decided_words(line: CheckpointLine) -> str:
    """Who has decided, and how."""
    return harmless(
        ", ".join(f"{words.person(each.operator)} {each.verdict}" for each in line.decided)
        or "nobody yet"
    )
