"""The registry of non-human identities, as the log tells it: whose each is, and until when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from placet.audit._invited import check_enrolment
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import ImportIdentities, RegisterIdentity, is_ours
from placet.tokens import PublicKey

_M = TypeVar("_M", bound=BaseModel)


@dataclass
class _Owned:
    owner: str
    since: int
    until: int | None = None


_Told = tuple[RegisterIdentity | None, datetime | None, str | None]
"""What was said of an identity last, when an inventory has it used, and which inventory."""

_NOTHING: _Told = (None, None, None)


class Registry:
    """Who owns which identity at this place of the walk, and who did before."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._owned: dict[str, list[_Owned]] = {}
        self._ends: dict[str, datetime] = {}
        self._deputies: dict[str, JsonValue] = {}
        self._grace: dict[str, datetime] = {}
        self._workloads: dict[str, JsonValue] = {}
        self._invited: dict[str, Entry] = {}
        self._narrowed: dict[str, tuple[str, ...]] = {}
        self._told: dict[str, _Told] = {}
        self._proven: dict[str, datetime] = {}

    def owner(self, identity: str) -> str | None:
        """Who owns an identity now."""
        owned = self._owned.get(identity)
        return owned[-1].owner if owned and owned[-1].until is None else None

    def owners_since(self, identities: Iterable[str], index: int) -> dict[str, tuple[str, ...]]:
        """Who owned each at any time after an entry."""
        found: dict[str, tuple[str, ...]] = {}
        for identity in identities:
            owned = self._owned.get(identity, ())
            people = {each.owner for each in owned if each.until is None or each.until > index}
            if people:
                found[identity] = tuple(sorted(people))
        return found

    def enrolled(self, principal: str, data: Mapping[str, JsonValue]) -> None:
        """A key: with an identity's first one comes its owner; later ones change nothing."""
        owner = data.get("owner")
        if not isinstance(owner, str):
            return
        if principal not in self._owned:
            self._own(principal, owner)
        elif self.owner(principal) != owner:
            self._scene.trouble("registry", f"{principal} is not owned by {owner}")

    def changed(self, entry: Entry) -> None:
        """What people signed about identities, and who may join as one."""
        target = str(entry.data.get("target"))
        match entry.type:
            case EntryType.IDENTITY_REGISTERED:
                self._registered(target, entry.data)
                said = self._body(entry, RegisterIdentity)
                if said is not None:
                    _, used, source = self._told.get(target, _NOTHING)
                    self._told[target] = said, used, source
            case EntryType.IDENTITY_IMPORTED:
                self._imported(target, self._body(entry, ImportIdentities))
            case EntryType.IDENTITY_ENDED:
                self._ends[target] = entry.time
            case EntryType.VENDOR_SWITCHED_OFF:
                self._ends |= {each: entry.time for each in named(entry) if not is_ours(each)}
            case EntryType.AGENT_INVITED:
                self._invited[str(entry.data.get("invitation"))] = entry
            case _:
                pass

    def _registered(self, identity: str, data: Mapping[str, JsonValue]) -> None:
        """All that is said of an identity from here on."""
        owner, ends = data.get("owner"), data.get("ends_at")
        if self.owner(identity) != owner:
            self._grace.pop(identity, None)
        self._own(identity, owner if isinstance(owner, str) else None)
        self._workloads[identity] = data.get("workload")
        self._deputies[identity] = data.get("deputy")
        self._narrowed.pop(identity, None)
        try:
            self._ends[identity] = datetime.fromisoformat(str(ends))
        except ValueError:
            self._scene.trouble("registry", f"{identity} has no end date")

    def _body(self, entry: Entry, model: type[_M]) -> _M | None:
        """What was signed; that it does not fit its entry is told with the act."""
        act = self._scene.files.acts.get(str(entry.data.get("act")))
        try:
            return None if act is None else model.model_validate_json(act.body)
        except ValidationError:
            return None

    def _imported(self, source: str, body: ImportIdentities | None) -> None:
        """What an inventory says of those of whom it says something new; an owner who stands stays.

        A row that says again what stood changes nothing, whoever has followed as the owner since.
        """
        for row in () if body is None else body.rows:
            said, proven = row.said, self._proven.get(row.identity)
            if said.owner is None:
                stands = {"owner": self.owner(row.identity), "deputy": self._deputy(row.identity)}
                said = said.model_copy(update=stands)
            if proven is not None and (said.credential_since or proven) <= proven:
                said = said.model_copy(update={"credential_since": proven})
            told: _Told = (said, row.last_used, source)
            if self._told.get(row.identity) != told:
                self._told[row.identity] = told
                self._registered(row.identity, said.on_the_ledger())

    def _deputy(self, identity: str) -> str | None:
        deputy = self._deputies.get(identity)
        return deputy if isinstance(deputy, str) else None

    def proven(self, identity: str, at: datetime) -> None:
        """Its owner's tool has made another credential, which no older inventory takes back."""
        self._proven[identity] = at
        said, used, source = self._told.get(identity, _NOTHING)
        if said is not None:
            said = said.model_copy(update={"credential_since": at})
            self._told[identity] = said, used, source

    def owner_changed(self, identity: str, entry: Entry, grace_days: int) -> None:
        """Its owner has left: the deputy follows, or it is owned for a grace, or no more."""
        data = entry.data
        if entry.type is EntryType.IDENTITY_DISOWNED:
            grace = self._grace.pop(identity, None)
            if grace is None or entry.time < grace:
                self._scene.trouble("registry", f"{identity} was disowned too early")
            self._own(identity, None)
            return
        if self.owner(identity) != data.get("before"):
            self._scene.trouble("registry", f"{identity} was not owned by {data.get('before')}")
        if entry.type is EntryType.IDENTITY_ORPHANED:
            until = data.get("until")
            seconds = until if isinstance(until, int) else 0
            if seconds > (entry.time + timedelta(days=grace_days)).timestamp():
                self._scene.trouble("registry", f"{identity} goes on for longer than the rules let")
            self._grace[identity] = datetime.fromtimestamp(seconds, UTC)
            return
        if data.get("owner") is None or self._deputies.pop(identity, None) != data["owner"]:
            self._scene.trouble("registry", f"{data.get('owner')} is no deputy for {identity}")
        self._own(identity, str(data.get("owner")))

    def narrowed(self, identity: str, actions: JsonValue) -> None:
        """Its owner's review has left it these actions alone."""
        self._narrowed[identity] = _texts(actions)

    def ended(self, identity: str, at: datetime) -> None:
        """It ends now."""
        self._ends[identity] = at

    def granted(self, identity: str, at: datetime, data: Mapping[str, JsonValue]) -> None:
        """A grant: to an identity that someone owns, and that has not ended when it ends (I10)."""
        until, left = data.get("expires"), self._narrowed.get(identity)
        if left is not None and str(data.get("action")) not in left:
            self._scene.trouble("grant-narrowed", f"a review took this action from {identity}")
        if self.owner(identity) is None:
            self._scene.trouble("grant-unowned", f"nobody owns {identity}")
        elif identity in self._grace and at >= self._grace[identity]:
            self._scene.trouble("grant-unowned", f"the owner of {identity} left long before")
        ends = self._ends.get(identity)
        if ends is not None and (
            at >= ends or not isinstance(until, int) or until > ends.timestamp()
        ):
            self._scene.trouble("grant-past-end", f"{identity} ends at {ends}")

    def joined(self, entry: Entry, key: PublicKey) -> None:
        """A worker's key: invited for this, in time, once; or vouched for by the platform."""
        data, agent = entry.data, entry.actor
        if self.owner(agent) is None:
            self._scene.trouble("key-uninvited", f"nobody owns {agent}")
        if "workload" in data:
            if data["workload"] is None or self._workloads.get(agent) != data["workload"]:
                self._scene.trouble("key-uninvited", f"no such workload is registered for {agent}")
            return
        invitation = self._invited.pop(str(data.get("invitation")), None)
        if invitation is None:
            self._scene.trouble("key-uninvited", f"{agent} was not invited, or joined before")
            return
        said, expires = invitation.data, invitation.data.get("expires_at")
        if (said.get("target"), said.get("environment")) != (agent, data.get("environment")):
            self._scene.trouble("key-uninvited", f"the invitation of {agent} says otherwise")
        if not set(_texts(data.get("task_queues"))) <= set(_texts(said.get("task_queues"))):
            self._scene.trouble("key-uninvited", f"{agent} was invited to other task queues")
        if not isinstance(expires, int) or entry.time.timestamp() >= expires + 1:
            self._scene.trouble("key-uninvited", f"the invitation of {agent} had expired")
        check_enrolment(self._scene, entry, key, invitation)

    def _own(self, identity: str, owner: str | None) -> None:
        owned = self._owned.setdefault(identity, [])
        if owned and owned[-1].until is None:
            if owned[-1].owner == owner:
                return
            owned[-1].until = self._scene.index
        if owner is not None:
            owned.append(_Owned(owner, self._scene.index))


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def named(entry: Entry) -> tuple[str, ...]:
    """The identities that an entry names together."""
    return _texts(entry.data.get("identities"))
