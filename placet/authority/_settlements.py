"""Settling grants: how a step ended, and what it leaves behind (invariants I4, I7, I13).

1. Only the agent that holds the grant settles it, with its own key and the key the grant is bound
   to; also after the grant's time, as long as the ledger has not closed it.
2. A part counts only if the signed process lets this step produce it, about the grant's record.
3. Told twice, the same settlement is answered the same; another one is refused.
"""

from pydantic import JsonValue
from sqlalchemy import bindparam, select

from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Forbidden, NotFound
from placet.authority._evidence import input_part, newest_parts, pack
from placet.authority._identities import require_active
from placet.authority._requests import Sender, use_sender
from placet.authority._revocations import FEED
from placet.authority._store import (
    ContextBlob,
    Grant,
    GrantInput,
    GrantRevocation,
    PartRow,
    Tx,
    table_of,
)
from placet.kill import kill_point
from placet.model import (
    MAX_PART_BYTES,
    InputParts,
    Part,
    Settlement,
    SettlementAnswer,
    SettlementAnswers,
    SettlementOutcome,
    Settlements,
    digest_json,
    salted_digest,
)

_REFUSED = "refused"
_INPUT = table_of(GrantInput)
_INPUTS = (
    select(_INPUT.c.part_digest)
    .where(_INPUT.c.grant_id == bindparam("grant"))
    .order_by(_INPUT.c.part_digest)
)


class Settling:
    """Takes settlements, and hands settled parts to later steps."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    async def settle(self, sender: Sender, body: Settlements) -> SettlementAnswers:
        """Settle grants; each is answered by itself.

        Raises:
            Unauthenticated: the assertion or proof was used before.
            Forbidden: the agent or its key is not active (I10).
        """

        def write(tx: Tx) -> SettlementAnswers:
            use_sender(tx, sender)
            require_active(tx, sender.principal, sender.thumbprint)
            return SettlementAnswers(
                settlements=tuple(self._settle(tx, sender, each) for each in body.settlements)
            )

        answers = await self._core.store.write(write)
        kill_point("settle.before-answer")
        return answers

    def _settle(self, tx: Tx, sender: Sender, told: Settlement) -> SettlementAnswer:
        grant = tx.get(Grant, told.grant)
        if grant is None or (grant.agent, grant.jkt) != (sender.principal, sender.jkt):
            return SettlementAnswer(
                grant=told.grant, status=_REFUSED, reason="not a grant of this agent and key"
            )
        digest = digest_json(told)
        if grant.status == "settled" and grant.ended_for == digest:
            return SettlementAnswer(grant=told.grant, status="settled")
        if grant.status != "issued":
            return SettlementAnswer(
                grant=told.grant, status=_REFUSED, reason=f"the grant is already {grant.status}"
            )
        trouble = self._parts_trouble(tx, grant, told)
        if trouble is not None:
            return SettlementAnswer(grant=told.grant, status=_REFUSED, reason=trouble)
        self._record(tx, sender, grant, told, digest)
        return SettlementAnswer(grant=told.grant, status="settled")

    def _parts_trouble(self, tx: Tx, grant: Grant, told: Settlement) -> str | None:
        if told.parts and told.outcome is not SettlementOutcome.COMPLETED:
            return "only a completed step leaves parts"
        kind = self._definitions.kind(tx, grant.case_id)
        if kind is None:
            return "the grant's case is gone"
        step = kind.definition.step(grant.activity_type)
        allowed = () if step is None else step.produces
        names = [part.name for part in told.parts]
        if len(set(names)) != len(names):
            return "a part is named twice"
        for part in told.parts:
            if part.name not in allowed:
                return f"the process does not let this step produce {part.name}"
            if part.record != grant.record:
                return f"part {part.name} is about another record than the grant's"
            if len(part.content()) > MAX_PART_BYTES:
                return f"part {part.name} is larger than {MAX_PART_BYTES} bytes"
        return None

    def _record(self, tx: Tx, sender: Sender, grant: Grant, told: Settlement, digest: str) -> None:
        parts = [self._keep_part(tx, sender, grant, part) for part in told.parts]
        inputs = [each.part_digest for each in tx.execute(_INPUTS, {"grant": grant.id})]
        leaked = told.outcome is SettlementOutcome.LEAKED
        tx.append(
            "grant.settled",
            sender.principal,
            {
                "grant": grant.id,
                "outcome": told.outcome.value,
                "input_digest": told.input_digest,
                "output_digest": told.output_digest,
                "reasoning_digest": self._keep_text(tx, told),
                "parts": list[JsonValue](parts),
                "inputs": list[JsonValue](inputs),
                "settlement_digest": digest,
            },
            case=grant.case_id,
            record=grant.record,
        )
        if leaked:
            tx.append(
                "grant.leaked",
                sender.principal,
                {"grant": grant.id},
                case=grant.case_id,
                record=grant.record,
            )
        tx.change(Grant, grant.id, status="settled", ended_at=tx.now, ended_for=digest)
        # The grant is dead from here on: systems of record hear it like a revocation.
        tx.add(GrantRevocation(grant_id=grant.id, expires_at=grant.expires_at, at=tx.now))
        tx.notify(FEED)

    def _keep_part(self, tx: Tx, sender: Sender, grant: Grant, part: Part) -> JsonValue:
        digest = salted_digest(part.salt, part.content())
        tx.add(
            PartRow(
                digest=digest,
                case_id=grant.case_id,
                name=part.name,
                record=part.record,
                grant_id=grant.id,
                agent=sender.principal,
                salt=part.salt,
                content=pack(part),
                settled_at=tx.now,
            )
        )
        return {"name": part.name, "digest": digest}

    def _keep_text(self, tx: Tx, told: Settlement) -> str | None:
        """Keep the reasoning beside the ledger; it may have to be erased one day."""
        text = "\n".join(each for each in (told.reasoning, told.error) if each)
        if not text:
            return None
        salt = self._core.new_salt()
        digest = salted_digest(salt, text.encode())
        tx.add(ContextBlob(digest=digest, salt=salt, content=text.encode()))
        return digest

    async def inputs(self, sender: Sender, grant_id: str, name: str) -> InputParts:
        """The settled parts of a name, for a step that the process lets read them.

        Raises:
            NotFound: no such grant of this agent and key, or not an input of its step.
            Forbidden: the grant has ended, or the agent is not active.
        """

        def read(tx: Tx) -> InputParts:
            use_sender(tx, sender)
            require_active(tx, sender.principal, sender.thumbprint)
            grant = tx.get(Grant, grant_id)
            if grant is None or (grant.agent, grant.jkt) != (sender.principal, sender.jkt):
                raise NotFound("there is no such grant of this agent and key")
            if grant.status != "issued" or grant.expires_at <= tx.now:
                raise Forbidden("the grant has ended", ("I1", "grant_ended"))
            kind = self._definitions.kind(tx, grant.case_id)
            if kind is None:
                raise NotFound("the grant's case is gone")
            step = kind.definition.step(grant.activity_type)
            if step is None or name not in step.inputs:
                raise Forbidden(
                    f"the process does not let this step read {name}", ("I2", "not_an_input")
                )
            rows = newest_parts(tx, grant.case_id, name)
            for row in rows:
                if tx.get(GrantInput, (grant_id, row.digest)) is None:
                    tx.add(GrantInput(grant_id=grant_id, part_digest=row.digest, at=tx.now))
            return InputParts(parts=tuple(input_part(row) for row in rows))

        return await self._core.store.write(read)
