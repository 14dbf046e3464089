"""NHI1:2025 Improper Offboarding: what is off stays off, with everything that it ever held."""

import secrets
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from temporalio import activity

from placet.agent import NotJoined, join
from placet.model import EnrolIdentity, InviteAgent, JoinAs, Reason, RegisterIdentity
from placet.tokens import SigningKey, invitation_key, make_client_assertion
from tests.harness.raw import ASSERTION_TYPE, Reply, ask, details_of, rogue_worker
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _lives(w: World, system: SigningKey, token: str) -> bool:
    """Whether a grant counts, as the system of record hears that asks about it."""
    assertion = make_client_assertion(
        system,
        "system:authority",
        issuer=w.issuer,
        now=datetime.now(UTC),
        jti=secrets.token_urlsafe(18),
    )
    form = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        "token": token,
    }
    async with httpx.AsyncClient() as http:
        told = (await http.post(f"{w.issuer}/oauth/introspect", data=form)).json()
    return bool(told["active"])


async def test_an_offboarded_agent_uses_nothing_that_it_kept(w: World) -> None:
    """I10: not its key, not its live grant, not a join token that it never used."""
    answers: list[tuple[Reply, Reply, list[bool]]] = []
    system = SigningKey.generate()
    enrolment = EnrolIdentity(jwk=system.public.jwk())
    await w.admin.act("system.enrol", "system:authority", enrolment)
    token, now = secrets.token_urlsafe(32), datetime.now(UTC).replace(microsecond=0)
    said = RegisterIdentity(
        owner="operator:ada",
        purpose="opens checkpoints",
        environment="production",
        review_by=now + timedelta(days=30),
        ends_at=now + timedelta(days=60),
    )
    invitation = InviteAgent(
        environment="production",
        task_queues=("scale",),
        invitation_key=invitation_key("agent:scale", token).thumbprint,
    )
    await w.admin.act("identity.register", "agent:scale", said)
    await w.admin.act("agent.invite", "agent:scale", invitation)

    async def probe(info: activity.Info) -> tuple[Reply, Reply, list[bool]]:
        held = await ask(w, "scale", details_of(info))
        lives = [await _lives(w, system, held.body["access_token"])]
        await w.admin.act("agent.offboard", "agent:scale", Reason(reason="replaced"))
        lives.append(await _lives(w, system, held.body["access_token"]))
        return held, await ask(w, "scale", details_of(info)), lives

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        await w.open("depot/D1/parcel/7")

        async def asked() -> list[tuple[Reply, Reply, list[bool]]]:
            return answers

        ((held, again, lives),) = await until(asked)
    assert held.status == 200
    assert lives == [True, False]  # as the system of record is told
    assert (again.status, again.reasons) == (400, ["I10", "offboarded"])
    assert [each["data"]["reason"] for each in await w.entries("grant.revoked")] == ["offboarded"]
    sent = JoinAs(agent="scale", environment="production", task_queues=("scale",))
    with pytest.raises(NotJoined, match="offboarded"):
        await join(w.issuer, sent, SigningKey.generate(), datetime.now(UTC), token=token)
    assert (await w.admin.left_behind("agent:scale")).works is False
