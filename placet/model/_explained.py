"""Why a checkpoint stands where it stands, and what one person's word would do there."""

from placet.model._checkpoints import CheckpointStatus, Exclusion, NamedHand, RequirementFact
from placet.model._digest import Digest
from placet.model._findings import FindingId
from placet.model._ids import CheckpointId, Jti, Name, Principal, RecordId
from placet.model._matrix import Need
from placet.model._values import Model, Money


class SeatView(Model):
    """One place that a need asks to be filled, and by whose approval it is."""

    need: Need
    decision: Jti | None = None
    operator: Principal | None = None
    stands_in_for: Principal | None = None


class AcceptedView(Model):
    """One exception: who has accepted it, and which roles may (none named: whoever approves).

    ``reasons`` are theirs, in the order of ``accepted_by``; each is empty once it was erased.
    """

    finding: FindingId
    roles: tuple[Name, ...] | None = None
    accepted_by: tuple[Principal, ...] = ()
    reasons: tuple[str, ...] = ()


class Uncounted(Model):
    """A recorded decision that fills no place, and why not."""

    decision: Jti
    operator: Principal
    verdict: str
    why: str


class OutcomeProof(Model):
    """Why an outcome was reached, or is not yet: the rule that was taken, and every word.

    ``seats`` are the places that the matrix asks, ``uncounted`` the decisions that fill none.
    ``independent`` says whether at least one approver is outside ``not_all_of``.
    """

    checkpoint: CheckpointId
    name: Name
    status: CheckpointStatus
    evidence_digest: Digest
    requirement_digest: Digest
    matrix_digest: Digest
    matrix_version: int
    tier: Money | None = None
    amount: Money | None = None
    added: tuple[Name, ...] = ()
    facts: tuple[RequirementFact, ...] = ()
    seats: tuple[SeatView, ...] = ()
    exceptions: tuple[AcceptedView, ...] = ()
    excluded: tuple[Exclusion, ...] = ()
    named: tuple[NamedHand, ...] = ()
    not_all_of: tuple[Principal, ...] = ()
    independent: bool = True
    uncounted: tuple[Uncounted, ...] = ()
    missing: tuple[str, ...] = ()


class Prospect(Model):
    """What one person's word would do at a checkpoint now.

    ``may_decide`` speaks of any word, ``may_approve`` of an approval; ``reasons`` and ``needed``
    say why not. ``fills`` is the need that the approval would fill (``None``: a place that is
    filled already), ``then`` where the checkpoint would stand after it, and ``missing`` what would
    be missing still. ``accepts`` are the exceptions that the approval must accept. ``held_on`` is
    the record on which a hold is that stops the case: what is approved under it ends void.
    """

    operator: Principal
    may_decide: bool
    may_approve: bool
    may_withdraw: bool
    reasons: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    fills: Need | None = None
    then: CheckpointStatus | None = None
    missing: tuple[str, ...] = ()
    accepts: tuple[FindingId, ...] = ()
    stands_in_for: tuple[Principal, ...] = ()
    held_on: RecordId | None = None
