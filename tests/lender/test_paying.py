"""Paying a draw: once, exactly what was approved, on the loan as it was approved."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import Session

from lender import _service
from lender._service import Failure
from lender._uses import Use
from lender.model import (
    MAX_VERSION,
    Analysis,
    BilledInvoice,
    Claim,
    Cover,
    CoverNotice,
    InsuranceKind,
    Lien,
    LoanStatus,
    PayeeStanding,
    Standing,
    draw_version,
    payments_digest,
)
from lender.servicing import _paying, import_loan, note, place_hold, read_loan
from lender.servicing._tables import FirstBillingRow, InvoiceRow
from placet.model import CheckResult, FactsAnswer, Proposal, Severity, digest_json
from tests.lender.lending import (
    BASIS,
    DRAW,
    LOAN,
    PAID,
    PAYMENTS,
    Lending,
    analysis_of,
    known_duplicate,
    loan_file,
    payment,
    require_problem,
    until,
)

SYSTEMS = ("loan-servicing",)
INVOICE = BilledInvoice(vendor="Acme", number="7", amount=Decimal("250.50"))
OTHER = (payment(0, "10.00", "pay-other"),)
SECOND = "loan/L-1002/draw/1"


async def test_asked_twice_paid_once(either: Lending) -> None:
    """I11: the same list again is answered the same, also under a new grant."""
    await either.analyse()
    fixed = await either.approved()
    first = await either.pay(fixed)
    assert first.status_code == 200, first.text
    again = await either.pay(fixed)
    assert (again.status_code, again.json()) == (200, first.json())
    assert either.paid() == PAID
    assert either.loan().version == 2


async def test_a_paid_draws_retry_finds_the_draw_as_it_was_approved(bank: Lending) -> None:
    """I11: a worker that lost the answer gets a new grant only if the draw still has its version."""
    await bank.analyse()
    before = await bank.facts()
    assert (await bank.pay(await bank.approved())).status_code == 200
    after = await bank.facts()
    assert after["version"] == before["version"]
    assert after["facts"]["undisbursed_cents"] == before["facts"]["undisbursed_cents"]
    loan = await bank.facts(f"loan/{LOAN}")
    assert loan["version"] == "2"
    paid = sum(cents for _, cents in PAID)
    assert loan["facts"]["undisbursed_cents"] == before["facts"]["undisbursed_cents"] - paid


async def test_paid_twice_at_once_is_paid_once(either: Lending) -> None:
    """I11: eight workers at the same instant."""
    await either.analyse()
    fixed = await either.approved()
    answers = await asyncio.gather(*(either.pay(fixed) for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8, [a.text for a in answers]
    assert len({answer.text for answer in answers}) == 1
    assert either.paid() == PAID
    loan = either.loan()
    assert (loan.version, loan.disbursed) == (2, Decimal("1750.50"))


async def test_a_paid_draw_takes_no_other_list(bank: Lending) -> None:
    """I11: the same payment id with another amount is refused."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    other = (payment(0, "1500.01"), payment(1, "250.49"))
    answer = await bank.pay(await bank.approved(other), other)
    require_problem(answer, 409, "conflict", "other payments")
    assert bank.paid() == PAID


async def test_a_payment_id_counts_once_in_the_whole_system(either: Lending) -> None:
    """I11: another loan's draw can't be paid under an id that was used."""
    await either.analyse()
    assert (await either.pay(await either.approved())).status_code == 200
    import_loan(
        either.databases["loan-servicing"],
        loan_file("L-1001").model_copy(update={"loan_id": "L-1002"}),
    )
    await either.analyse(analysis_of(loan="L-1002"))
    record = "loan/L-1002/draw/1"
    answer = await either.pay(await either.approved(record=record), record=record)
    require_problem(answer, 409, "conflict", "was made already")
    assert either.paid("L-1002") == []
    assert either.loan("L-1002").version == 1


_OTHER_AMOUNTS: dict[str, Any] = {
    "a-cent-less": (payment(0, "1499.99"), payment(1, "250.50")),
    "a-cent-more": (payment(0, "1500.01"), payment(1, "250.50")),
    "one-left-out": (payment(0, "1500.00"),),
    "one-twice": (payment(0, "1500.00"), payment(0, "250.50")),
    "one-of-nothing": (*PAYMENTS, payment(2, "0.00")),
    "one-below-zero": (payment(0, "1750.51"), payment(1, "-0.01")),
    "none": (),
}


async def test_payments_that_do_not_make_the_approved_amount(
    bank: Lending, subtests: pytest.Subtests
) -> None:
    """I5: the sum is what people signed, to the cent, of payments above zero."""
    await bank.analyse()
    for name, payments in _OTHER_AMOUNTS.items():
        with subtests.test(name):
            approved = await bank.approved(payments, max_amount=Decimal("1750.50"))
            answer = await bank.pay(approved, payments)
            if name.startswith("one-of") or name in {"one-twice", "one-below-zero", "none"}:
                require_problem(answer, 400, "invalid_request", "payments: ")
            else:
                require_problem(answer, 409, "conflict", "add up")
            assert bank.paid() == []


async def test_another_list_of_the_same_sum_is_refused(bank: Lending) -> None:
    """I5: people approve who is paid what, not only how much."""
    await bank.analyse()
    other = (payment(0, "1000.50"), payment(1, "750.00"))
    answer = await bank.pay(await bank.approved(), other)
    require_problem(answer, 409, "conflict", "not those that were approved")
    assert bank.paid() == []


_CHANGED: dict[str, dict[str, Any]] = {
    "recommended-less": {"recommended": Decimal("1750.49")},
    "recommended-more": {"recommended": Decimal("2000.00")},
    "another-row": {"rows": ()},
    "another-claim": {"claims": (Claim(claimant="Mallory", amount=Decimal("1750.50")),)},
    "another-invoice": {
        "invoices": (BilledInvoice(vendor="Mallory", number="1", amount=Decimal("1.00")),)
    },
    "another-period": {"period_to": None},
    "another-certificate": {"earned_less_retainage": Decimal("999999.00")},
}


async def test_an_analysis_changed_since_the_approval_stops_it(
    bank: Lending, subtests: pytest.Subtests
) -> None:
    """I13, I5: what the next draw continues is what people saw, not what was written later."""
    await bank.analyse()
    fixed = await bank.approved()
    for name, changed in _CHANGED.items():
        with subtests.test(name):
            assert (await bank.analyse(analysis_of(**changed))).status_code == 200
            require_problem(await bank.pay(fixed), 409, "conflict", "changed since the approval")
            assert bank.paid() == []
            assert bank.loan().version == 1
            # The authority hears of it as well, and gives no grant for what nobody saw.
            assert (await bank.facts())["version"] != fixed["record_version"]
    assert (await bank.analyse()).status_code == 200
    assert (await bank.pay(fixed)).status_code == 200


async def test_an_analysis_of_another_amount_pays_nothing_even_if_approved(bank: Lending) -> None:
    """I5: recommended, approved and paid are one amount."""
    await bank.analyse(analysis_of(recommended=Decimal("1750.00")))
    answer = await bank.pay(await bank.approved())
    require_problem(answer, 409, "conflict", "recommend")
    assert bank.paid() == []


async def test_an_analysis_of_the_loan_as_it_was_before_pays_nothing(bank: Lending) -> None:
    """I13: the analysis rests on this version of the loan, whoever says what was approved."""
    await bank.analyse(analysis_of(loan_version=7))
    answer = await bank.pay(await bank.approved())
    require_problem(answer, 409, "conflict", "loan")
    assert bank.paid() == []


async def test_a_loan_changed_since_the_approval_stops_it(either: Lending) -> None:
    """I5: record_version: a re-import between approval and payment."""
    await either.analyse()
    fixed = await either.approved()
    changed = loan_file().model_copy(update={"deposits": Decimal("1.00")})
    import_loan(either.databases["loan-servicing"], changed)
    answer = await either.pay(fixed)
    require_problem(answer, 409, "conflict", "changed since the approval")
    assert either.paid() == []


async def test_a_hold_between_approval_and_payment_stops_it(either: Lending) -> None:
    """I5: the look just before paying is in the transaction that pays."""
    await either.analyse()
    fixed = await either.approved()
    place_hold(either.databases["loan-servicing"], LOAN, 1)
    require_problem(await either.pay(fixed), 409, "conflict", "hold")
    assert either.paid() == []
    place_hold(either.databases["loan-servicing"], LOAN, 0)
    assert (await either.pay(fixed)).status_code == 200


async def test_a_hold_survives_a_new_version_of_the_loan(either: Lending) -> None:
    """Importing a loan again lifts no hold."""
    database = either.databases["loan-servicing"]
    place_hold(database, LOAN, 2)
    import_loan(database, loan_file())
    facts = await either.facts()
    assert facts["facts"]["holds"] == 2
    assert read_loan(database, LOAN).holds == 2, "agents are told, too"
    await either.analyse(analysis_of(loan_version=2))
    require_problem(await either.pay(await either.approved()), 409, "conflict", "hold")


_YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
_LEARNT: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    # What the loan learns after the approval, what takes it back, and what is named.
    "lien": (
        {"recorded": (Lien(reference="2026-0815", recorded=_YESTERDAY),)},
        {"released": ("2026-0815",)},
        "title",
        f"lien 2026-0815 was recorded on {_YESTERDAY}",
    ),
    "cover-cancelled": (
        {"ends": (CoverNotice(kind=InsuranceKind.BUILDERS_RISK, ends=_YESTERDAY),)},
        {"stands": (InsuranceKind.BUILDERS_RISK,)},
        "insurance",
        f"builders risk was in force through {_YESTERDAY}",
    ),
    "equity-taken-back": (
        {"equity_in": Decimal("0.00")},
        {"equity_in": loan_file().equity_in, "deposits": Decimal("10.00")},
        "balance",
        "less than the cost to complete",
    ),
}


@pytest.mark.parametrize("name", sorted(_LEARNT))
async def test_what_got_worse_since_the_approval_stops_the_payment(
    either: Lending, name: str
) -> None:
    """I5: title, insurance, balance: named to the agent, told to the authority, nothing paid."""
    learnt, taken_back, aspect, said = _LEARNT[name]
    await either.analyse()
    fixed, database = await either.approved(), either.databases["loan-servicing"]
    note(database, LOAN, **learnt)
    require_problem(await either.pay(fixed), 409, "conflict", f"{aspect}: ")
    assert said in (await either.pay(fixed)).text
    assert either.paid() == []
    told = await either.facts()
    assert told["version"] == fixed["record_version"], "what was agreed is as it was"
    looked = {each: told["facts"][each] for each in ("title", "insurance", "balance")}
    assert looked == {each: "worse" if each == aspect else "as_analysed" for each in looked}
    note(database, LOAN, **taken_back)
    assert (await either.facts())["facts"][aspect] == "as_analysed"
    assert (await either.pay(fixed)).status_code == 200, "as it was, or better, changes nothing"


_RUN_OUT = {
    "title": BASIS.model_copy(update={"title_effective": _YESTERDAY - timedelta(days=400)}),
    "insurance": BASIS.model_copy(
        update={"cover": tuple(Cover(kind=kind, through=_YESTERDAY) for kind in InsuranceKind)}
    ),
}


@pytest.mark.parametrize("aspect", sorted(_RUN_OUT))
async def test_what_ran_out_by_the_day_of_payment_stops_it(bank: Lending, aspect: str) -> None:
    """I5: it was in order on the day of the analysis; the day that counts is the day it pays."""
    await bank.analyse(analysis_of(basis=_RUN_OUT[aspect]))
    assert (await bank.facts())["facts"][aspect] == "worse"
    require_problem(await bank.pay(await bank.approved()), 409, "conflict", f"{aspect}: ")
    assert bank.paid() == []


async def test_a_paid_draw_is_answered_again_whatever_the_loan_learns(bank: Lending) -> None:
    """I11: a lost answer is asked for again; a lien recorded meanwhile takes back no payment."""
    await bank.analyse()
    fixed = await bank.approved()
    assert (await bank.pay(fixed)).status_code == 200
    note(bank.databases["loan-servicing"], LOAN, **_LEARNT["lien"][0])
    assert (await bank.facts())["facts"]["title"] == "as_analysed"
    assert (await bank.pay(fixed)).status_code == 200
    assert bank.paid() == PAID


async def test_how_those_who_are_paid_stood_is_told_until_they_are(bank: Lending) -> None:
    """I5, I11: policy holds it against how they stand now; the others of the loan don't count."""
    known = PayeeStanding(payee=PAYMENTS[0].payee, standing=Standing.UNLICENSED)
    other = PayeeStanding(payee="P-10019", standing=Standing.HIT)
    await bank.analyse(analysis_of(basis=BASIS.model_copy(update={"screened": (known, other)})))
    told = (await bank.facts())["facts"]["screened"]
    assert told == [known.named, f"{PAYMENTS[1].payee}:clear"]
    assert (await bank.pay(await bank.approved())).status_code == 200
    assert (await bank.facts())["facts"]["screened"] == []


async def test_what_was_noted_survives_a_new_version_of_the_loan(bank: Lending) -> None:
    """Importing a loan again releases no lien, and makes no cover stand."""
    database = bank.databases["loan-servicing"]
    learnt = {**_LEARNT["lien"][0], **_LEARNT["cover-cancelled"][0]}
    noted = note(database, LOAN, **learnt)
    assert noted.version == 1
    import_loan(database, loan_file())
    loan = bank.loan()
    assert (loan.version, loan.liens, loan.notices) == (2, noted.liens, noted.notices)


async def test_a_note_that_makes_no_sense_changes_nothing(bank: Lending) -> None:
    """I12: a lien that is not there, one that is there twice, a loan that is not."""
    database = bank.databases["loan-servicing"]
    twice = _LEARNT["lien"][0]["recorded"] * 2
    for loan, noted, said in (
        (LOAN, {"released": ("2026-1",)}, "no lien 2026-1"),
        (LOAN, {"recorded": twice}, "stands twice"),
        ("L-404", {}, "no such loan"),
    ):
        with pytest.raises(Failure) as refused:
            note(database, loan, **noted)
        assert said in refused.value.problem.error_description
    assert bank.loan() == loan_file()


_NOT_PAYABLE: dict[str, tuple[dict[str, Any], str]] = {
    "in-default": ({"status": LoanStatus.DEFAULT}, "not open"),
    "matured": ({"maturity": "2026-01-31"}, "not open"),
}


@pytest.mark.parametrize("name", sorted(_NOT_PAYABLE))
async def test_a_loan_that_is_not_open_pays_nothing(bank: Lending, name: str) -> None:
    """I5: also if the approval was for the loan as it is now."""
    changed, said = _NOT_PAYABLE[name]
    file = loan_file().model_validate(loan_file().model_dump() | changed)
    import_loan(bank.databases["loan-servicing"], file)
    await bank.analyse(analysis_of(loan_version=2))
    require_problem(await bank.pay(await bank.approved()), 409, "conflict", said)
    assert bank.paid() == []


async def test_only_the_next_draw_is_paid(bank: Lending) -> None:
    """A draw that skips one is refused with its reason, not a crash."""
    await bank.analyse(analysis_of(draw=3))
    record = f"loan/{LOAN}/draw/3"
    answer = await bank.pay(await bank.approved(record=record), record=record)
    require_problem(answer, 409, "conflict", "next draw")
    assert bank.paid() == []


async def test_over_the_undisbursed_commitment_is_refused(either: Lending) -> None:
    """Approved or not: never more than is left."""
    left = loan_file().undisbursed
    payments = (payment(0, str(left)), payment(1, "0.01"))
    await either.analyse(analysis_of(payments))
    answer = await either.pay(await either.approved(payments), payments)
    require_problem(answer, 409, "conflict", "the payments would exceed the commitment")
    assert either.paid() == []
    assert either.loan().disbursed == 0


async def test_the_database_itself_holds_the_commitment(either: Lending) -> None:
    """A constraint stands behind the code: here the books say more than the row."""
    engine = either.databases["loan-servicing"].engine
    await either.analyse()
    with engine.begin() as connection:
        connection.execute(_on(either, "UPDATE loan SET commitment_cents = 175049"))
    answer = await either.pay(await either.approved())
    require_problem(answer, 409, "conflict", "the payments would exceed the commitment")
    assert either.paid() == []
    with pytest.raises(Exception, match="within_commitment"), engine.begin() as connection:
        connection.execute(_on(either, "UPDATE loan SET disbursed_cents = 175050"))


def _on(lending: Lending, statement: str) -> Any:
    """The statement, in the system's own schema where it has one."""
    if lending.databases["loan-servicing"].engine.dialect.name == "postgresql":
        statement = statement.replace("UPDATE loan", "UPDATE loan_servicing.loan")
    return text(statement)


async def test_a_loan_of_real_size_fits(either: Lending) -> None:
    """Cents of a large loan are more than 32 bits."""
    loan = loan_file("L-77")
    large = loan.model_copy(update={"commitment": Decimal("950000000.00")})
    import_loan(either.databases["loan-servicing"], large)
    facts = await either.facts("loan/L-77")
    assert facts["facts"]["undisbursed_cents"] == 95_000_000_000


async def test_another_account_than_the_loans_is_not_paid(bank: Lending) -> None:
    """An account that the analysis made up reaches nobody, approved or not."""
    forged = (payment(0, "1750.50").model_copy(update={"account": "acct-of-mallory"}),)
    await bank.analyse(analysis_of(forged))
    answer = await bank.pay(await bank.approved(forged), forged)
    require_problem(answer, 409, "conflict", "account")
    assert bank.paid() == []


async def test_without_an_analysis_nothing_is_paid(bank: Lending) -> None:
    """I13: a payment rests on an analysis that is here."""
    require_problem(await bank.pay(await bank.approved()), 409, "conflict", "no analysis")
    assert bank.paid() == []


async def test_a_paid_draws_analysis_is_fixed(bank: Lending) -> None:
    """What was paid on is not rewritten."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    require_problem(await bank.analyse(analysis_of(rows=())), 409, "conflict", "disbursed")


async def test_an_invoice_that_two_loans_billed_is_known_to_both(bank: Lending) -> None:
    """The match says whether, never who; a draw is not its own predecessor."""
    database = bank.databases["loan-servicing"]
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    import_loan(database, loan_file("L-1001").model_copy(update={"loan_id": "L-1002"}))
    await bank.analyse(analysis_of(OTHER, loan="L-1002", results=(known_duplicate(INVOICE),)))
    record = "loan/L-1002/draw/1"
    paid = await bank.pay(await bank.approved(OTHER, record=record), OTHER, record=record)
    assert paid.status_code == 200, paid.text

    async def match(loan: str, draw: int, vendor: str = "Acme") -> bool:
        answer = await bank.call(
            "POST",
            f"/loans/{loan}/draws/{draw}/invoices/match",
            action="invoices:match",
            record=f"loan/{loan}/draw/{draw}",
            content=json.dumps(
                {"invoices": [{"vendor": vendor, "number": "7", "amount": "250.50"}]}
            ).encode(),
        )
        (found,) = answer.json()["matches"]
        assert set(found) == {"vendor", "number", "amount", "billed_before"}
        return bool(found["billed_before"])

    assert await match(LOAN, 2)
    assert await match(LOAN, 2, " ACME ")
    assert await match("L-1003", 1)
    assert await match(LOAN, 1), "the other loan billed it as well"
    assert await match("L-1002", 1)


async def _second_loan(lending: Lending, **changed: Any) -> dict[str, Any]:
    """Another loan's draw that bills the same invoice, as people approved it."""
    file = loan_file().model_copy(update={"loan_id": "L-1002"})
    import_loan(lending.databases["loan-servicing"], file)
    analysis = analysis_of(OTHER, loan="L-1002", **changed)
    assert (await lending.analyse(analysis)).status_code == 200
    return await lending.approved(OTHER, record=SECOND)


async def test_one_invoice_is_paid_once_among_all_loans(either: Lending) -> None:
    """I5: two draws reviewed side by side, neither of which knew of the other."""
    await either.analyse()
    fixed, second = await either.approved(), await _second_loan(either)
    assert (await either.pay(fixed)).status_code == 200
    answer = await either.pay(second, OTHER, record=SECOND)
    require_problem(answer, 409, "conflict", "invoice 7 of Acme over 250.50 was billed by another")
    assert LOAN not in answer.text
    assert either.paid("L-1002") == []
    assert either.loan("L-1002").version == 1
    assert (await either.pay(fixed)).status_code == 200, "its own invoices are no other draw's"


async def test_another_spelling_of_an_invoice_is_no_other_invoice(either: Lending) -> None:
    """I5: capitals and the width of gaps are the borrower's to choose, in each packet anew."""
    await either.analyse()
    other = BilledInvoice(vendor="ACME ", number="7", amount=INVOICE.amount)
    fixed, second = await either.approved(), await _second_loan(either, invoices=(other,))
    assert (await either.pay(fixed)).status_code == 200
    answer = await either.pay(second, OTHER, record=SECOND)
    require_problem(answer, 409, "conflict", "was billed by another")
    assert either.paid("L-1002") == []


async def test_what_was_billed_before_there_was_one_spelling_still_counts(bank: Lending) -> None:
    """I5: an earlier version wrote down an invoice as its packet spelled it."""
    with Session(bank.databases["loan-servicing"].engine) as session:
        digest = digest_json(INVOICE)
        session.add(FirstBillingRow(digest=digest))
        session.add(InvoiceRow(digest=digest, loan="L-1009", draw=1))
        session.commit()
    await bank.analyse()
    answer = await bank.pay(await bank.approved())
    require_problem(answer, 409, "conflict", "invoice 7 of Acme")


async def test_one_invoice_of_two_loans_paid_at_once(either: Lending) -> None:
    """I5: whichever comes first, the other is refused and leaves nothing behind."""
    await either.analyse()
    fixed, second = await either.approved(), await _second_loan(either)
    answers = await asyncio.gather(either.pay(fixed), either.pay(second, OTHER, record=SECOND))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = max(answers, key=lambda answer: answer.status_code)
    require_problem(refused, 409, "conflict", "invoice 7 of Acme")
    assert sorted([either.paid() == [], either.paid("L-1002") == []]) == [False, True]


async def test_an_invoice_billed_between_the_look_and_the_writing_is_not_paid_twice(
    bank: Lending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I5: what was looked up once decides: a draw that comes between collides with the key."""
    await bank.analyse()
    fixed, second = await bank.approved(), await _second_loan(bank)
    assert (await bank.pay(fixed)).status_code == 200
    monkeypatch.setattr(_paying, "billed_elsewhere", lambda *_: False)  # as it was a moment ago
    answer = await bank.pay(second, OTHER, record=SECOND)
    require_problem(answer, 409, "conflict", "invoice 7 of Acme")
    assert bank.paid("L-1002") == []


async def test_an_invoice_that_the_loans_history_billed_is_not_paid(bank: Lending) -> None:
    """I5: also what was taken in with a loan counts, and the same loan's earlier draws."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    await bank.analyse(analysis_of(OTHER, draw=2, loan_version=2))
    record = f"loan/{LOAN}/draw/2"
    answer = await bank.pay(await bank.approved(OTHER, record=record), OTHER, record=record)
    require_problem(answer, 409, "conflict", "invoice 7 of Acme")
    history = bank.loan().model_copy(update={"loan_id": "L-1003"})
    import_loan(bank.databases["loan-servicing"], history)
    assert bank.loan("L-1003").next_draw == 2, "history is taken in as it is"


async def test_people_may_pay_a_duplicate_that_they_knew_of(either: Lending) -> None:
    """I5: the approved analysis says so itself, and the exception was accepted with it."""
    await either.analyse()
    fixed = await either.approved()
    second = await _second_loan(either, results=(known_duplicate(INVOICE),))
    assert (await either.pay(fixed)).status_code == 200
    answer = await either.pay(second, OTHER, record=SECOND)
    assert answer.status_code == 200, answer.text


def _downgraded(result: CheckResult) -> CheckResult:
    found = [each.model_copy(update={"severity": Severity.INFO}) for each in result.findings]
    return result.model_copy(update={"findings": tuple(found)})


_NOT_KNOWN: dict[str, CheckResult] = {
    "another-amount": known_duplicate(INVOICE.model_copy(update={"amount": Decimal("250.51")})),
    "another-number": known_duplicate(INVOICE.model_copy(update={"number": "8"})),
    "another-vendor": known_duplicate(INVOICE.model_copy(update={"vendor": "Acme 7"})),
    "twice-in-this-packet": known_duplicate(INVOICE, INVOICE, billed_before=False),
    "information-only": _downgraded(known_duplicate(INVOICE)),
}


async def test_what_people_did_not_know_of_the_invoice_is_no_exception(
    bank: Lending, subtests: pytest.Subtests
) -> None:
    """I5: a finding excuses the invoice that it names, if people had to accept it."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200
    await _second_loan(bank)
    for name, result in _NOT_KNOWN.items():
        with subtests.test(name):
            assert result.findings
            await bank.analyse(analysis_of(OTHER, loan="L-1002", results=(result,)))
            fixed = await bank.approved(OTHER, record=SECOND)
            answer = await bank.pay(fixed, OTHER, record=SECOND)
            require_problem(answer, 409, "conflict", "invoice 7 of Acme")
            assert bank.paid("L-1002") == []


async def test_a_refused_payment_has_its_result_on_the_ledger(bank: Lending) -> None:
    """I4: an intent never stands there without what came of it."""
    await bank.analyse()
    fixed = await bank.approved()
    place_hold(bank.databases["loan-servicing"], LOAN, 1)
    assert (await bank.pay(fixed)).status_code == 409

    async def results(count: int) -> list[dict[str, Any]]:
        told = bank.authority.told("result")
        return told if len(told) == count else []

    (refused,) = await until(lambda: results(1))
    assert refused["status"] == 409
    assert refused["action"] == "draw:disburse"
    assert refused["body_digest"] == payments_digest(PAYMENTS)
    place_hold(bank.databases["loan-servicing"], LOAN, 0)
    assert (await bank.pay(fixed)).status_code == 200
    _, performed = await until(lambda: results(2))
    assert performed["status"] == 200
    intents = bank.authority.told("intent")
    assert len({each["id"] for each in intents}) == 2


async def test_one_grants_second_attempt_is_told_apart_from_its_first(bank: Lending) -> None:
    """I4: refused, then paid under the same grant: the ledger has both, not the refusal alone."""
    await bank.analyse()
    fixed = await bank.approved()
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, agent="disbursement", **fixed)
    place_hold(bank.databases["loan-servicing"], LOAN, 1)
    assert (await bank.pay({}, token=token)).status_code == 409
    place_hold(bank.databases["loan-servicing"], LOAN, 0)
    assert (await bank.pay({}, token=token)).status_code == 200

    async def told() -> list[int]:
        found = [each["status"] for each in bank.authority.told("result")]
        return found if len(found) == 2 else []

    assert await until(told) == [409, 200]


async def test_an_intent_that_is_not_durable_pays_nothing(bank: Lending) -> None:
    """I4: record first: what the authority refuses or can't take is not done."""
    await bank.analyse()
    fixed = await bank.approved()
    bank.authority.refusals["intent"] = "the record is on hold"
    require_problem(await bank.pay(fixed), 403, "insufficient_scope", "on hold")
    assert bank.paid() == []
    del bank.authority.refusals["intent"]
    assert (await bank.pay(fixed)).status_code == 200


async def test_who_stood_still_after_the_intent_pays_nothing(
    bank: Lending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: the grant has ended by the time at which the books can be written, in SQLite as well."""
    await bank.analyse()
    fixed, intend = await bank.approved(), Use.intend

    async def stands_still(self: Use, body: str) -> None:
        await intend(self, body)
        late = datetime.now(UTC) + timedelta(minutes=5)
        monkeypatch.setattr(_service, "system_clock", lambda: late)

    monkeypatch.setattr(Use, "intend", stands_still)
    require_problem(await bank.pay(fixed), 403, "insufficient_scope", "has ended")
    assert bank.paid() == []
    monkeypatch.undo()
    assert (await bank.pay(fixed)).status_code == 200


async def _import_while(lending: Lending, payments: Any) -> tuple[httpx.Response, Any]:
    changed = loan_file().model_copy(update={"deposits": Decimal("1.00")})
    database = lending.databases["loan-servicing"]
    importing = asyncio.to_thread(_swallow, import_loan, database, changed)
    answer, imported = await asyncio.gather(payments, importing)
    return answer, imported


def _swallow(work: Any, *arguments: Any) -> Any:
    try:
        return work(*arguments)
    except Failure as failure:
        return failure


async def test_an_import_beside_a_payment_loses_neither(either: Lending) -> None:
    """The loan's row is locked by both: one of them comes first, and the other sees it."""
    await either.analyse()
    answer, imported = await _import_while(either, either.pay(await either.approved()))
    loan = either.loan()
    if answer.status_code == 200:
        assert either.paid() == PAID
        assert loan.next_draw == 2
        assert loan.disbursed == Decimal("1750.50")
        assert (imported is None) == (loan.deposits == Decimal("1.00"))
    else:
        require_problem(answer, 409, "conflict", "changed since the approval")
        assert either.paid() == []
        assert (loan.version, loan.deposits) == (2, Decimal("1.00"))


async def test_the_same_analysis_gives_the_same_version(bank: Lending) -> None:
    """A step tried again after a crash writes what it wrote before: the approval still fits."""
    await bank.analyse()
    version = (await bank.facts())["version"]
    await bank.analyse()
    assert (await bank.facts())["version"] == version
    analysis = analysis_of()
    again = Analysis.model_validate_json(analysis.model_dump_json(exclude_none=True))
    assert analysis.version == again.version == version


def test_the_longest_version_of_a_draw_fits_into_a_grant() -> None:
    """I13: what names the draw's state is never cut off on its way to the people and back."""
    version = draw_version(MAX_VERSION, digest_json(analysis_of()))
    assert FactsAnswer(record=DRAW, version=version, facts={}).version == version
    assert Proposal(record_version=version).record_version == version
