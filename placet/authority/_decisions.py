"""Deciding by signature.

1. (I6) A decision counts only as :func:`placet.rules.check_decision` says, and every refusal of one
   is on the ledger; of one that names no enrolled key, nothing is.
2. (I11) Sent twice, a decision is answered the same.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from placet.authority._core import Core
from placet.authority._counted import asked_of, counted_decisions
from placet.authority._errors import Forbidden, NotFound, Unauthenticated
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE, MENDS, key_standing, roles_of, signed_in_at
from placet.authority._outcomes import settle_status, standing_of
from placet.authority._seen_heads import ANOTHER_PAST, is_own_head
from placet.authority._standing_in import stands_in_for
from placet.authority._store import (
    Case,
    Checkpoint,
    DecisionRow,
    EvidenceOpened,
    Identity,
    IdentityKey,
    LedgerEntry,
    Tx,
)
from placet.authority._timing import advance
from placet.authority._vouching import Vouching
from placet.kill import kill_point
from placet.ledger import EntryType
from placet.model import (
    CaseStatus,
    DecisionAnswer,
    DecisionAnswers,
    DecisionClaims,
    ForCheckpoint,
    OneAnswer,
    Requirement,
    SignedDecisions,
    digest_bytes,
)
from placet.rules import (
    CountedDecision,
    DecisionRefused,
    OperatorFacts,
    check_decision,
    check_step_up,
)
from placet.telemetry import metrics
from placet.tokens import (
    BadSignature,
    Malformed,
    PublicKey,
    RefusedAlgorithm,
    TokenError,
    TooOld,
    UnknownKey,
    WrongKind,
    claimed_issuer,
    verify_decision,
)


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


class Decisions:
    """Takes people's signed decisions."""

    def __init__(self, core: Core, vouching: Vouching | None = None) -> None:
        self._core = core
        self._vouching = vouching

    async def decide(self, checkpoint_id: str, jws: str) -> DecisionAnswer:
        """Take a person's signed decision.

        Raises:
            NotFound: there is no such checkpoint.
            Unauthenticated: it names no enrolled key; nothing is recorded of a stranger.
            Forbidden: the decision does not count; why is on the ledger and in the reasons.
        """
        if self._vouching is not None:
            await self._vouching.ask(jws, verify_decision)
        answer = await self._core.store.write(lambda tx: self._decide(tx, checkpoint_id, jws))
        kill_point("decision.before-answer")
        if isinstance(answer, _Refused):
            raise Forbidden(answer.description, answer.reasons)
        return answer

    async def decide_many(self, body: SignedDecisions) -> DecisionAnswers:
        """Take many signed decisions; each counts or is refused by itself.

        Those on one checkpoint are heard one after the other, the rest share their commits.

        Raises:
            StoreUnavailable: the ledger can't be written; sent again, those recorded count once.
        """
        answers: dict[int, OneAnswer] = {}
        numbers: dict[str, list[int]] = {}
        for number, each in enumerate(body.decisions):
            numbers.setdefault(each.checkpoint, []).append(number)

        async def hear(those: list[int]) -> None:
            for number in those:
                answers[number] = await self._one(body.decisions[number])

        ended = await asyncio.gather(*map(hear, numbers.values()), return_exceptions=True)
        for trouble in ended:
            if trouble is not None:
                raise trouble
        return DecisionAnswers(answers=tuple(answers[each] for each in sorted(answers)))

    async def _one(self, sent: ForCheckpoint) -> OneAnswer:
        try:
            answer = await self.decide(sent.checkpoint, sent.decision)
        except (NotFound, Unauthenticated, Forbidden) as refused:
            return OneAnswer(checkpoint=sent.checkpoint, problem=refused.problem)
        return OneAnswer(checkpoint=sent.checkpoint, answer=answer)

    def _decide(self, tx: Tx, checkpoint_id: str, jws: str) -> DecisionAnswer | _Refused:
        verified = self._verify(tx, jws)
        row = tx.get(Checkpoint, checkpoint_id)
        if row is None:
            # A stranger hears the same, whether there is such a checkpoint or not.
            if isinstance(verified, _Broken):
                raise _stranger(verified.description)
            raise NotFound("there is no such checkpoint")
        if isinstance(verified, _Broken):
            return self._refuse_once(tx, row, jws, verified)
        claims, key = verified
        before = tx.get(DecisionRow, claims.jti)
        if before is not None:
            again = _again(before, checkpoint_id, jws)
            if isinstance(again, _Refused):
                return self._refuse(tx, row, claims.iss, jws, again)
            return again
        if not is_own_head(tx, claims.ledger_head):
            refused = _Refused(ANOTHER_PAST, ("I8", "another_past"))
            return self._refuse(tx, row, claims.iss, jws, refused)
        identity = tx.get(Identity, claims.iss)
        roles = () if identity is None else roles_of(identity)
        case = tx.get(Case, row.case_id)
        if case is not None:
            row = advance(tx, case, row)
        asked = asked_of(row)
        decisions = counted_decisions(tx, row.id)
        standing = key_standing(tx, claims.iss, key.thumbprint, tx.now)
        try:
            check_decision(
                asked,
                row.evidence_digest,
                row.requirement_digest,
                claims,
                OperatorFacts(
                    principal=claims.iss,
                    active=standing == ACTIVE,
                    roles=roles,
                    mend=MENDS.get(standing, ""),
                    stands_in_for=()
                    if case is None
                    else stands_in_for(tx, claims.iss, case.process, tx.now),
                ),
                standing_of(row, decisions),
                tx.now,
            )
            check_step_up(governance(tx).step_up, claims, signed_in_at(tx, key.thumbprint), tx.now)
        except DecisionRefused as error:
            refused = _Refused(str(error), ("I6", *error.reasons))
            return self._refuse(tx, row, claims.iss, jws, refused)
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
            except TooOld as error:
                kept = self._recorded(tx, jws, key, operator)
                return _Broken(f"the decision's signature: {error}") if kept is None else kept
            except BadSignature as error:
                return _Broken(f"the decision's signature: {error}", key.thumbprint)
            except TokenError as error:
                if isinstance(error, (Malformed, WrongKind, RefusedAlgorithm)):
                    raise _stranger(str(error)) from None
                return _Broken(f"the decision's signature: {error}")
            return claims, key
        raise _stranger("it is signed by no enrolled key")

    def _recorded(
        self, tx: Tx, jws: str, key: PublicKey, operator: str
    ) -> tuple[DecisionClaims, PublicKey] | None:
        """A decision too old to be taken, if it was: whoever asks again hears what they heard."""
        try:
            claims = verify_decision(
                jws, key, operator=operator, audience=self._core.issuer, now=tx.now, max_age=None
            )
        except TokenError:
            return None
        before = tx.get(DecisionRow, claims.jti)
        return (claims, key) if before is not None and before.jws == jws else None

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
        opened = tx.get(EvidenceOpened, (row.id, claims.iss))
        signed_in = signed_in_at(tx, key.thumbprint)
        opened_at = None if opened is None else opened.opened_at
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
                "exceptions": list(claims.accepted),
                "stands_in_for": claims.stands_in_for,
                "signed_in_at": None if signed_in is None else int(signed_in.timestamp()),
                "opened_at": None if opened_at is None else int(opened_at.timestamp()),
                "seconds_open": None
                if opened_at is None
                else int((tx.now - opened_at).total_seconds()),
            },
            case=case.id,
            record=case.subject,
        )
        counted = CountedDecision(
            jti=claims.jti,
            operator=claims.iss,
            roles=roles,
            verdict=claims.verdict,
            exceptions=claims.accepted,
            stands_in_for=claims.stands_in_for,
            escalated=row.escalated,
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
                exceptions_json=json.dumps(claims.accepted),
                stands_in_for=claims.stands_in_for,
                escalated=row.escalated,
                opened_at=opened_at,
                answer_json=answer.model_dump_json(exclude_none=True),
                entry=entry,
            )
        )
        waited = (tx.now - row.opened_at).total_seconds()
        tx.when_durable(lambda: metrics.DECISION_SECONDS.observe(waited))
        return answer


def _stranger(trouble: str) -> Unauthenticated:
    return Unauthenticated("invalid_token", f"the decision's signature: {trouble}")


def _again(before: DecisionRow, checkpoint: str, jws: str) -> DecisionAnswer | _Refused:
    if before.jws != jws or before.checkpoint_id != checkpoint or before.answer_json is None:
        return _Refused("this jti was used for another decision", ("I6", "jti_used"))
    return DecisionAnswer.model_validate_json(before.answer_json)
