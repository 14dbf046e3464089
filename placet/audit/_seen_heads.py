"""The heads that were seen by who signed: each is this log's, and older than the word.

Whoever signs puts the last head into it that their tool was shown (I8). So each signature holds all
that was written before it: whoever has the log's key, and tells its past anew, would have to sign
anew for everyone who has signed since.
"""

from collections.abc import Mapping

from placet.audit._past import HEADS
from placet.audit._scene import Scene
from placet.ledger import (
    Checkpoint,
    Entry,
    Frontier,
    LedgerError,
    leaf_hash,
    split_note,
    verify_consistency,
)
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

        A bundle, which has the entries of one case alone, has a proof for each.
        """
        files = self._scene.files
        if files.indices is None:
            self._begin_the_log()
        elif files.past is not None:
            self._are_proven(files.past)
        elif self._seen:
            heads = quantity(len(self._seen), "head")
            self._scene.collector.unchecked(
                HEADS,
                f"{heads} that people and agents had in sight when they signed: this bundle was "
                "written before bundles had the proof that they are of this log's past; have it "
                "exported again, of the same size if need be, or say --without-heads and verify "
                "the whole log",
            )

    def _begin_the_log(self) -> None:
        frontier, good = Frontier(), 0
        for (size, root), (place, actor) in sorted(self._seen.items()):
            while frontier.size < size:
                frontier = frontier.append(leaf_hash(self._scene.files.entries[frontier.size]))
            if frontier.root() != root:
                self._tell(
                    place,
                    f"{actor} signed with another log in sight: its first "
                    f"{quantity(size, 'entry', 'entries')} are not these, from {good} on",
                )
                return
            good = size
            self._scene.collector.count("heads that were seen")

    def _are_proven(self, past: Mapping[int, tuple[bytes, ...]]) -> None:
        head = Checkpoint.parse(split_note(self._scene.files.head)[0])
        for (size, root), (place, actor) in sorted(self._seen.items()):
            seen = f"the {quantity(size, 'entry', 'entries')} that {actor} had in sight"
            if size not in past:
                self._tell(place, f"{HEADS} has no proof that {seen} are this log's first")
                return
            try:
                verify_consistency(size, head.size, past[size], root, head.root)
            except LedgerError as error:
                self._tell(place, f"{HEADS} does not prove that {seen} are this log's: {error}")
                return
            self._scene.collector.count("heads that were seen")

    def _tell(self, place: str, found: str) -> None:
        self._scene.place, self._scene.case = place, None
        self._scene.trouble("seen-head", found)
