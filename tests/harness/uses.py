"""Uses as systems of record tell them."""

import secrets
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt

from placet.model import GrantUses, UseClaims, UseStage
from placet.tokens import SigningKey, make_client_assertion, make_proof, numeric_date, sign_use
from tests.harness.world import World


def read_use(word: str) -> dict[str, Any]:
    """What a system signed of a use, unverified, under the names that it has in the system."""
    said = jwt.decode(word, options={"verify_signature": False})
    return {**said, "id": said["jti"], "grant": said["sub"]}


async def tell_use(
    w: World, key: SigningKey, grant: str, stage: UseStage, refused: str | None = None, **other: str
) -> None:
    """The depot's own system tells what it does under a grant, live or not."""
    (entry,) = [each for each in await w.entries("grant.issued") if each["data"]["grant"] == grant]
    issued = entry["data"]
    now, url = datetime.now(UTC), f"{w.issuer}/v1/uses"
    assertion = make_client_assertion(
        key, "system:authority", issuer=w.issuer, now=now, jti=secrets.token_urlsafe(18)
    )
    claims = UseClaims(
        iss="system:authority",
        aud=w.issuer,
        iat=numeric_date(now),
        jti=other.get("jti", secrets.token_urlsafe(18)),
        sub=grant,
        details_digest=other.get("details_digest", issued["details_digest"]),
        jkt=other.get("jkt", issued["jkt"]),
        stage=stage,
        action=issued["action"],
        record=entry["record"],
        status=int(other.get("status", "0" if stage is UseStage.INTENT else "200")),
        body_digest=other.get("body_digest"),
        used_at=numeric_date(now),
    )
    uses = (sign_use(claims, key),)
    body = GrantUses(client_assertion=assertion, uses=uses).model_dump(mode="json")
    proof = make_proof(key, "POST", url, now=now, jti=secrets.token_urlsafe(18))
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, json=body, headers={"DPoP": proof})
    expected = {} if refused is None else {claims.jti: refused}
    assert (answer.status_code, answer.json()) == (200, {"refused": expected})
