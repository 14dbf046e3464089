"""OAuth's routes: metadata, keys, tokens, sign-in by device code, introspection, revocation."""

import json

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from placet.authority._errors import Invalid, Unauthenticated
from placet.authority._http import answer, describe, read_form, require_parameter
from placet.authority._people import issue_session
from placet.authority._provider import DEVICE_GRANT
from placet.authority._rates import address_of
from placet.authority._services import Services
from placet.authority._signing import JWKS_MAX_AGE
from placet.model import RequestedDetails, SignInAnswer
from placet.tokens import Proof, spell_jwks

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DETAILS: TypeAdapter[tuple[RequestedDetails]] = TypeAdapter(tuple[RequestedDetails])
_MAX_DETAILS = 8192


class OAuthRoutes:
    """One method a route: read, call, answer."""

    def __init__(self, services: Services) -> None:
        self._s = services

    async def metadata(self, _: Request) -> Response:
        """RFC 8414 metadata."""
        issuer = self._s.core.issuer
        algorithms = ["ES256", "Ed25519", "EdDSA"]
        return JSONResponse(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/oauth/token",
                "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
                "introspection_endpoint": f"{issuer}/oauth/introspect",
                "revocation_endpoint": f"{issuer}/oauth/revoke",
                "jwks_uri": f"{issuer}/.well-known/jwks.json",
                "response_types_supported": [],
                "grant_types_supported": [CLIENT_CREDENTIALS, JWT_BEARER, DEVICE_GRANT],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": algorithms,
                "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
                "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
                "revocation_endpoint_auth_methods_supported": ["private_key_jwt"],
                "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
                "dpop_signing_alg_values_supported": algorithms,
                "authorization_details_types_supported": ["placet_record"],
            },
            headers={"Cache-Control": f"max-age={int(JWKS_MAX_AGE.total_seconds())}"},
        )

    async def jwks(self, _: Request) -> Response:
        """RFC 7517: the keys that sign grants, will sign, or have signed lately."""
        keys = self._s.core.keys.published(self._s.core.clock())
        return JSONResponse(
            spell_jwks(keys),
            headers={"Cache-Control": f"max-age={int(JWKS_MAX_AGE.total_seconds())}"},
        )

    async def token(self, request: Request) -> Response:
        """RFC 6749 section 3.2: a grant for an agent's step, or a session for an operator."""
        form = await read_form(request)
        grant_type = require_parameter(form, "grant_type")
        proof = self._s.requests.proof(request)
        if grant_type == JWT_BEARER:
            assertion = require_parameter(form, "assertion")
            session = await self._s.people.sign_in(assertion, proof)
            return JSONResponse(
                {
                    "access_token": session.token,
                    "token_type": "DPoP",
                    "expires_in": session.expires_in,
                },
                headers={"Cache-Control": "no-store"},
            )
        if grant_type == DEVICE_GRANT:
            return await self._finish_sign_in(require_parameter(form, "device_code"), proof)
        if grant_type != CLIENT_CREDENTIALS:
            raise Invalid("unsupported_grant_type", "use client_credentials")
        _require_assertion_type(form)
        sender = await self._s.requests.client(form.get("client_assertion"), proof)
        if form.get("client_id", sender.principal) != sender.principal:
            raise Unauthenticated("invalid_client", "client_id is not the assertion's client")
        details = _read_details(form.get("authorization_details", ""))
        issued = await self._s.grants.issue(sender, details)
        body = {
            "access_token": issued.token,
            "token_type": "DPoP",
            "expires_in": issued.expires_in,
            "authorization_details": [issued.details.model_dump(mode="json", exclude_none=True)],
        }
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def begin_sign_in(self, request: Request) -> Response:
        """RFC 8628 section 3.1: a sign-in at the lender's identity provider, for one key."""
        form = await read_form(request)
        proof = self._s.requests.proof(request)
        begun = await self._s.signing_in.begin(
            proof, fresh=form.get("prompt") == "login", address=address_of(request)
        )
        return answer(begun)

    async def _finish_sign_in(self, device_code: str, proof: Proof) -> Response:
        signed_in = await self._s.signing_in.finish(device_code, proof)
        session = await issue_session(self._s.core, signed_in.operator, proof.jkt)
        return answer(
            SignInAnswer(
                access_token=session.token,
                token_type="DPoP",  # noqa: S106 - the scheme's name
                expires_in=session.expires_in,
                operator=signed_in.operator,
                session_ends_at=signed_in.ends_at,
            )
        )

    async def introspect(self, request: Request) -> Response:
        """RFC 7662, for systems of record."""
        form = await read_form(request)
        sender = await self._s.requests.client(form.get("client_assertion"))
        token = require_parameter(form, "token")
        return answer(await self._s.uses.introspect(sender, token))

    async def revoke(self, request: Request) -> Response:
        """RFC 7009, for the agent that holds the grant."""
        form = await read_form(request)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(form.get("client_assertion"), proof)
        await self._s.revoking.revoke(sender, require_parameter(form, "token"))
        return Response(status_code=200, headers={"Cache-Control": "no-store"})


def _require_assertion_type(form: dict[str, str]) -> None:
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise Unauthenticated("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}")


def _read_details(text: str) -> RequestedDetails:
    if not text or len(text) > _MAX_DETAILS:
        raise Invalid("invalid_authorization_details", "send exactly one placet_record (RFC 9396)")
    try:
        parse_list(text)
        return _DETAILS.validate_json(text)[0]
    except ValidationError as error:
        raise Invalid("invalid_authorization_details", describe(error)) from None
    except (ValueError, RecursionError) as error:
        raise Invalid("invalid_authorization_details", str(error)[:200]) from None


def parse_list(text: str) -> None:
    """Refuse a member that stands twice in one object, of which a parser would keep the last."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) != len(pairs):
            raise ValueError("a member stands twice in one object")
        return members

    json.loads(text, object_pairs_hook=once)
