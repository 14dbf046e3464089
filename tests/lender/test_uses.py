"""Every use of a grant is told to the authority, once, whatever comes between."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from placet.model import digest_json
from tests.lender.authority import new_grant_id
from tests.lender.lending import (
    DRAW,
    LOAN,
    STAFF,
    Lending,
    analysis_of,
    payment,
    until,
)

SYSTEMS = ("loan-servicing", "document-storage", "compliance")


async def _told(bank: Lending, stage: str, grant: str, count: int = 1) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]]:
        found = bank.authority.told(stage, grant)
        return found if len(found) >= count else []

    return await until(look)


async def _packet(bank: Lending) -> None:
    answer = await bank.http.put(
        f"{bank.urls['document-storage']}/staff/loans/{LOAN}/draws/1/packet",
        json={"files": {"a.pdf": "JVBERi0="}},
        headers={"Authorization": f"Staff {STAFF}"},
    )
    assert answer.status_code == 200, answer.text


_READS: dict[str, tuple[str, str, str, str, str]] = {
    "loan": ("GET", f"/loans/{LOAN}", "loan:read", f"loan/{LOAN}", "loan-servicing"),
    "manifest": (
        "GET",
        f"/loans/{LOAN}/draws/1/packet",
        "packet:read",
        f"{DRAW}/packet",
        "document-storage",
    ),
    "file": (
        "GET",
        f"/loans/{LOAN}/draws/1/packet/1/a.pdf",
        "packet:read",
        f"{DRAW}/packet",
        "document-storage",
    ),
    "screening": (
        "POST",
        "/payees/P-10010/screening",
        "payee:screen",
        "payee/P-10010",
        "compliance",
    ),
}


async def test_a_read_through_a_grant_is_told(bank: Lending, subtests: pytest.Subtests) -> None:
    """I4: each system tells of ordinary uses as well."""
    await _packet(bank)
    for name, (method, path, action, record, system) in _READS.items():
        with subtests.test(name):
            grant = new_grant_id()
            answer = await bank.call(
                method, path, action=action, record=record, system=system, grant=grant
            )
            assert answer.status_code == 200, answer.text
            (use,) = await _told(bank, "use", grant)
            assert (use["action"], use["record"], use["status"]) == (action, record, 200)


async def test_a_write_and_a_refusal_are_told_with_what_came_of_them(bank: Lending) -> None:
    """I4: what was written has its digest there; what was refused has its status."""
    analysis = analysis_of()
    written, refused = new_grant_id(), new_grant_id()
    path = f"/loans/{LOAN}/draws/1/analysis"
    body = analysis.model_dump_json().encode()
    await bank.call("PUT", path, action="analysis:write", content=body, grant=written)
    other = analysis_of(draw=2).model_dump_json().encode()
    answer = await bank.call("PUT", path, action="analysis:write", content=other, grant=refused)
    assert answer.status_code == 400
    (use,) = await _told(bank, "use", written)
    assert (use["status"], use["body_digest"]) == (200, digest_json(analysis))
    (use,) = await _told(bank, "use", refused)
    assert use["status"] == 400


async def test_a_grant_used_five_times_has_five_uses(bank: Lending) -> None:
    """I4: a loop of reads under one grant is seen for what it is."""
    grant = new_grant_id()
    for _ in range(5):
        await bank.call(
            "GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}", grant=grant
        )
    found = await _told(bank, "use", grant, 5)
    assert len({use["id"] for use in found}) == 5


async def test_a_payment_asked_for_again_is_told_as_a_use(bank: Lending) -> None:
    """I4, I11: nothing is paid the second time, so there is no second intent; the asking is told."""
    await bank.analyse()
    fixed = await bank.approved()
    again = new_grant_id()
    assert (await bank.pay(fixed)).status_code == 200
    assert (await bank.pay(fixed, grant=again)).status_code == 200
    (use,) = await _told(bank, "use", again)
    assert (use["action"], use["status"]) == ("draw:disburse", 200)
    assert len(bank.authority.told("intent")) == 1


async def test_what_a_guard_refuses_is_no_use(bank: Lending) -> None:
    """A stranger can't fill the ledger: only what passed the guard is told."""
    answer = await bank.call("GET", f"/loans/{LOAN}", action="draw:read", record=DRAW)
    assert answer.status_code == 403
    engine = bank.databases["loan-servicing"].engine
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM use_outbox")).scalar() == 0


async def test_uses_wait_for_an_authority_that_is_away_in_their_order(bank: Lending) -> None:
    """I4: nothing is lost or reordered; each is told once."""
    grants = [new_grant_id() for _ in range(12)]
    bank.authority.uses_away = True
    for grant in grants:
        await bank.call(
            "GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}", grant=grant
        )
    bank.authority.uses_away = False
    await _told(bank, "use", grants[-1])
    told = [use["grant"] for use in bank.authority.told("use")]
    assert told == grants

    async def empty() -> bool:
        engine = bank.databases["loan-servicing"].engine
        with engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM use_outbox")).scalar() == 0

    await until(empty)


async def test_telling_survives_a_database_that_fails(
    bank: Lending, caplog: pytest.LogCaptureFixture
) -> None:
    """I4: an outbox that can't be read now is read later."""
    engine = bank.databases["loan-servicing"].engine
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE use_outbox RENAME TO elsewhere"))

    async def failed() -> bool:
        return any("telling uses failed" in each.getMessage() for each in caplog.records)

    await until(failed)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO use_outbox"))
    grant = new_grant_id()
    await bank.call("GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}", grant=grant)
    assert (await _told(bank, "use", grant))[0]["status"] == 200


async def test_a_use_that_can_not_be_written_is_not_made(bank: Lending) -> None:
    """I4: record first: no loan is read if its use can't be kept."""
    engine = bank.databases["loan-servicing"].engine
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE use_outbox RENAME TO elsewhere"))
    answer = await bank.call("GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}")
    assert answer.status_code == 503
    assert answer.json()["error"] == "temporarily_unavailable"
    assert "borrower" not in answer.text


async def test_an_intent_whose_answer_was_lost_gets_its_result(bank: Lending) -> None:
    """I4: the authority may have it: then the ledger must say that nothing was paid."""
    await bank.analyse()
    fixed = await bank.approved()
    grant = new_grant_id()
    bank.authority.deaf = True
    answer: httpx.Response = await bank.pay(fixed, grant=grant)
    assert answer.status_code == 503
    assert bank.paid() == []
    bank.authority.deaf = False
    (intent,) = await _told(bank, "intent", grant)
    (result,) = await _told(bank, "result", grant)
    assert intent["id"].removeprefix("intent") == result["id"].removeprefix("result")
    assert result["status"] == 503


async def test_a_refused_intent_is_told_as_a_use(bank: Lending) -> None:
    """I4: a grant that the authority has ended was shown here: it hears of that too."""
    await bank.analyse()
    other = (payment(0, "1500.00"), payment(1, "250.50"))
    bank.authority.refusals["intent"] = "the grant is revoked"
    grant = new_grant_id()
    assert (await bank.pay(await bank.approved(other), grant=grant)).status_code == 403
    (use,) = await _told(bank, "use", grant)
    assert use["status"] == 403
    assert bank.authority.told("result", grant) == []
