"""I4: if the ledger can't be written or read, the answer is "unavailable", and nothing is lost."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from placet.client import AuthorityError
from placet.model import ActClaims, SignedAct, digest_json
from placet.tokens import numeric_date, sign_act
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.alone import Alone, alone
from tests.harness.world import until

REASON = {"reason": "a test"}


@pytest.fixture
async def database(postgresql: PostgresqlCluster) -> AsyncIterator[str]:
    """A database's name."""
    name = postgresql.create_database()
    yield name
    postgresql.drop_database(name)


def _act(authority: Alone) -> dict[str, Any]:
    claims = ActClaims(
        iss="operator:ada",
        aud=authority.settings.issuer,
        iat=numeric_date(authority.now()),
        jti=secrets.token_urlsafe(18),
        act="hold.place",
        target="depot/D1",
        body_digest=digest_json(dict(REASON)),
    )
    signed = SignedAct(act=sign_act(claims, authority.admin), body=dict(REASON))
    return signed.model_dump(mode="json")


async def test_an_act_in_an_outage_waits_and_counts_once(
    postgresql: PostgresqlCluster, database: str
) -> None:
    """I4, I11: 503 with Retry-After, no trace of it; sent again afterwards, it counts once."""
    async with (
        alone(postgresql.url(database)) as authority,
        authority.ada() as ada,
        httpx.AsyncClient(base_url=authority.settings.issuer, timeout=30) as http,
    ):
        signed = _act(authority)
        await ada.cases()
        told = await http.get("/readyz")  # there is no Temporal here, and people work all the same
        assert (told.status_code, told.json()["parts"]) == (
            200,
            {"store": "ok", "temporal": "away"},
        )
        with postgresql.outage(database):
            for answer in (
                await http.post("/v1/acts", json=signed),
                await http.get("/v1/ledger/entries"),
            ):
                assert answer.status_code == 503, answer.text
                assert answer.json()["error"] == "temporarily_unavailable"
                assert answer.headers["retry-after"] == "1"
                assert postgresql.folder.name not in answer.text
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.json()["parts"]["store"]) == (503, "away")
            assert (await http.get("/livez")).status_code == 200
            with pytest.raises(AuthorityError) as refused:
                await ada.cases()
            assert refused.value.status == 503

        async def taken() -> httpx.Response | None:
            answer = await http.post("/v1/acts", json=signed)
            return answer if answer.status_code == 200 else None

        first = await until(taken)
        assert (await http.post("/v1/acts", json=signed)).json() == first.json()
        entries = (await http.get("/v1/ledger/entries?limit=1000")).json()["entries"]
    assert sum("hold.placed" in each for each in entries) == 1
