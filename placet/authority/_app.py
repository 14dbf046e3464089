"""The authority's HTTP API (PROTOCOL.md): the table of its routes."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from placet.authority._agent_routes import AgentRoutes
from placet.authority._campaign_routes import CampaignRoutes
from placet.authority._errors import NotFound, WrongMethod
from placet.authority._http import endpoint, refuse
from placet.authority._identity_routes import IdentityRoutes
from placet.authority._ledger_routes import LedgerRoutes
from placet.authority._list_routes import ListRoutes
from placet.authority._oauth_routes import OAuthRoutes
from placet.authority._openapi import describing
from placet.authority._opening import OpeningRoutes
from placet.authority._order_routes import OrderRoutes
from placet.authority._people_routes import PeopleRoutes
from placet.authority._services import Services
from placet.authority._standing_routes import StandingRoutes
from placet.telemetry import Health


def make_app(services: Services, health: Health) -> Starlette:
    """The ASGI application."""
    oauth, agents = OAuthRoutes(services), AgentRoutes(services)
    people, identities = PeopleRoutes(services), IdentityRoutes(services)
    lists, ledger = ListRoutes(services), LedgerRoutes(services)
    campaigns = CampaignRoutes(services)
    orders = OrderRoutes(services)
    standings = StandingRoutes(services)
    table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("GET", "/livez", health.live),
        ("GET", "/readyz", health.ready),
        ("GET", "/.well-known/oauth-authorization-server", oauth.metadata),
        ("GET", "/.well-known/jwks.json", oauth.jwks),
        ("POST", "/oauth/device_authorization", oauth.begin_sign_in),
        ("POST", "/oauth/token", oauth.token),
        ("POST", "/oauth/introspect", oauth.introspect),
        ("POST", "/oauth/revoke", oauth.revoke),
        ("GET", "/v1/revocations", agents.revocations),
        ("POST", "/v1/uses", agents.uses),
        ("POST", "/v1/grants", agents.grants),
        ("POST", "/v1/settlements", agents.settlements),
        ("GET", "/v1/grants/{grant}/inputs/{name}", agents.inputs),
        ("POST", "/v1/enrolments", people.enrol),
        ("POST", "/v1/joins", agents.join),
        ("GET", "/v1/keys/mine", agents.key_standing),
        ("POST", "/v1/keys", agents.rotate_key),
        ("POST", "/v1/acts", people.acts),
        ("GET", "/v1/acts/{jti}", people.act),
        ("GET", "/v1/proposals", people.proposals),
        ("GET", "/v1/proposals/{jti}", people.proposal),
        ("GET", "/v1/governance", people.governance),
        ("GET", "/v1/cases", lists.cases),
        ("GET", "/v1/notices", people.notices),
        ("GET", "/v1/reviews", people.reviews),
        ("GET", "/v1/cases/{case}", people.case),
        ("GET", "/v1/cases/{case}/parts/{digest}", people.part),
        ("GET", "/v1/cases/{case}/archive", people.archive),
        ("GET", "/v1/cases/{case}/entries", ledger.case_entries),
        ("POST", "/v1/cases/{case}/keys", agents.payload_keys),
        ("POST", "/v1/cases/{case}/payloads", OpeningRoutes(services).open),
        ("POST", "/v1/cases/{case}/checkpoints", agents.open_checkpoint),
        ("GET", "/v1/cases/{case}/checkpoints/{name}/outcome", agents.outcome),
        ("POST", "/v1/cases/{case}/close", agents.close_case),
        ("POST", "/v1/cases/{case}/stop", agents.stop_case),
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
        ("GET", "/v1/checkpoints/{checkpoint}", people.checkpoint),
        ("GET", "/v1/checkpoints/{checkpoint}/prospect", people.prospect),
        ("GET", "/v1/checkpoints/{checkpoint}/proof", people.outcome_proof),
        ("GET", "/v1/checkpoints/{checkpoint}/attachments/{act}", people.attachment),
        ("GET", "/v1/delegations", people.delegations),
        ("POST", "/v1/decisions", people.decide_many),
        ("POST", "/v1/checkpoints/{checkpoint}/decisions", people.decide),
        ("GET", "/v1/checkpoint-groups", lists.groups),
        ("GET", "/v1/overview", lists.overview),
        ("GET", "/v1/events", lists.events),
        ("GET", "/v1/identities/{kind}", identities.identities),
        ("GET", "/v1/models", identities.stopped_models),
        ("GET", "/v1/registry", identities.registry),
        ("GET", "/v1/identity-reports/{report}", identities.identity_report),
        ("GET", "/v1/left-behind/{identity:path}", identities.left_behind),
        ("GET", "/v1/vendors/{vendor}", identities.vendor),
        ("GET", "/v1/inventories/{source}", identities.inventory),
        ("GET", "/v1/registry/{identity:path}", identities.registered),
        ("GET", "/v1/kept/{digest}", ledger.kept),
        ("GET", "/v1/contents", ledger.contents),
        ("GET", "/v1/published", ledger.published),
        ("GET", "/ledger/checkpoint", ledger.head),
        ("GET", "/ledger/handovers", ledger.handovers),
        ("GET", "/ledger/tile/{tile:path}", ledger.tile),
        ("GET", "/v1/ledger/entries", ledger.entries),
        ("GET", "/v1/ledger/entries-of-no-case", ledger.entries_of_none),
        ("GET", "/v1/ledger/heads", ledger.heads),
        ("GET", "/v1/ledger/entries/{index}/proof", ledger.inclusion),
        ("GET", "/v1/ledger/consistency", ledger.consistency),
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
