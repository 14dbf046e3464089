"""What the steps of sending a payment again give back: ids and digests, no document text."""

from placet.model import Digest, Model, PartRef, RecordId


class SentRef(Model):
    """The payment as it was sent: its part, its content, and the record of its payee."""

    part: PartRef
    digest: Digest
    payee: RecordId
