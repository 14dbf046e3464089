"""The act by which a person orders that an identity of others is rotated or offboarded."""

from collections.abc import Mapping

from pydantic import JsonValue

from placet.authority._acts._act import Act, Handler, No, body_of, kept_apart, write_entry
from placet.authority._core import Core
from placet.authority._errors import Conflict
from placet.authority._governance import governance
from placet.authority._orders import goes_on, orders_of
from placet.authority._store import OrderRow, Registered, Tx
from placet.model import (
    ADMINISTRATOR,
    ActAnswer,
    Goal,
    IdentityKind,
    OrderIdentity,
    is_ours,
    kind_of,
)

_FRESH_KEYS = {
    IdentityKind.AI_AGENT: "its keys rotate by themselves",
    IdentityKind.SERVICE_ACCOUNT: "an administrator enrols its next key",
}
"""How an agent comes by another key, and how a system of record."""


class OrderActs:
    """Orders what owners' tools do."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handlers(self) -> Mapping[str, Handler]:
        """Which act is whose."""
        return {"identity.order": self._order}

    def _order(self, tx: Tx, act: Act) -> ActAnswer:
        """Order it; the case that calls the tool is opened on it."""
        body, identity = body_of(act, OrderIdentity), act.claims.target
        known = tx.get(Registered, identity)
        if known is None:
            raise Conflict("the registry has no such identity")
        if ADMINISTRATOR not in act.roles and known.owner != act.actor:
            raise No("identity.order needs the role administrator, or to own the identity", "role")
        if is_ours(identity):
            raise Conflict(
                f"{identity} is Placet's own: {_FRESH_KEYS[kind_of(identity)]}", ("ours",)
            )
        if known.source is None:
            raise Conflict("no inventory names it, so no tool is known for it", ("no_source",))
        if known.ends_at is not None and known.ends_at <= tx.now:
            raise Conflict(f"{identity} has ended already", ("past_end_date",))
        for earlier in orders_of(tx, identity):
            if goes_on(tx, earlier):
                raise Conflict(
                    f"{earlier.id} goes on, to {earlier.goal} it: see its case", ("ordered",)
                )
        order = self._core.new_id("order")
        confirm = body.goal is Goal.OFFBOARD or governance(tx).identities.confirm_rotation
        data: dict[str, JsonValue] = {
            "order": order,
            "goal": body.goal.value,
            "source": known.source,
            "owner": known.owner,
            "confirm": confirm,
            "reason_digest": kept_apart(self._core, tx, body.reason),
        }
        entry = write_entry(tx, "identity.ordered", act, data)
        tx.add(
            OrderRow(
                id=order,
                identity=identity,
                goal=body.goal.value,
                source=known.source,
                ordered_by=act.actor,
                ordered_at=tx.now,
                entry=entry,
                confirm=confirm,
            )
        )
        return ActAnswer(act=act.claims.act, target=identity, entry=entry)
