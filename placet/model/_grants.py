"""What agents ask for, what they read under a grant, and how they settle it."""

from enum import StrEnum
from functools import cached_property
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from placet.model._details import GrantedDetails, RequestedDetails
from placet.model._digest import Digest, digest_json, salted_digest
from placet.model._evidence import Part, Salt
from placet.model._ids import (
    AgentPrincipal,
    CaseId,
    GrantId,
    Identifier,
    Jti,
    Principal,
)
from placet.model._problem import Problem
from placet.model._signed import Audience, CompactJws, LedgerHead, NumericDate
from placet.model._values import Model


class GrantAsks(Model):
    """Body of ``POST /v1/grants``: what several steps of one worker ask for at the same time.

    Authenticated by ``client_assertion`` and a DPoP proof; each is decided and answered by itself.
    """

    client_assertion: CompactJws
    asks: tuple[RequestedDetails, ...] = Field(min_length=1, max_length=32)


class GrantGiven(Model):
    """A grant, as the token endpoint would answer it; of type DPoP, like all."""

    access_token: CompactJws = Field(repr=False)
    expires_in: int
    details: GrantedDetails


class GrantRefused(Model):
    """Why there is no grant, as the token endpoint would say it.

    ``retry_after`` is in how many seconds to ask again, where that is known.
    """

    problem: Problem
    retry_after: int | None = None


class GrantAnswers(Model):
    """Answers, in the order of the request."""

    grants: tuple[GrantGiven | GrantRefused, ...]


class SettlementOutcome(StrEnum):
    """How a step ended. ``leaked``: its token was found in what it wanted to send out."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LEAKED = "leaked"


class SettledPart(Model):
    """A part that a step left, as the ledger names it. ``digest`` is salted."""

    name: Identifier
    digest: Digest


class Settled(Model):
    """How a grant ended, as far as the ledger has it; its ``digest_json`` is what the agent signs.

    ``reasoning_digest`` is salted; ``None`` where nothing was said. ``inputs`` are the digests of
    the settled parts that the step had read.
    """

    grant: GrantId
    outcome: SettlementOutcome
    input_digest: Digest
    output_digest: Digest | None
    reasoning_digest: Digest | None
    inputs: tuple[Digest, ...]
    parts: tuple[SettledPart, ...]

    @cached_property
    def digest(self) -> Digest:
        """What stands as ``settlement_digest`` in the agent's :class:`SettlementClaims`."""
        return digest_json(self)


class Settlement(Model):
    """The end of one grant, told by the agent that held it.

    ``salt`` keeps the digest of its words, ``reasoning`` and ``error``, from being guessed.
    ``inputs`` names each settled part that the step was given once, in ascending order.
    """

    grant: GrantId
    outcome: SettlementOutcome
    input_digest: Digest
    inputs: tuple[Digest, ...] = Field(default=(), max_length=500)
    output_digest: Digest | None = None
    reasoning: Annotated[str, StringConstraints(max_length=10_000)] = ""
    error: Annotated[str, StringConstraints(max_length=1000)] | None = None
    salt: Salt
    parts: tuple[Part, ...] = Field(default=(), max_length=20)

    @field_validator("inputs")
    @classmethod
    def _in_one_spelling(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        if list(inputs) != sorted(set(inputs)):
            raise ValueError("name each part that was read once, in ascending order")
        return inputs

    @property
    def words(self) -> bytes:
        """The reasoning, and the error in the next line; empty where neither was said."""
        return "\n".join(each for each in (self.reasoning, self.error) if each).encode()

    def settled(self) -> Settled:
        """What the ledger will have of it. With large parts it takes a while."""
        return Settled(
            grant=self.grant,
            outcome=self.outcome,
            input_digest=self.input_digest,
            output_digest=self.output_digest,
            reasoning_digest=salted_digest(self.salt, self.words) if self.words else None,
            inputs=self.inputs,
            parts=tuple(SettledPart(name=part.name, digest=part.digest) for part in self.parts),
        )


class SettlementClaims(Model):
    """An agent's signed word on how a grant ended: ``sub`` is the grant, ``txn`` its case.

    ``details_digest`` is ``digest_json`` of the ``authorization_details`` that it was given.
    ``ledger_head`` is the newest head that it saw, if it signed none of that size before.
    """

    iss: AgentPrincipal
    aud: Audience
    iat: NumericDate
    sub: GrantId
    txn: CaseId
    details_digest: Digest
    settlement_digest: Digest
    ledger_head: LedgerHead | None = None


class SignedSettlement(Model):
    """A settlement: the JWS over :class:`SettlementClaims`, and the body whose digest it signs."""

    settlement: CompactJws
    body: Settlement


class Settlements(Model):
    """Body of ``POST /v1/settlements``; authenticated by ``client_assertion`` and a DPoP proof.

    All grants must be the client's own, bound to the key of the proof; it signs the settlements.
    """

    client_assertion: CompactJws
    settlements: tuple[SignedSettlement, ...] = Field(min_length=1, max_length=64)


class SettlementAnswer(Model):
    """What became of one settlement: ``settled`` (also when told twice), or why it was refused.

    ``final``: it is refused for what it says, and would be again.
    """

    grant: GrantId
    status: Annotated[str, StringConstraints(pattern=r"^(?:settled|refused)$")]
    reason: str | None = None
    final: bool = False


class SettlementAnswers(Model):
    """Answers, in the order of the request."""

    settlements: tuple[SettlementAnswer, ...]


class InputPart(Model):
    """A settled part that a step may read, with the grant and agent that made it (I13).

    What a person left names the signed act instead.
    """

    part: Part
    digest: Digest
    grant: GrantId | None = None
    act: Jti | None = None
    agent: Principal


class InputParts(Model):
    """Answer of ``GET /v1/grants/{grant}/inputs/{name}``: the newest of that name per record."""

    parts: tuple[InputPart, ...]
