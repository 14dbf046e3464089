"""Orders: a tool is called as a person ordered and confirmed, once a word, and proves it once."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from placet.audit._acts import with_act
from placet.audit._checkpoints import Checkpoints
from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import (
    ADMINISTRATOR,
    ANOTHER_TRY,
    CONFIRMATION,
    CheckpointStatus,
    Goal,
    ToolProof,
    proof_trouble,
    quantity,
)

ORDERS = {EntryType.TOOL_BEGUN, EntryType.IDENTITY_PROVEN}
_DONE = {goal.done for goal in Goal}


@dataclass
class _Order:
    identity: str
    goal: Goal
    at: datetime
    confirm: bool
    tries: int = 0
    said: str | None = None
    """The newest checkpoint at which people could say so, when the tool was called last."""
    case: str | None = None
    """The case that called the tool last."""
    proven: bool = False


class Orders:
    """Orders as the log gives, tries and proves them."""

    def __init__(self, scene: Scene, people: People, checkpoints: Checkpoints) -> None:
        self._scene = scene
        self._people = people
        self._checkpoints = checkpoints
        self._orders: dict[str, _Order] = {}

    def ordered(self, entry: Entry) -> None:
        """An order by an administrator, or by who owns the identity."""
        data, identity = entry.data, str(entry.data.get("target"))
        known, told = self._people.registry.owner(identity), data.get("owner")
        if known is None and self._scene.files.indices is not None:
            known = None if told is None else str(told)  # a bundle has no inventories
        if known != told:
            self._scene.trouble("order", f"{identity} is owned by {known or 'nobody'}")
        if ADMINISTRATOR not in self._people.roles(entry.actor) and known != entry.actor:
            self._scene.trouble("order", f"{entry.actor} may order nothing of {identity}")
        order = str(data.get("order"))
        if order in self._orders:
            self._scene.trouble("order", f"{order} was given before")
        try:
            goal = Goal(str(data.get("goal")))
        except ValueError:
            self._scene.trouble("order", f"{order} orders nothing that is known")
            return
        confirm = data.get("confirm") is True
        if not confirm and (
            goal is Goal.OFFBOARD or self._people.rules.identities.confirm_rotation
        ):
            self._scene.trouble("order", f"{order} needs a person's confirmation by the rules")
        self._orders[order] = _Order(identity, goal, entry.time, confirm)

    def told(self, entry: Entry) -> None:
        """The tool is called, or it has proven what it did."""
        found = self._orders.get(str(entry.data.get("order")))
        said = (entry.data.get("target"), entry.data.get("goal"), entry.record)
        if found is None or said != (found.identity, found.goal, self._subject(entry)):
            self._scene.trouble("order", "nobody has ordered this")
        elif entry.type is EntryType.TOOL_BEGUN:
            self._begun(entry, found)
        else:
            self._proven(entry, found)

    def closed(self, entry: Entry) -> None:
        """A case says that it was done if it has the proof, and only then; a person may end it."""
        kind, _, order = (self._scene.cases[entry.case or ""].subject).partition("/")
        found = self._orders.get(order) if kind == "identity-order" else None
        if found is None:
            return
        done = str(entry.data.get("result")) in _DONE
        proven = found.proven and found.case == entry.case
        if done and not proven:
            self._scene.trouble("order", f"{order} was not proven in {entry.case}")
        elif proven and not done and not with_act(entry):
            self._scene.trouble("order", f"{order} was proven in {entry.case}, untold")

    def _subject(self, entry: Entry) -> str:
        return f"identity-order/{entry.data.get('order')}"

    def _begun(self, entry: Entry, order: _Order) -> None:
        self._scene.collector.count("calls of owners' tools")
        case = entry.case or ""
        stands = self._checkpoints.stand(case)
        if order.confirm and stands.get(CONFIRMATION) is not CheckpointStatus.APPROVED:
            self._scene.trouble("order", "the tool was called, and nobody had confirmed it")
        word = self._checkpoints.newest(case, ANOTHER_TRY)
        approved = stands.get(ANOTHER_TRY) is CheckpointStatus.APPROVED
        if order.tries and (not approved or word == order.said):
            self._scene.trouble("order", "the tool was called again, and nobody said so")
        order.said = word
        if order.proven or entry.data.get("tries") != order.tries + 1:
            self._scene.trouble(
                "order", f"the tool was called before, {quantity(order.tries, 'time')}"
            )
        order.tries, order.case = order.tries + 1, case

    def _proven(self, entry: Entry, order: _Order) -> None:
        self._scene.collector.count("proofs of owners' tools")
        if order.case != entry.case or order.proven:
            self._scene.trouble("order", "it was proven before, or no tool was called")
        order.proven = True
        try:
            proof = ToolProof.model_validate(entry.data.get("proof"), strict=False)
        except ValidationError:
            self._scene.trouble("order", "the proof is none")
            return
        trouble = proof_trouble(order.goal, proof, order.at, entry.time)
        if trouble is not None:
            self._scene.trouble("order", f"the proof proves nothing: {trouble}")
        if order.goal is Goal.OFFBOARD:
            self._people.registry.ended(order.identity, entry.time)
        else:
            self._people.registry.proven(order.identity, proof.at)
