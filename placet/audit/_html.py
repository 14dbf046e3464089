"""The bundle's report: a case's story for people, as one page without scripts.

It loads nothing and proves nothing: it is made of what the bundle holds, and verifying makes it
again. Whoever wrote a text, it is shown as text (I12).
"""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from placet.audit._context import facts_of
from placet.audit._files import LogFiles
from placet.audit._picture import PICTURE_STYLE, picture
from placet.audit._plainly import plain
from placet.audit._report import spelled
from placet.audit._scene import read_json
from placet.audit._timeline import Moment, timeline
from placet.ledger import Entry, EntryType, decode_entry
from placet.model import CheckpointView, DecisionView, EvidenceItem, Requirement, quantity

REPORT_VERSION = 5
"""Counts up with each change of what the same case looks like."""
_CHECKPOINT_ENDS = {
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (
    """
:root { color-scheme: light; }
body { font: 15px/1.5 Georgia, "Times New Roman", serif; color: #1a1a1a; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .5rem;
  border-bottom: 1px solid #999; } h3 { font-size: 1.05rem; margin: 1.2rem 0 .3rem; }
code, pre, .id { font: 12.5px/1.45 "DejaVu Sans Mono", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; } pre { white-space: pre-wrap; background: #f5f5f2; padding: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem .25rem 0;
  border-bottom: 1px solid #ddd; overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; min-width: 8rem; }
tr.wide td { font-size: .86rem; color: #444; padding-left: 2rem; }
th { font-weight: 600; }
.note { border-left: 4px solid #777; padding: .2rem .8rem; background: #f5f5f2; }
.verdict { font-weight: 700; }
"""
    + PICTURE_STYLE
    + """
@media print { body { margin: 0; max-width: none; font-size: 10.5pt; }
  h2, h3 { break-after: avoid; } tr, .decision, svg { break-inside: avoid; }
  thead { display: table-header-group; } tr.wide { break-before: avoid; }
  pre { font-size: 8.5pt; } a { color: inherit; } }
@page { margin: 18mm 15mm; }
"""
)


def render(files: LogFiles, case: str) -> str:
    """The report of a case, from the files that :func:`placet.audit.only` chose.

    Raises:
        EntryError: an entry is damaged.
    """
    return "".join(_Report(files, case).parts())


class _Report:
    def __init__(self, files: LogFiles, case: str) -> None:
        self._files = files
        self._case = case
        self._moments = list(timeline(files, case))
        self._all = [(index, decode_entry(data)) for index, data in files.numbered()]
        self._own = [(index, entry) for index, entry in self._all if entry.case == case]

    def parts(self) -> Iterator[str]:
        opened = self._first(EntryType.CASE_OPENED)
        subject = (opened.record if opened else None) or self._case
        yield (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{_esc(subject)}: the record of a case</title><style>{_STYLE}</style></head>\n"
            f"<body><h1>{_esc(subject)}</h1>"
            f'<p class="id">{_esc(self._case)}</p>\n'
        )
        yield from self._in_short(opened)
        yield from self._summary(opened)
        yield "<h2>The case at a glance</h2>\n"
        yield picture(self._moments)
        yield from self._seen_and_decided()
        yield from self._allowed()
        yield from self._story()
        yield from self._people()
        yield self._checking()
        yield "</body></html>\n"

    def _first(self, *types: EntryType) -> Entry | None:
        return next((entry for _, entry in self._own if entry.type in types), None)

    # --- what happened ------------------------------------------------------------------------

    def _in_short(self, opened: Entry | None) -> Iterator[str]:
        """The whole story in a few sentences."""
        said: list[str] = []
        if opened is not None:
            process = opened.data.get("process")
            said.append(
                f"{opened.actor} opened this case of {process} on {opened.record}, {_when(opened)}."
            )
        agents = list(
            dict.fromkeys(e.actor for _, e in self._own if e.type is EntryType.GRANT_ISSUED)
        )
        if agents:
            said.append(f"The work was done by {_and(agents)}, each step under a grant of its own.")
        for view in sorted(self._files.checkpoints.values(), key=lambda each: each.opened_at):
            people = [f"{each.operator} ({each.verdict})" for each in view.decisions]
            words = f"decided by {_and(people)}" if people else "decided by nobody"
            end = self._end_of(view)
            said.append(f"At \u201c{view.title}\u201d it was {words}: {end}.")
        refused = sum(e.type is EntryType.GRANT_DENIED for _, e in self._own)
        if refused:
            said.append(f"Denied: {quantity(refused, 'request')} of agents.")
        closed = self._first(EntryType.CASE_CLOSED)
        ended = f"It ended {_when(closed)}: {closed.data.get('result')}." if closed else ""
        said.append(ended or "It has not ended yet.")
        yield f'<p class="note">{_esc(" ".join(said))}</p>\n'

    def _end_of(self, view: CheckpointView) -> str:
        return next(
            (
                f"{entry.data.get('status', entry.type.value.partition('.')[2])}, {_when(entry)}"
                for _, entry in self._own
                if entry.data.get("checkpoint") == view.id and entry.type in _CHECKPOINT_ENDS
            ),
            "still open",
        )

    def _summary(self, opened: Entry | None) -> Iterator[str]:
        closed = self._first(EntryType.CASE_CLOSED)
        sealed = self._first(EntryType.CASE_ARCHIVED)
        rows = []
        if opened is not None:
            process = f"{opened.data.get('process')}, version {opened.data.get('version')}"
            rows += [("Process", process), ("Opened", f"by {opened.actor}, {_when(opened)}")]
        rows.append(
            ("Ended", f"{closed.data.get('result')}, {_when(closed)}" if closed else "not yet")
        )
        rows.append(("History sealed", _when(sealed) if sealed else "not yet"))
        granted = sum(entry.type is EntryType.GRANT_ISSUED for _, entry in self._own)
        denied = sum(entry.type is EntryType.GRANT_DENIED for _, entry in self._own)
        decided = sum(entry.type is EntryType.DECISION_RECORDED for _, entry in self._own)
        rows.append(
            ("In it", f"grants to agents {granted}, denied {denied}, people's decisions {decided}")
        )
        yield _table((), rows)

    def _story(self) -> Iterator[str]:
        yield "<h2>What happened, step by step</h2>\n"
        yield _table(
            ("Entry", "When (UTC)", "Who", "What"),
            ((str(each.index), _clock(each), each.actor, each.text) for each in self._moments),
        )

    # --- what people saw ----------------------------------------------------------------------

    def _seen_and_decided(self) -> Iterator[str]:
        views = sorted(self._files.checkpoints.values(), key=lambda each: (each.opened_at, each.id))
        yield "<h2>What people saw, and what they decided</h2>\n"
        if not views:
            yield "<p>People were not asked.</p>\n"
        for view in views:
            yield from self._checkpoint(view)

    def _checkpoint(self, view: CheckpointView) -> Iterator[str]:
        proposal, asked = view.evidence.proposal, view.requirement
        needs = " and ".join(f"{need.count} {' or '.join(need.roles)}" for need in asked.needs)
        yield f"<h3>{_esc(view.title)}</h3>\n"
        yield _table(
            (),
            [
                ("Asked", f"{_spelled(view.opened_at)}, of {needs or 'nobody'}"),
                ("Not of", _not_of(asked) or "nobody is excluded"),
                ("Proposed amount", _money(proposal.amount, proposal.requested)),
                ("Came to", self._end_of(view)),
            ],
        )
        if proposal.findings:
            yield "<p>Findings:</p>\n"
            yield _table(
                ("Id", "Severity", "Finding"),
                ((each.id, each.severity.value, each.message) for each in proposal.findings),
            )
        for decision in view.decisions:
            yield self._decision(decision)
        if not view.decisions:
            yield "<p>Nobody's decision counted.</p>\n"
        yield "<p>The evidence:</p>\n"
        for item in view.evidence.items:
            yield self._item(item)

    def _decision(self, decision: DecisionView) -> str:
        claims = _claims(decision.jws)
        said = [
            (label, plain(claims[name]))
            for label, name in (
                ("amount", "amount"),
                ("reason", "reason_code"),
                ("exceptions accepted", "exceptions"),
                ("comment", "comment"),
            )
            if claims.get(name)
        ]
        words = "; ".join(f"{label}: {_esc(value)}" for label, value in said)
        return (
            f'<p class="decision"><span class="verdict">{_esc(decision.verdict)}</span> by '
            f"{_esc(decision.operator)}, {_spelled(decision.decided_at)}"
            f"{'; ' if words else ''}{words}"
            f' <span class="id">(decisions/{_esc(decision.jti)}.jws)</span></p>\n'
        )

    def _item(self, item: EvidenceItem) -> str:
        kept = self._files.parts.get(item.digest)
        said = "not in this bundle"
        if kept is not None:
            try:
                said = json.dumps(read_json(kept.content), indent=1, sort_keys=True)
            except ValueError:
                said = kept.content
        return (
            f"<p><b>{_esc(item.name)}</b> of {_esc(item.record)}, left by {_esc(item.agent)} "
            f'under <span class="id">{_esc(item.grant or item.act or "")}</span>:</p>\n'
            f"<pre>{_lines(said)}</pre>\n"
        )

    # --- why it was allowed -------------------------------------------------------------------

    def _allowed(self) -> Iterator[str]:
        yield "<h2>What agents were allowed, and why</h2>\n"
        rows: list[tuple[str, ...]] = []
        for index, entry in self._own:
            if entry.type not in {EntryType.GRANT_ISSUED, EntryType.GRANT_DENIED}:
                continue
            action, record = str(entry.data.get("action")), entry.record or ""
            rows.append((str(index), entry.actor, action, record, _answer(entry)))
            facts = facts_of(self._files, entry)
            if facts:  # many words: below their row, as wide as the page
                rows.append((f"on these facts: {'; '.join(facts)}",))
        yield _table(("Entry", "Agent", "Action", "Record", "Answer"), rows)

    # --- who, and how to check ----------------------------------------------------------------

    def _people(self) -> Iterator[str]:
        yield "<h2>Who took part</h2>\n"
        yield _table(
            ("Who", "Roles", "Enrolled", "Key"),
            (
                (
                    str(entry.data.get("principal")),
                    plain(entry.data.get("roles")),
                    f"by {entry.actor}, {_when(entry)}",
                    _key(entry.data.get("jwk")),
                )
                for _, entry in self._all
                if entry.type is EntryType.KEY_ENROLLED
            ),
        )

    def _checking(self) -> str:
        lines = self._files.head.splitlines()
        size, root = (lines[1], lines[2]) if len(lines) > 2 else ("?", "?")
        return (
            "<h2>How to check this</h2>\n"
            '<p class="note">This page is for reading and proves nothing. The proof is the rest of '
            "the bundle: signed decisions and acts, the ledger's entries with their places in its "
            "tree, and the sealed history. <code>placet audit verify BUNDLE --trust FILE</code> "
            "checks all of it offline, and that this page tells what is in it.</p>\n"
            + _table(
                (),
                [
                    ("Ledger", self._files.origin),
                    ("Signed head", f"of size {size}, root {root}"),
                    ("Entries here", str(len(self._all))),
                ],
            )
        )


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _answer(entry: Entry) -> str:
    if entry.type is EntryType.GRANT_ISSUED:
        return f"permitted by {plain(entry.data.get('policies'))}"
    return f"denied: {plain(entry.data.get('reasons'))}"


def _claims(jws: str) -> Mapping[str, Any]:
    """What a decision says, for reading: verifying is not done here."""
    payload = jws.split(".")[1] if jws.count(".") == 2 else ""
    try:
        claims = read_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode())
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def _key(jwk: Any) -> str:
    return str(jwk.get("kid", "")) if isinstance(jwk, dict) else ""


def _money(amount: object, requested: object) -> str:
    if amount is None:
        return "none"
    return f"{amount}" + (f", of {requested} requested" if requested is not None else "")


def _when(entry: Entry) -> str:
    return _spelled(entry.time)


def _spelled(moment: datetime) -> str:
    """A time as people read it, to the second; the ledger has it to the microsecond."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _clock(moment: Moment) -> str:
    return moment.time.replace("T", " ").removesuffix("Z")


def _table(head: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A table; without a head, each row's first cell is its name. A row of one cell is wide."""
    names = "".join(f"<th>{_esc(each)}</th>" for each in head)
    top = f"<thead><tr>{names}</tr></thead>\n" if names else ""
    body = "".join(
        _wide(row[0], len(head)) if head and len(row) == 1 else _row(row, named=not head)
        for row in rows
    )
    return f"<table>{top}<tbody>{body}</tbody></table>\n"


def _row(row: tuple[str, ...], *, named: bool) -> str:
    cells = (_cell(each, head=named and at == 0) for at, each in enumerate(row))
    return f"<tr>{''.join(cells)}</tr>\n"


def _wide(text: str, columns: int) -> str:
    """A row of one cell, as wide as the table: what belongs to the row above it."""
    return f'<tr class="wide"><td colspan="{columns}">{_esc(text)}</td></tr>\n'


def _cell(text: str, *, head: bool) -> str:
    return f"<th>{_esc(text)}</th>" if head else f"<td>{_esc(text)}</td>"


def _lines(text: str) -> str:
    """A text of several lines, each harmless."""
    return "\n".join(_esc(line) for line in text.split("\n"))


def _not_of(asked: Requirement) -> str:
    """Who may not decide: by their id, or by the name that a document gives them."""
    named = {f"whoever is {each.name}" for each in asked.named}
    return ", ".join(sorted({*(each.person for each in asked.excluded), *named}))


def _esc(text: str) -> str:
    """A text as any browser shows it: as text, its control and format characters spelled out."""
    return html.escape(spelled(text), quote=True)
