"""The queue: what waits for me, and what waits for others, the most urgent first."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from placet.model import (
    MAX_PAGE,
    CheckpointGroup,
    CheckpointLine,
    CheckpointOrder,
    CheckpointPage,
    CheckpointQuery,
    Count,
    Grouping,
    GroupQuery,
    Overview,
    Verdict,
)
from tui.queue_keys import KEYS
from tui.said import Piece, said
from tui.settings import view_query
from tui.text import harmless
from tui.views.base import View
from tui.waiting import (
    BY_COLUMN,
    COLUMNS,
    GROUPS,
    SORTS,
    VIEWS,
    columns_for,
    following,
    group_cells,
    in_all,
    line_cells,
    line_look,
)
from tui.widgets.table import Cell, Column, Rows, VirtualTable

_AHEAD = 50  # rows below the cursor: the next page is asked for before they are reached
_LIVE_UP_TO = 1000  # rows that are asked for again by themselves when something changes
_GROUPS = 50  # groups that are asked for at a time
_GROUP = "group "  # what the id of a group's row begins with
_Row = CheckpointLine | CheckpointGroup


class Queue(View):
    """The list, its filter, and a look at the row under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = list(KEYS)

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[CheckpointLine] = []
        self._by_id: dict[str, CheckpointLine] = {}
        self._saved = ""
        self._by_group: dict[str, CheckpointGroup] = {}
        self._sort = CheckpointOrder.URGENCY
        self._next: str | None = None
        self._count: Count | None = None
        self._mine: Count | None = None
        self._behind = False
        self._chosen = False
        self._guessed = True
        self._group: Grouping | None = None
        self._groups: list[CheckpointGroup] = []
        self._more_groups: str | None = None
        self._opened: str | None = None
        self._views = dict(VIEWS)

    def on_mount(self) -> None:
        """The person's own views come after the ones that everybody has."""
        self._learn_views()

    def _learn_views(self) -> None:
        own = {**self.console.views, **self.console.own_views}
        self._views = {
            **VIEWS,
            **{name: (harmless(name), view_query(query)) for name, query in own.items()},
        }
        if self._saved not in self._views:
            self._saved = ""

    def compose(self) -> ComposeResult:
        """Filter, list, look."""
        yield Static(id="queue-head", classes="view-head")
        yield Input(placeholder="any word of it; escape to clear", classes="filter")
        with Horizontal(classes="split"):
            yield VirtualTable(COLUMNS, marks=True, empty="Looking …", id="queue-table")
            yield Static(id="queue-look", classes="side")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Who only reads is offered no act."""
        if action in {"mark", "bulk"}:
            return any(each.mine for each in self._lines)
        return super().check_action(action, parameters)

    @property
    def _asked(self) -> dict[str, Any]:
        """What is asked for, beside the order: the view, and the filter on top of it."""
        view = dict(self._views[self._saved][1])
        wanted = f"{view.pop('text', None) or ''} {self.query_one(Input).value}"
        wanted = " ".join(wanted.split())[:100]
        return {**view, "text": wanted or None}

    @property
    def _query(self) -> CheckpointQuery:
        """The rows that are shown: of the open group, if there are groups."""
        group = next((each for each in self._groups if each.name == self._opened), None)
        if self._group is not None and group is not None:
            return group.query.model_copy(update={"sort": self._sort, "limit": MAX_PAGE})
        return CheckpointQuery(**self._asked, sort=self._sort, limit=MAX_PAGE)

    @work(exclusive=True, group="queue")
    async def load(self) -> None:
        """Ask what waits: as much as is looked at."""
        if not self.console.signed_in or self.taken_down:
            return  # nobody is here, or something has changed in the meantime
        if len(self._lines) > _LIVE_UP_TO:
            self._behind = True
            self._show()
            return
        await self._load_anew(len(self._lines))

    async def _load_anew(self, count: int) -> None:
        self._saved = self._saved or "mine"
        asked = None if self._group else self._query
        overview, page = await asyncio.gather(self._counts(), self._first_page(asked))
        if overview is None or self.taken_down:
            return  # the last answer came while there was something to show it on, or it did not
        if not self._chosen:  # until someone chooses: what waits for them, once there is something
            nothing = "all" if self._guessed else self._saved
            self._saved = "mine" if overview.mine.count else nothing
        self._guessed = False
        if self._group is not None and not await self._load_groups(self._group):
            return
        query = self._query if self._group is None or self._opened else None
        page = page if query == asked else await self._page(query)
        found: list[CheckpointLine] = []
        after: str | None = None
        while query is not None:
            if page is None:
                return
            found += page.checkpoints
            after = page.next
            if after is None or len(found) >= count:
                break
            page = await self._page(query, after)
        self._lines, self._next, self._count, self._behind = found, after, overview.open, False
        self._mine = overview.mine
        self._show()

    async def _first_page(self, asked: CheckpointQuery | None) -> CheckpointPage | None:
        """The first page; where nothing is shown yet it is at once, before all is counted."""
        page = await self._page(asked)
        if page is not None and self._count is None and page.checkpoints:
            self._lines, self._next = list(page.checkpoints), page.next
            self._show()
        return page

    async def _counts(self) -> Overview | None:
        """How much there is; asked for in here, so that nothing is left over if it is cut off."""
        return await self.ask(self.session.gateway.overview())

    async def _page(
        self, query: CheckpointQuery | None, after: str | None = None
    ) -> CheckpointPage | None:
        """A page, if there is anything to ask."""
        return await self.ask(self.session.gateway.page(query, after)) if query else None

    async def _load_groups(self, by: Grouping) -> bool:
        """The first groups; the one that was open stays so, else the first is."""
        query = GroupQuery(**self._asked, by=by, limit=_GROUPS)
        page = await self.ask(self.session.gateway.groups(query))
        if page is None:
            return False
        self._groups, self._more_groups = list(page.groups), page.next
        names = [each.name for each in self._groups]
        if self._opened is None or self._opened not in {"", *names}:
            self._opened = names[0] if names else ""
        return True

    @work(exclusive=True, group="queue")
    async def look_anew(self) -> None:
        """Another question: from its first page."""
        await self._load_anew(0)

    @work(exclusive=True, group="queue-groups")
    async def more_groups(self) -> None:
        """The next page of groups."""
        after, by = self._more_groups, self._group
        if after is None or by is None:
            return
        query = GroupQuery(**self._asked, by=by, limit=_GROUPS)
        page = await self.ask(self.session.gateway.groups(query, after))
        if page is not None and (self._more_groups, self._group) == (after, by):
            self._groups += page.groups
            self._more_groups = page.next
            self._show()

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
        table, columns = self.query_one(VirtualTable), columns_for(lines)
        table.sorted_by = next((k for k, v in BY_COLUMN.items() if self._sort in v), "")
        filtered = bool(self.query_one(Input).value.strip())
        nothing = f"Nothing here: {self._views[self._saved][0]}."
        table.say("Nothing fits the filter." if filtered else nothing)
        rows = self._rows(lines)
        self._by_group = {key: each for key, each in rows if isinstance(each, CheckpointGroup)}
        table.show(Rows.of([*dict(rows)], lambda at: self._cells(rows[at][1], columns)), columns)
        self._say()
        self._look()
        self.screen.refresh_bindings()

    def _say(self) -> None:
        marked = len(self.query_one(VirtualTable).marked)
        shown = f"{len(self._lines)}{' and more' if self._next else ''}"
        self.query_one("#queue-head", Static).update(
            said(
                (f"{self._views[self._saved][0]}: {shown}", "strong"),
                (f"  ·  {marked} marked" if marked else "", "accent"),
                ("  ·  something changed: f5" if self._behind else "", "warn"),
                in_all(self._count, self._mine, self._sort, self._group),
            )
        )

    def _rows(self, lines: list[CheckpointLine]) -> list[tuple[str, _Row]]:
        """The lines; or the groups, with the lines of the open one below its name."""
        listed: list[tuple[str, _Row]] = [(e.id, e) for e in lines]
        if self._group is None:
            return listed
        made: list[tuple[str, _Row]] = []
        for each in self._groups:
            made.append((f"{_GROUP}{each.name}", each))
            made += listed if each.name == self._opened else []
        return made

    def _cells(self, row: _Row, columns: Sequence[Column]) -> Sequence[Cell]:
        gateway = self.session.gateway
        if isinstance(row, CheckpointLine):
            return line_cells(row, gateway.newest_definition(row.process), columns)
        definition = gateway.newest_definition(row.query.process) if row.query.process else None
        return group_cells(row, definition, opened=row.name == self._opened)

    def _look(self) -> None:
        table = self.query_one(VirtualTable)
        line = self._by_id.get(table.row)
        made: list[Piece] = [("Nothing is selected.", "muted")]
        if line is not None:
            made = line_look(line, self.session.gateway.newest_definition(line.process))
        elif table.row in self._by_group:
            made = [("Enter opens the group, or closes it.", "muted")]
        self.query_one("#queue-look", Static).update(said(*made), layout=False)

    # --- acts ----------------------------------------------------------------------------------

    @on(VirtualTable.Moved)
    def moved(self) -> None:
        """Look at another row; ask for more before the last one is reached."""
        self._look()
        table = self.query_one(VirtualTable)
        last = self._lines[-1].id if self._lines else ""
        if self._next and table.cursor >= (table.rows.index_of(last) or 0) - _AHEAD:
            self.more()
        if self._more_groups and table.cursor >= table.rows.count - _AHEAD:
            self.more_groups()

    @on(VirtualTable.Opened)
    def opened(self, event: VirtualTable.Opened) -> None:
        """Open the row's case, or its group."""
        if event.row in self._by_id:
            self._open(event.row)
        elif event.row in self._by_group:
            name = self._by_group[event.row].name
            self._opened = "" if self._opened == name else name
            self.look_anew()

    @on(VirtualTable.HeaderClicked)
    def header(self, event: VirtualTable.HeaderClicked) -> None:
        """Sort by a column."""
        orders = BY_COLUMN.get(event.key, ())
        if orders:
            self._sort = following(orders, self._sort) if self._sort in orders else orders[0]
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

    def action_bulk(self, verdict: str) -> None:
        """One word on all that is marked, each on its own evidence."""
        marked = self.query_one(VirtualTable).marked
        chosen = [each for each in self._lines if each.id in marked]
        if not chosen:
            self.app.notify("Mark what you mean with the space bar first.", markup=False)
            return
        from tui.screens.bulk import Bulk  # noqa: PLC0415 - not before the first screen

        self.app.push_screen(Bulk(chosen, Verdict(verdict)))

    def action_saved(self) -> None:
        """The next saved view."""
        self._go_to(following(list(self._views), self._saved or "mine"))

    def _go_to(self, view: str) -> None:
        self._saved, self._chosen = view, True
        self._sort = self._views[view][1].get("sort", self._sort)
        self.look_anew()

    def action_keep(self) -> None:
        """Save what is shown as a view of one's own; rename or delete one."""
        from tui.screens.own_views import OwnViews  # noqa: PLC0415 - not before the first screen

        shown = self._asked if self._saved else {}
        told = CheckpointQuery(**shown, sort=self._sort).model_dump(
            mode="json", exclude_defaults=True
        )
        told = {{"waits_for": "for"}.get(name, name): value for name, value in told.items()}
        told = {name: "true" if value is True else value for name, value in told.items()}
        self.app.push_screen(OwnViews(urlencode(told), self._saved), self._kept)

    def _kept(self, view: str | None) -> None:
        self._learn_views()
        if view in self._views:
            self.action_clear()
            self._go_to(view)
        elif not self._saved:
            self._go_to("all")

    def action_group(self) -> None:
        """The next way to group, the last of which is none."""
        self._group = following([None, *GROUPS], self._group)
        self._groups, self._more_groups, self._opened = [], None, None
        self.look_anew()

    def action_sort(self) -> None:
        """The next order."""
        self._sort = following(list(SORTS), self._sort)
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
