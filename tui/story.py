"""What the ledger tells of a case, and what agents gave as their reasons, as panels. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from placet.ledger import Entry
from tui import words
from tui.answers import Listed
from tui.panels import Panel, PanelRow
from tui.said import Piece
from tui.text import harmless, set_off
from tui.widgets.table import Cell, Column

_TIMES = ("deadline", "expires", "until", " at")
_SECONDS = range(10**9, 10**10)
"""Seconds since 1970 that are a time in our days: from 2001 on."""


def story_panel(entries: Sequence[Listed]) -> Panel:
    """What the ledger says of the case, in order."""
    rows = [PanelRow(story_cells(each), entry_look(each)) for each in entries]
    columns = (
        Column("When", 16),
        Column("What", 18),
        Column("Who", 22, drop=1),
        Column("", 20, grow=1, drop=2),
    )
    return Panel("Story", columns, tuple(rows))


def story_cells(listed: Listed) -> tuple[Cell, ...]:
    """An entry as one line."""
    entry = listed.entry
    if entry is None:
        return Cell("?"), Cell("● damaged entry", "bad"), Cell(""), Cell(f"entry {listed.index}")
    return (
        Cell(f"{entry.time.astimezone():%m-%d %H:%M:%S}", "muted"),
        Cell(entry.type.value, type_tone(entry.type.value)),
        Cell(entry.actor),
        Cell(harmless(entry_words(entry)), "muted"),
    )


def type_tone(kind: str) -> str:
    """How an entry's type weighs."""
    if kind.endswith((".denied", ".refused", ".leaked", ".alarm", ".stopped", ".lost")):
        return "bad"
    if kind.startswith(("decision.", "checkpoint.", "action.")):
        return "accent"
    return "warn" if kind.endswith((".revoked", ".voided", ".suspended", ".expired")) else "plain"


def entry_words(entry: Entry) -> str:
    """What an entry says, in a few words."""
    data = entry.data
    found: list[str] = []
    for name in (
        "action",
        "name",
        "verdict",
        "status",
        "outcome",
        "result",
        "reason",
        "reasons",
        "activity",
    ):
        value = data.get(name)
        if isinstance(value, dict):
            value = value.get("activity_type")
        if isinstance(value, list):
            value = ", ".join(str(each) for each in value)
        if value:
            found.append(str(value))
    return " · ".join(found) or (entry.record or "")


def entry_look(listed: Listed) -> tuple[Piece, ...]:
    """An entry, whole."""
    kind = listed.entry.type.value if listed.entry else "damaged"
    return (
        (f"entry {listed.index}  {kind}\n", "head"),
        *(_told(listed.entry) if listed.entry else (harmless(listed.text, lines=True),)),
    )


def _told(entry: Entry) -> Iterator[Piece]:
    """Who, when and about what; then what it says, name by name."""
    yield f"{entry.actor}\n"
    yield (f"{entry.time.isoformat()}\n", "muted")
    for each in (entry.record, entry.case):
        yield (f"{harmless(each)}\n", "accent") if each else ""
    yield "\n"
    for name, value in _flat("", entry.data):
        yield (f"{harmless(name)}\n", "muted")
        yield f"  {set_off(value)}\n"


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """The values inside, each under its names; what is empty says nothing."""
    if isinstance(value, Mapping):
        for each, inner in value.items():
            yield from _flat(f"{name} {each}".strip().replace("_", " "), inner)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for at, inner in enumerate(value, 1):
            yield from _flat(f"{name} {at}", inner)
    elif isinstance(value, list):
        yield from [(name, ", ".join(str(each) for each in value))] if value else ()
    elif value is not None and value != "":
        yield name, _in_words(name, value)


def _in_words(name: str, value: object) -> str:
    """A value; a time that is kept as seconds is said as people read it as well."""
    if name.endswith(_TIMES) and isinstance(value, int) and value in _SECONDS:
        return f"{words.clock(datetime.fromtimestamp(value, UTC))} ({value})"
    return str(value)


def reasoning_panel(told: Sequence[tuple[Listed, str, str]]) -> Panel:
    """What agents gave as their reasons: the settled step, its name, the words kept."""
    rows = [
        PanelRow(
            (
                Cell(harmless(step)),
                Cell(listed.entry.actor if listed.entry else "?", "muted"),
                Cell(harmless(text)),
            ),
            ((f"{harmless(step)}\n", "head"), harmless(text, lines=True)),
        )
        for listed, step, text in told
    ]
    columns = (Column("Step", 20), Column("Agent", 24, drop=1), Column("Reasoning", 30, grow=1))
    return Panel("Reasoning", columns, tuple(rows))
