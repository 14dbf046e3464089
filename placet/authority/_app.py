"""The authority's HTTP API (PROTOCOL.md): routes, and nothing that decides."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from placet.authority._acts import Acts, list_proposals, list_reviews, show_proposal
from placet.authority._archiving import Archivist
from placet.authority._campaign_routes import CampaignRoutes
from placet.authority._campaigns import Campaigns
from placet.authority._cases import Cases
from placet.authority._checkpoints import Checkpoints
from placet.authority._core import Core
from placet.authority._decisions import Decisions
from placet.authority._enrolments import Enrolments
from placet.authority._errors import (
    Invalid,
    NotFound,
    Refusal,
    Unauthenticated,
    Unavailable,
    WrongMethod,
)
from placet.authority._events import Events
from placet.authority._governance import governance
from placet.authority._grants import Grants, IssuedGrant
from placet.authority._http import (
    MAX_ACT,
    MAX_ASKS,
    MAX_DECISION,
    MAX_DECISIONS,
    answer,
    describe,
    endpoint,
    one_query,
    read_form,
    read_model,
    refuse,
    require_parameter,
)
from placet.authority._inventories import Inventories
from placet.authority._joining import Joining
from placet.authority._key_ages import KeyAges
from placet.authority._leaving import Leaving
from placet.authority._list_routes import ListRoutes, admit
from placet.authority._log import LedgerReads
from placet.authority._models import ModelRoutes
from placet.authority._notices import list_deliveries
from placet.authority._openapi import describing
from placet.authority._opening import OpeningRoutes
from placet.authority._order_routes import OrderRoutes
from placet.authority._orders import Orders
from placet.authority._payloads import PayloadService
from placet.authority._people import People, issue_session
from placet.authority._provider import DEVICE_GRANT
from placet.authority._rates import address_of
from placet.authority._registry import Registry
from placet.authority._requests import Requests
from placet.authority._revoking import Revoking
from placet.authority._sessions import Sessions
from placet.authority._settlements import Settling
from placet.authority._signing import JWKS_MAX_AGE
from placet.authority._standing_routes import StandingRoutes
from placet.authority._standings import Standings
from placet.authority._tiles import serve_tile
from placet.authority._usage import Usage
from placet.authority._uses import Uses
from placet.authority._views import Views
from placet.model import (
    AskKeys,
    CloseCase,
    DeliveryStatus,
    Enrolment,
    GrantAnswers,
    GrantAsks,
    GrantGiven,
    GrantRefused,
    GrantUses,
    IdentityId,
    IdentityKind,
    IdentityReport,
    Join,
    Name,
    OpenCheckpoint,
    ProposalStatus,
    RequestedDetails,
    RotateKey,
    Settlements,
    SignedAct,
    SignedDecision,
    SignedDecisions,
    SignInAnswer,
    StopCase,
)
from placet.telemetry import Health
from placet.tokens import Proof, spell_jwks

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DETAILS: TypeAdapter[tuple[RequestedDetails]] = TypeAdapter(tuple[RequestedDetails])
_MAX_DETAILS = 8192


@dataclass(frozen=True)
class Services:
    """The parts behind the routes."""

    core: Core
    requests: Requests
    grants: Grants
    people: People
    sessions: Sessions
    enrolments: Enrolments
    joining: Joining
    key_ages: KeyAges
    settling: Settling
    revoking: Revoking
    checkpoints: Checkpoints
    decisions: Decisions
    acts: Acts
    cases: Cases
    archivist: Archivist
    payloads: PayloadService
    uses: Uses
    views: Views
    registry: Registry
    usage: Usage
    leaving: Leaving
    campaigns: Campaigns
    orders: Orders
    standings: Standings
    inventories: Inventories
    ledger: LedgerReads
    events: Events


def make_app(services: Services, health: Health) -> Starlette:
    """The ASGI application."""
    routes = Routes(services)
    lists = ListRoutes(services)
    campaigns = CampaignRoutes(services)
    orders = OrderRoutes(services)
    standings = StandingRoutes(services)
    table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("GET", "/livez", health.live),
        ("GET", "/readyz", health.ready),
        ("GET", "/.well-known/oauth-authorization-server", routes.metadata),
        ("GET", "/.well-known/jwks.json", routes.jwks),
        ("POST", "/oauth/device_authorization", routes.begin_sign_in),
        ("POST", "/oauth/token", routes.token),
        ("POST", "/oauth/introspect", routes.introspect),
        ("POST", "/oauth/revoke", routes.revoke),
        ("GET", "/v1/revocations", routes.revocations),
        ("POST", "/v1/uses", routes.uses),
        ("POST", "/v1/grants", routes.grants),
        ("POST", "/v1/settlements", routes.settlements),
        ("GET", "/v1/grants/{grant}/inputs/{name}", routes.inputs),
        ("POST", "/v1/enrolments", routes.enrol),
        ("POST", "/v1/joins", routes.join),
        ("GET", "/v1/keys/mine", routes.key_standing),
        ("POST", "/v1/keys", routes.rotate_key),
        ("POST", "/v1/acts", routes.acts),
        ("GET", "/v1/acts/{jti}", routes.act),
        ("GET", "/v1/proposals", routes.proposals),
        ("GET", "/v1/proposals/{jti}", routes.proposal),
        ("GET", "/v1/governance", routes.governance),
        ("GET", "/v1/cases", lists.cases),
        ("GET", "/v1/notices", routes.notices),
        ("GET", "/v1/reviews", routes.reviews),
        ("GET", "/v1/cases/{case}", routes.case),
        ("GET", "/v1/cases/{case}/parts/{digest}", routes.part),
        ("GET", "/v1/cases/{case}/archive", routes.archive),
        ("GET", "/v1/cases/{case}/entries", routes.case_entries),
        ("POST", "/v1/cases/{case}/keys", routes.payload_keys),
        ("POST", "/v1/cases/{case}/payloads", OpeningRoutes(services).open),
        ("POST", "/v1/cases/{case}/checkpoints", routes.open_checkpoint),
        ("GET", "/v1/cases/{case}/checkpoints/{name}/outcome", routes.outcome),
        ("POST", "/v1/cases/{case}/close", routes.close_case),
        ("POST", "/v1/cases/{case}/stop", routes.stop_case),
        ("GET", "/v1/cases/{case}/review", campaigns.look),
        ("POST", "/v1/cases/{case}/review-outcome", campaigns.carry_out),
        ("GET", "/v1/cases/{case}/order", orders.look),
        ("POST", "/v1/cases/{case}/tool", orders.begin),
        ("POST", "/v1/cases/{case}/tool-proof", orders.prove),
        ("GET", "/v1/orders/{identity:path}", orders.of),
        ("GET", "/v1/campaign-candidates", campaigns.candidates),
        ("GET", "/v1/campaigns/{campaign}", campaigns.campaign),
        ("GET", "/v1/campaigns", standings.campaigns),
        ("GET", "/v1/identity-standings/{identity:path}", standings.standing),
        ("GET", "/v1/checkpoints", lists.checkpoints),
        ("GET", "/v1/checkpoints/{checkpoint}", routes.checkpoint),
        ("GET", "/v1/checkpoints/{checkpoint}/prospect", routes.prospect),
        ("GET", "/v1/checkpoints/{checkpoint}/proof", routes.outcome_proof),
        ("GET", "/v1/checkpoints/{checkpoint}/attachments/{act}", routes.attachment),
        ("GET", "/v1/delegations", routes.delegations),
        ("POST", "/v1/decisions", routes.decide_many),
        ("POST", "/v1/checkpoints/{checkpoint}/decisions", routes.decide),
        ("GET", "/v1/checkpoint-groups", lists.groups),
        ("GET", "/v1/overview", lists.overview),
        ("GET", "/v1/events", lists.events),
        ("GET", "/v1/identities/{kind}", routes.identities),
        ("GET", "/v1/models", ModelRoutes(services).stopped),
        ("GET", "/v1/registry", routes.registry),
        ("GET", "/v1/identity-reports/{report}", routes.identity_report),
        ("GET", "/v1/left-behind/{identity:path}", routes.left_behind),
        ("GET", "/v1/vendors/{vendor}", routes.vendor),
        ("GET", "/v1/inventories/{source}", routes.inventory),
        ("GET", "/v1/registry/{identity:path}", routes.registered),
        ("GET", "/v1/kept/{digest}", routes.kept),
        ("GET", "/v1/published", routes.published),
        ("GET", "/ledger/checkpoint", routes.head),
        ("GET", "/ledger/handovers", routes.handovers),
        ("GET", "/ledger/tile/{tile:path}", routes.tile),
        ("GET", "/v1/ledger/entries", routes.entries),
        ("GET", "/v1/ledger/heads", routes.heads),
        ("GET", "/v1/ledger/entries/{index}/proof", routes.inclusion),
        ("GET", "/v1/ledger/consistency", routes.consistency),
    ]
    table.append(("GET", "/openapi.json", describing(lambda: services.core.issuer, table)))
    return Starlette(
        routes=[
            Route(
                path,
                endpoint(handler, method, path, lambda: services.requests.rates),
                methods=[method],
            )
            for method, path, handler in table
        ],
        exception_handlers={404: _no_route, 405: _no_route},
    )


async def _no_route(_: Request, error: Exception) -> Response:
    wrong_method = isinstance(error, HTTPException) and error.status_code == 405
    response = refuse(WrongMethod() if wrong_method else NotFound("there is no such route"))
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})  # a wrong method's Allow
    return response


class Routes:
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

    # --- OAuth --------------------------------------------------------------------------------

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
        begun = await self._s.sessions.begin(
            proof, fresh=form.get("prompt") == "login", address=address_of(request)
        )
        return answer(begun)

    async def _finish_sign_in(self, device_code: str, proof: Proof) -> Response:
        signed_in = await self._s.sessions.finish(device_code, proof)
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

    # --- systems of record --------------------------------------------------------------------

    async def revocations(self, request: Request) -> Response:
        """The revocation feed, a long poll."""
        sender = await self._s.requests.header_client(request)
        after = _number(request, "after", 0)
        wait = float(_number(request, "wait", 0))
        return answer(await self._s.uses.revocations(sender, after, wait))

    async def uses(self, request: Request) -> Response:
        """Uses of grants."""
        body = await read_model(request, GrantUses)
        sender = await self._s.requests.client(body.client_assertion)
        return answer(await self._s.uses.record(sender, body))

    # --- agents -------------------------------------------------------------------------------

    async def grants(self, request: Request) -> Response:
        """Grants for several steps of one worker."""
        body = await read_model(request, GrantAsks, MAX_ASKS)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(body.client_assertion, proof)
        answers = await self._s.grants.issue_each(sender, body.asks)
        return answer(GrantAnswers(grants=tuple(map(_grant_answer, answers))))

    async def settlements(self, request: Request) -> Response:
        """Settling grants."""
        body = await read_model(request, Settlements)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(body.client_assertion, proof)
        return answer(await self._s.settling.settle(sender, body))

    async def key_standing(self, request: Request) -> Response:
        """What a worker is told of its own key."""
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.header_client(request, proof)
        return answer(await self._s.key_ages.standing(sender))

    async def rotate_key(self, request: Request) -> Response:
        """A worker's next key."""
        body = await read_model(request, RotateKey, MAX_DECISION)
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.client(body.client_assertion, proof)
        return answer(await self._s.key_ages.rotate(sender))

    async def inputs(self, request: Request) -> Response:
        """Settled parts that a step reads."""
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.header_client(request, proof)
        parameters = request.path_params
        return answer(
            await self._s.settling.inputs(sender, parameters["grant"], parameters["name"])
        )

    async def payload_keys(self, request: Request) -> Response:
        """The payload keys of a case, for a worker whose step runs in it."""
        proof = self._s.requests.proof(request)
        sender = await self._s.requests.header_client(request, proof)
        asked = await read_model(request, AskKeys)
        case = request.path_params["case"]
        response = answer(await self._s.payloads.hand_out(sender, case, asked))
        response.headers["Cache-Control"] = "no-store"
        return response

    async def open_checkpoint(self, request: Request) -> Response:
        """Opening a checkpoint, under a grant for the authority."""
        claims, proof = self._s.requests.grant(request)
        _require_grant(claims.details.action, "checkpoint:open", claims.txn, request)
        body = await read_model(request, OpenCheckpoint)
        return answer(await self._s.checkpoints.open(claims, proof, body.checkpoint))

    async def outcome(self, request: Request) -> Response:
        """Reading a checkpoint's outcome, under a grant for the authority."""
        claims, proof = self._s.requests.grant(request)
        _require_grant(claims.details.action, "outcome:read", claims.txn, request)
        return answer(await self._s.checkpoints.outcome(claims, proof, request.path_params["name"]))

    async def close_case(self, request: Request) -> Response:
        """Closing a case, under a grant for the authority."""
        claims, proof = self._s.requests.grant(request)
        _require_grant(claims.details.action, "case:close", claims.txn, request)
        body = await read_model(request, CloseCase)
        return answer(await self._s.cases.close(claims, proof, body.result))

    async def stop_case(self, request: Request) -> Response:
        """Stopping a case, under a grant for the authority."""
        claims, proof = self._s.requests.grant(request)
        _require_grant(claims.details.action, "case:stop", claims.txn, request)
        body = await read_model(request, StopCase)
        return answer(await self._s.cases.stop(claims, proof, body))

    # --- people -------------------------------------------------------------------------------

    async def enrol(self, request: Request) -> Response:
        """Enrolling oneself with a one-time code."""
        body = await read_model(request, Enrolment, MAX_DECISION)
        return answer(await self._s.enrolments.enrol(body))

    async def join(self, request: Request) -> Response:
        """A worker that joins as an instance of its agent."""
        proof = self._s.requests.proof(request)
        body = await read_model(request, Join, MAX_DECISION)
        return answer(await self._s.joining.join(body, proof))

    async def acts(self, request: Request) -> Response:
        """Carrying out a signed act."""
        body = await read_model(request, SignedAct, MAX_ACT)
        return answer(await self._s.acts.perform(body))

    async def decide(self, request: Request) -> Response:
        """Taking a signed decision."""
        body = await read_model(request, SignedDecision, MAX_DECISION)
        decided = await self._s.decisions.decide(request.path_params["checkpoint"], body.decision)
        return answer(decided)

    async def decide_many(self, request: Request) -> Response:
        """Taking many signed decisions, each by itself."""
        body = await read_model(request, SignedDecisions, MAX_DECISIONS)
        return answer(await self._s.decisions.decide_many(body))

    async def act(self, request: Request) -> Response:
        """A signed act as it was sent."""
        await self._admit(request)
        return JSONResponse(await self._s.views.act(request.path_params["jti"]))

    async def proposals(self, request: Request) -> Response:
        """A page of acts that wait, or waited, for a second signature."""
        await self._admit(request)
        status = _one_of(request, "status", ProposalStatus)
        found = await list_proposals(self._s.core, status, one_query(request, "after", 128) or "")
        return _page("proposals", found)

    async def proposal(self, request: Request) -> Response:
        """One of them, with its body."""
        await self._admit(request)
        return answer(await show_proposal(self._s.core, request.path_params["jti"]))

    async def governance(self, request: Request) -> Response:
        """The rules about people that are in force."""
        await self._admit(request)
        return answer(await self._s.core.store.read(governance))

    async def reviews(self, request: Request) -> Response:
        """A page of the reviews of emergencies."""
        await self._admit(request)
        status = one_query(request, "status")
        if status not in {None, "open", "closed"}:
            raise Invalid("invalid_request", "status is one of open, closed")
        after = one_query(request, "after") or ""
        return _page("reviews", await list_reviews(self._s.core, status, after))

    async def notices(self, request: Request) -> Response:
        """A page of notices at their channels: what was sent, what waits, what is dead."""
        await self._admit(request)
        status = _one_of(request, "status", DeliveryStatus)
        found = await list_deliveries(self._s.core, status, _number(request, "after", 0))
        return _page("notices", found)

    async def case(self, request: Request) -> Response:
        """One case."""
        await self._admit(request)
        return answer(await self._s.views.case(request.path_params["case"]))

    async def part(self, request: Request) -> Response:
        """One settled part."""
        await self._admit(request)
        parameters = request.path_params
        return answer(await self._s.views.part(parameters["case"], parameters["digest"]))

    async def archive(self, request: Request) -> Response:
        """A closed case's sealed history."""
        await self._admit(request)
        return answer(await self._s.archivist.read(request.path_params["case"]))

    async def checkpoint(self, request: Request) -> Response:
        """One checkpoint."""
        operator = await self._admit(request)
        return answer(await self._s.views.checkpoint(request.path_params["checkpoint"], operator))

    async def prospect(self, request: Request) -> Response:
        """What the asker's word would do at a checkpoint."""
        operator = await self._admit(request)
        return answer(await self._s.views.prospect(request.path_params["checkpoint"], operator))

    async def outcome_proof(self, request: Request) -> Response:
        """Why a checkpoint stands where it stands."""
        await self._admit(request)
        return answer(await self._s.views.proof(request.path_params["checkpoint"]))

    async def attachment(self, request: Request) -> Response:
        """A file that was attached: to be kept as a file, never shown in place."""
        await self._admit(request)
        parameters = request.path_params
        content, media_type = await self._s.views.attachment(
            parameters["checkpoint"], parameters["act"]
        )
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type=media_type, headers=headers)

    async def delegations(self, request: Request) -> Response:
        """The asker's delegations."""
        return _page("delegations", await self._s.views.delegations(await self._admit(request)))

    async def identities(self, request: Request) -> Response:
        """The identities of one kind."""
        await self._admit(request)
        found = await self._s.views.identities(request.path_params["kind"])
        return JSONResponse({"identities": found})

    async def registry(self, request: Request) -> Response:
        """A page of the registry of non-human identities."""
        await self._admit(request)
        kind = _one_of(request, "kind", IdentityKind)
        after = one_query(request, "after", 160) or ""
        return _page("identities", await self._s.registry.page(kind, after))

    async def registered(self, request: Request) -> Response:
        """One of them."""
        await self._admit(request)
        found = await self._s.registry.show(request.path_params["identity"])
        return answer(await self._s.usage.with_usage(found))

    async def identity_report(self, request: Request) -> Response:
        """A page of a report on identities that still work."""
        await self._admit(request)
        try:
            report = IdentityReport(request.path_params["report"])
        except ValueError:
            raise NotFound(f"the reports are {', '.join(IdentityReport)}") from None
        after = one_query(request, "after", 160) or ""
        return _page("lines", await self._s.usage.report(report, after))

    async def left_behind(self, request: Request) -> Response:
        """What an identity leaves behind."""
        await self._admit(request)
        return answer(await self._s.leaving.left(_path(request, "identity", IdentityId)))

    async def vendor(self, request: Request) -> Response:
        """What switching off a third party would stop now."""
        await self._admit(request)
        return answer(await self._s.leaving.vendor(_path(request, "vendor", Name)))

    async def inventory(self, request: Request) -> Response:
        """A page of the identities that an inventory named."""
        await self._admit(request)
        after = one_query(request, "after", 160) or ""
        source = _path(request, "source", Name)
        return JSONResponse({"names": await self._s.inventories.names(source, after)})

    async def kept(self, request: Request) -> Response:
        """What is kept beside the ledger."""
        await self._admit(request)
        return JSONResponse(await self._s.views.kept(request.path_params["digest"]))

    async def published(self, request: Request) -> Response:
        """All published processes, matrices and policy sets, for auditors."""
        await self._admit(request)
        return JSONResponse(await self._s.ledger.published())

    async def _admit(self, request: Request) -> str:
        """Let an operator's read through; who asks."""
        session, _ = await admit(self._s.requests, self._s.views, request)
        return session.sub

    # --- the ledger ---------------------------------------------------------------------------

    async def head(self, _: Request) -> Response:
        """The newest signed head."""
        note = await self._s.core.store.latest_head()
        if note is None:
            raise Unavailable("no head is signed yet")
        return PlainTextResponse(note, headers={"Cache-Control": "no-cache"})

    async def handovers(self, _: Request) -> Response:
        """The heads by which each of the log's keys handed over to the next."""
        found = await self._s.ledger.handovers()
        return JSONResponse(found, headers={"Cache-Control": "no-cache"})

    async def tile(self, request: Request) -> Response:
        """A tile, or an entry bundle (C2SP tlog-tiles)."""
        return await serve_tile(self._s.core.store, request)

    async def heads(self, request: Request) -> Response:
        """A page of signed heads: all that were ever signed."""
        start = _number(request, "from", 0)
        return JSONResponse(await self._s.ledger.heads(start, _number(request, "limit", 256)))

    async def entries(self, request: Request) -> Response:
        """A page of entries: their canonical bytes as text."""
        after = _number(request, "from", 0)
        return JSONResponse(await self._s.ledger.entries(after, _number(request, "limit", 256)))

    async def case_entries(self, request: Request) -> Response:
        """A page of one case's entries: what the ledger says of it."""
        await self._admit(request)
        start, limit = _number(request, "from", 0), _number(request, "limit", 256)
        case = request.path_params["case"]
        return JSONResponse(await self._s.ledger.entries_of(case, start, limit))

    async def inclusion(self, request: Request) -> Response:
        """An inclusion proof (RFC 9162 section 2.1.3)."""
        index = _digits(request.path_params["index"], "index")
        return JSONResponse(await self._s.ledger.inclusion(index, _number(request, "size", 0)))

    async def consistency(self, request: Request) -> Response:
        """A consistency proof (RFC 9162 section 2.1.4)."""
        first, second = _number(request, "from", 0), _number(request, "to", 0)
        return JSONResponse(await self._s.ledger.consistency(first, second))


def _page(name: str, models: Sequence[BaseModel]) -> Response:
    return JSONResponse(
        {name: [each.model_dump(mode="json", exclude_none=True) for each in models]}
    )


def _path(request: Request, name: str, kind: Any) -> str:
    """A part of the path, if it is spelled as it must be."""
    try:
        found: str = TypeAdapter(kind).validate_python(request.path_params[name])
    except ValidationError:
        raise NotFound(f"there is no such {name}") from None
    return found


def _require_grant(action: str, needed: str, case: str, request: Request) -> None:
    if action != needed or request.path_params["case"] != case:
        raise NotFound("the grant is not for this")


def _grant_answer(issued: IssuedGrant | Refusal) -> GrantGiven | GrantRefused:
    if isinstance(issued, Refusal):
        return GrantRefused(problem=issued.problem, retry_after=issued.retry_after)
    return GrantGiven(
        access_token=issued.token, expires_in=issued.expires_in, details=issued.details
    )


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


def _number(request: Request, name: str, default: int) -> int:
    value = one_query(request, name)
    return default if value is None else _digits(value, name)


def _one_of(request: Request, name: str, known: type[StrEnum]) -> str | None:
    value = one_query(request, name)
    if value is not None and value not in {each.value for each in known}:
        raise Invalid("invalid_request", f"{name} is one of {', '.join(known)}")
    return value


def _digits(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        raise Invalid("invalid_request", f"{name} must be a whole number")
    return int(text)
