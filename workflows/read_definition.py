"""The signed definition of a draw review in which models read what rules can't: two, and people."""

from placet.model import (
    Budget,
    CheckpointDefinition,
    FieldsSection,
    Presentation,
    ProcessDefinition,
    Reasoning,
    Section,
    ShownColumn,
    ShownValue,
    Step,
    TableSection,
    Tool,
    ToolArgument,
    ValueKind,
)
from workflows.definition import DEFINITION as WITHOUT
from workflows.presentation import PRESENTATION as SHOWN_WITHOUT

READERS = {"reader": "draw-reader", "second_reader": "draw-second-reader"}
"""The readers, each a reasoning of its own, and their agents."""

_DOCUMENT = ToolArgument(name="document", description="A file of the packet, by its name.")
_PAGE = ToolArgument(
    name="from_page", description="The first page to read, from 1.", kind="integer", required=False
)


def conversation_of(reader: str) -> str:
    """The part in which a reader's conversation is kept."""
    return f"{reader}_conversation"


CONVERSATIONS = tuple(conversation_of(reader) for reader in READERS)


def _tools(reader: str) -> tuple[tuple[Tool, str, str, str], ...]:
    """A reader's tools: each with its action, system and relation."""
    document = Tool(
        step=f"{reader}_opens_document",
        description="Read the words of a file of this draw's packet, page by page or cell by cell.",
        result=f"{reader}_document",
        arguments=(_DOCUMENT, _PAGE),
    )
    loan = Tool(
        step=f"{reader}_opens_loan",
        description="Read the loan: its terms, budget, schedule of values and payees.",
        result=f"{reader}_loan",
    )
    earlier = Tool(
        step=f"{reader}_opens_earlier_draw",
        description="Read an earlier draw of this loan, by its record such as loan/L-1/draw/2.",
        result=f"{reader}_earlier_draw",
    )
    return (
        (document, "packet:read", "document-storage", "packet"),
        (loan, "loan:read", "loan-servicing", "loan"),
        (earlier, "draw:read", "loan-servicing", "earlier-draw"),
    )


def _reading(reader: str) -> Reasoning:
    return Reasoning(
        name=reader,
        think=f"{reader}_thinks",
        conversation=conversation_of(reader),
        tools=tuple(tool for tool, *_ in _tools(reader)),
        budget=Budget(
            model_calls=16, tool_calls=30, tokens=400_000, seconds=900, cost="4.00", refusals=4
        ),
    )


def _steps(reader: str, agent: str) -> tuple[Step, ...]:
    said, tools = conversation_of(reader), _tools(reader)
    return (
        Step(
            activity_type=f"{reader}_thinks",
            agent=agent,
            action="draw:think",
            system="authority",
            relation="draw",
            inputs=("packet", "keyed", said, *(tool.result for tool, *_ in tools)),
            produces=(said,),
        ),
        *(
            Step(
                activity_type=tool.step,
                agent=agent,
                action=action,
                system=system,
                relation=relation,
                inputs=(said,),
                produces=(tool.result,),
            )
            for tool, action, system, relation in tools
        ),
    )


_CHECK = Step(
    activity_type="check_reading",
    agent="draw-verifier",
    action="packet:read",
    system="document-storage",
    relation="packet",
    inputs=("packet", "keyed", *CONVERSATIONS),
    produces=("reading",),
)
_CHECK_AGAIN = _CHECK.model_copy(
    update={
        "activity_type": "check_reading_again",
        "agent": "draw-intake",
        "produces": ("reading_again",),
        "confirms": "reading",
    }
)
_NAMES = {"analyse_draw": "analyse_read_draw", "recompute_analysis": "recompute_read_analysis"}


def _with_reading(step: Step) -> Step:
    """The steps that analyse take the reading along."""
    if step.activity_type not in _NAMES:
        return step
    return step.model_copy(
        update={
            "activity_type": _NAMES[step.activity_type],
            "inputs": (*step.inputs, "reading", *CONVERSATIONS),
        }
    )


def _showing(checkpoint: CheckpointDefinition) -> CheckpointDefinition:
    evidence = (*checkpoint.evidence, "reading", *CONVERSATIONS)
    return checkpoint.model_copy(update={"evidence": evidence})


def _column(path: str, label: str, rank: int = 0) -> ShownColumn:
    return ShownColumn(path=path, label=label, rank=rank)


_SECTIONS: tuple[Section, ...] = (
    FieldsSection(
        title="Reading of the documents",
        part="reading",
        fields=(ShownValue(path="confidence", label="Confidence, by rule"),),
    ),
    TableSection(
        title="What the documents say",
        part="reading",
        rows="statements",
        columns=(
            _column("says", "Statement"),
            _column("topic", "About"),
            _column("concern", "Concern"),
            _column("quoted", "Words", 2),
            _column("first.document", "Document"),
            _column("first.spot", "Place"),
            _column("reader", "Reader", 1),
        ),
    ),
    TableSection(
        title="Dropped as unsupported",
        part="reading",
        rows="unsupported",
        columns=(
            _column("says", "Statement"),
            _column("why", "Why"),
            _column("reader", "Reader", 1),
        ),
    ),
    TableSection(
        title="Readers",
        part="reading",
        rows="runs",
        columns=(
            _column("reader", "Reader"),
            _column("answered_by", "Model"),
            _column("ending", "Ended"),
            ShownColumn(path="turns", label="Turns", kind=ValueKind.COUNT),
            ShownColumn(path="tokens", label="Tokens", kind=ValueKind.COUNT, rank=1),
            _column("cost", "Cost, $", 1),
        ),
    ),
    TableSection(
        title="What the readers asked for",
        part="reading",
        rows="calls",
        columns=(
            _column("reader", "Reader"),
            ShownColumn(path="turn", label="Turn", kind=ValueKind.COUNT),
            _column("tool", "Tool"),
            _column("record", "Record", 1),
            _column("came_of_it", "Came of it"),
        ),
    ),
)
_PRESENTATION = Presentation.model_validate(
    {**SHOWN_WITHOUT.model_dump(), "sections": (*SHOWN_WITHOUT.sections, *_SECTIONS)}
)

DEFINITION = ProcessDefinition.model_validate(
    {
        **{name: getattr(WITHOUT, name) for name in ProcessDefinition.model_fields},
        "name": "loan-draw-read",
        "workflow_type": "LoanDrawRead",
        "steps": (
            *(_with_reading(step) for step in WITHOUT.steps),
            *(step for reader, agent in READERS.items() for step in _steps(reader, agent)),
            _CHECK,
            _CHECK_AGAIN,
        ),
        "checkpoints": tuple(_showing(each) for each in WITHOUT.checkpoints),
        "presentation": _PRESENTATION,
        "reasonings": tuple(_reading(reader) for reader in READERS),
    }
)
