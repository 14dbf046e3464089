"""The panels of a checkpoint: what is asked, what is shown, and what people said. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from placet.cli import files_of
from placet.model import CheckpointStatus, CheckpointView, DecisionView, Requirement, quantity
from tui import words
from tui.answers import CaseFile, word_of
from tui.documents_panel import documents_panel
from tui.evidence import documents, sections
from tui.findings import findings_panel
from tui.panels import Panel, PanelRow
from tui.said import Piece
from tui.section_panels import section_panel
from tui.text import harmless
from tui.widgets.table import Cell, Column


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
        shown += [section_panel(each) for each in described]
    named = files_of(file.definition.presentation, file.parts) if file.definition else ()
    read = documents(file.parts, findings, tuple(each.name for each in named))
    if read:
        shown.append(documents_panel(read))
    return [*shown, evidence_panel(file.checkpoint)]


def ticking(file: CaseFile, now: datetime) -> list[Panel]:
    """Those that read otherwise as time goes by."""
    remarks = [said_panel(file.checkpoint, now)] if file.checkpoint.remarks else []
    return [asked_panel(file, now), *remarks]


def asked_panel(file: CaseFile, now: datetime) -> Panel:
    """What policy asks, what was decided, and what is missing."""
    view = file.checkpoint
    rows = [
        PanelRow(
            (Cell(label, "muted"), Cell(harmless(text), "plain" if tone == "strong" else tone)),
            ((f"{label}: ", "muted"), harmless(text)),
        )
        for label, text, tone in _asked(file, now)
    ]
    columns = (Column("", 19), Column("", 30, grow=1))
    return Panel("What is asked", columns, tuple(rows), len(view.missing), "warn")


def _asked(file: CaseFile, now: datetime) -> Iterable[tuple[str, str, str]]:
    """The panel's lines: what each is, what it says, and its tone."""
    view, sign = file.checkpoint, words.currency(file.definition)
    proposal = view.evidence.proposal
    yield "Status", view.status.value, "plain"
    if view.erased:
        yield "Erased", "what people saw, and why they decided so, is gone", "warn"
    if file.emergency is not None:
        yield "Emergency", words.emergency_words(file.emergency), "warn"
    if proposal.amount is not None:
        yield "Amount", words.money(proposal.amount, sign), "strong"
    if proposal.requested is not None:
        yield "Requested", words.money(proposal.requested, sign), "plain"
    left, tone = words.time_left(view.deadline, now)
    yield "Open until", f"{words.clock(view.deadline)} ({left})", tone
    yield from _of_whom(view.requirement)
    for word in view.decisions:
        by = f"{words.person(word.operator)}{_for(word)}"
        told = f"; {word.said}" if word.said else ""
        yield "Decided", f"{by}: {word.verdict}, {words.ago(word.decided_at, now)}{told}", "good"
        for taken in word.accepted:
            why = f"{words.person(word.operator)} accepts {taken.finding}: {taken.reason}"
            yield "Accepted", why, "warn"
    for each in view.missing:
        yield "Still missing", each, "warn"


def _of_whom(asked: Requirement) -> Iterable[tuple[str, str, str]]:
    for need in asked.needs:
        yield "Asks", f"{need.count} × {' or '.join(need.roles)}", "plain"
    if asked.decided_by is not None:
        alone = f"{words.person(asked.decided_by)} alone, or who stands in for them"
        yield "Decided by", alone, "strong"
    for person in asked.not_all_of:
        yield "Independent of", words.person(person), "plain"
    for out in asked.excluded:
        yield "May not decide", words.hand_words(out), "warn"
    for hand in asked.named:
        yield "May not decide", f"whoever is {hand.name}: {hand.why.value}", "warn"
    for finding in asked.exceptions:
        yield "Exception to accept", finding, "bad"


def _for(word: DecisionView) -> str:
    return f" for {words.person(word.stands_in_for)}" if word.stands_in_for else ""


def unusual_panel(view: CheckpointView) -> Panel:
    """What is not as it mostly is: what to read first."""
    rows = [
        PanelRow(
            (
                Cell(harmless(each.heading), "warn"),
                Cell(harmless(each.text)),
            ),
            (harmless(each.text),),
        )
        for each in view.unusual
    ]
    return Panel(
        "Unusual", (Column("What", 22), Column("", 30, grow=1)), tuple(rows), len(rows), "warn"
    )


def said_panel(view: CheckpointView, now: datetime) -> Panel:
    """What people said about it, and what they attached."""
    rows = []
    for each in view.remarks:
        text = (
            each.text
            if each.text is not None
            else f"attached {each.name} ({quantity(each.size or 0, 'byte')})"
        )
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


def around(file: CaseFile) -> Iterator[Piece]:
    """What else to know before a word: an emergency, a hold, and who says that they see to it."""
    held, claim = file.case.held_on, file.checkpoint.claim
    if file.emergency is not None:
        yield f"▲ Emergency {harmless(words.emergency_words(file.emergency))}\n", "warn"
    if held is not None:
        yield f"{harmless(words.hold_words(held))}\n", "bad"
    if claim is not None and file.checkpoint.status is CheckpointStatus.OPEN:
        who = "you" if claim.operator == file.prospect.operator else words.person(claim.operator)
        yield f"Claimed by {who}.  ", "accent"


def my_word(file: CaseFile, now: datetime) -> tuple[str, str]:
    """What my word would do here, and how it weighs."""
    view, mine = file.checkpoint, file.prospect
    if view.status is not CheckpointStatus.OPEN:
        anew = "" if view.replaced_by is None else " People are asked anew: n leads there."
        return f"This has ended: {view.status.value}.{anew}", "warn" if anew else "muted"
    if view.deadline <= now:
        return "Its time is over: nobody decides here any more.", "bad"
    said = word_of(view, mine.operator)
    if said is not None:
        back = "; you can withdraw it while this is open" if mine.may_withdraw else ""
        return f"You have said {said}{back}.", "good"
    if not mine.may_approve:
        why = "; ".join(mine.needed) or "your word would not count"
        return f"You may not approve this: {why}.", "warn"
    if mine.then is CheckpointStatus.APPROVED:
        return "Your approval would be the last: the case goes on.", "warn"
    still = "; ".join(mine.missing)
    return f"Your approval counts; then still missing: {still}.", "good"
