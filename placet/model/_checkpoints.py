"""Checkpoints: what is asked of whom, and what the decisions add up to."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from placet.model._digest import Digest
from placet.model._findings import FindingId
from placet.model._ids import CaseId, CheckpointId, Identifier, Jti, Name, Principal, RecordId
from placet.model._matrix import Acceptors, Need
from placet.model._names import could_name
from placet.model._time import Schedule
from placet.model._values import Model, Money, UtcTime


class ExclusionReason(StrEnum):
    """Why someone may not decide at a checkpoint."""

    OPENED = "opened"
    RESUBMITTED = "resubmitted"
    PREPARED = "prepared"
    INSPECTED = "inspected"
    KEYED = "keyed"
    OWNS_AGENT = "owns_agent"
    APPROVED_EARLIER = "approved_earlier"
    FACT = "fact"


ExpiryStatus = Literal["expired", "rejected", "returned"]
"""What a checkpoint may end as when nobody has decided in time: never as approved."""


class Exclusion(Model):
    """Someone who may not decide, and why. ``of`` is the agent, case or fact it follows from."""

    person: Principal
    why: ExclusionReason
    of: str | None = Field(default=None, max_length=100)


class NamedHand(Model):
    """Someone whom the evidence names as having had a hand in it: whoever it is may not decide.

    ``name`` is as the document writes it, so treat it as hostile; ``of`` says where it stands.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    why: ExclusionReason
    of: Annotated[str, StringConstraints(max_length=300)]


class RequirementFact(Model):
    """A fact that the requirement rests on, as the authority fetched it when it asked."""

    name: Identifier
    value: JsonValue
    system: Name
    record: RecordId
    version: str = Field(max_length=64)


class Requirement(Model):
    """What one checkpoint asks of whom; fixed when it opens, named by its digest in decisions.

    No ``needs`` means that no person has to decide (automatic mode). Who is ``excluded`` may not
    decide at all, nor may anyone whom ``named`` could name; at least one approver must be outside
    ``not_all_of``. ``tier`` is the upper limit of the matrix's tier that was taken (``None``: above
    every limit), ``added`` names what the matrix added to it, and ``facts`` are what that rests on.
    ``decided_by`` is the one person who decides, or is stood in for, if there is such.
    Undecided at its deadline, it has ended as ``expires_as``. In an emergency it is asked until
    ``emergency_until``, and then what was asked before.
    """

    checkpoint: Name
    matrix_digest: Digest
    matrix_version: int = Field(ge=1)
    tier: Money | None = None
    added: tuple[Name, ...] = ()
    needs: tuple[Need, ...]
    excluded: tuple[Exclusion, ...] = ()
    not_all_of: tuple[Principal, ...] = ()
    exceptions: tuple[FindingId, ...] = ()
    acceptors: tuple[Acceptors, ...] = ()
    facts: tuple[RequirementFact, ...] = ()
    amount: Money | None = None
    schedule: Schedule | None = None
    emergency_until: UtcTime | None = None
    named: tuple[NamedHand, ...] = ()
    expires_as: ExpiryStatus = "expired"
    decided_by: Principal | None = None

    def bars(self, *people: Principal) -> bool:
        """Whether any of these people may not decide, for whatever reason."""
        return any(next(self.barring(person), None) is not None for person in people)

    def barring(self, person: Principal) -> Iterator[ExclusionReason]:
        """Why someone may not decide; nothing if they may."""
        yield from (each.why for each in self.excluded if each.person == person)
        yield from (each.why for each in self.named if could_name(each.name, person))

    def barred_among(self, people: Iterable[Principal]) -> frozenset[str]:
        """Who may not decide: those excluded by their id, and those of ``people`` who are named."""
        named = {person for person in people if self.named and self.bars(person)}
        return frozenset({*(each.person for each in self.excluded), *named})

    def acceptable_by(self, roles: frozenset[str]) -> tuple[FindingId, ...]:
        """The findings that someone in these roles may accept as exceptions, if they approve."""
        return tuple(
            each
            for each in self.exceptions
            if (accepting := self.accepting(each)) is None or not roles.isdisjoint(accepting)
        )

    def accepting(self, finding: FindingId) -> tuple[Name, ...] | None:
        """The roles that may accept a finding; ``None`` is whoever approves."""
        check = finding.partition("#")[0]
        return next((each.roles for each in self.acceptors if check in each.checks), None)


class CheckpointStatus(StrEnum):
    """Where a checkpoint stands. ``resubmitted``: what it returned has come back."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    EXPIRED = "expired"
    VOIDED = "voided"
    RESUBMITTED = "resubmitted"


class Outcome(Model):
    """What the decisions add up to, or that they do not yet (``open``).

    ``look_again`` is when time alone will change something at an open one.
    """

    checkpoint_id: CheckpointId
    checkpoint: Name
    case: CaseId
    status: CheckpointStatus
    evidence_digest: Digest
    requirement_digest: Digest
    amount: Money | None = None
    decisions: tuple[Jti, ...] = ()
    reason_code: str | None = None
    look_again: UtcTime | None = None
