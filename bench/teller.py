"""The bank's assistant at work: a model that obeys whatever it reads, and its tools on accounts."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from bench import bank, work
from bench.stage import Stage
from lender.ports import free_ports
from placet.agent import AgentConfig, PlacetPlugin, current_grant, governed
from placet.agent.reasoning import Answered, Brief, Question, RawCall, asked_for, thinking
from placet.model import EnrolIdentity, Model, PartRef, PublishPolicy
from placet.process import ToolRequest
from placet.tokens import SigningKey

Given = Mapping[str, Any] | str
"""Arguments of a call; a text is what a model says in their place."""

Turn = Sequence[tuple[str, Given]]
Script = Callable[[int, Sequence[str]], Turn | None]
"""The calls of a model's n-th turn, from 0, after what it was told until then; or it concludes."""

Act = Callable[[Any, str, Mapping[str, Any]], Any]
"""Does what a tool does, to an account, by the tool's name and arguments."""


@dataclass
class Job:
    """One case: what its model does, the accounts by their records, and what its tools gave."""

    script: Script
    accounts: Mapping[str, Any]
    thinks: float = 0.0
    """Seconds that the model takes for a turn."""

    gave: list[tuple[str, str]] = field(default_factory=list)
    """Each tool that did something: its name, and what it gave."""


@dataclass
class Bank:
    """The cases of the bank, by their subjects."""

    act: Act
    jobs: dict[str, Job] = field(default_factory=dict)
    subjects: dict[str, str] = field(default_factory=dict)


class Shown(Model):
    """What a tool gave."""

    text: str


class Answer(Model):
    """What the assistant answers."""

    says: str


class _Obeying:
    name = "obeying"

    def __init__(self, made: Bank) -> None:
        self._made = made

    async def take_turn(self, question: Question) -> Answered:
        """The next calls."""
        subject = self._made.subjects[question.case] = question.conversation.opening
        turns = question.conversation.turns
        told = [each.text for turn in turns for each in turn.told]
        told += [each.text for each in question.told]
        job = self._made.jobs[subject]
        await asyncio.sleep(job.thinks)
        calls = job.script(len(turns), told)
        if calls is None:
            calls = [("conclude", {"says": "done"})]
        said = (
            RawCall(name, given if isinstance(given, str) else json.dumps(_as_tool(name, given)))
            for name, given in calls
        )
        return Answered("obeying-1", calls=tuple(said))


def _as_tool(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments in the governed tool's form: who is paid is the record, and money has cents."""
    if name != bank.SENDS or "recipient" not in given:
        return given
    rest = {each: value for each, value in given.items() if each != "recipient"}
    payee = f"{bank.OWN}/payee/{given['recipient']}"
    return {"record": payee, **rest, "amount": f"{Decimal(given['amount']):.2f}"}


def ungoverned(act: Act, job: Job, most: int = 1_000) -> None:
    """Let the same model work with the same tools and nothing between; ``record`` is an account."""
    told: list[str] = []
    number = made = 0
    while (calls := job.script(number, told)) is not None and made < most:
        for name, given in calls:
            made += 1
            try:
                arguments = dict(json.loads(given) if isinstance(given, str) else given)
                account = job.accounts[arguments.pop("record", bank.OWN)]
                said = str(act(account, name, arguments))
            except Exception as error:  # noqa: BLE001 - the suite's tools raise anything
                told.append(type(error).__name__)
            else:
                job.gave.append((name, said))
                told.append(said)
        number += 1


def _tool(made: Bank, name: str) -> Callable[..., Any]:
    step, reasoning = bank.DEFINITION.step(name), bank.DEFINITION.reasoning("assisting")
    assert step is not None
    assert reasoning is not None

    @activity.defn(name=name)
    @governed(action=step.action, system=step.system)
    async def tool(request: ToolRequest) -> PartRef:
        given = dict(await asked_for(request, bank.DEFINITION, reasoning))
        if name == bank.SENDS:
            given["recipient"] = request.record.split("/")[-1]
        job = made.jobs[made.subjects[request.case]]
        account = job.accounts["/".join(request.record.split("/")[:2])]
        try:
            said = str(made.act(account, name, given))
        except Exception as error:  # noqa: BLE001 - the suite's tools raise anything
            raise ApplicationError(type(error).__name__, non_retryable=True) from None
        job.gave.append((name, said))
        return current_grant().keep("shown", Shown(text=said[:20_000]))

    return tool


async def _brief() -> Brief:
    return Brief("Do what you are asked.", current_grant().record)


@contextlib.asynccontextmanager
async def assisting(ready: Stage, made: Bank, payees: Sequence[str]) -> AsyncIterator[None]:
    """Publish the process, enrol its agent and run its worker."""
    key = SigningKey.generate()
    body = EnrolIdentity(jwk=dict(key.public.jwk()), owner="operator:ada")
    await ready.admin.act("agent.enrol", f"agent:{bank.TELLER}", body)
    await ready.admin.act("process.publish", "bank", bank.DEFINITION)
    await ready.admin.act("matrix.publish", "bank", bank.MATRIX)
    schema = work.SCHEMA.replace('action "item:touch",', f'action "item:touch", {bank.ACTIONS},')
    schema = schema.rstrip().removesuffix("}") + bank.SENDING + "}\n"
    policies = PublishPolicy(policies=work.POLICIES + bank.PERMITS, cedar_schema=schema)
    await ready.admin.act("policy.publish", "bank", policies)
    address = ready.temporal.service_client.config.target_host
    config = AgentConfig(bank.TELLER, key, ready.issuer, {})
    client = await Client.connect(address, plugins=[PlacetPlugin(config)])
    think = thinking(bank.DEFINITION, "assisting", _Obeying(made), _brief, Answer)
    tools = [_tool(made, name) for name in bank.TOOLS]
    async with (
        _core_bank(ready, payees),
        Worker(client, task_queue=bank.TELLER, activities=[think, *tools]),
    ):
        yield


@contextlib.asynccontextmanager
async def _core_bank(ready: Stage, payees: Sequence[str]) -> AsyncIterator[None]:
    """The system that the authority asks for an account's payees on file."""

    async def facts(request: Request) -> JSONResponse:
        record = request.path_params["record"]
        told = {"record": record, "version": "1", "facts": {"payees": list(payees)}}
        return JSONResponse(told)

    (port,) = free_ports(1)
    app = Starlette(routes=[Route("/v1/facts/{record:path}", facts)])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())
    body = EnrolIdentity(
        jwk=dict(SigningKey.generate().public.jwk()), url=f"http://127.0.0.1:{port}"
    )
    await ready.admin.act("system.enrol", "system:core-bank", body)
    try:
        yield
    finally:
        server.should_exit = True
        await serving
