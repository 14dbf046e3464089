"""What is done while Temporal is asked about a step: for whom, and what becomes of it."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from temporalio import activity

from placet.authority import _foreseeing
from placet.authority._grants import Grants
from placet.authority._temporal import Execution, Temporal
from placet.model import Mode, PublishPolicy
from placet.rules import LoadedPolicies, PolicyRequest
from placet.tokens import SigningKey, make_client_assertion, make_proof
from tests.authority.test_looked_before import Held
from tests.harness.processes import POLICIES, SCHEMA, matrix
from tests.harness.raw import ASSERTION_TYPE, Reply, ask, details_of, rogue_worker
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"
ROUTES = ("/oauth/token", "/v1/grants")
STRICT = (
    POLICIES
    + """
@id("held") forbid (principal, action == Placet::Action::"parcel:weigh", resource)
when { context.ledger.on_hold };
@id("audited") forbid (principal, action == Placet::Action::"parcel:weigh", resource)
when { context.ledger.mode == "audit" };
"""
)


async def send(
    w: World, route: str, details: dict[str, Any], assertion: str | None
) -> tuple[int, str]:
    """Ask on a route with an assertion; how that was refused."""
    key, now, jti = w.agents["scale"], datetime.now(UTC), secrets.token_urlsafe(18)
    headers = {"DPoP": make_proof(key, "POST", w.issuer + route, now=now, jti=jti)}
    said = {} if assertion is None else {"client_assertion": assertion}
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, **said}
    body: dict[str, Any] = {"json": {**said, "asks": [details]}}
    if route == "/oauth/token":
        body = {"data": {**form, "authorization_details": json.dumps([details])}}
    async with httpx.AsyncClient() as http:
        answer = await http.post(w.issuer + route, headers=headers, **body)
    found = answer.json()
    problem = found["grants"][0]["problem"] if "grants" in found else found
    return answer.status_code, problem["error"]


def assertion_of(w: World, key: SigningKey, issuer: str | None = None) -> str:
    """An assertion of the scale, under a key and for an authority."""
    jti, now = secrets.token_urlsafe(18), datetime.now(UTC)
    return make_client_assertion(key, "agent:scale", issuer=issuer or w.issuer, now=now, jti=jti)


async def started(w: World) -> tuple[str, dict[str, Any]]:
    """A case that was started, with nobody who works on it, and an ask for a step of it."""
    case = await w.open(SUBJECT)

    async def is_open() -> bool:
        return (await w.people["una"].case(case)).status == "open"

    await until(is_open)
    step = SimpleNamespace(
        workflow_id=case,
        workflow_run_id=(await w.people["una"].case(case)).run_id,
        activity_id="1",
        activity_type="weigh",
        attempt=1,
    )
    return case, details_of(cast("activity.Info", step))


def of_a_request() -> bool:
    """Whether this is not one of the jobs that look at cases by themselves."""
    task = asyncio.current_task()
    assert task is not None
    return "_follow" not in str(task.get_coro())


async def test_temporal_is_asked_for_nobody_who_is_not_known(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: it is asked once the client is known by its assertion, and not before."""
    describe, asked = Temporal.describe, list[str]()

    async def noted(self: Temporal, workflow_id: str) -> Execution:
        if of_a_request():
            asked.append(workflow_id)
        return await describe(self, workflow_id)

    case, details = await started(w)
    monkeypatch.setattr(Temporal, "describe", noted)
    for route in ROUTES:
        for assertion in (
            assertion_of(w, SigningKey.generate()),
            assertion_of(w, w.agents["scale"], "https://authority.elsewhere"),
        ):
            assert await send(w, route, details, assertion) == (401, "invalid_client")
    assert (await send(w, "/oauth/token", details, None))[0] == 401
    assert asked == []
    for route in ROUTES:
        known = await send(w, route, details, assertion_of(w, w.agents["scale"]))
        assert known[1] == "access_denied"
    assert asked == [case, case]


async def nothing(_: World) -> None:
    """Nothing changes."""


async def hold(w: World) -> None:
    """The parcel is held."""
    await w.people["una"].act("hold.place", SUBJECT, {"reason": "customs"})


async def audit_mode(w: World) -> None:
    """Agents may do nothing any more."""
    await w.admin.act("matrix.publish", "parcel-check", matrix(2, Mode.AUDIT))


async def other_policies(w: World) -> None:
    """Nobody weighs any more."""
    fewer = STRICT.replace('@id("weighs")\npermit', '@id("weighs")\nforbid')
    body = PublishPolicy(policies=fewer, cedar_schema=SCHEMA)
    await w.admin.act("policy.publish", "parcel-check", body)


@pytest.mark.parametrize(
    ("change", "denied_by"),
    [(nothing, None), (hold, "held"), (audit_mode, "audited"), (other_policies, "weighs")],
    ids=["nothing", "hold", "mode", "policies"],
)
async def test_what_policy_said_beforehand_counts_only_while_nothing_has_changed(
    w: World,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[World], Awaitable[None]],
    denied_by: str | None,
) -> None:
    """I3: a hold, a mode or policies that came while Temporal was asked decide."""
    strict = PublishPolicy(policies=STRICT, cedar_schema=SCHEMA)
    await w.admin.act("policy.publish", "parcel-check", strict)
    held, decide, decided = Held(), _foreseeing.decide, list[str]()
    seen: list[tuple[Reply, list[str]]] = []

    def noted(policies: LoadedPolicies, request: PolicyRequest) -> Any:
        decision = decide(policies, request)
        if request.action == "parcel:weigh":
            decided.append(type(decision).__name__)
        return decision

    async def probe(info: activity.Info) -> tuple[Reply, list[str]]:
        assert (await ask(w, "scale", details_of(info))).status == 200
        with monkeypatch.context() as patched:
            patched.setattr(_foreseeing, "decide", noted)
            patched.setattr(Grants, "_look", held.after(Grants._look, lambda *_: True))
            asking = asyncio.create_task(ask(w, "scale", details_of(info)))
            await held.waiting.wait()
            await change(w)
            held.go_on.set()
            return await asking, decided

    async with w.workers(only=("orchestrator",)), rogue_worker(w, "scale", "weigh", probe, seen):
        await w.open(SUBJECT)

        async def probed() -> bool:
            return bool(seen)

        await until(probed)
    reply, answers = seen[0]
    if denied_by is None:
        assert (reply.status, answers) == (200, ["Permitted"])
    else:
        assert reply.reasons == ["I3", "forbidden", f"policy:{denied_by}"]
        assert answers == ["Permitted", "Denied"]
