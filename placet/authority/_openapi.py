"""The API's own description (OpenAPI 3.1): each route, what it takes, and what it answers.

Routes are those of the application; bodies and answers are the models that are parsed and written.
What a route's table leaves out is an object of any form.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from placet.model import (
    ActAnswer,
    AskKeys,
    CaseView,
    CheckpointView,
    CloseCase,
    DecisionAnswer,
    DecisionAnswers,
    EncodedPayloads,
    Enrolment,
    Governance,
    GrantAnswers,
    GrantAsks,
    GrantUses,
    GrantUsesAnswer,
    IdentityStanding,
    InputParts,
    Introspection,
    Join,
    Joined,
    KeyStanding,
    LeftBehind,
    OpenCheckpoint,
    Problem,
    RegisteredView,
    Revocations,
    RotateKey,
    SettlementAnswers,
    Settlements,
    SignedAct,
    SignedDecision,
    SignedDecisions,
    SignInBegun,
    StopCase,
    VendorView,
)

Handler = Callable[..., Any]
_REF = "#/components/schemas/{model}"
_BODIES: Mapping[str, type[BaseModel]] = {
    "/v1/uses": GrantUses,
    "/v1/grants": GrantAsks,
    "/v1/settlements": Settlements,
    "/v1/enrolments": Enrolment,
    "/v1/joins": Join,
    "/v1/keys": RotateKey,
    "/v1/acts": SignedAct,
    "/v1/cases/{case}/keys": AskKeys,
    "/v1/cases/{case}/payloads": EncodedPayloads,
    "/v1/cases/{case}/checkpoints": OpenCheckpoint,
    "/v1/cases/{case}/close": CloseCase,
    "/v1/cases/{case}/stop": StopCase,
    "/v1/decisions": SignedDecisions,
    "/v1/checkpoints/{checkpoint}/decisions": SignedDecision,
}
_FORMS: Mapping[str, tuple[str, ...]] = {
    "/oauth/token": ("grant_type", "client_assertion_type", "client_assertion", "assertion",
                     "device_code", "client_id", "authorization_details"),
    "/oauth/device_authorization": ("client_id", "prompt"),
    "/oauth/introspect": ("client_assertion_type", "client_assertion", "token"),
    "/oauth/revoke": ("client_assertion_type", "client_assertion", "token"),
}  # fmt: skip
_ANSWERS: Mapping[str, type[BaseModel]] = {
    "POST /oauth/device_authorization": SignInBegun,
    "POST /oauth/introspect": Introspection,
    "GET /v1/revocations": Revocations,
    "POST /v1/uses": GrantUsesAnswer,
    "POST /v1/grants": GrantAnswers,
    "POST /v1/settlements": SettlementAnswers,
    "GET /v1/grants/{grant}/inputs/{name}": InputParts,
    "POST /v1/enrolments": ActAnswer,
    "POST /v1/joins": Joined,
    "GET /v1/keys/mine": KeyStanding,
    "POST /v1/keys": KeyStanding,
    "POST /v1/acts": ActAnswer,
    "GET /v1/governance": Governance,
    "GET /v1/cases/{case}": CaseView,
    "POST /v1/cases/{case}/close": CaseView,
    "POST /v1/cases/{case}/stop": CaseView,
    "GET /v1/checkpoints/{checkpoint}": CheckpointView,
    "POST /v1/decisions": DecisionAnswers,
    "POST /v1/checkpoints/{checkpoint}/decisions": DecisionAnswer,
    "GET /v1/identity-standings/{identity}": IdentityStanding,
    "GET /v1/left-behind/{identity}": LeftBehind,
    "GET /v1/vendors/{vendor}": VendorView,
    "GET /v1/registry/{identity}": RegisteredView,
}
_NOT_JSON: Mapping[str, str] = {
    "/ledger/checkpoint": "text/plain; charset=utf-8",
    "/ledger/tile/{tile}": "application/octet-stream",
    "/v1/events": "text/event-stream",
    "/v1/checkpoints/{checkpoint}/attachments/{act}": "application/octet-stream",
}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
_TEXT = {"type": "string", "maxLength": 100, "pattern": r"^[ -~]*$"}
_TEXTS = {"type": "array", "items": {**_TEXT, "maxLength": 128}, "maxItems": 10}
_QUERIES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "/v1/revocations": {"after": _NUMBER, "wait": _NUMBER},
    "/v1/proposals": {"after": _TEXT},
    "/v1/notices": {"after": _NUMBER},
    "/v1/reviews": {"after": _TEXT, "status": {"enum": ["open", "closed"]}},
    "/v1/cases/{case}/entries": {"from": _NUMBER, "limit": _NUMBER},
    "/v1/campaign-candidates": {"days": _NUMBER},
    "/v1/registry": {"after": _TEXT},
    "/v1/identity-reports/{report}": {"after": _TEXT},
    "/v1/inventories/{source}": {"after": _TEXT},
    "/v1/contents": {"act": _TEXTS, "kept": _TEXTS, "part": _TEXTS},
    "/v1/ledger/entries": {"from": _NUMBER, "limit": _NUMBER},
    "/v1/ledger/entries-of-no-case": {"from": _NUMBER, "limit": _NUMBER},
    "/v1/ledger/heads": {"from": _NUMBER, "limit": _NUMBER},
    "/v1/ledger/entries/{index}/proof": {"size": _NUMBER},
    "/v1/ledger/consistency": {"from": _NUMBER, "to": _NUMBER},
}
_REQUIRED = {("/v1/ledger/consistency", "from"), ("/v1/ledger/consistency", "to")}


def describing(
    issuer: Callable[[], str], routes: Sequence[tuple[str, str, Handler]]
) -> Callable[[Request], Awaitable[Response]]:
    """The route that answers with the description."""
    made: list[Response] = []

    async def described(_: Request) -> Response:
        """The API's own description (OpenAPI 3.1)."""
        if not made:
            body = json.dumps(describe_api(issuer(), routes))
            made.append(Response(body, media_type="application/json"))
        return made[0]

    return described


def describe_api(issuer: str, routes: Iterable[tuple[str, str, Handler]]) -> dict[str, Any]:
    """The description of these routes: method, path and handler of each."""
    models: set[type[BaseModel]] = {*_BODIES.values(), *_ANSWERS.values(), Problem}
    ordered = sorted(models, key=lambda each: each.__name__)
    asked: list[tuple[type[BaseModel], JsonSchemaMode]] = [(each, "validation") for each in ordered]
    named, schema = models_json_schema(asked, ref_template=_REF)
    schemas = {each: named[each, "validation"] for each in ordered}
    paths: dict[str, dict[str, Any]] = {}
    for method, route, handler in routes:
        path = route.replace(":path}", "}")
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, handler, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Placet's authority", "version": "1"},
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {"schemas": schema["$defs"]},
    }


def _operation(
    method: str, path: str, handler: Handler, schemas: Mapping[type[BaseModel], Any]
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "summary": (handler.__doc__ or "").partition("\n")[0],
        "parameters": [*_of_the_path(path), *_of_the_query(path)],
        "responses": {
            "200": _answer(f"{method} {path}", path, schemas),
            "default": {
                "description": "A refusal.",
                "content": {"application/json": {"schema": schemas[Problem]}},
            },
        },
    }
    if method == "POST" and path in _BODIES:
        said["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[_BODIES[path]]}},
        }
    if path in _FORMS:
        form = {
            "type": "object",
            "properties": {each: {"type": "string"} for each in _FORMS[path]},
            "required": ["grant_type"] if path == "/oauth/token" else [],
        }
        said["requestBody"] = {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": form}},
        }
    return said


def _of_the_path(path: str) -> list[dict[str, Any]]:
    names = [each[1:-1] for each in path.split("/") if each.startswith("{")]
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return [{"name": name, "in": "path", "required": True, "schema": text} for name in names]


def _of_the_query(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": (path, name) in _REQUIRED, "schema": dict(schema)}
        for name, schema in _QUERIES.get(path, {}).items()
    ]


def _answer(name: str, path: str, schemas: Mapping[type[BaseModel], Any]) -> dict[str, Any]:
    if path in _NOT_JSON:
        return {"description": "As it is.", "content": {_NOT_JSON[path]: {"schema": {}}}}
    if name == "POST /oauth/revoke":
        return {"description": "Nothing more is said."}
    model = _ANSWERS.get(name)
    schema = {"type": "object"} if model is None else schemas[model]
    return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
