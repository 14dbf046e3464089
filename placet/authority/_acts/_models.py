"""Acts that stop language models and let them go on."""

from collections.abc import Mapping

from pydantic import JsonValue

from placet.authority._acts._act import (
    Act,
    Handler,
    body_of,
    fits,
    kept_apart,
    require_role,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._errors import Conflict, Invalid
from placet.authority._models import is_stopped, revoke_asking
from placet.authority._store import StoppedModel, Tx
from placet.model import ADMINISTRATOR, ALL_MODELS, ActAnswer, ModelName, Reason


class ModelActs:
    """Stops one model or all, and lets it go on."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"model.suspend": self._suspend, "model.resume": self._resume}

    def _suspend(self, tx: Tx, act: Act) -> ActAnswer:
        body, model = self._read(act)
        row = tx.get(StoppedModel, model)
        if is_stopped(row):
            raise Conflict(f"{model} is suspended already")
        if row is None:
            tx.add(StoppedModel(model=model))
        else:
            tx.change(StoppedModel, model, resumed_at=None)
        data: dict[str, JsonValue] = {
            "revoked_grants": revoke_asking(tx, model, act.actor),
            "reason_digest": kept_apart(self._core, tx, body.reason),
        }
        entry = write_entry(tx, "model.suspended", act, data)
        return ActAnswer(act=act.claims.act, target=model, entry=entry)

    def _resume(self, tx: Tx, act: Act) -> ActAnswer:
        body, model = self._read(act)
        if not is_stopped(tx.get(StoppedModel, model)):
            raise Conflict(f"{model} is not suspended")
        tx.change(StoppedModel, model, resumed_at=tx.now)
        data: dict[str, JsonValue] = {"reason_digest": kept_apart(self._core, tx, body.reason)}
        entry = write_entry(tx, "model.resumed", act, data)
        return ActAnswer(act=act.claims.act, target=model, entry=entry)

    def _read(self, act: Act) -> tuple[Reason, str]:
        require_role(act, ADMINISTRATOR)
        model = act.claims.target
        if model != ALL_MODELS and not fits(ModelName, model):
            raise Invalid("invalid_request", f"target: a model's name, or {ALL_MODELS}")
        return body_of(act, Reason), model
