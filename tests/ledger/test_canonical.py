"""The canonical form has one spelling, however it is computed (RFC 8785)."""

import enum
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from placet.model import canonical_json

_NAMES = st.text(max_size=4) | st.sampled_from(
    ["", "é", "\ue000", "\U0001f600", "\ud7ff", 'a"\\\n']
)
_NUMBERS = st.integers() | st.sampled_from([2**53 - 1, 2**53, -(2**53) + 1, -(2**53), 0, 1, True])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | _NUMBERS
    | st.floats()
    | st.text()
    | st.text('\x00\x1f\x7f"\\/é\u2028'),
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner) | st.dictionaries(_NAMES, inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_VALUES)
def test_every_value_is_spelled_as_the_standard_spells_it(value: Any) -> None:
    """I8: entries, digests and signatures rest on one spelling of each value."""
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(rfc8785.CanonicalizationError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


class _Word(enum.StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        {"\ud800": 1},
        {"a": ["\udfff"]},
        {1: "a"},
        {"a": {None: 1}},
        {"a": object()},
        {1, 2},
    ],
)
def test_what_has_no_canonical_form_is_an_error(value: Any) -> None:
    """I12: a half-character, a name that is no text, a thing that is no JSON."""
    with pytest.raises(ValueError):
        canonical_json(value)


def test_words_of_a_list_are_their_text() -> None:
    assert (
        canonical_json({"b": _Word.ONE, "a": (1, [True, None])})
        == b'{"a":[1,[true,null]],"b":"one"}'
    )


def test_names_sort_by_utf_16() -> None:
    """RFC 8785 section 3.2.3: a character beyond the basic plane sorts before U+E000."""
    assert canonical_json({"\ue000": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ue000":1}'.encode()
