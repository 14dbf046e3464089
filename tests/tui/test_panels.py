"""What is shown of evidence and of the ledger, as panels: values in, rows and a closer look out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from placet.ledger import Entry, EntryType
from placet.model import (
    Beside,
    Exclusion,
    ExclusionReason,
    FieldsSection,
    InputPart,
    Part,
    ShownColumn,
    ShownValue,
    TableSection,
    ValueKind,
    digest_bytes,
)
from tests.tui.simulator import NOW, PARCELS, SALT
from tui.answers import Listed
from tui.evidence import sections
from tui.registry import COLUMNS, _age
from tui.said import Piece
from tui.section_panels import section_panel
from tui.story import entry_look
from tui.words import clock, hand_words


def test_fields_are_whole_and_times_are_peoples_own() -> None:
    """A long value is all in the closer look; words begin at the left, amounts end at the right."""
    long = "weighs parcels, and says of each what it is worth to whoever sent it, and why"
    fields = FieldsSection(
        title="Who",
        part="weighing",
        fields=(
            ShownValue(path="purpose", label="Purpose"),
            ShownValue(path="ends", label="Ends", kind=ValueKind.DATE),
        ),
    )
    did = TableSection(
        title="Did",
        part="weighing",
        rows="did",
        columns=(ShownColumn(path="what", label="What"),),
        nothing="It did nothing.",
    )
    weighed = TableSection(
        title="Weighed",
        part="scales",
        rows="rows",
        key="number",
        columns=(
            ShownColumn(path="kg", label="kg", kind=ValueKind.COUNT),
            ShownColumn(
                path="name", label="Thing", beside=Beside(part="weighing", rows="all", key="number")
            ),
        ),
    )
    shown = PARCELS.presentation.model_copy(update={"sections": (fields, did, weighed)})
    of_parcel = part(
        "weighing",
        {
            "purpose": long,
            "ends": "2027-11-28T22:20:52Z",
            "did": [],
            "all": [{"number": 1, "name": "anvil"}],
        },
    )
    scales = part("scales", {"rows": [{"number": 1, "kg": 40}]})
    definition = PARCELS.model_copy(update={"presentation": shown})
    who, nothing, beside = sections(definition, [of_parcel, scales], ())
    panel, none = section_panel(who), section_panel(nothing)
    assert [each.right for each in panel.columns] == [False, False, False]
    assert text_of(panel.rows[0].look).strip() == f"Purpose  {long}"
    assert panel.rows[1].cells[2].text == clock(datetime(2027, 11, 28, 22, 20, 52, tzinfo=UTC))
    assert (none.rows, none.nothing) == ((), "It did nothing.")
    assert [each.text for each in section_panel(beside).rows[0].cells] == ["", "40", "anvil"]


def test_a_time_on_the_ledger_is_said_as_people_read_it() -> None:
    line = {"deadline": 1797114051, "size": 1797114051}
    entry = Entry(time=NOW, type=EntryType("checkpoint.opened"), actor="agent:weigher", data=line)
    said = text_of(entry_look(Listed(7, entry, "")))
    assert f"deadline\n  {clock(datetime.fromtimestamp(1797114051, UTC))} (1797114051)\n" in said
    assert "size\n  1797114051\n" in said


def text_of(pieces: Iterable[Piece]) -> str:
    return "".join(each if isinstance(each, str) else each[0] for each in pieces)


def part(name: str, data: dict[str, object]) -> InputPart:
    made = Part(name=name, record="depot/D-1/parcel/7", salt=SALT, data=data)
    digest = digest_bytes(made.content())
    return InputPart(part=made, digest=digest, grant="grant-" + "0" * 26, agent="agent:weigher")


def test_who_may_not_decide_is_told_in_words() -> None:
    """Each by what they did; an agent is named once, and each reason has its words."""
    owner = Exclusion(
        person="operator:ada", why=ExclusionReason.OWNS_AGENT, of="agent:draw-analyst"
    )
    assert hand_words(owner) == "ada: owns agent:draw-analyst"
    for why in ExclusionReason:
        told = hand_words(Exclusion(person="operator:dana", why=why))
        assert told.startswith("dana: ")
        assert "_" not in told
    opened = Exclusion(person="operator:dana", why=ExclusionReason.OPENED)
    assert hand_words(opened) == "dana: opened the case"


def test_the_longest_time_ago_has_room() -> None:
    moments = (NOW - timedelta(seconds=each) for each in (59, 3599, 86_399, 999 * 86_400))
    (column,) = (each for each in COLUMNS if each.label == "Last used")
    assert column.width == max(len(f"{_age(each, NOW)} ago") for each in moments)
