"""What people left in a case beside the agents' parts: amounts lowered, values keyed."""

from collections.abc import Iterable

from pydantic import JsonValue

from placet.authority._core import Core
from placet.authority._evidence import keep_part, newest_parts, unpack
from placet.authority._store import Case, Reader, Tx
from placet.model import Part, ProcessDefinition


def left_rows(reader: Reader, case: Case, name: str, member: str) -> list[dict[str, JsonValue]]:
    """What the newest part of a name lists under a member; nothing before anyone left one."""
    for row in newest_parts(reader, case.id, name):
        if row.record == case.subject:
            listed = unpack(row).data.get(member)
            return (
                [each for each in listed if isinstance(each, dict)]
                if isinstance(listed, list)
                else []
            )
    return []


def drop_left(
    tx: Tx, core: Core, definition: ProcessDefinition, case: Case, author: str, act: str
) -> list[JsonValue]:
    """Start without what people left: it was made of, or read from, what has now been replaced.

    Returns:
        The parts that say so, as an entry tells them.
    """
    told: list[JsonValue] = []
    for name, member in _names(definition):
        if left_rows(tx, case, name, member):
            part = Part(name=name, record=case.subject, salt=core.new_salt(), data={member: []})
            digest = keep_part(tx, part, case=case.id, author=author, act=act)
            told.append({"name": name, "digest": digest})
    return told


def _names(definition: ProcessDefinition) -> Iterable[tuple[str, str]]:
    """The parts that people may leave, and the member that lists what they left."""
    left = [
        pair
        for each in definition.checkpoints
        for pair in ((each.adjustments, "rows"), (each.keyed, "values"))
    ]
    return dict.fromkeys((name, member) for name, member in left if name is not None)
