"""How an approved reallocation becomes part of its loan, and how its document is read."""

import csv
import io
import json
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from lender.model import LoanFile, Moves, Reallocation, budget_after, check_moves
from placet.model import first_error

MAX_DOCUMENT = 256 * 1024
"""Bytes of a document of moves: two hundred moves with their reasons."""

_COLUMNS = {
    "from item": "from_item",
    "to item": "to_item",
    "amount": "amount",
    "reason": "reason",
}


class ReallocationRefused(ValueError):
    """The loan can't take these moves; the message says why."""


def after_reallocation(
    loan: LoanFile, number: int, moves: Moves, approved_by: str, today: date
) -> LoanFile:
    """The loan after its approved budget was reallocated; the version rises.

    Raises:
        ReallocationRefused: the moves don't fit the loan as it is.
    """
    check = check_moves(loan, number, moves, today)
    if check.findings:
        raise ReallocationRefused(check.findings[0].message)
    changed = budget_after(loan, moves)
    approved = (
        Reallocation(
            from_item=move.from_item,
            to_item=move.to_item,
            amount=move.amount,
            approved_by=approved_by,
        )
        for move in moves.moves
    )
    return loan.model_copy(
        update={
            "version": loan.version + 1,
            "budget": tuple(
                line.model_copy(update={"amount": changed[line.id]}) for line in loan.budget
            ),
            "reallocations": (*loan.reallocations, *approved),
        }
    )


def read_moves(file: Path) -> Moves:
    """Read a document of moves: JSON, or CSV with From item, To item, Amount and Reason.

    Raises:
        ValueError: it can't be read; the message says where and why.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    if len(content) > MAX_DOCUMENT:
        raise ValueError(f"{file} is larger than {MAX_DOCUMENT} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8") from None
    try:
        if file.suffix.lower() == ".csv":
            text = json.dumps({"moves": _rows(file, text)})
        return Moves.model_validate_json(text)
    except ValidationError as error:
        where, said = first_error(error)
        raise ValueError(f"{file}: {where or 'the document'}: {said}") from None


def _rows(file: Path, text: str) -> list[dict[str, str]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if any(row)]
    except csv.Error as error:
        raise ValueError(f"{file}: {error}") from None
    names = [each.strip().lower() for each in rows[0]] if rows else []
    if sorted(names) != sorted(_COLUMNS):
        raise ValueError(f"{file}: the first row must name From item, To item, Amount and Reason")
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"{file}: a row has not {len(names)} cells")
    return [
        {_COLUMNS[name]: cell.strip() for name, cell in zip(names, row, strict=True)}
        for row in rows[1:]
    ]
