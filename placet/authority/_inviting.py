"""Whether an invitation is still given: its signers may have been cut off since (invariant I10).

A code is good for up to a day. Whoever stole an administrator's key must not come back with one
that they made while they had it.
"""

import json

from placet.authority._identities import ACTIVE, keys_of, roles_of, word_standing
from placet.authority._store import Identity, LedgerEntry, Reader, SignedActRow
from placet.model import ADMINISTRATOR
from placet.tokens import TokenError, verify_act


def is_given(reader: Reader, audience: str, act: str, whom: str, invitation: str) -> bool:
    """Whether all who signed an invitation are administrators now, and active as their keys are."""
    for row in reader.all(SignedActRow, SignedActRow.act == act, SignedActRow.target == whom):
        entry = None if row.entry is None else reader.get(LedgerEntry, row.entry)
        said = {} if entry is None else json.loads(entry.content)["data"]
        if said.get("invitation") == invitation:
            second = reader.get(SignedActRow, said.get("second", ""))
            signed = [row] if second is None else [row, second]
            return all(_may_invite(reader, audience, each) for each in signed)
    return False


def _may_invite(reader: Reader, audience: str, signed: SignedActRow) -> bool:
    who = signed.issuer
    identity = reader.get(Identity, who)
    if identity is None or ADMINISTRATOR not in roles_of(identity):
        return False
    for key in keys_of(reader, who):
        try:
            verify_act(
                signed.jws, key, operator=who, audience=audience, now=signed.at, max_age=None
            )
        except TokenError:
            continue
        return word_standing(reader, who, key.thumbprint) == ACTIVE
    return False
