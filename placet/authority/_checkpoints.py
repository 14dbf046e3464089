"""Checkpoints: opening them under a grant, and reading what came of them.

1. (I13) The evidence is put together here from settled parts; nobody hands it over.
2. (I5) What is asked of whom comes from the lender's matrix as it is when the checkpoint opens.
3. (I9) The entry holds the digest of the history as it was just before.
4. (I11) Asked twice, opening answers the same.
"""

from datetime import timedelta

from placet.authority._approvals import automatic_facts, newest_checkpoint, unmet, waits_to_be_used
from placet.authority._asking_anew import asked_in_vain, is_answered
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, NotFound, Unavailable
from placet.authority._evidence import Gathered, NoEvidence, gather, says_the_same
from placet.authority._facts import FactsClient, FetchedFacts, require_believed
from placet.authority._hands import about, barred, decider, named
from placet.authority._histories import Seen
from placet.authority._lines import relist
from placet.authority._outbox import hear_bell
from placet.authority._outcomes import (
    approvers_of,
    outcome_of,
    require_live,
    settle_status,
    tell_waiting,
    void,
)
from placet.authority._prefixes import Prefixes, keep_prefix
from placet.authority._requests import use_proof
from placet.authority._resubmissions import unread
from placet.authority._store import Case, Checkpoint, Reader, Tx
from placet.authority._timing import advance, look_again_at
from placet.kill import kill_point
from placet.model import (
    CheckpointDefinition,
    CheckpointStatus,
    Evidence,
    Outcome,
    ProcessDefinition,
    Requirement,
    RequirementFact,
    canonical_json,
    digest_json,
)
from placet.rules import AutomaticFacts, MissingFact, RuleError, requirement
from placet.tokens import GrantClaims, Proof


class Checkpoints:
    """Opens and reads checkpoints."""

    def __init__(self, core: Core, definitions: Definitions, facts: FactsClient) -> None:
        self._core = core
        self._definitions = definitions
        self._facts = facts
        self._prefixes = Prefixes(core)

    # --- opening ------------------------------------------------------------------------------

    async def open(self, claims: GrantClaims, proof: Proof, name: str) -> Outcome:
        """Open a checkpoint of the grant's case, or answer with the one that asks the same.

        Raises:
            Conflict: the evidence is not there, or stale.
            Unavailable: facts could not be fetched or are not believed, or no matrix is published.
        """
        case, definition = await self._core.store.read(lambda r: self._case(r, claims.txn))
        checkpoint = definition.checkpoint(name)
        if checkpoint is None:
            raise NotFound(f"process {definition.name} has no checkpoint {name!r}")
        step = definition.step(claims.details.activity.activity_type)
        facts = await self._facts.fetch(definition, case.subject, step.facts if step else ())
        seen = await self._prefixes.look(case.id)
        outcome = await self._core.store.write(
            lambda tx: self._open(tx, claims, proof, definition, checkpoint, facts, seen)
        )
        kill_point("checkpoint.before-answer")
        return outcome

    def _case(self, reader: Reader, case_id: str) -> tuple[Case, ProcessDefinition]:
        case = reader.get(Case, case_id)
        if case is None:
            raise NotFound("there is no such case")
        return case, self._definitions.process(reader, case.process, case.version)

    def _open(
        self,
        tx: Tx,
        claims: GrantClaims,
        proof: Proof,
        definition: ProcessDefinition,
        checkpoint: CheckpointDefinition,
        facts: FetchedFacts,
        seen: Seen | None,
    ) -> Outcome:
        use_proof(tx, proof)
        require_live(tx, claims)
        require_believed(tx, facts, tx.now)
        case, _ = self._case(tx, claims.txn)
        again = unread(tx, definition, case)
        if again is not None:
            said = f"{checkpoint.name}: {again} was handed in again, and nobody has read it since"
            raise Conflict(said, ("I13", "unmet", "unread"))
        try:
            gathered = gather(tx, definition, checkpoint, case.id)
        except NoEvidence as error:
            raise Conflict(f"{checkpoint.name}: {error}", ("I13", "unmet")) from None
        lacking = unmet(
            tx, definition, checkpoint, case.id, gathered.proposed_by, gathered.proposal
        )
        if lacking is not None:
            said = f"{checkpoint.name}: {lacking.description}"
            raise Conflict(said, ("I5", "unmet", lacking.reason))
        newest = newest_checkpoint(tx, case.id, checkpoint.name)
        if newest is not None:
            if is_answered(case, newest) or _asks_the_same(tx, newest, gathered):
                newest = advance(tx, case, newest, claims.jti)
                return look_again_at(newest, outcome_of(newest), tx.now)
            if _falls(tx, definition, newest):
                void(tx, case, newest, "new_evidence")
                newest = newest_checkpoint(tx, case.id, checkpoint.name)
        asked = self._require(tx, definition, checkpoint, case, gathered, facts)
        replaces = newest.id if newest is not None and _was_void(newest) else None
        return self._store(tx, claims, checkpoint, case, gathered, asked, replaces, seen)

    def _require(
        self,
        tx: Tx,
        definition: ProcessDefinition,
        checkpoint: CheckpointDefinition,
        case: Case,
        gathered: Gathered,
        facts: FetchedFacts,
    ) -> Requirement:
        found = self._definitions.matrix(tx, case.process)
        if found is None:
            raise Unavailable("no authority matrix is published for this process")
        try:
            return requirement(
                found[1],
                checkpoint.name,
                gathered.proposal,
                excluded=barred(
                    tx, definition, found[1].rule(checkpoint.name), case, gathered.proposal
                ),
                facts=[RequirementFact.model_validate(fact.model_dump()) for fact in facts.facts],
                automatic=self._automatic(tx, definition, checkpoint, case, gathered),
                opened=tx.now,
                named=named(tx, checkpoint, gathered.items),
                expires_as=checkpoint.expires_as,
                decided_by=decider(tx, checkpoint, gathered.items),
            )
        except MissingFact as error:
            raise Unavailable(str(error)) from None
        except RuleError as error:
            raise Conflict(f"{checkpoint.name}: {error}", ("I5",)) from None

    def _automatic(
        self,
        tx: Tx,
        definition: ProcessDefinition,
        checkpoint: CheckpointDefinition,
        case: Case,
        gathered: Gathered,
    ) -> AutomaticFacts | None:
        """What could let it through without a person; nothing does once an approval was voided."""
        voided = tx.first(
            Checkpoint,
            Checkpoint.case_id == case.id,
            Checkpoint.name == checkpoint.name,
            Checkpoint.status == CheckpointStatus.VOIDED.value,
        )
        if voided is not None:
            return None
        return automatic_facts(tx, definition, case.id, gathered.proposed_by)

    def _store(
        self,
        tx: Tx,
        claims: GrantClaims,
        checkpoint: CheckpointDefinition,
        case: Case,
        gathered: Gathered,
        asked: Requirement,
        replaces: str | None,
        seen: Seen | None,
    ) -> Outcome:
        evidence = Evidence(
            case=case.id,
            checkpoint=checkpoint.name,
            subject=case.subject,
            salt=self._core.new_salt(),
            items=gathered.items,
            proposal=gathered.proposal,
        )
        row = Checkpoint(
            id=self._core.new_id("ckpt"),
            case_id=case.id,
            name=checkpoint.name,
            title=checkpoint.title,
            status=CheckpointStatus.OPEN.value,
            grant_id=claims.jti,
            opened_at=tx.now,
            deadline=tx.now + timedelta(seconds=checkpoint.deadline_seconds)
            if asked.schedule is None
            else asked.schedule.expires_at,
            evidence_digest=digest_json(evidence),
            evidence_json=canonical_json(evidence).decode(),
            requirement_digest=digest_json(asked),
            requirement_json=canonical_json(asked).decode(),
            replaces=replaces,
        )
        row.entry = tx.append(
            "checkpoint.opened",
            claims.sub,
            {
                "checkpoint": row.id,
                "name": row.name,
                "grant": claims.jti,
                "evidence_digest": row.evidence_digest,
                "requirement_digest": row.requirement_digest,
                "matrix_digest": asked.matrix_digest,
                "needs": [need.model_dump(mode="json") for need in asked.needs],
                "deadline": int(row.deadline.timestamp()) if row.deadline else None,
                "replaces": replaces,
                **keep_prefix(tx, case.id, seen),
            },
            case=case.id,
            record=case.subject,
        )
        tx.add(row)
        subject = about(tx, checkpoint, gathered.items)
        relist(tx, row.id, subject)
        outcome = settle_status(tx, case, row, asked, ())
        if outcome.status is CheckpointStatus.OPEN:
            in_vain = None if subject is None else asked_in_vain(tx, case, row.id, subject)
            if in_vain is not None:
                return in_vain
            tell_waiting(tx, case, row, asked)
        return look_again_at(row, outcome, tx.now)

    # --- reading ------------------------------------------------------------------------------

    async def outcome(self, claims: GrantClaims, proof: Proof, name: str) -> Outcome:
        """The newest outcome of a checkpoint of the grant's case; the bell is heard by this.

        Raises:
            NotFound: it was never opened.
        """

        def read(tx: Tx) -> Outcome:
            use_proof(tx, proof)
            require_live(tx, claims)
            row = newest_checkpoint(tx, claims.txn, name)
            if row is None:
                # A step is denied for want of the approval, and its workflow asks here why.
                raise NotFound(f"the case has no checkpoint {name!r} yet", ("no_approval",))
            case, _ = self._case(tx, claims.txn)
            row = advance(tx, case, row, claims.jti)
            if row.status != CheckpointStatus.OPEN:
                hear_bell(tx, row.id)
            return look_again_at(row, outcome_of(row), tx.now)

        return await self._core.store.write(read)


def _asks_the_same(reader: Reader, row: Checkpoint, gathered: Gathered) -> bool:
    """Whether people were asked this already: what they answered stays, unless it counts no more.

    Parts that were made again and say the same are the same to them.
    """
    if _was_void(row):
        return False
    return says_the_same(reader, gathered, Evidence.model_validate_json(row.evidence_json))


def _was_void(row: Checkpoint) -> bool:
    """Whether what people said at it counts no more, and they are asked anew."""
    return row.status in {CheckpointStatus.VOIDED, CheckpointStatus.RESUBMITTED}


def _falls(reader: Reader, definition: ProcessDefinition, row: Checkpoint) -> bool:
    """Whether new evidence voids a checkpoint: while it is open, or approved and not yet used."""
    if row.status == CheckpointStatus.OPEN:
        return True
    approved = bool(approvers_of(reader, row))
    return approved and waits_to_be_used(reader, definition, row)
