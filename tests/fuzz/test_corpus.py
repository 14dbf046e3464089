"""Parsers fuzzed, with a corpus that is kept: read again each time, and changed at random.

What a run finds is a file more in ``corpus/<parser>``: then it is mended, and stays so. ``make fuzz``
makes many changes, others each time.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import CORPUS, PARSERS, Parser

MANY = "PLACET_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("PLACET_FUZZ", "15"))
FILES = sorted(CORPUS.glob("*/*"))


def read(parser: Parser, data: bytes) -> None:
    """Read it: what comes out is a value or an error that the parser names."""
    try:
        parser.read(data)
    except parser.raises:
        pass


def test_every_parser_has_a_corpus_and_no_corpus_lacks_its_parser() -> None:
    assert {each.parent.name for each in FILES} == set(PARSERS)
    assert sum(each.stat().st_size for each in FILES) < 200_000


@pytest.mark.parametrize("file", FILES, ids=lambda each: f"{each.parent.name}/{each.name}")
def test_what_was_kept_is_read_or_refused(file: Path) -> None:
    """I12: each of these was, or could be, more than its parser was made for."""
    read(PARSERS[file.parent.name], file.read_bytes())


_CHANGE = st.tuples(
    st.sampled_from(("cut", "flip", "put", "twice", "drop")),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
    st.binary(max_size=12),
)


def changed(data: bytes, change: tuple[str, float, float, bytes]) -> bytes:
    """A file with one change somewhere."""
    how, first, second, more = change
    low, high = sorted((int(first * len(data)), int(second * len(data))))
    match how:
        case "cut":
            return data[:low]
        case "flip":
            return data[:low] + bytes(each ^ 0x20 for each in data[low : low + 1]) + data[low + 1 :]
        case "put":
            return data[:low] + more + data[low:]
        case "twice":
            return data[:high] + data[low:high] + data[high:]
        case _:
            return data[:low] + data[high:]


@pytest.mark.parametrize("name", PARSERS)
def test_what_is_changed_at_random_is_read_or_refused(name: str) -> None:
    """I12: a value or a named error, whatever becomes of a good file."""
    seeds = [each.read_bytes() for each in FILES if each.parent.name == name]

    @settings(
        max_examples=EXAMPLES,
        derandomize=not MANY,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds), st.lists(_CHANGE, max_size=4), st.binary(max_size=3))
    def look(seed: bytes, changes: list[tuple[str, float, float, bytes]], tail: bytes) -> None:
        data = seed
        for each in changes:
            data = changed(data, each)
        read(PARSERS[name], data + tail)

    look()
