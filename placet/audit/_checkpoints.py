"""Checkpoints: the evidence was settled, and the outcome follows from the decisions.

What is asked of whom is computed again in :mod:`placet.audit._requirements`, and each decision
judged in :mod:`placet.audit._verdicts`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from pydantic import JsonValue

from placet.audit._attending import attended
from placet.audit._emergencies import Emergencies
from placet.audit._gathering import NotToBeAsked, gathered
from placet.audit._people import People
from placet.audit._placing import EMERGENCY
from placet.audit._requirements import Requirements
from placet.audit._scene import Scene
from placet.audit._showing import Showing
from placet.audit._standing import Standing
from placet.audit._verdicts import Verdicts
from placet.ledger import Entry, EntryType
from placet.model import (
    AuthorityMatrix,
    CheckpointEnd,
    CheckpointStatus,
    CheckpointView,
    Step,
    digest_json,
)
from placet.rules import (
    ApprovalFacts,
    AutomaticFacts,
    CountedDecision,
    outcome_status,
    people_of,
    said_digest,
)

ENDS = {
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
}

_ASKED_ANEW = {CheckpointStatus.VOIDED, CheckpointStatus.RESUBMITTED}
"""As what one has ended whose place another takes."""


class Checkpoints:
    """Checkpoints as the log opens, decides and ends them."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people
        self.emergencies = Emergencies(scene, people, self.status)
        self._requirements = Requirements(scene, people)
        self._showing = Showing(scene, self._requirements)
        self._verdicts = Verdicts(scene, people)
        self._open: dict[str, Standing] = {}
        self._of_case: dict[str, dict[str, Standing]] = {}
        self._voided: set[tuple[str | None, str]] = set()
        self._voided_at: dict[int, Standing] = {}

    def opened(self, entry: Entry) -> None:
        """A checkpoint with its evidence and what it asks."""
        self._scene.collector.count("checkpoints")
        checkpoint = str(entry.data.get("checkpoint"))
        if checkpoint in self._open:
            self._scene.trouble("checkpoint-twice", f"{checkpoint} was opened before")
        before = self._newest(entry.case or "", str(entry.data.get("name")))
        self._replaced(entry, before)
        self._open[checkpoint] = Standing(entry)
        newest = self._of_case.setdefault(entry.case or "", {})
        newest[str(entry.data.get("name"))] = self._open[checkpoint]
        view = self._scene.files.checkpoints.get(checkpoint)
        if view is None:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is not there")
            return
        self._fits(entry, view)
        instead = self.emergencies.asked(entry, view)
        if instead is None:
            self._requirements.asked(
                view, entry, voided=(entry.case, view.evidence.checkpoint) in self._voided
            )
            self._showing.shows(view, before)
        elif instead != view.requirement:
            self._scene.trouble("requirement", f"{checkpoint}: the emergency asks something else")
        for said in self._unmet(view):
            self._scene.trouble("checkpoint-before", f"{checkpoint}: {said}")

    def _replaced(self, entry: Entry, before: Standing | None) -> None:
        """It takes the place of none, or of the one of its name before it.

        In an emergency, by the same deadline and on the same evidence.
        """
        earlier = entry.data.get("replaces")
        if earlier is None:
            if before is not None and before.status is CheckpointStatus.VOIDED:
                self._scene.trouble("checkpoint-replaces", f"it does not say that {before.id} was")
            return
        if before is None or before.id != earlier:
            self._scene.trouble("checkpoint-replaces", f"{earlier} is not the one before it")
        elif before.status not in _ASKED_ANEW:
            self._scene.trouble("checkpoint-replaces", f"{earlier} was {before.status} still")
        elif not EMERGENCY.isdisjoint(entry.data):
            if before.opened.data.get("deadline") != entry.data.get("deadline"):
                self._scene.trouble("deadline", "an emergency gives it another deadline")
            if before.opened.data.get("evidence_digest") != entry.data.get("evidence_digest"):
                self._scene.trouble("evidence-other", "an emergency shows other evidence")

    def _fits(self, entry: Entry, view: CheckpointView) -> None:
        """Its content is that of the entry, and shows what was settled and what was proposed."""
        checkpoint = str(entry.data.get("checkpoint"))
        if digest_json(view.evidence) != entry.data.get("evidence_digest"):
            self._scene.trouble("evidence-digest", f"{checkpoint}: the evidence is another")
        if digest_json(view.requirement) != entry.data.get("requirement_digest"):
            self._scene.trouble("requirement-digest", f"{checkpoint}: the requirement is another")
        if (view.evidence.case, view.evidence.checkpoint, view.evidence.subject) != (
            entry.case,
            entry.data.get("name"),
            entry.record,
        ):
            self._scene.trouble("evidence-digest", f"{checkpoint}: the evidence is of another")
        matrix, definition = view.requirement.matrix_digest, self._scene.process(entry.case)
        self._scene.known("matrix", self._scene.matrices, matrix)
        if definition is not None and EMERGENCY.isdisjoint(entry.data):
            self._scene.in_force("matrix", definition.name, matrix)
        asked: dict[str, JsonValue] = {
            "matrix_digest": view.requirement.matrix_digest,
            "needs": [need.model_dump(mode="json") for need in view.requirement.needs],
        }
        if {name: entry.data.get(name) for name in asked} != asked:
            self._scene.trouble("requirement-digest", f"{checkpoint}: it asks other than it says")
        for item in view.evidence.items:
            if self._scene.parts.get(item.digest) != item:
                self._scene.trouble(
                    "evidence-unsettled", f"{checkpoint}: {item.name} was not settled as it says"
                )
        self._all_of_it(entry, view)
        lead = self._scene.part(view.evidence.items[0].digest)
        if lead is None or lead.proposal != view.evidence.proposal:
            self._scene.trouble("evidence-proposal", f"{view.id}: no part proposes this")

    def _all_of_it(self, entry: Entry, view: CheckpointView) -> None:
        """It is all that the signed process has people see; an emergency shows what was shown."""
        case, defined = self._scene.cases.get(entry.case or ""), self._requirements.defined(view)
        if case is None or defined is None or not EMERGENCY.isdisjoint(entry.data):
            return
        try:
            if view.evidence.items != gathered(self._scene, case, defined):
                self._scene.trouble("evidence-other", f"{view.id}: people were shown other parts")
        except NotToBeAsked as error:
            self._scene.trouble("evidence-other", f"{view.id}: {error}")

    def _unmet(self, view: CheckpointView) -> Iterator[str]:
        """Which checkpoints that come first, by the signed process, have not approved it."""
        for prior in self._priors(view):
            standing = self._newest(view.evidence.case, prior)
            if standing is None or standing.status is not CheckpointStatus.APPROVED:
                yield f"the {prior} checkpoint has not approved it first"
                continue
            shown = self._scene.files.checkpoints.get(standing.id)
            if shown is None or self._lead(shown) != self._lead(view):
                yield f"the {prior} checkpoint approved another proposal"

    def _priors(self, view: CheckpointView) -> tuple[str, ...]:
        found = {each.check for each in view.evidence.proposal.findings}
        checkpoint = self._requirements.defined(view)
        return tuple(
            prior.checkpoint
            for prior in (checkpoint.after if checkpoint else ())
            if not found.isdisjoint(prior.findings_of)
        )

    def _lead(self, view: CheckpointView) -> tuple[str, str | None]:
        """What the first part says, and who said it."""
        lead = view.evidence.items[0]
        part = self._scene.part(lead.digest)
        return lead.agent, None if part is None else said_digest(part)

    def _newest(self, case: str, name: str) -> Standing | None:
        return self._of_case.get(case, {}).get(name)

    def stand(self, case: str) -> dict[str, CheckpointStatus]:
        """How the newest checkpoint of each name stands in a case."""
        return {name: each.status for name, each in self._of_case.get(case, {}).items()}

    def ends(self, case: str) -> tuple[CheckpointEnd, ...]:
        """How the newest checkpoint of each name stands in a case, and for what it approves."""
        return tuple(each.end(name) for name, each in self._of_case.get(case, {}).items())

    def status(self, checkpoint: str) -> CheckpointStatus | None:
        """How one stands."""
        standing = self._open.get(checkpoint)
        return None if standing is None else standing.status

    def newest(self, case: str, name: str) -> str | None:
        """The newest checkpoint of a name in a case, by its id."""
        found = self._newest(case, name)
        return None if found is None else found.id

    def rejected_for(self, case: str, name: str) -> str | None:
        """The reason that was signed with the rejection of a case's newest checkpoint."""
        newest = self._newest(case, name)
        return None if newest is None else newest.rejected_for

    def acted(self, entry: Entry) -> None:
        """What a person did at an open checkpoint: it is of this case, and its parts are there."""
        checkpoint = str(entry.data.get("target"))
        standing, case = self._open.get(checkpoint), self._scene.cases.get(entry.case or "")
        if standing is None or case is None or standing.opened.case != entry.case:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is none of its case")
            return
        view = self._scene.files.checkpoints.get(checkpoint)
        attended(self._scene, self._people, entry, case, standing, view)

    def returned(self, entry: Entry) -> None:
        """A record was handed in again, which a checkpoint of the case had sent back."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing = self._open.get(checkpoint)
        if standing is None or standing.opened.case != entry.case:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is none of its case")
        elif standing.status is not CheckpointStatus.RETURNED:
            self._scene.trouble("act-refusable", f"{checkpoint} was {standing.status}")
        else:
            standing.status = CheckpointStatus.RESUBMITTED

    def timed(self, entry: Entry) -> None:
        """A reminder or an escalation: as it was planned, in order, not before its time."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None or standing.opened.case != entry.case:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is none of its case")
            return
        if standing.status is not CheckpointStatus.OPEN:
            self._scene.trouble("checkpoint-ended", f"{checkpoint} was {standing.status} before")
        planned = view.requirement.schedule
        if entry.type is EntryType.CHECKPOINT_REMINDED:
            moments = () if planned is None else planned.reminders
            due = sum(moment <= entry.time for moment in moments)
            if entry.data.get("reminder") not in range(1, due + 1):
                self._scene.trouble("reminder", f"{checkpoint}: no reminder was due")
            return
        escalations = () if planned is None else planned.escalations
        standing.escalated += 1
        if standing.escalated > len(escalations) or entry.data.get("level") != standing.escalated:
            self._scene.trouble("escalation", f"{checkpoint}: no such escalation is planned")
            return
        each = escalations[standing.escalated - 1]
        if entry.time < each.at or list(each.roles) != entry.data.get("roles"):
            self._scene.trouble("escalation", f"{checkpoint}: it escalates otherwise than planned")

    def decided(self, entry: Entry) -> None:
        """A decision, and that it is one which counts."""
        self._scene.collector.count("decisions")
        checkpoint = str(entry.data.get("checkpoint"))
        view, standing = self._scene.files.checkpoints.get(checkpoint), self._open.get(checkpoint)
        claims = self._verdicts.heard(entry, view, standing)
        if claims is not None and view is not None:
            self.emergencies.decided(view.id, claims.iss)

    def recomputed(self, view: CheckpointView) -> AutomaticFacts | None:
        """The second agent's recomputation of what a checkpoint showed, if there was one."""
        return self._requirements.recomputed(view)

    def words(self, checkpoint: str) -> tuple[list[CountedDecision], int]:
        """The decisions on a checkpoint that were heard so far, and how often it was escalated."""
        standing = self._open.get(checkpoint)
        return ([], 0) if standing is None else (list(standing.decisions), standing.escalated)

    def ended(self, entry: Entry) -> None:
        """A checkpoint's end: what the decisions add up to, computed again."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is not there")
            return
        if entry.case != standing.opened.case:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is none of its case")
        if entry.type is EntryType.CHECKPOINT_VOIDED:
            if standing.status not in {CheckpointStatus.OPEN, CheckpointStatus.APPROVED}:
                self._scene.trouble("outcome", f"{checkpoint} was {standing.status} before")
            told = list(people_of(standing.approvals(view)))
            if told != entry.data.get("told"):
                self._scene.trouble("outcome", f"{checkpoint}: it tells others than approved it")
            standing.status = CheckpointStatus.VOIDED
            self._voided.add((entry.case, view.evidence.checkpoint))
            self._voided_at[self._scene.index] = standing
            if entry.case in self._scene.cases:
                self._scene.cases[entry.case].approvers.pop(checkpoint, None)
            return
        if standing.status is not CheckpointStatus.OPEN:
            self._scene.trouble("outcome", f"{checkpoint} was {standing.status} before")
        if [each.jti for each in standing.decisions] != entry.data.get("decisions"):
            self._scene.trouble("outcome", f"{checkpoint} ended on other decisions")
        if entry.type is EntryType.CHECKPOINT_EXPIRED:
            self._expired(entry, standing, view)
            return
        computed = outcome_status(standing.asked(view), standing.decisions)
        if computed is CheckpointStatus.OPEN or computed.value != entry.data.get("status"):
            self._scene.trouble(
                "outcome",
                f"{checkpoint}: the decisions add up to {computed}, "
                f"the ledger says {entry.data.get('status')}",
            )
        if entry.case in self._scene.erased:
            # What they said may be gone; what it came to stays.
            computed = CheckpointStatus(str(entry.data.get("status")))
        case = self._scene.cases.get(entry.case or "")
        if computed is CheckpointStatus.APPROVED and case is not None:
            people = tuple(each.operator for each in standing.approvals(view))
            case.approvers[checkpoint] = (view.requirement.checkpoint, people)
            standing.resolved, standing.amount = self._scene.index, view.requirement.amount
        # Whether it follows or not: what the ledger has ended takes no more decisions.
        standing.status = CheckpointStatus.VOIDED if computed is CheckpointStatus.OPEN else computed

    def voided_for(self, denial: int) -> Iterator[Standing]:
        """The approvals that a denial at this place has voided: right before it."""
        while (standing := self._voided_at.get(denial := denial - 1)) is not None:
            if standing.resolved is not None:
                yield standing

    def _expired(self, entry: Entry, standing: Standing, view: CheckpointView) -> None:
        """Nobody decided in time: not before that time, and what the signed process makes of it."""
        said, asked = entry.data.get("status"), view.requirement.expires_as
        if said != asked:
            self._scene.trouble("expiry", f"{view.id} ended as {said}, not as {asked}")
        deadline = standing.opened.data.get("deadline")
        if not isinstance(deadline, int) or entry.time.timestamp() < deadline:
            self._scene.trouble("expiry", f"{view.id} expired before its deadline")
        standing.status = CheckpointStatus(asked)

    def approved(self, entry: Entry, name: str) -> bool:
        """Whether a grant's approval is that of its case's approved checkpoint of this name."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None:
            return False
        opened = standing.opened
        return (
            standing.status is CheckpointStatus.APPROVED
            and standing is self._newest(entry.case or "", name)
            and (opened.case, opened.data.get("name")) == (entry.case, name)
            and opened.data.get("evidence_digest") == entry.data.get("evidence_digest")
            and [each.jti for each in standing.approvals(view)] == entry.data.get("approvals")
        )

    def fixed(self, entry: Entry) -> Mapping[str, object] | None:
        """What a guarded grant carries of what people approved; ``None`` if that is not there."""
        view = self._scene.files.checkpoints.get(str(entry.data.get("checkpoint")))
        if view is None or entry.case in self._scene.erased:
            return None
        proposal = view.evidence.proposal
        return {
            "max_amount": proposal.amount or Decimal("0.00"),
            "payments_digest": proposal.payments_digest,
            "approvals": entry.data.get("approvals") or None,
            "evidence_digest": entry.data.get("evidence_digest"),
            "record_version": proposal.record_version,
        }

    def approval(self, entry: Entry, step: Step, matrix: AuthorityMatrix) -> ApprovalFacts | None:
        """The approval behind a guarded grant as policy must have been told of it then."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None:
            return None
        return self._showing.approval(entry, step, matrix, standing, view)

    def doubts(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """Why the approval behind a guarded grant does not count at this place of the log."""
        view = self._scene.files.checkpoints.get(str(entry.data.get("checkpoint")))
        if view is None:
            return
        for said in self._unmet(view):
            yield "checkpoint-before", said
        alone = self._requirements.made_alone(view)
        if alone is not None:
            yield "checkpoint-before", f"no second agent came to the same {alone}"
        names = (view.evidence.checkpoint, *self._priors(view))
        for name in names:
            for person in self._not_active(self._newest(view.evidence.case, name)):
                yield "approver-not-active", f"{person}, who approved {name}, was not active"

    def rests_on_the_inactive(self, entry: Entry) -> bool:
        """Whether a guarded grant rests on the word of someone who is not active now."""
        standing = self._open.get(str(entry.data.get("checkpoint")))
        return next(self._not_active(standing), None) is not None

    def _not_active(self, standing: Standing | None) -> Iterator[str]:
        view = None if standing is None else self._scene.files.checkpoints.get(standing.id)
        if standing is None or view is None:
            return
        for each in standing.approvals(view):
            if not self._people.word_stands(each.operator, standing.keys.get(each.jti, "")):
                yield each.operator
