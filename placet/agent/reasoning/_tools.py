"""Tools as a model sees them, and what it asked one for.

1. A tool exists only if the signed process has it for this reasoning.
2. Arguments are read once, before anything is scheduled: another name, kind or length is refused
   with what is wrong, and record and money must be spelled as such (I12).
3. The step reads what it is to do from the settled conversation (I13), and only if that is what its
   own grant is for: the tool, the record, and the amount where it has one.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError

from placet.agent._grant import current_grant
from placet.agent.reasoning._mind import RawCall, ToolSpec
from placet.model import (
    CONCLUDE,
    MAX_ARGUMENTS,
    Called,
    CallStatus,
    Conversation,
    ProcessDefinition,
    Reasoning,
    RecordId,
    Tool,
    Use,
    parse_money,
    template_variables,
)
from placet.process import ToolRequest

Arguments = Mapping[str, str | int]
_RECORD: TypeAdapter[str] = TypeAdapter(RecordId)
_KINDS = {"text": "string", "integer": "integer", "money": "string"}
_CUT = "…"


def tool_specs(
    definition: ProcessDefinition, reasoning: Reasoning, subject: str, form: type[BaseModel]
) -> tuple[ToolSpec, ...]:
    """Every tool that exists for the model, and how it answers."""
    answer = ToolSpec(
        CONCLUDE,
        "Give your answer, in this form. It ends your work.",
        dict[str, JsonValue](form.model_json_schema()),
    )
    tools = (_spec(tool, own_record(definition, tool, subject)) for tool in reasoning.tools)
    return (*tools, answer)


def _spec(tool: Tool, own: str | None) -> ToolSpec:
    members: dict[str, JsonValue] = {
        "record": {
            "type": "string",
            "maxLength": 200,
            "description": f"The record; left out, it is {own}." if own else "The record.",
        }
    }
    for each in tool.arguments:
        member: dict[str, JsonValue] = {
            "type": _KINDS[each.kind],
            "description": each.description,
        }
        if each.kind == "text":
            member["maxLength"] = each.longest
        if each.kind == "money":
            member["pattern"] = r"^(0|[1-9][0-9]{0,12})\.[0-9]{2}$"
        members[each.name] = member
    required: list[JsonValue] = [each.name for each in tool.arguments if each.required]
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": members,
        "required": required if own else ["record", *required],
        "additionalProperties": False,
    }
    return ToolSpec(tool.step, tool.description, schema)


def own_record(definition: ProcessDefinition, tool: Tool, subject: str) -> str | None:
    """The record of a tool that follows from the case's subject alone, if it does."""
    step = definition.step(tool.step)
    assert step is not None  # the definition was checked
    template = definition.relation(step.relation).template
    pattern = re.sub(r"\{([a-z][a-z0-9_]*)\}", r"(?P<\1>[^/]+)", definition.subject)
    bound = re.fullmatch(pattern, subject)
    values = bound.groupdict() if bound else {}
    if not set(template_variables(template)) <= set(values):
        return None
    return template.format(**values)


def read_call(
    definition: ProcessDefinition, reasoning: Reasoning, subject: str, number: int, call: RawCall
) -> Use:
    """A call as it was made, and whether it can be taken."""
    key, name = f"c{number}", clean(call.name)[:200]
    if len(call.arguments) > MAX_ARGUMENTS:
        shown = clean(call.arguments[:200]) + _CUT
        return refused(key, name, shown, CallStatus.MALFORMED, "the arguments are too long")
    shown = clean(call.arguments)
    tool = reasoning.tool(name)
    if tool is None:
        return refused(key, name, shown, CallStatus.UNKNOWN, "there is no such tool")
    try:
        record, given = _arguments(tool, shown, own_record(definition, tool, subject))
    except ValueError as error:
        return refused(key, name, shown, CallStatus.MALFORMED, str(error)[:500], tool.step)
    called = Called(key=key, tool=tool.step, record=record, amount=_amount(tool, given))
    return Use(called=called, name=name, arguments=shown)


def _amount(tool: Tool, given: Arguments) -> Decimal | None:
    return None if tool.amount is None else parse_money(str(given[tool.amount]))


def refused(
    key: str, name: str, arguments: str, status: CallStatus, why: str, tool: str | None = None
) -> Use:
    """A call that comes to nothing more, and why."""
    called = Called(key=key, tool=tool, refused=status)
    return Use(called=called, name=name, arguments=arguments, problem=why)


def _arguments(tool: Tool, text: str, own: str | None) -> tuple[str, Arguments]:
    """The record and the arguments of a call.

    Raises:
        ValueError: they don't fit the tool; the message is for the model.
    """
    try:
        given = json.loads(text or "{}", parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("the arguments are no JSON") from None
    if not isinstance(given, dict):
        raise ValueError("the arguments are no JSON object")
    known = {each.name: each for each in tool.arguments}
    other = sorted(set(given) - set(known) - {"record"})
    if other:
        raise ValueError(f"the tool has no argument {other[0][:40]!r}")
    record = given.pop("record", own)
    try:
        record = _RECORD.validate_python(record, strict=True)
    except ValidationError:
        raise ValueError("record: no record like loan/L-1001/draw/7") from None
    for name, argument in known.items():
        value = given.get(name)
        if value is None and not argument.required:
            given.pop(name, None)
            continue
        wanted = int if argument.kind == "integer" else str
        if type(value) is not wanted:
            raise ValueError(f"{name}: must be {_KINDS[argument.kind]}")
        if isinstance(value, str) and clean(value) != value:
            raise ValueError(f"{name}: half of a character, or none")
        if isinstance(value, str) and len(value) > argument.longest:
            raise ValueError(f"{name}: longer than {argument.longest} characters")
        if argument.kind == "money" and parse_money(str(value)) < 0:
            raise ValueError(f"{name}: an amount below zero")
        if isinstance(value, int) and abs(value) >= 2**53:
            raise ValueError(f"{name}: too large a number")
    return record, given


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def clean(text: str) -> str:
    """Text that can be kept: no half of a surrogate pair, and no NUL."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


async def asked_for(
    request: ToolRequest, definition: ProcessDefinition, reasoning: Reasoning
) -> Arguments:
    """What the model asked this very step for, from the settled conversation.

    Raises:
        ApplicationError: the conversation has no such call of this tool on this record (terminal).
    """
    grant = current_grant()
    tool = reasoning.tool(grant.details.activity.activity_type)
    for settled in await grant.inputs(reasoning.conversation):
        turns = Conversation.model_validate(settled.part.data).turns
        if tool is None or len(turns) < request.turn:
            continue
        for use in turns[request.turn - 1].uses:
            called = use.called
            if (called.key, called.tool, called.record) != (request.key, tool.step, grant.record):
                continue
            own = own_record(definition, tool, settled.part.record)
            given = _arguments(tool, use.arguments, own)[1]
            if tool.amount is None or grant.details.max_amount == _amount(tool, given):
                return given
    raise ApplicationError(
        "no model has asked for this call", type="StepRefused", non_retryable=True
    )
