"""Reasoning: what a language model may ask for in a case, for how long, and what it did.

Which tools exist for the model, on which records, and how far it may go is part of the signed
process, like everything that decides who may do what. What the model said and was told is one
growing part, kept beside the ledger: each call of the model leaves it with one turn more.

Texts in a conversation come from documents, models and strangers: whoever shows them must treat
them as hostile.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from placet.model._digest import Digest, digest_json
from placet.model._ids import Identifier, RecordId
from placet.model._values import Model, Money

ModelName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,118}[A-Za-z0-9]$")
]
"""A model as a worker's settings name it: ``openai:gpt-5``, ``anthropic:claude-opus-4``."""

ALL_MODELS = "*"
"""What stands for all models, where one is stopped."""


class StoppedModels(Model):
    """Answer of ``GET /v1/models``: the models that are stopped; ``*`` stands for all."""

    models: tuple[str, ...]


MAX_ARGUMENTS = 8_000
"""Characters of one call's arguments; a longer call is refused unread."""

MAX_TOLD = 60_000
"""Characters of one tool's result that a model is told."""

CONCLUDE = "conclude"
"""The tool that every model has: its answer, in the form that the process asks for."""


class ToolArgument(Model):
    """One argument of a tool, besides the record. ``money`` is written like ``"184200.00"``."""

    name: Identifier
    description: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    kind: Literal["text", "integer", "money"] = "text"
    longest: int = Field(default=300, ge=1, le=MAX_ARGUMENTS)
    required: bool = True


class Tool(Model):
    """A step that the model may ask for; ``step`` is its activity type and the tool's name.

    Every tool takes the record that it is about as well. ``result`` is the part that it leaves.
    ``amount`` names the argument that says how much: the grant is asked for that amount, policy may
    refuse it, and the grant is for no more.
    """

    step: Identifier
    description: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    result: Identifier
    arguments: tuple[ToolArgument, ...] = Field(default=(), max_length=12)
    amount: Identifier | None = None

    @model_validator(mode="after")
    def _amount_is_money(self) -> "Tool":
        said = next((each for each in self.arguments if each.name == self.amount), None)
        if self.amount is not None and (said is None or said.kind != "money" or not said.required):
            raise ValueError(f"{self.step}: {self.amount} is no argument of money that is required")
        return self


class Budget(Model):
    """How far one reasoning goes; reaching one of these ends it. ``refusals`` as well."""

    model_calls: int = Field(default=20, ge=1, le=200)
    tool_calls: int = Field(default=40, ge=0, le=1000)
    tokens: int = Field(default=400_000, ge=1, le=100_000_000)
    seconds: int = Field(default=900, ge=1, le=86_400)
    cost: Money = Field(default="5.00", validate_default=True)
    refusals: int = Field(default=4, ge=1, le=100)


class Reasoning(Model):
    """One reasoning of a process: the step that calls the model, its tools and its budget.

    ``conversation`` names the part that each call of the model leaves.
    """

    name: Identifier
    think: Identifier
    conversation: Identifier
    tools: tuple[Tool, ...] = Field(default=(), max_length=40)
    budget: Budget = Budget()

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, or ``None``: it does not exist for the model."""
        return next((each for each in self.tools if each.step == name), None)

    @model_validator(mode="after")
    def _named_once(self) -> "Reasoning":
        names = [each.step for each in self.tools]
        if len(names) != len(set(names)) or CONCLUDE in names or self.think in names:
            raise ValueError(f"{self.name}: a tool is named twice, or like something else")
        return self


class CallStatus(StrEnum):
    """What became of a call.

    ``unknown``: the process has no such tool. ``malformed``: its arguments can't be read.
    ``denied``: the authority, or a system of record, said no. ``failed``: the tool did not work.
    ``repeated``: asked twice in one turn. ``spent``: the budget was.
    """

    DONE = "done"
    DENIED = "denied"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    FAILED = "failed"
    REPEATED = "repeated"
    SPENT = "spent"

    @property
    def refused(self) -> bool:
        """Whether the model asked for what it may not have."""
        return self in {CallStatus.DENIED, CallStatus.UNKNOWN}


CallKey = Annotated[str, StringConstraints(pattern=r"^c[1-9][0-9]{0,3}$")]
"""A call of one turn: ``c1``, ``c2``; the model's own id may be anything."""


class Called(Model):
    """One call as workflow code knows it: no argument but the record, and the amount if it has one.

    ``refused`` is what is wrong with it at once; such a call is never scheduled.
    """

    key: CallKey
    tool: Identifier | None = None
    record: RecordId | None = None
    amount: Money | None = None
    refused: CallStatus | None = None


class CallResult(Model):
    """What became of one call; ``digest`` is of the part that the tool left."""

    key: CallKey
    status: CallStatus
    digest: Digest | None = None
    reasons: tuple[Annotated[str, StringConstraints(max_length=200)], ...] = ()


class Told(Model):
    """What the model was told of one call."""

    result: CallResult
    text: Annotated[str, StringConstraints(max_length=MAX_TOLD + 200)] = ""


class Use(Model):
    """One call as the model made it."""

    called: Called
    name: Annotated[str, StringConstraints(max_length=200)]
    arguments: Annotated[str, StringConstraints(max_length=MAX_ARGUMENTS + 200)]
    problem: Annotated[str, StringConstraints(max_length=500)] | None = None


class Trouble(StrEnum):
    """Why a call of the model gave nothing to go on with.

    ``no_answer``: the provider failed or was too slow. ``unreadable``: what it said is in no form.
    ``other_model``: another model than before answered under the same name.
    """

    NO_ANSWER = "no_answer"
    UNREADABLE = "unreadable"
    OTHER_MODEL = "other_model"


class Turn(Model):
    """One call of the model: what it was told first, and what it said.

    ``request_digest`` and ``response_digest`` are of what went to the provider, and came back;
    ``cost`` is unknown where nobody knows the model's price.
    """

    told: tuple[Told, ...] = ()
    model: ModelName
    answered_by: Annotated[str, StringConstraints(max_length=200)] | None = None
    request_digest: Digest
    response_digest: Digest | None = None
    said: Annotated[str, StringConstraints(max_length=40_000)] = ""
    thought: Annotated[str, StringConstraints(max_length=40_000)] = ""
    uses: tuple[Use, ...] = ()
    conclusion: dict[str, JsonValue] | None = None
    tokens: int = Field(default=0, ge=0, le=2**53)
    cost: Money | None = None
    trouble: Trouble | None = None
    why: Annotated[str, StringConstraints(max_length=500)] | None = None


class Conversation(Model):
    """What a model was asked, did, was refused and concluded, from its first turn on.

    ``instructions_digest`` is of what the model was told to be and do, ``tools_digest`` of the
    tools that existed for it, as the provider was given them.
    """

    reasoning: Identifier
    instructions: Annotated[str, StringConstraints(max_length=40_000)]
    opening: Annotated[str, StringConstraints(max_length=400_000)]
    instructions_digest: Digest
    tools_digest: Digest
    turns: tuple[Turn, ...] = ()


class Ending(StrEnum):
    """How a reasoning ended; all but ``concluded`` are a finding."""

    CONCLUDED = "concluded"
    MODEL_CALLS = "model_calls"
    TOOL_CALLS = "tool_calls"
    TOKENS = "tokens"
    SECONDS = "seconds"
    COST = "cost"
    REFUSED = "refused"
    STOPPED = "stopped"
    NO_ANSWER = "no_answer"
    UNREADABLE = "unreadable"
    OTHER_MODEL = "other_model"
    FAILED = "failed"


class Spent(Model):
    """What a reasoning took, and what it was refused."""

    model_calls: int = 0
    tool_calls: int = 0
    refusals: int = 0
    tokens: int = 0
    cost: Money = Field(default="0.00", validate_default=True)


def asked_digest(before: Conversation, told: tuple[Told, ...]) -> Digest:
    """The digest of what a model is asked: all of its conversation so far, and what is told now."""
    so_far: dict[str, JsonValue] = before.model_dump(mode="json", exclude_none=True)
    now: list[JsonValue] = [each.model_dump(mode="json", exclude_none=True) for each in told]
    return digest_json({"before": so_far, "told": now})


def answered_digest(turn: Turn) -> Digest:
    """The digest of what a model said in a turn, in words and calls."""
    calls: list[JsonValue] = [[each.name, each.arguments] for each in turn.uses]
    return digest_json(
        {
            "answered_by": turn.answered_by,
            "said": turn.said,
            "thought": turn.thought,
            "calls": calls,
        }
    )
