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

Temporal's answer is the longest wait of all, so policy is asked meanwhile what it will most likely
be asked (:mod:`._foreseeing`).
"""

import asyncio
import math
from dataclasses import dataclass

from placet.authority._asked import asked, tell_issued, tell_refused, timed
from placet.authority._continuing import Continuing
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Denied, Refusal, TooMuch, Unavailable
from placet.authority._facts import FactsClient, FetchedFacts
from placet.authority._foreseeing import foresee
from placet.authority._judging import Judge, Slow
from placet.authority._prefixes import Prefixes
from placet.authority._requests import Sender, use_sender
from placet.authority._running_steps import Ask, Denial
from placet.authority._store import Tx
from placet.authority._temporal import Execution, ExecutionNotFound
from placet.kill import kill_point
from placet.model import GrantedDetails, RequestedDetails
from placet.telemetry import metrics
from placet.tokens import GrantClaims, sign_grant


@dataclass(frozen=True)
class IssuedGrant:
    """A signed grant, as the token endpoint answers it."""

    token: str
    expires_in: int
    details: GrantedDetails


class Grants:
    """Issues grants."""

    def __init__(self, core: Core, definitions: Definitions, facts: FactsClient) -> None:
        self._core = core
        self._definitions = definitions
        self._facts = facts
        self._judge = Judge(core, definitions)
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

            def write(tx: Tx) -> GrantClaims | Denial | Slow:
                use_sender(tx, sender)
                return self._judge.decide(tx, ask)

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

        def write(tx: Tx) -> list[GrantClaims | Denial | Slow | Refusal]:
            use_sender(tx, sender)
            return [each if isinstance(each, Refusal) else self._part(tx, each) for each in asks]

        answers = await self._core.store.write(write)
        kill_point("grant.before-answer")
        return await asyncio.gather(*(self._sign_or_refuse(each) for each in answers))

    async def _look_or_refuse(self, sender: Sender, details: RequestedDetails) -> Ask | Refusal:
        try:
            return await self._look(sender, details)
        except Refusal as refusal:
            return refusal

    def _part(self, tx: Tx, ask: Ask) -> GrantClaims | Denial | Slow | Refusal:
        try:
            with tx.part():
                return self._judge.decide(tx, ask)
        except Refusal as refusal:
            return refusal

    async def _sign_or_refuse(
        self, answer: GrantClaims | Denial | Slow | Refusal
    ) -> IssuedGrant | Refusal:
        try:
            return answer if isinstance(answer, Refusal) else await self._sign(answer)
        except (Denied, TooMuch, Unavailable) as refusal:
            return refusal

    async def _sign(self, answer: GrantClaims | Denial | Slow) -> IssuedGrant:
        if isinstance(answer, Denial):
            raise Denied(answer.description, answer.reasons)
        now = self._core.clock()
        if isinstance(answer, Slow):
            seconds = math.ceil((answer.until - now).total_seconds())
            raise TooMuch(answer.description, answer.measure, max(1, seconds))
        with metrics.signing("grant"):
            token = await self._core.keys.sign(now, lambda signer: sign_grant(answer, signer))
        tell_issued(answer.txn, answer.jti, answer.sub)
        return IssuedGrant(token, answer.exp - int(now.timestamp()), answer.details)

    async def _look(self, sender: Sender, details: RequestedDetails) -> Ask:
        """Ask Temporal and the systems of record, if the case and step exist at all."""
        kind = self._definitions.known_kind(details.case) or await self._core.store.read(
            lambda reader: self._definitions.kind(reader, details.case)
        )
        step = None if kind is None else kind.definition.step(details.activity.activity_type)
        if kind is None or step is None:
            return Ask(sender, details, FetchedFacts(), None)
        describing = asyncio.create_task(self._describe(details.case))
        try:
            await asyncio.sleep(0)  # it runs until it waits for Temporal
            foreseen = foresee(self._definitions, sender, details, self._core.new_salt())
            execution = await describing
        finally:
            describing.cancel()
        if execution is not None:
            await self._continuing.follow(details.case, execution.run_id)
        facts = FetchedFacts()
        if step.facts and sender.principal == f"agent:{step.agent}":
            facts = await self._facts.fetch(kind.definition, kind.subject, step.facts)
        seen = None
        if step.approval and execution and sender.principal == f"agent:{step.agent}":
            seen = await self._prefixes.look(details.case)
        return Ask(sender, details, facts, execution, seen, foreseen=foreseen)

    async def _describe(self, case: str) -> Execution | None:
        try:
            return await self._core.temporal.describe(case)
        except ExecutionNotFound:
            return None
