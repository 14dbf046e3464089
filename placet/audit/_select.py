"""One case out of a log: the entries that its proof needs, and what they refer to.

1. The case's own entries.
2. The log's first entry, and the log's and the authority's own keys.
3. What was published and is named by one of these: process, matrix, policies.
4. Holds on the case's records, or on what these lie below, and the order that it is about.
5. Whoever acts in any of these: their enrolment, and each change of their standing; where an owner
   left, theirs, and that of who owns since.
6. How many sign what changes that, and what was proposed and countersigned of these.

No entry of another case is among them, and nothing that only another case's entries refer to.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from placet.audit._files import LogFiles
from placet.audit._past import seen_sizes
from placet.ledger import (
    Checkpoint,
    EntryError,
    EntryType,
    Subtrees,
    consistency_path,
    inclusion_path,
)
from placet.model import digest_bytes, digest_json

T = TypeVar("T")
K = TypeVar("K", int, str)
_ALWAYS = {
    EntryType.LOG_CREATED,
    EntryType.LOG_REKEYED,
    EntryType.KEY_PUBLISHED,
    EntryType.KEY_RETIRED,
    EntryType.GOVERNANCE_PUBLISHED,
    EntryType.MODEL_SUSPENDED,
    EntryType.MODEL_RESUMED,
}
_PUBLISHED = {
    EntryType.PROCESS_PUBLISHED: ("digest", "process_digest"),
    EntryType.MATRIX_PUBLISHED: ("matrix_digest", "matrix_digest"),
    EntryType.POLICY_PUBLISHED: ("policy_digest", "policy_digest"),
}
_HOLDS = {EntryType.HOLD_PLACED, EntryType.HOLD_LIFTED}
_STANDING = {
    EntryType.AGENT_INVITED: "target",
    EntryType.AGENT_SUSPENDED: "target",
    EntryType.AGENT_RESUMED: "target",
    EntryType.AGENT_OFFBOARDED: "target",
    EntryType.OPERATOR_SUSPENDED: "target",
    EntryType.OPERATOR_RESUMED: "target",
    EntryType.OPERATOR_OFFBOARDED: "target",
    EntryType.IDENTITY_REGISTERED: "target",
    EntryType.IDENTITY_ENDED: "target",
    EntryType.IDENTITY_EXCEEDED: "target",
    EntryType.IDENTITY_REVIEWED: "target",
    EntryType.IDENTITY_FOLLOWED: "target",
    EntryType.IDENTITY_ORPHANED: "target",
    EntryType.IDENTITY_DISOWNED: "target",
    EntryType.KEY_ENROLLED: "principal",
    EntryType.KEY_REVOKED: "principal",
    EntryType.OPERATOR_ROLES_SET: "target",
    EntryType.OPERATOR_INVITED: "target",
    EntryType.SESSION_STARTED: "principal",
    EntryType.SESSION_ENDED: "principal",
}
_LEFT_BY_OWNER = {EntryType.IDENTITY_FOLLOWED, EntryType.IDENTITY_ORPHANED}
_HANDED_OVER = {EntryType.DELEGATION_GIVEN, EntryType.DELEGATION_ENDED}
KEPT = {"context_digest": "contexts", "reasoning_digest": "reasoning"}
"""What entries refer to by a salted digest, and what it is."""


def select(entries: Sequence[bytes], case: str) -> tuple[int, ...]:
    """The positions of the entries that the proof of a case needs, in order; none without it.

    The entries are those of a whole log, or its entries of this case and of none.

    Raises:
        EntryError: an entry is no JSON object; the message names it.
    """
    read = [_read(index, data) for index, data in enumerate(entries)]
    own = {index for index, each in enumerate(read) if each.get("case") == case}
    if not own:
        return ()
    named = {
        (type_, digest)
        for index in own
        for type_, (_, name) in _PUBLISHED.items()
        if isinstance(digest := read[index]["data"].get(name), str)
    }
    records = {record for index in own if isinstance(record := read[index].get("record"), str)}
    chosen = own | {
        index
        for index, each in enumerate(read)
        if each.get("case") is None and _concerns(each, named, records)
    }
    return tuple(sorted(_with_people(read, chosen)))


def _read(index: int, data: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EntryError(f"entry {index}: not an entry: {error}") from None
    if (
        not isinstance(entry, dict)
        or not isinstance(entry.get("data", {}), dict)
        or not isinstance(entry.get("type", ""), str)
    ):
        raise EntryError(f"entry {index}: not an entry")
    return {"data": {}, **entry}


def _concerns(
    entry: Mapping[str, Any], named: set[tuple[EntryType, str]], records: set[str]
) -> bool:
    type_, data = entry.get("type"), entry["data"]
    if type_ in _ALWAYS:
        return True
    if type_ in _PUBLISHED:
        name, _ = _PUBLISHED[EntryType(type_)]
        return (EntryType(type_), str(data.get(name))) in named
    if type_ == EntryType.IDENTITY_ORDERED:
        return f"identity-order/{data.get('order')}" in records
    held = entry.get("record")
    return type_ in _HOLDS and any(
        record == held or record.startswith(f"{held}/") for record in records
    )


def _with_people(read: Sequence[Mapping[str, Any]], chosen: Iterable[int]) -> set[int]:
    about: dict[str, list[int]] = {}
    for index, entry in enumerate(read):
        name = _STANDING.get(entry.get("type", ""))
        if name is not None and entry.get("case") is None:
            about.setdefault(str(entry["data"].get(name)), []).append(index)
        if entry.get("type") == EntryType.VENDOR_SWITCHED_OFF:
            named = entry["data"].get("identities")
            for each in named if isinstance(named, list) else ():
                about.setdefault(str(each), []).append(index)
        if entry.get("type") in _HANDED_OVER:
            about.setdefault(f"for {entry.get('actor')}", []).append(index)
        if "proposal" in entry["data"]:
            about.setdefault(f"act {entry['data']['proposal']}", []).append(index)
    found, waiting = set[int](), list(chosen)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += about.get(str(read[index].get("actor")), ())
            waiting += about.get(f"act {read[index]['data'].get('act')}", ())
            waiting += about.get(f"for {read[index]['data'].get('stands_in_for')}", ())
            if read[index].get("type") in _LEFT_BY_OWNER:
                for name in ("before", "owner"):
                    waiting += about.get(str(read[index]["data"].get(name)), ())
    return found


def prove(files: LogFiles, subtrees: Subtrees) -> LogFiles:
    """The files of the entries that :func:`select` chose, with all proofs, and nothing besides.

    ``subtrees`` gives the hashes of the whole log under the files' head.

    Raises:
        EntryError: an entry is no JSON object.
        LedgerError: there is no head.
    """
    size = head_size(files.head)
    handovers = tuple(each for each in files.handovers if head_size(each) <= size)
    chosen = referred(
        dataclasses.replace(
            files,
            proofs=tuple(inclusion_path(subtrees, index, size) for index, _ in files.numbered()),
            handovers=handovers,
            handover_proofs=tuple(_extended(subtrees, head_size(each), size) for each in handovers),
        )
    )
    past = {each: _extended(subtrees, each, size) for each in seen_sizes(chosen) if each <= size}
    return dataclasses.replace(chosen, past=past)


def referred(files: LogFiles) -> LogFiles:
    """The files without what none of their entries refers to.

    Raises:
        EntryError: an entry is no JSON object.
    """
    chosen = [_read(index, data) for index, data in files.numbered()]
    datas = [each["data"] for each in chosen]
    opened = {str(each.get("checkpoint")) for each in datas}
    decided = {str(each.get("decision")) for each in datas}
    kept = {str(each.get(name)) for each in datas for name in KEPT}
    parts = {
        str(part.get("digest"))
        for each in datas
        if isinstance(each.get("parts"), list)
        for part in each["parts"]
        if isinstance(part, dict)
    }
    archived = {
        str(each.get("case")) for each in chosen if each.get("type") == EntryType.CASE_ARCHIVED
    }
    found = dataclasses.replace(
        files,
        acts=_pick(files.acts, {str(each.get("act")) for each in datas}),
        kept=_pick(files.kept, kept),
        parts=_pick(files.parts, parts),
        attachments=_pick(files.attachments, {str(each.get("act")) for each in datas}),
        checkpoints={
            name: view.model_copy(
                update={"decisions": tuple(d for d in view.decisions if d.jti in decided)}
            )
            for name, view in _pick(files.checkpoints, opened).items()
        },
        processes=_named(files.processes, body_digest, datas, "process_digest"),
        matrices=_named(files.matrices, body_digest, datas, "matrix_digest"),
        policies=_named(files.policies, policies_digest, datas, "policy_digest"),
        archives=_pick(files.archives, archived),
    )
    if files.past is None:
        return found
    return dataclasses.replace(found, past=_pick(files.past, seen_sizes(found)))


def _extended(subtrees: Subtrees, before: int, size: int) -> tuple[bytes, ...]:
    return () if before in {0, size} else consistency_path(subtrees, before, size)


def head_size(note: str) -> int:
    """How many entries a signed head says it has; whether it is signed is not looked at.

    Raises:
        NoteError: it is no head.
    """
    return Checkpoint.parse(note.rpartition("\n\n")[0] + "\n").size


def policies_digest(policies: tuple[str, str]) -> str:
    """The digest of policies and their schema, as :func:`placet.rules.load_policies` has it."""
    return digest_json({"policies": policies[0], "schema": policies[1]})


def body_digest(body: str) -> str:
    """The digest of a process or a matrix, as the ledger has it: of its bytes as they are kept."""
    return digest_bytes(body.encode())


def _named(
    found: Iterable[T], digest: Callable[[T], str], datas: Iterable[Mapping[str, Any]], name: str
) -> tuple[T, ...]:
    """What the case names of what was published, in the order of its digests, each once."""
    wanted = {str(each.get(name)) for each in datas}
    named: dict[str, T] = {}
    for each in found:
        try:
            named[digest(each)] = each
        except ValueError:
            continue
    return tuple(named[key] for key in sorted(named) if key in wanted)


def _pick(found: Mapping[K, T], wanted: set[K]) -> dict[K, T]:
    return {name: found[name] for name in sorted(found) if name in wanted}
