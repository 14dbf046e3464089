"""The authority suspends an identity by itself, where the rules say so (invariant I10)."""

from placet.authority._identities import ACTIVE
from placet.authority._revocations import revoke_all_of
from placet.authority._store import Identity, Registered, Tx
from placet.model import AUTHORITY


def suspend(tx: Tx, identity: str, reason: str) -> int:
    """Suspend an identity now, ours or others'; how many live grants ended with it.

    The caller writes the entry. An administrator resumes one of ours (``agent.resume``), and
    registers others', and who has not joined yet, anew.
    """
    known = tx.get(Identity, identity)
    if known is not None and known.status == ACTIVE:
        tx.change(Identity, identity, status="suspended", status_at=tx.now, status_by=AUTHORITY)
    if tx.get(Registered, identity) is not None:
        tx.change(Registered, identity, suspended_for=reason)
    return revoke_all_of(tx, identity, reason, AUTHORITY)
