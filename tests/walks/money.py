"""What the lender's own books must say after a walk, held against the ledger alone.

1. Draws are numbered without a gap; what a draw paid is what its loan says was disbursed.
2. Each draw was paid once, under one grant, for an approval that stands: of that very analysis,
   over that very amount, by the people whom the matrix asked for when they were asked.
3. What the ledger says was paid was paid, and nothing else was; no case that ended otherwise paid.
4. Never beyond the commitment; beyond a budget line or a row, as people accepted alone.
5. A reallocation moved exactly what was approved; nothing else moved.
6. What was sent again is what came back: once each, under a grant of its own for an approval that
   stands, after a call-back; what was disbursed is as if it had gone out once.
"""

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlmodel import select

from lender.demo import Books
from lender.model import (
    Analysis,
    CameBack,
    LoanFile,
    Moves,
    PriorDraw,
    SentAgain,
    payments_digest,
)
from lender.servicing import payments_made
from lender.servicing._tables import DisbursementRow, LoanRow, PaymentRow, ReallocationRow
from placet.audit import LogFiles
from placet.model import (
    AuthorityMatrix,
    CaseView,
    CheckpointView,
    Mode,
    Need,
    Severity,
    digest_json,
)

_GUARDED = {
    "draw:disburse": "draw-approval",
    "budget:reallocate": "reallocation-approval",
    "payment:resend": "resend-approval",
}
_DONE = {
    "draw:disburse": "disbursement",
    "budget:reallocate": "reallocated",
    "payment:resend": "resent",
}
_RESULT = {**_DONE, "draw:disburse": "disbursed"}


class Ledger:
    """The entries of a log, by what they are about."""

    def __init__(self, files: LogFiles) -> None:
        self.files = files
        self.entries: list[dict[str, Any]] = [json.loads(each) for each in files.entries]
        self.grants = {e["data"]["grant"]: e for e in self.of("grant.issued")}
        self.case_of = {e["data"]["grant"]: e["case"] for e in self.of("grant.issued")}
        self.words: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for each in self.of("decision.recorded", "decision.withdrawn"):
            self.words[each["data"]["checkpoint"]].append(each)
        self.opened = {e["data"]["checkpoint"]: e for e in self.of("checkpoint.opened")}
        self.matrices = {
            digest_json(made): made
            for made in map(AuthorityMatrix.model_validate_json, files.matrices)
        }

    def of(self, *types: str) -> Iterator[dict[str, Any]]:
        return (each for each in self.entries if each["type"] in types)

    def settled(self, part: str) -> dict[str, list[str]]:
        """The digests of a part by the case that settled it."""
        found: dict[str, list[str]] = defaultdict(list)
        for each in self.of("grant.settled"):
            for one in each["data"].get("parts", ()):
                if one["name"] == part:
                    found[each["case"]].append(one["digest"])
        return found

    def said(self, digest: str) -> dict[str, Any]:
        """What a part says."""
        found: dict[str, Any] = json.loads(self.files.parts[digest].content)["data"]
        return found


@dataclass
class Judge:
    """What does not hold is in ``wrong``, in words."""

    books: Books
    ledger: Ledger
    cases: Mapping[str, CaseView]
    before: Mapping[str, LoanFile]

    def wrong(self) -> Iterator[str]:
        """All that does not hold."""
        paid_by: dict[str, set[str]] = {each: set() for each in _GUARDED}
        for loan in self.before:
            for what in self._of_loan(loan, paid_by):
                yield f"{loan}: {what}"
        for action, done in paid_by.items():
            yield from self._of_cases(action, done)

    # --- cases --------------------------------------------------------------------------------

    def _of_cases(self, action: str, done: set[str]) -> Iterator[str]:
        """Who is said to have done it did it, and nobody else."""
        said = {case for case, digests in self.ledger.settled(_DONE[action]).items() if digests}
        ended = {each.id for each in self.cases.values() if each.result == "ended"}
        named = {each.id for each in self.cases.values() if each.result == _RESULT[action]}
        if said - done:
            yield f"{action}: on the ledger and not in the books: {sorted(said - done)}"
        if done - said - ended:
            yield f"{action}: in the books and not on the ledger: {sorted(done - said)}"
        if named - done:
            yield f"{action}: ended as done, and nothing was: {sorted(named - done)}"
        if done - named - ended:
            yield f"{action}: done, and ended otherwise: {sorted(done - named)}"

    # --- one loan -----------------------------------------------------------------------------

    def _of_loan(self, loan: str, paid_by: dict[str, set[str]]) -> Iterator[str]:
        row, done, asked = self.books.servicing.run_here(
            lambda session: (
                session.get(LoanRow, loan),
                list(session.exec(select(DisbursementRow).where(DisbursementRow.loan == loan))),
                list(session.exec(select(ReallocationRow).where(ReallocationRow.loan == loan))),
            )
        )
        assert row is not None
        file, rows = row.file(), payments_made(self.books.servicing, loan)
        again = {
            each.again.payment.id: (draw.number, each, each.again)
            for draw in file.prior_draws
            for each in draw.came_back
            if each.again is not None
        }
        payments = [each for each in rows if each.id not in again]
        paid = sum(each.amount_cents for each in payments)
        figures = {
            "paid": paid,
            "disbursed": row.disbursed_cents,
            "in its file": int(file.disbursed * 100),
            "of its draws": sum(int(each.disbursed * 100) for each in file.prior_draws),
            "of disbursements": sum(each.amount_cents for each in done),
        }
        if len(set(figures.values())) != 1:
            yield f"its figures differ: {figures}"
        if paid > row.commitment_cents or row.commitment_cents != int(file.commitment * 100):
            yield f"{paid} was paid of {row.commitment_cents}, its file says {file.commitment}"
        numbers = sorted(each.draw for each in done)
        if numbers != list(range(1, len(file.prior_draws) + 1)):
            yield f"its draws are numbered {numbers}, its file has {len(file.prior_draws)}"
        by_draw = {each.number: each for each in file.prior_draws}
        for each in done:
            mine = [one for one in payments if one.draw == each.draw]
            for what in self._of_draw(each, by_draw[each.draw], mine, paid_by):
                yield f"draw {each.draw}: {what}"
        by_id = {each.id: each for each in rows}
        for draw, came_back, sent in again.values():
            for what in self._of_resend(file.loan_id, draw, came_back, sent, by_id, paid_by):
                yield f"payment {came_back.payment}: {what}"
        yield from self._of_reallocations(file, asked, paid_by)
        yield from self._within_lines(file, done, payments)

    def _of_draw(
        self,
        row: DisbursementRow,
        draw: PriorDraw,
        payments: Sequence[PaymentRow],
        paid_by: dict[str, set[str]],
    ) -> Iterator[str]:
        made = sorted((e.id, e.payee, e.account, e.amount_cents) for e in payments)
        said = sorted((e.id, e.payee, e.account, int(e.amount * 100)) for e in draw.payments)
        if made != said:
            yield f"paid {made}, its file says {said}"
        if len({each.grant for each in payments}) != 1:
            yield f"paid under {Counter(each.grant for each in payments)}"
            return
        grant = self.ledger.grants[payments[0].grant]
        paid_by["draw:disburse"].add(grant["case"])
        record = f"loan/{row.loan}/draw/{row.draw}"
        shown, troubles = self._approved(grant, "draw:disburse", record)
        yield from troubles
        if shown is None:
            return
        proposal = shown.evidence.proposal
        if proposal.amount is None or int(proposal.amount * 100) != row.amount_cents:
            yield f"approved {proposal.amount}, paid {row.amount_cents} cents"
        if proposal.payments_digest != payments_digest(draw.payments):
            yield "other payments were approved"
        if proposal.record_version != row.on_version:
            yield f"approved on {proposal.record_version}, paid on {row.on_version}"
        (digest,) = {e.digest for e in shown.evidence.items if e.name == "analysis"}
        analysis = Analysis.model_validate(self.ledger.said(digest))
        if (analysis.rows, analysis.payments, analysis.drawn) != (
            draw.rows,
            draw.payments,
            draw.drawn,
        ):
            yield "the loan took another analysis than people saw"
        if (analysis.loan, analysis.draw) != (row.loan, row.draw):
            yield f"paid on the analysis of draw {analysis.draw} of {analysis.loan}"
        for part in self.ledger.settled("disbursement")[grant["case"]]:
            told = Decimal(str(self.ledger.said(part)["amount"]))
            if int(told * 100) != row.amount_cents:
                yield f"the ledger says {told} was paid"

    def _of_resend(
        self,
        loan: str,
        draw: int,
        came_back: CameBack,
        sent: SentAgain,
        rows: Mapping[str, PaymentRow],
        paid_by: dict[str, set[str]],
    ) -> Iterator[str]:
        made, before = rows.get(sent.payment.id), rows.get(came_back.payment)
        if made is None or before is None:
            yield f"of {came_back.payment} and {sent.payment.id} one was not made"
            return
        said = (draw, sent.payment.payee, sent.payment.account, int(sent.payment.amount * 100))
        if (made.draw, made.payee, made.account, made.amount_cents) != said:
            yield f"sent again as {made}, its file says {said}"
        if (made.payee, made.amount_cents) != (before.payee, before.amount_cents):
            yield "sent to another payee, or another amount"
        grant = self.ledger.grants[made.grant]
        paid_by["payment:resend"].add(grant["case"])
        if grant["case"] != sent.approved_by:
            yield f"sent in {grant['case']}, its file says {sent.approved_by}"
        record = f"loan/{loan}/draw/{draw}/payment/{came_back.payment}"
        shown, troubles = self._approved(grant, "payment:resend", record)
        yield from troubles
        if shown is None:
            return
        proposal = shown.evidence.proposal
        if (proposal.amount, proposal.payments_digest) != (
            sent.payment.amount,
            payments_digest((sent.payment,)),
        ):
            yield "another payment was approved"
        if proposal.record_version != sent.on_version:
            yield f"approved on {proposal.record_version}, sent on {sent.on_version}"
        called = [
            each
            for each in self.ledger.files.checkpoints.values()
            if (each.case, each.name, each.status.value) == (grant["case"], "call-back", "approved")
        ]
        if not called:
            yield "nobody was called back"
        for part in self.ledger.settled("resent")[grant["case"]]:
            if self.ledger.said(part)["payment"]["id"] != sent.payment.id:
                yield f"the ledger says that {self.ledger.said(part)} was sent"

    # --- approvals ----------------------------------------------------------------------------

    def _approved(
        self, grant: dict[str, Any], action: str, record: str
    ) -> tuple[CheckpointView | None, list[str]]:
        """The checkpoint on which a grant rests, and what does not hold of it."""
        wrong: list[str] = []
        data = grant["data"]
        case = self.cases[grant["case"]]
        if (data["action"], grant["record"], case.subject) != (action, record, record):
            wrong.append(f"the grant is for {data['action']} on {grant['record']}")
        shown = self.ledger.files.checkpoints.get(data.get("checkpoint", ""))
        if shown is None:
            return None, [*wrong, "the grant names no checkpoint"]
        if (shown.case, shown.name, shown.status.value) != (case.id, _GUARDED[action], "approved"):
            wrong.append(f"it rests on {shown.name} of {shown.case}, which is {shown.status}")
        if shown.evidence_digest != data["evidence_digest"]:
            wrong.append("the grant rests on other evidence")
        blocking = {
            each.id
            for each in shown.evidence.proposal.findings
            if each.severity is Severity.BLOCKING
        }
        wrong += self._by_people(shown, blocking, grant)
        return shown, wrong

    def _by_people(
        self, shown: CheckpointView, blocking: set[str], grant: dict[str, Any]
    ) -> list[str]:
        words = self._standing(shown.id)
        roles = {who: frozenset(each["data"]["roles"]) for who, each in words.items()}
        accepted = {e for each in words.values() for e in each["data"]["exceptions"]}
        wrong = []
        if blocking - accepted:
            wrong.append(f"nobody accepted {sorted(blocking - accepted)}")
        if any(e["data"]["evidence_digest"] != shown.evidence_digest for e in words.values()):
            wrong.append("someone approved other evidence")
        matrix = self.ledger.matrices[shown.requirement.matrix_digest]
        needs = _needs(matrix, shown, bool(blocking))
        if shown.requirement.emergency_until is not None:
            if len(words) < 2:
                wrong.append(f"in an emergency {len(words)} approved")
            return wrong
        if not shown.requirement.needs:
            amount = shown.evidence.proposal.amount
            found = [
                each
                for each in shown.evidence.proposal.findings
                if each.severity is not Severity.INFO
            ]
            if matrix.mode is not Mode.AUTOMATIC or found or amount is None:
                wrong.append("nobody was asked, and somebody had to be")
            elif amount > matrix.automatic_limit:
                wrong.append(f"nobody was asked about {amount} of {matrix.automatic_limit}")
        elif not _fill(needs, roles):
            wrong.append(f"approved by {roles}, the matrix asks {needs}")
        case = self.cases[shown.case]
        if case.opened_by in words:
            wrong.append("who opened the case approved it")
        return wrong

    def _standing(self, checkpoint: str) -> dict[str, dict[str, Any]]:
        """The newest word of each, if it approves."""
        newest = {each["actor"]: each for each in self.ledger.words[checkpoint]}
        return {who: each for who, each in newest.items() if each["data"]["verdict"] == "approve"}

    # --- budget -------------------------------------------------------------------------------

    def _of_reallocations(
        self, file: LoanFile, asked: Iterable[ReallocationRow], paid_by: dict[str, set[str]]
    ) -> Iterator[str]:
        before = self.before[file.loan_id]
        done = [each for each in asked if each.answer is not None]
        done.sort(key=lambda each: json.loads(each.answer or "{}")["version"])
        moved: list[tuple[str, str, Decimal]] = []
        for each in done:
            moves = Moves.model_validate_json(each.body)
            moved += [(one.from_item, one.to_item, one.amount) for one in moves.moves]
            record = f"loan/{file.loan_id}/reallocation/{each.number}"
            grants = [
                grant
                for grant in self.ledger.grants.values()
                if grant["record"] == record and grant["data"]["action"] == "budget:reallocate"
            ]
            named = {one.approved_by for one in file.reallocations}
            cases = {grant["case"] for grant in grants} & named
            if len(cases) != 1:
                yield f"reallocation {each.number} was done for {cases}"
                continue
            paid_by["budget:reallocate"] |= cases
            last = [grant for grant in grants if grant["case"] in cases][-1]
            shown, troubles = self._approved(last, "budget:reallocate", record)
            yield from troubles
            if shown is not None:
                proposal = shown.evidence.proposal
                if (proposal.payments_digest, proposal.amount) != (moves.digest, moves.amount):
                    yield f"reallocation {each.number}: other moves were approved"
                if proposal.record_version != each.on_version:
                    yield f"reallocation {each.number}: approved on {proposal.record_version}"
        kept = [(each.from_item, each.to_item, each.amount) for each in file.reallocations]
        if kept != moved:
            yield f"reallocated {kept}, approved {moved}"
        lines = {each.id: each.amount for each in before.budget}
        backs = {each.item: each.budget_line for each in before.schedule}
        for source, target, amount in moved:
            lines[backs[source]] -= amount
            lines[backs[target]] += amount
        if lines != {each.id: each.amount for each in file.budget}:
            yield "its budget is not what the approved moves make of it"

    def _within_lines(
        self, file: LoanFile, done: Sequence[DisbursementRow], payments: Sequence[PaymentRow]
    ) -> Iterator[str]:
        """Beyond a line or a row only what people accepted."""
        grants = {each.grant for each in payments}
        shown = {self.ledger.grants[each]["data"]["checkpoint"] for each in grants}
        accepted = {
            one
            for each in shown
            for word in self._standing(each).values()
            for one in word["data"]["exceptions"]
        }
        for line in file.budget:
            over = file.drawn_of(line.id) - line.amount
            if over > 0 and f"budget.reallocation#line-{line.id}" not in accepted:
                yield f"line {line.id} is overdrawn by {over}, which nobody accepted"
        if file.last_draw is None:
            return
        for row in file.last_draw.rows:
            over = row.total - file.approved_values.get(row.item, Decimal(0))
            known = any(f"#{row.item}" in each for each in accepted)
            if over > 0 and not known:
                yield f"row {row.item} is billed {over} above its value, which nobody accepted"


def _needs(matrix: AuthorityMatrix, shown: CheckpointView, exceptions: bool) -> tuple[Need, ...]:
    """What the matrix asks for, worked out anew."""
    rule = matrix.rule(shown.name)
    assert rule is not None
    amount = shown.evidence.proposal.amount
    tier = next(
        each
        for each in rule.tiers
        if each.up_to is None or (amount is not None and amount <= each.up_to)
    )
    return (*tier.needs, *(rule.exception_adds if exceptions else ()))


def _fill(needs: Sequence[Need], roles: Mapping[str, frozenset[str]]) -> bool:
    """Whether every place of every need is filled by a person of its own."""
    places = [frozenset(need.roles) for need in needs for _ in range(need.count)]
    if len(places) > len(roles):
        return False
    return any(
        all(place & roles[who] for place, who in zip(places, people, strict=True))
        for people in itertools.permutations(roles, len(places))
    )
