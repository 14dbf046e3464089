"""What a checkpoint asks of whom, computed again.

It follows from the lender's signed matrix, from what is proposed, and from who had a hand in the
case as the log tells (I5); nothing of it is taken from what the checkpoint says of itself, but the
facts that the authority had looked up and, in a bundle, who approved in other cases.
"""

from datetime import timedelta

from placet.audit._people import People
from placet.audit._scene import Case, Scene
from placet.ledger import Entry
from placet.model import (
    CheckpointDefinition,
    CheckpointRule,
    CheckpointView,
    EvidenceItem,
    Exclusion,
    ExclusionReason,
    NotAgain,
    Part,
    Step,
)
from placet.rules import (
    AutomaticFacts,
    RuleError,
    confirmed,
    excluded,
    named_decider,
    named_hands,
    requirement,
    said_digest,
    subject_variables,
)


class Requirements:
    """What checkpoints ask, by what was published and by what the log has told so far."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people

    def defined(self, view: CheckpointView) -> CheckpointDefinition | None:
        """The checkpoint as the signed process has it."""
        definition = self._scene.process(view.evidence.case)
        return definition.checkpoint(view.evidence.checkpoint) if definition else None

    def asked(self, view: CheckpointView, entry: Entry, *, voided: bool) -> None:
        """What is asked of whom is what the lender's matrix asks for this proposal.

        Where an approval was ``voided`` before, nothing lets it through without a person.
        """
        asked, case = view.requirement, self._scene.cases.get(view.evidence.case)
        defined = self.defined(view)
        matrix = self._scene.matrices.get(asked.matrix_digest)
        rule = None if matrix is None else matrix.rule(asked.checkpoint)
        if case is None or matrix is None or rule is None:
            self._scene.trouble("requirement", f"{view.id}: no matrix asks this")
            return
        parts = self._parts(view)
        try:
            computed = requirement(
                matrix,
                asked.checkpoint,
                view.evidence.proposal,
                excluded=self._excluded(view, case, rule),
                facts=asked.facts,
                automatic=None if asked.needs or voided else self.recomputed(view),
                opened=entry.time,
                named=() if defined is None else named_hands(defined.named, parts),
                decided_by=None if defined is None else named_decider(defined, parts),
                expires_as="expired" if defined is None else defined.expires_as,
            )
        except RuleError as error:
            self._scene.trouble("requirement", f"{view.id}: {error}")
            return
        planned = asked.schedule
        until = None if planned is None else planned.expires_at
        if until is None and defined is not None:
            until = entry.time + timedelta(seconds=defined.deadline_seconds)
        if until is not None and int(until.timestamp()) != entry.data.get("deadline"):
            self._scene.trouble("deadline", f"{view.id}: the schedule asks for another deadline")
        if computed != asked:
            self._scene.trouble("requirement", f"{view.id}: the matrix asks something else")

    def recomputed(self, view: CheckpointView) -> AutomaticFacts | None:
        """The second agent's recomputation of what is shown, if it was settled before."""
        return self._made_again(view.evidence.case, view.evidence.items[0])

    def made_alone(self, view: CheckpointView) -> str | None:
        """A part of its case that two agents had to come to by now, and had not."""
        if self._scene.case in self._scene.erased:
            return None
        case = self._scene.cases.get(view.evidence.case)
        for name in dict.fromkeys(step.confirms for step in self._steps(view.evidence.case)):
            for made in case.newest.get(name, {}).values() if case and name else ():
                if not confirmed(self._made_again(view.evidence.case, made)):
                    return name
        return None

    def _made_again(self, of: str, made: EvidenceItem) -> AutomaticFacts | None:
        """What a second agent came to of the same record as a part, if the process has one try."""
        case = self._scene.cases.get(of)
        names = [name for s in self._steps(of) if s.confirms == made.name for name in s.produces]
        found = (case.newest.get(name, {}).get(made.record) for name in names) if case else ()
        again = next((each for each in found if each is not None), None)
        first = self._scene.part(made.digest)
        second = None if again is None else self._scene.part(again.digest)
        if first is None or again is None or second is None:
            return None
        return AutomaticFacts(
            made_by=made.agent,
            said=said_digest(first),
            recomputed_by=again.agent,
            recomputed=said_digest(second),
        )

    def _steps(self, of: str) -> tuple[Step, ...]:
        """The steps of a case, by the signed process."""
        definition = self._scene.process(of)
        return () if definition is None else definition.steps

    def _parts(self, view: CheckpointView) -> list[Part]:
        parts = [self._scene.part(each.digest) for each in view.evidence.items]
        return [part for part in parts if part is not None]

    def _excluded(
        self, view: CheckpointView, case: Case, rule: CheckpointRule
    ) -> tuple[Exclusion, ...]:
        """Who had a hand in the case, as the log tells."""
        earlier = {
            each.person: each.of or ""
            for each in view.requirement.excluded
            if each.why is ExclusionReason.APPROVED_EARLIER
        }
        if self._scene.files.indices is None:  # a bundle of one case has no other case's approvals
            looked = {} if rule.not_again is None else self._earlier(view, case, rule.not_again)
            if looked != earlier:
                self._scene.trouble("requirement", f"{view.id}: others approved the cases before")
        return excluded(
            case.opened_by,
            view.evidence.proposal.preparers,
            resubmitters=case.resubmitters,
            keyers=case.keyers,
            owners=self._people.registry.owners_since(sorted(case.agents), case.index),
            approved_earlier=earlier,
        )

    def _earlier(self, view: CheckpointView, case: Case, looks: NotAgain) -> dict[str, str]:
        """Who approved at this checkpoint in the last closed cases that the matrix looks at."""
        definition = self._scene.processes.get(case.process_digest)
        if definition is None:
            return {}
        own = subject_variables(definition, case.subject)
        found: dict[str, str] = {}
        looked = 0
        for name, other in reversed(self._scene.cases.items()):
            theirs = self._scene.processes.get(other.process_digest)
            if other.status != "closed" or theirs is None or theirs.name != definition.name:
                continue
            bound = subject_variables(theirs, other.subject)
            if any(bound.get(each) != own.get(each) for each in looks.same):
                continue
            looked += 1
            for checkpoint, people in other.approvers.values():
                for person in people if checkpoint == view.requirement.checkpoint else ():
                    found.setdefault(person, name)
            if looked == looks.cases:
                break
        return found
