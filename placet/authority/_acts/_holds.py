"""Acts that stop a record and let it go on."""

from collections.abc import Mapping

from placet.authority._acts._act import (
    Act,
    Handler,
    body_of,
    kept_apart,
    record_of,
    require_role,
    write_entry,
)
from placet.authority._core import Core
from placet.authority._errors import Conflict
from placet.authority._holds import revoke_below
from placet.authority._store import HoldRow, Tx
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    Hold,
    Reason,
)


class HoldActs:
    """Places and lifts holds."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"hold.place": self._place_hold, "hold.lift": self._lift_hold}

    def _place_hold(self, tx: Tx, act: Act) -> ActAnswer:
        body, record = body_of(act, Hold), record_of(act)
        if tx.first(HoldRow, HoldRow.record == record, HoldRow.lifted_at.is_(None)):  # type: ignore[union-attr]  # a column on the class
            raise Conflict(f"{record} is on hold already")
        entry = write_entry(
            tx,
            "hold.placed",
            act,
            {"reason_digest": kept_apart(self._core, tx, body.reason)},
            record=record,
        )
        tx.add(HoldRow(record=record, reason=body.reason, placed_by=act.actor, placed_at=tx.now))
        revoke_below(tx, record)
        return ActAnswer(act=act.claims.act, target=record, entry=entry)

    def _lift_hold(self, tx: Tx, act: Act) -> ActAnswer:
        body, record = body_of(act, Reason), record_of(act)
        hold = tx.first(HoldRow, HoldRow.record == record, HoldRow.lifted_at.is_(None))  # type: ignore[union-attr]  # a column on the class
        if hold is None:
            raise Conflict(f"{record} is not on hold")
        if act.actor != hold.placed_by:
            require_role(act, ADMINISTRATOR)
        tx.change(HoldRow, hold.id, lifted_by=act.actor, lifted_at=tx.now)
        entry = write_entry(
            tx,
            "hold.lifted",
            act,
            {"reason_digest": kept_apart(self._core, tx, body.reason)},
            record=record,
        )
        return ActAnswer(act=act.claims.act, target=record, entry=entry)
