"""A walk through the identities of others beside cases: reviewed, rotated and offboarded.

Their owners decide, or don't, or leave; the owners' tools fail, hang, and tell secrets.
"""

import contextlib
import importlib.resources
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from temporalio.worker import Worker

from placet.cli import begin_campaign
from placet.cli._orders import order
from placet.governance import (
    DEFINITION,
    OFFBOARDING_PROCESS,
    ROTATION_PROCESS,
    IdentityOffboarding,
    IdentityReview,
    IdentityRotation,
)
from placet.governance.keeping import Tool, Tools, keeper_activities
from placet.governance.steps import carry_out_review, look_at_identity
from placet.model import (
    AuthorityMatrix,
    EnrolIdentity,
    Goal,
    IdentityRules,
    ImportedIdentity,
    ProcessDefinition,
    RegisterIdentity,
    TimeRule,
    Verdict,
)
from placet.tokens import SigningKey
from tests.harness import processes
from tests.harness.parcels import ParcelCheck
from tests.harness.world import publish
from tests.spine.test_identities import registration
from tests.walks.house import HouseWalk
from tests.walks.walking import Does

_SHIPPED = importlib.resources.files("placet.governance")
_FURTHER_ACTIONS = """
  type Ordered = {
    ledger: Ledger, approval?: Approval, facts?: Nothing, sources?: Set<String>,
  };
  action "identity:look", "identity:carry-out", "identity:order"
    appliesTo { principal: [Agent], resource: [Record], context: Step };
  action "identity:rotate", "identity:offboard"
    appliesTo { principal: [Agent], resource: [Record], context: Ordered };
}
"""
_OWNERS = ("olga", "otto")
_BOTS = tuple(f"bot:b{number}" for number in range(1, 5))
_KEYS = tuple(f"api-key:aws/k{number}" for number in range(1, 5))
_AGENTS = ("agent:scale", "agent:carrier", "agent:identity-keeper")
_TOOL = """#!/bin/sh
read told
came=$(( 1$(date +%N) % 10 ))
case $came in
    0) exit 3 ;;
    1) sleep 2 ;;
    2) echo '{"credential": "ghp_a1B2c3D4e5F6g7H8i9J0k1L2"}'; exit 0 ;;
esac
at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
echo "{\\"credential\\": \\"AKIA-$came\\", \\"at\\": \\"$at\\", \\"earlier\\": \\"disabled\\"}"
"""


class GoverningWalk(HouseWalk):
    """Of a whole world, with those who look after identities."""

    workflows = (ParcelCheck, IdentityReview, IdentityRotation, IdentityOffboarding)
    policies = f"{processes.POLICIES}\n{(_SHIPPED / 'policies.cedar').read_text()}"
    schema = processes.SCHEMA.rstrip().removesuffix("}") + _FURTHER_ACTIONS

    async def prepare(self) -> None:
        """Owners, what they own, and the processes that ask them: before anyone works."""
        admin, tool = self.world.admin, self.folder / "tool"
        tool.write_text(_TOOL)
        tool.chmod(0o700)
        for name, role in (*((each, "identity-owner") for each in _OWNERS), ("mira", "management")):
            key = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), roles=(role,))
            await admin.act("operator.enrol", f"operator:{name}", body)
            self.met(name, key)
        for definition, matrix in (
            (DEFINITION, "authority-matrix.json"),
            (ROTATION_PROCESS.definition, "rotation-matrix.json"),
            (OFFBOARDING_PROCESS.definition, "offboarding-matrix.json"),
        ):
            await self._publish_shipped(definition, matrix)
        for name in ("identity-reviewer", "identity-keeper"):
            key = self.world.agents[name] = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:una")
            await admin.act("agent.enrol", f"agent:{name}", body)
        for identity in (*_BOTS, *_AGENTS):
            await admin.act("identity.register", identity, self._said())
        rows = [ImportedIdentity(identity=each, said=self._said_of_a_key()) for each in _KEYS]
        await admin.import_identities("aws", rows)

    async def _publish_shipped(self, definition: ProcessDefinition, file: str) -> None:
        matrix = AuthorityMatrix.model_validate_json((_SHIPPED / file).read_text())
        rules = tuple(
            each.model_copy(update={"time": TimeRule(due=1, expires=1)}) for each in matrix.rules
        )
        hasty = matrix.model_copy(update={"rules": rules})
        await publish(self.world.admin, definition, hasty, self.policies, self.schema)

    @property
    def steps(self) -> dict[Does, int]:
        """What is done, and how often."""
        return super().steps | {
            self.open: 4,
            self.review: 8,
            self.decide_as_owner: 20,
            self.acknowledge: 3,
            self.order: 8,
            self.register: 4,
            self.take_in: 3,
            self.end_identity: 1,
            self.switch_off: 1,
            self.suspend_or_resume_owner: 3,
        }

    # --- what is others' ----------------------------------------------------------------------

    def _owner(self) -> str | None:
        return self.dice.choice((*(f"operator:{each}" for each in (*_OWNERS, "hal")), None))

    def _said(self) -> RegisterIdentity:
        deputy = self.dice.choice((None, "operator:cid", "operator:una"))
        vendor = self.dice.choice((None, "acme"))
        return registration(owner=self._owner() or "operator:olga", deputy=deputy, vendor=vendor)

    def _said_of_a_key(self) -> RegisterIdentity:
        since = datetime(2024, self.dice.randint(1, 12), 1, tzinfo=UTC)
        return registration(owner=self._owner(), credential="api-key", credential_since=since)

    async def register(self) -> None:
        one = self.dice.choice((*_BOTS, *_AGENTS, *_KEYS))
        await self.administrator.act("identity.register", one, self._said())

    async def take_in(self) -> None:
        some = self.dice.sample(_KEYS, self.dice.randint(1, len(_KEYS)))
        rows = [ImportedIdentity(identity=each, said=self._said_of_a_key()) for each in some]
        await self.administrator.import_identities("aws", rows)

    async def end_identity(self) -> None:
        one = self.dice.choice((*_BOTS, *_KEYS))
        await self.administrator.act("identity.end", one, self.why)

    async def suspend_or_resume_owner(self) -> None:
        verb = self.dice.choices(("suspend", "resume", "offboard"), (4, 8, 1))[0]
        owner = self.dice.choice((*_OWNERS, "mira"))
        await self.administrator.act(f"operator.{verb}", f"operator:{owner}", self.why)

    # --- reviews and orders -------------------------------------------------------------------

    async def review(self) -> None:
        """Begin a campaign, or go on with one that was cut short."""
        name = f"campaign-{self.dice.randint(1, 9)}"
        some = self.dice.sample((*_BOTS, *_KEYS, *_AGENTS), self.dice.randint(1, 3))
        found = await begin_campaign(self.administrator, name, some)
        self._began(*(each.case for each in found.items))

    def _began(self, *cases: str | None) -> None:
        for each in cases:
            if each is not None and each not in self.cases:
                self.cases.append(each)
                self.world.started.append(each)

    async def order(self) -> None:
        who = self.one_of("ada", *_OWNERS)
        goal = self.dice.choice((Goal.ROTATE, Goal.ROTATE, Goal.OFFBOARD))
        self._began((await order(who, self.dice.choice(_KEYS), goal, "it is old")).case)

    async def decide_as_owner(self) -> None:
        found = await self.world.admin.checkpoints("open")
        if asked := [each for each in found if each.name != "release"]:
            who, shown = self.one_of("ada", *_OWNERS, *_OWNERS), self.dice.choice(asked)
            if self.dice.random() < 0.5:
                await who.decide(shown, Verdict.APPROVE)
            else:
                why = self.dice.choice(("narrow", "end", "no"))
                await who.decide(shown, Verdict.REJECT, reason_code=why)

    async def acknowledge(self) -> None:
        if begun := await self.one_of("una").campaigns():
            found = self.dice.choice(begun)
            counted = found.counted()
            await self.one_of("mira").act("campaign.acknowledge", found.campaign, counted)

    def identity_rules(self) -> IdentityRules:
        """As those of cases, and whether a person confirms rotations."""
        confirm = self.dice.random() < 0.5
        return super().identity_rules().model_copy(update={"confirm_rotation": confirm})

    # --- agents -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def workers(self) -> AsyncIterator[None]:
        """Those of cases, and those who look after identities."""
        tool = Tool(command=(str(self.folder / "tool"),), seconds=1)
        tools = Tools(sources={"aws": {Goal.ROTATE: tool, Goal.OFFBOARD: tool}})
        of = {
            "identity-reviewer": [look_at_identity, carry_out_review],
            "identity-keeper": keeper_activities(tools),
        }
        async with contextlib.AsyncExitStack() as stack:
            for agent, activities in of.items():
                client = await self.world.agent_client(agent)
                worker = Worker(client, task_queue=agent, activities=activities)
                await stack.enter_async_context(worker)
            await stack.enter_async_context(super().workers())
            yield
