"""A walk through cases: opened, weighed, decided on, changed, held, stopped and let go on.

The scale fails now and then, the carrier loses its answers, and workers stop and start.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from temporalio import activity

from placet.agent import current_grant, governed
from placet.authority import SigningKeys, Store, rotate_payload_keys
from placet.model import (
    Beyond,
    BreakGlass,
    CaseStatus,
    CheckpointView,
    CloseReview,
    EnrolIdentity,
    Governance,
    IdentityRules,
    KeyedValue,
    Limit,
    Measure,
    Mode,
    Need,
    PartRef,
    PublishPolicy,
    RowCut,
    StepUp,
    UseStage,
    Verdict,
)
from placet.process import StepRequest
from placet.tokens import SigningKey
from tests.admitting import admit
from tests.harness import parcel_work, processes
from tests.harness.parcels import ParcelCheck
from tests.harness.uses import tell_use
from tests.harness.world import AGENTS, PASSPHRASE, World
from tests.walks.walking import Does, Walk, shifts

_WORTH = ("30.00", "50.00", "80.00", "80.00", "100.00", "150.00", "400.00")
_FURTHER = (
    "",
    '@id("heavy") forbid (principal, action == Placet::Action::"parcel:dispatch", resource)'
    " when { context.approval.amount_cents > 30000 };",
    '@id("alone") forbid (principal, action == Placet::Action::"parcel:dispatch", resource)'
    " when { context.approval.people < 1 };",
)


class HouseWalk(Walk):
    """Of a whole world."""

    workflows: tuple[type, ...] = (ParcelCheck,)
    policies, schema = processes.POLICIES, processes.SCHEMA

    def __init__(self, seed: int, world: World, folder: Path) -> None:
        super().__init__(seed, world.issuer, world.clock)
        self.folder = folder
        self.world = world
        self.cases: list[str] = []
        self.customs = SigningKey.generate()

    async def prepare(self) -> None:
        """What must be there before anyone works."""

    async def begin(self) -> None:
        """Who there is, and a few cases."""
        self.people |= {"ada": self.world.admin, **self.world.people}
        self.keys |= self.world.keys
        self.versions.update(matrix=1)
        jwk = self.customs.public.jwk()
        await self.world.admin.act("system.enrol", "system:authority", EnrolIdentity(jwk=jwk))
        for _ in range(4):
            await self.step(self.open)

    @property
    def steps(self) -> dict[Does, int]:
        """What is done, and how often."""
        return {
            self.open: 9,
            self.decide: 14,
            self.decide_twice: 2,
            self.claim_or_leave: 3,
            self.talk: 3,
            self.recall: 2,
            self.lower: 3,
            self.key: 3,
            self.hold: 4,
            self.suspend_or_resume: 3,
            self.suspend_or_resume_agent: 2,
            self.put_right: 4,
            self.enrol: 2,
            self.set_roles: 2,
            self.add_key: 2,
            self.revoke: 1,
            self.invite: 1,
            self.claim: 1,
            self.sign_in_and_out: 2,
            self.second: 4,
            self.stand_in: 4,
            self.publish_matrix: 3,
            self.publish_policy: 2,
            self.publish_rules: 2,
            self.end: 1,
            self.admit: 3,
            self.come_back: 2,
            self.erase: 2,
            self.break_glass: 3,
            self.close_review: 2,
            self.rotate_payload_keys: 1,
            self.rest: 6,
        }

    # --- cases --------------------------------------------------------------------------------

    async def open(self) -> None:
        number = self.dice.randint(1, len(self.cases) + 4)
        subject = f"depot/D{self.dice.randint(1, 3)}/parcel/{number}"
        parcel_work.VALUES[subject] = Decimal(self.dice.choice(_WORTH))
        parcel_work.INSPECTORS[subject] = self.dice.choice(("operator:cleo", "C. Weir", "nobody"))
        answer = await self.one_of("pat").open_case("parcel-check", subject)
        assert answer.case is not None
        self.cases.append(answer.case)
        self.world.started.append(answer.case)

    async def end(self) -> None:
        if self.cases:
            await self.administrator.act("case.end", self.dice.choice(self.cases), self.why)

    async def admit(self) -> None:
        cases = await self.one_of("una").cases()
        if stopped := [each.id for each in cases if each.status is CaseStatus.STOPPED]:
            await admit(self.administrator, self.dice.choice(stopped), "it was looked at")

    async def come_back(self) -> None:
        if self.cases:
            case = self.dice.choice(self.cases)
            record = (await self.one_of("una").case(case)).subject
            await self.one_of("pat").resubmit(case, record, f"v{self.dice.randint(1, 9)}")

    async def erase(self) -> None:
        if self.cases:
            await self.administrator.act("case.erase", self.dice.choice(self.cases), self.why)

    # --- checkpoints --------------------------------------------------------------------------

    async def _shown(self) -> CheckpointView | None:
        found = await self.world.admin.checkpoints("open")
        return self.dice.choice(found) if found else None

    async def decide(self) -> None:
        if shown := await self._shown():
            verdict = self.dice.choices(tuple(Verdict), (12, 3, 2, 1, 2))[0]
            said: dict[str, Any] = {"comment": self.dice.choice((None, "so it is"))}
            if verdict is Verdict.APPROVE:
                said["amount"] = shown.requirement.amount
            if verdict in {Verdict.REJECT, Verdict.RETURN}:
                said["reason_code"] = "damaged"
            await self.one_of("cleo", "cid", "hal", "hal").decide(shown, verdict, **said)

    async def decide_twice(self) -> None:
        """The same word, sent twice at the same time."""
        if shown := await self._shown():
            who = self.one_of("cleo", "hal")
            word = who.sign_decision(shown, Verdict.APPROVE, amount=shown.requirement.amount)
            await asyncio.gather(*(who.send_decision(shown.id, word) for _ in range(2)))

    async def claim_or_leave(self) -> None:
        if shown := await self._shown():
            who = self.one_of("cleo", "cid", "hal")
            await (who.claim if self.dice.random() < 0.6 else who.unclaim)(shown.id)

    async def talk(self) -> None:
        if shown := await self._shown():
            who = self.one_of("cleo", "una")
            if self.dice.random() < 0.5:
                await who.comment(shown.id, "who weighed this?")
            else:
                await who.attach(shown.id, "a.txt", self.dice.randbytes(20), "text/plain")

    async def recall(self) -> None:
        if shown := await self._shown():
            await self.administrator.recall(shown.id, "look again")

    async def lower(self) -> None:
        shown = await self._shown()
        if shown is not None and shown.evidence.proposal.amount is not None:
            less = Decimal(self.dice.choice(("5.00", "20.00")))
            row = RowCut(item=str(self.dice.randint(1, 2)), amount=less, reason="broken")
            await self.one_of("cleo", "hal").lower(shown, [row])

    async def key(self) -> None:
        if shown := await self._shown():
            value = self.dice.choice(("60.00", "120.00"))
            where = {"document": "label.pdf", "spot": "page 1", "field": "weight"}
            await self.one_of("pat", "cid").key_in(shown, [KeyedValue(**where, value=value)])

    async def break_glass(self) -> None:
        if shown := await self._shown():
            await self.one_of("cleo", "hal").act("glass.break", shown.id, self.why)

    async def close_review(self) -> None:
        if waiting := await self.one_of("una").reviews():
            body = CloseReview(justified=self.dice.random() < 0.5, reason="looked at")
            await self.one_of("una").act("review.close", self.dice.choice(waiting).id, body)

    # --- what holds for all -----------------------------------------------------------------------

    def record(self) -> str:
        depot = f"depot/D{self.dice.randint(1, 3)}"
        if self.cases and self.dice.random() < 0.5:
            return f"{depot}/parcel/{self.dice.randint(1, len(self.cases))}"
        return depot

    async def suspend_or_resume_agent(self) -> None:
        verb = self.dice.choices(("suspend", "resume"), (2, 5))[0]
        await self.administrator.act(f"agent.{verb}", f"agent:{self.dice.choice(AGENTS)}", self.why)

    async def put_right(self) -> None:
        """What stands in everybody's way is taken away, so that something goes on."""
        for act, targets in (
            ("agent.resume", [f"agent:{each}" for each in AGENTS]),
            ("operator.resume", [f"operator:{each}" for each in self.people]),
            ("hold.lift", [f"depot/D{number}" for number in (1, 2, 3)]),
        ):
            for each in targets:
                await self.step(_named(act, self.world.admin.act, each, self.why))

    async def publish_matrix(self) -> None:
        version = self.versions["matrix"] + 1
        others = {
            "retention_days": self.dice.choice((0, None)),
            "openers": self.dice.choice((("porter",), ("porter", "clerk"))),
            "keyers": self.dice.choice((("porter",), ("porter", "clerk"))),
        }
        made = processes.matrix(version, self.dice.choice((*Mode, Mode.AUTOMATIC)))
        body = made.model_copy(update=others)
        await self.administrator.act("matrix.publish", "parcel-check", body)
        self.versions["matrix"] = version

    async def publish_policy(self) -> None:
        policies = f"{self.policies}\n{self.dice.choice(_FURTHER)}"
        body = PublishPolicy(policies=policies, cedar_schema=self.schema)
        await self.administrator.act("policy.publish", "parcel-check", body)

    async def publish_rules(self) -> None:
        version = self.versions["rules"] + 1
        glass = BreakGlass(
            needs=(Need(roles=("clerk", "chief"), count=2),),
            seconds=self.dice.choice((5, 600)),
            reviewers=("auditor", "administrator"),
        )
        above = StepUp(above=Decimal("90.00"), within_seconds=30)
        body = Governance(
            version=version,
            signatures=self.dice.choices((1, 2), (4, 1))[0],
            break_glass=self.dice.choice((None, glass)),
            step_up=self.dice.choice((None, None, above)),
            identities=self.identity_rules(),
        )
        await self.administrator.act("governance.publish", "governance", body)
        self.versions["rules"] = version

    def identity_rules(self) -> IdentityRules:
        """Rules with a limit, or without."""
        limit = Limit(
            agents=self.dice.choice((("scale",), ())),
            measure=self.dice.choice((Measure.GRANTS, Measure.RECORDS, Measure.DENIALS)),
            at_most=self.dice.choice((2, 5, 10)),
            within_seconds=self.dice.choice((5, 3_600)),
            beyond=self.dice.choice(tuple(Beyond)),
        )
        return IdentityRules(limits=self.dice.choice(((), (limit,))))

    async def rotate_payload_keys(self) -> None:
        settings = self.world.settings
        async with await Store.open(settings.database_url, origin=settings.origin) as store:
            await rotate_payload_keys(store, SigningKeys(PASSPHRASE))

    async def rest(self) -> None:
        await asyncio.sleep(self.dice.random() * 0.5)

    # --- agents -------------------------------------------------------------------------------

    def crew(self) -> AbstractAsyncContextManager[None]:
        """Workers that stop and start; their scale and their carrier are not to be relied on."""
        return shifts(lambda: self.workers(), lambda: self.dice.choice((2, 4, 9)))

    def workers(self) -> AbstractAsyncContextManager[None]:
        """One worker for each agent."""
        return self.world.workers(self.workflows, scale=self._weigh(), carrier=self._dispatch())

    def _weigh(self) -> Callable[..., Any]:
        dice = self.dice

        @activity.defn
        @governed(action="parcel:weigh", system="authority")
        async def weigh(request: StepRequest) -> PartRef:
            if dice.random() < 0.15:
                raise RuntimeError("the scale is not level")
            return await parcel_work.weigh(request)

        return weigh

    def _dispatch(self) -> Callable[..., Any]:
        dice, world, key = self.dice, self.world, self.customs

        async def told(stage: UseStage) -> bool:
            """Whether the authority takes it: nothing is done that was not asked for before."""
            try:
                await tell_use(world, key, current_grant().id, stage)
            except (AssertionError, httpx.HTTPError):  # the grant was revoked meanwhile
                return False
            return True

        @activity.defn
        @governed(action="parcel:dispatch", system="authority")
        async def dispatch(request: StepRequest) -> PartRef:
            tells = dice.random() < 0.7 and await told(UseStage.INTENT)
            if dice.random() < 0.15:
                raise RuntimeError("the lorry broke down")
            if tells:
                await told(UseStage.RESULT)
            if dice.random() < 0.15:
                raise RuntimeError("its answer was lost")
            return await parcel_work.dispatch(request)

        return dispatch


def _named(name: str, does: Callable[..., Any], *about: Any) -> Does:
    async def one() -> None:
        await does(name, *about)

    one.__name__ = name
    return one
