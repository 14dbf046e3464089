"""A walk through identities, rules and keys, whose clock is set forward by minutes and days."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
from pydantic import BaseModel

from placet.agent import AgentConfig, join
from placet.agent._rotation import Rotation
from placet.authority import SigningKeys, Store, make_log_key, rotate_payload_keys
from placet.model import (
    AcknowledgeCampaign,
    CredentialKind,
    EnrolIdentity,
    Goal,
    Governance,
    IdentityRules,
    ImportedIdentity,
    InviteAgent,
    JoinAs,
    Mode,
    OrderIdentity,
    PublishPolicy,
    RegisterIdentity,
    StartCampaign,
    StepUp,
)
from placet.tokens import SigningKey, invitation_key, write_key_file
from tests.harness import processes
from tests.harness.alone import Alone
from tests.walks.walking import Does, Walk

_AGENTS = ("scale", "carrier", "reader")
_SERVICES = tuple(f"service-account:svc-{number}" for number in range(1, 5))
_REPORTS = ("unowned", "stale", "over-privileged", "ending")


class RegistryWalk(Walk):
    """Of an authority alone."""

    def __init__(self, seed: int, authority: Alone, folder: Path) -> None:
        super().__init__(seed, authority.settings.issuer, authority.now)
        self.authority, self.folder = authority, folder
        self.agents: dict[str, SigningKey] = {}
        self.tokens: list[tuple[str, str]] = []

    async def begin(self) -> None:
        """Enough people and agents for something to happen to; two sign where two must."""
        for name, roles in (
            ("bo", ("administrator",)),
            ("cleo", ("clerk",)),
            ("hal", ("clerk", "chief")),
            ("una", ("auditor", "management")),
        ):
            key = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
            await self._by_both("operator.enrol", f"operator:{name}", body)
            self.met(name, key)
        for name in _AGENTS:
            key = self.agents[name] = SigningKey.generate()
            body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:hal")
            await self._by_both("agent.enrol", f"agent:{name}", body)
        for act, of in (
            ("process", processes.DEFINITION),
            ("matrix", processes.matrix()),
            ("policy", _POLICY),
        ):
            await self._by_both(f"{act}.publish", "parcel-check", of)
            self.versions[act] = 1

    async def _by_both(self, act: str, target: str, body: BaseModel) -> None:
        answer = await self.people["ada"].act(act, target, body)
        if answer.status == "proposed":
            (waiting,) = await self.people["bea"].proposals()
            await self.people["bea"].countersign(waiting)

    @property
    def steps(self) -> dict[Does, int]:
        """What is done, and how often."""
        return {
            self.enrol: 4,
            self.set_roles: 4,
            self.add_key: 3,
            self.revoke: 3,
            self.invite: 4,
            self.claim: 5,
            self.suspend_or_resume: 5,
            self.sign_in_and_out: 3,
            self.second: 8,
            self.enrol_agent: 4,
            self.suspend_or_resume_agent: 4,
            self.rotate: 4,
            self.revoke_agents_key: 2,
            self.invite_agent: 3,
            self.join: 4,
            self.register: 7,
            self.take_in: 4,
            self.end: 2,
            self.switch_off: 2,
            self.publish_rules: 4,
            self.publish: 3,
            self.stand_in: 5,
            self.hold: 2,
            self.stop_models: 1,
            self.review: 2,
            self.order: 2,
            self.rotate_payload_keys: 1,
            self.rekey_log: 1,
            self.look: 4,
            self.jump: 5,
        }

    # --- agents -------------------------------------------------------------------------------

    def _agent(self) -> str:
        return self.dice.choice(_AGENTS)

    def _holds(self, name: str, key: SigningKey) -> None:
        if name in self.agents:
            self.earlier.append(self.agents[name])
        self.agents[name] = key

    async def enrol_agent(self) -> None:
        name, key = self._agent(), SigningKey.generate()
        kind = self.dice.choice(("agent", "agent", "system"))
        owner = f"operator:{self.dice.choice(('ada', 'hal', 'cleo'))}"
        body = EnrolIdentity(jwk=key.public.jwk(), owner=owner)
        await self.administrator.act(f"{kind}.enrol", f"{kind}:{name}", body)
        if kind == "agent":
            self._holds(name, key)

    async def suspend_or_resume_agent(self) -> None:
        kind = self.dice.choice(("agent", "agent", "system"))
        verb = self.dice.choices(("suspend", "resume", "offboard"), (4, 6, 1))[0]
        await self.administrator.act(f"{kind}.{verb}", f"{kind}:{self._agent()}", self.why)

    async def revoke_agents_key(self) -> None:
        key = self.agents[self._agent()].public.thumbprint
        await self.administrator.act("key.revoke", key, self.why)

    async def rotate(self) -> None:
        """A worker looks whether it needs its next key."""
        name = self._agent()
        file = self.folder / f"{name}-{self.dice.random()}.key"
        write_key_file(file, self.agents[name], None)
        next_ones: list[AgentConfig] = []
        config = AgentConfig(name, self.agents[name], self.issuer, {}, file)
        async with aiohttp.ClientSession() as http:
            await Rotation(config, http, self.clock, next_ones.append).look()
        for each in next_ones:
            self._holds(name, each.key)

    async def invite_agent(self) -> None:
        name, token = self.dice.choice((*_AGENTS, "another")), f"token-{self.dice.random()}"
        body = InviteAgent(
            environment=self.dice.choice(("production", "test")),
            task_queues=("depot-7",),
            invitation_key=invitation_key(f"agent:{name}", token).thumbprint,
            minutes=self.dice.choice((1, 60)),
        )
        await self.administrator.act("agent.invite", f"agent:{name}", body)
        self.tokens.append((name, token))

    async def join(self) -> None:
        if self.tokens:
            (name, token), key = self.dice.choice(self.tokens), SigningKey.generate()
            where = self.dice.choice(("production", "test"))
            asked = JoinAs(agent=name, environment=where, task_queues=("depot-7",), instance="one")
            await join(self.issuer, asked, key, self.clock(), token=token)
            self._holds(name, key)

    # --- the registry ---------------------------------------------------------------------------

    def _said(self) -> RegisterIdentity:
        now, days = self.clock().replace(microsecond=0), self.dice.choice((2, 9, 40, 400))
        return RegisterIdentity(
            owner=self.dice.choice(("operator:hal", "operator:cleo", "operator:ada", None)),
            deputy=self.dice.choice((None, "operator:una", "operator:bo")),
            purpose="weighs",
            process=self.dice.choice((None, "parcel-check")),
            environment=self.dice.choice(("production", "test")),
            vendor=self.dice.choice((None, "acme")),
            credential=self.dice.choice(tuple(CredentialKind)),
            credential_since=self.dice.choice((None, now - timedelta(days=100))),
            runs_on=self.dice.choice(((), ("depot-7",))),
            review_by=now + timedelta(days=self.dice.randint(1, days)),
            ends_at=now + timedelta(days=days),
        )

    def _identity(self) -> str:
        return self.dice.choice((*(f"agent:{each}" for each in _AGENTS), *_SERVICES))

    async def register(self) -> None:
        await self.administrator.act("identity.register", self._identity(), self._said())

    async def take_in(self) -> None:
        used = self.dice.choice((None, self.clock().replace(microsecond=0) - timedelta(days=3)))
        rows = [
            ImportedIdentity(identity=each, said=self._said(), last_used=used)
            for each in self.dice.sample(_SERVICES, 2)
        ]
        await self.administrator.import_identities(self.dice.choice(("vault", "okta")), rows)

    async def end(self) -> None:
        await self.administrator.act("identity.end", self._identity(), self.why)

    async def review(self) -> None:
        campaign = f"campaign-{self.dice.randint(1, 3)}"
        if self.dice.random() < 0.6:
            body = StartCampaign(identities=(self._identity(),))
            await self.administrator.act("campaign.start", campaign, body)
        else:
            counted = AcknowledgeCampaign(kept=0, narrowed=0, ended=0, suspended=0)
            await self.one_of("una").act("campaign.acknowledge", campaign, counted)

    async def order(self) -> None:
        body = OrderIdentity(goal=self.dice.choice(tuple(Goal)), reason="it is old")
        await self.administrator.act("identity.order", self.dice.choice(_SERVICES), body)

    # --- rules and keys -------------------------------------------------------------------------

    async def publish_rules(self) -> None:
        days, version = self.dice.choice((5, 30, 90)), self.versions["rules"] + 1
        above = StepUp(above=Decimal("90.00"), within_seconds=30)
        body = Governance(
            version=version,
            signatures=self.dice.choices((1, 2), (3, 1))[0],
            proposal_hours=self.dice.choice((1, 72)),
            step_up=self.dice.choice((None, None, above)),
            identities=IdentityRules(
                key_days=days,
                rotate_days=self.dice.choice((0, days - 1)),
                overlap_minutes=self.dice.choice((1, 60)),
                owner_grace_days=self.dice.choice((0, 1, 7)),
                stale_days=5,
                unused_days=5,
                review_days=self.dice.choice((3, 90)),
                confirm_rotation=self.dice.random() < 0.5,
                managers=self.dice.choice((("management",), ("chief",))),
            ),
        )
        await self.administrator.act("governance.publish", "governance", body)
        self.versions["rules"] = version

    async def publish(self) -> None:
        what = self.dice.choice(("process", "matrix", "policy"))
        version = self.versions[what] + 1
        body: BaseModel = _POLICY
        if what == "process":
            body = processes.DEFINITION.model_copy(update={"version": version})
        elif what == "matrix":
            mode = self.dice.choice(tuple(Mode))
            body = processes.matrix(version, mode)
        await self.administrator.act(f"{what}.publish", "parcel-check", body)
        self.versions[what] = version

    async def stop_models(self) -> None:
        verb = self.dice.choice(("suspend", "resume"))
        await self.administrator.act(f"model.{verb}", self.dice.choice(("a:b", "*")), self.why)

    async def rotate_payload_keys(self) -> None:
        async with await self._store() as store:
            await rotate_payload_keys(store, SigningKeys.of(self.authority.settings))

    async def rekey_log(self) -> None:
        async with await self._store() as store:
            made = await make_log_key(store, SigningKeys.of(self.authority.settings))
        hours = {"overlap_hours": self.dice.choice((0, 5))}
        await self.administrator.act("log.rekey", "log", made.model_copy(update=hours))

    async def _store(self) -> Store:
        settings = self.authority.settings
        return await Store.open(settings.database_url, origin=settings.origin, clock=self.clock)

    # --- looking, and time ----------------------------------------------------------------------

    async def look(self) -> None:
        """Reads give what they give, whatever has been done."""
        who = self.one_of("una", "ada")
        for each in _REPORTS:
            await who.identity_report(each)
        await who.registry()
        await who.overview()
        await who.get(f"/v1/left-behind/operator:{self.some()}")

    async def jump(self) -> None:
        """Time passes, and the authority's own jobs have some of it."""
        seconds = (61, 600, 4_000, 20_000, 90_000, 260_000)
        self.authority.ahead += timedelta(seconds=self.dice.choice(seconds))
        await asyncio.sleep(self.dice.choice((0, 0.3, 2.2)))


_POLICY = PublishPolicy(policies=processes.POLICIES, cedar_schema=processes.SCHEMA)
