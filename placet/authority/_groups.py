"""The groups that listed checkpoints fall into, each counted by the database.

A group is a narrower query. Its count is read no further than :data:`MOST_COUNTED`, along the
group's own index. Records are paged: one step along the index of subjects for each group, however
many checkpoints are in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, literal, select

from placet.authority._counts import counter
from placet.authority._errors import Invalid
from placet.authority._lists import GRAVEST, LINES, due_within, filters_of, whole_of
from placet.authority._paging import LAST_CHARACTER, Condition, few_of
from placet.authority._seats import Asker
from placet.authority._store import ProcessVersion, Reader, table_of
from placet.model import (
    CheckpointGroup,
    CheckpointQuery,
    CheckpointStatus,
    Due,
    Gravest,
    Grouping,
    GroupPage,
    GroupQuery,
    ProcessDefinition,
)

_PUBLISHED = table_of(ProcessVersion)


@dataclass(frozen=True)
class _Narrowing:
    """What a group adds to a query, and the same as its own index has it."""

    name: str
    more: dict[str, Any]
    condition: Condition


def list_groups(
    reader: Reader, query: GroupQuery, asker: Asker, after: str | None, now: datetime
) -> GroupPage:
    """A page of groups, those without a checkpoint left out.

    Raises:
        Invalid: these groups have no further page.
    """
    asked = query.of()
    if query.by is Grouping.RECORD:
        return _by_record(reader, asked, asker, after, now)
    if after is not None:
        raise Invalid("invalid_request", "after: these groups are one page")
    chosen = _chosen(reader, asked, asker, now)
    found: list[CheckpointGroup] = []
    for each in _narrowings(reader, query.by, now):
        if any(getattr(asked, name) not in {None, value} for name, value in each.more.items()):
            continue  # the query asks for another one of these
        count = counter(reader)(chosen.where(each.condition))
        if count.count:
            narrow = asked.model_copy(update=each.more)
            found.append(CheckpointGroup(name=each.name, count=count, query=narrow))
    return GroupPage(groups=tuple(found))


def _narrowings(reader: Reader, by: Grouping, now: datetime) -> Iterator[_Narrowing]:
    match by:
        case Grouping.URGENCY:
            for due in Due:
                more = {"due": due, "status": CheckpointStatus.OPEN}
                yield _Narrowing(due.value, more, due_within(due, now))
        case Grouping.FINDINGS:
            for each in Gravest:
                same = LINES.c.severity == GRAVEST[each]
                yield _Narrowing(each.value, {"gravest": each}, same)
        case Grouping.PROCESS:
            for name in sorted(_kinds(reader)):
                yield _Narrowing(name, {"process": name}, LINES.c.process == name)
        case _:
            for process, names in sorted(_kinds(reader).items()):
                for name in sorted(names):
                    same = (LINES.c.process == process) & (LINES.c.name == name)
                    told = {"process": process, "name": name}
                    yield _Narrowing(f"{process}: {name}", told, same)


def _kinds(reader: Reader) -> dict[str, set[str]]:
    """The checkpoints that any published version of each process has."""
    found: dict[str, set[str]] = {}
    for row in reader.execute(select(_PUBLISHED.c.name, _PUBLISHED.c.body_json)):
        names = found.setdefault(row.name, set())
        definition = ProcessDefinition.model_validate_json(row.body_json)
        names.update(each.name for each in definition.checkpoints)
    return found


def _chosen(reader: Reader, query: CheckpointQuery, asker: Asker, now: datetime) -> Select[Any]:
    """The rows of a query, in no order."""
    filters = list(filters_of(query, asker, now))
    few = few_of(reader, filters)
    chosen = whole_of(query, asker).with_only_columns(literal(1))
    if query.role or query.waits_for:  # none but open ones wait for anyone
        chosen = chosen.where(LINES.c.status == CheckpointStatus.OPEN.value)
    if few is not None:
        chosen = chosen.where(LINES.c.id.in_(few))
    return chosen.where(*(each.condition for each in filters))


def _by_record(
    reader: Reader, asked: CheckpointQuery, asker: Asker, after: str | None, now: datetime
) -> GroupPage:
    chosen = _chosen(reader, asked, asker, now)
    found: list[CheckpointGroup] = []
    for root in _roots(reader, chosen, after):
        if len(found) == asked.limit:
            return GroupPage(groups=tuple(found), next=found[-1].name)
        within = (LINES.c.subject >= f"{root}/") & (LINES.c.subject < _past(root))
        narrow = asked.model_copy(update={"record": f"{root}/"})
        count = counter(reader)(chosen.where(within))
        found.append(CheckpointGroup(name=root, count=count, query=narrow))
    return GroupPage(groups=tuple(found))


def _roots(reader: Reader, chosen: Select[Any], after: str | None) -> Iterable[str]:
    """The records at the root of what is listed, from the one after ``after`` on."""
    subjects = chosen.with_only_columns(LINES.c.subject).order_by(LINES.c.subject).limit(1)
    root = after
    while True:
        here = subjects if root is None else subjects.where(LINES.c.subject >= _past(root))
        subject = reader.scalar(here)
        if subject is None:
            return
        root = "/".join(subject.split("/")[:2])
        yield root


def _past(root: str) -> str:
    """Just after everything below a record."""
    return f"{root}/{LAST_CHARACTER}"
