"""I4: if the ledger can't be written or read, the answer is "unavailable", and nothing is lost."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from temporalio.client import Client

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.client import AuthorityError, OperatorClient
from placet.model import ActClaims, SignedAct, digest_json
from placet.tokens import SigningKey, numeric_date, sign_act
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.world import PASSPHRASE, free_port, serving, until

REASON = {"reason": "a test"}


@pytest.fixture
async def database(postgresql: PostgresqlCluster) -> AsyncIterator[str]:
    """A database's name."""
    name = postgresql.create_database()
    yield name
    postgresql.drop_database(name)


async def test_an_act_in_an_outage_waits_and_counts_once(
    postgresql: PostgresqlCluster, database: str
) -> None:
    """I4, I11: 503 with Retry-After, no trace of it; sent again afterwards, it counts once."""
    port, key = free_port(), SigningKey.generate()
    issuer = f"http://127.0.0.1:{port}"
    settings = AuthoritySettings(
        issuer=issuer,
        port=port,
        database_url=postgresql.url(database),
        key_passphrase=PASSPHRASE,
    )
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", key.public)])
    temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    claims = ActClaims(
        iss="operator:ada",
        aud=issuer,
        iat=numeric_date(datetime.now(UTC)),
        jti=secrets.token_urlsafe(18),
        act="hold.place",
        target="depot/D1",
        body_digest=digest_json(dict(REASON)),
    )
    signed = SignedAct(act=sign_act(claims, key), body=dict(REASON)).model_dump(mode="json")
    async with (
        serving(settings, temporal),
        OperatorClient(issuer, "operator:ada", key) as ada,
        httpx.AsyncClient(base_url=issuer, timeout=30) as http,
    ):
        await ada.cases()
        with postgresql.outage(database):
            for answer in (
                await http.post("/v1/acts", json=signed),
                await http.get("/healthz"),
                await http.get("/v1/ledger/entries"),
            ):
                assert answer.status_code == 503, answer.text
                assert answer.json()["error"] == "temporarily_unavailable"
                assert answer.headers["retry-after"] == "1"
                assert postgresql.folder.name not in answer.text
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
