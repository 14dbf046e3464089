"""A reallocation of the approved budget: what is asked, what speaks against it, what was done.

Value moves between rows of the schedule of values, and with it between the hard-cost lines that
they back. Each move takes from one row what it gives to another, so that the sum can't change.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from pydantic import Field

from lender.model._checked import finding, not_open, result
from lender.model._draws import MAX_DRAW, MAX_VERSION, ItemId, LoanId, Text
from lender.model._loan import LoanFile
from placet.model import (
    CheckResult,
    Digest,
    Finding,
    Model,
    Money,
    digest_json,
)

MAX_MOVES = 200
"""Moves of one reallocation: a schedule of values has 30 to 60 rows."""

MOVE_CHECKS = ("moves.amounts", "moves.rows", "moves.billed", "moves.lines", "moves.loan")
"""The checks of a reallocation, in the order of reading."""

_DOCUMENT = "the reallocation and its loan"


class Move(Model):
    """An amount that goes from one row to another, and why."""

    from_item: ItemId
    to_item: ItemId
    amount: Money
    reason: Text


class Moves(Model):
    """The moves of one reallocation in one spelling: what people approve is its digest."""

    moves: tuple[Move, ...] = Field(min_length=1, max_length=MAX_MOVES)

    @property
    def digest(self) -> Digest:
        """The digest that fixes them."""
        return digest_json(self)

    @property
    def amount(self) -> Decimal:
        """How much moves, all in all."""
        return sum((each.amount for each in self.moves), Decimal("0.00"))


class MovedRow(Model):
    """A row that moves touch: before them, after them, and what was billed of it to date."""

    item: ItemId
    before: Money
    after: Money
    billed: Money


class ReallocationCheck(Model):
    """What the check of a reallocation found. ``as_of`` is the day that it looked, in UTC."""

    as_of: date
    loan: LoanId
    reallocation: int = Field(ge=1, le=MAX_DRAW)
    loan_version: int = Field(ge=1, le=MAX_VERSION)
    moves: Digest
    results: tuple[CheckResult, ...]
    rows: tuple[MovedRow, ...]
    amount: Money

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    @property
    def version(self) -> str:
        """The state that people approve: these moves, on this state of the loan."""
        return reallocation_version(self.loan_version, self.moves)


class Reallocated(Model):
    """What loan servicing has done: the loan's version after it."""

    loan: LoanId
    reallocation: int
    moves: Digest
    amount: Money
    version: int


def reallocation_version(loan_version: int, moves: Digest) -> str:
    """How loan servicing names the state of a reallocation: its loan's version, and its moves."""
    return f"{loan_version}.{moves}"


def check_moves(loan: LoanFile, reallocation: int, moves: Moves, today: date) -> ReallocationCheck:
    """Check a reallocation against its loan; the same values give the same bytes."""
    found = tuple(_found(loan, moves, today))
    return ReallocationCheck(
        as_of=today,
        loan=loan.loan_id,
        reallocation=reallocation,
        loan_version=loan.version,
        moves=moves.digest,
        results=tuple(result(check, found) for check in MOVE_CHECKS),
        rows=_moved_rows(loan, moves),
        amount=moves.amount,
    )


def _moved_rows(loan: LoanFile, moves: Moves) -> tuple[MovedRow, ...]:
    """The rows that moves touch, as far as the schedule of values has them."""
    changes = _changes(moves)
    before, billed = loan.approved_values, loan.billed_to_date
    return tuple(
        MovedRow(
            item=item,
            before=before[item],
            after=before[item] + changes[item],
            billed=billed.get(item, Decimal("0.00")),
        )
        for item in sorted(changes)
        if item in before
    )


def budget_after(loan: LoanFile, moves: Moves) -> dict[ItemId, Decimal]:
    """The amount of each budget line after the moves: a line changes with the rows that back it."""
    lines = {row.item: row.budget_line for row in loan.schedule}
    amounts = {line.id: line.amount for line in loan.budget}
    for item, change in _changes(moves).items():
        if item in lines:
            amounts[lines[item]] += change
    return amounts


def _changes(moves: Moves) -> dict[str, Decimal]:
    changes: dict[str, Decimal] = {}
    for move in moves.moves:
        changes[move.from_item] = changes.get(move.from_item, Decimal("0.00")) - move.amount
        changes[move.to_item] = changes.get(move.to_item, Decimal("0.00")) + move.amount
    return changes


def _found(loan: LoanFile, moves: Moves, today: date) -> Iterator[Finding]:
    asked = f"loan/{loan.loan_id}/reallocation"
    known = {row.item for row in loan.schedule}
    for number, move in enumerate(moves.moves, 1):
        spot = f"move {number}"
        if move.amount <= 0:
            yield finding(
                _DOCUMENT,
                "moves.amounts",
                f"{number}",
                f"{spot} moves nothing, or less",
                (asked, move.amount),
            )
        if move.from_item == move.to_item:
            yield finding(
                _DOCUMENT,
                "moves.amounts",
                f"{number}:same",
                f"{spot} goes from item {move.from_item} to itself",
                (asked, move.amount),
            )
    for item in sorted(set(_changes(moves)) - known):
        yield finding(
            _DOCUMENT,
            "moves.rows",
            item,
            f"the approved schedule of values has no item {item}",
            (asked, item),
        )
    for row in _moved_rows(loan, moves):
        least = max(row.billed, Decimal("0.00"))
        if row.after < least and row.after < row.before:
            yield finding(
                _DOCUMENT,
                "moves.billed",
                row.item,
                f"item {row.item} would fall below what was billed of it to date",
                ("after the moves", row.after),
                ("billed to date", row.billed),
            )
    before = {line.id: line.amount for line in loan.budget}
    for line, amount in budget_after(loan, moves).items():
        if amount < 0 and amount < before[line]:
            yield finding(
                _DOCUMENT,
                "moves.lines",
                line,
                f"budget line {line} would be less than nothing",
                ("after the moves", amount),
            )
    yield from not_open(_DOCUMENT, "moves.loan", loan, today)
