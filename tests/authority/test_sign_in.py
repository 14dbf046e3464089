"""Signing in: an operator's own key, once, as long as the operator is active."""

import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from placet.client import JWT_BEARER, AuthorityError, OperatorClient
from placet.model import EnrolIdentity
from placet.tokens import SigningKey, make_proof, make_sign_in
from tests.harness.alone import Alone, alone


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority alone."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made:
        yield made


def _request(authority: Alone, who: str, key: SigningKey, **changed: Any) -> dict[str, Any]:
    issuer, now = authority.settings.issuer, authority.now()
    assertion = make_sign_in(key, who, issuer=issuer, now=now, jti=secrets.token_urlsafe(18))
    proving = changed.get("proving", key)
    url = f"{issuer}/oauth/token"
    proof = make_proof(proving, "POST", url, now=now, jti=secrets.token_urlsafe(18))
    return {
        "url": url,
        "data": {"grant_type": JWT_BEARER, "assertion": changed.get("assertion", assertion)},
        "headers": {"DPoP": changed.get("proof", proof)},
    }


async def test_a_sign_in_counts_once(authority: Alone) -> None:
    """RFC 7523 section 3, item 7; RFC 6749 section 5.2: what was used is an invalid grant."""
    good = _request(authority, "operator:ada", authority.admin)
    async with httpx.AsyncClient() as http:
        assert (await http.post(**good)).status_code == 200
        again = await http.post(**good)
        assertion = good["data"]["assertion"]
        fresh = _request(authority, "operator:ada", authority.admin, assertion=assertion)
        assertion_again = await http.post(**fresh)
        proof = _request(authority, "operator:ada", authority.admin, proof=good["headers"]["DPoP"])
        proof_again = await http.post(**proof)
    for answer in (again, assertion_again, proof_again):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(("hours", "said"), [(1, "s ahead of"), (-1, "s behind")])
async def test_whose_clock_is_wrong_is_told_so(authority: Alone, hours: int, said: str) -> None:
    """A person reads of no proof: their own machine's clock is what they can set."""

    def clock() -> datetime:
        return authority.now() + timedelta(hours=hours)

    issuer, key = authority.settings.issuer, authority.admin
    async with OperatorClient(issuer, "operator:ada", key, clock=clock) as ada:
        with pytest.raises(AuthorityError, match=f"; this machine's clock is 3,[56][0-9]+ {said}"):
            await ada.sign_in_again()


async def test_a_stolen_sign_in_is_worth_nothing_with_another_key(authority: Alone) -> None:
    """RFC 9449: the session is bound to the key that signed in; a thief has another."""
    stolen = _request(authority, "operator:ada", authority.admin, proving=SigningKey.generate())
    async with httpx.AsyncClient() as http:
        answer = await http.post(**stolen)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


async def test_a_suspended_operator_reads_nothing_more(authority: Alone) -> None:
    """I10: a live session ends at once, and there is no other."""
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), roles=("auditor",))
    una = OperatorClient(authority.settings.issuer, "operator:una", key)
    async with authority.ada() as ada, una:
        await ada.act("operator.enrol", "operator:una", body)
        assert await una.cases() == []
        await ada.act("operator.suspend", "operator:una", {"reason": "a test"})
        with pytest.raises(AuthorityError) as reading:
            await una.cases()
        async with httpx.AsyncClient() as http:
            answer = await http.post(**_request(authority, "operator:una", key))
        await ada.act("operator.resume", "operator:una", {"reason": "a test"})
        assert await una.cases() == []
    assert reading.value.status == 403
    assert reading.value.problem.reasons == ("I10", "suspended")
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")
    assert answer.json()["reasons"] == ["I10", "suspended"]
