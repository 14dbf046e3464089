"""A case's archive held against what the ledger seals of it: each run, each event, each prefix.

1. The seal (a digest for each event) and the contents are those whose digests are on the ledger,
   and each run's root follows from its digests.
2. Each archived event has its sealed digest; the first that has another is named, and so is the
   first that is missing or too many. The text around them has one spelling.
3. What the authority had seen of a history when it opened a checkpoint, or granted a guarded
   action, is how that history begins.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pydantic import JsonValue, ValidationError

from placet.ledger import Entry, EntryType, event_digests, events_root, run_root
from placet.model import ArchivedRun, CaseArchive, Digest, RunRoot, SealedRun, digest_json, quantity


@dataclass(frozen=True)
class Unsealed:
    """What does not fit the seal; ``run`` and ``event`` say where, if it is an event."""

    name: str
    found: str
    run: str = ""
    event: int = 0


def unsealed(archive: CaseArchive, entries: Sequence[Entry]) -> Iterator[Unsealed]:
    """What of an archive is not as the case's entries seal it."""
    sealed = [each for each in entries if each.type is EntryType.CASE_ARCHIVED]
    if len(sealed) != 1:
        yield Unsealed("seal", f"the ledger seals {len(sealed)} histories, not one")
        return
    data = sealed[0].data
    if data.get("seal_digest") != digest_json(archive.seal):
        yield Unsealed("seal-digest", "the events' digests are not those that were sealed")
    if data.get("contents_digest") != digest_json(archive.contents):
        yield Unsealed("contents-digest", "what belongs to the archive is not what was sealed")
    if data.get("runs") != [run_root(each).model_dump(mode="json") for each in archive.seal.runs]:
        yield Unsealed("seal-digest", "the events' digests do not give the runs that were sealed")
    if archive.erased:
        return
    yield from _runs(archive)
    yield from _prefixes(archive, entries)


def _runs(archive: CaseArchive) -> Iterator[Unsealed]:
    told = [each.run_id for each in archive.runs]
    if told != [each.run_id for each in archive.seal.runs]:
        yield Unsealed("run", f"the runs {', '.join(told)} are not those that were sealed")
        return
    for run, sealed in zip(archive.runs, archive.seal.runs, strict=True):
        found = _differs(digests_of(run, archive.salt or ""), sealed)
        if found is not None:
            yield found
        elif not spelled_as_kept(run.history):
            yield Unsealed(
                "history-spelling",
                f"run {run.run_id} holds more than its events, or spells them otherwise",
            )


def spelled_as_kept(history: str) -> bool:
    """Whether a history's text is the one that the authority keeps of its content.

    An event's digest is over its content alone: a member told twice, or spelled otherwise, would be
    read one way by one reader and another way by the next.
    """
    try:
        return json.dumps(json.loads(history), indent=2, sort_keys=True) == history
    except (ValueError, RecursionError):
        return False


def _differs(digests: Sequence[Digest], sealed: SealedRun) -> Unsealed | None:
    """The first event that is not the sealed one."""
    for number, (digest, expected) in enumerate(zip_longest(digests, sealed.events), 1):
        if digest == expected:
            continue
        count = f"sealed are {quantity(len(sealed.events), 'event')}, there are {len(digests)}"
        if digest is None:
            return Unsealed("event-digest", f"it is missing: {count}", sealed.run_id, number)
        if expected is None:
            return Unsealed("event-digest", f"it was added: {count}", sealed.run_id, number)
        said = "it is not the event that was sealed"
        found = said if len(digests) == len(sealed.events) else f"{said}; {count}"
        return Unsealed("event-digest", found, sealed.run_id, number)
    return None


def digests_of(run: ArchivedRun, salt: str) -> tuple[Digest, ...]:
    """A run's events by their digests; none if it can't be read."""
    try:
        return event_digests(run.history, salt)
    except ValueError:
        return ()


def _prefixes(archive: CaseArchive, entries: Sequence[Entry]) -> Iterator[Unsealed]:
    digests = {each.run_id: digests_of(each, archive.salt or "") for each in archive.runs}
    for entry in entries:
        told = _root(entry.data.get("history"))
        if told is None:
            continue
        found = digests.get(told.run_id, ())[: told.events]
        if len(found) < told.events or events_root(found) != told.root:
            yield Unsealed(
                "history-prefix",
                f"its first {told.events} events are not those that the authority had seen "
                f"at {entry.type.value}",
                told.run_id,
                told.events,
            )


def _root(value: JsonValue) -> RunRoot | None:
    try:
        return None if value is None else RunRoot.model_validate(value)
    except ValidationError:
        return None
