"""Checkpoints: the evidence was settled, the decisions count, the outcome follows from them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue, ValidationError

from placet.audit._attending import attended
from placet.audit._emergencies import Emergencies
from placet.audit._people import People
from placet.audit._scene import Case, Scene
from placet.ledger import Entry, EntryType
from placet.model import (
    CheckpointDefinition,
    CheckpointRule,
    CheckpointStatus,
    CheckpointView,
    DecisionClaims,
    Exclusion,
    ExclusionReason,
    NamedHand,
    NotAgain,
    Part,
    Verdict,
    digest_bytes,
    digest_json,
)
from placet.rules import (
    AutomaticFacts,
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    RuleError,
    approvals,
    check_decision,
    check_step_up,
    escalated,
    excluded,
    named_decider,
    named_hands,
    outcome_status,
    requirement,
    said_digest,
    subject_variables,
)
from placet.tokens import TokenError, verify_decision

ENDS = {
    EntryType.CHECKPOINT_RESOLVED,
    EntryType.CHECKPOINT_EXPIRED,
    EntryType.CHECKPOINT_VOIDED,
}
_LAST_SECOND = 253_402_300_799
"""Of the year 9999."""


@dataclass
class _Open:
    """A checkpoint as the log tells it so far."""

    opened: Entry
    status: CheckpointStatus = CheckpointStatus.OPEN
    decisions: list[CountedDecision] = field(default_factory=list)
    escalated: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    """The key that each decision was signed with."""
    rejected_for: str | None = None


class Checkpoints:
    """Checkpoints as the log opens, decides and ends them."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people
        self.emergencies = Emergencies(scene, people)
        self._open: dict[str, _Open] = {}
        self._of_case: dict[str, dict[str, _Open]] = {}

    def opened(self, entry: Entry) -> None:
        """A checkpoint with its evidence and what it asks."""
        self._scene.collector.count("checkpoints")
        checkpoint = str(entry.data.get("checkpoint"))
        if checkpoint in self._open:
            self._scene.trouble("checkpoint-twice", f"{checkpoint} was opened before")
        self._open[checkpoint] = _Open(entry)
        newest = self._of_case.setdefault(entry.case or "", {})
        newest[str(entry.data.get("name"))] = self._open[checkpoint]
        view = self._view(checkpoint)
        if view is None:
            return
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
        self._scene.known("matrix", self._scene.matrices, view.requirement.matrix_digest)
        for item in view.evidence.items:
            if self._scene.parts.get(item.digest) != item:
                self._scene.trouble(
                    "evidence-unsettled", f"{checkpoint}: {item.name} was not settled as it says"
                )
        self._proposed(view)
        instead = self.emergencies.asked(entry, view)
        if instead is None:
            self._asked(view, entry)
        elif instead != view.requirement:
            self._scene.trouble("requirement", f"{checkpoint}: the emergency asks something else")
        for said in self._unmet(view):
            self._scene.trouble("checkpoint-before", f"{checkpoint}: {said}")

    def _unmet(self, view: CheckpointView) -> Iterator[str]:
        """Which checkpoints that come first, by the signed process, have not approved it."""
        for prior in self._priors(view):
            standing = self._newest(view.evidence.case, prior)
            if standing is None or standing.status is not CheckpointStatus.APPROVED:
                yield f"the {prior} checkpoint has not approved it first"
                continue
            shown = self._scene.files.checkpoints.get(str(standing.opened.data.get("checkpoint")))
            if shown is None or self._lead(shown) != self._lead(view):
                yield f"the {prior} checkpoint approved another proposal"

    def _priors(self, view: CheckpointView) -> tuple[str, ...]:
        found = {each.check for each in view.evidence.proposal.findings}
        checkpoint = self._defined(view)
        return tuple(
            prior.checkpoint
            for prior in (checkpoint.after if checkpoint else ())
            if not found.isdisjoint(prior.findings_of)
        )

    def _defined(self, view: CheckpointView) -> CheckpointDefinition | None:
        """The checkpoint as the signed process has it."""
        case = self._scene.cases.get(view.evidence.case)
        definition = None if case is None else self._scene.processes.get(case.process_digest)
        return definition.checkpoint(view.evidence.checkpoint) if definition else None

    def _named(self, defined: CheckpointDefinition, view: CheckpointView) -> tuple[NamedHand, ...]:
        """Whom the evidence names as having had a hand in it."""
        return named_hands(defined.named, self._parts(view))

    def _parts(self, view: CheckpointView) -> list[Part]:
        parts = [self._scene.part(each.digest) for each in view.evidence.items]
        return [part for part in parts if part is not None]

    def _lead(self, view: CheckpointView) -> tuple[str, str | None]:
        """What the first part says, and who said it."""
        lead = view.evidence.items[0]
        part = self._scene.part(lead.digest)
        return lead.agent, None if part is None else said_digest(part)

    def _newest(self, case: str, name: str) -> _Open | None:
        return self._of_case.get(case, {}).get(name)

    def stand(self, case: str) -> dict[str, CheckpointStatus]:
        """How the newest checkpoint of each name stands in a case."""
        return {name: each.status for name, each in self._of_case.get(case, {}).items()}

    def newest(self, case: str, name: str) -> str | None:
        """The newest checkpoint of a name in a case, by its id."""
        found = self._newest(case, name)
        return None if found is None else str(found.opened.data.get("checkpoint"))

    def rejected_for(self, case: str, name: str) -> str | None:
        """The reason that was signed with the rejection of a case's newest checkpoint."""
        newest = self._newest(case, name)
        return None if newest is None else newest.rejected_for

    def _proposed(self, view: CheckpointView) -> None:
        """What people decide on is what the first part proposed."""
        lead = self._scene.part(view.evidence.items[0].digest)
        if lead is None or lead.proposal != view.evidence.proposal:
            self._scene.trouble("evidence-proposal", f"{view.id}: no part proposes this")

    def _asked(self, view: CheckpointView, entry: Entry) -> None:
        """What is asked of whom is what the lender's matrix asks for this proposal."""
        asked, case = view.requirement, self._scene.cases.get(view.evidence.case)
        defined = self._defined(view)
        matrix = self._scene.matrices.get(asked.matrix_digest)
        rule = None if matrix is None else matrix.rule(asked.checkpoint)
        if case is None or matrix is None or rule is None:
            self._scene.trouble("requirement", f"{view.id}: no matrix asks this")
            return
        try:
            computed = requirement(
                matrix,
                asked.checkpoint,
                view.evidence.proposal,
                excluded=self._excluded(view, case, rule),
                facts=asked.facts,
                automatic=None if asked.needs else self._automatic(view, case),
                opened=entry.time,
                named=() if defined is None else self._named(defined, view),
                decided_by=None if defined is None else named_decider(defined, self._parts(view)),
                expires_as="expired" if defined is None else defined.expires_as,
            )
        except RuleError as error:
            self._scene.trouble("requirement", f"{view.id}: {error}")
            return
        planned = asked.schedule
        until = None if planned is None else int(planned.expires_at.timestamp())
        if until is not None and until != entry.data.get("deadline"):
            self._scene.trouble("deadline", f"{view.id}: the schedule asks for another deadline")
        if computed != asked:
            self._scene.trouble("requirement", f"{view.id}: the matrix asks something else")

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

    def _automatic(self, view: CheckpointView, case: Case) -> AutomaticFacts | None:
        """The second agent's recomputation, from what was settled before."""
        definition, lead = self._scene.processes.get(case.process_digest), view.evidence.items[0]
        steps = () if definition is None else definition.steps
        names = {name for each in steps if each.confirms == lead.name for name in each.produces}
        again = [
            part
            for part in self._scene.parts.values()
            if part.name in names and self._scene.part_cases.get(part.digest) == view.evidence.case
        ]
        made = self._scene.part(lead.digest)
        recomputed = self._scene.part(again[-1].digest) if again else None
        if made is None or recomputed is None:
            return None
        return AutomaticFacts(
            made_by=lead.agent,
            said=said_digest(made),
            recomputed_by=again[-1].agent,
            recomputed=said_digest(recomputed),
        )

    def _view(self, checkpoint: str) -> CheckpointView | None:
        view = self._scene.files.checkpoints.get(checkpoint)
        if view is None:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is not there")
        return view

    def acted(self, entry: Entry) -> None:
        """What a person did at an open checkpoint: it is of this case, and its parts are there."""
        checkpoint = str(entry.data.get("target"))
        standing, case = self._open.get(checkpoint), self._scene.cases.get(entry.case or "")
        if standing is None or case is None or standing.opened.case != entry.case:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is none of its case")
            return
        view = self._scene.files.checkpoints.get(checkpoint)
        attended(self._scene, self._people, entry, standing.opened, standing.status, view)

    # --- time -------------------------------------------------------------------------------------

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

    # --- decisions ----------------------------------------------------------------------------

    def decided(self, entry: Entry) -> None:
        """A decision: signed, by someone who could, in time, on what the checkpoint shows."""
        self._scene.collector.count("decisions")
        jti, checkpoint = str(entry.data.get("decision")), str(entry.data.get("checkpoint"))
        view, standing = self._scene.files.checkpoints.get(checkpoint), self._open.get(checkpoint)
        found = next((each for each in view.decisions if each.jti == jti), None) if view else None
        if view is None or found is None or standing is None:
            self._scene.trouble("decision-missing", f"the signed decision {jti} is not there")
            return
        if digest_bytes(found.jws.encode()) != entry.data.get("decision_digest"):
            self._scene.trouble("decision-digest", f"the decision {jti} is another")
        claims = self._verified(entry, found.jws)
        if claims is not None:
            self._counts(entry, view, standing, claims)

    def _verified(self, entry: Entry, jws: str) -> DecisionClaims | None:
        key = self._people.key(entry.actor, str(entry.data.get("key")), entry.time)
        if key is None:
            self._scene.trouble("decision-key", f"{entry.actor} signed with no enrolled key")
            return None
        try:
            return verify_decision(
                jws,
                key,
                operator=entry.actor,
                audience=self._scene.files.issuer,
                now=entry.time,
                max_age=None,
            )
        except TokenError as error:
            self._scene.trouble("decision-signature", str(error))
            return None

    def _counts(
        self, entry: Entry, view: CheckpointView, standing: _Open, claims: DecisionClaims
    ) -> None:
        told = (entry.data.get("decision"), entry.data.get("verdict"), entry.case)
        if (claims.jti, claims.verdict, claims.txn) != told:
            self._scene.trouble("decision-claims", "the decision says other than the ledger")
        if claims.evidence_digest != standing.opened.data.get("evidence_digest"):
            self._scene.trouble("decision-other-evidence", f"{entry.actor} saw other evidence")
        roles = self._people.roles(entry.actor)
        if list(roles) != entry.data.get("roles"):
            self._scene.trouble("decision-roles", f"{entry.actor} had other roles")
        opened = standing.opened.data
        try:
            check_decision(
                escalated(view.requirement, standing.escalated),
                str(opened.get("evidence_digest")),
                str(opened.get("requirement_digest")),
                claims,
                OperatorFacts(
                    principal=entry.actor,
                    active=self._people.active(entry.actor),
                    roles=roles,
                    stands_in_for=self._people.stands_in_for(
                        entry.actor, self._process(entry.case), entry.time
                    ),
                ),
                CheckpointStanding(
                    id=str(opened.get("checkpoint")),
                    case=standing.opened.case or "",
                    status=standing.status,
                    deadline=_deadline(opened.get("deadline")),
                    adjustments_digest=view.evidence.proposal.adjustments_digest,
                    decisions=tuple(standing.decisions),
                ),
                entry.time,
            )
            signed_in = _second_of(entry.data.get("signed_in_at"))
            check_step_up(self._people.rules.step_up, claims, signed_in, entry.time)
        except DecisionRefused as error:
            self._scene.trouble("decision-refusable", str(error))
        except ValidationError as error:
            self._scene.trouble("decision-refusable", f"not a checkpoint: {error.error_count()}")
        standing.keys[claims.jti] = str(entry.data.get("key"))
        if claims.verdict is Verdict.REJECT:
            standing.rejected_for = claims.reason_code
        self.emergencies.decided(view.id, claims.iss)
        standing.decisions.append(
            CountedDecision(
                jti=claims.jti,
                operator=claims.iss,
                roles=roles,
                verdict=claims.verdict,
                exceptions=claims.accepted,
                stands_in_for=claims.stands_in_for,
                escalated=standing.escalated,
            )
        )

    def _process(self, case: str | None) -> str | None:
        found = self._scene.cases.get(case or "")
        kind = None if found is None else self._scene.processes.get(found.process_digest)
        return None if kind is None else kind.name

    def recomputed(self, view: CheckpointView) -> AutomaticFacts | None:
        """The second agent's recomputation of what a checkpoint showed, if there was one."""
        case = self._scene.cases.get(view.evidence.case)
        return None if case is None else self._automatic(view, case)

    def words(self, checkpoint: str) -> tuple[list[CountedDecision], int]:
        """The decisions on a checkpoint that were heard so far, and how often it was escalated."""
        standing = self._open.get(checkpoint)
        return ([], 0) if standing is None else (list(standing.decisions), standing.escalated)

    # --- outcomes -----------------------------------------------------------------------------

    def ended(self, entry: Entry) -> None:
        """A checkpoint's end: what the decisions add up to, computed again."""
        checkpoint = str(entry.data.get("checkpoint"))
        standing, view = self._open.get(checkpoint), self._scene.files.checkpoints.get(checkpoint)
        if standing is None or view is None:
            self._scene.trouble("checkpoint-missing", f"{checkpoint} is not there")
            return
        if entry.type is EntryType.CHECKPOINT_VOIDED:
            standing.status = CheckpointStatus.VOIDED
            if entry.case in self._scene.cases:
                self._scene.cases[entry.case].approvers.pop(checkpoint, None)
            return
        if standing.status is not CheckpointStatus.OPEN:
            self._scene.trouble("outcome", f"{checkpoint} was {standing.status} before")
        if entry.type is EntryType.CHECKPOINT_EXPIRED:
            self._expired(entry, standing, view)
            return
        computed = outcome_status(
            escalated(view.requirement, standing.escalated), standing.decisions
        )
        if computed is CheckpointStatus.OPEN or computed.value != entry.data.get("status"):
            self._scene.trouble(
                "outcome",
                f"{checkpoint}: the decisions add up to {computed}, "
                f"the ledger says {entry.data.get('status')}",
            )
        case = self._scene.cases.get(entry.case or "")
        if computed is CheckpointStatus.APPROVED and case is not None:
            counted = approvals(escalated(view.requirement, standing.escalated), standing.decisions)
            people = tuple(each.operator for each in counted)
            case.approvers[checkpoint] = (view.requirement.checkpoint, people)
        # Whether it follows or not: what the ledger has ended takes no more decisions.
        standing.status = CheckpointStatus.VOIDED if computed is CheckpointStatus.OPEN else computed

    def _expired(self, entry: Entry, standing: _Open, view: CheckpointView) -> None:
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
            and (opened.case, opened.data.get("name")) == (entry.case, name)
            and opened.data.get("evidence_digest") == entry.data.get("evidence_digest")
            and _ids(approvals(escalated(view.requirement, standing.escalated), standing.decisions))
            == entry.data.get("approvals")
        )

    def doubts(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """Why the approval behind a guarded grant does not count at this place of the log."""
        view = self._scene.files.checkpoints.get(str(entry.data.get("checkpoint")))
        if view is None:
            return
        for said in self._unmet(view):
            yield "checkpoint-before", said
        names = (view.evidence.checkpoint, *self._priors(view))
        for name in names:
            for person in self._not_active(self._newest(view.evidence.case, name)):
                yield "approver-not-active", f"{person}, who approved {name}, was not active"

    def rests_on_the_inactive(self, entry: Entry) -> bool:
        """Whether a guarded grant rests on the word of someone who is not active now."""
        standing = self._open.get(str(entry.data.get("checkpoint")))
        return next(self._not_active(standing), None) is not None

    def _not_active(self, standing: _Open | None) -> Iterator[str]:
        view = None
        if standing is not None:
            view = self._scene.files.checkpoints.get(str(standing.opened.data.get("checkpoint")))
        if standing is None or view is None:
            return
        for each in approvals(escalated(view.requirement, standing.escalated), standing.decisions):
            if not self._people.word_stands(each.operator, standing.keys.get(each.jti, "")):
                yield each.operator


def _second_of(told: JsonValue) -> datetime | None:
    """The end of the second that the ledger names, if it names one."""
    return _deadline(told) if isinstance(told, int) else None


def _deadline(told: JsonValue) -> datetime:
    """The end of the second that the ledger names; long ago if it names none."""
    seconds = told if isinstance(told, int) and 0 <= told < _LAST_SECOND else 0
    return datetime.fromtimestamp(seconds + 1, UTC)


def _ids(decisions: Sequence[CountedDecision]) -> list[str]:
    return [each.jti for each in decisions]
