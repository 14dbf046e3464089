"""What must hold after a run, whatever befell the parts: each that does not is a bug.

1. Each draw ends once and right: its figures are those of an undisturbed one.
2. The money paid is the money approved is the money on the ledger.
3. Every decision counts once.
4. The ledger goes on from every head that anyone has seen, and verifies: each case's part of it
   after its run, all of it at the end of the stack.
5. Every case replays.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.chaos.draws import Played
from bench.chaos.stack import Stack
from lender.demo import Books
from lender.servicing import payments_made
from placet.audit import LogFiles, read_bundle, replay, verify_bundle, write_bundle
from placet.audit._verify import first_wrong
from placet.ledger import Checkpoint, NoteVerifier, open_checkpoint
from workflows.loan_draw import PROCESS

_CENTS = 100
_DISBURSED = "disbursement"


@dataclass(frozen=True)
class Figures:
    """What a draw came to, without what names its loan."""

    result: str | None
    payments: tuple[tuple[str, int], ...]
    parts: tuple[str, ...]
    findings: tuple[str, ...]
    proposed: str


def figures(stack: Stack, files: LogFiles, played: Played) -> Figures:
    """What a draw came to."""
    with Books.of(stack.lender) as books:
        paid = payments_made(books.servicing, played.loan)
    base = int(played.loan.removeprefix("L-")) * 10
    payments = ((int(each.payee.removeprefix("P-")) - base, each.amount_cents) for each in paid)
    settled = _entries(files, played.case, "grant.settled")
    parts = {part["name"] for each in settled for part in each["data"].get("parts", ())}
    views = [each for each in files.checkpoints.values() if each.case == played.case]
    proposals = [each.evidence.proposal for each in views]
    found = {f"{each.check}:{each.severity}" for own in proposals for each in own.findings}
    return Figures(
        result=played.view.result if played.view else None,
        payments=tuple(sorted((f"P{payee}", cents) for payee, cents in payments)),
        parts=tuple(sorted(parts)),
        findings=tuple(sorted(found)),
        proposed=",".join(sorted(f"{each.amount:.2f}" for each in proposals)),
    )


async def broken_by(
    stack: Stack, files: LogFiles, played: Played, usual: dict[str, Figures]
) -> list[str]:
    """Every invariant that does not hold of a draw, in words, by its case's part of the log."""
    troubles = [*verify_bundle(read_bundle(write_bundle(files, played.case))).troubles]
    troubles += (await replay(files, played.case, [PROCESS.workflow])).troubles
    found = [f"{each.place}: {each.found}" for each in troubles]
    found += _of(stack, files, played, usual)
    return [f"{played.loan} ({played.kind}): {each}" for each in found]


@dataclass
class Heads:
    """Every head that anyone has seen of a log, each with its signature verified once."""

    verifier: NoteVerifier
    _seen: dict[str, Checkpoint] = field(default_factory=dict)

    def note(self, head: str) -> None:
        """Keep a head.

        Raises:
            LedgerError: it is not the log's.
        """
        if head not in self._seen:
            self._seen[head] = open_checkpoint(head, [self.verifier])

    def broken_by(self, entries: Sequence[bytes]) -> list[str]:
        """How the ledger does not go on from one of them, in words."""
        wrong = first_wrong(entries, sorted(self._seen.values(), key=lambda each: each.size))
        if wrong is None:
            return []
        return [f"the ledger: from entry {wrong[0]} on, it is not what a head of {wrong[1]} says"]


def _of(stack: Stack, files: LogFiles, played: Played, usual: dict[str, Figures]) -> Iterator[str]:
    now, expected = figures(stack, files, played), usual.get(played.kind)
    if expected is not None and now != expected:
        yield f"its figures are {now}, and undisturbed {expected}"
    approved = int(played.approved * _CENTS)
    paid = sum(cents for _, cents in now.payments)
    told = _on_ledger(files, played.case)
    if not approved == paid == told:
        yield f"approved {approved}, paid {paid}, on the ledger {told} cents"
    closed = _entries(files, played.case, "case.closed")
    if len(closed) != 1:
        yield f"it was closed {len(closed)} times"
    decided = _entries(files, played.case, "decision.recorded")
    counts = Counter((each["actor"], each["data"]["checkpoint"]) for each in decided)
    if any(times != 1 for times in counts.values()):
        yield f"decisions counted: {dict(counts)}"
    recorded = {each["data"]["decision"] for each in decided}
    signed = {each for each in played.signed.values() if each}
    if signed != recorded:
        yield f"decisions signed {sorted(signed)}, recorded {sorted(recorded)}"


def _on_ledger(files: LogFiles, case: str) -> int:
    """What the settled part of the case's payment says, in cents."""
    digests = {
        part["digest"]
        for each in _entries(files, case, "grant.settled")
        for part in each["data"].get("parts", ())
        if part["name"] == _DISBURSED
    }
    amounts = {_paid(files, each) for each in digests}
    if not amounts:
        return 0
    return amounts.pop() if len(amounts) == 1 else -1


def _paid(files: LogFiles, digest: str) -> int:
    said = json.loads(files.parts[digest].content)["data"]
    return int(Decimal(str(said["amount"])) * _CENTS)


def _entries(files: LogFiles, case: str, type_: str) -> list[dict[str, Any]]:
    name, kind = case.encode(), f'"type":"{type_}"'.encode()
    found = [json.loads(each) for each in files.entries if name in each and kind in each]
    return [each for each in found if each.get("case") == case]
