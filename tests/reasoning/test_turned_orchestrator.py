"""What a turned orchestrator leaves out of the reading, or passes off as one, comes before people."""

from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from activities.checks import analyse
from activities.draw._steps import Manifest, StoredFile
from activities.packet import apply_keyed
from activities.reading import CheckReading
from activities.reading._steps import checking_activities, reading_activities
from lender.model import DocumentKind, FileEntry, Keyed, KeyedValues, Packet, Reading, packet_digest
from placet.agent.reasoning.models import ModelMind
from placet.agent.testing import CASE, Answer, Rehearsal
from placet.model import (
    CallResult,
    CallStatus,
    Ending,
    Part,
    PartRef,
    Severity,
    Spent,
    digest_bytes,
)
from placet.process import Reasoned, ThinkRequest, ToolRequest
from tests.domain import building
from workflows.read_definition import DEFINITION, READERS

DRAW = "loan/L-1/draw/1"
NOTES = b"Note\nA crack runs through the north wall\n"
ENTRY = FileEntry(
    name="notes.csv", size=len(NOTES), digest=digest_bytes(NOTES), kind=DocumentKind.INSPECTION
)
PACKET = Packet(files=(ENTRY,))
OTHER = Packet(files=(ENTRY.model_copy(update={"digest": digest_bytes(b"of the same length")}),))
KEYED = KeyedValues(
    values=(
        Keyed(
            document="notes.csv",
            spot="row 1, column 1",
            field="inspection.inspector",
            value="J. Doe",
            by="operator:omar",
            act="A" * 22,
        ),
    )
)
STORED = {
    "GET /loans/L-1/draws/1/packet": Manifest(
        version=1, files=(StoredFile(name="notes.csv", size=len(NOTES), digest=ENTRY.digest),)
    ),
    "GET /loans/L-1/draws/1/packet/1/notes.csv": Answer(200, NOTES, {}),
}
CHECKS = checking_activities(DEFINITION)

Told = tuple[Part, Reasoned]
"""A reader's conversation, and how the orchestrator tells of it."""


def _answer(concern: str, says: str) -> dict[str, Any]:
    place = {"document": "notes.csv", "spot": "row 2, column 1"}
    quotes = [{"place": place, "words": "A crack runs through the north wall"}]
    return {"topic": "inspection", "concern": concern, "says": says, "quotes": quotes}


FINE, CRACK = _answer("none", "It is a note"), _answer("serious", "A crack runs there")


async def _read(
    reader: str, said: dict[str, Any], packet: Packet = PACKET, keyed: KeyedValues | None = None
) -> Told:
    """A reader opens the document, and concludes."""

    def script(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            asks = ToolCallPart(f"{reader}_opens_document", {"document": "notes.csv"})
            return ModelResponse(parts=[asks])
        return ModelResponse(parts=[ToolCallPart("conclude", {"statements": [said]})])

    mind = ModelMind(FunctionModel(script), f"scripted:{reader}")
    think, opens, *_ = reading_activities(DEFINITION, reader, mind)
    kept, found = f"{reader}_conversation", f"{reader}_document"
    inputs: dict[str, Any] = {
        "packet": packet,
        "keyed": () if keyed is None else keyed,
        kept: (),
        found: (),
        f"{reader}_loan": (),
        f"{reader}_earlier_draw": (),
    }
    turn = ThinkRequest(case=CASE, record=DRAW, reasoning=reader, turn=1)
    first = Rehearsal(DEFINITION, inputs=inputs)
    (call,) = (await first.take(think, turn)).calls
    asked = first.parts[kept]
    tool = Rehearsal(DEFINITION, inputs={kept: asked}, answers=STORED)
    given = ToolRequest(case=CASE, record=f"{DRAW}/packet", reasoning=reader, turn=1, key=call.key)
    document = await tool.take(opens, given)
    done = CallResult(key=call.key, status=CallStatus.DONE, digest=document.digest)
    last = Rehearsal(DEFINITION, inputs={**inputs, kept: asked, found: tool.parts[found]})
    await last.take(think, turn.model_copy(update={"turn": 2, "results": (done,)}))
    part = last.parts[kept]
    ref = PartRef(name=part.name, record=part.record, digest=part.digest)
    ended = Reasoned(reasoning=reader, ending=Ending.CONCLUDED, spent=Spent(), part=ref)
    return part, ended


async def _checked(
    newest: list[Told],
    *runs: Reasoned,
    packet: Packet = PACKET,
    keyed: KeyedValues | None = None,
    step: int = 0,
) -> Reading:
    inputs: dict[str, Any] = {"packet": packet, "keyed": () if keyed is None else keyed}
    inputs |= {part.name: part for part, _ in newest}
    rehearsal = Rehearsal(DEFINITION, inputs=inputs, answers=STORED)
    request = CheckReading(case=CASE, record=f"{DRAW}/packet", runs=runs)
    await rehearsal.take(CHECKS[step], request)
    (part,) = rehearsal.parts.values()
    return Reading.model_validate(part.data)


def _blocking(reading: Reading, packet: Packet = PACKET) -> list[str]:
    """What of the reading brings a draw before people."""
    loan = building.loan()
    found = analyse(packet, loan, loan.next_draw, (), (), building.TODAY, reading=reading).findings
    ours = [each for each in found if each.check.startswith("reading.")]
    return [each.check for each in ours if each.severity is Severity.BLOCKING]


@pytest.fixture
async def both() -> list[Told]:
    """Two readers who found nothing to worry about."""
    return [await _read(each, FINE) for each in READERS]


@pytest.mark.parametrize("step", [0, 1])
async def test_readers_who_are_told_of_as_they_read_bring_nothing_before_people(
    both: list[Told], step: int
) -> None:
    (_, one), (_, two) = both
    reading = await _checked(both, one, two, step=step)
    assert (reading.confidence, reading.packet) == ("high", packet_digest(PACKET))
    assert _blocking(reading) == []


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("times", [0, 2])
async def test_a_reader_who_is_not_told_of_just_once_has_not_concluded(
    times: int, step: int
) -> None:
    """I3: the readers are those of the signed process, and not those that a request names."""
    newest = [await _read("reader", CRACK), await _read("second_reader", FINE)]
    (_, one), (_, two) = newest
    reading = await _checked(newest, *[one] * times, two, step=step)
    said = {each.reader: (each.ending.value, each.why) for each in reading.runs}
    assert said["reader"] == ("failed", f"the orchestrator tells of {times} runs of it")
    assert said["second_reader"] == ("concluded", None)
    assert _blocking(reading) == ["reading.ended", "reading.supported"]


async def test_a_conversation_that_is_not_the_readers_newest_does_not_count() -> None:
    """I3, I13: neither an older one, nor another reader's."""
    newest = [await _read("reader", CRACK), await _read("second_reader", FINE)]
    (_, one), (_, two) = newest
    _, older = await _read("reader", FINE)
    theirs = one.model_copy(update={"part": two.part})
    for told in (older, theirs):
        reading = await _checked(newest, told, two)
        assert [each.ending for each in reading.runs] == ["failed", "concluded"]
        assert _blocking(reading) == ["reading.ended", "reading.supported"]


async def test_a_conversation_about_another_packet_does_not_count(both: list[Told]) -> None:
    """I13: where the packet was read anew, and the readers were not asked again."""
    before = await _read("reader", FINE, OTHER)
    (_, stale), (_, two) = newest = [before, both[1]]
    reading = await _checked(newest, stale, two)
    assert [each.ending for each in reading.runs] == ["failed", "concluded"]
    assert _blocking(reading) == ["reading.ended", "reading.supported"]


async def test_a_reading_of_another_packet_than_the_analysis_is_comes_before_people(
    both: list[Told],
) -> None:
    """I13: where the packet was read anew, and the reading was left as it was."""
    (_, one), (_, two) = both
    reading = await _checked(both, one, two)
    assert _blocking(reading, OTHER) == ["reading.packet"]
    assert _blocking(reading.model_copy(update={"packet": None}), OTHER) == []


async def test_what_people_keyed_makes_no_other_packet(both: list[Told]) -> None:
    """Keyed before the readers read, or after it: the files are what they were."""
    (_, one), (_, two) = both
    keyed = apply_keyed(PACKET, KEYED.values)
    assert [each.field for each in keyed.keyed] == ["inspection.inspector"]
    after = await _checked(both, one, two, keyed=KEYED)
    again = [await _read(each, FINE, keyed=KEYED) for each in READERS]
    anew = await _checked(again, *(run for _, run in again), keyed=KEYED)
    for reading in (after, anew):
        assert (reading.confidence, _blocking(reading, keyed)) == ("high", [])
