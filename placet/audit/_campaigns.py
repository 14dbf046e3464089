"""Campaigns: each identity was reviewed as its owner signed, or was silent; management saw it."""

from collections import Counter
from dataclasses import dataclass, field

from placet.audit._checkpoints import Checkpoints
from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import (
    NARROW,
    RECERTIFICATION,
    REVIEW_PROCESS,
    CheckpointStatus,
    Reviewed,
)

CAMPAIGNS = {EntryType.CAMPAIGN_STARTED, EntryType.CAMPAIGN_ACKNOWLEDGED}
_STATUS = {
    Reviewed.KEPT: CheckpointStatus.APPROVED,
    Reviewed.NARROWED: CheckpointStatus.REJECTED,
    Reviewed.ENDED: CheckpointStatus.REJECTED,
    Reviewed.SUSPENDED: CheckpointStatus.EXPIRED,
}


@dataclass
class _Campaign:
    started_by: str
    identities: tuple[str, ...]
    reviewed: dict[str, Reviewed] = field(default_factory=dict[str, Reviewed])
    acknowledged: bool = False


class Campaigns:
    """Campaigns as the log starts and ends them."""

    def __init__(self, scene: Scene, people: People, checkpoints: Checkpoints) -> None:
        self._scene = scene
        self._people = people
        self._checkpoints = checkpoints
        self._campaigns: dict[str, _Campaign] = {}
        self._came_to: dict[str, str] = {}
        """What came of the review in each case."""

    def acted(self, entry: Entry) -> None:
        """A campaign is started, or acknowledged by a manager who saw what came of it."""
        name = str(entry.data.get("target"))
        if entry.type is EntryType.CAMPAIGN_STARTED:
            named = entry.data.get("identities")
            told = tuple(map(str, named)) if isinstance(named, list) else ()
            if name in self._campaigns:
                self._scene.trouble("campaign", f"{name} was started before")
            self._campaigns[name] = _Campaign(entry.actor, told)
            return
        campaign = self._campaigns.get(name)
        managers = set(self._people.rules.identities.managers)
        if campaign is None or not managers & set(self._people.roles(entry.actor)):
            self._scene.trouble("campaign", f"{entry.actor} may not acknowledge {name}")
            return
        counts = Counter(campaign.reviewed.values())
        if any(entry.data.get(each.value) != counts[each] for each in Reviewed):
            self._scene.trouble("campaign", f"{name} came out otherwise")
        if len(campaign.reviewed) < len(campaign.identities):
            self._scene.trouble("campaign", f"{name} was not over")
        if entry.actor == campaign.started_by:
            self._scene.trouble("campaign", f"{entry.actor} had started {name}")
        if campaign.acknowledged:
            self._scene.trouble("campaign", f"{name} was acknowledged before")
        campaign.acknowledged = True

    def reviewed(self, entry: Entry) -> None:
        """What came of one review, which is what its case's checkpoint has ended as."""
        self._scene.collector.count("reviews of identities")
        identity, data = str(entry.data.get("target")), entry.data
        definition = self._scene.process(entry.case)
        if definition is None or definition.name != REVIEW_PROCESS:
            self._scene.trouble("review", f"{identity} was reviewed in no review")
            return
        try:
            outcome = Reviewed(str(data.get("outcome")))
        except ValueError:
            self._scene.trouble("review", f"nothing is known that came of {identity}")
            return
        self._came_to[entry.case or ""] = outcome
        stands = self._checkpoints.stand(entry.case or "").get(RECERTIFICATION)
        if stands is not _STATUS[outcome]:
            self._scene.trouble("review", f"{identity} was {outcome}, and nobody said so")
        elif stands is CheckpointStatus.REJECTED:
            said = self._checkpoints.rejected_for(entry.case or "", RECERTIFICATION)
            if (said == NARROW) != (outcome is Reviewed.NARROWED):
                self._scene.trouble("review", f"{identity} was {outcome}: its owner said {said}")
        if data.get("checkpoint") != self._checkpoints.newest(entry.case or "", RECERTIFICATION):
            self._scene.trouble("review", f"{identity} was reviewed at another checkpoint")
        self._place(entry, identity, outcome)
        if outcome is Reviewed.NARROWED:
            self._people.registry.narrowed(identity, data.get("actions"))
        elif outcome is Reviewed.ENDED:
            self._people.registry.ended(identity, entry.time)
            self._people.suspended(identity)
        elif outcome is Reviewed.SUSPENDED:
            self._people.suspended(identity)

    def closed(self, entry: Entry) -> None:
        """A case that says what came of a review has that on the ledger; none lets a word fall."""
        definition, result = self._scene.process(entry.case), str(entry.data.get("result"))
        if definition is None or definition.name != REVIEW_PROCESS:
            return
        case = entry.case or ""
        came_to, stands = self._came_to.get(case), self._checkpoints.stand(case)
        if result in set(Reviewed) and came_to != result:
            self._scene.trouble("review", f"{case} was closed as {result}, and nothing was")
        elif came_to is None and stands.get(RECERTIFICATION) in _STATUS.values():
            self._scene.trouble("review", f"{case} was closed, and not what its owner had said")

    def _place(self, entry: Entry, identity: str, outcome: Reviewed) -> None:
        """Its place in the campaign is the number in the subject, which was named at the start."""
        if self._scene.files.indices is not None:
            return  # a bundle has one case, and no campaign
        words = (entry.record or "").split("/")
        campaign = self._campaigns.get(str(entry.data.get("campaign")))
        number = int(words[3]) if len(words) == 4 and words[3].isdecimal() else 0
        if campaign is None or campaign.identities[number - 1 : number] != (identity,):
            self._scene.trouble("review", f"{identity} is not {entry.record}")
            return
        if identity in campaign.reviewed:
            self._scene.trouble("review", f"{identity} was reviewed twice in one campaign")
        campaign.reviewed[identity] = outcome
