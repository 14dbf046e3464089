"""What a case's screen shows, as panels: rows under labels, and a closer look at each row. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from placet.cli import files_of
from placet.model import CheckpointStatus, CheckpointView, Compared, DecisionView, Finding, Severity
from tui import words
from tui.answers import CaseFile, word_of
from tui.charts import Chart, legend, picture, signed
from tui.evidence import (
    Bars,
    Document,
    Row,
    Shown,
    Table,
    Value,
    documents,
    place_words,
    sections,
)
from tui.said import Piece
from tui.text import harmless
from tui.widgets.table import Cell, Column

SEVERITY = {
    Severity.BLOCKING: ("● blocking", "bad"),
    Severity.WARNING: ("▲ warning", "warn"),
    Severity.INFO: ("· info", "muted"),
}
_BAR = 28
_WIDEST = 40
_LEAST = 14


@dataclass(frozen=True)
class PanelRow:
    """One row: its cells, what a closer look says, and the places that it cites.

    ``item`` names it where amounts may be taken off, ``attached`` the act that attached its file.
    """

    cells: tuple[Cell, ...]
    look: tuple[Piece, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    item: str = ""
    attached: str = ""


@dataclass(frozen=True)
class Panel:
    """A title, its rows, and how many of them want a look."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[PanelRow, ...]
    marked: int = 0
    tone: str = "bad"
    nothing: str = ""


def panels(file: CaseFile, now: datetime) -> list[Panel]:
    """All panels of a checkpoint that need nothing but its file."""
    findings = file.checkpoint.evidence.proposal.findings
    view = file.checkpoint
    shown: list[Panel] = [findings_panel(findings), asked_panel(file, now)]
    if view.unusual:
        shown.append(unusual_panel(view))
    if view.remarks:
        shown.append(said_panel(view, now))
    if file.definition is not None:
        described = sections(file.definition, file.parts, findings)
        shown += [_panel(each) for each in described]
    named = files_of(file.definition.presentation, file.parts) if file.definition else ()
    read = documents(file.parts, findings, tuple(each.name for each in named))
    if read:
        shown.append(documents_panel(read))
    return [*shown, evidence_panel(file.checkpoint)]


def findings_panel(findings: Sequence[Finding]) -> Panel:
    """The findings, the worst first."""
    order = list(Severity)[::-1]
    ranked = sorted(findings, key=lambda each: order.index(each.severity))
    differ = any(each.difference for each in findings)
    rows = [
        PanelRow(
            (
                Cell(*SEVERITY[each.severity]),
                Cell(harmless(each.message)),
                *((Cell(harmless(each.difference or "")),) if differ else ()),
                Cell(each.check, "muted"),
            ),
            tuple(finding_look(each)),
            tuple((side.place.document, side.place.spot) for side in each.compared),
        )
        for each in ranked
    ]
    weighty = sum(each.severity is Severity.BLOCKING for each in findings)
    columns = (
        Column("Weight", 10),
        Column("What was found", 30, grow=1),
        *((Column("Difference", 14, right=True, drop=2),) if differ else ()),
        Column("Check", max([5, *(len(each.check) for each in findings)]), drop=1),
    )
    return Panel(
        "Findings",
        columns,
        tuple(rows),
        weighty or len(rows),
        "bad" if weighty else "warn",
        "No finding: every check passed.",
    )


def finding_look(finding: Finding) -> Iterable[Piece]:
    """A finding with both values, the difference, and where each stands."""
    sign, tone = SEVERITY[finding.severity]
    yield (f"{sign}  ", tone)
    yield (f"{harmless(finding.message)}\n", "strong")
    for side in finding.compared:
        yield from _side(side)
    if finding.difference:
        yield ("  difference  ", "muted")
        yield (f"{harmless(finding.difference)}\n", tone)
    if finding.severity is Severity.BLOCKING:
        yield ("  who approves must accept it as an exception\n", "warn")
    yield (f"  {finding.id}", "muted")


def _side(side: Compared) -> Iterable[Piece]:
    yield (f"  {harmless(side.label)}  ", "muted")
    yield (harmless(side.value), "strong")
    yield (f"  in {place_words(side.place)}\n", "accent")


def asked_panel(file: CaseFile, now: datetime) -> Panel:
    """What policy asks, what was decided, and what is missing."""
    view = file.checkpoint
    asked = view.requirement
    sign = words.currency(file.definition)
    proposal = view.evidence.proposal
    left, tone = words.time_left(view.deadline, now)
    lines: list[tuple[str, str, str]] = [
        ("Status", view.status.value, "plain"),
        *(
            (label, words.money(amount, sign), tone)
            for label, amount, tone in (
                ("Amount", proposal.amount, "strong"),
                ("Requested", proposal.requested, "plain"),
            )
            if amount is not None
        ),
        ("Open until", f"{words.clock(view.deadline)} ({left})", tone),
    ]
    lines += [
        ("Asks", f"{need.count} × {' or '.join(need.roles)}", "plain") for need in asked.needs
    ]
    if asked.decided_by is not None:
        alone = f"{words.person(asked.decided_by)} alone, or who stands in for them"
        lines.append(("Decided by", alone, "strong"))
    lines += [("Independent of", words.person(each), "plain") for each in asked.not_all_of]
    lines += [
        (
            "May not decide",
            f"{words.person(each.person)}: {each.why.value.replace('_', ' ')} {each.of or ''}",
            "warn",
        )
        for each in asked.excluded
    ]
    lines += [
        ("May not decide", f"whoever is {each.name}: {each.why.value}", "warn")
        for each in asked.named
    ]
    lines += [("Exception to accept", each, "bad") for each in asked.exceptions]
    lines += [
        (
            "Decided",
            f"{words.person(each.operator)}{_for(each)}: {each.verdict}, "
            f"{words.ago(each.decided_at, now)}",
            "good",
        )
        for each in view.decisions
    ]
    lines += [("Still missing", each, "warn") for each in view.missing]
    rows = [
        PanelRow(
            (Cell(label, "muted"), Cell(harmless(text), "plain" if tone == "strong" else tone)),
            ((f"{label}: ", "muted"), harmless(text)),
        )
        for label, text, tone in lines
    ]
    columns = (Column("", 19), Column("", 30, grow=1))
    return Panel("What is asked", columns, tuple(rows), len(view.missing), "warn")


def _for(word: DecisionView) -> str:
    return f" for {words.person(word.stands_in_for)}" if word.stands_in_for else ""


def _panel(shown: Shown) -> Panel:
    match shown:
        case Table():
            return _table(shown)
        case Bars():
            return _bars(shown)
        case Chart():
            return _chart(shown)


def _table(table: Table) -> Panel:
    columns = [Column("", 1), *_columns(table)]
    rows = [_row(table, each) for each in table.rows]
    marked = [finding for row in table.rows for finding in row.marks]
    worst = any(each.severity is Severity.BLOCKING for each in marked)
    count = sum(bool(row.marks) for row in table.rows)
    tone = "bad" if worst else "warn"
    return Panel(table.title, tuple(columns), tuple(rows), count, tone, table.nothing)


def _columns(table: Table) -> Iterable[Column]:
    for at, label in enumerate(table.labels):
        longest = max((len(row.values[at].text) for row in table.rows), default=0)
        widest = longest if table.fields else _WIDEST  # a field's value has the line to itself
        width = min(widest, max(len(label), longest, 3))
        # The first columns say which row it is: they are the last to go, and words the first to
        # shrink.
        rank = table.ranks[at] if table.ranks else 0
        drop = 100 * rank + at if at > 1 else 0
        least = width if at == 0 or table.numbers[at] else min(width, _LEAST)
        grow = 1 if least < width else 0
        yield Column(label, least, grow, right=table.numbers[at], drop=drop, most=width)


def _row(table: Table, row: Row) -> PanelRow:
    worst = _worst(row.marks)
    sign, tone = ("", "plain") if worst is None else (SEVERITY[worst][0][0], SEVERITY[worst][1])
    cells = [Cell(sign, tone)]
    for value in row.values:
        hit = any(
            value.place == (s.place.document, s.place.spot) for f in row.marks for s in f.compared
        )
        cells.append(Cell(value.text, tone if hit else "plain"))
    look: list[Piece] = []
    longest = max(len(label) for label in table.labels)
    widest = max((len(value.text) for value in row.values), default=0)
    if table.fields:
        name, value = row.values
        look += _value_look(name.text, value, len(value.text))
    else:
        for label, value in zip(table.labels, row.values, strict=True):
            if value.text:
                look += _value_look(label.ljust(longest), value, min(_WIDEST, widest))
    for finding in row.marks:
        look.append("\n")
        look += finding_look(finding)
    read = [value.place for value in row.values if value.place]
    wrong = [
        place
        for finding in row.marks
        for side in finding.compared
        if (place := (side.place.document, side.place.spot)) in read
    ]
    return PanelRow(tuple(cells), tuple(look), tuple(dict.fromkeys([*wrong, *read])), row.item)


def _value_look(label: str, value: Value, width: int) -> Iterable[Piece]:
    """A line: what it is, the value, and where it was read."""
    if label:
        yield (f"{label}  ", "muted")
    yield (value.text.rjust(width) if value.number else value.text.ljust(width), "strong")
    if value.place:
        yield (f"  {harmless(value.place[1] or value.place[0])}", "accent")
    yield "\n"


def _worst(findings: Iterable[Finding]) -> Severity | None:
    found = {each.severity for each in findings}
    return next((each for each in list(Severity)[::-1] if each in found), None)


def _bars(chart: Bars) -> Panel:
    rows = [
        PanelRow(
            (
                Cell(each.label),
                Cell(each.text),
                Cell("█" * round(each.share * _BAR) or "▏", "accent"),
            ),
            ((f"{each.label}  ", "muted"), (each.text, "strong")),
        )
        for each in chart.bars
    ]
    columns = (
        Column("", max((len(each.label) for each in chart.bars), default=3)),
        Column("", max((len(each.text) for each in chart.bars), default=3), right=True),
        Column("", _BAR),
    )
    return Panel(chart.title, columns, tuple(rows))


def _chart(shown: Chart) -> Panel:
    rows = []
    for point in shown.points:
        amounts = [Cell(text) for text in point.texts]
        look: list[Piece] = [(f"{point.label}\n", "head")]
        for series, text in zip(shown.series, point.texts, strict=True):
            look += [(f"{series.label}  ", "muted"), (f"{text or 'not known'}\n", "strong")]
        look.append((legend(shown.series), "accent"))
        drawn = Cell(picture(point, shown.series, _BAR), "accent")
        rows.append(PanelRow((Cell(point.label), drawn, *amounts), tuple(look)))
    widths = [
        max(len(label), *(len(each.texts[at]) for each in shown.points))
        for at, label in enumerate(signed(shown.series))
    ]
    columns = (
        Column("", max(len(each.label) for each in shown.points)),
        Column("", _BAR),
        *(
            Column(label, width, right=True, drop=at)
            for at, (label, width) in enumerate(zip(signed(shown.series), widths, strict=True), 1)
        ),
    )
    return Panel(shown.title, columns, tuple(rows))


def documents_panel(found: Sequence[Document]) -> Panel:
    """Every document as what was read from it, place by place."""
    rows: list[PanelRow] = []
    marked = 0
    for document in found:
        name = harmless(document.name)
        rows.append(
            PanelRow(
                (Cell("", "plain"), Cell(name, "accent"), Cell(""), Cell("")),
                ((name, "head"), f"\n{len(document.readings)} values were read from it."),
                ((document.name, ""),),
            )
        )
        for each in document.readings:
            findings = document.marks.get(each.spot, ())
            worst = _worst(findings)
            sign, tone = (
                ("", "plain") if worst is None else (SEVERITY[worst][0][0], SEVERITY[worst][1])
            )
            marked += bool(findings)
            look: list[Piece] = [
                (f"{name}, {harmless(each.spot)}\n", "accent"),
                f"{each.name}: ",
                (each.text, "strong"),
            ]
            for finding in findings:
                look.append("\n")
                look += finding_look(finding)
            rows.append(
                PanelRow(
                    (
                        Cell(sign, tone),
                        Cell(f"  {harmless(each.spot)}", tone),
                        Cell(each.name, "muted"),
                        Cell(each.text, tone),
                    ),
                    tuple(look),
                    ((document.name, each.spot),),
                )
            )
        for spot in document.unread:
            findings = document.marks[spot]
            worst = _worst(findings)
            assert worst is not None
            sign, tone = SEVERITY[worst][0][0], SEVERITY[worst][1]
            marked += 1
            look = []
            for finding in findings:
                look += [*finding_look(finding), "\n"]
            rows.append(
                PanelRow(
                    (
                        Cell(sign, tone),
                        Cell(f"  {harmless(spot)}", tone),
                        Cell("a finding", "muted"),
                        Cell(harmless(findings[0].message), tone),
                    ),
                    tuple(look),
                    ((document.name, spot),),
                )
            )
    columns = (
        Column("", 1),
        Column("Document and place", 26, grow=1),
        Column("Read as", 18, drop=1),
        Column("Value", 20, grow=1),
    )
    return Panel("Documents", columns, tuple(rows), marked)


def evidence_panel(view: CheckpointView) -> Panel:
    """What the evidence is made of, and under which grant each part was produced."""
    rows = [
        PanelRow(
            (
                Cell(each.name),
                Cell(each.record),
                Cell(words.person(each.agent)),
                Cell(each.digest, "muted"),
            ),
            (
                (f"{each.name} of {each.record}\n", "strong"),
                f"by {each.agent} under {each.grant}\n",
                (each.digest, "muted"),
            ),
        )
        for each in view.evidence.items
    ]
    columns = (
        Column("Part", 14),
        Column("Record", 20, grow=1),
        Column("By", 18),
        Column("Digest", 24, grow=2, drop=1),
    )
    return Panel("Evidence", columns, tuple(rows))


def my_word(file: CaseFile) -> tuple[str, str]:
    """What my word would do here, and how it weighs."""
    view, mine = file.checkpoint, file.prospect
    if view.status is not CheckpointStatus.OPEN:
        return f"This has ended: {view.status.value}.", "muted"
    said = word_of(view, mine.operator)
    if said is not None:
        back = "; you can withdraw it while this is open" if mine.may_withdraw else ""
        return f"You have said {said}{back}.", "good"
    if not mine.may_approve:
        why = "; ".join(mine.needed or mine.reasons) or "your word would not count"
        return f"You may not approve this: {why}.".replace("_", " "), "warn"
    if mine.then is CheckpointStatus.APPROVED:
        return "Your approval would be the last: the case goes on.", "warn"
    still = "; ".join(mine.missing)
    return f"Your approval counts; then still missing: {still}.", "good"


def said_panel(view: CheckpointView, now: datetime) -> Panel:
    """What people said about it, and what they attached."""
    rows = []
    for each in view.remarks:
        text = each.text if each.text is not None else f"attached {each.name} ({each.size} bytes)"
        rows.append(
            PanelRow(
                (
                    Cell(words.person(each.operator), "accent"),
                    Cell(words.ago(each.at, now), "muted"),
                    Cell(harmless(text)),
                ),
                (
                    (f"{words.person(each.operator)}\n", "head"),
                    harmless(text, lines=True),
                    ("\nv reads it, and opens it in a viewer" if each.name else "", "muted"),
                ),
                attached=each.act if each.name else "",
            )
        )
    columns = (Column("Who", 12), Column("When", 14, drop=1), Column("What", 30, grow=1))
    return Panel("Comments", columns, tuple(rows), len(rows), "accent")


_UNUSUAL = {"added_by_matrix": "the matrix asks more", "blocking": "blocking finding"}


def unusual_panel(view: CheckpointView) -> Panel:
    """What is not as it mostly is: what to read first."""
    rows = [
        PanelRow(
            (
                Cell(_UNUSUAL.get(each.kind, harmless(each.kind.replace("_", " "))), "warn"),
                Cell(harmless(each.text)),
            ),
            (harmless(each.text),),
        )
        for each in view.unusual
    ]
    return Panel(
        "Unusual", (Column("What", 22), Column("", 30, grow=1)), tuple(rows), len(rows), "warn"
    )
