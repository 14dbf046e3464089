"""Reviews of identities, as far as they are the authority's (invariants I4, I5, I6, I10).

1. (I5) What an owner decided is looked up here, at the case's own checkpoint; whoever asks to have
   it carried out says nothing of it. An identity keeps what it had used when its owner was shown
   that. Silence past the deadline suspends.
2. (I11) An identity is reviewed once in a campaign: asked again, the answer is the first one; a
   second case on it is refused while the first goes on.
3. (I13) What the owner is shown is told by the authority, word for word.
4. (I4) What follows, and the entry that says so, are one transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import bindparam, case, or_, select

from placet.authority._approvals import NOT_ACTIVE, newest_checkpoint, not_active
from placet.authority._carried_out import ENDS, item_of, subject_of_item
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import Conflict, NotFound
from placet.authority._evidence import unpack
from placet.authority._governance import governance
from placet.authority._identities import ACTIVE
from placet.authority._outcomes import outcome_of, require_live
from placet.authority._registry import view
from placet.authority._requests import use_proof
from placet.authority._revocations import revoke_all_of
from placet.authority._store import (
    Campaign,
    CampaignItemRow,
    Case,
    Checkpoint,
    Identity,
    PartRow,
    Reader,
    Registered,
    Tx,
    table_of,
)
from placet.authority._suspending import suspend
from placet.authority._told import tell
from placet.authority._usage import did_of, narrowed_to, steps_of
from placet.model import (
    AUTHORITY,
    MOST_AT_ONCE,
    NARROW,
    RECERTIFICATION,
    CampaignItem,
    CampaignView,
    Candidate,
    CarriedOut,
    CaseStatus,
    CheckpointStatus,
    Did,
    Evidence,
    MayDo,
    Outcome,
    Part,
    Proposal,
    Reviewed,
    ReviewedIdentity,
    Risk,
    canonical_json,
    is_ours,
)
from placet.tokens import GrantClaims, Proof

_REG, _IDENTITY = table_of(Registered), table_of(Identity)
_ITEM = table_of(CampaignItemRow)
_RANK = case(
    (or_(_REG.c.owner.is_(None), _REG.c.identity.in_(bindparam("guarded", expanding=True))), 0),
    (_REG.c.identity.in_(bindparam("working", expanding=True)), 1),
    else_=2,
)
"""How high the risk is, as :func:`_risk` has it."""
_DUE = (
    select(_REG.c.identity, _REG.c.owner, _REG.c.review_by)
    .outerjoin(_IDENTITY, _IDENTITY.c.principal == _REG.c.identity)
    .where(
        or_(_REG.c.review_by.is_(None), _REG.c.review_by <= bindparam("until")),
        or_(_REG.c.ends_at.is_(None), _REG.c.ends_at > bindparam("now")),
        or_(_IDENTITY.c.status.is_(None), _IDENTITY.c.status == ACTIVE),
        _REG.c.suspended_for.is_(None),
    )
    .order_by(_RANK, _REG.c.review_by.asc().nulls_first(), _REG.c.identity)
    .limit(MOST_AT_ONCE)
)


class Campaigns:
    """Reads for people, and what a review's steps ask for."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions

    async def candidates(self, days: int) -> list[Candidate]:
        """Whom a campaign should look at: by risk, then by the day on which the review is due.

        Of one risk, those whose review has no day yet come first.
        """
        now = self._core.clock()
        until = now + timedelta(days=days)

        def read(reader: Reader) -> list[Candidate]:
            guarded, steps = self._guarded(reader), steps_of(reader)
            asked = {
                "until": until,
                "now": now,
                "guarded": [each for each, may in steps.items() if _needs_people(guarded, may)],
                "working": list(steps),
            }
            return [
                Candidate(
                    identity=row.identity,
                    owner=row.owner,
                    risk=_risk(row.owner, guarded, steps.get(row.identity, ())),
                    review_by=row.review_by,
                )
                for row in reader.execute(_DUE, asked)
            ]

        return await self._core.store.read(read)

    async def show(self, campaign: str) -> CampaignView:
        """A campaign, and how far it is.

        Raises:
            NotFound: there is no such campaign.
        """

        def read(reader: Reader) -> CampaignView:
            found = campaign_view(reader, campaign)
            if found is None:
                raise NotFound(f"there is no campaign {campaign[:100]!r}")
            return found

        return await self._core.store.read(read)

    def risk_of(self, reader: Reader, row: Registered) -> Risk:
        """How much an identity could do."""
        may = steps_of(reader).get(row.identity, ())
        return _risk(row.owner, self._guarded(reader), may)

    def _guarded(self, reader: Reader) -> frozenset[tuple[str, str]]:
        """The steps that people must approve, by process and activity type."""
        found = set[tuple[str, str]]()
        for name in {each.process for steps in steps_of(reader).values() for each in steps}:
            definition = self._definitions.newest_process(reader, name)
            for step in definition.steps if definition else ():
                if step.approval is not None:
                    found.add((name, step.activity_type))
        return frozenset(found)

    # --- a review's steps ---------------------------------------------------------------------

    async def look(self, claims: GrantClaims, proof: Proof) -> Part:
        """What the owner of an identity is shown, word for word; its review has begun with this.

        Raises:
            Conflict: the review is over, or another case is at it.
            Forbidden: the grant has ended.
            NotFound: the case is about no identity of a campaign.
        """
        salt = self._core.new_salt()

        def look(tx: Tx) -> Part:
            use_proof(tx, proof)
            require_live(tx, claims)
            item = _begin(tx, claims.txn)
            if item.done_json is not None:
                raise Conflict("this identity was reviewed in this campaign", ("I11", "reviewed"))
            row = tx.get(Registered, item.identity)
            assert row is not None  # the registry forgets none
            shown = view(tx, row, tx.now)
            may, did, unused = _uses(tx, item.identity, tx.now)
            seen = ReviewedIdentity(
                campaign=item.campaign,
                identity=item.identity,
                owner=row.owner,
                risk=self.risk_of(tx, row),
                kind=shown.kind.value,
                status=shown.status,
                purpose=shown.purpose,
                environment=shown.environment,
                vendor=shown.vendor,
                review_by=shown.review_by,
                ends_at=shown.ends_at,
                last_used=max((each.last for each in did), default=row.last_used),
                lacks=shown.lacks,
                may=may,
                did=did,
                unused=unused,
            )
            return tell(tx, claims, salt, "identity", seen, Proposal())

        return await self._core.store.write(look)

    async def carry_out(self, claims: GrantClaims, proof: Proof) -> CarriedOut:
        """Do what the owner has signed, or suspend where nobody has; once.

        Raises:
            Conflict: nobody has decided, and there is time left; or who kept it, or their key, is
                not active any more.
            Forbidden: the grant has ended.
            NotFound: the case is about no identity of a campaign.
        """

        def carry(tx: Tx) -> CarriedOut:
            use_proof(tx, proof)
            require_live(tx, claims)
            item = _begin(tx, claims.txn)
            if item.done_json is not None:
                return CarriedOut.model_validate_json(item.done_json)
            checkpoint = newest_checkpoint(tx, claims.txn, RECERTIFICATION)
            if checkpoint is None or checkpoint.status not in ENDS:
                raise Conflict("the owner has not decided", ("I5", "undecided"))
            silent = not_active(tx, checkpoint)
            if silent is not None:
                raise Conflict(silent, ("I5", NOT_ACTIVE))
            outcome = outcome_of(checkpoint)
            reviewed = _reviewed(outcome)
            narrows = reviewed is Reviewed.NARROWED
            left = _used_as_shown(tx, item.identity, checkpoint) if narrows else ()
            done = _carry_out(tx, item.identity, reviewed, left)
            said: dict[str, JsonValue] = {
                "target": item.identity,
                "campaign": item.campaign,
                "checkpoint": outcome.checkpoint_id,
                **done.model_dump(mode="json", exclude={"identity"}),
            }
            subject = subject_of_item(item)
            tx.append("identity.reviewed", AUTHORITY, said, case=claims.txn, record=subject)
            key = (item.campaign, item.number)
            tx.change(CampaignItemRow, key, done_json=canonical_json(done).decode())
            return done

        return await self._core.store.write(carry)


def _reviewed(outcome: Outcome) -> Reviewed:
    if outcome.status is CheckpointStatus.APPROVED:
        return Reviewed.KEPT
    if outcome.status is CheckpointStatus.EXPIRED:
        return Reviewed.SUSPENDED
    return Reviewed.NARROWED if outcome.reason_code == NARROW else Reviewed.ENDED


def _carry_out(tx: Tx, identity: str, outcome: Reviewed, left: tuple[str, ...] = ()) -> CarriedOut:
    """Let what came of a review follow; ``left`` are all actions that a narrowing leaves."""
    rules = governance(tx).identities
    now = datetime.fromtimestamp(int(tx.now.timestamp()), UTC)
    row = tx.get(Registered, identity)
    assert row is not None
    again = now + timedelta(days=rules.review_days)
    if row.ends_at is not None:
        again = min(again, row.ends_at)
    if outcome is Reviewed.KEPT:
        tx.change(Registered, identity, review_by=again)
        return CarriedOut(identity=identity, outcome=outcome, review_by=again)
    if outcome is Reviewed.NARROWED:
        narrowed = canonical_json(list(left)).decode()
        tx.change(Registered, identity, review_by=again, narrowed_json=narrowed)
        revoked = revoke_all_of(tx, identity, "narrowed", AUTHORITY)
        return CarriedOut(
            identity=identity,
            outcome=outcome,
            review_by=again,
            actions=left,
            revoked_grants=revoked,
        )
    if outcome is Reviewed.SUSPENDED:
        revoked = suspend(tx, identity, "review_unanswered")
        return CarriedOut(identity=identity, outcome=outcome, revoked_grants=revoked)
    if tx.get(Identity, identity) is not None:
        tx.change(Identity, identity, status="offboarded", status_at=tx.now, status_by=AUTHORITY)
    tx.change(Registered, identity, ends_at=now)
    revoked = revoke_all_of(tx, identity, "ended", AUTHORITY)
    return CarriedOut(identity=identity, outcome=outcome, revoked_grants=revoked)


def _used_as_shown(reader: Reader, identity: str, checkpoint: Checkpoint) -> tuple[str, ...]:
    """What an identity may do still of what it had used when its owner was shown that.

    What it has done since gives it nothing back: its owner did not sign for that.
    """
    evidence = Evidence.model_validate_json(checkpoint.evidence_json)
    told = reader.first(PartRow, PartRow.digest == evidence.items[0].digest)
    assert told is not None  # it was settled before it was shown
    shown = ReviewedIdentity.model_validate(unpack(told).data, strict=False)
    used = {each.action for each in shown.may} - set(shown.unused)
    return tuple(sorted(used & {each.action for each in _may_do(reader, identity)}))


def _may_do(reader: Reader, identity: str) -> tuple[MayDo, ...]:
    may, row = tuple(steps_of(reader).get(identity, ())), reader.get(Registered, identity)
    left = None if row is None else narrowed_to(row)
    return may if left is None else tuple(each for each in may if each.action in left)


def _uses(
    reader: Reader, identity: str, now: datetime
) -> tuple[tuple[MayDo, ...], tuple[Did, ...], tuple[str, ...]]:
    """What an identity may do, did, and may do and did not for as long as the rules name."""
    if not is_ours(identity):
        return (), (), ()
    may, did = _may_do(reader, identity), did_of(reader, identity)
    since = governance(reader).identities.unused_days
    last = {each.action: each.last for each in did}
    oldest = now - timedelta(days=since)
    used = {action for action, at in last.items() if at > oldest}
    return may, did, tuple(sorted({each.action for each in may} - used))


def _begin(tx: Tx, case_id: str) -> CampaignItemRow:
    """The item that a case is about; it is that case's from now on.

    Raises:
        Conflict: another case is at it.
        NotFound: the case is about none.
    """
    case = tx.get(Case, case_id)
    assert case is not None  # its grant is live
    item = item_of(tx, case)
    if item is None:
        raise NotFound("the case is about no identity of a campaign")
    if item.case_id not in (None, case_id):
        other = tx.get(Case, item.case_id)
        if item.done_json is not None or (other is not None and other.status != CaseStatus.CLOSED):
            raise Conflict(f"{item.case_id} reviews this identity", ("I11", "reviewed"))
    if item.case_id != case_id:
        tx.change(CampaignItemRow, (item.campaign, item.number), case_id=case_id)
    return item


def campaign_view(reader: Reader, campaign: str) -> CampaignView | None:
    """A campaign, and how far it is; ``None`` if there is no such."""
    row = reader.get(Campaign, campaign)
    if row is None:
        return None
    items = reader.all(
        CampaignItemRow, CampaignItemRow.campaign == campaign, order_by=[CampaignItemRow.number]
    )
    return CampaignView(
        campaign=row.name,
        started_by=row.started_by,
        started_at=row.started_at,
        acknowledged_by=row.acknowledged_by,
        acknowledged_at=row.acknowledged_at,
        items=tuple(
            CampaignItem(
                number=each.number,
                subject=subject_of_item(each),
                identity=each.identity,
                owner=each.owner,
                risk=Risk(each.risk),
                case=each.case_id,
                outcome=None
                if each.done_json is None
                else CarriedOut.model_validate_json(each.done_json).outcome,
            )
            for each in items
        ),
    )


def _risk(owner: str | None, guarded: frozenset[tuple[str, str]], may: Sequence[MayDo]) -> Risk:
    if owner is None or _needs_people(guarded, may):
        return Risk.HIGH
    return Risk.MEDIUM if may else Risk.LOW


def _needs_people(guarded: frozenset[tuple[str, str]], may: Sequence[MayDo]) -> bool:
    return any((each.process, each.activity_type) in guarded for each in may)
