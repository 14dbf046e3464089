"""The act that sends a dead letter again."""

from collections.abc import Mapping

from placet.authority._acts._act import Act, Handler, require_role, write_entry
from placet.authority._errors import Conflict, Invalid
from placet.authority._notices import send_again
from placet.authority._store import Tx
from placet.model import ADMINISTRATOR, ActAnswer


class NoticeActs:
    """Sends again what no channel took."""

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"notice.resend": self._resend}

    def _resend(self, tx: Tx, act: Act) -> ActAnswer:
        require_role(act, ADMINISTRATOR)
        target = act.claims.target
        if not target.isdecimal() or len(target) > 15:  # any target is ASCII
            raise Invalid("invalid_request", "target: must be a delivery's number")
        if not send_again(tx, int(target)):
            raise Conflict("there is no such dead letter")
        entry = write_entry(tx, "notice.resent", act, {"delivery": int(target)})
        return ActAnswer(act=act.claims.act, target=target, entry=entry)
