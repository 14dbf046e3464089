"""What people sign: decisions at checkpoints, and acts (everything else that they do).

These are the claims; ``placet.tokens`` turns them into JWS and back. Times are NumericDate
(RFC 7519 section 2): whole seconds since 1970-01-01T00:00:00Z.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from placet.model._digest import Digest
from placet.model._findings import FindingId
from placet.model._ids import CaseId, CheckpointId, Identifier, Jti
from placet.model._values import Model, Money

NumericDate = Annotated[int, Field(strict=True, ge=0, le=253_402_300_799)]
"""Whole seconds since 1970; at most the last second of the year 9999, so that it is a time."""

OperatorPrincipal = Annotated[
    str, StringConstraints(pattern=r"^operator:[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=80)
]
"""A person: ``operator:<id>``."""

Audience = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,300}$")]
"""One audience or issuer: the authority's address, or a system's URN."""

CompactJws = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$", max_length=16384
    ),
]
"""A signed thing as it is sent (RFC 7515 section 7.1)."""

LedgerHead = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""The last ledger head that the signer saw: a signed note, as text."""


class Verdict(StrEnum):
    """One person's word. ``withdraw`` takes back the person's own earlier one."""

    APPROVE = "approve"
    REJECT = "reject"
    RETURN = "return"
    ABSTAIN = "abstain"
    WITHDRAW = "withdraw"


class AcceptedException(Model):
    """A blocking finding that a person accepts, and why."""

    finding: FindingId
    reason: Annotated[str, StringConstraints(min_length=1, max_length=160)]


class DecisionClaims(Model):
    """One person's signed decision at one checkpoint, for the evidence that they were shown.

    ``sub`` is the checkpoint, ``txn`` the case; ``requirement_digest`` fixes what was asked of
    whom. ``exceptions`` are the blocking findings that the person accepts. Who decides because
    someone else is away names that person in ``stands_in_for``; the word stays their own.
    """

    iss: OperatorPrincipal
    aud: Audience
    iat: NumericDate
    jti: Jti
    sub: CheckpointId
    txn: CaseId
    evidence_digest: Digest
    requirement_digest: Digest
    verdict: Verdict
    reason_code: Identifier | None = None
    amount: Money | None = None
    adjustments_digest: Digest | None = None
    # A JWS has at most 16 KiB, and an accepted finding about 340 bytes; nobody accepts 30.
    exceptions: tuple[AcceptedException, ...] = Field(default=(), max_length=30)
    comment: Annotated[str, StringConstraints(max_length=2000)] | None = None
    ledger_head: LedgerHead | None = None
    stands_in_for: OperatorPrincipal | None = None

    @property
    def accepted(self) -> tuple[FindingId, ...]:
        """The ids of the findings that the person accepts."""
        return tuple(each.finding for each in self.exceptions)


class ActClaims(Model):
    """One person's signed act: what (``case.open``), on which target, with which body.

    ``target`` is a record, a principal or a name, as the act asks.
    """

    iss: OperatorPrincipal
    aud: Audience
    iat: NumericDate
    jti: Jti
    act: Annotated[
        str, StringConstraints(pattern=r"^[a-z][a-z_-]*(?:\.[a-z][a-z_-]*)+$", max_length=64)
    ]
    target: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
    body_digest: Digest
    ledger_head: LedgerHead | None = None
