"""Several steps ask in one request: each is decided by itself, and nobody speaks for another."""

import asyncio
import secrets
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from temporalio import activity

from placet.audit import verify
from placet.model import Beyond, Governance, IdentityRules, Limit, Measure
from placet.tokens import make_client_assertion, make_proof
from tests.harness.logs import whole_log
from tests.harness.raw import ask, details_of, rogue_worker
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"


async def ask_together(
    w: World, agent: str, asks: list[dict[str, Any]], *, jti: str | None = None
) -> tuple[int, Any]:
    """Send several asks as the plugin does."""
    key, url, now = w.agents[agent], f"{w.issuer}/v1/grants", datetime.now(UTC)
    assertion = make_client_assertion(
        key, f"agent:{agent}", issuer=w.issuer, now=now, jti=jti or secrets.token_urlsafe(18)
    )
    proof = make_proof(key, "POST", url, now=now, jti=secrets.token_urlsafe(18))
    async with httpx.AsyncClient() as http:
        body = {"client_assertion": assertion, "asks": asks}
        response = await http.post(url, json=body, headers={"DPoP": proof})
    return response.status_code, response.json()


async def in_a_step(w: World, probe: Any) -> Any:
    """What a probe finds inside a running step."""
    answers: list[Any] = []

    async def answered() -> bool:
        return bool(answers)

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        await w.open(SUBJECT)
        await until(answered)
    return answers[0]


async def test_each_ask_is_decided_by_itself(w: World) -> None:
    """I1, I2: one ask that is refused takes nothing from, and gives nothing to, the others."""

    async def probe(info: activity.Info) -> Any:
        return await ask_together(
            w,
            "scale",
            [
                details_of(info, record="depot/D1/parcel/8"),
                details_of(info),
                details_of(info, case="case-" + "0" * 26),
                details_of(info, attempt=2),
            ],
        )

    status, body = await in_a_step(w, probe)
    assert status == 200
    elsewhere, given, unknown, later = body["grants"]
    assert elsewhere["problem"]["reasons"] == ["I2", "out_of_scope"]
    assert given["details"]["identifier"] == SUBJECT
    assert given["access_token"].count(".") == 2
    assert unknown["problem"]["reasons"] == ["I1", "case"]
    assert later["problem"]["reasons"] == ["I1", "attempt"]
    assert len(await w.entries("grant.denied")) == 3


async def test_the_same_step_twice_in_one_request_has_one_live_grant(w: World) -> None:
    """I1: the second ask of a step revokes the first's grant, in one request as in two."""

    async def probe(info: activity.Info) -> Any:
        return await ask_together(w, "scale", [details_of(info), details_of(info)])

    _, body = await in_a_step(w, probe)
    assert len(body["grants"]) == 2
    issued = [
        each["data"]["grant"]
        for each in await w.entries("grant.issued")
        if each["data"]["action"] == "parcel:weigh" and each["actor"] == "agent:scale"
    ]
    revoked = [
        each["data"]["grant"]
        for each in await w.entries("grant.revoked")
        if each["data"]["reason"] == "superseded"
    ]
    assert issued[:1] == revoked


async def test_the_request_counts_once(w: World) -> None:
    """I11: an assertion buys one request, of one ask or of many, on whichever route."""

    async def probe(info: activity.Info) -> Any:
        jti = secrets.token_urlsafe(18)
        first = await ask_together(w, "scale", [details_of(info)], jti=jti)
        again = await ask_together(w, "scale", [details_of(info)] * 2, jti=jti)
        alone = await ask(w, "scale", details_of(info), jti=jti)
        return first, again, alone

    first, again, alone = await in_a_step(w, probe)
    assert first[0] == 200
    assert (again[0], again[1]["error"]) == (401, "invalid_client")
    assert (alone.status, alone.body["error"]) == (401, "invalid_client")
    assert len(await w.entries("grant.revoked")) == 0


async def test_what_is_not_well_formed_is_refused_as_a_whole(w: World) -> None:
    """I12: nothing is asked, or something that is no ask: an error that names the place."""
    wrong = {"asks": [], "asks.0.actions": [{"type": "placet_record"}], "asks.1": [None]}
    for place, asks in wrong.items():
        status, body = await ask_together(w, "scale", asks)
        assert (status, body["error"]) == (400, "invalid_request"), place
    assert await w.entries("grant.denied") == []


async def test_what_is_granted_after_a_limit_was_met_counts_anew_in_the_same_request(
    w: World,
) -> None:
    """I4: a walk had found that one instant let an agent pass its limit, which an audit tells."""
    once = Limit(
        agents=("scale",),
        measure=Measure.GRANTS,
        at_most=1,
        within_seconds=3600,
        beyond=Beyond.PERSON,
    )
    rules = Governance(version=1, identities=IdentityRules(limits=(once,)))
    await w.admin.act("governance.publish", "governance", rules)
    running: list[dict[str, Any]] = []
    answers: list[Any] = []
    over = asyncio.Event()
    subjects: dict[str, str] = {}

    async def probe(info: activity.Info) -> Any:
        running.append(details_of(info, record=subjects[info.workflow_id]))
        if len(running) < 3:
            await over.wait()
            return None
        together = await ask_together(w, "scale", running)
        later = await ask_together(w, "scale", running[-1:])
        over.set()
        return [*together[1]["grants"], *later[1]["grants"]]

    async def answered() -> Any:
        return next((each for each in answers if each), None)

    for number in (11, 12, 13):
        subject = f"depot/D1/parcel/{number}"
        subjects[await w.open(subject)] = subject
    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        first, met, counted, again = await until(answered)
    assert "access_token" in first and "access_token" in counted
    for each in (met, again):
        assert each["problem"]["reasons"] == ["limit", "grants"]
    assert verify(await whole_log(w.people["una"])).troubles == ()
