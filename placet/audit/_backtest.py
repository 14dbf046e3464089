"""Policy, asked again: what recorded decisions would have been under other policies.

1. Each decision is asked again of the policies that it was made with; it must come out the same.
2. Then, if its case is one of those to be tried, of the proposed ones, on the very facts that were
   kept. Unless told otherwise that is every case: one set of policies is in force for all.

The entries are taken as they are: :func:`placet.audit.verify` says whether they are the log's.
What would have come of a changed answer later in its case is not told: its facts never were.
"""

from datetime import datetime

from placet.audit._decisions import decided_again
from placet.audit._files import LogFiles
from placet.audit._report import Collector, Trouble, spelled
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryError, EntryType, decode_entry
from placet.model import Model, UtcTime
from placet.rules import Denied, LoadedPolicies, Permitted, PolicyRequest, decide

_DECISIONS = {EntryType.GRANT_ISSUED: True, EntryType.GRANT_DENIED: False}


class Change(Model):
    """One decision that would be another: the grant that was asked for, before, after and why."""

    entry: int
    time: UtcTime
    case: str
    agent: str
    action: str
    record: str
    before: str
    before_policies: tuple[str, ...]
    after: str
    after_policies: tuple[str, ...]
    why: str


class Backtest(Model):
    """How many decisions were asked again, what did not come out the same, what would change.

    ``recorded`` were asked of their own policies, ``proposed`` of the proposed ones, too;
    ``other_reasons`` of these would have the same answer by other policies.
    """

    recorded: int
    proposed: int
    troubles: tuple[Trouble, ...]
    changes: tuple[Change, ...]
    other_reasons: int

    @property
    def holds(self) -> bool:
        """Whether each decision comes out the same under its own policies."""
        return not self.troubles


def backtest(
    files: LogFiles,
    process: str | None,
    proposed: LoadedPolicies,
    since: datetime | None = None,
) -> Backtest:
    """Ask every recorded decision again, from a time on.

    Args:
        files: the log, with the published policies and the decisions' kept contexts.
        process: try the proposed on this process's cases alone; decisions in those of others are
            then asked of their own policies and no more.
        proposed: the policies to try.
        since: leave out decisions before.
    """
    collector = Collector()
    scene = Scene(files, collector)
    cases: set[str] = set()
    changes: list[Change] = []
    recorded = asked = other = 0
    for index, data in files.numbered():
        scene.place = f"entry {index}"
        try:
            entry = decode_entry(data)
        except EntryError as error:
            scene.trouble("log", str(error))
            continue
        tried = process is None or entry.data.get("process") == process
        if entry.type is EntryType.CASE_OPENED and tried:
            cases.add(entry.case or "")
        permitted = _DECISIONS.get(entry.type)
        early = since is not None and entry.time < since
        if permitted is None or early or "context_digest" not in entry.data:
            continue
        recorded += 1
        question = decided_again(scene, entry, permitted=permitted)
        if question is None or entry.case not in cases:
            continue
        asked += 1
        answer = decide(proposed, question)
        if isinstance(answer, Permitted) is not permitted:
            changes.append(_change(index, entry, question, answer))
        elif list(answer.policies) != entry.data.get("policies"):
            other += 1
    return Backtest(
        recorded=recorded,
        proposed=asked,
        troubles=collector.report().troubles,
        changes=tuple(changes),
        other_reasons=other,
    )


def _change(
    index: int, entry: Entry, question: PolicyRequest, answer: Permitted | Denied
) -> Change:
    named = entry.data.get("policies")
    return Change(
        entry=index,
        time=entry.time,
        case=entry.case or "",
        agent=entry.actor,
        action=question.action,
        record=question.record,
        before="permitted" if isinstance(answer, Denied) else "denied",
        before_policies=tuple(map(str, named)) if isinstance(named, list) else (),
        after="denied" if isinstance(answer, Denied) else "permitted",
        after_policies=answer.policies,
        why=_why(answer),
    )


def _why(answer: Permitted | Denied) -> str:
    if isinstance(answer, Permitted):
        return f"permitted by {', '.join(answer.policies)}"
    return spelled("; ".join((answer.explanation, *answer.errors)))
