"""Emergencies as the log tells them: who began one, what was asked instead, who reviewed it."""

from collections.abc import Callable

from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import ADMINISTRATOR, CheckpointStatus, CheckpointView, Requirement
from placet.rules import emergency_requirement


class Emergencies:
    """Emergencies and their reviews, by the rules in force when each began."""

    def __init__(
        self, scene: Scene, people: People, status: Callable[[str], CheckpointStatus | None]
    ) -> None:
        self._scene = scene
        self._people = people
        self._status = status
        self._reviews: set[str] = set()
        self._begun: dict[str, Entry] = {}
        self._words: dict[str, set[str]] = {}
        self._replaced: dict[str, str] = {}

    def acted(self, entry: Entry) -> None:
        """A person's act in an emergency."""
        if entry.type is EntryType.GLASS_BROKEN:
            self._broken(entry)
        elif entry.type is EntryType.REVIEW_CLOSED:
            self._reviewed(entry)

    def decided(self, checkpoint: str, person: str) -> None:
        """Someone decided at a checkpoint."""
        self._words.setdefault(checkpoint, set()).add(person)

    def asked(self, entry: Entry, view: CheckpointView) -> Requirement | None:
        """What a checkpoint asks that was opened anew for an emergency; ``None`` for any other."""
        self._replaced[view.id] = str(entry.data.get("replaces"))
        before = self._scene.files.checkpoints.get(str(entry.data.get("replaces")))
        if "emergency" in entry.data:
            begun, rule = self._begun.get(view.id), self._people.rules.break_glass
            if begun is None or rule is None or before is None:
                self._scene.trouble("emergency", f"{view.id}: nobody began this emergency")
                return view.requirement
            instead = emergency_requirement(before.requirement, rule, entry.time)
            until = instead.emergency_until
            if until is not None and int(until.timestamp()) != begun.data.get("until"):
                self._scene.trouble("emergency", f"{view.id}: it lasts for another time")
            return instead
        if "emergency_over" in entry.data:
            first = self._replaced.get(str(entry.data.get("replaces")), "")
            former = self._scene.files.checkpoints.get(first)
            until = None if before is None else before.requirement.emergency_until
            if former is None or until is None or entry.time < until:
                self._scene.trouble("emergency", f"{view.id}: no emergency was over")
                return view.requirement
            return former.requirement
        return None

    def _broken(self, entry: Entry) -> None:
        self._scene.collector.count("emergencies")
        rule = self._people.rules.break_glass
        view = self._scene.files.checkpoints.get(str(entry.data.get("checkpoint")))
        if rule is None or not set(rule.openers) & set(self._people.roles(entry.actor)):
            self._scene.trouble("act-refusable", f"{entry.actor} may begin no emergency")
        elif view is None or view.requirement.bars(entry.actor):
            self._scene.trouble("act-refusable", f"{entry.actor} had a hand in the case")
        if view is not None and view.evidence.case != entry.case:
            self._scene.trouble("emergency", f"{view.id} is none of {entry.case}")
        if view is not None and self._status(view.id) is not CheckpointStatus.OPEN:
            self._scene.trouble("emergency", f"{view.id} was {self._status(view.id)}, not open")
        elif view is not None and view.requirement.emergency_until is not None:
            self._scene.trouble("emergency", f"{view.id} is an emergency already")
        self._begun[str(entry.data.get("emergency"))] = entry

    def _reviewed(self, entry: Entry) -> None:
        checkpoint = str(entry.data.get("checkpoint"))
        begun = self._begun.get(checkpoint)
        view = self._scene.files.checkpoints.get(checkpoint)
        rule = self._people.rules.break_glass
        allowed = {ADMINISTRATOR} if rule is None else set(rule.reviewers)
        if begun is None or begun.data.get("review") != entry.data.get("review"):
            self._scene.trouble("emergency", "a review is closed that no emergency opened")
            return
        if begun.case != entry.case:
            self._scene.trouble("emergency", f"{checkpoint} is none of {entry.case}")
        if self._status(checkpoint) is CheckpointStatus.OPEN:
            self._scene.trouble("emergency", f"{checkpoint} was not over")
        review = str(entry.data.get("review"))
        if review in self._reviews:
            self._scene.trouble("emergency", f"{review} was closed before")
        self._reviews.add(review)
        near = self._words.get(checkpoint, set()) | {begun.actor}
        barred = view is not None and view.requirement.bars(entry.actor)
        if barred or entry.actor in near:
            self._scene.trouble("act-refusable", f"{entry.actor} reviewed their own emergency")
        if not allowed & set(self._people.roles(entry.actor)):
            self._scene.trouble("act-refusable", f"{entry.actor} is in no role that may review")
