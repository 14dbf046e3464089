"""Owners look at their identities again: what they sign is carried out, and silence suspends."""

import asyncio
import contextlib
import importlib.resources
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import governed
from placet.audit import verify
from placet.cli import fetch_log
from placet.cli._reviews import begin
from placet.client import AuthorityError, OperatorClient
from placet.governance import DEFINITION, IdentityReview
from placet.governance._requests import ReviewEnd
from placet.governance.steps import carry_out_review, look_at_identity
from placet.model import (
    AcknowledgeCampaign,
    AuthorityMatrix,
    CampaignItem,
    CheckpointView,
    EnrolIdentity,
    RegisterIdentity,
    Reviewed,
    StartCampaign,
    TimeRule,
    Verdict,
)
from placet.process import StepRequest
from placet.tokens import SigningKey
from tests.authority.test_two_administrators import troubles
from tests.harness.world import World, publish, until, world
from tests.spine.test_identities import registration
from tests.workflows.test_whole_time import Skipping, time

__all__ = ["time"]
CAMPAIGN = "autumn"
OWNER = "operator:olga"
KEEP, NARROW, END, SILENT = "bot:nightly", "agent:scale", "api-key:acme/1", "agent:carrier"
_LOST: list[str] = []


@activity.defn(name="carry_out_review")
@governed(action="identity:carry-out", system="authority")
async def carries_out_and_dies(request: StepRequest) -> ReviewEnd:
    """The first answer of each case is lost after the authority has carried it out."""
    done = await carry_out_review(request)
    if request.case not in _LOST:
        _LOST.append(request.case)
        raise RuntimeError("the worker died here")
    return done


def shipped(name: str) -> str:
    """A file that comes with the process."""
    return (importlib.resources.files("placet.governance") / name).read_text()


@contextlib.asynccontextmanager
async def person(w: World, name: str, *roles: str) -> AsyncIterator[OperatorClient]:
    """One more person."""
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
    await w.admin.act("operator.enrol", f"operator:{name}", body)
    async with OperatorClient(w.issuer, f"operator:{name}", key, clock=w.clock) as client:
        yield client


@contextlib.asynccontextmanager
async def reviewing(w: World) -> AsyncIterator[None]:
    """The process is published, and its agents work."""
    matrix = AuthorityMatrix.model_validate_json(shipped("authority-matrix.json"))
    rule = matrix.rules[0].model_copy(update={"time": TimeRule(due=30, expires=60)})
    matrix = matrix.model_copy(update={"rules": (rule,)})
    await publish(
        w.admin, DEFINITION, matrix, shipped("policies.cedar"), shipped("schema.cedarschema")
    )
    key = w.agents["identity-reviewer"] = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
    await w.admin.act("agent.enrol", "agent:identity-reviewer", body)
    worker = Worker(
        await w.agent_client("identity-reviewer"),
        task_queue="identity-reviewer",
        activities=[look_at_identity, carries_out_and_dies],
    )
    async with w.workers(workflows=(IdentityReview,), only=("orchestrator",)), worker:
        yield


async def _registered(w: World) -> None:
    for identity in (KEEP, NARROW, END, SILENT):
        said: RegisterIdentity = registration(owner=OWNER)
        await w.admin.act("identity.register", identity, said)


async def test_owners_keep_narrow_and_end_and_silence_suspends(
    time: Skipping, tmp_path: Path
) -> None:
    """I4, I5, I6, I10, I11: each by a signed word of its owner, once; management acknowledges."""
    async with (
        world(time.temporal, tmp_path, clock=time.now) as w,
        person(w, "olga", "identity-owner") as olga,
        person(w, "otto", "identity-owner") as otto,
        person(w, "mira", "management") as mira,
        reviewing(w),
    ):
        await _registered(w)
        found = await w.admin.candidates(365)
        assert {KEEP, NARROW, END, SILENT} <= {each.identity for each in found}
        with pytest.raises(AuthorityError, match="is yours"):
            body = StartCampaign(identities=("agent:second-scale",))
            await w.admin.act("campaign.start", "mine", body)
        wanted = (KEEP, NARROW, END, SILENT)
        # Cut off right after the start; then two at once go on with it.
        await w.admin.act("campaign.start", CAMPAIGN, StartCampaign(identities=wanted))
        views = await asyncio.gather(*(begin(w.admin, CAMPAIGN, wanted) for _ in range(2)))
        assert [each.identity for each in views[0].items] == list(wanted)
        opened = [e for e in await w.entries("case.opened") if e["record"].startswith("campaign/")]
        assert len(opened) == 4

        async def asked() -> dict[str, CheckpointView] | None:
            shown = {}
            for each in await w.people["una"].checkpoints("open"):
                view = await w.people["una"].checkpoint(each.id)
                lead = view.evidence.items[0].digest
                part = (await w.people["una"].part(view.case, lead)).part
                assert isinstance(part.data, dict)
                shown[str(part.data["identity"])] = view
            return shown if len(shown) == 4 else None

        shown = await until(asked)
        with pytest.raises(AuthorityError, match="someone else decides"):
            await otto.decide(shown[KEEP], Verdict.APPROVE)
        await olga.decide(shown[KEEP], Verdict.APPROVE)
        await olga.decide(shown[NARROW], Verdict.REJECT, reason_code="narrow")
        await olga.decide(shown[END], Verdict.REJECT, reason_code="end")
        with pytest.raises(AuthorityError, match="wait for their owners"):
            await mira.act("campaign.acknowledge", CAMPAIGN, views[0].counted())
        for identity in (KEEP, NARROW, END):
            await w.until_closed(shown[identity].case)
        await time.to(shown[SILENT].deadline + timedelta(seconds=30), shown[SILENT].case)
        assert (await w.until_closed(shown[SILENT].case)).result == "suspended"
        seen = await mira.campaign(CAMPAIGN)
        assert _came(seen.items) == {
            KEEP: Reviewed.KEPT,
            NARROW: Reviewed.NARROWED,
            END: Reviewed.ENDED,
            SILENT: Reviewed.SUSPENDED,
        }
        kept, narrowed, ended, silent = [await w.admin.registered(each) for each in wanted]
        assert kept.review_by is not None
        assert timedelta(days=89) < kept.review_by - time.now() <= timedelta(days=90)
        assert (narrowed.status, narrowed.narrowed_to) == ("active", ())
        assert "the identity's end date has passed" in ended.lacks
        assert (silent.status, silent.suspended_for) == ("suspended", "review_unanswered")
        with pytest.raises(AuthorityError, match="otherwise"):
            other = AcknowledgeCampaign(kept=4, narrowed=0, ended=0, suspended=0)
            await mira.act("campaign.acknowledge", CAMPAIGN, other)
        with pytest.raises(AuthorityError, match="needs the role"):
            await olga.act("campaign.acknowledge", CAMPAIGN, seen.counted())
        await mira.act("campaign.acknowledge", CAMPAIGN, seen.counted())
        assert len(_LOST) == len(await w.entries("identity.reviewed")) == 4
        files = await fetch_log(w.people["una"])
        assert verify(files).troubles == ()
        for type_, change, name in _FORGED:
            assert name in troubles(files, type_, change), (type_, change)


_FORGED: tuple[tuple[str, Any, str], ...] = (
    ("identity.reviewed", {"outcome": "kept"}, "review"),
    ("identity.reviewed", {"target": KEEP}, "review"),
    ("identity.reviewed", None, "campaign"),
    ("campaign.acknowledged", {"kept": 2}, "campaign"),
    ("campaign.acknowledged", "operator:olga", "campaign"),
)


def _came(items: tuple[CampaignItem, ...]) -> dict[str, Reviewed | None]:
    return {each.identity: each.outcome for each in items}
