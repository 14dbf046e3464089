"""An act whose answer was lost, sent again."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from placet.model import ActClaims, SignedAct, digest_json
from placet.tokens import numeric_date, sign_act
from tests.harness.alone import Alone, alone

REASON = {"reason": "a test"}


def _hold(authority: Alone, record: str) -> dict[str, Any]:
    claims = ActClaims(
        iss="operator:ada",
        aud=authority.settings.issuer,
        iat=numeric_date(authority.now()),
        jti=secrets.token_urlsafe(18),
        act="hold.place",
        target=record,
        body_digest=digest_json(dict(REASON)),
    )
    signed = SignedAct(act=sign_act(claims, authority.admin), body=dict(REASON))
    return signed.model_dump(mode="json", exclude_none=True)


async def test_an_act_is_answered_the_same_however_late_it_comes_again(tmp_path: Path) -> None:
    """I11: one that was carried out is answered as before; one that never came is too old."""
    async with (
        alone(f"sqlite:///{tmp_path / 'authority.db'}") as authority,
        httpx.AsyncClient(base_url=authority.settings.issuer, timeout=30) as http,
    ):
        taken, late = _hold(authority, "depot/D1"), _hold(authority, "depot/D2")
        first = await http.post("/v1/acts", json=taken)
        assert first.status_code == 200, first.text
        authority.ahead = timedelta(hours=2)
        again = await http.post("/v1/acts", json=taken)
        assert (again.status_code, again.json()) == (200, first.json())
        refused = await http.post("/v1/acts", json=late)
        assert refused.status_code == 401, refused.text
        entries = (await http.get("/v1/ledger/entries?limit=1000")).json()["entries"]
    assert sum("hold.placed" in each for each in entries) == 1
