"""Evidence: what steps leave behind, what people are shown, and what they are asked to approve."""

from functools import cached_property
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints, model_validator

from placet.model._digest import Digest, canonical_json, salted_digest
from placet.model._findings import Finding, FindingId, Severity
from placet.model._ids import CaseId, GrantId, Identifier, Jti, Name, Principal, RecordId
from placet.model._values import Model, Money

# As in a digest, the last character spells two bits that have to be zero.
Salt = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
"""32 random bytes in base64url: what keeps a digest of guessable content from being guessed."""

MAX_PART_BYTES = 4 * 1024 * 1024  # a 60-line packet is about 300 kB; the body limit follows this


class Proposal(Model):
    """What a part asks people to approve. Set by the step that made it, checked by the authority.

    ``payments_digest`` fixes what would be done; ``record_version`` the state of the subject's
    system of record on which it rests. ``preparers`` are people who had a hand in it.
    """

    amount: Money | None = None
    requested: Money | None = None
    findings: tuple[Finding, ...] = Field(default=(), max_length=2000)
    payments_digest: Digest | None = None
    adjustments_digest: Digest | None = None
    record_version: Annotated[str, StringConstraints(max_length=64)] | None = None
    preparers: tuple[Principal, ...] = ()

    @property
    def exceptions(self) -> tuple[FindingId, ...]:
        """The blocking findings: each must be accepted by people, or nothing is approved."""
        return tuple(f.id for f in self.findings if f.severity is Severity.BLOCKING)


class Part(Model):
    """One evidence part as a step leaves it: named, about one record, with its own salt."""

    name: Identifier
    record: RecordId
    salt: Salt
    data: dict[str, JsonValue]
    proposal: Proposal | None = None

    def content(self) -> bytes:
        """The canonical bytes of what the part says, without its salt."""
        said: dict[str, JsonValue] = {"name": self.name, "record": self.record, "data": self.data}
        if self.proposal is not None:
            said["proposal"] = self.proposal.model_dump(mode="json", exclude_none=True)
        return canonical_json(said)

    @cached_property
    def digest(self) -> Digest:
        """The salted digest of the content."""
        return salted_digest(self.salt, self.content())


class PartRef(Model):
    """A part by reference: what may stand in a workflow's history. ``digest`` is salted."""

    name: Identifier
    record: RecordId
    digest: Digest


class EvidenceItem(Model):
    """One part of a checkpoint's evidence, and the grant under which it was produced (I13).

    What a person left (a value keyed, an amount lowered) names the signed act instead.
    """

    name: Identifier
    record: RecordId
    digest: Digest
    agent: Principal
    grant: GrantId | None = None
    act: Jti | None = None

    @model_validator(mode="after")
    def _has_one_origin(self) -> "EvidenceItem":
        if (self.grant is None) == (self.act is None):
            raise ValueError(f"{self.name}: a part comes of a grant or of an act, of one of them")
        return self


class Evidence(Model):
    """What people are shown at a checkpoint, fixed by its digest (``digest_json`` of this).

    Put together by the authority from settled parts. ``salt`` keeps the digest unguessable.
    """

    case: CaseId
    checkpoint: Name
    subject: RecordId
    salt: Salt
    items: tuple[EvidenceItem, ...] = Field(min_length=1, max_length=500)
    proposal: Proposal
