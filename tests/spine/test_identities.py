"""Non-human identities over their life: no grant without an owner, none past the end."""

import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from placet.agent import AgentConfig, PlacetPlugin, join
from placet.cli._fetch import fetch_log
from placet.client import AuthorityError
from placet.model import (
    Governance,
    IdentityRules,
    InviteAgent,
    JoinAs,
    Reason,
    RegisterIdentity,
    SwitchOff,
    Verdict,
)
from placet.tokens import SigningKey, invitation_key, write_key_file
from tests.authority.test_two_administrators import troubles
from tests.harness.logs import assert_holds, whole_log
from tests.harness.raw import Reply, ask, details_of, rogue_worker
from tests.harness.world import World, until, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"


def registration(**changed: Any) -> RegisterIdentity:
    """What is said of an identity, with members changed."""
    now = datetime.now(UTC).replace(microsecond=0)
    said: dict[str, Any] = {
        "owner": "operator:ada",
        "purpose": "weighs parcels",
        "process": "parcel-check",
        "environment": "production",
        "review_by": now + timedelta(days=90),
        "ends_at": now + timedelta(days=365),
    }
    return RegisterIdentity(**{**said, **changed})


async def _holds(w: World) -> None:
    assert_holds(await whole_log(w.people["una"]))


async def test_an_agent_without_an_owner_or_past_its_end_gets_no_grant(w: World) -> None:
    """I10: from the instant it is said; its live grants end; the reason is named."""
    answers: list[list[Reply]] = []
    soon = datetime.now(UTC) + timedelta(seconds=20)
    short = soon.replace(microsecond=0)

    async def probe(info: activity.Info) -> list[Reply]:
        replies = [await ask(w, "scale", details_of(info))]
        for changed in (
            {"owner": None},
            {
                "review_by": datetime(2025, 1, 1, tzinfo=UTC),
                "ends_at": datetime(2025, 1, 2, tzinfo=UTC),
            },
            {"review_by": short, "ends_at": short},
        ):
            await w.admin.act("identity.register", "agent:scale", registration(**changed))
            replies.append(await ask(w, "scale", details_of(info)))
        return replies

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        await w.open(SUBJECT)

        async def asked() -> list[list[Reply]]:
            return answers

        ((granted, unowned, ended, capped),) = await until(asked)
    assert granted.status == 200
    assert 50 < granted.body["expires_in"] <= 60  # whole seconds, and it took some to be made
    assert (unowned.status, unowned.reasons) == (400, ["I10", "no_owner"])
    assert "no person owns" in unowned.body["error_description"]
    assert (ended.status, ended.reasons) == (400, ["I10", "past_end_date"])
    assert capped.status == 200
    assert capped.body["expires_in"] <= 20  # nothing outlives its identity
    revoked = await w.entries("grant.revoked")
    assert revoked[0]["data"]["reason"] == "not_entitled"
    await _holds(w)
    files = await fetch_log(w.people["una"])
    for change, trouble in (
        ({"owner": None}, "grant-unowned"),
        ({"ends_at": "2026-01-01T00:00:00Z"}, "grant-past-end"),
    ):
        assert trouble in troubles(files, "identity.registered", change)


async def test_who_owned_an_agent_while_it_worked_does_not_approve(w: World) -> None:
    """I6: handing an agent over before the checkpoint opens makes nobody free to approve."""
    await w.admin.act("identity.register", "agent:scale", registration(owner="operator:cleo"))
    async with w.workers():
        case = await w.open(SUBJECT)
        first = await w.until_checkpoint(case)
        await w.admin.act("identity.register", "agent:scale", registration(owner="operator:hal"))
        await w.people["cid"].decide(
            first, Verdict.RETURN, amount=Decimal("80.00"), comment="once more"
        )
        assert (await w.until_closed(case)).result == "returned"
        second = await w.until_checkpoint(await w.open("depot/D1/parcel/8"))
    assert _owners(first) == {"operator:ada", "operator:cleo"}
    assert _owners(second) == {"operator:ada", "operator:hal"}  # cleo owned it before the case
    await _holds(w)


def _owners(view: Any) -> set[str]:
    return {each.person for each in view.requirement.excluded if each.why.value == "owns_agent"}


async def test_a_case_is_proved_alone_whose_agents_owner_left(w: World) -> None:
    """I8, I10: that the owner left, and that the deputy was there, stands in its bundle."""
    hal, una = "operator:hal", "operator:una"
    for agent, deputy in (("scale", None), ("carrier", una)):
        said = registration(owner=hal, deputy=deputy)
        await w.admin.act("identity.register", f"agent:{agent}", said)
    async with w.workers():
        case = await w.open("depot/D1/parcel/1")
        shown = await w.until_checkpoint(case)
        await w.admin.act("operator.offboard", hal, Reason(reason="they left"))
        await w.people["cleo"].decide(shown, Verdict.APPROVE, amount=shown.requirement.amount)
        assert (await w.until_archived(case)).result == "dispatched"
    assert [each["type"] for each in await w.entries() if each["data"].get("before") == hal] == [
        "identity.followed",
        "identity.orphaned",
    ]
    await _holds(w)


async def test_an_identity_is_registered_by_administrators_alone(w: World) -> None:
    """I6: whose it is says who may not approve; a person who is none owns nothing."""
    with pytest.raises(AuthorityError) as refused:
        await w.people["hal"].act("identity.register", "agent:scale", registration())
    assert refused.value.status == 403
    for target, changed, status in (
        ("agent:scale", {"owner": "operator:nobody"}, 409),
        ("agent:scale", {"deputy": "operator:nobody"}, 409),
        ("agent:scale", {"credential_since": datetime(2025, 1, 1, tzinfo=UTC)}, 400),
        ("operator:hal", {}, 400),
        ("robot:x", {}, 400),
    ):
        with pytest.raises(AuthorityError) as refused:
            await w.admin.act("identity.register", target, registration(**changed))
        assert refused.value.status == status, (target, changed)
    assert await w.entries("identity.registered") == []


async def test_a_worker_serves_only_what_it_was_invited_to(
    temporal: Client, tmp_path: Path
) -> None:
    """I1, I10: on the task queues that its token named, in the environment of its registration."""
    answers: list[list[Reply]] = []
    keys = {queue: SigningKey.generate() for queue in ("scale", "elsewhere")}
    async with world(temporal, tmp_path, environment="production") as w:
        await w.admin.act("identity.register", "agent:scale", registration())
        for queue, key in keys.items():
            token = secrets.token_urlsafe(32)
            named = invitation_key("agent:scale", token).thumbprint
            body = InviteAgent(environment="production", task_queues=(queue,), invitation_key=named)
            await w.admin.act("agent.invite", "agent:scale", body)
            sent = JoinAs(agent="scale", environment="production", task_queues=(queue,))
            await join(w.issuer, sent, key, datetime.now(UTC), token=token)

        async def probe(info: activity.Info) -> list[Reply]:
            replies = [
                await ask(w, "scale", details_of(info), key=key)
                for key in (keys["elsewhere"], keys["scale"])
            ]
            await w.admin.act("identity.register", "agent:scale", registration(environment="test"))
            return [*replies, await ask(w, "scale", details_of(info), key=keys["scale"])]

        async with (
            rogue_worker(w, "scale", "weigh", probe, answers),
            w.workers(only=("orchestrator",)),
        ):
            await w.open(SUBJECT)

            async def asked() -> list[list[Reply]]:
                return answers

            ((elsewhere, invited, moved),) = await until(asked)
    assert (elsewhere.status, elsewhere.reasons) == (400, ["I1", "task_queue"])
    assert invited.status == 200
    assert (moved.status, moved.reasons) == (400, ["I10", "environment"])


async def test_keys_rotate_while_cases_run_and_no_step_is_dropped(w: World, tmp_path: Path) -> None:
    """I10, I11: each agent's worker replaces its key by itself, in the midst of its work."""
    rules = IdentityRules(key_days=30, rotate_days=0)
    await w.admin.act("governance.publish", "governance", Governance(version=1, identities=rules))
    address = w.temporal.service_client.config.target_host
    for agent, key in w.agents.items():
        file = tmp_path / f"{agent}.key"
        write_key_file(file, key)
        config = AgentConfig(agent, key, w.issuer, {}, file)
        w.clients[agent] = await Client.connect(address, plugins=[PlacetPlugin(config)])
    async with w.workers():
        cases = [await w.open(f"depot/D1/parcel/{number}") for number in range(4)]
        for case in cases:
            shown = await w.until_checkpoint(case)
            await w.people["cleo"].decide(shown, Verdict.APPROVE, amount=Decimal("80.00"))
        for case in cases:
            assert (await w.until_closed(case)).result == "dispatched"

        async def rotated() -> bool:
            found = [await w.admin.registered(f"agent:{agent}") for agent in w.agents]
            return all(len(each.keys) == 2 for each in found)

        await until(rotated)
    assert await w.entries("grant.denied") == []
    await _holds(w)


async def test_a_vendor_that_is_switched_off_in_the_midst_of_a_step_stops(w: World) -> None:
    """I10: its live grants end, it gets no other, and its case waits for a person."""
    answers: list[tuple[Any, list[Reply]]] = []
    await w.admin.act("identity.register", "agent:scale", registration(vendor="acme"))

    async def probe(info: activity.Info) -> tuple[Any, list[Reply]]:
        replies = [await ask(w, "scale", details_of(info))]
        seen = await w.admin.vendor("acme")
        body = SwitchOff(identities=seen.identities, reason="they were broken into")
        await w.admin.act("vendor.off", "acme", body)
        replies.append(await ask(w, "scale", details_of(info)))
        answers.append((seen, replies))
        raise ApplicationError("the step is stopped", non_retryable=True)

    async with (
        rogue_worker(w, "scale", "weigh", probe, []),
        w.workers(only=("orchestrator",)),
    ):
        case = await w.open(SUBJECT)

        async def asked() -> list[tuple[Any, list[Reply]]]:
            return answers

        ((seen, (granted, refused)),) = await until(asked)
    assert (seen.identities, seen.running, seen.cases) == (("agent:scale",), (case,), (case,))
    assert (seen.live_grants, seen.payments_in_flight) == (1, 0)
    assert granted.status == 200
    assert (refused.status, refused.reasons) == (400, ["I10", "suspended"])
    (revoked,) = await w.entries("grant.revoked")
    assert (revoked["case"], revoked["data"]["reason"]) == (case, "vendor_off")
    left = await w.admin.left_behind("agent:scale")
    assert (left.complete, left.cases, left.steps) == (False, (case,), ("parcel-check: weigh",))
    await _holds(w)
