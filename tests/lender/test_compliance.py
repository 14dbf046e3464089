"""The compliance database: one standing of a payee, for every loan that pays it."""

import pytest

from lender._service import Failure
from lender.compliance import register_payees, set_standing
from lender.model import LoanFile, Payee
from tests.lender.lending import DRAW, LOAN, Lending, loan_file

SYSTEMS = ("compliance",)
SHARED = Payee(id="P-10011", name="Alder Electric 10011", role="supplier", account="acct-x")


def _other_loan() -> LoanFile:
    """Another loan that pays the first one's electrician, and its own people."""
    other = loan_file("L-2002")
    return other.model_copy(update={"payees": (*other.payees, SHARED)})


async def _standing(lending: Lending, record: str = DRAW) -> str:
    facts = await lending.facts(record, "compliance")
    return str(facts["facts"]["screening"])


async def test_a_shared_payees_hit_stops_every_loan_that_pays_it(either: Lending) -> None:
    """I3: the fact that policy reads is the worst among the loan's payees, whoever registered it."""
    database = either.databases["compliance"]
    register_payees(database, _other_loan())
    assert await _standing(either) == "clear"
    assert await _standing(either, "loan/L-2002/draw/1") == "clear"
    set_standing(database, SHARED.id, "hit")
    assert await _standing(either) == "hit"
    assert await _standing(either, "loan/L-2002/draw/1") == "hit"
    set_standing(database, SHARED.id, "clear")
    assert await _standing(either, "loan/L-2002/draw/1") == "clear"


async def test_a_loan_of_shared_payees_alone_is_known(bank: Lending) -> None:
    """A second loan of the same people is not unknown."""
    same = loan_file().model_copy(update={"loan_id": "L-2003"})
    register_payees(bank.databases["compliance"], same)
    assert await _standing(bank, "loan/L-2003") == "clear"


async def test_a_known_payee_keeps_its_standing(bank: Lending) -> None:
    """Taking a loan in again clears nobody."""
    database = bank.databases["compliance"]
    set_standing(database, "P-10012", "clear", licensed=False)
    register_payees(database, loan_file())
    register_payees(database, _other_loan())
    assert await _standing(bank) == "hit"
    assert await _standing(bank, "loan/L-2002") == "clear"


async def test_a_payee_that_a_loan_no_longer_pays_does_not_stop_it(bank: Lending) -> None:
    """The list is the loan's, as it was taken in last."""
    database = bank.databases["compliance"]
    set_standing(database, "P-10014", "hit")
    assert await _standing(bank) == "hit"
    shorter = loan_file().model_copy(update={"payees": loan_file().payees[:4]})
    register_payees(database, shorter)
    assert await _standing(bank) == "clear"


async def test_an_unknown_loan_is_unknown(bank: Lending) -> None:
    """I12: nothing is known of it: that is no "clear"."""
    assert await _standing(bank, "loan/L-999/draw/1") == "unknown"


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
    assert await _standing(bank) == "clear"
    with pytest.raises(Failure, match="no such payee"):
        set_standing(bank.databases["compliance"], "P-1", "hit")
