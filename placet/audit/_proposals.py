"""Acts that two people must sign, as the log proposes, countersigns and ends them."""

from dataclasses import dataclass
from datetime import timedelta

from placet.audit._scene import Scene, read_json
from placet.ledger import Entry
from placet.model import ADMINISTRATOR, ActClaims, Countersign, Governance, first_governance


@dataclass
class _Proposal:
    proposed: Entry
    second: str | None = None
    ended: str | None = None


class Proposals:
    """What waits for a second signature, and the rules about that which are in force."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rules = first_governance(1)
        self._waiting: dict[str, _Proposal] = {}

    @property
    def rules(self) -> Governance:
        """The rules about people at this place of the walk."""
        return self._rules

    def begin(self, signatures: int) -> None:
        """How many sign from the log's first entry on."""
        self._rules = first_governance(signatures)

    def published(self, rules: Governance) -> None:
        """New rules; versions rise."""
        if rules.version <= self._rules.version:
            self._scene.trouble("governance", f"version {rules.version} is not a new one")
        self._rules = rules

    def proposed(self, entry: Entry, claims: ActClaims) -> None:
        """An act waits from here on."""
        data, jti = entry.data, str(entry.data.get("proposal"))
        said = (data.get("act"), data.get("name"), data.get("target"), data.get("body_digest"))
        if said != (jti, claims.act, claims.target, claims.body_digest):
            self._scene.trouble("act-says-other", f"the act {jti} proposes something else")
        lapses = entry.time + timedelta(hours=self._rules.proposal_hours)
        if data.get("lapses_at") != int(lapses.timestamp()):
            self._scene.trouble("act-says-other", f"the act {jti} waits for another time")
        if jti in self._waiting:
            self._scene.trouble("act-twice", f"the act {jti} was proposed before")
        self._waiting[jti] = _Proposal(entry)

    def countersigned(self, entry: Entry, body: str, roles: tuple[str, ...]) -> None:
        """The second signature: by another person who may, on the same body, in time."""
        jti = str(entry.data.get("proposal"))
        found = self._waiting.get(jti)
        if found is None or entry.data.get("target") != jti:
            self._unproposed(entry)
            return
        if found.second is not None or found.ended is not None:
            self._scene.trouble("act-refusable", f"the act {jti} waited for nobody")
        data, first = found.proposed.data, found.proposed.actor
        if _signed(body) != (data.get("name"), data.get("target"), data.get("body_digest")):
            self._scene.trouble("act-body", f"the second signature on {jti} is on another body")
        if entry.actor == first:
            self._scene.trouble("act-one-person", f"{first} signed {jti} twice")
        owner = (data.get("name"), data.get("target")) == ("operator.enrol", entry.actor)
        if ADMINISTRATOR not in roles and not owner:
            self._scene.trouble("act-refusable", f"{entry.actor} is in no role that may do this")
        lapses = data.get("lapses_at")
        if not isinstance(lapses, int) or entry.time.timestamp() >= lapses + 1:
            self._scene.trouble("act-refusable", f"the act {jti} had lapsed")
        found.second = str(entry.data.get("act"))

    def withdrawn(self, entry: Entry, roles: tuple[str, ...]) -> None:
        """Who proposed an act, or an administrator, takes it back."""
        found = self._ended(entry)
        if found is None or entry.data.get("target") != entry.data.get("proposal"):
            self._unproposed(entry)
        elif entry.actor != found.proposed.actor and ADMINISTRATOR not in roles:
            self._scene.trouble("act-refusable", f"{entry.actor} is in no role that may do this")

    def lapsed(self, entry: Entry) -> None:
        """An act that nobody signed in time."""
        found = self._ended(entry)
        if found is None:
            self._unproposed(entry)
            return
        lapses = found.proposed.data.get("lapses_at")
        if isinstance(lapses, int) and entry.time.timestamp() < lapses:
            self._scene.trouble("act-unproposed", "it had not lapsed yet")

    def _ended(self, entry: Entry) -> _Proposal | None:
        """What waits no longer from here on, if it waited."""
        found = self._waiting.get(str(entry.data.get("proposal")))
        if found is None or found.ended is not None:
            return None
        found.ended = entry.type.value
        return found

    def _unproposed(self, entry: Entry) -> None:
        jti = entry.data.get("proposal")
        self._scene.trouble("act-unproposed", f"no act {jti} waits for a second signature")

    def effective(self, entry: Entry, act: str) -> None:
        """An act takes effect: signed by two, where the rules in force ask for two."""
        jti, second = str(entry.data.get("act")), entry.data.get("second")
        if second is None:
            if self._rules.waits_for_second(act):
                self._scene.trouble("act-one-person", f"the act {jti} needs a second signature")
            return
        found = self._waiting.get(jti)
        if found is None or found.second != second or found.ended is not None:
            self._scene.trouble("act-one-person", f"the act {jti} has no such second signature")
            return
        found.ended = "effective"


def _signed(body: str) -> tuple[str, str, str] | None:
    try:
        said = Countersign.model_validate(read_json(body))
    except ValueError:
        return None
    return said.act, said.target, said.body_digest
