"""A model's call is read, whatever it is: pure, and tried with anything."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.agent.reasoning import RawCall
from placet.agent.reasoning._tools import own_record, read_call
from placet.model import CallStatus, Reasoning, Tool, ToolArgument, Use
from tests.reasoning.process import DEFINITION, READING

SUBJECT = "depot/D1/parcel/7"
NOTED = READING.model_copy(
    update={
        "tools": (
            Tool(
                step="read_slip",
                description="x",
                result="slip",
                arguments=(ToolArgument(name="note", description="x", longest=20),),
            ),
            *READING.tools[1:],
        )
    }
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["read_slip", "read_earlier", "charge", "burn", "conclude"]) | st.text()
_OBJECTS = st.dictionaries(
    st.sampled_from(["record", "note", "amount", "page"]) | st.text(max_size=3), _JSON, max_size=4
)


def _read(name: str, arguments: str, reasoning: Reasoning = NOTED) -> Use:
    return read_call(DEFINITION, reasoning, SUBJECT, 1, RawCall(name, arguments))


@settings(max_examples=200)
@given(name=_NAMES, arguments=_OBJECTS.map(json.dumps) | st.text(max_size=200))
def test_whatever_a_model_says_is_a_call_or_says_what_is_wrong(name: str, arguments: str) -> None:
    """I12: it can be kept, and what can be taken names a tool and a record of the right form."""
    use = _read(name, arguments)
    kept = Use.model_validate_json(use.model_dump_json())
    assert kept == use
    if use.called.refused is None:
        tool = READING.tool(use.called.tool or "")
        assert tool is not None
        assert use.called.record is not None
        assert (use.called.amount is None) == (tool.amount is None)
    else:
        assert use.problem
        assert use.called.record is None


@pytest.mark.parametrize("note", ["\ud800", "a\0b", "x" * 21, 7, None, ["x"]])
def test_a_text_is_one(note: object) -> None:
    """I12: half of a pair, NUL, too long, or no text at all."""
    use = _read("read_slip", json.dumps({"note": note}))
    assert use.called.refused is CallStatus.MALFORMED
    assert _read("read_slip", '{"note": "as it is"}').called.record == SUBJECT


def test_a_record_is_the_models_to_name_where_it_does_not_follow() -> None:
    """I2: an earlier parcel is one of many."""
    tool = READING.tool("read_earlier")
    assert tool is not None
    assert own_record(DEFINITION, tool, SUBJECT) is None
    assert _read("read_earlier", "{}").called.refused is CallStatus.MALFORMED
