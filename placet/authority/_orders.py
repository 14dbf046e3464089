"""Orders to rotate or offboard identities that others own (invariants I4, I5, I7, I11, I13).

1. (I11) A tool is called once for each try: a try that began and told nothing is followed by
   another only when people have said so since. Proven is proven: nothing is called any more.
2. (I5) What needs a person's confirmation is not begun without it, whatever the step says.
3. (I4) The registry changes with the entry that has the proof, and by nothing else of the case.
4. (I7) A proof has ids, a time and a standing; what looks like a secret is refused.
"""

from datetime import UTC, datetime

from pydantic import JsonValue

from placet.authority._approvals import newest_checkpoint
from placet.authority._asking_anew import confirmer
from placet.authority._carried_out import ORDER, order_of
from placet.authority._core import Core
from placet.authority._errors import Conflict, NotFound
from placet.authority._outcomes import require_live
from placet.authority._registry import owner_of, registration
from placet.authority._requests import use_proof
from placet.authority._store import Case, OrderRow, Reader, Registered, Tx
from placet.authority._told import tell
from placet.model import (
    ANOTHER_TRY,
    AUTHORITY,
    NO_PROOF,
    CaseStatus,
    CheckpointStatus,
    Goal,
    Order,
    Part,
    Proposal,
    Proven,
    RegisterIdentity,
    ShownOrder,
    ToolProof,
    ToolTask,
    canonical_json,
    proof_trouble,
)
from placet.tokens import GrantClaims, Proof


def subject_of(order: str) -> str:
    """The record of an order's case."""
    return f"{ORDER}/{order}"


class Orders:
    """Reads for people, and what the steps of an order ask for."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def of(self, identity: str) -> list[Order]:
        """The orders about an identity, the newest first.

        Raises:
            NotFound: the registry has no such identity.
        """

        def read(reader: Reader) -> list[Order]:
            if reader.get(Registered, identity) is None:
                raise NotFound("the registry has no such identity")
            return [order_view(row) for row in orders_of(reader, identity)]

        return await self._core.store.read(read)

    async def look(self, claims: GrantClaims, proof: Proof) -> Part:
        """What people are shown of an order, word for word.

        Raises:
            Forbidden: the grant has ended.
            NotFound: the case is about no order.
        """
        salt = self._core.new_salt()

        def look(tx: Tx) -> Part:
            use_proof(tx, proof)
            require_live(tx, claims)
            row = _order_of(tx, claims.txn)
            tx.change(OrderRow, row.id, case_id=claims.txn)
            owner = owner_of(tx, row.identity)
            known, said = tx.get(Registered, row.identity), registration(tx, row.identity)
            shown = ShownOrder(
                order=row.id,
                identity=row.identity,
                goal=Goal(row.goal),
                source=row.source,
                ordered_by=row.ordered_by,
                ordered_at=row.ordered_at,
                confirm=row.confirm,
                confirmer=confirmer(row, owner),
                owner=owner,
                purpose=None if said is None else said.purpose,
                environment=None if said is None else said.environment,
                credential=None if said is None else said.credential,
                credential_since=None if known is None else known.credential_since,
                last_used=None if known is None else known.last_used,
            )
            hands = Proposal(preparers=(row.ordered_by,))
            return tell(tx, claims, salt, "order", shown, hands)

        return await self._core.store.write(look)

    async def begin(self, claims: GrantClaims, proof: Proof) -> ToolTask:
        """Whether the tool may be called now, and for what; asked again by one try, the same.

        Raises:
            Conflict: nobody has confirmed the order, or the identity has ended.
            Forbidden: the grant has ended.
            NotFound: the case is about no order.
        """

        def begin(tx: Tx) -> ToolTask:
            use_proof(tx, proof)
            require_live(tx, claims)
            row = _order_of(tx, claims.txn)
            task = _task(tx, row)
            if row.proof_json is not None:
                done = ToolProof.model_validate_json(row.proof_json)
                return task.model_copy(update={"proof": done})
            if row.confirm and claims.details.approvals is None:
                raise Conflict("nobody has confirmed this order", ("I5", "unconfirmed"))
            running = _try_of(claims)
            if row.running == running:
                return task
            if row.running is not None and not _may_try_again(tx, claims.txn, row):
                return task.model_copy(update={"unsure": True})
            known = tx.get(Registered, row.identity)
            if known is None or (known.ends_at is not None and known.ends_at <= tx.now):
                raise Conflict("the identity has ended", ("I10", "past_end_date"))
            told: dict[str, JsonValue] = {
                "order": row.id,
                "target": row.identity,
                "goal": row.goal,
                "grant": claims.jti,
                "tries": row.tries + 1,
            }
            record = claims.details.identifier
            begun = tx.append("tool.begun", AUTHORITY, told, case=claims.txn, record=record)
            tx.change(OrderRow, row.id, running=running, begun=begun, tries=row.tries + 1)
            return task.model_copy(update={"tries": row.tries + 1})

        return await self._core.store.write(begin)

    async def prove(self, claims: GrantClaims, proof: Proof, told: ToolProof) -> Proven:
        """Record what the tool proved, and let the registry say so; once.

        Raises:
            Conflict: this try did not call the tool, or its answer proves nothing.
            Forbidden: the grant has ended.
            NotFound: the case is about no order.
        """

        def prove(tx: Tx) -> Proven:
            use_proof(tx, proof)
            require_live(tx, claims)
            row = _order_of(tx, claims.txn)
            goal = Goal(row.goal)
            done = Proven(
                order=row.id, identity=row.identity, goal=goal, tries=max(row.tries, 1), proof=told
            )
            if row.proof_json is not None:
                if row.proof_json != canonical_json(told).decode():
                    raise Conflict("it was proven otherwise", ("I11", "proven"))
                return done
            if row.running != _try_of(claims):
                raise Conflict("this try did not call the tool", ("I11", "not_begun"))
            trouble = proof_trouble(goal, told, row.ordered_at, tx.now)
            if trouble is not None:
                raise Conflict(f"the tool's answer proves nothing: {trouble}", ("I12", NO_PROOF))
            said: dict[str, JsonValue] = {
                "order": row.id,
                "target": row.identity,
                "goal": row.goal,
                "grant": claims.jti,
                "proof": told.model_dump(mode="json"),
            }
            record = claims.details.identifier
            tx.append("identity.proven", AUTHORITY, said, case=claims.txn, record=record)
            tx.change(OrderRow, row.id, proof_json=canonical_json(told).decode())
            _register(tx, row.identity, goal, told)
            return done

        return await self._core.store.write(prove)


def order_view(row: OrderRow) -> Order:
    """An order, as people see it."""
    return Order(
        order=row.id,
        subject=subject_of(row.id),
        identity=row.identity,
        goal=Goal(row.goal),
        source=row.source,
        ordered_by=row.ordered_by,
        ordered_at=row.ordered_at,
        confirm=row.confirm,
        case=row.case_id,
        tries=row.tries,
        proof=None if row.proof_json is None else ToolProof.model_validate_json(row.proof_json),
    )


def orders_of(reader: Reader, identity: str) -> list[OrderRow]:
    """The orders about an identity, the newest first."""
    newest = [OrderRow.entry.desc()]  # type: ignore[attr-defined]  # a column on the class
    return list(reader.all(OrderRow, OrderRow.identity == identity, order_by=newest, limit=100))


def goes_on(reader: Reader, row: OrderRow) -> bool:
    """Whether an order is neither proven nor given up."""
    if row.proof_json is not None:
        return False
    case = None if row.case_id is None else reader.get(Case, row.case_id)
    return case is None or case.status != CaseStatus.CLOSED


def _order_of(reader: Reader, case_id: str) -> OrderRow:
    """The order that a case is about.

    Raises:
        NotFound: it is about none, or its order is another case's.
    """
    case = reader.get(Case, case_id)
    row = None if case is None else order_of(reader, case)
    if row is None or row.case_id not in (None, case_id):
        raise NotFound("the case is about no such order")
    return row


def _try_of(claims: GrantClaims) -> str:
    """One try of one step: a grant that follows in it is the same try's."""
    activity = claims.details.activity
    return f"{activity.run_id}/{activity.activity_id}/{activity.attempt}"


def _may_try_again(reader: Reader, case: str, row: OrderRow) -> bool:
    """Whether people have said, since the tool was begun last, that it is called again."""
    asked = newest_checkpoint(reader, case, ANOTHER_TRY)
    if asked is None or asked.status != CheckpointStatus.APPROVED:
        return False
    return (asked.entry or 0) > row.begun


def _task(reader: Reader, row: OrderRow) -> ToolTask:
    known, said = reader.get(Registered, row.identity), registration(reader, row.identity)
    return ToolTask(
        order=row.id,
        identity=row.identity,
        goal=Goal(row.goal),
        source=row.source,
        ordered_at=row.ordered_at,
        tries=row.tries,
        credential=None if said is None else said.credential,
        credential_since=None if known is None else known.credential_since,
    )


def _register(tx: Tx, identity: str, goal: Goal, proof: ToolProof) -> None:
    """The registry says what was proven: how old the credential is, or that it has ended."""
    if goal is Goal.OFFBOARD:
        ends = datetime.fromtimestamp(int(tx.now.timestamp()), UTC)
        tx.change(Registered, identity, ends_at=ends)
        return
    said = registration(tx, identity)
    assert said is not None  # an inventory said it
    now: RegisterIdentity = said.model_copy(update={"credential_since": proof.at})
    tx.change(
        Registered,
        identity,
        credential_since=proof.at,
        proven_since=proof.at,
        said_json=canonical_json(now).decode(),
    )
