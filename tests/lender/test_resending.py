"""Sending a payment again that came back: once, as it was approved, under a new id."""

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from lender._service import Failure
from lender.model import CameBack, LoanStatus, Payment, payments_digest
from lender.serve import LenderSettings
from lender.servicing import import_loan, note, place_hold
from placet.cli._app import app
from tests.lender.lending import (
    APPROVED,
    DRAW,
    LOAN,
    PAID,
    PAYMENTS,
    Lending,
    loan_file,
    payment,
    require_problem,
)

SYSTEMS = ("loan-servicing",)
FIRST = PAYMENTS[0]
RECORD = f"{DRAW}/payment/{FIRST.id}"
AGAIN = FIRST.model_copy(update={"id": f"{FIRST.id}-r2"})
CASE = "case-00000000000000000000000000"


def came_back(number: str = FIRST.id) -> CameBack:
    return CameBack(payment=number, reason="R02 account closed", noted=date(2026, 11, 30))


def noted(bank: Lending, *numbers: str) -> None:
    """Staff note that these came back."""
    back = tuple(came_back(each) for each in numbers or (FIRST.id,))
    note(bank.databases["loan-servicing"], LOAN, came_back=back)


async def drawn(bank: Lending) -> None:
    """The draw is analysed and paid."""
    await bank.analyse()
    assert (await bank.pay(await bank.approved())).status_code == 200


async def approved(bank: Lending, sent: Payment = AGAIN, **changed: Any) -> dict[str, Any]:
    """What a grant carries once people approved this payment on the record as it is now."""
    return {
        "max_amount": sent.amount,
        "payments_digest": payments_digest((sent,)),
        "approvals": ("decision-0123456789",),
        "evidence_digest": APPROVED,
        "record_version": (await bank.facts(changed.pop("record", RECORD)))["version"],
    } | changed


async def send(
    bank: Lending,
    fixed: dict[str, Any],
    *sent: Payment,
    record: str = RECORD,
    action: str = "payment:resend",
    path: str | None = None,
) -> httpx.Response:
    """Ask for it to be sent under a grant that fixes this."""
    body = ",".join(each.model_dump_json() for each in sent or (AGAIN,))
    number = (path or record).rpartition("/")[2]
    return await bank.call(
        "POST",
        f"/loans/{LOAN}/draws/1/payments/{number}/resending",
        **{"action": action, "record": record, "agent": "disbursement"} | fixed,
        content=b'{"payments":[' + body.encode() + b"]}",
    )


def _ids(bank: Lending) -> list[str]:
    return [each for each, _ in bank.paid()]


async def test_asked_twice_sent_once_and_nothing_more_is_disbursed(either: Lending) -> None:
    """I5, I11: two workers at once send it once, and are answered alike; the note pays nothing."""
    await drawn(either)
    before = either.loan()
    assert (await either.facts(RECORD))["facts"]["came_back"] == "no"
    noted(either)
    assert either.paid() == PAID
    facts = (await either.facts(RECORD))["facts"]
    assert (facts["came_back"], facts["payees"]) == ("noted", [FIRST.payee])
    fixed = await approved(either)
    answers = await asyncio.gather(*(send(either, fixed) for _ in range(3)))
    assert [each.status_code for each in answers] == [200] * 3, [each.text for each in answers]
    assert len({each.text for each in answers}) == 1
    assert _ids(either) == sorted([*(each.id for each in PAYMENTS), AGAIN.id])
    after = either.loan()
    assert (after.disbursed, after.version) == (before.disbursed, before.version)
    (back,) = after.prior_draws[0].came_back
    assert back.again is not None
    assert (back.payment, back.again.payment) == (FIRST.id, AGAIN)
    assert back.again.on_version == fixed["record_version"]
    assert (await either.facts(RECORD))["version"] == fixed["record_version"]
    again = await send(either, fixed)
    assert (again.status_code, again.text) == (200, answers[0].text)
    intents = either.authority.told("intent")
    assert intents[-1]["body_digest"] == payments_digest((AGAIN,))


async def test_what_was_sent_again_may_come_back_as_well(bank: Lending) -> None:
    """I11: under the next number; each payment comes back, and is sent again, once."""
    await drawn(bank)
    noted(bank)
    assert (await send(bank, await approved(bank))).status_code == 200
    record, third = f"{DRAW}/payment/{AGAIN.id}", FIRST.model_copy(update={"id": f"{FIRST.id}-r3"})
    answer = await send(bank, await approved(bank, third, record=record), third, record=record)
    require_problem(answer, 409, "conflict", "was not noted as come back")
    noted(bank, AGAIN.id)
    fixed = await approved(bank, third, record=record)
    assert (await send(bank, fixed, third, record=record)).status_code == 200
    assert [each.payment for each in bank.loan().prior_draws[0].came_back] == [FIRST.id, AGAIN.id]
    answer = await send(bank, await approved(bank, third), third)
    require_problem(answer, 409, "conflict", f"sent again already, as {AGAIN.id}")
    assert len(_ids(bank)) == len(PAYMENTS) + 2


OTHERWISE: dict[str, tuple[Payment, str]] = {
    "another-amount": (
        AGAIN.model_copy(update={"amount": AGAIN.amount + 1}),
        "was over another amount",
    ),
    "another-payee": (AGAIN.model_copy(update={"payee": "P-10011"}), "went to another payee"),
    "another-account": (AGAIN.model_copy(update={"account": "acct-forged"}), "is not the account"),
    "the-old-id": (FIRST, f"is sent again as {AGAIN.id}"),
    "a-later-id": (AGAIN.model_copy(update={"id": f"{FIRST.id}-r3"}), f"again as {AGAIN.id}"),
}


@pytest.mark.parametrize(("sent", "said"), OTHERWISE.values(), ids=OTHERWISE.keys())
async def test_it_is_sent_as_it_was_and_no_otherwise(
    bank: Lending, sent: Payment, said: str
) -> None:
    """I5: loan servicing trusts no caller, even with a grant that fixes it."""
    await drawn(bank)
    noted(bank)
    require_problem(await send(bank, await approved(bank, sent), sent), 409, "conflict", said)
    assert bank.paid() == PAID


async def test_one_payment_is_sent_and_not_two(bank: Lending) -> None:
    """I5: nor none."""
    await drawn(bank)
    noted(bank)
    two = (AGAIN, payment(1, "1.00", "pay-more"))
    total = sum((each.amount for each in two), Decimal("0.00"))
    fixed = await approved(bank, max_amount=total, payments_digest=payments_digest(two))
    require_problem(await send(bank, fixed, *two), 409, "conflict", "and nothing else")
    answer = await bank.call(
        "POST",
        f"/loans/{LOAN}/draws/1/payments/{FIRST.id}/resending",
        **{"action": "payment:resend", "record": RECORD} | await approved(bank),
        content=b'{"payments":[]}',
    )
    require_problem(answer, 400, "invalid_request", "payments: ")
    assert bank.paid() == PAID


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"payments_digest": payments_digest((FIRST,))}, "not those that were approved"),
        ({"payments_digest": None}, "not those that were approved"),
        ({"max_amount": Decimal("1499.99")}, "approved amount"),
        ({"max_amount": None}, "approved amount"),
        ({"record_version": f"2.{payments_digest((AGAIN,))}"}, "changed since the approval"),
        ({"record_version": None}, "changed since the approval"),
    ],
)
async def test_only_what_people_fixed_is_sent(
    bank: Lending, changed: dict[str, Any], said: str
) -> None:
    """I5: a grant without an approval, or with another one, sends nothing."""
    await drawn(bank)
    noted(bank)
    fixed = {name: value for name, value in (await approved(bank) | changed).items() if value}
    require_problem(await send(bank, fixed), 409, "conflict", said)
    assert bank.paid() == PAID


async def test_what_did_not_come_back_is_not_sent_again(bank: Lending) -> None:
    """I5: staff note it, and no grant stands in for that."""
    await drawn(bank)
    answer = await send(bank, await approved(bank))
    require_problem(answer, 409, "conflict", "was not noted as come back")
    assert bank.paid() == PAID


async def test_nothing_is_sent_again_on_a_loan_that_stands_otherwise(bank: Lending) -> None:
    """I5: looked at under the loan's lock, whatever the authority was told before."""
    database = bank.databases["loan-servicing"]
    await drawn(bank)
    noted(bank)
    place_hold(database, LOAN, 1)
    require_problem(await send(bank, await approved(bank)), 409, "conflict", "on hold")
    place_hold(database, LOAN, 0)
    loan = bank.loan()
    for change in ({"status": LoanStatus.DEFAULT}, {"maturity": date(2026, 1, 1)}):
        import_loan(database, loan.model_copy(update=change))
        require_problem(await send(bank, await approved(bank)), 409, "conflict", "not open")
    import_loan(database, loan)
    before = await approved(bank)
    import_loan(database, loan)
    require_problem(await send(bank, before), 409, "conflict", "changed since the approval")
    others = tuple(each for each in loan.payees if each.id != FIRST.payee)
    gone = {"payees": others, "contractor": others[0].id}
    import_loan(database, loan.model_copy(update=gone))
    require_problem(await send(bank, await approved(bank)), 409, "conflict", "is not the account")
    assert bank.paid() == PAID


async def test_only_the_grants_own_record_and_action_open_it(bank: Lending) -> None:
    """I2: no other payment's grant, nor the draw's, and none for reading."""
    await drawn(bank)
    noted(bank)
    fixed = await approved(bank)
    for record in (f"{DRAW}/payment/{PAYMENTS[1].id}", DRAW):
        assert (await send(bank, fixed, record=record, path=RECORD)).status_code == 403
    for action in ("payment:read", "draw:disburse"):
        assert (await send(bank, fixed, action=action)).status_code == 403
    assert bank.paid() == PAID


async def test_a_payment_is_read_with_what_came_of_it(bank: Lending) -> None:
    """I2: and one of no draw, or of another, is not there."""
    await drawn(bank)

    async def read(draw: int, number: str) -> httpx.Response:
        path = f"/loans/{LOAN}/draws/{draw}/payments/{number}"
        record = f"loan/{LOAN}/draw/{draw}/payment/{number}"
        return await bank.call("GET", path, action="payment:read", record=record)

    found = (await read(1, FIRST.id)).json()
    assert (found["payment"]["id"], found["next_id"]) == (FIRST.id, AGAIN.id)
    assert found["came_back"] is None
    noted(bank)
    assert (await read(1, FIRST.id)).json()["came_back"]["reason"] == "R02 account closed"
    for draw, number in ((2, FIRST.id), (1, "pay-nobody")):
        require_problem(await read(draw, number), 404, "not_found", "no such payment")


async def test_a_note_is_of_a_payment_that_was_made_and_stands_once(bank: Lending) -> None:
    """I11: it changes neither what was disbursed nor the loan's version, and a file takes it not."""
    database = bank.databases["loan-servicing"]
    with pytest.raises(Failure, match="has made no payment"):
        noted(bank)
    await drawn(bank)
    before = bank.loan()
    with pytest.raises(Failure, match="has made no payment"):
        noted(bank, "pay-nobody")
    with pytest.raises(Failure, match="was noted as come back"):
        noted(bank, FIRST.id, FIRST.id)
    assert bank.loan() == before
    noted(bank)
    with pytest.raises(Failure, match="was noted as come back on 2026-11-30"):
        noted(bank)
    after = bank.loan()
    assert (after.version, after.disbursed) == (before.version, before.disbursed)
    import_loan(database, before)  # a file from before the note
    assert bank.loan().prior_draws == after.prior_draws
    assert (await send(bank, await approved(bank))).status_code == 200
    with pytest.raises(Failure, match=f"sent again as {AGAIN.id}"):
        noted(bank)
    import_loan(database, after)
    (back,) = bank.loan().prior_draws[0].came_back
    assert back.again is not None


async def test_another_loans_payment_is_not_noted(bank: Lending) -> None:
    """I2: its id alone names it to nobody."""
    await drawn(bank)
    database = bank.databases["loan-servicing"]
    import_loan(database, loan_file().model_copy(update={"loan_id": "L-1002"}))
    with pytest.raises(Failure, match="L-1002 has made no payment"):
        note(database, "L-1002", came_back=(came_back(),))


def test_the_note_on_the_command_line_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    """I12: what is no payment or has no reason, and what was not made."""
    settings = LenderSettings(folder=tmp_path)
    with settings.database("loan-servicing") as database:
        import_loan(database, loan_file())

    def run(said: str) -> tuple[int, str]:
        command = ["loan", "note", LOAN, "--came-back", said]
        result = CliRunner().invoke(app, command, env={"PLACET_LENDER_FOLDER": str(tmp_path)})
        return result.exit_code, " ".join(result.stderr.split())

    for said in ("pay-1", "pay-1=", "=R02", "1=R02", "pay-1 =R02", f"pay-1={'x' * 301}"):
        code, told = run(said)
        assert (code, "--came-back: " in told) == (2, True), told
    code, told = run("pay-1=R02")
    assert (code, "has made no payment pay-1" in told) == (1, True), told
