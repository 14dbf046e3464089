"""What a model read, did, was refused and concluded, as a person sees it in a case."""

import pytest

from placet.model import (
    Called,
    CallResult,
    CallStatus,
    Conversation,
    EvidenceItem,
    InputPart,
    Part,
    ProcessDefinition,
    Reasoning,
    Step,
    Told,
    Tool,
    Trouble,
    Turn,
    Use,
    digest_bytes,
    salted_digest,
)
from tests.tui import simulator as world
from tests.tui.conftest import Opened
from tests.tui.simulator import PARCELS, SALT, Simulator, identifier
from tui.conversations import conversation_panels
from tui.screens.case import CaseScreen
from tui.widgets.table import VirtualTable

DIGEST = digest_bytes(b"x")


def _step(name: str, produces: str) -> Step:
    return Step(
        activity_type=name,
        agent="scale",
        action="parcel:look",
        system="scales",
        relation="parcel",
        inputs=("talk", "slip"),
        produces=(produces,),
    )


READ = ProcessDefinition.model_validate(
    {
        **{name: getattr(PARCELS, name) for name in ProcessDefinition.model_fields},
        "steps": (*PARCELS.steps, _step("think", "talk"), _step("read_slip", "slip")),
        "reasonings": (
            Reasoning(
                name="slip_reader",
                think="think",
                conversation="talk",
                tools=(Tool(step="read_slip", description="Read.", result="slip"),),
            ),
        ),
    }
)


def _use(key: str, name: str, arguments: str, refused: CallStatus | None = None) -> Use:
    return Use(
        called=Called(
            key=key,
            tool=None if refused else name,
            record=None if refused else "depot/D-2/parcel/1",
            refused=refused,
        ),
        name=name,
        arguments=arguments,
        problem="there is no such tool" if refused is CallStatus.UNKNOWN else None,
    )


def _told(key: str, status: CallStatus, text: str, *reasons: str) -> Told:
    return Told(result=CallResult(key=key, status=status, reasons=reasons), text=text)


SAID = Conversation(
    reasoning="slip_reader",
    instructions="Read the slip.\nDecide nothing.",
    opening="depot/D-1/parcel/7",
    instructions_digest=DIGEST,
    tools_digest=DIGEST,
    turns=(
        Turn(
            model="openai:gpt-5",
            answered_by="gpt-5-2025-08-07",
            request_digest=DIGEST,
            thought="the slip first",
            said="I look [link=http://evil.test]here[/link]\x1b[2J",
            uses=(
                _use("c1", "read_slip", '{"page": 2}'),
                _use("c2", "read_slip", '{"record": "depot/D-2/parcel/1"}'),
                _use("c3", "disburse", '{"amount": "9.00"}', CallStatus.UNKNOWN),
                _use("c4", "read_slip", "{", CallStatus.MALFORMED),
            ),
            tokens=600,
            cost="0.02",
        ),
        Turn(
            told=(
                _told("c1", CallStatus.DONE, "page 2: two kilograms"),
                _told("c2", CallStatus.DENIED, "denied: I2.", "I2", "out_of_scope"),
                _told("c3", CallStatus.UNKNOWN, "denied: there is no such tool."),
                _told("c4", CallStatus.MALFORMED, "not done: the arguments do not fit."),
            ),
            model="openai:gpt-5",
            answered_by="gpt-5-2025-08-07",
            request_digest=DIGEST,
            uses=(_use("c1", "conclude", "{}", CallStatus.DONE),),
            conclusion={"says": 'it weighs two kilograms\n "paid": 2 \\n'},
            tokens=700,
        ),
    ),
)


def _part(data: object) -> InputPart:
    made = Part(name="talk", record="depot/D-1/parcel/7", salt=SALT, data=data)
    return InputPart(
        part=made,
        digest=salted_digest(SALT, made.content()),
        grant=identifier("grant", 99),
        agent="agent:scale",
    )


def test_each_call_is_told_with_what_became_of_it() -> None:
    (panel,) = conversation_panels(READ, [_part(SAID.model_dump(mode="json", exclude_none=True))])
    assert (panel.title, panel.marked) == ("Model: slip reader", 2)
    told = [(row.cells[0].text, row.cells[1].text, row.cells[2].text) for row in panel.rows]
    assert told == [
        ("", "told", "what it is to do"),
        ("", "told", "what it is about"),
        ("1", "thinks", ""),
        ("1", "says", ""),
        ("1", "reads", "read_slip page: 2, of depot/D-2/parcel/1"),
        ("1", "denied", "read_slip of depot/D-2/parcel/1"),
        ("1", "no such tool", "disburse amount: 9.00"),
        ("1", "malformed", "read_slip {"),
        ("2", "concludes", ""),
    ]
    look, concluded = (
        "".join(piece if isinstance(piece, str) else piece[0] for piece in panel.rows[at].look)
        for at in (5, 8)
    )
    assert concluded.endswith('"says": "it weighs two kilograms\n  │  \\"paid\\": 2 \\\\n"\n}')
    assert "because: I2, out_of_scope" in look
    assert "openai:gpt-5, answered by gpt-5-2025-08-07 · 600 tokens · $0.02" in look


def test_a_provider_that_failed_is_told_and_what_is_no_conversation() -> None:
    turn = Turn(
        model="m:1", request_digest=DIGEST, trouble=Trouble.NO_ANSWER, why="no answer in 2 seconds"
    )
    failed = SAID.model_copy(update={"turns": (turn,)})
    data = failed.model_dump(mode="json", exclude_none=True)
    (panel, other) = conversation_panels(READ, [_part(data), _part({"turns": 7})])
    assert [cell.text for cell in panel.rows[-1].cells] == [
        "1",
        "no answer",
        "m:1",
        "no answer in 2 seconds",
    ]
    assert other.rows[0].cells[1].text == "unreadable"
    assert conversation_panels(PARCELS, [_part(data)]) == []
    assert conversation_panels(None, [_part(data)]) == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_a_person_sees_what_the_model_read_did_was_refused_and_concluded(
    open_console: Opened,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
) -> None:
    monkeypatch.setattr(world, "PARCELS", READ)
    view = simulator.add(7)
    part = _part(SAID.model_dump(mode="json", exclude_none=True))
    simulator.parts[part.digest] = part
    item = EvidenceItem(
        name="talk",
        record=part.part.record,
        digest=part.digest,
        agent=part.agent,
        grant=part.grant,
    )
    evidence = view.evidence.model_copy(update={"items": (*view.evidence.items, item)})
    simulator.change(view.id, evidence=evidence)
    async with open_console(size=size) as desk:
        await desk.expect("parcel 7 of D-1")
        await desk.press("enter")
        await desk.on(CaseScreen)
        index = desk.app.screen.query_one("#index", VirtualTable)
        index.go_to("Model: slip reader")
        await desk.expect("reads", "denied", "no such tool", "concludes")
        assert "\x1b" not in desk.text()
        await desk.press("tab", *["down"] * 5)
        await desk.expect("because: I2, out_of_scope", "answered by gpt-5-2025-08-07")
        await desk.press(*["down"] * 3)
        await desk.expect("it weighs two kilograms")
