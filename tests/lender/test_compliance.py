"""The compliance database: one standing of a payee, for every loan that pays it."""

import pytest

from lender._service import Failure
from lender.compliance import register_payees, set_standing
from lender.model import LoanFile, Payee, Standing
from tests.lender.lending import DRAW, LOAN, Lending, loan_file

SYSTEMS = ("compliance",)
SHARED = Payee(id="P-10011", name="Alder Electric 10011", role="supplier", account="acct-x")


def _other_loan() -> LoanFile:
    """Another loan that pays the first one's electrician, and its own people."""
    other = loan_file("L-2002")
    return other.model_copy(update={"payees": (*other.payees, SHARED)})


async def _standings(lending: Lending, record: str = DRAW) -> dict[str, str]:
    """How each payee stands now: the best of what is told of it, and everything worse with it."""
    told: dict[str, list[str]] = {}
    for each in (await lending.facts(record, "compliance"))["facts"]["standings"]:
        payee, _, standing = each.partition(":")
        told.setdefault(payee, []).append(standing)
    order = [each.value for each in Standing]
    assert all(each == order[: len(each)] for each in told.values())
    return {payee: each[-1] for payee, each in told.items()}


async def test_a_shared_payees_hit_is_told_of_every_loan_that_pays_it(either: Lending) -> None:
    """I3: policy compares them with how the payees of the draw stood, whoever registered them."""
    database = either.databases["compliance"]
    register_payees(database, _other_loan())
    records = (DRAW, "loan/L-2002/draw/1")
    assert [(await _standings(either, each))[SHARED.id] for each in records] == ["clear"] * 2
    set_standing(database, SHARED.id, "hit")
    assert [(await _standings(either, each))[SHARED.id] for each in records] == ["hit"] * 2
    set_standing(database, SHARED.id, "clear")
    assert (await _standings(either, "loan/L-2002/draw/1"))[SHARED.id] == "clear"


async def test_a_loan_of_shared_payees_alone_is_known(bank: Lending) -> None:
    """A second loan of the same people is not unknown."""
    same = loan_file().model_copy(update={"loan_id": "L-2003"})
    register_payees(bank.databases["compliance"], same)
    told = await _standings(bank, "loan/L-2003")
    assert told == {each.id: "clear" for each in same.payees}


async def test_a_known_payee_keeps_its_standing(bank: Lending) -> None:
    """Taking a loan in again clears nobody; a licence is part of how a payee stands."""
    database = bank.databases["compliance"]
    set_standing(database, "P-10012", "clear", licensed=False)
    register_payees(database, loan_file())
    register_payees(database, _other_loan())
    assert (await _standings(bank))["P-10012"] == "unlicensed"
    others = await _standings(bank, "loan/L-2002")
    assert set(others.values()) == {"clear"}


async def test_a_payee_that_a_loan_no_longer_pays_is_not_told(bank: Lending) -> None:
    """The list is the loan's, as it was taken in last."""
    database = bank.databases["compliance"]
    set_standing(database, "P-10014", "hit")
    assert (await _standings(bank))["P-10014"] == "hit"
    shorter = loan_file().model_copy(update={"payees": loan_file().payees[:4]})
    register_payees(database, shorter)
    assert "P-10014" not in await _standings(bank)


async def test_of_an_unknown_loan_nothing_is_told(bank: Lending) -> None:
    """I12: nothing is known of it: that is no "clear"."""
    assert await _standings(bank, "loan/L-999/draw/1") == {}


async def test_screening_tells_one_payees_standing_and_nothing_else(bank: Lending) -> None:
    """I2: one payee for one grant; nobody's loan is named."""
    answer = await bank.call(
        "POST",
        "/payees/P-10011/screening",
        action="payee:screen",
        record="payee/P-10011",
        system="compliance",
    )
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "payee": "P-10011",
        "status": "clear",
        "licensed": True,
        "list_version": "2026-11",
    }
    assert LOAN not in answer.text
    unknown = await bank.call(
        "POST",
        "/payees/P-55/screening",
        action="payee:screen",
        record="payee/P-55",
        system="compliance",
    )
    assert unknown.json()["status"] == "unknown"
    assert unknown.json()["licensed"] is False


async def test_a_standing_that_is_none_is_refused(bank: Lending) -> None:
    """The database itself knows two standings; a third would read as neither."""
    with pytest.raises(Failure) as refused:
        set_standing(bank.databases["compliance"], "P-10010", "maybe")  # type: ignore[arg-type]
    assert refused.value.status == 400
    assert (await _standings(bank))["P-10010"] == "clear"
    with pytest.raises(Failure, match="no such payee"):
        set_standing(bank.databases["compliance"], "P-1", "hit")
