"""A walk through the lender's own cases: draws of several loans, and what befalls them.

Budgets are reallocated beside them, and payments come back. Packets are right or have the samples'
defects; loans, payees and what the lender knows of them change meanwhile; a system of record now and then does what it was asked and loses its answer.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from lender import compliance, servicing
from lender._service import Failure
from lender.embedded import ADMINISTRATOR, PEOPLE
from lender.model import (
    CameBack,
    CoverNotice,
    InsuranceKind,
    Lien,
    LoanFile,
    LoanStatus,
    sent_payment,
)
from lender.samples import (
    LOAN_DEFECTS,
    make_loan,
)
from placet.client import OperatorClient
from placet.model import (
    AT_SPOT,
    CaseStatus,
    CaseView,
    CheckpointView,
    EnrolIdentity,
    Hold,
    KeyedValue,
    RowCut,
    Verdict,
)
from placet.tokens import SigningKey
from tests.admitting import admit
from tests.walks.branch import Branch, utc_now
from tests.walks.paperwork import Paperwork
from tests.walks.ruling import RulingWalk
from tests.walks.walking import REFUSALS, Does

DRAW, REALLOCATION, READ = "loan-draw", "budget-reallocation", "loan-draw-read"
RESEND = "payment-resend"
_COSTS = ("60000.00", "120000.00", "700000.00", "9000000.00")
_MORE = {
    "bea": ("administrator",),
    "dora": ("draw-administrator",),
    "olga": ("loan-officer",),
}
_UNREADABLE = "packet.readable"


class LendingWalk(RulingWalk):
    """Of the lender's branch."""

    names = ("dora", "olga", "omar", "sofia", "sam", "cora", "ines", "nia")
    roles = (*PEOPLE.values(), ("loan-officer", "senior-approver"), ("administrator",))
    givers = ("omar", "sofia", "cora")
    processes = (DRAW, REALLOCATION, READ, RESEND)
    refusals: ClassVar = (*REFUSALS, Failure)

    def __init__(self, seed: int, branch: Branch, folder: Path) -> None:
        super().__init__(seed, branch.made.issuer, utc_now)
        self.branch, self.books = branch, branch.books
        self.paperwork = Paperwork(self.dice, branch.books, folder)
        self.loans: list[str] = []
        self.cases: list[str] = []
        self.asked = Counter[str]()
        """How many reallocations of each loan were asked for."""

        self.held: set[str] = set()
        self.without: set[str] = set()
        """Draws that were asked for without a packet."""

    async def begin(self) -> None:
        """Who there is, their loans, and a few cases."""
        for name, key in self.branch.keys.items():
            self.met(name, key)
        for name, roles in _MORE.items():
            key = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
            await self.people[ADMINISTRATOR].act("operator.enrol", f"operator:{name}", body)
            self.met(name, key)
        await self.note_published()
        for number, cost in enumerate(self.dice.sample(_COSTS, 2), 1):
            street = f"{number} Walk Street, Oakland CA"
            loan = make_loan(f"L-{number}", "Walk", "Walk LLC", street, Decimal(cost), 14)
            self.books.take_in(loan)
            self.loans.append(loan.loan_id)
        for _ in range(3):
            await self.step(self.open_draw)

    @property
    def steps(self) -> dict[Does, int]:
        """What is done, and how often."""
        return {
            self.play: 60,
            self.open_draw: 8,
            self.open_reallocation: 4,
            self.open_resend: 5,
            self.decide: 25,
            self.decide_twice: 3,
            self.claim_or_leave: 2,
            self.talk: 2,
            self.recall: 1,
            self.lower: 4,
            self.key: 4,
            self.come_back: 8,
            self.hold: 2,
            self.hold_in_the_books: 1,
            self.change_loan: 3,
            self.learn: 3,
            self.screen: 1,
            self.suspend_or_resume: 2,
            self.suspend_or_resume_agent: 2,
            self.put_right: 8,
            self.enrol: 1,
            self.set_roles: 1,
            self.add_key: 1,
            self.revoke: 1,
            self.second: 2,
            self.stand_in: 2,
            self.publish_matrix: 3,
            self.publish_policy: 2,
            self.publish_rules: 2,
            self.end: 1,
            self.admit: 5,
            self.break_glass: 1,
            self.close_review: 1,
            self.rest: 4,
        }

    # --- cases --------------------------------------------------------------------------------

    def loan(self) -> LoanFile:
        """One of the loans, as it stands."""
        return self.books.loan(self.dice.choice(self.loans))

    async def play(self) -> None:
        """A draw goes on as it should: it is opened, or all whom it asks for approve."""
        shown = await self._shown()
        if shown is None or self.dice.random() < 0.3:
            loan = self.loan()
            self.paperwork.store(loan, loan.next_draw, "clean")
            await self._open(DRAW, loan_draw(loan, loan.next_draw))
            return
        amount, accepted = shown.requirement.amount, shown.requirement.exceptions
        said = dict.fromkeys(accepted, "looked at")
        for need in shown.requirement.needs:
            for name in self._in(need.roles)[: need.count]:
                await self.people[name].decide(
                    shown, Verdict.APPROVE, amount=amount, exceptions=said
                )

    async def open_draw(self) -> None:
        """The next draw of a loan, or now and then one that is not its next."""
        loan = self.loan()
        number = loan.next_draw + self.dice.choices((0, -1, 1), (12, 1, 1))[0]
        process, subject = self.dice.choices((DRAW, READ), (6, 1))[0], loan_draw(loan, number)
        if self.dice.random() < 0.95:
            self.paperwork.store(loan, number)
        elif number:  # or storage has no place for it
            self.without.add(subject)
        await self._open(process, subject)

    async def open_reallocation(self) -> None:
        loan = self.loan()
        number = max(1, self.asked[loan.loan_id] + self.dice.choices((1, 0), (6, 1))[0])
        servicing.request_reallocation(
            self.books.servicing, loan.loan_id, str(number), self.paperwork.moves(loan)
        )
        self.asked[loan.loan_id] = number
        await self._open(REALLOCATION, f"loan/{loan.loan_id}/reallocation/{number}")

    async def open_resend(self) -> None:
        """A payment that came back, mostly: noted now, or before, or not at all."""
        loan = self.loan()
        sent = [
            (draw.number, payment.id)
            for draw in loan.prior_draws
            for payment in (
                *draw.payments,
                *(each.again.payment for each in draw.came_back if each.again is not None),
            )
        ]
        if not sent:
            return
        number, payment = self.dice.choice(sent)
        if self.dice.random() < 0.8:
            back = CameBack(payment=payment, reason="R02", noted=utc_now().date())
            with contextlib.suppress(Failure):  # it was noted before
                servicing.note(self.books.servicing, loan.loan_id, came_back=(back,))
        await self._open(RESEND, f"{loan_draw(loan, number)}/payment/{payment}")

    async def _open(self, process: str, subject: str) -> None:
        answer = await self.one_of("dana", "dora").open_case(process, subject)
        if answer.case is not None:
            self.cases.append(answer.case)

    async def come_back(self) -> None:
        """What was returned is handed in again; sometimes it was not returned at all."""
        cases = [each for each in await self.one_of("una").cases() if each.id in self.cases]
        open_ones = [each for each in cases if each.status is not CaseStatus.CLOSED]
        if not open_ones:
            return
        await self.hand_in(self.dice.choice(open_ones), self.one_of("dana", "dora"))

    async def hand_in(self, case: CaseView, who: OperatorClient) -> None:
        """Another packet, other moves, or the loan as it is now."""
        _, loan, kind, number, *payment = case.subject.split("/")
        record = case.subject
        if payment:
            servicing.import_loan(self.books.servicing, self.books.loan(loan))
            version = self._version_of(loan, int(number), payment[-1])
        elif kind == "draw":
            record = f"{case.subject}/packet"
            version = self.paperwork.store(self.books.loan(loan), int(number))
        else:
            moves = self.paperwork.moves(self.books.loan(loan))
            version = servicing.change_request(self.books.servicing, loan, number, moves)
        await who.resubmit(case.id, record, version)

    def _version_of(self, loan: str, number: int, payment: str) -> str:
        now = self.books.loan(loan)
        sent = sent_payment(now, number, payment)
        assert sent is not None
        return sent.version(now.version)

    async def end(self) -> None:
        if self.cases:
            await self.administrator.act("case.end", self.dice.choice(self.cases), self.why)

    async def admit(self) -> None:
        cases = await self.one_of("una").cases()
        if stopped := [each.id for each in cases if each.status is CaseStatus.STOPPED]:
            await admit(self.administrator, self.dice.choice(stopped), "it was looked at")

    # --- checkpoints --------------------------------------------------------------------------

    async def _shown(self) -> CheckpointView | None:
        found = await self.people[ADMINISTRATOR].checkpoints("open")
        return self.dice.choice(found) if found else None

    def _asked_for(self, shown: CheckpointView) -> str:
        """Somebody in a role that a checkpoint asks for, as far as this walk knows."""
        wanted = {role for need in shown.requirement.needs for role in need.roles}
        return self.dice.choice(self._in(wanted) or ["omar"])

    @staticmethod
    def _in(roles: Iterable[str]) -> list[str]:
        """Who was in one of these roles at the beginning."""
        wanted = set(roles)
        return [name for name, had in {**PEOPLE, **_MORE}.items() if wanted & set(had)]

    def _word(self, shown: CheckpointView, verdict: Verdict) -> dict[str, Any]:
        said: dict[str, Any] = {"comment": self.dice.choice((None, "so it is"))}
        if verdict is Verdict.APPROVE:
            amount = shown.requirement.amount
            if amount is not None and self.dice.random() < 0.05:
                amount += Decimal(self.dice.choice(("-0.01", "0.01", "1000.00")))
            said["amount"] = amount
            accepted = shown.requirement.exceptions
            if self.dice.random() < 0.15:
                accepted = accepted[:-1]
            said["exceptions"] = dict.fromkeys(accepted, "looked at")
        if verdict in {Verdict.REJECT, Verdict.RETURN}:
            said["reason_code"] = "findings"
        return said

    async def decide(self) -> None:
        if shown := await self._shown():
            verdict = self.dice.choices(tuple(Verdict), (24, 1, 3, 1, 1))[0]
            who = self.one_of(self._asked_for(shown))
            await who.decide(shown, verdict, **self._word(shown, verdict))

    async def decide_twice(self) -> None:
        """The same word, sent twice at the same time."""
        if shown := await self._shown():
            who = self.one_of(self._asked_for(shown))
            word = who.sign_decision(shown, Verdict.APPROVE, **self._word(shown, Verdict.APPROVE))
            await asyncio.gather(*(who.send_decision(shown.id, word) for _ in range(2)))

    async def claim_or_leave(self) -> None:
        if shown := await self._shown():
            who = self.one_of(self._asked_for(shown))
            await (who.claim if self.dice.random() < 0.6 else who.unclaim)(shown.id)

    async def talk(self) -> None:
        if shown := await self._shown():
            who = self.one_of(self._asked_for(shown), "una")
            if self.dice.random() < 0.5:
                await who.comment(shown.id, "who saw the slab?")
            else:
                await who.attach(shown.id, "a.txt", self.dice.randbytes(20), "text/plain")

    async def recall(self) -> None:
        if shown := await self._shown():
            await self.administrator.recall(shown.id, "look again")

    async def lower(self) -> None:
        if shown := await self._shown():
            less = Decimal(self.dice.choice(("5.00", "100.01", "20000.00")))
            item = self.dice.choice(("01", "02", "05", "99"))
            row = RowCut(item=item, amount=less, reason="not built")
            if (shown.evidence.proposal.amount or Decimal(0)) >= less:
                await self.one_of(self._asked_for(shown)).lower(shown, [row])

    async def key(self) -> None:
        """A value that nobody could read, or something beside it."""
        shown = await self._shown()
        if shown is None:
            return
        who = self.one_of("dana", "dora", "omar")
        places = [
            side.place
            for each in shown.evidence.proposal.findings
            if each.check == _UNREADABLE
            for side in each.compared
        ]
        if any(each.document == "title.pdf" for each in places):
            known = {"title.effective": "2026-09-04", "title.on_exceptions": "none"}
            where = {"document": "title.pdf"}
            values = [KeyedValue(**where, field=name, value=is_) for name, is_ in known.items()]
        elif places:
            place = self.dice.choice(places)
            value = self.paperwork.smudged.get(
                place.spot, self.dice.choice(("1.00", "2026-08-31", "x"))
            )
            where = {"document": place.document, "spot": place.spot or "page 1"}
            values = [KeyedValue(**where, field=AT_SPOT, value=value)]
        else:
            return
        await who.key_in(shown, values)

    async def break_glass(self) -> None:
        if shown := await self._shown():
            await self.one_of(self._asked_for(shown)).act("glass.break", shown.id, self.why)

    # --- what the lender's staff do with loans --------------------------------------------------

    def record(self) -> str:
        loan = self.loan()
        of = ("", f"/draw/{loan.next_draw}", f"/draw/{loan.next_draw}")
        return f"loan/{loan.loan_id}{self.dice.choice(of)}"

    async def hold(self) -> None:
        if self.dice.random() < 0.4:
            who, record = self.one_of("cora", "sofia", ADMINISTRATOR), self.record()
            self.held.add(record)
            await who.act("hold.place", record, Hold(reason="a call from a payee"))
        else:
            await self.administrator.act("hold.lift", self.record(), self.why)

    async def hold_in_the_books(self) -> None:
        holds = self.dice.choice((0, 0, 1))
        servicing.place_hold(self.books.servicing, self.loan().loan_id, holds)

    async def change_loan(self) -> None:
        """A newer file of a loan: an account, a status, a commitment, an owner."""
        loan = self.loan()
        what = self.dice.choice(("bank", "status", "commitment", "owner", "back"))
        if what == "bank":
            loan = LOAN_DEFECTS["payee.bank_changed"](loan)
            account = f"acct-{self.dice.randint(1, 99)}"
            first = loan.payees[0].model_copy(update={"account": account})
            loan = loan.model_copy(update={"payees": (first, *loan.payees[1:])})
        elif what == "commitment":
            left = loan.undisbursed * Decimal(self.dice.choice(("0.10", "0.90", "1.50")))
            raised = (loan.disbursed + left).quantize(Decimal("0.01"))
            loan = loan.model_copy(update={"commitment": raised})
        elif what == "owner":
            loan = loan.model_copy(update={"owner": self.dice.choice(("Walk LLC", "Other LLC"))})
        else:
            status = self.dice.choice((LoanStatus.DEFAULT, LoanStatus.MATURED))
            status = status if what == "status" else LoanStatus.OPEN
            loan = loan.model_copy(update={"status": status})
        servicing.import_loan(self.books.servicing, loan)

    async def learn(self) -> None:
        """What the lender learns of a loan between its versions."""
        loan, number = self.loan(), self.dice.randint(1, 3)
        cover = CoverNotice(kind=InsuranceKind.BUILDERS_RISK, ends=date(2026, 10, 1))
        learnt = self.dice.choice(
            (
                {"recorded": (Lien(reference=f"2026-{number}", recorded=date(2026, 9, 1)),)},
                {"released": (f"2026-{number}",)},
                {"ends": (cover,)},
                {"stands": (InsuranceKind.BUILDERS_RISK,)},
                {"equity_in": loan.required_equity / 2},
                {"equity_in": loan.required_equity, "deposits": loan.required_equity},
            )
        )
        servicing.note(self.books.servicing, loan.loan_id, **learnt)

    async def screen(self) -> None:
        payee = self.dice.choice(self.loan().payees).id
        hit = self.dice.random() < 0.25
        compliance.set_standing(self.books.compliance, payee, "hit" if hit else "clear")

    async def clear(self) -> None:
        """The lender's own books say nothing against any loan, and each draw has a packet."""
        for subject in sorted(self.without):
            _, name, _, number = subject.split("/")
            self.paperwork.store(self.books.loan(name), int(number), "clean")
        self.without.clear()
        for name in self.loans:
            servicing.place_hold(self.books.servicing, name, 0)
            loan = self.books.loan(name)
            if loan.status is not LoanStatus.OPEN:
                opened = loan.model_copy(update={"status": LoanStatus.OPEN})
                servicing.import_loan(self.books.servicing, opened)
            for payee in loan.payees:
                compliance.set_standing(self.books.compliance, payee.id, "clear")


def loan_draw(loan: LoanFile, number: int) -> str:
    """A draw of a loan, as a record."""
    return f"loan/{loan.loan_id}/draw/{number}"
