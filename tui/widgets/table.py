"""A table that draws only the lines that are seen: 100,000 rows cost what ten do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.text import fit, shortened

TONES = ("plain", "muted", "good", "warn", "bad", "accent")
"""How a cell weighs. A tone never stands alone: the cell's words say the same."""

_GAP = 2
_SHORTEST = 14
"""Cells that a name is shortened to where there is no room even without what may be left out."""


@dataclass(frozen=True)
class Column:
    """A column: at least so wide, growing by its share of what is left, to ``most`` if that is set.

    Where the table is too narrow, columns of the highest ``drop`` are left out first, and what
    ``names`` something keeps the end of a long name. Where that is not enough, columns shrink to
    their ``least``, names at last; then those of a negative ``drop`` go: half a value is another.
    """

    label: str
    width: int
    grow: int = 0
    right: bool = False
    drop: int = 0
    key: str = ""
    most: int = 0
    names: bool = False
    least: int = 0

    @property
    def smallest(self) -> int:
        """How far it shrinks."""
        return self.least or (_SHORTEST if self.names else self.width)


@dataclass(frozen=True)
class Cell:
    """Harmless text, its tone, and what stands for the text where that has no room."""

    text: str
    tone: str = "plain"
    short: str = ""


@dataclass(frozen=True)
class Rows:
    """What a table shows: how many rows, each row's id, and its cells when they are seen."""

    count: int = 0
    id_of: Callable[[int], str] = str
    cells_of: Callable[[int], Sequence[Cell]] = lambda _: ()
    index_of: Callable[[str], int | None] = lambda _: None

    @classmethod
    def of(cls, ids: Sequence[str], cells: Callable[[int], Sequence[Cell]]) -> "Rows":
        """Rows of a list."""
        places = {each: index for index, each in enumerate(ids)}
        return cls(len(ids), ids.__getitem__, cells, places.get)


@dataclass
class _Layout:
    columns: list[tuple[int, Column, int]] = field(default_factory=list)


class VirtualTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows under a header; a cursor that stays on its row while the rows change around it.

    A view's own scrolling keys are not inherited: left and right are the screens', to step and to
    turn pages, and help named the wrong ones.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False, id="table.page-down"),
        Binding("home,g", "edge(-1)", "First", show=False, id="table.first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="table.last"),
        Binding(
            "ctrl+c",
            "copy",
            "Copy row",
            show=False,
            id="table.copy",
            tooltip="Copy the row's text through the terminal, or what the mouse has selected",
        ),
        Binding("enter", "open", "Open", id="table.open", tooltip="Open what the cursor is on"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--cursor-blurred",
        "table--even",
        *(f"table--{each}" for each in TONES),
    }
    cursor: reactive[int] = reactive(0, repaint=False)  # two lines of it are, below

    class Moved(Message):
        """The cursor is on another row."""

        def __init__(self, table: "VirtualTable", row: str) -> None:
            super().__init__()
            self.table = table
            self.row = row

        @property
        def control(self) -> "VirtualTable":
            """The table."""
            return self.table

    class Opened(Moved):
        """A row was opened: by ``enter`` or a second click."""

    class HeaderClicked(Message):
        """A column's label was clicked."""

        def __init__(self, table: "VirtualTable", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "VirtualTable":
            """The table."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        marks: bool = False,
        empty: str = "Nothing here.",
        id: str | None = None,  # noqa: A002 - Textual's own name for it
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.columns = list(columns)
        self.rows = Rows()
        self.marked: set[str] = set()
        self.sorted_by = ""
        self._empty = empty
        self._with_marks = marks
        self._layout_made = _Layout()

    # --- what is shown -------------------------------------------------------------------------

    def show(self, rows: Rows, columns: Sequence[Column] | None = None) -> None:
        """Show other rows; the cursor stays on its row if that is still there."""
        held = self.row
        offset = self.cursor - round(self.scroll_y)
        self.rows = rows
        if columns is not None:
            self.columns = list(columns)
        self.marked = {each for each in self.marked if rows.index_of(each) is not None}
        self._measure()
        place = rows.index_of(held) if held else None
        wanted = self.cursor if place is None else place
        self.set_reactive(VirtualTable.cursor, max(0, min(wanted, rows.count - 1)))
        if place is not None:
            self._scroll(self.cursor - offset)
        self.refresh()
        if self.row != held:
            self.post_message(self.Moved(self, self.row))

    def say(self, empty: str) -> None:
        """What an empty table says."""
        self._empty = empty
        self.refresh()

    @property
    def row(self) -> str:
        """The id of the row under the cursor; empty if there is none."""
        return self.rows.id_of(self.cursor) if self.cursor < self.rows.count else ""

    def go_to(self, row: str) -> None:
        """Put the cursor on a row, if it is there."""
        place = self.rows.index_of(row)
        if place is not None:
            self.cursor = place

    def toggle_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away."""
        if self.row:
            self.marked ^= {self.row}
            self.refresh()
            self.action_move(1)

    @property
    def _seen(self) -> int:
        """The cells of a line that can be seen: what stands under a scroll bar can't."""
        scrolls = self.rows.count + 1 > self.size.height > 0
        return self.size.width - (self.styles.scrollbar_size_vertical if scrolls else 0)

    def _measure(self) -> None:
        width = self._seen or 80
        lead = 2 if self._with_marks else 0
        chosen = list(enumerate(self.columns))
        while len(chosen) > 1:
            worst = max((each.drop for _, each in chosen if each.drop), default=0)
            if not worst or self._needed(chosen, least=worst < 0) + lead <= width:
                break
            last = max(at for at, (_, each) in enumerate(chosen) if each.drop == worst)
            del chosen[last]
        spare = max(0, width - lead - self._needed(chosen))
        lacks = self._lacks(chosen, self._needed(chosen) + lead - width)
        shares = sum(each.grow for _, each in chosen)
        made: list[tuple[int, Column, int]] = []
        for index, column in chosen:
            extra = spare * column.grow // shares if shares else 0
            wide = column.width + extra - lacks[index]
            made.append((index, column, min(wide, column.most) if column.most else wide))
        self._layout_made = _Layout(made)
        total = sum(size for _, _, size in made) + _GAP * (len(made) - 1) + lead
        self.virtual_size = Size(max(width, total), self.rows.count + 1)

    @staticmethod
    def _needed(chosen: Sequence[tuple[int, Column]], *, least: bool = False) -> int:
        return sum((each.smallest if least else each.width) + _GAP for _, each in chosen) - _GAP

    @staticmethod
    def _lacks(chosen: Sequence[tuple[int, Column]], lack: int) -> dict[int, int]:
        """What each column gives of what is lacking, those that name something last."""
        given: dict[int, int] = {}
        for index, each in sorted(chosen, key=lambda one: one[1].names):
            given[index] = max(0, min(lack - sum(given.values()), each.width - each.smallest))
        return given

    def on_resize(self) -> None:
        """The columns are laid out anew."""
        self._measure()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line: the header stays on top."""
        width = self.size.width
        scroll_x, scroll_y = self.scroll_offset
        if y == 0:
            return self._line(self._header(), self.get_component_rich_style("table--header"), width)
        index = y - 1 + scroll_y
        base = self.rich_style
        if self.rows.count == 0 and y == 1:
            muted = base + self.get_component_rich_style("table--muted")
            return Strip([Segment(fit("  " + self._empty, width), muted)], width)
        if index >= self.rows.count:
            return Strip.blank(width, base)
        cursor = index == self.cursor
        if cursor:
            name = "table--cursor" if self.has_focus else "table--cursor-blurred"
            base = base + self.get_component_rich_style(name)
        line = self._line(self._cells(index), base, self.virtual_size.width, plain=cursor)
        return line.crop(scroll_x, scroll_x + width).extend_cell_length(width, base)

    def _header(self) -> list[tuple[str, str]]:
        made = [("  ", "plain")] if self._with_marks else []
        for _, column, size in self._layout_made.columns:
            sign = " ▾" if column.key and column.key == self.sorted_by else ""
            label = fit(column.label + sign, size, right=column.right)
            made.append((label + " " * _GAP, "plain"))
        return made

    def _cells(self, index: int) -> list[tuple[str, str]]:
        cells = self.rows.cells_of(index)
        made: list[tuple[str, str]] = []
        if self._with_marks:
            made.append(("✓ " if self.rows.id_of(index) in self.marked else "  ", "accent"))
        if len(cells) == 1 < len(self._layout_made.columns):  # it says what stands below it
            width = max(0, self._seen - 2 * len(made))
            return [*made, (fit(cells[0].text, width), cells[0].tone)]
        for at, column, size in self._layout_made.columns:
            cell = cells[at] if at < len(cells) else Cell("")
            text = shortened(cell.text, size) if column.names else cell.text
            text = cell.short if cell.short and cell_len(text) > size else text
            made.append((fit(text, size, right=column.right) + " " * _GAP, cell.tone))
        return made

    def _line(
        self, pieces: Sequence[tuple[str, str]], base: Style, width: int, *, plain: bool = False
    ) -> Strip:
        segments: list[Segment] = []
        for text, tone in pieces:
            style = base
            if tone != "plain" and not plain:
                # A tone has a colour of its own and the row's background.
                own = self.get_component_rich_style(f"table--{tone}", partial=True)
                style = base + Style(color=own.color, bold=own.bold, dim=own.dim)
            segments.append(Segment(text, style))
        used = sum(cell_len(text) for text, _ in pieces)
        segments.append(Segment(" " * max(0, width - used), base))
        return Strip(segments).crop(0, max(width, used))

    # --- moving --------------------------------------------------------------------------------

    def watch_cursor(self, old: int, new: int) -> None:
        """Keep the cursor in sight, and say where it is."""
        if old == new:
            return
        self._scroll_to_cursor()  # which draws all of it, if it scrolls
        self.refresh_line(old + 1)
        self.refresh_line(new + 1)
        if self.row:
            self.post_message(self.Moved(self, self.row))

    def validate_cursor(self, value: int) -> int:
        """The cursor stays inside."""
        return max(0, min(value, self.rows.count - 1))

    def _scroll_to_cursor(self) -> None:
        height = max(1, self.scrollable_content_region.height - 1)
        top = round(self.scroll_y)
        if self.cursor < top:
            self._scroll(self.cursor)
        elif self.cursor >= top + height:
            self._scroll(self.cursor - height + 1)

    def _scroll(self, top: int) -> None:
        # By force: of rows that are shown just now, the scroll bar is not there yet.
        self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def action_move(self, by: int) -> None:
        """Some rows up or down."""
        self.cursor += by

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self.cursor += by * max(1, self.size.height - 2)

    def action_edge(self, by: int) -> None:
        """To the first row or the last."""
        self.cursor = 0 if by < 0 else self.rows.count - 1

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.row:
            self.post_message(self.Opened(self, self.row))

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a second one opens; on the header it sorts."""
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y == 0:
            left = 2 if self._with_marks else 0
            for _, column, size in self._layout_made.columns:
                left += size + _GAP
                if at.x + round(self.scroll_x) < left:
                    if column.key:
                        self.post_message(self.HeaderClicked(self, column.key))
                    return
            return
        index = at.y - 1 + round(self.scroll_y)
        if index < self.rows.count:
            self.cursor = index
            if self._with_marks and at.x < 2:
                self.marked ^= {self.row}
                self.refresh()
            elif event.chain >= 2:
                self.action_open()

    def action_copy(self) -> None:
        """Copy the row, whole: cells that are cut off here, and columns that had no room, too."""
        if self.screen.get_selected_text() is not None:
            raise SkipAction  # the screen copies what is selected
        if self.rows.count:
            text = "\t".join(each.text for each in self.rows.cells_of(self.cursor) if each.text)
            self.app.copy_to_clipboard(text)
            self.app.notify(f"Copied: {fit(text, 40).strip()}", markup=False)

    def on_focus(self) -> None:
        """The cursor shows where the keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """The same."""
        self.refresh()

    def cell_region(self, row: str) -> Region | None:
        """Where a row is drawn, for tests that click on it."""
        place = self.rows.index_of(row)
        if place is None:
            return None
        return Region(0, place + 1 - round(self.scroll_y), self.size.width, 1)
