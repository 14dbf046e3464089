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


def drop_adjustments(
    tx: Tx, core: Core, definition: ProcessDefinition, case: Case, author: str, act: str
) -> list[JsonValue]:
    """Start without adjustments again: they were made of what has now been replaced.

    Returns:
        The parts that say so, as an entry tells them.
    """
    told: list[JsonValue] = []
    for name in _names(definition):
        if left_rows(tx, case, name, "rows"):
            part = Part(name=name, record=case.subject, salt=core.new_salt(), data={"rows": []})
            digest = keep_part(tx, part, case=case.id, author=author, act=act)
            told.append({"name": name, "digest": digest})
    return told


def _names(definition: ProcessDefinition) -> Iterable[str]:
    return dict.fromkeys(
        each.adjustments for each in definition.checkpoints if each.adjustments is not None
    )
