"""What a check found: findings that cite the places of the values they compared.

The engine knows nothing of loans; a check is any named rule whose result people may have to
accept. Text in findings may come from documents: whoever shows it must treat it as hostile.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from placet.model._values import Model

CheckId = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=64)]
"""A check's stable id, such as ``sov.arithmetic``."""

FindingId = Annotated[str, StringConstraints(pattern=r"^[a-z_]+\.[a-z_]+#[A-Za-z0-9._:-]{1,80}$")]
"""``<check id>#<what it is about>``, unique in one analysis and the same when run again."""


class Severity(StrEnum):
    """How much a finding weighs. A blocking one stops the case unless people accept it."""

    INFO = "info"
    WARNING = "warning"
    BLOCKING = "blocking"


class Place(Model):
    """Where a value was read: a document, and the spot in it.

    ``document`` is a file's name inside the packet, or the record of a system of record.
    ``spot`` is ``<sheet>!<cell>``, ``page <n>``, ``page <n>, <label>``, ``field <name>``, a CSV's
    ``row <n>, <column>`` or a record's member.
    """

    document: Annotated[str, StringConstraints(max_length=300)]
    spot: Annotated[str, StringConstraints(max_length=300)] = ""


class Compared(Model):
    """One side of a comparison: what it is, its value as text, and where it stands."""

    label: Annotated[str, StringConstraints(max_length=200)]
    value: Annotated[str, StringConstraints(max_length=500)]
    place: Place


class Finding(Model):
    """One result of one check."""

    id: FindingId
    check: CheckId
    severity: Severity
    message: Annotated[str, StringConstraints(max_length=1000)]
    compared: tuple[Compared, ...] = Field(default=(), max_length=20)
    difference: Annotated[str, StringConstraints(max_length=100)] | None = None


class CheckStatus(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    NOT_APPLICABLE = "not_applicable"
    FINDINGS = "findings"
    CANNOT_DETERMINE = "cannot_determine"


class CheckResult(Model):
    """The result of one check over one packet.

    ``reason`` is required when the check did not apply. ``cannot_determine`` always brings at
    least one blocking finding that names the place.
    """

    check: CheckId
    status: CheckStatus
    findings: tuple[Finding, ...] = ()
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> "CheckResult":
        has_findings = bool(self.findings)
        if has_findings != (self.status in {CheckStatus.FINDINGS, CheckStatus.CANNOT_DETERMINE}):
            raise ValueError(f"{self.check}: findings do not fit the status {self.status}")
        if self.status is CheckStatus.NOT_APPLICABLE and not self.reason:
            raise ValueError(f"{self.check}: not_applicable needs a reason")
        if self.status is CheckStatus.CANNOT_DETERMINE and not any(
            finding.severity is Severity.BLOCKING for finding in self.findings
        ):
            raise ValueError(f"{self.check}: cannot_determine needs a blocking finding")
        return self
