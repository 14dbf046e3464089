"""The kill switch of language models: one of them, or all (invariant I10).

A step that asks a model says which; without that, or while the model is stopped, it gets no grant.
A model that is stopped loses its live grants at once: what it is just saying will not be settled,
so it counts for nothing, wherever the provider is.
"""

from placet.authority._revocations import revoke
from placet.authority._store import Grant, Reader, StoppedModel, Tx
from placet.model import ALL_MODELS, GrantedDetails


def stopped(reader: Reader, model: str) -> bool:
    """Whether a model, or all of them, may not be asked now."""
    return any(is_stopped(reader.get(StoppedModel, each)) for each in (ALL_MODELS, model))


def is_stopped(row: StoppedModel | None) -> bool:
    """Whether a model's row says that it is stopped."""
    return row is not None and row.resumed_at is None


def revoke_asking(tx: Tx, model: str, actor: str) -> int:
    """Revoke the live grants of steps that ask a model; how many there were."""
    ended = 0
    for grant in tx.all(Grant, Grant.status == "issued"):
        if grant.details_json is None:
            continue
        asked = GrantedDetails.model_validate_json(grant.details_json).model
        if asked is not None and model in {ALL_MODELS, asked}:
            revoke(tx, grant, "model_suspended", actor)
            ended += 1
    return ended
