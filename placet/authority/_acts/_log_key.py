"""The act that names another key for the ledger's heads."""

from collections.abc import Mapping
from datetime import timedelta

from placet.authority._acts._act import Act, Handler, body_of, require_role, write_entry
from placet.authority._core import Core
from placet.authority._errors import Invalid
from placet.authority._log_keys import name_log_key
from placet.authority._signing import NEXT_HEADS
from placet.authority._store import LogKeyRow, SigningKey, Tx
from placet.ledger import HEADS
from placet.model import ADMINISTRATOR, ActAnswer, RekeyLog


class LogKeyActs:
    """Lets a key that the authority has made sign heads, beside the one whose place it takes."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"log.rekey": self._rekey}

    def _rekey(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        if act.claims.target != "log":
            raise Invalid("invalid_request", "target: must be log")
        body = body_of(act, RekeyLog)
        before, following = name_log_key(tx, self._core.settings.origin, body)
        entry = write_entry(tx, "log.rekeyed", act, body.model_dump())
        tx.add(
            LogKeyRow(
                named=entry,
                kid=following.kid,
                before=before.kid,
                key=body.key,
                replaces=body.replaces,
                overlaps_until=tx.now + timedelta(hours=body.overlap_hours),
            )
        )
        tx.change(SigningKey, following.kid, purpose=HEADS, published_at=tx.now, signs_from=tx.now)
        for other in tx.all(SigningKey, SigningKey.purpose == NEXT_HEADS):
            tx.remove(SigningKey, other.kid)
        return ActAnswer(act=act.claims.act, target="log", entry=entry)
