"""Checkpoints: opening them under a grant, deciding by signature, reading what came of it.

1. (I13) The evidence is put together here from settled parts; nobody hands it over.
2. (I5) What is asked of whom comes from the lender's matrix as it is when the checkpoint opens.
3. (I6) A decision counts only as :func:`placet.rules.check_decision` says, and every refusal of one
   is on the ledger; of one that names no enrolled key, nothing is.
4. (I4) Decision, its ledger entry, the outcome and the bell's outbox row are one transaction.
5. (I11) Asked twice, opening and deciding answer the same.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from pydantic import JsonValue

from placet.authority._approvals import (
    automatic_facts,
    counted_decisions,
    newest_checkpoint,
    unmet,
)
from placet.authority._core import AUTHORITY, Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, Forbidden, NotFound, Unauthenticated, Unavailable
from placet.authority._evidence import Gathered, NoEvidence, gather
from placet.authority._facts import FactsClient, FetchedFacts
from placet.authority._identities import ACTIVE, key_standing, roles_of
from placet.authority._outbox import hear_bell, ring
from placet.authority._requests import use_proof
from placet.authority._resubmissions import resubmitters
from placet.authority._store import (
    Case,
    Checkpoint,
    DecisionRow,
    Grant,
    Identity,
    IdentityKey,
    LedgerEntry,
    Reader,
    Tx,
)
from placet.kill import kill_point
from placet.ledger import EntryType
from placet.model import (
    CaseStatus,
    CheckpointDefinition,
    CheckpointStatus,
    DecisionAnswer,
    DecisionClaims,
    Evidence,
    Outcome,
    ProcessDefinition,
    Requirement,
    canonical_json,
    digest_bytes,
    digest_json,
)
from placet.rules import (
    AutomaticFacts,
    CheckpointStanding,
    CountedDecision,
    DecisionRefused,
    MissingFact,
    OperatorFacts,
    RuleError,
    check_decision,
    excluded,
    outcome_status,
    requirement,
)
from placet.tokens import (
    BadSignature,
    GrantClaims,
    Malformed,
    Proof,
    PublicKey,
    RefusedAlgorithm,
    TokenError,
    UnknownKey,
    WrongKind,
    claimed_issuer,
    verify_decision,
)

RESOLVED = {
    CheckpointStatus.APPROVED,
    CheckpointStatus.REJECTED,
    CheckpointStatus.RETURNED,
}


@dataclass(frozen=True)
class _Refused:
    """A decision that does not count; the refusal is on the ledger."""

    description: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Broken:
    """A decision that names an enrolled key, and does not verify under it."""

    description: str
    named_key: str | None = None
    """The key, where it did not sign: whoever sent it need not have it."""


class Checkpoints:
    """Opens, decides and reads checkpoints."""

    def __init__(self, core: Core, definitions: Definitions, facts: FactsClient) -> None:
        self._core = core
        self._definitions = definitions
        self._facts = facts

    # --- opening ------------------------------------------------------------------------------

    async def open(self, claims: GrantClaims, proof: Proof, name: str) -> Outcome:
        """Open a checkpoint of the grant's case, or answer with the one that asks the same.

        Raises:
            Conflict: the evidence is not there, or stale.
            Unavailable: facts could not be fetched, or no matrix is published.
        """
        case, definition = await self._core.store.read(lambda r: self._case(r, claims.txn))
        checkpoint = definition.checkpoint(name)
        if checkpoint is None:
            raise NotFound(f"process {definition.name} has no checkpoint {name!r}")
        step = definition.step(claims.details.activity.activity_type)
        facts = await self._facts.fetch(definition, case.subject, step.facts if step else ())
        outcome = await self._core.store.write(
            lambda tx: self._open(tx, claims, proof, definition, checkpoint, facts)
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
    ) -> Outcome:
        use_proof(tx, proof)
        require_live(tx, claims)
        case, _ = self._case(tx, claims.txn)
        try:
            gathered = gather(tx, definition, checkpoint, case.id)
        except NoEvidence as error:
            raise Conflict(f"{checkpoint.name}: {error}", ("I13",)) from None
        lacking = unmet(
            tx, definition, checkpoint, case.id, gathered.proposed_by, gathered.proposal
        )
        if lacking is not None:
            raise Conflict(f"{checkpoint.name}: {lacking}", ("I5", "unmet"))
        newest = newest_checkpoint(tx, case.id, checkpoint.name)
        if newest is not None:
            if _asks_the_same(newest, gathered):
                return outcome_of(newest)
            if newest.status == CheckpointStatus.OPEN:
                void_open(tx, case, newest, "new_evidence")
        asked = self._require(tx, definition, checkpoint, case, gathered, facts)
        return self._store(tx, claims, checkpoint, case, gathered, asked)

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
                excluded=excluded(
                    case.opened_by, gathered.proposal.preparers, *resubmitters(tx, case.id)
                ),
                facts=facts.values,
                automatic=self._automatic(tx, definition, checkpoint, case, gathered),
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
            status=CheckpointStatus.OPEN.value,
            grant_id=claims.jti,
            opened_at=tx.now,
            deadline=tx.now + timedelta(seconds=checkpoint.deadline_seconds),
            evidence_digest=digest_json(evidence),
            evidence_json=canonical_json(evidence).decode(),
            requirement_digest=digest_json(asked),
            requirement_json=canonical_json(asked).decode(),
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
            },
            case=case.id,
            record=case.subject,
        )
        tx.add(row)
        return settle_status(tx, case, row, asked, ())

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
                raise NotFound(f"the case has no checkpoint {name!r} yet")
            if row.status != CheckpointStatus.OPEN:
                hear_bell(tx, row.id)
            return outcome_of(row)

        return await self._core.store.write(read)

    # --- deciding -----------------------------------------------------------------------------

    async def decide(self, checkpoint_id: str, jws: str) -> DecisionAnswer:
        """Take a person's signed decision.

        Raises:
            NotFound: there is no such checkpoint.
            Unauthenticated: it names no enrolled key; nothing is recorded of a stranger.
            Forbidden: the decision does not count; why is on the ledger and in the reasons.
        """
        answer = await self._core.store.write(lambda tx: self._decide(tx, checkpoint_id, jws))
        kill_point("decision.before-answer")
        if isinstance(answer, _Refused):
            raise Forbidden(answer.description, answer.reasons)
        return answer

    def _decide(self, tx: Tx, checkpoint_id: str, jws: str) -> DecisionAnswer | _Refused:
        row = tx.get(Checkpoint, checkpoint_id)
        if row is None:
            raise NotFound("there is no such checkpoint")
        verified = self._verify(tx, jws)
        if isinstance(verified, _Broken):
            return self._refuse_once(tx, row, jws, verified)
        claims, key = verified
        before = tx.get(DecisionRow, claims.jti)
        if before is not None:
            again = _again(before, checkpoint_id, jws)
            if isinstance(again, _Refused):
                return self._refuse(tx, row, claims.iss, jws, again)
            return again
        identity = tx.get(Identity, claims.iss)
        roles = () if identity is None else roles_of(identity)
        asked = Requirement.model_validate_json(row.requirement_json)
        decisions = counted_decisions(tx, row.id)
        try:
            check_decision(
                asked,
                row.evidence_digest,
                row.requirement_digest,
                claims,
                OperatorFacts(
                    principal=claims.iss,
                    active=key_standing(tx, claims.iss, key.thumbprint) == ACTIVE,
                    roles=roles,
                ),
                standing_of(row, decisions),
                tx.now,
            )
        except DecisionRefused as error:
            refused = _Refused(str(error), ("I6", *error.reasons))
            return self._refuse(tx, row, claims.iss, jws, refused)
        case = tx.get(Case, row.case_id)
        if case is None or case.status != CaseStatus.OPEN:
            refused = _Refused("the case is not open", ("I6", "case_status"))
            return self._refuse(tx, row, claims.iss, jws, refused)
        return self._record(tx, case, row, asked, decisions, claims, key, roles, jws)

    def _verify(self, tx: Tx, jws: str) -> tuple[DecisionClaims, PublicKey] | _Broken:
        """The decision and its key; what names no enrolled key is a stranger's and is not kept."""
        try:
            operator = claimed_issuer(jws)
            keys = [
                PublicKey.from_jwk(json.loads(row.jwk_json))
                for row in tx.all(IdentityKey, IdentityKey.principal == operator)
            ]
        except TokenError as error:
            raise _stranger(str(error)) from None
        for key in keys:
            try:
                claims = verify_decision(
                    jws, key, operator=operator, audience=self._core.issuer, now=tx.now
                )
            except UnknownKey:
                continue
            except BadSignature as error:
                return _Broken(f"the decision's signature: {error}", key.thumbprint)
            except TokenError as error:
                if isinstance(error, (Malformed, WrongKind, RefusedAlgorithm)):
                    raise _stranger(str(error)) from None
                return _Broken(f"the decision's signature: {error}")
            return claims, key
        raise _stranger("it is signed by no enrolled key")

    def _refuse_once(self, tx: Tx, row: Checkpoint, jws: str, broken: _Broken) -> _Refused:
        """Record it once: anyone can send it, and as often as they like."""
        refused = _Refused(broken.description, ("I6", "signature"))
        said: dict[str, JsonValue] = {"decision_digest": digest_bytes(jws.encode())}
        if broken.named_key is not None:
            said = {"named_key": broken.named_key}
        before = tx.all(
            LedgerEntry,
            LedgerEntry.case_id == row.case_id,
            LedgerEntry.type == EntryType.DECISION_REFUSED.value,
        )
        for each in before:
            data = json.loads(each.content)["data"]
            if (said | {"checkpoint": row.id}).items() <= data.items():
                return refused
        return self._refuse(tx, row, "operator:unknown", jws, refused, said)

    def _refuse(
        self,
        tx: Tx,
        row: Checkpoint,
        actor: str,
        jws: str,
        refused: _Refused,
        said: Mapping[str, JsonValue] | None = None,
    ) -> _Refused:
        tx.append(
            "decision.refused",
            actor,
            {
                "checkpoint": row.id,
                "decision_digest": digest_bytes(jws.encode()),
                "reasons": list(refused.reasons),
                **(said or {}),
            },
            case=row.case_id,
        )
        return refused

    def _record(
        self,
        tx: Tx,
        case: Case,
        row: Checkpoint,
        asked: Requirement,
        decisions: tuple[CountedDecision, ...],
        claims: DecisionClaims,
        key: PublicKey,
        roles: tuple[str, ...],
        jws: str,
    ) -> DecisionAnswer:
        entry = tx.append(
            "decision.withdrawn" if claims.verdict == "withdraw" else "decision.recorded",
            claims.iss,
            {
                "checkpoint": row.id,
                "decision": claims.jti,
                "decision_digest": digest_bytes(jws.encode()),
                "key": key.thumbprint,
                "verdict": claims.verdict,
                "roles": list(roles),
                "evidence_digest": claims.evidence_digest,
                "requirement_digest": claims.requirement_digest,
            },
            case=case.id,
            record=case.subject,
        )
        counted = CountedDecision(
            jti=claims.jti, operator=claims.iss, roles=roles, verdict=claims.verdict
        )
        outcome = settle_status(tx, case, row, asked, (*decisions, counted), claims.reason_code)
        answer = DecisionAnswer(jti=claims.jti, entry=entry, outcome=outcome)
        tx.add(
            DecisionRow(
                jti=claims.jti,
                checkpoint_id=row.id,
                operator=claims.iss,
                key=key.thumbprint,
                roles_json=json.dumps(roles),
                verdict=claims.verdict,
                jws=jws,
                decided_at=tx.now,
                counted=True,
                answer_json=answer.model_dump_json(exclude_none=True),
                entry=entry,
            )
        )
        return answer


def _stranger(trouble: str) -> Unauthenticated:
    return Unauthenticated("invalid_token", f"the decision's signature: {trouble}")


def require_live(tx: Reader, claims: GrantClaims) -> Grant:
    """The grant's row, if the grant lives and its case is open.

    Raises:
        Forbidden: it was settled, revoked or has expired, or the case is not open.
    """
    grant = tx.get(Grant, claims.jti)
    if grant is None or grant.status != "issued":
        raise Forbidden("the grant is no longer live", ("I1", "grant_ended"))
    case = tx.get(Case, claims.txn)
    if case is None:
        raise Forbidden("there is no such case", ("I1", "case"))
    if case.status != CaseStatus.OPEN:
        raise Forbidden("the case is not open", ("I1", "case_status", f"case_{case.status}"))
    return grant


def standing_of(row: Checkpoint, decisions: tuple[CountedDecision, ...]) -> CheckpointStanding:
    """A checkpoint's row as the rules see it."""
    evidence = Evidence.model_validate_json(row.evidence_json)
    return CheckpointStanding(
        id=row.id,
        case=row.case_id,
        status=CheckpointStatus(row.status),
        deadline=row.deadline,
        adjustments_digest=evidence.proposal.adjustments_digest,
        decisions=decisions,
    )


def outcome_of(row: Checkpoint) -> Outcome:
    """What a checkpoint's decisions add up to, as it was last settled."""
    if row.outcome_json is None:
        raise LookupError(f"checkpoint {row.id} has no outcome")
    return Outcome.model_validate_json(row.outcome_json)


def settle_status(
    tx: Tx,
    case: Case,
    row: Checkpoint,
    asked: Requirement,
    decisions: tuple[CountedDecision, ...],
    reason_code: str | None = None,
) -> Outcome:
    """Work out where a checkpoint stands, keep it, and ring the workflow if it has ended."""
    status = outcome_status(asked, decisions)
    outcome = Outcome(
        checkpoint_id=row.id,
        checkpoint=row.name,
        case=case.id,
        status=status,
        evidence_digest=row.evidence_digest,
        requirement_digest=row.requirement_digest,
        amount=asked.amount if status is CheckpointStatus.APPROVED else None,
        decisions=tuple(each.jti for each in decisions),
        reason_code=reason_code if status in RESOLVED else None,
    )
    if status in RESOLVED:
        end(tx, case, row, outcome)
    else:
        _keep(tx, row, outcome)
    return outcome


def end(tx: Tx, case: Case, row: Checkpoint, outcome: Outcome) -> None:
    """End a checkpoint with an outcome: on the ledger, and in the bell's outbox row."""
    _keep(tx, row, outcome)
    tx.change(Checkpoint, row.id, status=outcome.status.value, resolved_at=tx.now)
    expired = outcome.status is CheckpointStatus.EXPIRED
    tx.append(
        "checkpoint.expired" if expired else "checkpoint.resolved",
        AUTHORITY,
        {
            "checkpoint": row.id,
            "status": outcome.status.value,
            "decisions": list(outcome.decisions),
        },
        case=case.id,
        record=case.subject,
    )
    ring(tx, case, row.id)


def _keep(tx: Tx, row: Checkpoint, outcome: Outcome) -> None:
    tx.change(Checkpoint, row.id, outcome_json=outcome.model_dump_json(exclude_none=True))


def void_open(tx: Tx, case: Case, row: Checkpoint, reason: str) -> None:
    """Void an open checkpoint: its evidence is no longer the newest, or its case was ended."""
    outcome = outcome_of(row).model_copy(update={"status": CheckpointStatus.VOIDED})
    _keep(tx, row, outcome)
    tx.change(Checkpoint, row.id, status=CheckpointStatus.VOIDED.value, resolved_at=tx.now)
    tx.append(
        "checkpoint.voided",
        AUTHORITY,
        {"checkpoint": row.id, "reasons": [reason]},
        case=case.id,
        record=case.subject,
    )


def _asks_the_same(row: Checkpoint, gathered: Gathered) -> bool:
    """Whether people were asked this already: what they answered stays, unless it was voided."""
    if row.status == CheckpointStatus.VOIDED:
        return False
    evidence = Evidence.model_validate_json(row.evidence_json)
    return evidence.items == gathered.items and evidence.proposal == gathered.proposal


def _again(before: DecisionRow, checkpoint: str, jws: str) -> DecisionAnswer | _Refused:
    if before.jws != jws or before.checkpoint_id != checkpoint or before.answer_json is None:
        return _Refused("this jti was used for another decision", ("I6", "jti_used"))
    return DecisionAnswer.model_validate_json(before.answer_json)
