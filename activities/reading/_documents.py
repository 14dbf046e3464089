"""A document's words by page or cell, as code reads them (I12)."""

from collections.abc import Mapping

from activities.packet._grids import UnreadableFile, read_grids
from activities.packet._pdf import read_pdf

_CELL = 2_000


def read_words(name: str, data: bytes) -> Mapping[str, str]:
    """The words of each page of a PDF, or of each cell of a sheet, by its spot.

    Raises:
        UnreadableFile: it is damaged, too large, has no text, or is of another kind.
    """
    lower = name.lower()
    if lower.endswith(".pdf"):
        pages: dict[str, list[str]] = {}
        for line, place in read_pdf(name, data).lines:
            pages.setdefault(place.spot, []).append(line)
        return {spot: "\n".join(lines) for spot, lines in pages.items()}
    if lower.endswith((".xlsx", ".csv")):
        return {
            cell.spot: str(cell.value)[:_CELL]
            for grid in read_grids(name, data)
            for row in grid.rows
            for cell in row
            if cell.value is not None
        }
    raise UnreadableFile("neither XLSX, CSV nor PDF")
