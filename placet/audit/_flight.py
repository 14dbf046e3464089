"""The flight recorder: a case's history as a sequence of frames that can be stepped through.

A frame is one event: what caused it, the workflow's state before and after, the grants under which
it was done with their policies and the agent's words, people's decisions and whether their
signatures hold. It is made from a replay and the ledger; nothing is asked of the process.
"""

from collections.abc import Iterator

from pydantic import Field, JsonValue

from placet.audit._report import Report, Trouble
from placet.audit._states import State
from placet.audit._timeline import Moment
from placet.model import Model


class Changed(Model):
    """One name of the state before and after an event; ``None`` where it was, or is, not there."""

    name: str
    before: JsonValue = None
    after: JsonValue = None


class GrantFrame(Model):
    """A grant that an agent got or was denied for a step, and what came of it.

    ``why`` are the policies that permitted it, or the reasons of the denial; ``facts`` what the
    policies were asked about. ``troubles`` says what of it does not hold when checked again.
    """

    entry: int
    grant: str | None
    permitted: bool
    agent: str
    action: str
    system: str
    record: str
    attempt: int
    why: tuple[str, ...]
    facts: tuple[str, ...] = ()
    outcome: str | None = None
    reasoning: str | None = None
    troubles: tuple[Trouble, ...] = ()


class DecisionFrame(Model):
    """A person's decision. ``signature``: ``valid``, or what is wrong with it."""

    entry: int
    decision: str
    checkpoint: str
    operator: str
    roles: tuple[str, ...]
    verdict: str
    time: str
    signature: str
    amount: str | None = None
    reason_code: str | None = None
    comment: str | None = None
    exceptions: tuple[str, ...] = ()


class Frame(Model):
    """One event of a history, and everything that belongs to it.

    ``causes`` are the events that led to it; ``changes`` is what it changed in the state, and
    ``state`` the state after it. Code runs when a workflow task completes, so that all else leaves
    the state as it was. ``ledger`` is what the ledger says of the case since the frame before.
    ``marks`` name what changed how the case ran: a reset, a pause, skipped time and the like.
    """

    run: str
    event: int
    time: str
    type: str
    what: str
    causes: tuple[int, ...] = ()
    changes: tuple[Changed, ...] = ()
    state: State = Field(default_factory=dict)
    grants: tuple[GrantFrame, ...] = ()
    decisions: tuple[DecisionFrame, ...] = ()
    ledger: tuple[Moment, ...] = ()
    marks: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class Flight(Model):
    """The recording of one case: its frames in order, and what its replay has found.

    Step through ``frames`` by their index; the methods jump to the next one of a kind, from an
    index on, and give the same index where there is none.
    """

    case: str
    process: str
    workflow_type: str
    frames: tuple[Frame, ...]
    report: Report

    def next_change(self, at: int) -> int:
        """The next frame at which the state changes."""
        return self._find(range(at + 1, len(self.frames)), at)

    def previous_change(self, at: int) -> int:
        """The frame before at which the state changed."""
        return self._find(range(at - 1, -1, -1), at)

    def _find(self, indices: range, at: int) -> int:
        return next((index for index in indices if self.frames[index].changes), at)

    def of_event(self, event: int, run: str | None = None) -> int:
        """The index of an event's frame, in the last run unless told.

        Raises:
            KeyError: there is no such event.
        """
        for index in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[index]
            if frame.event == event and run in {None, frame.run}:
                return index
        raise KeyError(f"the history has no event {event}")


def changes(before: State, after: State) -> Iterator[Changed]:
    """What differs between two states, by name."""
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name) or (name in before) != (name in after):
            yield Changed(name=name, before=before.get(name), after=after.get(name))
