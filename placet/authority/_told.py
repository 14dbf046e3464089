"""What the authority tells a step to leave as evidence, word for word (invariant I13).

Where a signed process says that a part is told (:attr:`placet.model.Step.told`), the step can leave
nothing else under that name: an agent that was turned can't colour what people are shown.
"""

from pydantic import BaseModel, JsonValue

from placet.authority._store import Grant, ToldPart, Tx
from placet.model import AUTHORITY, Part, Proposal, Salt, Step
from placet.tokens import GrantClaims


def tell(
    tx: Tx, claims: GrantClaims, salt: Salt, name: str, data: BaseModel, proposal: Proposal
) -> Part:
    """Tell a step what to leave under a name; what it was told before counts no more."""
    said: dict[str, JsonValue] = data.model_dump(mode="json", exclude_none=True)
    record = claims.details.identifier
    part = Part(name=name, record=record, salt=salt, data=said, proposal=proposal)
    digest = part.digest
    tx.append(
        "part.told",
        AUTHORITY,
        {"grant": claims.jti, "name": name, "digest": digest},
        case=claims.txn,
        record=record,
    )
    if tx.get(ToldPart, (claims.txn, name)) is None:
        tx.add(ToldPart(case_id=claims.txn, name=name, digest=digest))
    else:
        tx.change(ToldPart, (claims.txn, name), digest=digest)
    return part


def as_told(tx: Tx, grant: Grant, step: Step, name: str, digest: str) -> bool:
    """Whether a part is what the authority told, if it is one that the authority tells."""
    if name not in step.told:
        return True
    told = tx.get(ToldPart, (grant.case_id, name))
    return told is not None and told.digest == digest
