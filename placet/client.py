"""Typed client of the authority, for people's tools.

It signs nothing that it has not checked: before a decision is signed, the evidence digest is
computed again from what is shown, and the last head that was seen goes into what is signed.
"""

import asyncio
import base64
import functools
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from placet._event_stream import Told, read_blocks
from placet.model import (
    MAX_PAGE,
    AcceptedException,
    ActAnswer,
    ActClaims,
    Adjust,
    Attach,
    CampaignPage,
    CampaignView,
    Candidate,
    CasePage,
    CaseQuery,
    CaseStatus,
    CaseView,
    CheckpointLine,
    CheckpointOrder,
    CheckpointPage,
    CheckpointQuery,
    CheckpointStatus,
    CheckpointView,
    ClaimKey,
    Comment,
    Countersign,
    DecisionAnswer,
    DecisionAnswers,
    DecisionClaims,
    Delegate,
    DelegationView,
    DeliveryView,
    Enrolment,
    Event,
    ForCheckpoint,
    Governance,
    GroupPage,
    GroupQuery,
    IdentityStanding,
    ImportedIdentity,
    ImportIdentities,
    InputPart,
    KeyedValue,
    KeyIn,
    LeftBehind,
    OpenCase,
    Order,
    OutcomeProof,
    Overview,
    Problem,
    ProposalView,
    Prospect,
    Reason,
    RegisteredView,
    ReportLine,
    Resubmit,
    ReviewView,
    RowCut,
    SignedAct,
    SignedDecision,
    SignedDecisions,
    SignInAnswer,
    SignInBegun,
    StoppedModels,
    VendorView,
    Verdict,
    digest_json,
    salted_digest,
)
from placet.model._signed import LedgerHead
from placet.tokens import (
    SigningKey,
    make_proof,
    make_sign_in,
    numeric_date,
    sign_act,
    sign_decision,
)

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SESSION_RENEW = 60
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_HEAD: TypeAdapter[str] = TypeAdapter(LedgerHead)
_ROWS_AT_ONCE = 200  # a tenth of a second of the writer, for which grants wait
_M = TypeVar("_M", bound=BaseModel)


class AuthorityError(Exception):
    """The authority refused; ``problem`` says why, ``status`` is the HTTP status."""

    def __init__(self, status: int, problem: Problem) -> None:
        reasons = f" [{', '.join(problem.reasons)}]" if problem.reasons else ""
        super().__init__(f"{problem.error_description}{reasons}")
        self.status = status
        self.problem = problem


class AuthorityAway(Exception):
    """The authority does not answer, or not in the form it must."""


class EvidenceMismatch(Exception):
    """What is shown does not have the digest that would be signed; nothing was signed."""


def _system_clock() -> datetime:
    return datetime.now(UTC)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Whom clients trust; reading the authorities' certificates takes some 45 ms each time."""
    return httpx.create_ssl_context()


class OperatorClient:
    """One operator's way to the authority; an async context manager.

    Args:
        issuer: the authority's address, as it calls itself.
        operator: the operator's principal, ``operator:ana-ruiz``.
        key: the operator's own key; it never leaves this process.
    """

    def __init__(
        self,
        issuer: str,
        operator: str,
        key: SigningKey,
        *,
        clock: Callable[[], datetime] = _system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.issuer = issuer.rstrip("/")
        self.operator = operator
        self._key = key
        self._clock = clock
        self._http = httpx.AsyncClient(timeout=30, transport=transport, verify=_trusted())
        self._session: tuple[str, float] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    @property
    def thumbprint(self) -> str:
        """The key's RFC 7638 thumbprint."""
        return self._key.thumbprint

    # --- signing in ---------------------------------------------------------------------------

    async def begin_sign_in(self, *, fresh: bool = False) -> SignInBegun:
        """Begin a sign-in at the lender's identity provider, bound to this key.

        Raises:
            AuthorityError: the lender has none, or too many begin at once.
        """
        url = f"{self.issuer}/oauth/device_authorization"
        request = self._http.build_request(
            "POST",
            url,
            data={"client_id": "placet", **({"prompt": "login"} if fresh else {})},
            headers={"DPoP": self._proof("POST", url)},
        )
        return self._model(await self._send(request), SignInBegun)

    async def finish_sign_in(self, begun: SignInBegun) -> SignInAnswer | None:
        """Whether the person has signed in by now; ``None`` before. Ask every ``interval`` seconds.

        Raises:
            AuthorityError: they did not, in time, or may not.
        """
        url = f"{self.issuer}/oauth/token"
        request = self._http.build_request(
            "POST",
            url,
            data={"grant_type": DEVICE_GRANT, "device_code": begun.device_code},
            headers={"DPoP": self._proof("POST", url)},
        )
        try:
            answer = self._model(await self._send(request), SignInAnswer)
        except AuthorityError as error:
            if error.problem.error in {"authorization_pending", "slow_down"}:
                return None
            raise
        self.operator = answer.operator
        self._session = (answer.access_token, self._clock().timestamp() + answer.expires_in)
        return answer

    async def enrol_with_code(self, code: str) -> ActAnswer:
        """Enrol this key with the one-time code that an administrator gave.

        Raises:
            AuthorityError: the code is not good, or not any more.
        """
        body = ClaimKey(jwk=dict(self._key.public.jwk()))
        claims = self._claims("operator.claim", self.operator, digest_json(body), None)
        sent = Enrolment(code=code, act=sign_act(claims, self._key), body=body)
        return await self._post("/v1/enrolments", sent, ActAnswer)

    async def sign_in_again(self) -> None:
        """Sign in anew with the key: the authority then knows that it is at hand now."""
        self._session = None
        await self._token()

    # --- what people sign ---------------------------------------------------------------------

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
        """The decision as a JWS, not sent yet."""
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
        return sign_decision(claims, self._key)

    async def send_decision(self, checkpoint: str, jws: str) -> DecisionAnswer:
        """Send a signed decision; sent twice, it counts once and is answered the same."""
        body = SignedDecision(decision=jws)
        path = f"/v1/checkpoints/{_segment(checkpoint)}/decisions"
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

    # --- what people do around a checkpoint ---------------------------------------------------

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

    # --- what people read ---------------------------------------------------------------------

    async def case_page(self, query: CaseQuery, after: str | None = None) -> CasePage:
        """A page of cases; ``after`` is the ``next`` of the page before."""
        return self._model(await self._get("/v1/cases", _parameters(query, after)), CasePage)

    async def case_lines(self, query: CaseQuery) -> AsyncIterator[CaseView]:
        """Every case of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.case_page(query, after)
            for each in page.cases:
                yield each
            if (after := page.next) is None:
                return

    async def cases(self, status: str | None = None) -> list[CaseView]:
        """All cases, or those of one status: every page."""
        query = CaseQuery(status=CaseStatus(status) if status else None, limit=MAX_PAGE)
        return [each async for each in self.case_lines(query)]

    async def case(self, case: str) -> CaseView:
        """One case."""
        return self._model(await self._get(f"/v1/cases/{_segment(case)}"), CaseView)

    async def checkpoint_page(
        self, query: CheckpointQuery, after: str | None = None
    ) -> CheckpointPage:
        """A page of checkpoints; ``after`` is the ``next`` of the page before."""
        found = await self._get("/v1/checkpoints", _parameters(query, after))
        return self._model(found, CheckpointPage)

    async def checkpoint_groups(self, query: GroupQuery, after: str | None = None) -> GroupPage:
        """A page of the groups that the checkpoints of a query fall into, each counted."""
        return self._model(
            await self._get("/v1/checkpoint-groups", _parameters(query, after)), GroupPage
        )

    async def checkpoint_lines(self, query: CheckpointQuery) -> AsyncIterator[CheckpointLine]:
        """Every row of a list, page by page."""
        after: str | None = None
        while True:
            page = await self.checkpoint_page(query, after)
            for line in page.checkpoints:
                yield line
            if (after := page.next) is None:
                return

    async def checkpoints(
        self, status: str | None = None, case: str | None = None
    ) -> list[CheckpointView]:
        """All checkpoints, or those of one status or case, each with its evidence.

        For what looks at one case, or audits; a list of what waits is :meth:`checkpoint_page`.
        """
        return [each async for each in self.each_checkpoint(status, case)]

    async def each_checkpoint(
        self, status: str | None = None, case: str | None = None
    ) -> AsyncIterator[CheckpointView]:
        """The same, one at a time: of a whole authority there may be more than memory holds."""
        query = CheckpointQuery(
            status=CheckpointStatus(status) if status else None,
            case=case,
            sort=CheckpointOrder.OPENED,
            limit=MAX_PAGE,
        )
        async for line in self.checkpoint_lines(query):
            yield await self.checkpoint(line.id)

    async def overview(self) -> Overview:
        """How much there is, and how much waits for this operator."""
        return self._model(await self._get("/v1/overview"), Overview)

    async def events(self, after: int | None = None) -> AsyncIterator[Event]:
        """What changes, as it does; reconnects by itself and misses nothing.

        ``after`` is the id of the last event that was seen; ``None`` begins now.

        Raises:
            AuthorityError: the authority refuses: the operator is no longer active.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                async for told in self.listen(after):
                    pause = _FIRST_PAUSE
                    after = after if told.last is None else told.last
                    if told.event is not None:
                        yield told.event
            except AuthorityError as error:
                if error.status != 503:
                    raise
            except AuthorityAway:
                pass
            else:
                pause = _FIRST_PAUSE  # the session ended: the next connection has a new one
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def listen(self, after: int | None = None) -> AsyncIterator[Told]:
        """What one connection tells, heartbeats as well, until it ends with the session.

        For who has to know when nobody is heard any more; :meth:`events` comes back by itself.

        Raises:
            AuthorityAway: the authority does not answer, or the connection broke.
            AuthorityError: it refuses.
        """
        url = f"{self.issuer}/v1/events"
        headers = {**await self._headers(url), "Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        try:
            async with self._http.stream("GET", url, headers=headers) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise self._refusal(response)
                async for told in read_blocks(response.aiter_lines()):
                    yield told
        except httpx.HTTPError as error:
            raise AuthorityAway(f"the authority at {self.issuer} does not answer") from error
        except ValueError as error:
            raise AuthorityAway(f"what answers at {self.issuer} tells no events") from error

    async def checkpoint(self, checkpoint: str) -> CheckpointView:
        """One checkpoint."""
        return self._model(
            await self._get(f"/v1/checkpoints/{_segment(checkpoint)}"), CheckpointView
        )

    async def proposals(self, status: str | None = "proposed") -> list[ProposalView]:
        """The acts that wait for a second signature, or all that ever did."""
        query = {"status": status} if status else {}
        found = await self._pages("/v1/proposals", "proposals", query, key="jti")
        return [self._model(each, ProposalView) for each in found]

    async def proposal(self, jti: str) -> ProposalView:
        """One of them."""
        return self._model(await self._get(f"/v1/proposals/{_segment(jti)}"), ProposalView)

    async def reviews(self, status: str | None = "open") -> list[ReviewView]:
        """The reviews of emergencies that wait, or all."""
        query = {"status": status} if status else {}
        found = await self._pages("/v1/reviews", "reviews", query)
        return [self._model(each, ReviewView) for each in found]

    async def notices(self, status: str | None = None) -> list[DeliveryView]:
        """Notices at their channels, or those of one status."""
        found: list[DeliveryView] = []
        while True:
            query = {"after": str(found[-1].id if found else 0)}
            query |= {"status": status} if status else {}
            page = self._member(await self._get("/v1/notices", query), "notices")
            found += [self._model(each, DeliveryView) for each in page]
            if len(page) < 100:
                return found

    async def governance(self) -> Governance:
        """The rules about people that are in force."""
        return self._model(await self._get("/v1/governance"), Governance)

    async def prospect(self, checkpoint: str) -> Prospect:
        """May I decide this, what would my word do, and what is missing."""
        path = f"/v1/checkpoints/{_segment(checkpoint)}/prospect"
        return self._model(await self._get(path), Prospect)

    async def proof(self, checkpoint: str) -> OutcomeProof:
        """Why a checkpoint stands where it stands."""
        path = f"/v1/checkpoints/{_segment(checkpoint)}/proof"
        return self._model(await self._get(path), OutcomeProof)

    async def attachment(self, checkpoint: CheckpointView, act: str) -> bytes:
        """A file that was attached; its salt is in the act that attached it.

        Raises:
            EvidenceMismatch: it is not the file whose digest is on the ledger.
        """
        signed = await self._get(f"/v1/acts/{_segment(act)}")
        body = Attach.model_validate_json(self._member(signed, "body"))
        content = await self.attachment_as_kept(checkpoint.id, act)
        if salted_digest(body.salt, content) != body.digest:
            raise EvidenceMismatch(f"the file {body.name} is not the one that was attached")
        return content

    async def attachment_as_kept(self, checkpoint: str, act: str) -> bytes:
        """A file that was attached, as the authority has it, for who compares it themselves."""
        return await self._get_bytes(
            f"/v1/checkpoints/{_segment(checkpoint)}/attachments/{_segment(act)}"
        )

    async def delegations(self) -> list[DelegationView]:
        """What you have handed over, and what was handed over to you."""
        found = self._member(await self._get("/v1/delegations"), "delegations")
        return [self._model(each, DelegationView) for each in found]

    async def part(self, case: str, digest: str) -> InputPart:
        """One evidence part, held against its digest.

        Raises:
            EvidenceMismatch: what came is not what the digest fixes.
        """
        found = self._model(
            await self._get(f"/v1/cases/{_segment(case)}/parts/{_segment(digest)}"), InputPart
        )
        if salted_digest(found.part.salt, found.part.content()) != digest:
            raise EvidenceMismatch(f"the part {found.part.name} is not the one that was settled")
        return found

    async def identities(self, kind: str) -> list[dict[str, Any]]:
        """The identities of a kind: agent, operator or system."""
        found = await self._get(f"/v1/identities/{_segment(kind)}")
        listed: list[dict[str, Any]] = self._member(found, "identities")
        return listed

    async def stopped_models(self) -> tuple[str, ...]:
        """The language models that are stopped; ``*`` stands for all."""
        return StoppedModels.model_validate(await self._get("/v1/models")).models

    async def registry(self, kind: str | None = None) -> list[RegisteredView]:
        """The non-human identities, or those of one kind."""
        found: list[RegisteredView] = []
        while True:
            page = await self.registry_page(kind, found[-1].identity if found else "")
            found += page
            if not page:
                return found

    async def registry_page(self, kind: str | None = None, after: str = "") -> list[RegisteredView]:
        """The identities that come after one in the registry; none: that was the last."""
        query = {name: value for name, value in (("after", after), ("kind", kind)) if value}
        page = self._member(await self._get("/v1/registry", query), "identities")
        return [RegisteredView.model_validate(each) for each in page]

    async def identity_report(self, report: str) -> list[ReportLine]:
        """All lines of a report on the identities."""
        found: list[ReportLine] = []
        while True:
            page = await self.report_page(report, found[-1].identity if found else "")
            found += page
            if not page:
                return found

    async def report_page(self, report: str, after: str = "") -> list[ReportLine]:
        """The lines of a report that come after an identity's; none: that was the last."""
        path = f"/v1/identity-reports/{_segment(report)}"
        page = self._member(await self._get(path, {"after": after} if after else {}), "lines")
        return [ReportLine.model_validate(each) for each in page]

    async def left_behind(self, identity: str) -> LeftBehind:
        """What an identity leaves behind."""
        path = f"/v1/left-behind/{quote(identity, safe='/:')}"
        return self._model(await self._get(path), LeftBehind)

    async def vendor(self, vendor: str) -> VendorView:
        """What switching off a third party would stop now."""
        return self._model(await self._get(f"/v1/vendors/{_segment(vendor)}"), VendorView)

    async def candidates(self, days: int) -> list[Candidate]:
        """Whom a campaign should look at: by risk, and by the day on which the review is due."""
        found = self._member(
            await self._get("/v1/campaign-candidates", {"days": str(days)}), "candidates"
        )
        return [Candidate.model_validate(each) for each in found]

    async def orders(self, identity: str) -> list[Order]:
        """The orders to rotate or offboard an identity that others own, the newest first."""
        path = f"/v1/orders/{quote(identity, safe='/:')}"
        found = self._member(await self._get(path), "orders")
        return [Order.model_validate(each) for each in found]

    async def campaign(self, campaign: str) -> CampaignView:
        """A campaign of reviews, and how far it is."""
        return self._model(await self._get(f"/v1/campaigns/{_segment(campaign)}"), CampaignView)

    async def campaigns(self) -> list[CampaignView]:
        """The newest campaigns of reviews, and how far each is."""
        return list(self._model(await self._get("/v1/campaigns"), CampaignPage).campaigns)

    async def standing(self, identity: str) -> IdentityStanding:
        """Why an identity is held back now, or would be, and who looks at it again."""
        path = f"/v1/identity-standings/{quote(identity, safe='/:')}"
        return self._model(await self._get(path), IdentityStanding)

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

    async def inventory(self, source: str) -> list[str]:
        """The ids of all identities that a source has named.

        Raises:
            AuthorityError: nothing was imported from it (404).
        """
        found: list[str] = []
        while True:
            query = {"after": found[-1]} if found else {}
            path = f"/v1/inventories/{_segment(source)}"
            page: list[str] = self._member(await self._get(path, query), "names")
            found += page
            if not page:
                return found

    async def registered(self, identity: str) -> RegisteredView:
        """One non-human identity."""
        return RegisteredView.model_validate(
            await self._get(f"/v1/registry/{quote(identity, safe='/:')}")
        )

    async def entries(self, type_: str | None = None) -> list[dict[str, Any]]:
        """The ledger's entries in order, or those of one type; nobody has verified them here."""
        found: list[dict[str, Any]] = []
        start = 0
        while True:
            answer = await self._get("/v1/ledger/entries", {"from": str(start), "limit": "1024"})
            page = [json.loads(each) for each in self._member(answer, "entries")]
            found += [each for each in page if type_ is None or each.get("type") == type_]
            start += len(page)
            if len(page) < 1024:
                return found

    async def get(self, path: str) -> Any:
        """Any other read of the authority's API, as JSON."""
        return await self._get(path)

    async def head(self) -> str | None:
        """The newest signed head; ``None`` before the first."""
        try:
            response = await self._http.get(f"{self.issuer}/ledger/checkpoint")
        except httpx.HTTPError as error:
            raise AuthorityAway(f"the authority at {self.issuer} does not answer") from error
        if response.status_code != 200:
            return None
        try:
            return _HEAD.validate_python(response.text)
        except ValidationError:
            raise AuthorityAway(f"what answers at {self.issuer} is no authority: no head") from None

    # --- sending ------------------------------------------------------------------------------

    async def _pages(
        self, path: str, name: str, query: Mapping[str, str], key: str = "id"
    ) -> list[Any]:
        found: list[Any] = []
        after = ""
        while True:
            page = self._member(await self._get(path, {**query, "after": after}), name)
            found += page
            if len(page) < 100:
                return found
            after = page[-1][key]

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        url = self.issuer + path
        headers = await self._headers(url)
        return await self._send(self._http.build_request("GET", url, params=query, headers=headers))

    async def _get_bytes(self, path: str) -> bytes:
        url = self.issuer + path
        request = self._http.build_request("GET", url, headers=await self._headers(url))
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise AuthorityAway(f"the authority at {self.issuer} does not answer") from error
        if response.status_code != 200:
            raise self._refusal(response)
        return response.content

    async def _headers(self, url: str) -> dict[str, str]:
        """What a read is sent with: the session, and a fresh proof for this address."""
        token = await self._token()
        return {"Authorization": f"DPoP {token}", "DPoP": self._proof("GET", url, token)}

    async def _post(self, path: str, body: BaseModel, model: type[_M]) -> _M:
        request = self._http.build_request(
            "POST",
            self.issuer + path,
            content=body.model_dump_json(exclude_none=True),
            headers={"Content-Type": "application/json"},
        )
        return self._model(await self._send(request), model)

    async def _token(self) -> str:
        now = self._clock().timestamp()
        if self._session is not None and now + _SESSION_RENEW < self._session[1]:
            return self._session[0]
        url = f"{self.issuer}/oauth/token"
        assertion = make_sign_in(
            self._key,
            self.operator,
            issuer=self.issuer,
            now=self._clock(),
            jti=secrets.token_urlsafe(18),
        )
        request = self._http.build_request(
            "POST",
            url,
            data={"grant_type": JWT_BEARER, "assertion": assertion},
            headers={"DPoP": self._proof("POST", url)},
        )
        answer = await self._send(request)
        token, lives = self._member(answer, "access_token"), self._member(answer, "expires_in")
        if not isinstance(token, str) or not isinstance(lives, int):
            raise AuthorityAway(f"what answers at {self.issuer} is no authority: no session")
        self._session = (token, now + lives)
        return self._session[0]

    def _proof(self, method: str, url: str, token: str | None = None) -> str:
        return make_proof(
            self._key,
            method,
            url,
            now=self._clock(),
            jti=secrets.token_urlsafe(18),
            access_token=token,
        )

    async def _send(self, request: httpx.Request) -> Any:
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise AuthorityAway(f"the authority at {self.issuer} does not answer") from error
        try:
            if response.status_code == 200:
                return response.json()
        except ValueError as error:
            raise self._wrong_form(response) from error
        raise self._refusal(response)

    def _refusal(self, response: httpx.Response) -> AuthorityError:
        try:
            problem = Problem.model_validate(response.json(), strict=False)
        except ValueError as error:
            raise self._wrong_form(response) from error
        return AuthorityError(response.status_code, problem)

    def _wrong_form(self, response: httpx.Response) -> AuthorityAway:
        return AuthorityAway(
            f"the authority at {self.issuer} answered {response.status_code} in a wrong form"
        )

    def _member(self, body: Any, name: str) -> Any:
        if not isinstance(body, dict) or name not in body:
            raise AuthorityAway(f"what answers at {self.issuer} is no authority: no {name}")
        return body[name]

    def _model(self, body: Any, model: type[_M]) -> _M:
        try:
            return model.model_validate(body)
        except ValidationError as error:
            raise AuthorityAway(
                f"the answer of {self.issuer} is no {model.__name__}: {error.error_count()} errors"
            ) from error


def _parameters(query: BaseModel, after: str | None) -> dict[str, str]:
    """A query as the parameters of its route."""
    told = query.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    if "waits_for" in told:
        told["for"] = told.pop("waits_for")
    spelled = {name: "true" if value is True else str(value) for name, value in told.items()}
    return spelled if after is None else {**spelled, "after": after}


def _segment(text: str) -> str:
    """A text as one segment of a path, whatever is in it."""
    return quote(text, safe=":", errors="replace")


def check_evidence(checkpoint: CheckpointView) -> None:
    """Compute both digests again from what is shown.

    Raises:
        EvidenceMismatch: one of them is not what the checkpoint says.
    """
    if digest_json(checkpoint.evidence) != checkpoint.evidence_digest:
        raise EvidenceMismatch("the evidence shown does not have the checkpoint's digest")
    if digest_json(checkpoint.requirement) != checkpoint.requirement_digest:
        raise EvidenceMismatch("the requirement shown does not have the checkpoint's digest")
