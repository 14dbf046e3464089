"""Settling grants: how a step ended, and what it leaves behind (invariants I4, I7, I13).

1. Only the agent that holds the grant settles it, with its own key and the key the grant is bound
   to; also after the grant's time, as long as the ledger has not closed it.
2. It signs what the ledger will have of it, so that nobody else can have said it (I13). Which
   parts it has read, both say: who completes a step names all that were given to it. Nothing is
   taken that was signed with another past in sight (I8).
3. A part counts only if the signed process lets this step produce it, about the grant's record;
   one that the authority tells, only as it was told.
4. Told twice, the same settlement is answered the same; another one is refused.
5. A refusal says whether it is final: the same settlement would be refused again.

What takes long with large parts (canonical form, digests, compression) is done before the
transaction, which keeps all others waiting.
"""

from dataclasses import dataclass

from sqlalchemy import bindparam, select

from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Forbidden, NotFound
from placet.authority._evidence import input_part, newest_parts, pack
from placet.authority._identities import require_active
from placet.authority._requests import Sender, use_sender
from placet.authority._revocations import FEED
from placet.authority._seen_heads import is_own_head
from placet.authority._store import (
    ContextBlob,
    Grant,
    GrantInput,
    GrantRevocation,
    PartRow,
    Tx,
    table_of,
)
from placet.authority._told import as_told
from placet.kill import kill_point
from placet.model import (
    MAX_PART_BYTES,
    InputParts,
    Part,
    Settled,
    SettlementAnswer,
    SettlementAnswers,
    SettlementClaims,
    SettlementOutcome,
    Settlements,
    SignedSettlement,
    digest_bytes,
)
from placet.rules import said_digest
from placet.tokens import CLOCKS_APART, NotYetValid, TokenError, numeric_date, verify_settlement

_INPUT = table_of(GrantInput)
_INPUTS = select(_INPUT.c.part_digest).where(_INPUT.c.grant_id == bindparam("grant"))
_PART = table_of(PartRow)
_LEFT = select(_PART.c.seq).where(
    _PART.c.case_id == bindparam("case"), _PART.c.digest == bindparam("digest")
)


@dataclass(frozen=True)
class _Part:
    """A part as it will be kept: ``size`` in bytes of canonical JSON, before it was packed."""

    name: str
    record: str
    salt: str
    size: int
    digest: str
    said: str
    packed: bytes


@dataclass(frozen=True)
class _Words:
    """Reasoning and error as they will be kept, beside the ledger: they may have to be erased."""

    salt: str
    content: bytes


@dataclass(frozen=True)
class _Told:
    """A settlement, what was signed of it, and its parts' content."""

    jws: str
    claims: SettlementClaims
    words: _Words | None
    settled: Settled
    parts: tuple[_Part, ...]


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
        told = [self._read(sender, each) for each in body.settlements]

        def write(tx: Tx) -> SettlementAnswers:
            use_sender(tx, sender)
            require_active(tx, sender.principal, sender.thumbprint, tx.now)
            return SettlementAnswers(
                settlements=tuple(
                    each if isinstance(each, SettlementAnswer) else self._settle(tx, sender, each)
                    for each in told
                )
            )

        answers = await self._core.store.write(write)
        kill_point("settle.before-answer")
        return answers

    def _read(self, sender: Sender, told: SignedSettlement) -> _Told | SettlementAnswer:
        """A settlement that its sender signed; what is not is refused."""
        core, body = self._core, told.body
        try:
            claims = verify_settlement(
                told.settlement,
                sender.key,
                agent=sender.principal,
                audience=core.issuer,
                now=core.clock(),
            )
        except TokenError as error:
            # A clock that runs ahead: what it signed may be told again.
            return _refused(body.grant, str(error), final=not isinstance(error, NotYetValid))
        settled = body.settled()
        if (claims.sub, claims.settlement_digest) != (body.grant, settled.digest):
            return _refused(body.grant, "another settlement was signed", final=True)
        words = _Words(body.salt, body.words) if body.words else None
        parts = tuple(_read_part(part) for part in body.parts)
        return _Told(told.settlement, claims, words, settled, parts)

    def _settle(self, tx: Tx, sender: Sender, told: _Told) -> SettlementAnswer:
        grant_id, digest = told.settled.grant, told.claims.settlement_digest
        grant = tx.get(Grant, grant_id)
        if grant is None or (grant.agent, grant.jkt) != (sender.principal, sender.jkt):
            return _refused(grant_id, "not a grant of this agent and key")
        given = (grant.case_id, digest_bytes((grant.details_json or "").encode()))
        if given != (told.claims.txn, told.claims.details_digest):
            return _refused(grant_id, "it was signed for another case, or details", final=True)
        if told.claims.iat < numeric_date(grant.issued_at - CLOCKS_APART):
            return _refused(grant_id, "it was signed before the grant was given")
        if grant.status == "settled" and grant.ended_for == digest:
            return SettlementAnswer(grant=grant_id, status="settled")
        if grant.status != "issued":
            return _refused(grant_id, f"the grant is already {grant.status}")
        if not is_own_head(tx, told.claims.ledger_head, alone=True):
            return _refused(grant_id, "it was signed with another ledger in sight than this one")
        refusal = _read_otherwise(tx, told.settled)
        if refusal is not None:
            return refusal
        trouble = self._parts_trouble(tx, grant, told)
        if trouble is not None:
            return _refused(grant_id, trouble, final=True)
        self._record(tx, sender, grant, told)
        return SettlementAnswer(grant=grant_id, status="settled")

    def _parts_trouble(self, tx: Tx, grant: Grant, told: _Told) -> str | None:
        if told.parts and told.settled.outcome is not SettlementOutcome.COMPLETED:
            return "only a completed step leaves parts"
        kind = self._definitions.kind(tx, grant.case_id)
        if kind is None:
            return "the grant's case is gone"
        step = kind.definition.step(grant.activity_type)
        if step is None:
            return "the process has no such step"
        names = [part.name for part in told.parts]
        if len(set(names)) != len(names):
            return "a part is named twice"
        for part in told.parts:
            if part.name not in step.produces:
                return f"the process does not let this step produce {part.name}"
            if part.record != grant.record:
                return f"part {part.name} is about another record than the grant's"
            if not as_told(tx, grant, step, part.name, part.digest):
                return f"part {part.name} is not what the authority told"
            if part.size > MAX_PART_BYTES:
                return f"part {part.name} is larger than {MAX_PART_BYTES} bytes"
            if tx.fetch(_LEFT, {"case": grant.case_id, "digest": part.digest}):
                return f"part {part.name} was left before: each has a salt of its own"
        said = told.settled.reasoning_digest
        if said is not None and tx.get(ContextBlob, said) is not None:
            return "these words were left before: each settlement has a salt of its own"
        return None

    def _record(self, tx: Tx, sender: Sender, grant: Grant, told: _Told) -> None:
        for part in told.parts:
            _keep_part(tx, sender, grant, part)
        if told.words is not None:
            digest, words = told.settled.reasoning_digest, told.words
            tx.add(ContextBlob(digest=str(digest), salt=words.salt, content=words.content))
        leaked = told.settled.outcome is SettlementOutcome.LEAKED
        tx.append(
            "grant.settled",
            sender.principal,
            {**told.settled.model_dump(mode="json"), "settlement": told.jws},
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
        tx.change(
            Grant,
            grant.id,
            status="settled",
            ended_at=tx.now,
            ended_for=told.claims.settlement_digest,
        )
        # The grant is dead from here on: systems of record hear it like a revocation.
        tx.add(GrantRevocation(grant_id=grant.id, expires_at=grant.expires_at, at=tx.now))
        tx.notify(FEED)

    async def inputs(self, sender: Sender, grant_id: str, name: str) -> InputParts:
        """The settled parts of a name, for a step that the process lets read them.

        Raises:
            NotFound: no such grant of this agent and key, or not an input of its step.
            Forbidden: the grant has ended, or the agent is not active.
        """

        def read(tx: Tx) -> list[PartRow]:
            use_sender(tx, sender)
            require_active(tx, sender.principal, sender.thumbprint, tx.now)
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
            return rows

        rows = await self._core.store.write(read)
        return InputParts(parts=tuple(input_part(row) for row in rows))


def _read_otherwise(tx: Tx, settled: Settled) -> SettlementAnswer | None:
    """Whether a step tells of its inputs what the authority can't confirm."""
    given = {each.part_digest for each in tx.fetch(_INPUTS, {"grant": settled.grant})}
    if not given.issuperset(settled.inputs):
        said = "it says that it has read what it was not given"
        return _refused(settled.grant, said, final=True)
    if settled.outcome is SettlementOutcome.COMPLETED and given != set(settled.inputs):
        # An answer that was lost, or a step that would rather not have read it: another try tells.
        return _refused(settled.grant, "it was given parts that it does not say it has read")
    return None


def _read_part(part: Part) -> _Part:
    content = part.content()
    return _Part(
        name=part.name,
        record=part.record,
        salt=part.salt,
        size=len(content),
        digest=part.digest,
        said=said_digest(part),
        packed=pack(part),
    )


def _refused(grant: str, reason: str, *, final: bool = False) -> SettlementAnswer:
    return SettlementAnswer(grant=grant, status="refused", reason=reason, final=final)


def _keep_part(tx: Tx, sender: Sender, grant: Grant, part: _Part) -> None:
    tx.add(
        PartRow(
            digest=part.digest,
            case_id=grant.case_id,
            name=part.name,
            record=part.record,
            grant_id=grant.id,
            agent=sender.principal,
            said=part.said,
            salt=part.salt,
            content=part.packed,
            settled_at=tx.now,
        )
    )
