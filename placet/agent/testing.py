"""What an agent's own tests take its steps with: no Temporal, no authority, no system of record.

A rehearsed step runs as the plugin runs it: under a grant, which here is for show, its token looked
for in all that leaves. It is held to the process's definition. Nobody is asked whether policy lets
it: ``placet policy check`` and a case tell.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel
from temporalio import activity
from temporalio.activity import _Definition  # pyright: ignore[reportPrivateUsage]  # the SDK has no public name for it
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment

from placet.agent._config import AgentConfig
from placet.agent._governed import details_of, mark_of, require_governed
from placet.agent._governor import under_grant
from placet.agent._grant import Answer, CurrentGrant
from placet.agent._leaving import digest, encode
from placet.agent._link import AuthorityLink, HeldGrant
from placet.clock import system_clock
from placet.model import (
    CheckpointDefinition,
    GrantedDetails,
    InputPart,
    Part,
    ProcessDefinition,
    Settlement,
    Step,
)
from placet.process import StepRequest
from placet.tokens import SigningKey

CASE = "case-" + "0" * 26
"""A case's id, for the requests of rehearsed steps."""

_SALT = "A" * 43
_ID = "grant-" + "0" * 26
_TIME = 60.0
_R = TypeVar("_R", bound=StepRequest)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Asked:
    """One request of a step to its system of record."""

    method: str
    path: str
    json: BaseModel | None


@dataclass
class Rehearsal:
    """What a step of a process is given, and what it did.

    ``inputs`` are the settled parts that it reads, by name: one, or one for each of several
    records; each as its data, or as the ``Part`` that another rehearsal has. ``answers`` are its
    system's, by what is asked: ``"GET /claims/17"``; a model is a 200. The rest is what people
    fixed, for a step that needs their approval.
    """

    definition: ProcessDefinition
    inputs: Mapping[str, BaseModel | Sequence[BaseModel]] = field(default_factory=dict)
    answers: Mapping[str, BaseModel | Answer] = field(default_factory=dict)
    max_amount: Decimal | None = None
    payments_digest: str | None = None
    record_version: str | None = None
    asked: list[Asked] = field(default_factory=list)
    settlement: Settlement | None = None
    read: set[str] = field(default_factory=set)

    @property
    def parts(self) -> Mapping[str, Part]:
        """What the step left, by name."""
        left = () if self.settlement is None else self.settlement.parts
        return {part.name: part for part in left}

    async def take(self, step: Callable[[_R], Awaitable[_T]], request: _R) -> _T:
        """Take a step, and give what it returns.

        Raises:
            UngovernedActivity: the step lacks its mark, or takes something else.
            AssertionError: the definition does not have it so, or lets it neither read nor leave
                what it does; it asks for what the rehearsal was not given; or it leaves a proposal
                without having read what people are to be shown with it.
            Exception: what the plugin would let leave in the place of the step's error.
        """
        mark = mark_of(step)
        require_governed([step], [] if mark is None else [mark[1]])
        assert mark is not None  # or it would have been refused
        nobody = await Client.connect(
            "rehearsal:0", lazy=True, data_converter=pydantic_data_converter
        )
        environment = ActivityEnvironment(nobody)
        environment.info = replace(environment.info, activity_type=self._step(step).activity_type)
        environment.payload_converter = pydantic_data_converter.payload_converter
        returned: list[_T] = []

        async def proceed() -> _T:
            returned.append(await step(request))
            return returned[0]

        await environment.run(self._under_grant, proceed, request, mark)
        for name in self.parts:
            if name not in self._step(step).produces:
                raise AssertionError(f"the definition does not let the step leave {name!r}")
        for checkpoint in self.definition.checkpoints:
            if checkpoint.proposal in self.parts:
                self._require_shown(checkpoint)
        return returned[0]

    def _require_shown(self, checkpoint: CheckpointDefinition) -> None:
        """People are shown what the step has read of a checkpoint's evidence, and no more of it."""
        for name in checkpoint.evidence:
            if name != checkpoint.proposal and self.inputs.get(name) and name not in self.read:
                raise AssertionError(
                    f"people would not be shown {name!r} at {checkpoint.name}: the step that "
                    f"leaves {checkpoint.proposal!r} did not read it"
                )

    def _step(self, function: Callable[..., Any]) -> Step:
        """The definition's step that a function is, marked as it is there."""
        named = _Definition.from_callable(function)
        name = None if named is None else named.name
        name = name or function.__name__
        step = self.definition.step(name)
        if step is None:
            raise AssertionError(f"the definition {self.definition.name} has no step {name!r}")
        mark = mark_of(function)
        if mark is not None and mark[:2] != (step.action, step.system):
            raise AssertionError(
                f"{name} is marked as {mark[0]} at {mark[1]}; the definition says {step.action} "
                f"at {step.system}"
            )
        return step

    async def _under_grant(
        self,
        proceed: Callable[[], Awaitable[Any]],
        request: StepRequest,
        mark: tuple[str, str, str | None],
    ) -> None:
        asked, (_, system, _) = details_of(request, mark), mark
        granted = GrantedDetails(
            **asked.model_dump(exclude={"amount"}),
            max_amount=self.max_amount,
            payments_digest=self.payments_digest,
            record_version=self.record_version,
        )
        config = AgentConfig(
            "rehearsing", SigningKey.generate(), "http://rehearsal", {system: "http://rehearsal"}
        )
        far = system_clock() + timedelta(days=1)
        token = ".".join(secrets.token_urlsafe(32) for _ in range(3))
        held = HeldGrant(_ID, token, granted, far, far)
        async with aiohttp.ClientSession() as http:
            link = _Link(config, http, system_clock)
            link.rehearsal, link.record = self, request.record
            grant = _Grant(config, link, http, system_clock, asked, held)
            grant.rehearsal = self
            until = asyncio.get_running_loop().time() + _TIME
            given = digest(encode([request]))
            await under_grant(proceed, grant, given, link, until)


class _Link(AuthorityLink):
    """Asks the rehearsal where the real one asks the authority."""

    rehearsal: Rehearsal
    record: str

    async def inputs(self, grant: str, name: str) -> tuple[InputPart, ...]:  # noqa: ARG002 - there is one
        known, step = self.rehearsal.inputs, activity.info().activity_type
        if (found := self.rehearsal.definition.step(step)) and name not in found.inputs:
            raise AssertionError(f"the definition does not let {step} read {name!r}")
        if name not in known:
            raise AssertionError(f"the rehearsal has no input {name!r}; it has {sorted(known)}")
        self.rehearsal.read.add(name)
        given = known[name]
        several = [given] if isinstance(given, BaseModel) else given
        return tuple(_settled(name, self.record, each) for each in several)

    async def settle(self, settlement: Settlement, details: GrantedDetails) -> None:  # noqa: ARG002
        self.rehearsal.settlement = settlement


class _Grant(CurrentGrant):
    """Asks the rehearsal where the real one asks its system of record."""

    rehearsal: Rehearsal

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],  # noqa: ARG002 - they are for a real system
        json: BaseModel | None,
    ) -> Answer:
        path = url.removeprefix("http://rehearsal")
        self.rehearsal.asked.append(Asked(method, path, json))
        answer = self.rehearsal.answers.get(f"{method} {path}")
        if answer is None:
            known = sorted(self.rehearsal.answers)
            raise AssertionError(f"the rehearsal has no answer to {method} {path}; it has {known}")
        if isinstance(answer, Answer):
            return answer
        return Answer(200, answer.model_dump_json(exclude_none=True).encode(), {})


def _settled(name: str, record: str, said: BaseModel) -> InputPart:
    if isinstance(said, Part):
        if said.name != name:
            raise AssertionError(f"the part that is given as {name!r} is a {said.name!r}")
        part = said
    else:
        data = said.model_dump(mode="json", exclude_none=True)
        part = Part(name=name, record=record, salt=_SALT, data=data)
    return InputPart(
        part=part,
        digest=part.digest,
        grant=_ID,
        agent="agent:rehearsing",
    )
