"""Verifying a whole log: signatures, chains, and every decision made again.

1. (I8) Entries and head fit; every kept head lies on the way, and so does each by which a key of
   heads handed over to the next, and each that someone had in sight when they signed.
2. (I6) Every act and decision is signed by a key that was enrolled before, by someone who could,
   and its entry says what was signed; what two people must sign, two signed.
3. (I5) Each checkpoint's end follows from its requirement and decisions, computed again; a guarded
   grant stands on such an end.
4. (I3) Each policy decision comes out the same from its kept context and policy set, and a grant's
   context says what the log does; its record is in its case's scope (I2).
5. (I4) Each grant was issued in a case that was open, for a step of its process, and ended at most
   once.
   Nothing that rests on someone's standing, or key, outlives it (I10); what goes beyond an
   identity's limits had the consequence that the rules name.
6. (I13) What people were shown was settled under a grant, and is there as it was settled. What a
   model was told and said fits itself, the turns before, and each grant of its tools.
7. A case's result is what its record shows, and its history is sealed within an hour (I9).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from placet.audit._acts import with_act
from placet.audit._attending import AT_CHECKPOINT
from placet.audit._bundle import plainly
from placet.audit._campaigns import CAMPAIGNS, Campaigns
from placet.audit._cases import Cases
from placet.audit._checkpoints import ENDS as CHECKPOINT_ENDS
from placet.audit._checkpoints import Checkpoints
from placet.audit._files import LogFiles
from placet.audit._grants import ENDS, USES, Grants
from placet.audit._heads import open_whole
from placet.audit._holds import Holds
from placet.audit._limits import Limits
from placet.audit._log_keys import LogKeys
from placet.audit._models import MODELS
from placet.audit._orders import ORDERS, Orders
from placet.audit._people import STOPS, People
from placet.audit._placing import EMERGENCY, placed
from placet.audit._report import Collector, Report
from placet.audit._scene import ALL, Scene
from placet.audit._select import policies_digest
from placet.ledger import (
    Checkpoint,
    Entry,
    EntryType,
    Frontier,
    LedgerError,
    leaf_hash,
    verify_log,
)
from placet.model import ARCHIVED_WITHIN, Beyond, Reviewed
from placet.rules import policy_changes

UNREADABLE = (LedgerError, ValueError, ArithmeticError, RecursionError)
"""What the content of an entry, or of what it names, can provoke: a number beyond all measure, a
text that is none, a depth. Of its form nothing is expected: any JSON object is judged."""
HOLDS = {EntryType.HOLD_PLACED, EntryType.HOLD_LIFTED}


def verify(files: LogFiles) -> Report:
    """Verify a log with everything its entries refer to."""
    collector = Collector()
    opened = open_whole(files, collector)
    if opened is None:
        return collector.report()
    Walk(Scene(files, collector)).run(*opened)
    return collector.report(trusted=files.vouched)


def _own_heads(files: LogFiles, head: Checkpoint) -> list[Checkpoint]:
    """The log's own heads, in order, and the newest one; a damaged one tells nothing."""
    found = [head]
    for note in files.own_heads:
        try:
            found.append(Checkpoint.parse(note.rpartition("\n\n")[0] + "\n"))
        except LedgerError:
            continue
    return sorted(found, key=lambda each: each.size)


def first_wrong(entries: Sequence[bytes], heads: Sequence[Checkpoint]) -> tuple[int, int] | None:
    """Where the entries first are not what heads, in order, say: from which entry, by which head.

    The heads' signatures are not looked at: this finds a place, and proves nothing.
    """
    frontier, good = Frontier(), 0
    for head in heads:
        if head.size > len(entries):
            return good, head.size
        while frontier.size < head.size:
            frontier = frontier.append(leaf_hash(entries[frontier.size]))
        if frontier.size and frontier.root() != head.root:
            return good, head.size
        good = head.size
    return None


def suspended_by_rule(entry: Entry) -> bool:
    """Whether the authority itself suspends an identity with this entry."""
    if entry.type is EntryType.IDENTITY_EXCEEDED:
        return entry.data.get("beyond") == Beyond.SUSPEND
    if entry.type is EntryType.IDENTITY_REVIEWED:
        return str(entry.data.get("outcome")) in {Reviewed.ENDED, Reviewed.SUSPENDED}
    return entry.type is EntryType.IDENTITY_DISOWNED


class Walk:
    """One pass over the log."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._people = People(scene)
        self.checkpoints = Checkpoints(scene, self._people)
        self._holds = Holds(scene, self._people)
        self._grants = Grants(scene, self._people, self.checkpoints, self._holds)
        self._limits = Limits(scene, self._people)
        self._campaigns = Campaigns(scene, self._people, self.checkpoints)
        self._orders = Orders(scene, self._people, self.checkpoints)
        self._cases = Cases(
            scene, self._people, self.checkpoints, self._grants, self._orders, self._campaigns
        )
        self._log_keys = LogKeys(scene)
        self._last: datetime | None = None
        self._payload_key: JsonValue = None

    def run(self, head: Checkpoint, kept: list[Checkpoint]) -> None:
        """Walk the entries; a broken log ends the walk at the first wrong place."""
        scene, reached = self._scene, 0
        for case, place in scene.erased.items():
            if place >= head.size:
                scene.collector.unchecked(
                    case,
                    f"entry {place} says that it was erased, and no signed head has that entry "
                    "yet: what is missing of it is believed to be gone; verify again under a "
                    "later head",
                )
        try:
            for index, entry in verify_log(scene.files.entries, head, kept):
                self.entry(index, entry)
                reached = index + 1
        except LedgerError as error:
            # At the end of the walk every entry was read, and they do not give the head's root.
            scene.place = "the log" if reached == head.size else f"entry {reached}"
            scene.trouble("log", str(error))
            self._locate(head)
        self.end()
        for _ in scene.files.entries[head.size :]:
            scene.collector.count("entries beyond the head")

    def _locate(self, head: Checkpoint) -> None:
        """Name the first wrong place: between two of the heads that the log itself has signed."""
        scene = self._scene
        found = first_wrong(scene.files.entries, _own_heads(scene.files, head))
        if found is not None:
            scene.place = f"entry {found[0]}"
            scene.trouble(
                "log",
                f"the entries from {found[0]} on are not those under the head of {found[1]} "
                "entries, and those before are",
            )

    def entry(self, index: int, entry: Entry) -> None:
        """The next entry, which is the log's at this index."""
        self._scene.place, self._scene.index = f"entry {index}", index
        self._scene.case, self._scene.erasing = entry.case, entry.type is EntryType.CASE_ERASED
        self._scene.collector.count("entries")
        self._last = entry.time
        try:
            self._entry(index, entry)
        except UNREADABLE as error:
            self._scene.trouble("entry-unreadable", f"it can't be judged: {plainly(error)}")
        except Exception as error:  # noqa: BLE001 - it is told, and nothing holds then
            self._scene.collector.fault(f"entry {index}", error)

    def end(self) -> None:
        """What is left when every entry was walked."""
        self._people.heads.held()
        self._people.sessions.held()
        self._cases.held()
        for grant in self._scene.grants.values():
            if grant.ended is None:
                self._scene.collector.count("live grants")
        for name, case in self._scene.cases.items():
            if case.closed_at is None or not case.started or case.archived or self._last is None:
                continue
            self._scene.collector.count("closed cases not archived")
            if self._last - case.closed_at > ARCHIVED_WITHIN:
                self._scene.place = name
                self._scene.trouble(
                    "archive-late", f"it was closed at {case.closed_at}, and has no archive yet"
                )

    def _entry(self, index: int, entry: Entry) -> None:
        placed(self._scene, entry)
        if (index == 0) != (entry.type is EntryType.LOG_CREATED):
            self._scene.trouble("log-created", "the first entry, and no other, creates the log")
        elif self._of_people(entry):
            pass
        elif entry.type is EntryType.GRANT_ISSUED:
            self._grants.issued(entry)
            self._limits.granted(entry)
        elif entry.type is EntryType.GRANT_DENIED:
            self._grants.denied(entry)
            self._limits.denied(entry)
        elif entry.type in ENDS:
            self._grants.ended(entry)
        elif entry.type in USES:
            self._grants.used(entry)
        elif entry.type in {EntryType.DECISION_RECORDED, EntryType.DECISION_WITHDRAWN}:
            self.checkpoints.decided(entry)
        elif entry.type is EntryType.CHECKPOINT_OPENED:
            if not EMERGENCY.isdisjoint(entry.data):
                self._grants.exists(entry)
            else:
                self._grants.own(entry)
                self._grants.goes_on(entry)
                self._grants.prefixed(entry)
            self.checkpoints.opened(entry)
        elif entry.type in {EntryType.CHECKPOINT_REMINDED, EntryType.CHECKPOINT_ESCALATED}:
            self._grants.exists(entry)
            self.checkpoints.timed(entry)
        elif entry.type in CHECKPOINT_ENDS:
            self.checkpoints.ended(entry)
        self._of_identities(entry)
        self._published(entry)
        self._cases.entry(entry)

    def _of_identities(self, entry: Entry) -> None:
        """What the authority itself did with an identity: by its limits, or by its review."""
        if entry.type is EntryType.IDENTITY_EXCEEDED:
            self._limits.exceeded(entry)
        elif entry.type is EntryType.IDENTITY_REVIEWED:
            self._campaigns.reviewed(entry)
        elif entry.type in ORDERS:
            self._grants.exists(entry)
            self._orders.told(entry)
        if suspended_by_rule(entry):
            self._grants.stopped(entry)

    def _of_people(self, entry: Entry) -> bool:
        """Whether it is of people, their keys and their acts; what does not hold is told."""
        match entry.type:
            case EntryType.LOG_CREATED:
                self._people.created(entry.data)
            case EntryType.KEY_ENROLLED:
                self._people.enrolled(entry)
            case EntryType.KEY_ROTATED:
                self._payload_key_rotated(entry.data)
            case EntryType.SESSION_STARTED:
                self._people.session(entry)
            case EntryType.ACT_PROPOSED:
                self._people.proposed(entry)
            case (
                EntryType.IDENTITY_FOLLOWED
                | EntryType.IDENTITY_ORPHANED
                | EntryType.IDENTITY_DISOWNED
            ):
                self._people.owner_changed(entry)
            case EntryType.ACT_LAPSED:
                self._people.lapsed(entry)
            case EntryType.DELEGATION_GIVEN | EntryType.DELEGATION_ENDED:
                self._people.handed_over(entry)
            case _ if with_act(entry):
                self._people.act(entry)
                self.checkpoints.emergencies.acted(entry)
                self._acted(entry)
            case EntryType.SESSION_ENDED:
                self._people.session_over(entry)
            case _:
                return False
        return True

    def _acted(self, entry: Entry) -> None:
        """What a signed act changes of grants, holds and checkpoints."""
        if entry.type in STOPS:
            self._grants.stopped(entry)
        elif entry.type in MODELS:
            self._grants.models.changed(entry)
        elif entry.type in CAMPAIGNS:
            self._campaigns.acted(entry)
        elif entry.type is EntryType.IDENTITY_ORDERED:
            self._orders.ordered(entry)
        elif entry.type in HOLDS:
            self._holds.changed(entry)
        elif entry.type is EntryType.LOG_REKEYED:
            self._log_keys.rekeyed(entry)
        if entry.type in AT_CHECKPOINT:
            self.checkpoints.acted(entry)

    def _payload_key_rotated(self, data: Mapping[str, JsonValue]) -> None:
        """A new tenant key for payloads takes the place of the one that was told before.

        Another passphrase over the keys changes none of them.
        """
        if data.get("purpose") == "passphrase":
            return
        before, self._payload_key = self._payload_key, data.get("key")
        if before is not None and data.get("replaces") != before:
            self._scene.trouble("key-replaces", f"it takes the place of {before}, whatever it says")

    def _published(self, entry: Entry) -> None:
        scene, data = self._scene, entry.data
        if entry.type is EntryType.PROCESS_PUBLISHED:
            scene.publish("process", str(data.get("process")), data.get("digest"))
            scene.known("process", scene.processes, data.get("digest"))
        elif entry.type is EntryType.MATRIX_PUBLISHED:
            scene.publish("matrix", str(data.get("process")), data.get("matrix_digest"))
            scene.known("matrix", scene.matrices, data.get("matrix_digest"))
        elif entry.type is EntryType.POLICY_PUBLISHED:
            self._policies_changed(data)
            scene.publish("policy", ALL, data.get("policy_digest"))
            scene.known("policy", scene.policies, data.get("policy_digest"))
        elif entry.type in {EntryType.KEY_PUBLISHED, EntryType.KEY_RETIRED}:
            self._log_keys.told(entry)

    def _policies_changed(self, data: Mapping[str, JsonValue]) -> None:
        """What the ledger says that a publication changed is what it changed."""
        texts = {policies_digest(each): each for each in self._scene.files.policies}
        new = texts.get(str(data.get("policy_digest")))
        before = self._scene.newest.get(("policy", ALL))
        digest = str(data.get("policy_digest"))
        if self._scene.files.indices is not None or digest not in self._scene.policies:
            return  # a bundle has not what was published before; what is missing was named
        if data.get("replaces") != before:
            self._scene.trouble("policy-replaces", f"it replaces {before}, whatever it says")
        old = texts.get(before or "")
        if old is None or new is None or before not in self._scene.policies:
            return
        if policy_changes(old, new).model_dump(mode="json") != data.get("changes"):
            self._scene.trouble("policy-changes", "it changes other policies than the ledger says")
