"""The head that someone had in sight when they signed: it must be one of this log's own (I8).

Nothing is taken that was signed with another past in sight; so an audit can hold the log against
whatever heads are in what people signed.
"""

from placet.authority._store import Reader, SignedHead
from placet.ledger import Checkpoint, LedgerError, split_note

ANOTHER_PAST = "it was signed with another ledger in sight than this one; start your tool anew"


def is_own_head(reader: Reader, note: str | None, *, alone: bool = False) -> bool:
    """Whether a head says what this log has signed of its size; whoever saw none says none.

    ``alone``: it has the log's own signature and no other, so that it has room for nothing else.
    """
    if note is None:
        return True
    try:
        text, signatures = split_note(note)
        own = reader.get(SignedHead, Checkpoint.parse(text).size)
    except LedgerError:
        return False
    if own is None:
        return False
    own_text, own_signatures = split_note(own.note)
    return text == own_text and (not alone or {*signatures} <= {*own_signatures})
