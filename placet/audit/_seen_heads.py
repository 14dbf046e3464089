"""The heads that were seen by who signed: each is this log's, and older than the word.

Whoever signs puts the last head into it that their tool was shown (I8). So each signature holds all
that was written before it: whoever has the log's key, and tells its past anew, would have to sign
anew for everyone who has signed since.
"""

from placet.audit._scene import Scene
from placet.ledger import Checkpoint, Entry, Frontier, LedgerError, leaf_hash, split_note
from placet.model import quantity


class SeenHeads:
    """What the signed words of a log say of its past."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._seen: dict[tuple[int, bytes], tuple[str, str]] = {}

    def signed(self, entry: Entry, note: str | None) -> None:
        """Someone signed with this head in sight; the entry is written after all that it has."""
        scene = self._scene
        if note is None:
            scene.collector.count("words signed with no head in sight")
            return
        try:
            head = Checkpoint.parse(split_note(note)[0])
            if head.origin != scene.files.origin:
                raise LedgerError(f"it is of the log {head.origin}")
        except LedgerError as error:
            scene.trouble("seen-head", f"{entry.actor} signed with no head of this log: {error}")
            return
        if head.size > scene.index:
            size = quantity(head.size, "entry", "entries")
            scene.trouble("seen-head", f"{entry.actor} had seen {size} when they signed this")
            return
        self._seen.setdefault((head.size, head.root), (scene.place, entry.actor))

    def held(self) -> None:
        """Hold the log against each of them; the first that it does not have is told.

        A bundle has the entries of one case alone.
        """
        scene, frontier, good = self._scene, Frontier(), 0
        if scene.files.indices is not None:
            return
        for (size, root), (place, actor) in sorted(self._seen.items()):
            while frontier.size < size:
                frontier = frontier.append(leaf_hash(scene.files.entries[frontier.size]))
            if frontier.root() != root:
                scene.place, scene.case = place, None
                scene.trouble(
                    "seen-head",
                    f"{actor} signed with another log in sight: its first "
                    f"{quantity(size, 'entry', 'entries')} are not these, from {good} on",
                )
                return
            good = size
            scene.collector.count("heads that were seen")
