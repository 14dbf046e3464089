"""The digests of a history's events, and the root over them: what the archive seals.

An event's digest is a leaf of RFC 6962 over the case's archive salt and the event's canonical JSON
(``docs/reference/archive.md``); a history's root, and that of each prefix, follows from them.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from placet.ledger._merkle import leaf_hash, root_hash
from placet.model import (
    ArchivedRun,
    Digest,
    HistorySeal,
    RunRoot,
    SealedRun,
    canonical_json,
    digest_hash,
    read_digest,
)


def event_digests(history: str, salt: str) -> tuple[Digest, ...]:
    """The digest of each event of a history in Temporal's own JSON, in order.

    Raises:
        ValueError: it is no such JSON, or the salt is none.
    """
    salted = base64.urlsafe_b64decode(salt + "=")
    return tuple(digest_hash(leaf_hash(salted + canonical_json(e))) for e in _events(history))


def events_root(events: Sequence[Digest]) -> Digest:
    """The root over events' digests: of a whole history, or of its first events."""
    return digest_hash(root_hash([read_digest(each) for each in events]))


def seal_runs(runs: Sequence[ArchivedRun], salt: str) -> HistorySeal:
    """The seal of archived runs.

    Raises:
        ValueError: a history can't be read.
    """
    return HistorySeal(
        runs=tuple(
            SealedRun(run_id=each.run_id, events=event_digests(each.history, salt)) for each in runs
        )
    )


def run_root(run: SealedRun, events: int | None = None) -> RunRoot:
    """What the ledger says of a run's history, or of its first ``events``."""
    first = run.events if events is None else run.events[:events]
    return RunRoot(run_id=run.run_id, events=len(first), root=events_root(first))


def _events(history: str) -> list[dict[str, Any]]:
    try:
        read = json.loads(history)
    except RecursionError:
        raise ValueError("the history is nested too deep") from None
    events = read.get("events") if isinstance(read, dict) else None
    if not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise ValueError("a history is a JSON object with a list of events")
    return events
