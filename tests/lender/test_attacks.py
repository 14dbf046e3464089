"""What a system of record refuses, whoever asks: over real HTTP, with tokens that are really signed."""

import base64
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from placet.tokens import SigningKey
from tests.lender.authority import new_grant_id
from tests.lender.lending import (
    DRAW,
    LOAN,
    PAID,
    PAYMENTS,
    Lending,
    payment,
    require_problem,
    until,
)

SYSTEMS = ("loan-servicing",)
PATH = f"/loans/{LOAN}/draws/1/disbursement"


async def _pay(bank: Lending, **how: Any) -> httpx.Response:
    return await bank.pay(await bank.approved(), **how)


async def _bearer(bank: Lending) -> httpx.Response:
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    headers = {"Authorization": f"Bearer {token}"}
    return await bank.http.post(bank.urls["loan-servicing"] + PATH, headers=headers)


async def _no_proof(bank: Lending) -> httpx.Response:
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    headers = {"Authorization": f"DPoP {token}"}
    return await bank.http.post(bank.urls["loan-servicing"] + PATH, headers=headers)


async def _no_token(bank: Lending) -> httpx.Response:
    return await bank.http.post(bank.urls["loan-servicing"] + PATH)


async def _stolen(bank: Lending) -> httpx.Response:
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    return await _pay(bank, token=token, key=SigningKey.generate())


async def _proof_for_another_route(bank: Lending) -> httpx.Response:
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    url = bank.urls["loan-servicing"] + f"/loans/{LOAN}"
    return await _pay(bank, token=token, proof=bank.proof("POST", url, token))


async def _proof_for_another_token(bank: Lending) -> httpx.Response:
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    other = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    url = bank.urls["loan-servicing"] + PATH
    return await _pay(bank, token=token, proof=bank.proof("POST", url, other))


async def _unsigned(bank: Lending) -> httpx.Response:
    token = bank.authority.sign(bank.agent, "draw:disburse", DRAW, **await bank.approved())
    header = base64.urlsafe_b64encode(b'{"typ":"at+jwt","alg":"none"}').decode().rstrip("=")
    return await _pay(bank, token=f"{header}.{token.split('.')[1]}.")


_ATTACKS: dict[str, tuple[Callable[[Lending], Awaitable[httpx.Response]], int, str]] = {
    "no-token": (_no_token, 401, "invalid_token"),
    "as-bearer": (_bearer, 401, "invalid_token"),
    "no-proof": (_no_proof, 401, "invalid_dpop_proof"),
    "stolen-token-own-key": (_stolen, 401, "invalid_dpop_proof"),
    "proof-for-another-route": (_proof_for_another_route, 401, "invalid_dpop_proof"),
    "proof-for-another-token": (_proof_for_another_token, 401, "invalid_dpop_proof"),
    "unsigned": (_unsigned, 401, "invalid_token"),
    "signed-by-a-stranger": (
        lambda bank: _pay(bank, signer=SigningKey.generate()),
        401,
        "invalid_token",
    ),
    "expired": (lambda bank: _pay(bank, age=timedelta(seconds=90)), 401, "invalid_token"),
    "not-yet-good": (lambda bank: _pay(bank, age=timedelta(seconds=-60)), 401, "invalid_token"),
    "other-loan": (
        lambda bank: _pay(
            bank,
            token=bank.authority.sign(bank.agent, "draw:disburse", "loan/L-1002/draw/1"),
        ),
        403,
        "insufficient_scope",
    ),
    "other-draw": (
        lambda bank: _pay(
            bank,
            token=bank.authority.sign(bank.agent, "draw:disburse", f"loan/{LOAN}/draw/2"),
        ),
        403,
        "insufficient_scope",
    ),
    "other-action": (lambda bank: _pay(bank, action="analysis:write"), 403, "insufficient_scope"),
}


async def test_a_payment_needs_its_own_live_grant(bank: Lending, subtests: pytest.Subtests) -> None:
    """I1, I2: no token but the right one, from the key it is bound to, moves money."""
    await bank.analyse()
    for name, (attack, status, error) in _ATTACKS.items():
        with subtests.test(name):
            require_problem(await attack(bank), status, error)
            assert bank.paid() == []
            assert bank.authority.told("intent") == []
    # What was refused is the attack, not the payment: the rightful one goes through.
    assert (await _pay(bank)).status_code == 200


async def test_a_grant_for_another_system_is_refused(bank: Lending) -> None:
    """I2: one audience: a grant for document storage opens nothing at loan servicing."""
    await bank.analyse()
    token = bank.authority.sign(
        bank.agent, "draw:disburse", DRAW, system="document-storage", **await bank.approved()
    )
    require_problem(await _pay(bank, token=token), 401, "invalid_token")
    assert bank.paid() == []


async def test_a_proof_counts_once(bank: Lending) -> None:
    """I1: what was overheard and is sent again is refused (RFC 9449 section 11.1)."""
    token = bank.authority.sign(bank.agent, "loan:read", f"loan/{LOAN}")
    url = bank.urls["loan-servicing"] + f"/loans/{LOAN}"
    proof = bank.proof("GET", url, token)
    first = await bank.call("GET", f"/loans/{LOAN}", token=token, proof=proof)
    assert first.status_code == 200
    again = await bank.call("GET", f"/loans/{LOAN}", token=token, proof=proof)
    require_problem(again, 401, "invalid_dpop_proof", "used before")


async def test_a_revoked_grant_stops_working(bank: Lending) -> None:
    """I10: within seconds of its revocation a grant is worth nothing."""
    await bank.analyse()
    grant = new_grant_id()

    async def refused() -> httpx.Response | None:
        answer = await bank.call(
            "GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}", grant=grant
        )
        return answer if answer.status_code != 200 else None

    assert await refused() is None
    bank.authority.revoked.append(grant)
    require_problem(await until(refused), 401, "invalid_token", "revoked")
    require_problem(await _pay(bank, grant=grant), 401, "invalid_token", "revoked")
    assert bank.paid() == []


async def test_without_the_authority_nothing_is_judged(bank: Lending) -> None:
    """I10, I4: a system whose feed is old and whose authority is away answers 503."""
    await bank.analyse()
    fixed = await bank.approved()
    bank.authority.away = True

    # At once, since the intent can't be made durable.
    require_problem(await bank.pay(fixed), 503, "temporarily_unavailable")

    async def stale() -> httpx.Response | None:
        answer = await bank.call("GET", f"/loans/{LOAN}", action="loan:read", record=f"loan/{LOAN}")
        return answer if answer.status_code != 200 else None

    # Within seconds for every read, since nobody can say whether the grant still lives.
    require_problem(await until(stale), 503, "temporarily_unavailable")
    assert bank.paid() == []
    bank.authority.away = False

    async def paid() -> bool:
        return (await bank.pay(fixed)).status_code == 200

    await until(paid)
    assert bank.paid() == PAID


async def test_another_draws_payments_are_refused_under_any_grant(bank: Lending) -> None:
    """I5: a grant with nothing fixed by people pays nothing."""
    await bank.analyse()
    require_problem(await bank.pay({}), 409, "conflict", "approved amount")
    other = (payment(2, "1750.50"),)
    require_problem(await bank.pay(await bank.approved(), other), 409, "conflict")
    assert bank.paid() == []
    assert bank.authority.told("intent") == []


async def test_only_the_authority_asks_for_facts(bank: Lending) -> None:
    """I2: facts cross loans' walls for the authority alone, about the record it signed for."""
    path = f"/v1/facts/{DRAW}"
    require_problem(
        await bank.call("GET", path, action="draw:read"), 401, "invalid_token", "inquiry"
    )
    token = bank.authority.ask("loan-servicing", f"loan/{LOAN}/draw/2")
    answer = await bank.call("GET", path, token=token, key=bank.authority.inquirer)
    require_problem(answer, 403, "insufficient_scope")
    token = bank.authority.ask("loan-servicing", DRAW)
    stolen = await bank.call("GET", path, token=token, key=SigningKey.generate())
    require_problem(stolen, 401, "invalid_dpop_proof")


async def test_a_draw_is_paid_as_approved(bank: Lending) -> None:
    """I5: the whole of it once: payments, version, the next draw's beginning."""
    await bank.analyse()
    answer = await _pay(bank)
    assert answer.status_code == 200, answer.text
    assert answer.json()["payments"] == [each.id for each in PAYMENTS]
    assert bank.paid() == PAID
    loan = bank.loan()
    assert (loan.version, loan.next_draw, f"{loan.disbursed:.2f}") == (2, 2, "1750.50")
