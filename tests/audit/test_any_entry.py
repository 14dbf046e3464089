"""Every single member of every kind of entry, changed by whoever owns the log and its key.

As if it had been written so at once: heads that people had in sight when they signed are left out.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from placet.audit import verify
from tests.audit.recording import Recorded, changed_entry

Path = tuple[str | int, ...]
MEMBERS = ("actor", "case", "record", "data")

HELD_BY_REPLAY = {
    "case.started fairness_key",
    "case.started record_tag",
    "checkpoint.opened history",
    "checkpoint.opened history.events",
    "checkpoint.opened history.root",
    "grant.issued history",
    "grant.issued history.events",
    "grant.issued history.root",
    "grant.issued last_started",
}
"""What says how a step ran is held against the case's history."""

ONLY_THE_AUTHORITYS_WORD = {
    "case.archived code",
    "case.stopped reason",
    "checkpoint.commented comment_digest",
    "checkpoint.voided reasons",
    "decision.recorded opened_at",
    "decision.recorded seconds_open",
    "decision.recorded signed_in_at",
    "decision.refused actor",
    "decision.refused checkpoint",
    "decision.refused decision_digest",
    "decision.refused reasons",
    "grant.denied action",
    "grant.denied activity",
    "grant.denied activity.activity_id",
    "grant.denied activity.activity_type",
    "grant.denied activity.attempt",
    "grant.denied activity.run_id",
    "grant.denied activity.workflow_id",
    "grant.denied actor",
    "grant.denied asked_case",
    "grant.denied key",
    "grant.denied reasons",
    "grant.denied record",
    "grant.denied system",
    "hold.lifted reason_digest",
    "hold.placed reason_digest",
    "key.published jwk",
    "key.published jwk.alg",
    "key.published jwk.crv",
    "key.published jwk.kid",
    "key.published jwk.kty",
    "key.published jwk.use",
    "key.published jwk.x",
    "key.published jwk.y",
    "key.published purpose",
}
"""What nobody else has signed and no other entry repeats (docs/reference/forgeries.md)."""


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of each member; of a list the list itself, and the members of its first."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield (*path, name)
            yield from places(each, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from places(value[0], (*path, 0))


def at(value: Any, path: Path) -> Any:
    for each in path:
        value = value[each]
    return value


def other(value: Any) -> Any:
    """Something like it that is not it."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1000
        case str():
            return value[:-1] + ("b" if value[-1:] != "b" else "c")
        case list():
            return [*value, *(value[:1] or ["other"])]
        case dict():
            return {**value, "other": 1}
        case _:
            return "other"


def test_no_member_of_an_entry_can_be_changed_unseen(recorded: Recorded) -> None:
    """I8, I9: the tree fits and every signature is genuine; each entry is held against the rest."""
    bare = dataclasses.replace(recorded.files, archives={})  # they take most of the time
    missing = set(verify(bare).troubles)
    assert {each.name for each in missing} == {"archive-missing"}
    unseen: set[str] = set()
    tried: set[str] = set()
    for index, data in enumerate(bare.entries):
        entry = json.loads(data)
        files = recorded.files if entry["type"] == "case.archived" else bare
        for path in places({name: entry[name] for name in MEMBERS if name in entry}):
            name = f"{entry['type']} {'.'.join(map(str, path)).removeprefix('data.')}"
            if name in tried or path == ("data",):
                continue
            tried.add(name)

            def change(entry: dict[str, Any], path: Path = path) -> None:
                at(entry, path[:-1])[path[-1]] = other(at(entry, path))

            report = verify(changed_entry(files, index, change))
            if {each for each in report.troubles if each.name != "seen-head"} <= missing:
                unseen.add(name)
    assert len(tried) > 200
    assert unseen == HELD_BY_REPLAY | ONLY_THE_AUTHORITYS_WORD
