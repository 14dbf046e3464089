"""A panel of a case's screen: rows under labels, and a closer look at each row."""

from dataclasses import dataclass

from tui.said import Piece
from tui.widgets.table import Cell, Column


@dataclass(frozen=True)
class PanelRow:
    """One row: its cells, what a closer look says, and the places that it cites.

    ``item`` names it where amounts may be taken off, ``attached`` the act that attached its file.
    """

    cells: tuple[Cell, ...]
    look: tuple[Piece, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    item: str = ""
    attached: str = ""


@dataclass(frozen=True)
class Panel:
    """A title, its rows, and how many of them want a look."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[PanelRow, ...]
    marked: int = 0
    tone: str = "bad"
    nothing: str = ""
