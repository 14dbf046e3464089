"""What the steps of a draw review are given and give back: ids and digests, no document text."""

from placet.model import Digest, Identifier, Model, PartRef, RecordId


class PacketRef(Model):
    """The packet as it was read: its part, its version, and whom it wants paid."""

    part: PartRef
    version: int


class LoanRef(Model):
    """The loan as it was read: its part, its content, and the payees to screen.

    A note leaves the loan's version as it is: ``digest`` says whether two have read the same.
    """

    part: PartRef
    digest: Digest
    payees: tuple[RecordId, ...]
    last_draw: int


class AnalysisRef(Model):
    """The analysis: its part, and whether compliance must look first."""

    part: PartRef
    compliance: bool


class LookRef(Model):
    """What the second look found: the version of the loan, and whether it is the same."""

    part: PartRef
    unchanged: bool


class DisbursementRef(Model):
    """What was paid."""

    part: PartRef
    payments_digest: Digest
    result: Identifier = "disbursed"
