"""Owners look at their identities again: what they sign is carried out, and silence suspends."""

import asyncio
import contextlib
import importlib.resources
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.worker import Worker
from typer.testing import CliRunner

from placet.agent import current_grant, governed, read_answer
from placet.audit import Framework, coverage, verify
from placet.cli import begin_campaign, fetch_log
from placet.cli._app import app
from placet.client import AuthorityError, OperatorClient
from placet.governance import DEFINITION, IdentityReview
from placet.governance._requests import ReviewEnd
from placet.governance.steps import carry_out_review
from placet.model import (
    AcknowledgeCampaign,
    AuthorityMatrix,
    CampaignItem,
    CheckpointQuery,
    CheckpointView,
    EnrolIdentity,
    Part,
    PartRef,
    RegisterIdentity,
    Reviewed,
    SetRoles,
    StartCampaign,
    TimeRule,
    Verdict,
    digest_bytes,
)
from placet.process import StepRequest
from placet.tokens import SigningKey, write_key_file
from tests.authority.test_two_administrators import troubles
from tests.harness.world import PASSPHRASE, World, publish, until, world
from tests.spine.test_identities import registration
from tests.workflows.test_whole_time import Skipping, time, waiting

__all__ = ["time"]
CAMPAIGN = "autumn"
OWNER = "operator:olga"
KEEP, NARROW, END, SILENT = "bot:nightly", "agent:scale", "api-key:acme/1", "agent:carrier"
COLOURED = "bot:coloured"
WANTED = (KEEP, NARROW, END, SILENT)
_LOST: list[str] = []


@activity.defn(name="look_at_identity")
@governed(action="identity:look", system="authority")
async def colours_one(request: StepRequest) -> PartRef:
    """A turned agent: of one identity it says that it was used lately."""
    answer = await current_grant().request("GET", f"/v1/cases/{request.case}/review")
    told = read_answer(answer, Part)
    if told.data["identity"] == COLOURED:
        told = told.model_copy(update={"data": {**told.data, "last_used": "2026-11-01T00:00:00Z"}})
    return current_grant().keep_part(told)


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


async def published(w: World) -> None:
    """The process is published, and its agent enrolled."""
    matrix = AuthorityMatrix.model_validate_json(shipped("authority-matrix.json"))
    rule = matrix.rules[0].model_copy(update={"time": TimeRule(due=30, expires=60)})
    matrix = matrix.model_copy(update={"rules": (rule,)})
    await publish(
        w.admin, DEFINITION, matrix, shipped("policies.cedar"), shipped("schema.cedarschema")
    )
    key = w.agents["identity-reviewer"] = SigningKey.generate()
    body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
    await w.admin.act("agent.enrol", "agent:identity-reviewer", body)


@contextlib.asynccontextmanager
async def working(
    w: World, look: Callable[[StepRequest], Any] = colours_one
) -> AsyncIterator[None]:
    """Those who order and do the steps of reviews."""
    worker = Worker(
        await w.agent_client("identity-reviewer"),
        task_queue="identity-reviewer",
        activities=[look, carries_out_and_dies],
    )
    async with w.workers(workflows=(IdentityReview,), only=("orchestrator",)), worker:
        yield


async def _registered(w: World) -> None:
    for identity in (KEEP, NARROW, END, SILENT, COLOURED):
        said: RegisterIdentity = registration(owner=OWNER)
        await w.admin.act("identity.register", identity, said)


async def _asked_and_answered(
    w: World, folder: Path, olga: OperatorClient, otto: OperatorClient, mira: OperatorClient
) -> dict[str, CheckpointView]:
    """A campaign in which all but one are decided, and that one waits for time alone."""
    async with working(w):
        await _no_agent_colours_it(w)
        # Cut off right after the start; then two at once go on with it.
        await w.admin.act("campaign.start", CAMPAIGN, StartCampaign(identities=WANTED))
        views = await asyncio.gather(*(begin_campaign(w.admin, CAMPAIGN, WANTED) for _ in range(2)))
        assert [each.identity for each in views[0].items] == list(WANTED)
        opened = [e for e in await w.entries("case.opened") if e["record"].startswith("campaign/")]
        assert len(opened) == 5

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
        assert (await olga.overview()).mine.count == 4
        listed = (await olga.checkpoint_page(CheckpointQuery())).checkpoints
        assert {each.id: each.about for each in listed} == {shown[each].id: each for each in WANTED}
        found = (await olga.checkpoint_page(CheckpointQuery(text=KEEP))).checkpoints
        assert [each.id for each in found] == [shown[KEEP].id]
        told = await on_a_terminal(w, folder, "una", "checkpoint", "show", shown[KEEP].id)
        assert f"about {KEEP}\n" in told
        assert "to reject: By the reason: narrow leaves it the actions that it used" in told
        assert "amount" not in told
        assert (await otto.overview()).mine.count == 0
        (review,) = (await w.people["una"].standing(KEEP)).reviews
        assert (review.checkpoint, review.outcome) == (shown[KEEP].id, None)
        with pytest.raises(AuthorityError, match="someone else decides"):
            await otto.decide(shown[KEEP], Verdict.APPROVE)
        await olga.decide(shown[KEEP], Verdict.APPROVE)
        await olga.decide(shown[NARROW], Verdict.REJECT, reason_code="narrow")
        await olga.decide(shown[END], Verdict.REJECT, reason_code="end")
        with pytest.raises(AuthorityError, match="have not decided yet"):
            await mira.act("campaign.acknowledge", CAMPAIGN, views[0].counted())
        for identity in (KEEP, NARROW, END):
            await w.until_closed(shown[identity].case)
        await until(lambda: waiting(w, shown[SILENT].case))
    return shown


async def on_a_terminal(w: World, folder: Path, who: str, *asked: str) -> str:
    """What a command says to somebody."""
    file = folder / f"{who}.key"
    if not file.exists():
        write_key_file(file, w.admin_key if who == "ada" else w.keys[who], PASSPHRASE)
    settings = {
        "PLACET_ISSUER": w.issuer,
        "PLACET_OPERATOR": who,
        "PLACET_KEY_FILE": str(file),
        "PLACET_PASSPHRASE": PASSPHRASE,
        "COLUMNS": "200",
    }
    said = await asyncio.to_thread(CliRunner().invoke, app, [*asked], env=settings)
    assert said.exit_code == 0, said.output
    return said.output


async def test_owners_keep_narrow_and_end_and_silence_suspends(
    time: Skipping, tmp_path: Path
) -> None:
    """I4, I5, I6, I10, I11, I13: each by a signed word of its owner, once; management acknowledges."""
    async with (
        world(time.temporal, tmp_path, clock=time.now) as w,
        person(w, "olga", "identity-owner") as olga,
        person(w, "otto", "identity-owner") as otto,
        person(w, "mira", "management") as mira,
    ):
        await published(w)
        await _registered(w)
        found = await w.admin.candidates(365)
        assert {KEEP, NARROW, END, SILENT} <= {each.identity for each in found}
        with pytest.raises(AuthorityError, match="is yours"):
            body = StartCampaign(identities=("agent:second-scale",))
            await w.admin.act("campaign.start", "mine", body)
        shown = await _asked_and_answered(w, tmp_path, olga, otto, mira)
        again = ("identity", "review", "start", CAMPAIGN)
        await w.admin.act("operator.roles", "operator:olga", SetRoles(roles=("management",)))
        warned = await on_a_terminal(w, tmp_path, "ada", *again)
        assert "olga can't answer without the role identity-owner, and silence suspends" in warned
        assert "placet operator roles olga --role management --role identity-owner" in warned
        await w.admin.act("operator.roles", "operator:olga", SetRoles(roles=("identity-owner",)))
        assert "warning" not in await on_a_terminal(w, tmp_path, "ada", *again)
        silent_case = shown[SILENT].case
        await time.to(shown[SILENT].deadline + timedelta(seconds=30), silent_case)
        async with working(w):
            assert (await w.until_closed(silent_case)).result == "suspended"
        seen = await mira.campaign(CAMPAIGN)
        assert _came(seen.items) == {
            KEEP: Reviewed.KEPT,
            NARROW: Reviewed.NARROWED,
            END: Reviewed.ENDED,
            SILENT: Reviewed.SUSPENDED,
        }
        (review,) = (await w.people["una"].standing(SILENT)).reviews
        assert (review.case, review.outcome) == (silent_case, Reviewed.SUSPENDED)
        listed = [each.campaign for each in await w.people["una"].campaigns()]
        assert listed == [CAMPAIGN, "coloured"]
        kept, narrowed, ended, silent = [await w.admin.registered(each) for each in WANTED]
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
        reviewed = [each["case"] for each in await w.entries("identity.reviewed")]
        assert len(reviewed) == 4
        assert set(reviewed) <= set(_LOST), "an answer was lost of each"
        files = await fetch_log(w.people["una"])
        assert verify(files).troubles == ()
        of_accounts = {each.id: each for each in coverage(files, Framework.PCI_DSS).controls}
        held = of_accounts["7.2.5.1"].evidence
        (of_reviews,) = [each for each in held if "identity.reviewed" in each.types]
        assert of_reviews.types["identity.reviewed"] == 4
        assert of_reviews.types["campaign.acknowledged"] == 1
        for type_, change, name in _FORGED:
            assert name in troubles(files, type_, change), (type_, change)


async def _no_agent_colours_it(w: World) -> None:
    """I13: what owners are shown is what the authority told, or nobody is asked."""
    await begin_campaign(w.admin, "coloured", (COLOURED,))

    async def given_up() -> str | None:
        (item,) = (await w.admin.campaign("coloured")).items
        if item.case is None:
            return None
        told = await w.temporal.get_workflow_handle(item.case).describe()
        return item.case if told.status is WorkflowExecutionStatus.FAILED else None

    case = await until(given_up)
    assert not [e for e in await w.entries("checkpoint.opened") if e["case"] == case]
    assert [e["actor"] for e in await w.entries("part.told") if e["case"] == case]


_FORGED: tuple[tuple[str, Any, str], ...] = (
    ("identity.reviewed", {"outcome": "kept"}, "review"),
    ("identity.reviewed", {"target": KEEP}, "review"),
    ("identity.reviewed", None, "campaign"),
    ("part.told", {"digest": digest_bytes(b"another")}, "part-told"),
    ("campaign.acknowledged", {"kept": 2}, "campaign"),
    ("campaign.acknowledged", "operator:olga", "campaign"),
)


def _came(items: tuple[CampaignItem, ...]) -> dict[str, Reviewed | None]:
    return {each.identity: each.outcome for each in items}
