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
    Exclusion,
    ExclusionReason,
    NotAgain,
    Part,
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
        definition, lead = self._scene.process(view.evidence.case), view.evidence.items[0]
        steps = () if definition is None else definition.steps
        case = self._scene.cases.get(view.evidence.case)
        names = [name for each in steps if each.confirms == lead.name for name in each.produces]
        found = [case.newest.get(name, {}) for name in names] if case else []
        again = next((item for each in found if len(each) == 1 for item in each.values()), None)
        made = self._scene.part(lead.digest)
        recomputed = None if again is None else self._scene.part(again.digest)
        if made is None or again is None or recomputed is None:
            return None
        return AutomaticFacts(
            made_by=lead.agent,
            said=said_digest(made),
            recomputed_by=again.agent,
            recomputed=said_digest(recomputed),
        )

    def confirmed(self, view: CheckpointView) -> bool:
        """Whether a second agent came to what is shown, where the process has one do it again."""
        definition, lead = self._scene.process(view.evidence.case), view.evidence.items[0]
        steps = () if definition is None else definition.steps
        asked = any(each.confirms == lead.name for each in steps)
        return (
            self._scene.case in self._scene.erased or not asked or confirmed(self.recomputed(view))
        )

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
