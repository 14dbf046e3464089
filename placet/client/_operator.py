"""What people sign: decisions, each on the evidence that was shown, and all other acts."""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
from pydantic import BaseModel, JsonValue

from placet.client._reading import Reader
from placet.client._sending import AuthorityError, EvidenceMismatch, segment
from placet.model import (
    AcceptedException,
    ActAnswer,
    ActClaims,
    Adjust,
    Attach,
    CheckpointView,
    ClaimKey,
    Comment,
    Countersign,
    DecisionAnswer,
    DecisionAnswers,
    DecisionClaims,
    Delegate,
    EncodedPayloads,
    Enrolment,
    ForCheckpoint,
    ImportedIdentity,
    ImportIdentities,
    KeyedValue,
    KeyIn,
    OpenCase,
    ProposalView,
    Reason,
    Resubmit,
    RowCut,
    SignedAct,
    SignedDecision,
    SignedDecisions,
    Verdict,
    digest_json,
    salted_digest,
)
from placet.tokens import (
    Malformed,
    invitation_key,
    numeric_date,
    sign_act,
    sign_decision,
    sign_enrolment,
)

_ROWS_AT_ONCE = 200  # a tenth of a second of the writer, for which grants wait


class OperatorClient(Reader):
    """One operator's way to the authority; an async context manager.

    Args:
        issuer: the authority's address, as it calls itself.
        operator: the operator's principal, ``operator:ana-ruiz``.
        key: the operator's own key; it never leaves this process.
    """

    async def open_payloads(self, case: str, payloads: EncodedPayloads) -> EncodedPayloads:
        """A case's encrypted payloads in clear; that they were read is on the ledger.

        Raises:
            AuthorityError: there is no such case, or this operator may not read it.
        """
        url = f"{self.issuer}/v1/cases/{segment(case)}/payloads"
        body = payloads.model_dump_json()

        async def asked() -> httpx.Request:
            headers = {"Content-Type": "application/json", **await self._headers(url, "POST")}
            return self._http.build_request("POST", url, content=body, headers=headers)

        return self._model(self._read(await self._patiently(asked)), EncodedPayloads)

    # --- signing in --------------------------------------------------------------------------

    async def enrol_with_code(self, code: str) -> ActAnswer:
        """Enrol this key with the one-time code that an administrator gave.

        Raises:
            AuthorityError: the code is not good, or not any more.
        """
        body = ClaimKey(jwk=dict(self._key.public.jwk()))
        claims = self._claims("operator.claim", self.operator, digest_json(body), None)
        enrolment = sign_enrolment(
            invitation_key(self.operator, code),
            self.operator,
            self._key.public,
            audience=self.issuer,
            now=self._clock(),
        )
        sent = Enrolment(enrolment=enrolment, act=sign_act(claims, self._key), body=body)
        return await self._post("/v1/enrolments", sent, ActAnswer)

    # --- what people sign --------------------------------------------------------------------

    async def act(
        self,
        act: str,
        target: str,
        body: BaseModel | Mapping[str, Any],
        *,
        content: str | None = None,
    ) -> ActAnswer:
        """Sign and send an act; ``content`` is a file in base64 whose digest the body has.

        Raises:
            AuthorityError: it was refused.
            AuthorityAway: the authority does not answer.
        """
        plain: dict[str, JsonValue] = (
            body.model_dump(mode="json", exclude_none=True)
            if isinstance(body, BaseModel)
            else dict(body)
        )
        claims = self._claims(act, target, digest_json(plain), await self.head())
        signed = SignedAct(act=sign_act(claims, self._key), body=plain, content=content)
        return await self._post("/v1/acts", signed, ActAnswer)

    def _claims(self, act: str, target: str, body_digest: str, head: str | None) -> ActClaims:
        return ActClaims(
            iss=self.operator,
            aud=self.issuer,
            iat=numeric_date(self._clock()),
            jti=secrets.token_urlsafe(18),
            act=act,
            target=target,
            body_digest=body_digest,
            ledger_head=head,
        )

    async def countersign(self, proposal: ProposalView) -> ActAnswer:
        """Sign, as the second person, an act that was shown.

        Raises:
            EvidenceMismatch: what is shown is not what its proposer signed; nothing was signed.
            AuthorityError: it was refused.
        """
        if digest_json(proposal.body) != proposal.body_digest:
            raise EvidenceMismatch("the body shown does not have the digest that was proposed")
        body = Countersign(
            act=proposal.act, target=proposal.target, body_digest=proposal.body_digest
        )
        return await self.act("act.countersign", proposal.jti, body)

    async def open_case(self, process: str, subject: str) -> ActAnswer:
        """Open a case on a subject."""
        return await self.act("case.open", subject, OpenCase(process=process, subject=subject))

    async def resubmit(self, case: str, record: str, version: str) -> ActAnswer:
        """Answer a case's return: a record came back, as the version that its system now has."""
        return await self.act("case.resubmit", case, Resubmit(record=record, version=version))

    async def decide(
        self,
        checkpoint: CheckpointView,
        verdict: Verdict,
        *,
        amount: Decimal | None = None,
        reason_code: str | None = None,
        exceptions: Mapping[str, str] | None = None,
        comment: str | None = None,
        stands_in_for: str | None = None,
    ) -> DecisionAnswer:
        """Sign and send a decision on the evidence that was shown.

        ``amount`` is what the person read and means to approve; it must be the checkpoint's.
        ``exceptions`` are the blocking findings that they accept, each with the reason.

        Raises:
            EvidenceMismatch: the evidence has another digest than the checkpoint says.
            AuthorityError: the decision was refused; the reasons say what was missing.
        """
        check_evidence(checkpoint)
        jws = self.sign_decision(
            checkpoint,
            verdict,
            amount=amount,
            reason_code=reason_code,
            exceptions=exceptions,
            comment=comment,
            stands_in_for=stands_in_for,
            ledger_head=await self.head(),
        )
        return await self.send_decision(checkpoint.id, jws)

    def sign_decision(
        self,
        checkpoint: CheckpointView,
        verdict: Verdict,
        *,
        amount: Decimal | None = None,
        reason_code: str | None = None,
        exceptions: Mapping[str, str] | None = None,
        comment: str | None = None,
        stands_in_for: str | None = None,
        ledger_head: str | None = None,
    ) -> str:
        """The decision as a JWS, not sent yet.

        Raises:
            ValueError: so much can't be signed.
        """
        adjustments = checkpoint.evidence.proposal.adjustments_digest
        claims = DecisionClaims(
            iss=self.operator,
            aud=self.issuer,
            iat=numeric_date(self._clock()),
            jti=secrets.token_urlsafe(18),
            sub=checkpoint.id,
            txn=checkpoint.case,
            evidence_digest=checkpoint.evidence_digest,
            requirement_digest=checkpoint.requirement_digest,
            verdict=verdict,
            reason_code=reason_code,
            amount=amount,
            adjustments_digest=adjustments if verdict is Verdict.APPROVE else None,
            exceptions=tuple(
                AcceptedException(finding=finding, reason=reason)
                for finding, reason in (exceptions or {}).items()
            ),
            comment=comment,
            ledger_head=ledger_head,
            stands_in_for=stands_in_for,
        )
        try:
            return sign_decision(claims, self._key)
        except Malformed as error:
            raise ValueError(f"{error}; shorten the comment or the reasons") from error

    async def send_decision(self, checkpoint: str, jws: str) -> DecisionAnswer:
        """Send a signed decision; sent twice, it counts once and is answered the same."""
        body = SignedDecision(decision=jws)
        path = f"/v1/checkpoints/{segment(checkpoint)}/decisions"
        return await self._post(path, body, DecisionAnswer)

    async def decide_many(
        self,
        checkpoints: Sequence[CheckpointView],
        verdict: Verdict,
        *,
        reason_code: str | None = None,
        comment: str | None = None,
    ) -> DecisionAnswers:
        """Decide many checkpoints of one kind at once, each signed on its own evidence.

        Raises:
            EvidenceMismatch: one of them shows other evidence than it says; nothing was sent.
            ValueError: they are of several kinds, or one asks for an exception to be accepted.
        """
        kinds = {each.name for each in checkpoints}
        if len(kinds) != 1:
            raise ValueError(f"decide checkpoints of one kind at once, not {', '.join(kinds)}")
        asking = [each.id for each in checkpoints if each.requirement.exceptions]
        if verdict is Verdict.APPROVE and asking:
            raise ValueError(f"{asking[0]} asks for exceptions to be accepted: decide it by itself")
        for each in checkpoints:
            check_evidence(each)
        head = await self.head()
        signed = tuple(
            ForCheckpoint(
                checkpoint=each.id,
                decision=self.sign_decision(
                    each,
                    verdict,
                    amount=each.requirement.amount if verdict is Verdict.APPROVE else None,
                    reason_code=reason_code,
                    comment=comment,
                    ledger_head=head,
                ),
            )
            for each in checkpoints
        )
        return await self._post("/v1/decisions", SignedDecisions(decisions=signed), DecisionAnswers)

    # --- what people do around a checkpoint --------------------------------------------------

    async def claim(self, checkpoint: str) -> ActAnswer:
        """Tell others that you are working at a checkpoint."""
        return await self.act("checkpoint.claim", checkpoint, {})

    async def unclaim(self, checkpoint: str) -> ActAnswer:
        """Leave a checkpoint to others again."""
        return await self.act("checkpoint.unclaim", checkpoint, {})

    async def comment(self, checkpoint: str, text: str) -> ActAnswer:
        """Leave a comment at a checkpoint."""
        return await self.act("checkpoint.comment", checkpoint, Comment(text=text))

    async def attach(
        self, checkpoint: str, name: str, content: bytes, media_type: str
    ) -> ActAnswer:
        """Attach a file: its salted digest is signed and on the ledger, the file beside it."""
        salt = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        body = Attach(
            name=name,
            media_type=media_type,
            size=len(content),
            salt=salt,
            digest=salted_digest(salt, content),
        )
        encoded = base64.b64encode(content).decode()
        return await self.act("checkpoint.attach", checkpoint, body, content=encoded)

    async def recall(self, checkpoint: str, reason: str) -> ActAnswer:
        """Take a checkpoint back, so that people are asked anew (administrators)."""
        return await self.act("checkpoint.recall", checkpoint, Reason(reason=reason))

    async def lower(self, checkpoint: CheckpointView, rows: Sequence[RowCut]) -> ActAnswer:
        """Lower the amount, row by row; the checks run again, and people are asked anew.

        Raises:
            EvidenceMismatch: what is shown is not what the checkpoint says.
            ValueError: there is no amount to lower.
        """
        check_evidence(checkpoint)
        proposed = checkpoint.evidence.proposal.amount
        if proposed is None:
            raise ValueError("there is no amount that could be lowered")
        left = proposed - sum((each.amount for each in rows), Decimal(0))
        body = Adjust(evidence_digest=checkpoint.evidence_digest, rows=tuple(rows), amount=left)
        return await self.act("checkpoint.adjust", checkpoint.id, body)

    async def key_in(self, checkpoint: CheckpointView, values: Sequence[KeyedValue]) -> ActAnswer:
        """Key values that could not be read, looking at their page; the checks run again.

        Raises:
            EvidenceMismatch: what is shown is not what the checkpoint says.
        """
        check_evidence(checkpoint)
        body = KeyIn(evidence_digest=checkpoint.evidence_digest, values=tuple(values))
        return await self.act("checkpoint.key", checkpoint.id, body)

    async def hand_over(
        self,
        delegate: str,
        starts_at: datetime,
        ends_at: datetime,
        reason: str,
        process: str | None = None,
    ) -> ActAnswer:
        """Let a person of the same authority stand in for you, for a time."""
        body = Delegate(process=process, starts_at=starts_at, ends_at=ends_at, reason=reason)
        return await self.act("delegation.give", delegate, body)

    async def end_delegation(self, delegation: str) -> ActAnswer:
        """End a delegation of yours before its time; it is named by the act that gave it."""
        return await self.act("delegation.end", delegation, {})

    # --- what people read --------------------------------------------------------------------

    async def import_identities(
        self, source: str, rows: Sequence[ImportedIdentity]
    ) -> tuple[int, int]:
        """Take in what an inventory says: how many identities are new, and how many changed."""
        new = changed = 0
        for at in range(0, len(rows), _ROWS_AT_ONCE):
            body = ImportIdentities(rows=tuple(rows[at : at + _ROWS_AT_ONCE]))
            try:
                done = await self.act("identity.import", source, body)
            except AuthorityError as error:
                if error.problem.reasons != ("unchanged",):
                    raise
                continue
            query = {"from": str(done.entry), "limit": "1"}
            (entry,) = self._member(await self._get("/v1/ledger/entries", query), "entries")
            said = json.loads(entry)["data"]
            new, changed = new + said["new"], changed + said["changed"]
        return new, changed


def check_evidence(checkpoint: CheckpointView) -> None:
    """Compute both digests again from what is shown, and see that they are of this checkpoint.

    Raises:
        EvidenceMismatch: one of them is not what the checkpoint says, or of another case,
            checkpoint or record than is shown.
    """
    if digest_json(checkpoint.evidence) != checkpoint.evidence_digest:
        raise EvidenceMismatch("the evidence shown does not have the checkpoint's digest")
    if digest_json(checkpoint.requirement) != checkpoint.requirement_digest:
        raise EvidenceMismatch("the requirement shown does not have the checkpoint's digest")
    evidence, name = checkpoint.evidence, checkpoint.name
    shown = (checkpoint.case, checkpoint.subject, name, name)
    asked = checkpoint.requirement.checkpoint
    if shown != (evidence.case, evidence.subject, evidence.checkpoint, asked):
        raise EvidenceMismatch(
            f"the evidence is of {evidence.checkpoint} of {evidence.subject} in {evidence.case}, "
            "and the checkpoint is shown as another"
        )
