"""A case's story as steps that can be walked: of a flight, or of the ledger alone. Pure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from tui import words
from tui.answers import Listed
from tui.said import Piece
from tui.story import entry_look, entry_words, type_tone
from tui.text import harmless, set_off

if TYPE_CHECKING:
    from placet.audit import Changed, DecisionFrame, Flight, Frame, GrantFrame

_LONGEST = 300
_TASK = "workflow task"
_KINDS = {
    "workflow execution started": "case started",
    "workflow execution completed": "case ended",
    "workflow execution signaled": "signal",
}


@dataclass(frozen=True)
class Step:
    """One step: when, what, how it weighs, and a closer look. ``kinds`` are what is jumped to."""

    time: str
    what: str
    detail: str
    tone: str
    look: tuple[Piece, ...]
    kinds: frozenset[str] = frozenset()

    @property
    def alike(self) -> str:
        """What is the same in another case that went the same way."""
        return f"{self.what}  {self.detail}"


def of_ledger(entries: Sequence[Listed]) -> list[Step]:
    """The ledger's entries of a case as steps."""
    return [_of_entry(each) for each in entries]


def _of_entry(listed: Listed) -> Step:
    entry = listed.entry
    if entry is None:
        return Step("", "damaged entry", "", "bad", entry_look(listed), frozenset({"trouble"}))
    kind = entry.type.value
    return Step(
        f"{entry.time.astimezone():%H:%M:%S}",
        kind,
        harmless(f"{words.person(entry.actor)}  {entry_words(entry)}"),
        type_tone(kind),
        entry_look(listed),
        frozenset(_kinds(kind)),
    )


def _kinds(kind: str) -> Iterator[str]:
    if kind.startswith(("checkpoint.", "decision.")):
        yield "checkpoint"
    if kind.endswith((".denied", ".refused", ".leaked", ".alarm", ".stopped", ".lost")):
        yield "trouble"


def of_flight(flight: "Flight") -> list[Step]:
    """A recording's frames as steps."""
    return [_of_frame(each) for each in flight.frames]


def _of_frame(frame: "Frame") -> Step:
    denied = any(not each.permitted for each in frame.grants)
    failed = frame.type.endswith(("failed", "timed_out")) or bool(frame.troubles)
    kinds = {kind for moment in frame.ledger for kind in _kinds(moment.type)}
    kinds |= {"trouble"} if denied or failed else set()
    kinds |= {"change"} if frame.changes else set()
    kinds |= {"checkpoint"} if frame.decisions else set()
    tone = "bad" if "trouble" in kinds else "accent" if "checkpoint" in kinds else "plain"
    kind = frame.type.replace("_", " ")
    said = harmless(frame.what.removeprefix(kind).removeprefix(": "))
    own = kind.startswith(_TASK)  # Temporal's own: the workflow is asked what comes next
    return Step(
        frame.time[11:19],
        _TASK if own else _KINDS.get(kind, kind.replace("activity task", "step")),
        f"{kind.removeprefix(_TASK).strip()} {said}".strip() if own else said,
        "muted" if tone == "plain" and own else tone,
        tuple(_look(frame)),
        frozenset(kinds),
    )


def _look(frame: "Frame") -> Iterable[Piece]:
    yield (f"event {frame.event}  {frame.type.replace('_', ' ')}\n", "head")
    yield f"{harmless(frame.what)}\n"
    yield (f"{frame.time}", "muted")
    if frame.causes:
        yield (f"  because of event {', '.join(str(each) for each in frame.causes)}", "muted")
    yield "\n"
    for mark in frame.marks:
        yield (f"▲ {harmless(mark)}\n", "warn")
    for trouble in frame.troubles:
        yield (f"● does not hold: {harmless(trouble.name)}: {harmless(trouble.found)}\n", "bad")
    if frame.changes:
        yield ("\nState\n", "head")
        for each in frame.changes:
            yield from _diff(each)
    for grant in frame.grants:
        yield from _grant(grant)
    for decision in frame.decisions:
        yield from _decision(decision)
    if frame.ledger:
        yield ("\nOn the ledger\n", "head")
        for moment in frame.ledger:
            yield (f"  {moment.index:>5}  ", "muted")
            yield (f"{moment.type:20} ", type_tone(moment.type))
            yield f"{harmless(moment.text)}\n"


def _diff(change: "Changed") -> Iterable[Piece]:
    before, after = _short(change.before), _short(change.after)
    yield (f"  {harmless(change.name)}\n", "strong")
    if before != "null":
        yield (f"  - {before}\n", "bad")
    if after != "null":
        yield (f"  + {after}\n", "good")


def _short(value: object) -> str:
    text = harmless(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _grant(grant: "GrantFrame") -> Iterable[Piece]:
    yield ("\nGrant\n" if grant.permitted else "\nDenied\n", "head" if grant.permitted else "bad")
    yield f"  {harmless(words.person(grant.agent))} {harmless(grant.action)} at "
    yield f"{harmless(grant.system)}, {harmless(grant.record)}, attempt {grant.attempt}\n"
    for each in grant.why:
        yield (
            f"  {'permitted by' if grant.permitted else 'because'} {harmless(each)}\n",
            "good" if grant.permitted else "bad",
        )
    if grant.outcome:
        yield (f"  ended: {harmless(grant.outcome)}\n", "muted")
    if grant.reasoning:
        yield f"  reasoning: {set_off(grant.reasoning)}\n"
    for trouble in grant.troubles:
        yield (f"  ● does not hold: {harmless(trouble.found)}\n", "bad")


def _decision(decision: "DecisionFrame") -> Iterable[Piece]:
    yield ("\nDecision\n", "head")
    yield f"  {words.person(decision.operator)}: {decision.verdict}"
    yield f" {decision.amount}" if decision.amount else ""
    yield f" as {', '.join(decision.roles)}\n"
    holds = decision.signature == "valid"
    yield (
        f"  {'✓' if holds else '●'} signature {harmless(decision.signature)}\n",
        "good" if holds else "bad",
    )
    said = ": ".join(filter(None, (decision.reason_code, decision.comment)))
    if said:
        yield f"  {set_off(said)}\n"
    yield from (f"  accepts {harmless(each)}\n" for each in decision.exceptions)


def of_process(steps: Sequence[Step]) -> list[Step]:
    """The steps that the process asked for; how often Temporal asked it says nothing."""
    return [each for each in steps if each.what != _TASK]


def find(steps: Sequence[Step], kind: str, at: int, by: int) -> int:
    """The next step of a kind in a direction; the same one if there is none."""
    places = range(at + 1, len(steps)) if by > 0 else range(at - 1, -1, -1)
    return next((each for each in places if kind in steps[each].kinds), at)


def side_by_side(
    left: Sequence[Step], right: Sequence[Step]
) -> list[tuple[Step | None, Step | None]]:
    """Two stories aligned: the same things on one line, what only one has beside nothing."""
    matcher = SequenceMatcher(
        None, [each.alike for each in left], [each.alike for each in right], autojunk=False
    )
    made: list[tuple[Step | None, Step | None]] = []
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        made += [
            (
                left[i1 + at] if i1 + at < i2 else None,
                right[j1 + at] if j1 + at < j2 else None,
            )
            for at in range(max(i2 - i1, j2 - j1))
        ]
    return made


def same_step(pair: tuple[Step | None, Step | None]) -> bool:
    """Whether both cases have this line."""
    left, right = pair
    return left is not None and right is not None and left.alike == right.alike
