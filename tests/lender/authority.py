"""A small authority, for attacks on systems of record: its keys are a test's own, its HTTP real.

It publishes keys, a revocation feed and introspection, and takes uses; what it signs is up to the
test, which a real authority would never sign.
"""

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from placet.model import ActivityRef, GrantedDetails, spell_id, system_urn
from placet.tokens import (
    Confirmation,
    GrantClaims,
    InquiryClaims,
    SigningKey,
    sign_grant,
    sign_inquiry,
    spell_jwks,
)
from tests.harness.uses import read_use

CASE = spell_id("case", bytes(range(16)))


def new_grant_id() -> str:
    """A grant's id that nobody used."""
    return spell_id("grant", secrets.token_bytes(16))


@dataclass
class SimulatedAuthority:
    """What a test sees of the authority, and can make it do."""

    issuer: str
    key: SigningKey = field(default_factory=SigningKey.generate)
    inquirer: SigningKey = field(default_factory=SigningKey.generate)
    uses: list[dict[str, Any]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    away: bool = False
    uses_away: bool = False
    deaf: bool = False  # takes intents, and its answers are lost

    def sign(
        self,
        holder: SigningKey,
        action: str,
        record: str,
        *,
        system: str = "loan-servicing",
        agent: str = "draw-analyst",
        age: timedelta = timedelta(0),
        signer: SigningKey | None = None,
        grant: str | None = None,
        **fixed: Any,
    ) -> str:
        """A grant for one action on one record, bound to the holder's key, good for 60 s."""
        issued = int((datetime.now(UTC) - age).timestamp())
        details = GrantedDetails.model_validate(
            {
                "locations": (system_urn(system),),
                "actions": (action,),
                "identifier": record,
                "case": CASE,
                "activity": ActivityRef(
                    workflow_id=CASE,
                    run_id="run-1",
                    activity_id="7",
                    activity_type="a_step",
                    attempt=1,
                ),
                **fixed,
            }
        )
        claims = GrantClaims(
            iss=self.issuer,
            sub=f"agent:{agent}",
            aud=system_urn(system),
            iat=issued,
            nbf=issued,
            exp=issued + 60,
            jti=grant or new_grant_id(),
            client_id=f"agent:{agent}",
            txn=CASE,
            cnf=Confirmation(jkt=holder.thumbprint),
            authorization_details=(details,),
        )
        return sign_grant(claims, signer or self.key)

    def ask(self, system: str, record: str) -> str:
        """The authority's own question about a record."""
        now = int(datetime.now(UTC).timestamp())
        return sign_inquiry(
            InquiryClaims(
                iss=self.issuer,
                aud=system_urn(system),
                iat=now,
                exp=now + 30,
                jti=secrets.token_urlsafe(18),
                identifier=record,
                cnf=Confirmation(jkt=self.inquirer.thumbprint),
            ),
            self.key,
        )

    def told(self, stage: str, grant: str | None = None) -> list[dict[str, Any]]:
        """The uses of a stage that it heard of, of one grant or of all."""
        return [
            use
            for use in self.uses
            if use["stage"] == stage and (grant is None or use["grant"] == grant)
        ]

    # --- its routes ---------------------------------------------------------------------------

    async def _keys(self, _: Request) -> Response:
        return JSONResponse(spell_jwks([self.key.public]))

    async def _feed(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        after = int(request.query_params["after"])
        page = [
            {"cursor": number, "grant": grant}
            for number, grant in enumerate(self.revoked, 1)
            if number > after
        ]
        cursor = max(after, len(self.revoked))
        return JSONResponse({"revocations": page, "cursor": cursor, "complete": True})

    async def _introspect(self, request: Request) -> Response:
        if self.away:
            return Response(status_code=503)
        form = dict(parse_qsl((await request.body()).decode()))
        grant = jwt.decode(form["token"], options={"verify_signature": False})["jti"]
        alive = grant not in self.revoked
        return JSONResponse({"active": True, "jti": grant} if alive else {"active": False})

    async def _uses(self, request: Request) -> Response:
        if self.away or self.uses_away:
            return Response(status_code=503)
        refused = {}
        for use in map(read_use, json.loads(await request.body())["uses"]):
            reason = self.refusals.get(use["stage"])
            if reason is not None:
                refused[use["id"]] = reason
            elif use["id"] not in {each["id"] for each in self.uses}:
                self.uses.append(use)
        if self.deaf:
            return Response(status_code=502)
        return JSONResponse({"refused": refused})

    def app(self) -> Starlette:
        """Its application."""
        return Starlette(
            routes=[
                Route("/.well-known/jwks.json", self._keys),
                Route("/v1/revocations", self._feed),
                Route("/oauth/introspect", self._introspect, methods=["POST"]),
                Route("/v1/uses", self._uses, methods=["POST"]),
            ]
        )
