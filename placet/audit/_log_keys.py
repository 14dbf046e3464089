"""The keys of heads as the log tells of them: each names the next by a person's act."""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from placet.audit._scene import Scene
from placet.ledger import HEADS, Entry, EntryType, NoteError, NoteVerifier, log_verifier, next_key
from placet.model import MAX_OVERLAP_HOURS


@dataclass
class LogKeys:
    """The key of now, and the one before while it goes on beside it."""

    scene: Scene
    _key: NoteVerifier | None = None
    _before: tuple[NoteVerifier, datetime] | None = None
    _known: set[str] = field(default_factory=set)

    def told(self, entry: Entry) -> None:
        """A key was published or retired; others than those of heads are none of this."""
        if entry.data.get("purpose") != HEADS:
            return
        if entry.type is EntryType.KEY_RETIRED:
            self._retired(entry)
        elif self._key is not None:
            self.scene.trouble("log-key", "a second key for heads is published; nobody signed that")
        else:
            with contextlib.suppress(NoteError, KeyError, TypeError, ValueError):
                self._key = log_verifier(self.scene.files.origin, entry.data["jwk"])  # type: ignore[arg-type]  # it raises
                self._known = {self._key.vkey}

    def rekeyed(self, entry: Entry) -> None:
        """A key in the place of the one of now; who signed that was looked at with the act."""
        hours = entry.data.get("overlap_hours")
        if self._key is None or not isinstance(hours, int) or not 0 <= hours <= MAX_OVERLAP_HOURS:
            self.scene.trouble("log-key", "it is in no log's key's place, or for no time")
            return
        if self._before is not None:
            self.scene.trouble("log-key", "the key before is not retired yet")
        try:
            following = next_key(self._key, entry)
        except NoteError as error:
            self.scene.trouble("log-key", str(error))
            return
        if following.vkey in self._known:
            self.scene.trouble("log-key", "a key of before is no new one")
            return
        self._before = self._key, entry.time + timedelta(hours=hours)
        self._key = following
        self._known.add(following.vkey)

    def _retired(self, entry: Entry) -> None:
        before, until = self._before or (None, entry.time)
        if before is None or before.vkey != entry.data.get("key"):
            self.scene.trouble("log-key", "it retires no key that has handed over")
        elif entry.time < until:
            self.scene.trouble("log-key", f"it is retired before {until}, as was signed")
        self._before = None
