"""What holds for all of the lender's cases: rules, people and agents, changed and put right."""

import asyncio
import contextlib
import importlib.resources
from abc import ABC, abstractmethod
from collections import Counter
from decimal import Decimal

from pydantic import BaseModel

from lender.embedded import ADMINISTRATOR
from placet.client import AuthorityError, OperatorClient
from placet.model import (
    AuthorityMatrix,
    Beyond,
    BreakGlass,
    CaseStatus,
    CaseView,
    CheckpointStatus,
    CheckpointView,
    CloseReview,
    EnrolIdentity,
    Governance,
    IdentityRules,
    Limit,
    Measure,
    Mode,
    Need,
    PublishPolicy,
    Reason,
    StepUp,
    Verdict,
)
from placet.tokens import SigningKey
from tests.admitting import admit
from tests.harness.world import until
from tests.walks.branch import AGENTS, Branch
from tests.walks.walking import Does, Walk

_FURTHER = (
    "",
    '@id("heavy") forbid (principal, action == Placet::Action::"draw:disburse", resource)'
    " when { context.approval.amount_cents > 3000000 };",
    '@id("by-people") forbid (principal, action in Placet::Action::"guarded", resource)'
    " when { context.approval.people < 1 };",
)
_ADA = f"operator:{ADMINISTRATOR}"
_BY = Reason(reason="everything is put right")
_LAST = {
    "ann": ("draw-administrator",),
    "ben": ("inspector",),
    "cat": ("compliance-officer",),
    "dan": ("loan-officer",),
    "eve": ("senior-approver",),
    "fay": ("senior-approver",),
    "gil": ("senior-approver",),
}
"""People who come at the end: none had a hand in anything. Above every limit, with an exception, a
draw asks for three senior approvers."""


class RulingWalk(Walk, ABC):
    """Publishes, suspends, and puts right."""

    branch: Branch
    loans: list[str]
    cases: list[str]
    held: set[str]
    pause = 0.6

    @abstractmethod
    async def hand_in(self, case: CaseView, who: OperatorClient) -> None:
        """Hand in again what a case's checkpoint has returned."""

    async def note_published(self) -> None:
        """The rules as the lender has them."""
        published = await self.people[ADMINISTRATOR].get("/v1/published")
        made = [AuthorityMatrix.model_validate_json(each) for each in published["matrices"]]
        self.matrices = {each.process: each for each in made}
        self.versions.update({each.process: each.version for each in made})
        folder = importlib.resources.files("policies") / "loan-draw"
        self.policies = (folder / "policies.cedar").read_text()
        self.schema = (folder / "schema.cedarschema").read_text()

    @abstractmethod
    async def clear(self) -> None:
        """The lender's own books say nothing against any loan, and each draw has a packet."""

    async def publish_matrix(self) -> None:
        """Another mode, other limits; now and then who granted the loan does not matter."""
        process = self.dice.choice(self.processes)
        made, version = self.matrices[process], self.versions[process] + 1
        mode = self.dice.choice((*Mode, Mode.ASSIST, Mode.AUTOMATIC))
        limit = Decimal(self.dice.choice(("0.00", "25000.00", "900000.00")))
        body = made.model_copy(update={"mode": mode, "automatic_limit": limit, "version": version})
        await self.administrator.act("matrix.publish", process, body)
        self.versions[process] = version

    async def publish_policy(self) -> None:
        policies = f"{self.policies}\n{self.dice.choice(_FURTHER)}"
        body = PublishPolicy(policies=policies, cedar_schema=self.schema)
        await self.administrator.act("policy.publish", self.processes[0], body)

    async def publish_rules(self) -> None:
        version = self.versions["rules"] + 1
        limit = Limit(
            agents=self.dice.choice((("draw-analyst",), ())),
            measure=self.dice.choice((Measure.GRANTS, Measure.RECORDS, Measure.DENIALS)),
            at_most=self.dice.choice((5, 20, 60)),
            within_seconds=self.dice.choice((5, 60)),
            beyond=self.dice.choice(tuple(Beyond)),
        )
        needs = (Need(roles=("loan-officer", "senior-approver"), count=2),)
        glass = BreakGlass(
            needs=needs,
            seconds=self.dice.choice((5, 600)),
            reviewers=("auditor", "administrator"),
        )
        body = Governance(
            version=version,
            signatures=self.dice.choices((1, 2), (5, 1))[0],
            break_glass=self.dice.choice((None, glass)),
            step_up=self.dice.choice((None, None, StepUp(above=Decimal("9000.00")))),
            identities=IdentityRules(limits=self.dice.choice(((), (limit,)))),
        )
        await self.administrator.act("governance.publish", "governance", body)
        self.versions["rules"] = version

    async def suspend_or_resume_agent(self) -> None:
        verb = self.dice.choices(("suspend", "resume"), (2, 5))[0]
        await self.administrator.act(f"agent.{verb}", f"agent:{self.dice.choice(AGENTS)}", self.why)

    async def close_review(self) -> None:
        if waiting := await self.one_of("una").reviews():
            body = CloseReview(justified=self.dice.random() < 0.5, reason="looked at")
            await self.one_of("una").act("review.close", self.dice.choice(waiting).id, body)

    def _records(self) -> list[str]:
        """All that somebody may have held."""
        held = [f"loan/{loan}" for loan in self.loans]
        return [*held, *sorted(self.held)]

    async def step(self, does: Does) -> None:
        """One step, and a moment for the agents, of whom a case wants a dozen."""
        await super().step(does)
        await asyncio.sleep(self.dice.random() * self.pause)

    async def rest(self) -> None:
        await asyncio.sleep(self.dice.random() * 0.5)

    async def put_right(self) -> None:
        """What stands in everybody's way is taken away, so that something goes on."""
        for act, targets in (
            ("agent.resume", [f"agent:{each}" for each in AGENTS]),
            ("operator.resume", [f"operator:{each}" for each in self.people]),
            ("hold.lift", self._records()),
        ):
            if self.dice.random() < 0.6:
                for each in targets:
                    with contextlib.suppress(*self.refusals):
                        await self.people[ADMINISTRATOR].act(act, each, self.why)
        await self.clear()

    # --- the end ------------------------------------------------------------------------------

    async def finish(self) -> list[str]:
        """Put everything right and decide what waits; each case that does not go on is named."""
        await self._put_all_right()
        return [*await self._until_told(), *await self._until_closed()]

    async def _by_two(self, act: str, target: str, body: BaseModel) -> None:
        """An act that may need a second administrator's signature."""
        answer = await self.people[ADMINISTRATOR].act(act, target, body)
        if answer.status == "proposed":
            waiting = await self.people["bea"].proposals()
            mine = [e for e in waiting if (e.act, e.target, e.proposed_by) == (act, target, _ADA)]
            await self.people["bea"].countersign(max(mine, key=lambda each: each.proposed_at))

    async def _put_all_right(self) -> None:
        admin = self.people[ADMINISTRATOR]
        now = await admin.governance()
        rules = Governance(version=now.version + 1, identities=IdentityRules(limits=()))
        await self._by_two("governance.publish", "governance", rules)
        for process, made in self.matrices.items():
            published = (await admin.get("/v1/published"))["matrices"]
            found = [AuthorityMatrix.model_validate_json(each) for each in published]
            newest = max(each.version for each in found if each.process == process)
            body = made.model_copy(update={"version": newest + 1})
            await self._by_two("matrix.publish", process, body)
        policy = PublishPolicy(policies=self.policies, cedar_schema=self.schema)
        await self._by_two("policy.publish", self.processes[0], policy)
        for agent in AGENTS:
            with contextlib.suppress(AuthorityError):
                await admin.act("agent.resume", f"agent:{agent}", _BY)
        for name, roles in _LAST.items():
            key = SigningKey.generate()
            enrolment = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
            await admin.act("operator.enrol", f"operator:{name}", enrolment)
            self.met(name, key)
        for record in self._records():
            with contextlib.suppress(AuthorityError):
                await admin.act("hold.lift", record, _BY)
        await self.clear()

    async def _until_told(self) -> list[str]:
        """Wait until each case waits for someone, was stopped or has ended; those that don't."""
        hanging: list[str] = []

        async def settled() -> bool:
            hanging[:] = [
                _named(each) for each in await self._not_closed() if not await self._waits(each)
            ]
            return not hanging

        with contextlib.suppress(TimeoutError):
            await until(settled, seconds=75)  # a standstill is told after a minute
        return hanging

    async def _not_closed(self) -> list[CaseView]:
        cases = await self.people[ADMINISTRATOR].cases()
        return [each for each in cases if each.status is not CaseStatus.CLOSED]

    async def _waits(self, case: CaseView) -> bool:
        """Whether people are told that a case waits for them, and why."""
        if case.status is CaseStatus.STOPPED or case.alarm is not None:
            return True
        if case.standstill is not None:
            return True
        found = await self.people[ADMINISTRATOR].checkpoints(case=case.id)
        waiting = {CheckpointStatus.OPEN, CheckpointStatus.RETURNED}
        return any(each.status in waiting for each in found)

    async def _until_closed(self) -> list[str]:
        """Everyone decides, lets go on and ends until no case is open; those that still are."""
        looks = Counter[str]()
        rest: list[CaseView] = []

        async def closed() -> bool:
            rest[:] = await self._not_closed()
            for each in rest:
                with contextlib.suppress(*self.refusals):
                    await self._bring_on(each, looks)
            return not rest

        with contextlib.suppress(TimeoutError):
            await until(closed, seconds=150)
        return [_named(each) for each in rest]

    async def _bring_on(self, case: CaseView, looks: Counter[str]) -> None:
        """Do what a case waits for; what waits for the same again and again is ended."""
        admin = self.people[ADMINISTRATOR]
        looks[case.id] += 1
        if looks[case.id] > 40:
            await admin.act("case.end", case.id, _BY)
        elif case.status is CaseStatus.STOPPED or case.alarm is not None:
            looks[case.id] += 9
            await admit(admin, case.id, "everything is put right")
        else:
            for each in await admin.checkpoints(case=case.id):
                if each.status is CheckpointStatus.OPEN:
                    looks[case.id] += 1
                    await self._decide_all(each)
                elif each.status is CheckpointStatus.RETURNED:
                    looks[case.id] += 3
                    await self.hand_in(case, self.people["ann"])

    async def _decide_all(self, checkpoint: CheckpointView) -> None:
        """Everybody whom it asks for approves, or the first rejects."""
        wanted = {role for need in checkpoint.requirement.needs for role in need.roles}
        rejects = self.dice.random() < 0.3
        for name, roles in _LAST.items():
            if not wanted & set(roles):
                continue
            who = self.people[name]
            if rejects:
                await who.decide(checkpoint, Verdict.REJECT, reason_code="findings")
                return
            with contextlib.suppress(AuthorityError):
                await who.decide(
                    checkpoint,
                    Verdict.APPROVE,
                    amount=checkpoint.requirement.amount,
                    exceptions=dict.fromkeys(checkpoint.requirement.exceptions, "looked at"),
                )


def _named(case: CaseView) -> str:
    return f"{case.id} of {case.subject} is {case.status}: {case.standstill or case.stopped_for}"
