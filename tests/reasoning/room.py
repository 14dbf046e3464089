"""A room in which a scripted model reads slips of parcels."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.wrapper import WrapperModel
from temporalio import activity
from temporalio.worker import Worker

from placet.agent import ORCHESTRATION, current_grant, governed
from placet.agent.reasoning import Brief, asked_for, thinking
from placet.agent.reasoning.models import ModelMind, Price
from placet.model import (
    Conversation,
    Model,
    PartRef,
)
from placet.process import ToolRequest
from tests.harness.world import World, publish, sandbox
from tests.reasoning.process import DEFINITION, MATRIX, POLICIES, READING, SCHEMA, ParcelReading

Said = ModelResponse | list[tuple[str, Any]] | str | Exception
Script = Callable[[int, Sequence[ModelMessage]], Said]
"""What a model says in its n-th turn, from 0: calls, words, a response, or a failure."""


class Slip(Model):
    """What a tool reads."""

    text: str


class Answer(Model):
    """The form that the model answers in."""

    says: Annotated[str, StringConstraints(max_length=500)]
    heavy: bool = False
    pages: tuple[int, ...] = Field(default=(), max_length=5)


SLIPS: dict[str, str] = {}
TAKEN: list[tuple[str, str]] = []
"""What tools really did: the tool, and the record."""


async def _read(request: ToolRequest) -> PartRef:
    grant = current_grant()
    page = (await asked_for(request, DEFINITION, READING)).get("page", 1)
    TAKEN.append((grant.details.activity.activity_type, request.record))
    text = SLIPS.get(request.record, f"a slip of {request.record}")
    return grant.keep("slip", Slip(text=f"page {page}: {text}"))


@activity.defn
@governed(action="parcel:look", system="authority")
async def read_slip(request: ToolRequest) -> PartRef:
    """Read the parcel's slip."""
    return await _read(request)


@activity.defn
@governed(action="parcel:look", system="authority")
async def read_earlier(request: ToolRequest) -> PartRef:
    """Read an earlier parcel's slip."""
    return await _read(request)


@activity.defn
@governed(action="parcel:send", system="authority")
async def send_off(request: ToolRequest) -> PartRef:
    """Send it off, if policy ever let it."""
    return await _read(request)


@activity.defn
@governed(action="parcel:look", system="authority")
async def burn(request: ToolRequest) -> PartRef:
    """Not for a model."""
    return await _read(request)


@activity.defn
@governed(action="parcel:charge", system="authority")
async def charge(request: ToolRequest) -> PartRef:
    """Charge what the grant is for."""
    grant = current_grant()
    given = await asked_for(request, DEFINITION, READING)
    TAKEN.append((f"charge {grant.details.max_amount}", request.record))
    return grant.keep("slip", Slip(text=f"charged {given['amount']}"))


TOOLS = (read_slip, read_earlier, send_off, charge, burn)


async def brief() -> Brief:
    """What the model is told first."""
    return Brief("Read the slip of the parcel, and say what it says.", current_grant().record)


@dataclass
class Room:
    """The world, and what the scripted model says in each case."""

    world: World
    scripts: dict[str, Script] = field(default_factory=dict)
    version: str = "scripted-1"
    pauses: list[tuple[asyncio.Event, asyncio.Event]] = field(default_factory=list)
    """A model that has begun to speak (the first) goes on when the second is set."""
    subjects: Iterator[int] = field(default_factory=lambda: iter(range(10, 999)))

    async def open(self, script: Script, depot: str = "D1") -> str:
        """A case whose model follows a script."""
        subject = f"depot/{depot}/parcel/{next(self.subjects)}"
        self.scripts[subject] = script
        opened = await self.world.people["pat"].open_case("parcel-reading", subject)
        assert opened.case is not None
        self.world.started.append(opened.case)
        return opened.case

    async def play(self, script: Script, depot: str = "D1") -> tuple[str, str]:
        """A case and its result."""
        case = await self.open(script, depot)
        return case, str((await self.world.until_closed(case)).result)

    async def conversation(self, case: str) -> Conversation:
        """The newest conversation of a case, as its parts have it."""
        entries = [e for e in await self.entries(case) if e["type"] == "grant.settled"]
        digests = [
            part["digest"]
            for each in entries
            for part in each["data"]["parts"]
            if part["name"] == "conversation"
        ]
        found = await self.world.people["una"].get(f"/v1/cases/{case}/parts/{digests[-1]}")
        return Conversation.model_validate(found["part"]["data"])

    async def entries(self, case: str, type_: str | None = None) -> list[dict[str, Any]]:
        """The ledger's entries of a case."""
        answer = await self.world.people["una"].get(f"/v1/cases/{case}/entries")
        found = [json.loads(each["entry"]) for each in answer["entries"]]
        return [each for each in found if type_ is None or each["type"] == type_]

    def answer(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        """The scripted model."""
        subject = str(messages[0].parts[0].content)  # type: ignore[union-attr]  # its opening
        said = self.scripts[subject](len(messages) // 2, messages)
        if isinstance(said, Exception):
            raise said
        if isinstance(said, ModelResponse):
            self.version = said.model_name or self.version
            return said
        if isinstance(said, str):
            return ModelResponse(parts=[TextPart(content=said)])
        return ModelResponse(parts=[ToolCallPart(tool_name=name, args=args) for name, args in said])


class Versioned(WrapperModel):
    """A provider that says which version answered: the function's own model says its name."""

    def __init__(self, model: FunctionModel, made: Room) -> None:
        super().__init__(model)
        self._made = made

    async def request(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Ask, and say who answered."""
        response = await super().request(*args, **kwargs)
        if self._made.pauses and self._made.pauses[0][0].is_set():
            await self._made.pauses.pop(0)[1].wait()
        return replace(response, model_name=self._made.version)


def told(messages: Sequence[ModelMessage]) -> list[str]:
    """What the model was told of its last calls."""
    return [str(part.content) for part in messages[-1].parts]  # type: ignore[union-attr]  # returns


@asynccontextmanager
async def room(world: World, *, outside: bool = False) -> AsyncIterator[Room]:
    """Publish the process and run its workers; ``outside``: but the one that reasons."""
    await publish(world.admin, DEFINITION, MATRIX, POLICIES, SCHEMA)
    made = Room(world)
    mind = ModelMind(
        Versioned(FunctionModel(made.answer, model_name="scripted"), made),
        "scripted",
        price=Price(Decimal(100), Decimal(100)),
        seconds=2,
        tries=2,
        pause=0.01,
    )
    think = thinking(DEFINITION, "reading", mind, brief, Answer)
    think_soon = thinking(DEFINITION, "hurrying", mind, brief, Answer)
    activities: dict[str, list[Callable[..., Any]]] = {
        "orchestrator": list(ORCHESTRATION[2:]),
        "scale": [think, think_soon, *TOOLS],
    }
    async with AsyncExitStack() as stack:
        for agent, own in activities.items():
            if outside and agent == "scale":
                continue
            worker = Worker(
                await world.agent_client(agent),
                task_queue=agent,
                activities=own,
                workflows=[ParcelReading] if agent == "orchestrator" else [],
                workflow_runner=sandbox(),
                graceful_shutdown_timeout=timedelta(seconds=2),
            )
            await stack.enter_async_context(worker)
        yield made
