"""Issuing grants: the one place where an agent gets a credential.

1. (I1) Temporal says now that this activity of this case is running, at this attempt, in the run
   that the authority started; workflow type, task queues and first run are those it kept.
2. (I1, I2) Which agent, action, system and relation: from the signed process and the activity type
   alone. The record must be one that the relation derives from the case's subject.
3. (I3) Cedar permits it, without an evaluation error; a guarded step's context is the authority's.
4. (I4) Grant, or denial, and its ledger entry are one transaction, durable before the answer.
5. (I5) A guarded grant carries what people fixed, looked up here, whatever was asked. Where a
   model's tool says an amount, that is the agent's claim: policy may refuse it, and nothing above
   it is granted.
6. (I10) Identity, key, owner and case are read in the transaction that gives the grant, which
   never outlives the identity's end date.
7. (I9) A guarded grant's entry holds the digest of the history as it was just before, which extends
   what was seen earlier.
8. A grant of the same activity that still lives is revoked first: a retry never leaves two. What
   the same attempt has read under its earlier grants, its next one has read as well (I13).
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import and_, bindparam, or_, select

from placet.authority._alarms import meet_run, stop_case
from placet.authority._approvals import Approval, Lacking, void_approved, weigh
from placet.authority._asked import asked, tell_issued, tell_refused, timed
from placet.authority._continuing import Continuing
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Denied, Refusal, TooMuch, Unavailable
from placet.authority._facts import FactsClient, FetchedFacts
from placet.authority._histories import Seen
from placet.authority._holds import on_hold
from placet.authority._identities import ACTIVE, key_standing
from placet.authority._limits import Held, hold_back, note_denial
from placet.authority._models import stopped
from placet.authority._prefixes import Prefixes, keep_prefix
from placet.authority._registry import Entitled, NotEntitled, entitlement
from placet.authority._requests import Sender, use_sender
from placet.authority._revocations import revoke
from placet.authority._store import Case, ContextBlob, Grant, GrantInput, Tx, table_of
from placet.authority._temporal import Execution, ExecutionNotFound, RunningActivity
from placet.kill import kill_point
from placet.model import (
    CaseStatus,
    GrantedDetails,
    Mode,
    ProcessDefinition,
    RequestedDetails,
    Step,
    canonical_json,
    digest_bytes,
    system_urn,
)
from placet.rules import (
    MissingFact,
    OutOfScope,
    Permitted,
    PolicyRequest,
    StepFacts,
    cents,
    decide,
    guarded_context,
    require_in_scope,
    step_context,
)
from placet.telemetry import metrics
from placet.tokens import Confirmation, GrantClaims, sign_grant

_GRANT = table_of(Grant)
_EARLIER_OF_STEP = select(_GRANT).where(
    _GRANT.c.run_id == bindparam("run"),
    _GRANT.c.activity_id == bindparam("activity"),
    or_(
        _GRANT.c.status == "issued",
        and_(
            _GRANT.c.attempt == bindparam("attempt"),
            _GRANT.c.last_started == bindparam("last_started"),
        ),
    ),
)
_READ = select(table_of(GrantInput)).where(table_of(GrantInput).c.grant_id == bindparam("grant"))


@dataclass(frozen=True)
class IssuedGrant:
    """A signed grant, as the token endpoint answers it."""

    token: str
    expires_in: int
    details: GrantedDetails


@dataclass(frozen=True)
class _Ask:
    """One request for a grant, with what was fetched for it before the transaction."""

    sender: Sender
    details: RequestedDetails
    facts: FetchedFacts
    execution: Execution | None
    seen: Seen | None = None
    until: datetime | None = None
    """When the agent itself ends: no grant of it lasts longer."""


@dataclass(frozen=True)
class _Deny:
    """A denial that is on the ledger."""

    description: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Slow:
    """No decision: a limit is met, as is on the ledger; when there is room again."""

    description: str
    measure: str
    until: datetime


class Grants:
    """Issues grants."""

    def __init__(self, core: Core, definitions: Definitions, facts: FactsClient) -> None:
        self._core = core
        self._definitions = definitions
        self._facts = facts
        self._prefixes = Prefixes(core)
        self._continuing = Continuing(core)

    async def issue(self, sender: Sender, details: RequestedDetails) -> IssuedGrant:
        """Decide on a request for a grant.

        Raises:
            Denied: the answer is no; it is on the ledger with its reasons.
            Unavailable: something the decision needs is away; nothing was decided.
            Unauthenticated: the assertion or its proof was used before.
        """
        with asked(sender.principal, details):
            ask = await self._look(sender, details)

            def write(tx: Tx) -> GrantClaims | _Deny | _Slow:
                use_sender(tx, sender)
                return self._decide(tx, ask)

            answer = await self._core.store.write(write)
            kill_point("grant.before-answer")
            return await self._sign(answer)

    async def issue_each(
        self, sender: Sender, wanted: tuple[RequestedDetails, ...]
    ) -> list[IssuedGrant | Refusal]:
        """Decide on several requests of one client, each by itself; see :meth:`issue`.

        What is refused takes nothing away from the others.

        Raises:
            Unauthenticated: the assertion or its proof was used before.
        """
        with timed():
            answers = await self._issue_each(sender, wanted)
        for details, answer in zip(wanted, answers, strict=True):
            if isinstance(answer, Refusal):
                tell_refused(sender.principal, details, answer)
        return answers

    async def _issue_each(
        self, sender: Sender, wanted: tuple[RequestedDetails, ...]
    ) -> list[IssuedGrant | Refusal]:
        asks = await asyncio.gather(*(self._look_or_refuse(sender, each) for each in wanted))

        def write(tx: Tx) -> list[GrantClaims | _Deny | _Slow | Refusal]:
            use_sender(tx, sender)
            return [each if isinstance(each, Refusal) else self._part(tx, each) for each in asks]

        answers = await self._core.store.write(write)
        kill_point("grant.before-answer")
        return await asyncio.gather(*(self._sign_or_refuse(each) for each in answers))

    async def _look_or_refuse(self, sender: Sender, details: RequestedDetails) -> _Ask | Refusal:
        try:
            return await self._look(sender, details)
        except Refusal as refusal:
            return refusal

    def _part(self, tx: Tx, ask: _Ask) -> GrantClaims | _Deny | _Slow | Refusal:
        try:
            with tx.part():
                return self._decide(tx, ask)
        except Refusal as refusal:
            return refusal

    async def _sign_or_refuse(
        self, answer: GrantClaims | _Deny | _Slow | Refusal
    ) -> IssuedGrant | Refusal:
        try:
            return answer if isinstance(answer, Refusal) else await self._sign(answer)
        except (Denied, TooMuch, Unavailable) as refusal:
            return refusal

    async def _sign(self, answer: GrantClaims | _Deny | _Slow) -> IssuedGrant:
        if isinstance(answer, _Deny):
            raise Denied(answer.description, answer.reasons)
        now = self._core.clock()
        if isinstance(answer, _Slow):
            seconds = math.ceil((answer.until - now).total_seconds())
            raise TooMuch(answer.description, answer.measure, max(1, seconds))
        with metrics.signing("grant"):
            token = await self._core.keys.sign(now, lambda signer: sign_grant(answer, signer))
        tell_issued(answer.txn, answer.jti, answer.sub)
        return IssuedGrant(token, answer.exp - int(now.timestamp()), answer.details)

    async def _look(self, sender: Sender, details: RequestedDetails) -> _Ask:
        """Ask Temporal and the systems of record, if the case and step exist at all."""
        kind = self._definitions.known_kind(details.case) or await self._core.store.read(
            lambda reader: self._definitions.kind(reader, details.case)
        )
        step = None if kind is None else kind.definition.step(details.activity.activity_type)
        if kind is None or step is None:
            return _Ask(sender, details, FetchedFacts(), None)
        try:
            execution = await self._core.temporal.describe(details.case)
        except ExecutionNotFound:
            execution = None
        if execution is not None:
            await self._continuing.follow(details.case, execution.run_id)
        facts = FetchedFacts()
        if step.facts and sender.principal == f"agent:{step.agent}":
            facts = await self._facts.fetch(kind.definition, kind.subject, step.facts)
        seen = None
        if step.approval and execution and sender.principal == f"agent:{step.agent}":
            seen = await self._prefixes.look(details.case)
        return _Ask(sender, details, facts, execution, seen)

    # --- inside the transaction ---------------------------------------------------------------

    def _decide(self, tx: Tx, ask: _Ask) -> GrantClaims | _Deny | _Slow:
        answer = self._judge(tx, ask)
        if isinstance(answer, _Deny):
            case, asked = tx.get(Case, ask.details.case), ask.details.identifier
            note_denial(tx, ask.sender.principal, case, asked, answer.reasons)
        return answer

    def _judge(self, tx: Tx, ask: _Ask) -> GrantClaims | _Deny | _Slow:
        standing = key_standing(tx, ask.sender.principal, ask.sender.thumbprint, tx.now)
        if standing != ACTIVE:
            self._stop_without_orchestrator(tx, ask, standing)
            return _deny(tx, ask, f"the agent or its key is {standing}", ("I10", standing))
        case = tx.get(Case, ask.details.case)
        if case is None:
            return _deny(tx, ask, "no such case was opened through the authority", ("I1", "case"))
        definition = self._definitions.process(tx, case.process, case.version)
        step = definition.step(ask.details.activity.activity_type)
        if step is None:
            return _deny(tx, ask, "the process has no such activity", ("I1", "activity_type"))
        wrong = _wrong_step(ask, step)
        if wrong is not None:
            return _deny(tx, ask, wrong.description, wrong.reasons)
        entitled = self._entitled(tx, ask)
        if isinstance(entitled, NotEntitled):
            self._stop_without_orchestrator(tx, ask, entitled.reason)
            return _deny(tx, ask, entitled.description, ("I10", entitled.reason))
        ask = replace(ask, until=entitled.ends_at)
        if entitled.narrowed_to is not None and step.action not in entitled.narrowed_to:
            return _deny(tx, ask, "its owner's review took this action away", ("I10", "narrowed"))
        wrong = _wrong_claim(tx, ask, definition)
        if wrong is not None:
            return _deny(tx, ask, wrong.description, wrong.reasons)
        wrong = _wrong_state(tx, ask, case)
        if wrong is not None:
            return _deny(tx, ask, wrong.description, wrong.reasons)
        activity = _running(ask, step)
        if isinstance(activity, _Deny):
            return _deny(tx, ask, activity.description, activity.reasons)
        if not entitled.serves(activity.task_queue):
            said = "this worker's key is for other task queues"
            return _deny(tx, ask, said, ("I1", "task_queue"))
        held = hold_back(tx, ask.sender.principal, case, ask.details.identifier)
        if held is not None:
            return _held_back(tx, ask, held)
        try:
            require_in_scope(
                definition,
                case.subject,
                definition.relation(step.relation),
                ask.details.identifier,
                ask.facts.values,
            )
        except OutOfScope as error:
            return _deny(tx, ask, str(error), ("I2", "out_of_scope"))
        except MissingFact as error:
            raise Unavailable(str(error)) from None
        return self._ask_policy(tx, ask, case, definition, step, activity)

    def _entitled(self, tx: Tx, ask: _Ask) -> Entitled | NotEntitled:
        sender, environment = ask.sender, self._core.settings.environment
        return entitlement(tx, sender.principal, sender.thumbprint, environment, tx.now)

    def _stop_without_orchestrator(self, tx: Tx, ask: _Ask, standing: str) -> None:
        """Stop a case whose own orchestrator may not go on: it can't even stop the case itself.

        Only where it asks for a step that runs: what else a thief of its key asks stops nothing.
        """
        case = tx.get(Case, ask.details.case)
        if case is None or case.status != CaseStatus.OPEN:
            return
        definition = self._definitions.process(tx, case.process, case.version)
        step = definition.step(ask.details.activity.activity_type)
        if step is None or step.agent != definition.orchestrator or _wrong_step(ask, step):
            return
        if _wrong_state(tx, ask, case) is None and not isinstance(_running(ask, step), _Deny):
            stop_case(tx, case, f"{step.activity_type} was denied: I10, {standing}")

    def _ask_policy(
        self,
        tx: Tx,
        ask: _Ask,
        case: Case,
        definition: ProcessDefinition,
        step: Step,
        activity: RunningActivity,
    ) -> GrantClaims | _Deny:
        found = self._definitions.matrix(tx, case.process)
        if found is None:
            raise Unavailable("no authority matrix is published for this process")
        matrix_digest, matrix = found
        facts = StepFacts(
            agent=step.agent,
            in_scope=True,
            case_status=CaseStatus(case.status),
            attempt=activity.attempt,
            mode=matrix.mode,
            on_hold=on_hold(tx, ask.details.identifier),
        )
        approval: Approval | None = None
        amount = ask.details.amount
        claim = {} if amount is None else {"amount_cents": cents(amount)}
        if step.approval is None:
            context = step_context(facts, claim=claim)
        else:
            weighed = weigh(tx, definition, case, step, matrix, ask.facts, self._core.issuer)
            if isinstance(weighed, Lacking):
                for each in weighed.void:
                    void_approved(tx, case, each, ("I5", weighed.reason))
                return _deny(tx, ask, weighed.description, ("I5", weighed.reason))
            approval = weighed
            try:
                context = guarded_context(facts, approval.facts, ask.facts.facts)
            except MissingFact as error:
                raise Unavailable(str(error)) from None
        request = PolicyRequest(
            principal=ask.sender.principal,
            action=step.action,
            record=ask.details.identifier,
            context=context,
            salt=self._core.new_salt(),
        )
        decision = decide(self._definitions.policies(tx), request)
        tx.add(
            ContextBlob(
                digest=decision.context_digest, salt=request.salt, content=request.context_bytes()
            )
        )
        policy: dict[str, JsonValue] = {
            "policies": list(decision.policies),
            "policy_digest": decision.policy_digest,
            "context_digest": decision.context_digest,
            "matrix_digest": matrix_digest,
        }
        if not isinstance(decision, Permitted):
            # In audit mode nothing is ever paid: that says nothing against what people approved.
            if approval is not None and matrix.mode is not Mode.AUDIT:
                void_approved(tx, case, approval.checkpoint_id, decision.reasons)
            return _deny(tx, ask, decision.explanation, decision.reasons, policy)
        return self._grant(tx, ask, case, activity, approval, policy)

    def _grant(
        self,
        tx: Tx,
        ask: _Ask,
        case: Case,
        activity: RunningActivity,
        approval: Approval | None,
        policy: Mapping[str, JsonValue],
    ) -> GrantClaims:
        earlier = _revoke_earlier(tx, ask, activity)
        grant_id = self._core.new_id("grant")
        expires = tx.now + timedelta(seconds=self._core.settings.grant_seconds)
        if activity.start_to_close is not None:
            expires = min(expires, activity.last_started + activity.start_to_close)
        if ask.until is not None:
            expires = min(expires, ask.until)
        asked = ask.details
        fixed = {"max_amount": asked.amount} if approval is None else approval.fixed()
        details = GrantedDetails.model_validate({**asked.model_dump(exclude={"amount"}), **fixed})
        said = canonical_json(details)
        last_started = activity.last_started.isoformat()
        data: dict[str, JsonValue] = {
            "grant": grant_id,
            "jkt": ask.sender.jkt,
            "key": ask.sender.thumbprint,
            "action": asked.action,
            "system": asked.system,
            "activity": asked.activity.model_dump(mode="json"),
            "last_started": last_started,
            "expires": int(expires.timestamp()),
            "details_digest": digest_bytes(said),
            **policy,
        }
        if asked.model is not None:
            data["model"] = asked.model
        if asked.amount is not None:
            data["amount"] = f"{asked.amount:.2f}"
        if ask.facts.versions:
            data["versions"] = dict[str, JsonValue](ask.facts.versions)
        if approval is not None:
            data["checkpoint"] = approval.checkpoint_id
            data["approvals"] = list(approval.approvals)
            data["evidence_digest"] = approval.evidence_digest
            data |= keep_prefix(tx, case.id, ask.seen)
        entry = tx.append(
            "grant.issued", ask.sender.principal, data, case=case.id, record=asked.identifier
        )
        tx.add(
            Grant(
                id=grant_id,
                case_id=case.id,
                agent=ask.sender.principal,
                jkt=ask.sender.jkt,
                action=asked.action,
                system=asked.system,
                record=asked.identifier,
                run_id=asked.activity.run_id,
                activity_id=asked.activity.activity_id,
                activity_type=asked.activity.activity_type,
                attempt=asked.activity.attempt,
                last_started=last_started,
                issued_at=tx.now,
                expires_at=expires,
                status="issued",
                context_digest=str(policy["context_digest"]),
                details_json=said.decode(),
                guarded_json=None if approval is None else said.decode(),
                entry=entry,
            )
        )
        _carry_inputs(tx, earlier, grant_id)
        issued = int(tx.now.timestamp())
        return GrantClaims(
            iss=self._core.issuer,
            sub=ask.sender.principal,
            aud=system_urn(asked.system),
            iat=issued,
            nbf=issued,
            exp=int(expires.timestamp()),
            jti=grant_id,
            client_id=ask.sender.principal,
            txn=case.id,
            cnf=Confirmation(jkt=ask.sender.jkt),
            authorization_details=(details,),
        )


def _held_back(tx: Tx, ask: _Ask, held: Held) -> _Deny | _Slow:
    if held.until is not None:
        return _Slow(held.description, held.measure.value, held.until)
    return _deny(tx, ask, held.description, ("limit", held.measure.value))


def _wrong_step(ask: _Ask, step: Step) -> _Deny | None:
    """Whether the step of the signed process is another agent's, action's or system's."""
    asked = ask.details
    if ask.sender.principal != f"agent:{step.agent}":
        return _Deny("this step is another agent's", ("I1", "agent"))
    if asked.action != step.action or asked.system != step.system:
        return _Deny(f"this step is for {step.action} at {step.system} alone", ("I1", "action"))
    return None


def _wrong_claim(tx: Tx, ask: _Ask, definition: ProcessDefinition) -> _Deny | None:
    """Whether the step asks a model unnamed or stopped, or names one that it does not ask.

    The same for an amount: a tool that has one says it.
    """
    model = ask.details.model
    if definition.thinks(ask.details.activity.activity_type) != (model is not None):
        return _Deny("a step that asks a model names it, and no other does", ("I1", "model"))
    if model is not None and stopped(tx, model):
        return _Deny(f"the model {model} is suspended", ("I10", "model_suspended"))
    if definition.takes_amount(ask.details.activity.activity_type) != (
        ask.details.amount is not None
    ):
        return _Deny("a tool that has an amount says it, and no other step", ("I3", "amount"))
    return None


def _wrong_state(tx: Tx, ask: _Ask, case: Case) -> _Deny | None:
    """Whether case and execution are not those that the authority opened and kept."""
    if case.status == CaseStatus.OPENING:
        raise Unavailable("the case is just being opened; ask again")
    if case.status == CaseStatus.CLOSED and ask.execution is not None:
        meet_run(tx, case, ask.execution.run_id)
    if case.status != CaseStatus.OPEN:
        return _Deny(f"the case is {case.status}", ("I1", "case_status", f"case_{case.status}"))
    execution = ask.execution
    kept = (case.run_id, case.workflow_type, case.task_queue)
    if (
        execution is None
        or kept != (execution.run_id, execution.workflow_type, execution.task_queue)
        or execution.first_run_id not in (case.first_run_id, case.run_id)
    ):
        if execution is not None:
            meet_run(tx, case, execution.run_id)
        stop_case(tx, case, "Temporal shows another execution than the authority started")
        return _Deny(
            "the case was stopped: Temporal shows another execution than was started",
            ("I1", "execution"),
        )
    if not execution.running:
        return _Deny("the case's workflow is not running", ("I1", "workflow_status"))
    activity = ask.details.activity
    if activity.workflow_id != case.workflow_id or activity.run_id != case.run_id:
        return _Deny("the activity is none of the case's run", ("I1", "run"))
    return None


def _running(ask: _Ask, step: Step) -> RunningActivity | _Deny:
    """The activity as Temporal shows it running now, if it is the one that asks."""
    asked = ask.details.activity
    assert ask.execution is not None
    for activity in ask.execution.activities:
        if activity.activity_id != asked.activity_id:
            continue
        if activity.activity_type != asked.activity_type:
            return _Deny("the activity has another type", ("I1", "activity_type"))
        if activity.attempt != asked.attempt:
            return _Deny("the activity is at another attempt", ("I1", "attempt"))
        if activity.task_queue and activity.task_queue != step.agent:
            return _Deny("the activity is on another agent's task queue", ("I1", "task_queue"))
        return activity
    return _Deny("Temporal shows no such activity running", ("I1", "not_running"))


def _revoke_earlier(tx: Tx, ask: _Ask, running: RunningActivity) -> list[str]:
    """Revoke the step's live grants; the grants that the same worker had for this very attempt."""
    asked, last_started = ask.details.activity, running.last_started.isoformat()
    step = {
        "run": asked.run_id,
        "activity": asked.activity_id,
        "attempt": asked.attempt,
        "last_started": last_started,
    }
    earlier = tx.rows(Grant, _EARLIER_OF_STEP, step)
    for grant in earlier:
        if grant.status == "issued":
            revoke(tx, grant, "superseded")
    renewed = (asked.attempt, last_started, ask.sender.jkt)
    return [each.id for each in earlier if (each.attempt, each.last_started, each.jkt) == renewed]


def _carry_inputs(tx: Tx, earlier: list[str], grant: str) -> None:
    """Let a grant have read what the grants before it in its attempt had."""
    read = [row for each in earlier for row in tx.rows(GrantInput, _READ, {"grant": each})]
    for digest in sorted({each.part_digest for each in read}):
        tx.add(GrantInput(grant_id=grant, part_digest=digest, at=tx.now))


def _deny(
    tx: Tx,
    ask: _Ask,
    description: str,
    reasons: tuple[str, ...],
    policy: Mapping[str, JsonValue] | None = None,
) -> _Deny:
    asked = ask.details
    known = tx.get(Case, asked.case)
    tx.append(
        "grant.denied",
        ask.sender.principal,
        {
            "key": ask.sender.thumbprint,
            "action": asked.action,
            "system": asked.system,
            "asked_case": asked.case,
            "activity": asked.activity.model_dump(mode="json"),
            **({} if asked.model is None else {"model": asked.model}),
            **({} if asked.amount is None else {"amount": f"{asked.amount:.2f}"}),
            "reasons": list(reasons),
            **(policy or {}),
        },
        case=known.id if known else None,
        record=asked.identifier,
    )
    return _Deny(description, reasons)
