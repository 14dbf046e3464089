"""What is handed in at the lender's: packets, right and wrong, and moves of a budget."""

import io
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

import openpyxl
import pypdf

from lender import storage
from lender.demo import Books
from lender.model import LoanFile, Move, Moves
from lender.samples import (
    PACKET_DEFECTS,
    PERIOD_ENDS,
    plan_draw,
    write_hostile,
    write_packet,
)

_KINDS = ("clean", "defect", "smudged", "hostile")


@dataclass
class Paperwork:
    """Who writes it, and what stood in a cell that nobody can read now."""

    dice: Random
    books: Books
    folder: Path
    smudged: dict[str, str] = field(default_factory=dict)
    written: int = 0

    def moves(self, loan: LoanFile) -> Moves:
        """Some that fit the loan, mostly."""
        items = [row.item for row in loan.schedule]
        made = []
        for _ in range(self.dice.choice((1, 1, 2))):
            one, other = self.dice.sample(items, 2)
            amount = Decimal(self.dice.choice(("10.00", "250.00", "999.99", "90000.00")))
            made.append(Move(from_item=one, to_item=other, amount=amount, reason="the bids"))
        return Moves(moves=tuple(made))

    def store(self, loan: LoanFile, number: int, kind: str | None = None) -> str:
        """Put a packet of the loan's next draw into storage, as that of some draw; its version."""
        period = PERIOD_ENDS[min(len(loan.prior_draws), len(PERIOD_ENDS) - 1)]
        share = Decimal(self.dice.choice(("0.07", "0.07", "0.30", "0.60")))
        soft = loan.budget[1].amount * Decimal(self.dice.choice(("0.05", "0.10", "0.45")))
        plan = plan_draw(loan, period, share, soft.quantize(Decimal("0.01")))
        self.written += 1
        folder = self.folder / f"packet-{self.written}"
        kind = kind or self.dice.choices(_KINDS, (9, 5, 2, 0.5))[0]
        if kind == "defect":
            for check in self.dice.sample(sorted(PACKET_DEFECTS), self.dice.choice((1, 1, 2))):
                PACKET_DEFECTS[check](plan)
        (write_hostile if kind == "hostile" else write_packet)(plan, folder)
        if kind == "smudged":
            self._smudge(folder)
        files = storage.read_packet_folder(folder)
        return str(storage.store_packet(self.books.storage, loan.loan_id, number, files))

    def _smudge(self, folder: Path) -> None:
        if self.dice.random() < 0.5:
            writer, made = pypdf.PdfWriter(), io.BytesIO()
            writer.add_blank_page(width=300, height=300)
            writer.write(made)
            (folder / "title.pdf").write_bytes(made.getvalue())
            return
        file, cell = folder / "pay-application.xlsx", self.dice.choice(("E2", "D3", "G4"))
        book = openpyxl.load_workbook(file)
        found = book["G703"][cell]
        self.smudged[f"G703!{cell}"], found.value = str(found.value), "§§"
        book.save(file)
