"""Holds: a stop that stands until someone who may lifts it (I6)."""

from placet.audit._people import People
from placet.audit._scene import Scene
from placet.ledger import Entry, EntryType
from placet.model import ADMINISTRATOR


class Holds:
    """Holds as the log places and lifts them."""

    def __init__(self, scene: Scene, people: People) -> None:
        self._scene = scene
        self._people = people
        self._placed: dict[str, str] = {}

    def cover(self, record: str) -> bool:
        """Whether a hold is on a record, or on one above it."""
        segments = record.split("/")
        return any("/".join(segments[:end]) in self._placed for end in range(1, len(segments) + 1))

    def changed(self, entry: Entry) -> None:
        """A hold is placed where none is, and lifted by who placed it or an administrator."""
        record = entry.record or ""
        by = self._placed.get(record)
        if entry.type is EntryType.HOLD_PLACED:
            if by is not None:
                self._scene.trouble("hold-twice", f"{record} was on hold already")
            self._placed[record] = entry.actor
            return
        self._placed.pop(record, None)
        if by is None:
            self._scene.trouble("hold-lifted", f"{record} was not on hold")
        elif by != entry.actor and ADMINISTRATOR not in self._people.roles(entry.actor):
            self._scene.trouble("hold-lifted", f"{entry.actor} may not lift the hold of {by}")
