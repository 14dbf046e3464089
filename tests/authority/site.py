"""One authority with a case, a checkpoint and a live grant, for requests of every wrong kind."""

import asyncio
import base64
import contextlib
import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import httpx
from sqlalchemy import select
from starlette.routing import Route as StarletteRoute
from temporalio import activity
from temporalio.worker import Worker

from placet.authority._app import make_app
from placet.authority._store._base import Row
from placet.authority._store._engines import Engines, Waits, make_engines
from placet.client import JWT_BEARER
from placet.model import (
    ActClaims,
    CheckpointView,
    EnrolIdentity,
    RotationClaims,
    Settlement,
    SettlementClaims,
    Verdict,
    digest_json,
)
from placet.telemetry import Health
from placet.tokens import (
    USE,
    SigningKey,
    invitation_key,
    make_client_assertion,
    make_proof,
    make_sign_in,
    numeric_date,
    sign_act,
    sign_enrolment,
    sign_rotation,
    sign_settlement,
)
from tests.harness.parcels import ParcelCheck
from tests.harness.raw import ASSERTION_TYPE, ask, details_of, rogue_worker
from tests.harness.world import World, sandbox, temporal_server, until, world
from tests.tokens.samples import sign_raw

Door = Literal["open", "proof", "form", "header", "body", "session", "grant", "signature"]
"""How a route is told who asks."""

SYSTEM = "system:customs"


@dataclass(frozen=True)
class Route:
    """One route, and how it is rightly asked: ``client`` authenticates by an assertion."""

    method: str
    path: str
    door: Door
    client: str = ""
    query: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


ROUTES = (
    Route("GET", "/livez", "open"),
    Route("GET", "/readyz", "open"),
    Route("GET", "/.well-known/oauth-authorization-server", "open"),
    Route("GET", "/.well-known/jwks.json", "open"),
    Route("GET", "/openapi.json", "open"),
    Route("POST", "/oauth/token", "form", "agent:orchestrator"),
    Route("POST", "/oauth/device_authorization", "proof", "operator:una"),
    Route("POST", "/oauth/introspect", "form", SYSTEM),
    Route("POST", "/oauth/revoke", "form", "agent:orchestrator"),
    Route("GET", "/v1/revocations", "header", SYSTEM, "after,wait"),
    Route("POST", "/v1/uses", "body", SYSTEM),
    Route("POST", "/v1/grants", "body", "agent:orchestrator"),
    Route("POST", "/v1/settlements", "body", "agent:orchestrator"),
    Route("GET", "/v1/grants/{grant}/inputs/{name}", "header", "agent:orchestrator"),
    Route("POST", "/v1/enrolments", "signature"),
    Route("POST", "/v1/joins", "proof", "agent:orchestrator"),
    Route("GET", "/v1/keys/mine", "header", "agent:orchestrator"),
    Route("POST", "/v1/keys", "body", "agent:orchestrator"),
    Route("POST", "/v1/acts", "signature"),
    Route("GET", "/v1/acts/{jti}", "session"),
    Route("GET", "/v1/proposals", "session", query="status,after"),
    Route("GET", "/v1/proposals/{jti}", "session"),
    Route("GET", "/v1/governance", "session"),
    Route("GET", "/v1/cases", "session", query="status,limit,after"),
    Route("GET", "/v1/notices", "session", query="status,after"),
    Route("GET", "/v1/reviews", "session", query="status,after"),
    Route("GET", "/v1/cases/{case}", "session"),
    Route("GET", "/v1/cases/{case}/parts/{digest}", "session"),
    Route("GET", "/v1/cases/{case}/archive", "session"),
    Route("POST", "/v1/cases/{case}/checkpoints", "grant"),
    Route("GET", "/v1/cases/{case}/checkpoints/{name}/outcome", "grant"),
    Route("POST", "/v1/cases/{case}/close", "grant"),
    Route("POST", "/v1/cases/{case}/stop", "grant"),
    Route("GET", "/v1/cases/{case}/review", "grant"),
    Route("POST", "/v1/cases/{case}/review-outcome", "grant"),
    Route("GET", "/v1/cases/{case}/order", "grant"),
    Route("POST", "/v1/cases/{case}/tool", "grant"),
    Route("POST", "/v1/cases/{case}/tool-proof", "grant"),
    Route("GET", "/v1/orders/{identity}", "session"),
    Route("POST", "/v1/cases/{case}/payloads", "session"),
    Route("GET", "/v1/campaign-candidates", "session", query="days"),
    Route("GET", "/v1/campaigns/{campaign}", "session"),
    Route("GET", "/v1/checkpoints", "session", query="status,case,limit,amount_min,after"),
    Route("GET", "/v1/checkpoints/{checkpoint}", "session"),
    Route("GET", "/v1/checkpoints/{checkpoint}/prospect", "session"),
    Route("GET", "/v1/checkpoints/{checkpoint}/proof", "session"),
    Route("GET", "/v1/checkpoints/{checkpoint}/attachments/{act}", "session"),
    Route("GET", "/v1/delegations", "session"),
    Route("POST", "/v1/checkpoints/{checkpoint}/decisions", "signature"),
    Route("POST", "/v1/decisions", "signature"),
    Route("GET", "/v1/cases/{case}/entries", "session", query="from,limit"),
    Route("POST", "/v1/cases/{case}/keys", "header", "agent:orchestrator"),
    Route("GET", "/v1/checkpoint-groups", "session", query="by,status,limit,after"),
    Route("GET", "/v1/overview", "session"),
    Route("GET", "/v1/models", "session"),
    Route("GET", "/v1/events", "session", query="after"),
    Route("GET", "/v1/identities/{kind}", "session"),
    Route("GET", "/v1/registry", "session", query="kind,after"),
    Route("GET", "/v1/registry/{identity}", "session"),
    Route("GET", "/v1/identity-reports/{report}", "session", query="after"),
    Route("GET", "/v1/left-behind/{identity}", "session"),
    Route("GET", "/v1/identity-standings/{identity}", "session"),
    Route("GET", "/v1/campaigns", "session"),
    Route("GET", "/v1/vendors/{vendor}", "session"),
    Route("GET", "/v1/inventories/{source}", "session", query="after"),
    Route("GET", "/v1/kept/{digest}", "session"),
    Route("GET", "/v1/contents", "session"),
    Route("GET", "/v1/published", "session"),
    Route("GET", "/ledger/checkpoint", "open"),
    Route("GET", "/ledger/handovers", "open"),
    Route("GET", "/ledger/tile/{tile}", "open"),
    Route("GET", "/v1/ledger/entries", "open", query="from,limit"),
    Route("GET", "/v1/ledger/entries-of-no-case", "open", query="from,limit"),
    Route("GET", "/v1/ledger/heads", "open", query="from,limit"),
    Route("GET", "/v1/ledger/entries/{index}/proof", "open", query="size"),
    Route("GET", "/v1/ledger/consistency", "open", query="from,to"),
)


def routes_of_the_app() -> set[tuple[str, str]]:
    """Every route that the authority serves."""
    routes = cast("list[StarletteRoute]", make_app(cast("Any", None), Health({})).routes)
    return {
        (method, route.path.replace(":path}", "}"))
        for route in routes
        for method in (route.methods or ()) - {"HEAD"}
    }


@dataclass
class Site:
    """What a stranger, a thief or a clumsy client may have in hand."""

    w: World
    http: httpx.AsyncClient
    case: str
    checkpoint: CheckpointView
    grant: str
    step: Mapping[str, Any]
    system_key: SigningKey
    engines: Engines
    session: str = ""
    sent: set[str] = field(default_factory=set)
    """The end of each token that was sent: without its signature it is worth nothing."""
    stayed: list[str] = field(default_factory=list)
    """The entries that were written since the test began only to keep a live grant in hand."""

    @property
    def grant_id(self) -> str:
        """The live grant's id."""
        return str(claims_of(self.grant)["jti"])

    async def stay_granted(self) -> None:
        """Ask for the running step's next grant in time: all the requests take over a minute."""
        if claims_of(self.grant)["exp"] - _now().timestamp() < 30:
            reply = await ask(self.w, "orchestrator", dict(self.step))
            assert "access_token" in reply.body, f"the step is not granted any more: {reply.body}"
            self.grant = self.keep(reply.body["access_token"])
            self.stayed += ["grant.revoked", "grant.issued"]

    def key_of(self, principal: str) -> SigningKey:
        """A principal's own key."""
        if principal == SYSTEM:
            return self.system_key
        kind, name = principal.split(":")
        return self.w.agents[name] if kind == "agent" else self.w.keys[name]

    def keep(self, token: str) -> str:
        """Remember a token: no answer and no log line may repeat it."""
        self.sent.add(token.rpartition(".")[2].strip())
        return token

    def assertion(self, principal: str) -> str:
        """A fresh client assertion."""
        key, issuer = self.key_of(principal), self.w.issuer
        return self.keep(
            make_client_assertion(key, principal, issuer=issuer, now=_now(), jti=_jti())
        )

    def sign_in(self, principal: str) -> str:
        """A fresh sign-in assertion."""
        return self.keep(
            make_sign_in(
                self.key_of(principal), principal, issuer=self.w.issuer, now=_now(), jti=_jti()
            )
        )

    def proof(self, key: SigningKey, method: str, path: str, token: str | None = None) -> str:
        """A fresh proof of possession."""
        url = self.w.issuer + path.partition("?")[0]
        made = make_proof(key, method, url, now=_now(), jti=_jti(), access_token=token)
        return self.keep(made)

    def act(self, act: str, target: str, body: Mapping[str, Any], by: str = "pat") -> str:
        """A person's signed act."""
        claims = ActClaims.model_construct(
            iss=f"operator:{by}",
            aud=self.w.issuer,
            iat=numeric_date(_now()),
            jti=_jti(),
            act=act,
            target=target,
            body_digest=digest_json(dict(body)),
        )
        return self.keep(sign_act(claims, self.w.keys[by]))

    def settlement(
        self, holds: str, *, by: str = "agent:orchestrator", **changed: Any
    ) -> dict[str, Any]:
        """An agent's signed settlement of a grant of the case; it says what it likes."""
        body = {
            "grant": holds,
            "outcome": "completed",
            "input_digest": "sha-256:" + "A" * 43,
            "salt": "A" * 43,
            **changed,
        }
        try:
            digest = Settlement.model_validate(body).settled().digest
        except ValueError:  # what can't be read can't be signed: it is refused before
            digest = digest_json({})
        claims = SettlementClaims(
            iss=by,
            aud=self.w.issuer,
            iat=numeric_date(_now()),
            sub=holds if holds.startswith("grant-") else "grant-" + "0" * 26,
            txn=self.case,
            details_digest=digest_json(claims_of(self.grant)["authorization_details"][0]),
            settlement_digest=digest,
        )
        return {"settlement": self.keep(sign_settlement(claims, self.key_of(by))), "body": body}

    def use(self, **changed: Any) -> str:
        """A system's signed word on a use of the live grant; it says what it likes."""
        header = {"typ": USE.typ, "alg": "ES256", "kid": self.system_key.thumbprint}
        said = {
            "iss": SYSTEM,
            "aud": self.w.issuer,
            "iat": numeric_date(_now()),
            "jti": _jti(),
            "sub": self.grant_id,
            "details_digest": digest_json(claims_of(self.grant)["authorization_details"][0]),
            "jkt": claims_of(self.grant)["cnf"]["jkt"],
            "stage": "use",
            "action": "checkpoint:open",
            "record": "depot/D1/parcel/8",
            "status": 200,
            "used_at": 1_795_500_000,
        }
        return self.keep(sign_raw(header, {**said, **changed}, self.system_key))

    def enrolment(self, principal: str) -> str:
        """The word of an invitation that nobody gave."""
        key, now = invitation_key(principal, "A" * 16), _now()
        made = sign_enrolment(
            key, principal, self.key_of(principal).public, audience=self.w.issuer, now=now
        )
        return self.keep(made)

    def rotation(self, following: str, by: str = "agent:orchestrator") -> str:
        """An agent's word that a key is its next one."""
        claims = RotationClaims(iss=by, aud=self.w.issuer, iat=numeric_date(_now()), sub=following)
        return self.keep(sign_rotation(claims, self.key_of(by)))

    def resign(self, claims: Mapping[str, Any], by: str = "agent:orchestrator") -> str:
        """A settlement whose claims an agent signed as they are given."""
        key = self.key_of(by)
        return self.keep(sign_settlement(SettlementClaims.model_validate(claims), key))

    def decision(self, by: str = "cleo") -> str:
        """A person's good decision, not sent: who sends it elsewhere gets nothing for it."""
        person = self.w.people[by]
        amount = self.checkpoint.evidence.proposal.amount
        return self.keep(person.sign_decision(self.checkpoint, Verdict.APPROVE, amount=amount))

    def path(self, route: Route, **ids: str) -> str:
        """The route's path with ids that exist, or those given."""
        return route.path.format_map({**self.ids(route), **ids})

    def ids(self, route: Route) -> dict[str, str]:
        """Ids for the places of a route's path, most of which exist."""
        return {
            "grant": self.grant_id,
            "name": "release" if "outcome" in route.path else "weight",
            "jti": "an-act-that-nobody-sent",
            "act": "an-act-that-nobody-sent",
            "case": self.case,
            "digest": "sha-256:" + "A" * 43,
            "checkpoint": self.checkpoint.id,
            "kind": "agent",
            "identity": "agent:scale",
            "report": "stale",
            "vendor": "acme",
            "campaign": "autumn",
            "source": "iam",
            "index": "0",
            "tile": "0/000.p/1",
        }

    def good(self, route: Route, path: str | None = None) -> dict[str, Any]:
        """The arguments of a request whose sender is rightly known; its body may still be empty."""
        path = path or self.path(route)
        headers: dict[str, str] = {}
        made: dict[str, Any] = {"method": route.method, "url": path, "headers": headers}
        match route.door:
            case "form":
                headers["DPoP"] = self.proof(self.key_of(route.client), "POST", path)
                made["data"] = {
                    "grant_type": "client_credentials",
                    "client_assertion_type": ASSERTION_TYPE,
                    "client_assertion": self.assertion(route.client),
                }
            case "proof":
                headers["DPoP"] = self.proof(self.key_of(route.client), "POST", path)
                made["data"] = {"client_id": "placet"}
            case "header":
                headers["Client-Assertion"] = self.assertion(route.client)
                headers["DPoP"] = self.proof(self.key_of(route.client), route.method, path)
            case "body":
                headers["DPoP"] = self.proof(self.key_of(route.client), route.method, path)
                made["json"] = {"client_assertion": self.assertion(route.client)}
            case "session" | "grant":
                token = self.session if route.door == "session" else self.grant
                owner = "operator:una" if route.door == "session" else "agent:orchestrator"
                headers["Authorization"] = f"DPoP {token}"
                headers["DPoP"] = self.proof(self.key_of(owner), route.method, path, token)
                if route.door == "session" and route.method == "POST":
                    made["json"] = {"payloads": []}  # whoever reads nothing changes nothing
            case "open" | "signature":
                pass
        return made

    async def send(self, request: Mapping[str, Any]) -> httpx.Response:
        """Send a request to the authority; of an answer without an end only the head is read."""
        made = self.http.build_request(**{**request, "url": self.w.issuer + str(request["url"])})
        response = await self.http.send(made, stream=True)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            await response.aclose()
        else:
            await response.aread()
        return response

    async def sign_in_una(self) -> None:
        """Take a session."""
        proof = self.proof(self.w.keys["una"], "POST", "/oauth/token")
        data = {"grant_type": JWT_BEARER, "assertion": self.sign_in("operator:una")}
        request = {
            "method": "POST",
            "url": "/oauth/token",
            "data": data,
            "headers": {"DPoP": proof},
        }
        answer = await self.send(request)
        self.session = self.keep(str(answer.json()["access_token"]))

    async def entry_types(self) -> list[str]:
        """The ledger, as types; the grant in hand may expire meanwhile."""
        entries = await self.w.entries()
        return [each["type"] for each in entries if each["type"] != "grant.expired"]

    def told(self) -> bool:
        """Whether every notice was handed to its channels."""
        outbox = Row.metadata.tables["outbox"]
        waiting = select(outbox).where(outbox.c.kind == "notice", outbox.c.done_at.is_(None))
        with self.engines.reader.connect() as connection:
            return connection.execute(waiting).first() is None

    def rows(self) -> dict[str, set[str]]:
        """Every row of the store but used ids, the ledger (looked at apart) and the live grant's.

        Denials are counted as the ledger's entries are.
        """
        apart = {"used_jti", "ledger_entry", "ledger_node", "tree_state", "writer_state"}
        apart |= {"signed_head", "grant_", "grant_revocation", "context_blob", "denial"}
        apart |= {"signed_in", "evidence_opened"}
        apart |= {"denial"}  # each has its entry, which the test has to mean
        with self.engines.reader.connect() as connection:
            return {
                name: {repr(tuple(row)) for row in connection.execute(select(table))}
                for name, table in Row.metadata.tables.items()
                if name not in apart
            }


@contextlib.asynccontextmanager
async def site(folder: Path, database_url: str) -> AsyncIterator[Site]:
    """A case at its checkpoint, and another whose orchestrator's grant is in wrong hands."""
    async with contextlib.AsyncExitStack() as stack:
        temporal = await stack.enter_async_context(temporal_server())
        w = await stack.enter_async_context(world(temporal, folder, database_url))
        system_key = SigningKey.generate()
        await w.admin.act("system.enrol", SYSTEM, EnrolIdentity(jwk=system_key.public.jwk()))
        async with w.workers():
            checkpoint = await w.until_checkpoint(await w.open("depot/D1/parcel/7"))
        held: list[str] = []
        steps: list[dict[str, Any]] = []

        async def hold(info: activity.Info) -> None:
            steps.append(details_of(info, action="checkpoint:open", record="depot/D1/parcel/8"))
            reply = await ask(w, "orchestrator", steps[-1])
            held.append(reply.body["access_token"])
            while True:  # a running step beats
                activity.heartbeat()
                await asyncio.sleep(1)

        await stack.enter_async_context(
            rogue_worker(w, "orchestrator", "open_checkpoint", hold, [])
        )
        await stack.enter_async_context(w.workers(only=("scale", "second-scale")))
        orchestrating = Worker(
            await w.agent_client("orchestrator"),
            task_queue="orchestrator",
            workflows=[ParcelCheck],
            workflow_runner=sandbox(),
        )
        await stack.enter_async_context(orchestrating)
        case = await w.open("depot/D1/parcel/8")

        async def granted() -> list[str]:
            return held

        await until(granted)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        engines = make_engines(database_url, Waits())
        stack.callback(engines.dispose)
        made = Site(w, http, case, checkpoint, held[0], steps[0], system_key, engines)
        made.keep(held[0])
        await made.sign_in_una()

        async def told() -> bool:
            return made.told()

        await until(told)
        yield made


def assert_refused(site: Site, answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """A refusal in the one shape of error, of the form of RFC 6749 section 5.2, with no secret."""
    request = f"{answer.request.method} {answer.request.url}"
    assert answer.status_code in statuses, f"{request}: {answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/json", request
    body: dict[str, Any] = answer.json()
    assert set(body) == {"error", "error_description", "reasons"}, request
    assert body["error"].replace("_", "").isalpha(), request
    said = body["error_description"]
    assert 0 < len(said) <= 500, request
    # RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E, so neither quotes nor control characters.
    assert all(" " <= each <= "~" and each not in '"\\' for each in said), f"{request}: {said!r}"
    for internal in ("Traceback", 'File "', "sqlalchemy", "psycopg", "sqlite", "pydantic"):
        assert internal not in answer.text, f"{request}: {said}"
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("DPoP "), request
    assert_no_secret(site, answer.text + str(answer.headers))
    return body


def assert_no_secret(site: Site, text: str) -> None:
    """No token that was sent, nor the end of one, stands in a text (I7)."""
    assert site.w.settings.key_passphrase.get_secret_value() not in text
    assert not any(each in text for each in site.sent if " " in each)  # of a signed note
    for size in {len(each) for each in site.sent}:  # thousands of tokens, and answers
        for run in re.findall(rf"[\w+/=-]{{{size},}}", text):
            assert site.sent.isdisjoint(run[at : at + size] for at in range(len(run) - size + 1))


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


def unsigned(claims: Mapping[str, Any], typ: str = "JWT", alg: str = "ES256") -> str:
    """A token with any claims and a signature of nobody's."""
    parts = ({"alg": alg, "typ": typ, "kid": "A" * 43}, claims)
    spelled = [
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts
    ]
    return ".".join([*spelled, "A" * 86])


def _now() -> datetime:
    return datetime.now(UTC)


def _jti() -> str:
    return secrets.token_urlsafe(18)
