"""What policy was asked when it permitted something, held against the log (I2, I3).

The context of a decision is kept beside the ledger, and is the authority's word. What it says of
the log itself (the case, its mode, holds, what people approved) is computed again; what a system of
record told, facts and which members of a list a record may be, is not: nobody signed that.
"""

from pydantic import JsonValue, ValidationError

from placet.audit._checkpoints import Checkpoints
from placet.audit._holds import Holds
from placet.audit._scene import Scene
from placet.ledger import Entry
from placet.model import CaseStatus, Step
from placet.rules import (
    MissingFact,
    OutOfScope,
    PolicyRequest,
    StepFacts,
    guarded_context,
    require_in_scope,
    step_context,
)

_TOLD = ("facts", "sources")
"""What systems of record told."""


class Asked:
    """What was asked for each grant."""

    def __init__(self, scene: Scene, checkpoints: Checkpoints, holds: Holds) -> None:
        self._scene = scene
        self._checkpoints = checkpoints
        self._holds = holds

    def permitted(self, entry: Entry, step: Step, question: PolicyRequest) -> None:
        """A grant: its record is in its case's scope, and policy was asked what the log says."""
        told = question.context.get("facts")
        self._in_scope(entry, step, told if isinstance(told, dict) else {})
        expected = self._context(entry, step)
        if expected is None:
            return  # what is missing was named
        known = {*_TOLD, "claim"}
        if step.approval is not None and "approval" not in expected:
            known.add("approval")  # it was erased, or is not there, which is told
        for group in sorted({*question.context, *expected} - known):
            said, is_so = question.context.get(group), expected.get(group)
            if said != is_so:
                self._scene.trouble("context-other", f"{group}: {_difference(said, is_so)}")

    def _in_scope(self, entry: Entry, step: Step, told: dict[str, JsonValue]) -> None:
        definition = self._scene.process(entry.case)
        case = self._scene.cases.get(entry.case or "")
        if definition is None or case is None:
            return
        relation, record = definition.relation(step.relation), entry.record or ""
        try:
            require_in_scope(definition, case.subject, relation, record, told)
        except OutOfScope as error:
            self._scene.trouble("grant-scope", str(error))
        except MissingFact:
            self._scene.collector.count("grants on a record that a system of record's list names")

    def _context(self, entry: Entry, step: Step) -> dict[str, JsonValue] | None:
        """What policy must have been asked, but for what systems of record told."""
        matrix = self._scene.matrices.get(str(entry.data.get("matrix_digest")))
        activity = entry.data.get("activity")
        if matrix is None or not isinstance(activity, dict):
            return None
        try:
            facts = StepFacts.model_validate(
                {
                    "agent": step.agent,
                    "in_scope": True,
                    "case_status": CaseStatus.OPEN,
                    "attempt": activity.get("attempt"),
                    "mode": matrix.mode,
                    "on_hold": self._holds.cover(entry.record or ""),
                }
            )
        except ValidationError:
            return None
        if step.approval is None:
            return step_context(facts)
        approval = self._checkpoints.approval(entry, step, matrix)
        return step_context(facts) if approval is None else guarded_context(facts, approval, ())


def _difference(said: JsonValue, known: JsonValue) -> str:
    """The first member that differs."""
    if not isinstance(said, dict) or not isinstance(known, dict):
        return f"policy was {'not ' if said is None else ''}asked with it"
    name = min(each for each in {*said, *known} if said.get(each) != known.get(each))
    return f"policy was asked with {name} {said.get(name)}, and it was {known.get(name)}"
