"""What waits, as rows of the queue: orders, views, groups, and the words for each. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from placet.model import (
    CheckpointGroup,
    CheckpointLine,
    CheckpointOrder,
    CheckpointStatus,
    Claimed,
    Count,
    Due,
    Gravest,
    Grouping,
    ProcessDefinition,
    Severity,
    WaitsFor,
)
from tui import words
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

T = TypeVar("T")
_MARK_AND_COUNT = 5
COLUMNS = (
    Column("Time left", 11, drop=-1, key="urgency"),
    Column("What", 24, grow=3, most=60, names=True),
    Column("Amount", 14, right=True, key="amount"),
    Column("Findings", 11, grow=1, drop=-2, most=22, least=_MARK_AND_COUNT),
    Column("Decided", 7, grow=2, drop=1),
    Column("Still missing", 22, grow=5, drop=2),
    Column("Checkpoint", 18, grow=2, drop=3),
)
_WITHOUT_AMOUNTS = tuple(each for each in COLUMNS if each.key != "amount")
SORTS: Mapping[CheckpointOrder, str] = {
    CheckpointOrder.URGENCY: "the most urgent first",
    CheckpointOrder.AMOUNT_DOWN: "the largest amount first",
    CheckpointOrder.AMOUNT: "the smallest amount first",
    CheckpointOrder.OPENED: "the longest waiting first",
    CheckpointOrder.OPENED_DOWN: "the newest first",
}
BY_COLUMN: Mapping[str, tuple[CheckpointOrder, ...]] = {
    "urgency": (CheckpointOrder.URGENCY,),
    "amount": (CheckpointOrder.AMOUNT_DOWN, CheckpointOrder.AMOUNT),
}
VIEWS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "mine": ("waits for me", {"waits_for": WaitsFor.ME}),
    "others": ("waits for others", {"waits_for": WaitsFor.OTHERS}),
    "all": ("all that is open", {"status": CheckpointStatus.OPEN}),
    "blocking": (
        "with blocking findings",
        {"status": CheckpointStatus.OPEN, "severity": Severity.BLOCKING},
    ),
    "claimed": ("claimed by me", {"claimed": Claimed.ME}),
    "overdue": ("over their time", {"status": CheckpointStatus.OPEN, "overdue": True}),
}
GROUPS: Mapping[Grouping, str] = {
    Grouping.KIND: "by kind",
    Grouping.PROCESS: "by process",
    Grouping.URGENCY: "by time",
    Grouping.FINDINGS: "by findings",
    Grouping.RECORD: "by record",
}
_NAMES: Mapping[str, str] = {
    Due.OVERDUE: "over their time",
    Due.DAY: "due within a day",
    Due.WEEK: "due within a week",
    Due.LATER: "due later",
    Gravest.BLOCKING: "blocking",
    Gravest.WARNING: "warnings",
    Gravest.INFO: "nothing that weighs",
    Gravest.NONE: "no finding",
}


def following(names: Sequence[T], name: T) -> T:
    """The one after, the first after the last."""
    return names[(names.index(name) + 1) % len(names)]


def counted(count: Count | None) -> str:
    """How many, or at least how many."""
    return "?" if count is None else f"{count.count:,}{'+' if count.more else ''}"


def in_all(
    count: Count | None, mine: Count | None, sort: CheckpointOrder, group: Grouping | None
) -> str:
    """How much there is beside what is shown, and in which order that stands."""
    grouped = f", {GROUPS[group]}" if group else ""
    return f"  of {counted(count)} open, {counted(mine)} for you  ·  {SORTS[sort]}{grouped}"


def group_cells(
    group: CheckpointGroup, definition: ProcessDefinition | None, *, opened: bool
) -> Sequence[Cell]:
    """A group's name and count, as a row; ``▾`` where its checkpoints stand below it."""
    name = _NAMES.get(group.name, group.name)
    asked = definition.checkpoint(group.query.name) if definition and group.query.name else None
    if asked is not None:
        name = f"{asked.title}, {group.query.process}"
    sign = "▾──" if opened else "▸──"
    return (Cell(f"{sign} {harmless(name)}: {counted(group.count)}", "accent"),)


def columns_for(lines: Sequence[CheckpointLine]) -> Sequence[Column]:
    """The columns; what is decided is not always about money, and then its name has the room."""
    money = not lines or any(each.amount is not None for each in lines)
    return COLUMNS if money else _WITHOUT_AMOUNTS


def line_cells(
    line: CheckpointLine, definition: ProcessDefinition | None, columns: Sequence[Column]
) -> Sequence[Cell]:
    """One checkpoint as a row under these columns."""
    left, tone = words.time_left(line.due_at, words.now())
    amount = Cell(words.money(line.amount, words.currency(definition)))
    return (
        Cell(words.in_a_row(left), tone),
        what_cell(words.line_words(definition, line.subject, line.about), line.held_on, line),
        *((amount,) if columns is COLUMNS else ()),
        findings_cell(line),
        Cell(_decided(line), "plain" if line.decided else "muted"),
        Cell(harmless("; ".join(line.missing)), "muted"),
        Cell(harmless(line.title), "muted"),
    )


def line_look(line: CheckpointLine, definition: ProcessDefinition | None) -> list[Piece]:
    """A closer look at one."""
    left, tone = words.time_left(line.due_at, words.now())
    amount = words.money(line.amount, words.currency(definition))
    mine = line.mine
    findings = findings_cell(line)
    made: list[Piece] = [
        (f"{harmless(words.line_words(definition, line.subject, line.about))}\n", "head"),
        f"{harmless(line.title)}\n\n",
        *held_look(line.held_on),
        *_emergency_look(line),
        (f"{amount}\n" if amount else "", "strong"),
        (f"{left}, until {words.clock(line.due_at)}\n\n", tone),
        ("waits for you\n" if mine else "does not wait for you\n", "good" if mine else "muted"),
        ("\nFindings\n", "head"),
        (f"{findings.text}\n", findings.tone),
        ("\nStill missing\n", "head"),
    ]
    made += [f"{harmless(each)}\n" for each in line.missing] or ["nothing\n"]
    made.append(("\nDecided\n", "head"))
    made += [
        f"{words.person(each.operator)}: {harmless(each.verdict)}\n" for each in line.decided
    ] or [("nobody yet\n", "muted")]
    if line.claimed_by:
        made.append((f"\nclaimed by {words.person(line.claimed_by)}\n", "accent"))
    made.append((f"\n{line.id}\n{line.case}", "muted"))
    return made


def what_cell(what: str, held_on: str | None, line: CheckpointLine | None) -> Cell:
    """What a row is about, behind a mark where a hold stops it or the emergency path asks it."""
    if held_on is not None:
        return Cell(f"held: {harmless(what)}", "bad")
    if line is not None and line.emergency_until is not None:
        return Cell(f"▲ {harmless(what)}", "warn")
    return Cell(harmless(what))


def held_look(held_on: str | None) -> list[Piece]:
    """In a closer look: which hold stops it, if one does."""
    return [] if held_on is None else [(f"{harmless(words.hold_words(held_on))}\n\n", "bad")]


def _emergency_look(line: CheckpointLine) -> list[Piece]:
    until = line.emergency_until
    return [] if until is None else [(f"▲ Emergency until {words.clock(until)}\n\n", "warn")]


def findings_cell(line: CheckpointLine) -> Cell:
    """Findings in words, the worst first; in short the sign of the worst, and how many."""
    found = line.findings
    counts = ((found.blocking, "blocking", "●", "bad"), (found.warning, "warn", "▲", "warn"))
    parts = [
        (f"{count} {name}", tone, f"{sign} {count}") for count, name, sign, tone in counts if count
    ]
    if not parts and found.info:
        return Cell(f"{found.info} info", "good", f"· {found.info}")
    if not parts:
        return Cell("none", "good")
    _, tone, short = parts[0]
    return Cell(", ".join(text for text, *_ in parts), tone, short)


def _decided(line: CheckpointLine) -> str:
    """How many words of how many, and whose: ``1 of 3: cora approve``."""
    asked = sum(need.count for need in line.needs)
    said = ", ".join(f"{words.person(each.operator)} {each.verdict}" for each in line.decided)
    return harmless(f"{len(line.decided)} of {asked}{': ' if said else ''}{said}")
