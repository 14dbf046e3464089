"""The digests of a history's events: what an archive's seal is made of."""

import json

import pytest

from placet.ledger import event_digests, events_root, leaf_hash, root_hash, run_root, seal_runs
from placet.model import ArchivedRun, canonical_json, digest_hash, read_digest

SALT = "c" * 42 + "A"
EVENTS = [{"eventId": str(number), "eventTime": "2026-11-27T10:00:00Z"} for number in range(1, 8)]
HISTORY = json.dumps({"events": EVENTS}, indent=2)


def test_each_event_is_a_leaf_and_each_prefix_has_its_root() -> None:
    """I9: the first event that was changed is the first whose digest differs."""
    digests = event_digests(HISTORY, SALT)
    assert len(set(digests)) == len(EVENTS)
    changed = [*EVENTS[:4], {**EVENTS[4], "eventTime": "2026-11-27T10:00:01Z"}, *EVENTS[5:]]
    other = event_digests(json.dumps({"events": changed}), SALT)
    assert [at for at, each in enumerate(digests) if each != other[at]] == [4]
    assert events_root(digests[:4]) == events_root(other[:4])
    assert events_root(digests) != events_root(other)
    leaves = [read_digest(each) for each in digests]
    assert read_digest(events_root(digests)) == root_hash(leaves)


def test_the_spelling_of_the_json_does_not_matter_and_the_salt_does() -> None:
    """I9: an event's digest is of what it says, under its case's own salt."""
    assert event_digests(json.dumps({"events": EVENTS}), SALT) == event_digests(HISTORY, SALT)
    assert not set(event_digests(HISTORY, "A" * 43)) & set(event_digests(HISTORY, SALT))
    salted = b"\0" * 32 + canonical_json(dict(EVENTS[0]))
    assert event_digests(HISTORY, "A" * 43)[0] == digest_hash(leaf_hash(salted))


def test_a_seal_has_each_run_and_gives_the_root_of_any_prefix() -> None:
    """I9: what the ledger holds of a run follows from the digests beside it."""
    seal = seal_runs([ArchivedRun(run_id=name, history=HISTORY) for name in ("a", "b")], SALT)
    assert [each.run_id for each in seal.runs] == ["a", "b"]
    kept = run_root(seal.runs[0], 3)
    assert (kept.run_id, kept.events) == ("a", 3)
    assert kept.root == events_root(event_digests(HISTORY, SALT)[:3])
    assert run_root(seal.runs[0]).events == len(EVENTS)


@pytest.mark.parametrize(
    "history",
    [
        "",
        "[]",
        "null",
        '{"events": 1}',
        '{"events": [1]}',
        "{}",
        "[" * 100_000,
        '{"events": [{"a": NaN}]}',
    ],
)
def test_what_is_no_history_is_a_clear_error(history: str) -> None:
    """I12: a damaged archive is an answer."""
    with pytest.raises(ValueError, match=r"."):
        event_digests(history, SALT)
