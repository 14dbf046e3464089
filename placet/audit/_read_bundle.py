"""Reading a bundle, believing nothing of it: what does not fit is an error that names it."""

import base64
import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from placet.audit._bundle import (
    ARCHIVE,
    FORGED,
    FORM,
    HANDOVERS,
    MANIFEST,
    MAX_COUNT,
    Bundle,
    BundleError,
    Manifest,
    history_name,
    plainly,
    read_digest,
    read_entry,
    read_id,
    spell_id,
)
from placet.audit._files import ActFile, Kept, LogFiles
from placet.audit._past import HEADS, read_past
from placet.audit._scene import read_json
from placet.audit._select import KEPT
from placet.audit._zip import unpack
from placet.model import (
    ArchivedRun,
    CaseArchive,
    CheckpointStatus,
    CheckpointView,
    DecisionView,
    Evidence,
    ProcessDefinition,
    Requirement,
    canonical_json,
    digest_bytes,
)

_SHORTEST = 64
"""Bytes that an entry's line has at the least."""


def read_bundle(data: bytes, *, trust: Mapping[str, Any] | None = None) -> Bundle:
    """Read a bundle's bytes, believing nothing of them.

    Args:
        data: the ZIP.
        trust: ``log_key``, ``administrators``, ``heads``, ``witnesses`` and ``identity_provider``
            that the examiner got elsewhere.

    Raises:
        BundleError: it is none.
    """
    members = unpack(data)
    manifest = _manifest(members)
    with _reading("the bundle's files do not fit together"):
        files = _files(manifest, members).trusting(trust or {})
    return Bundle(manifest, files, members)


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    """Say of whatever is wrong in a member which it is."""
    try:
        yield
    except BundleError:
        raise
    except FORGED as error:
        raise BundleError(f"{name}: {plainly(error)}") from None


def _manifest(members: Mapping[str, bytes]) -> Manifest:
    if MANIFEST not in members:
        raise BundleError(f"there is no {MANIFEST} in it")
    with _reading(MANIFEST):
        told = read_json(_text(MANIFEST, members[MANIFEST]))
    form = told.get("v") if isinstance(told, dict) else None
    if isinstance(form, int) and FORM < form <= MAX_COUNT:
        raise BundleError(f"it is of form {form}, and this Placet reads those up to {FORM}")
    try:
        manifest = Manifest.model_validate_json(members[MANIFEST])
    except ValidationError as error:
        raise BundleError(f"{MANIFEST}: {plainly(error)}") from None
    if canonical_json(manifest) != members[MANIFEST]:
        raise BundleError(f"{MANIFEST} is not in canonical form")
    for name in sorted((manifest.files.keys() | members.keys()) - {MANIFEST}):
        told = manifest.files.get(name)
        if told is None:
            raise BundleError(f"{name} is not in {MANIFEST}")
        if name not in members:
            raise BundleError(f"{name} is missing")
        if (told.bytes, told.digest) != (len(members[name]), digest_bytes(members[name])):
            raise BundleError(f"{name} was changed: it has another digest than {MANIFEST} says")
    return manifest


def _files(manifest: Manifest, members: Mapping[str, bytes]) -> LogFiles:
    text = {name: _text(name, data) for name, data in members.items() if _is_text(name)}
    lines = members["entries.jsonl"]
    breaks = lines.count(b"\n") + lines.count(b"\r")
    if breaks > len(lines) // _SHORTEST:  # or each line would take memory for itself
        raise BundleError("entries.jsonl has lines that are too short for entries")
    entries = tuple(lines.splitlines())
    with _reading("proofs.json"):
        told = read_json(text["proofs.json"])["entries"]
        if len(told) != len(entries):
            raise BundleError("proofs.json has not one proof for each line of entries.jsonl")
        indices = tuple(_index(each["index"]) for each in told)
        proofs = tuple(_proof(each) for each in told)
    with _reading(HANDOVERS):
        handovers = read_json(text[HANDOVERS]) if HANDOVERS in text else []
        handover_proofs = tuple(_proof(each) for each in handovers)
    with _reading(HEADS):
        past = None if manifest.v == 1 else read_past(read_json(text[HEADS]))
    files = LogFiles(
        origin=manifest.origin,
        issuer=manifest.issuer,
        entries=entries,
        head=text["checkpoint"],
        indices=indices,
        proofs=proofs,
        handovers=tuple(str(each["head"]) for each in handovers),
        handover_proofs=handover_proofs,
        past=past,
        acts={
            read_id(name): ActFile(jws=text[f"acts/{name}.jws"], body=text[f"acts/{name}.json"])
            for name in _stems(members, "acts/", ".jws")
        },
        kept={
            digest: kept
            for kind in KEPT.values()
            for digest, kept in _kept(f"evidence/{kind}/", members)
        },
        parts=dict(_kept("evidence/parts/", members)),
        attachments={
            read_id(name): members[f"evidence/attachments/{name}.content"]
            for name in _stems(members, "evidence/attachments/", ".content")
        },
        processes=tuple(text[name] for name in ("process.json",) if name in members),
        matrices=tuple(
            text[f"policies/{name}.matrix.json"]
            for name in _stems(members, "policies/", ".matrix.json")
        ),
        policies=tuple(
            (text[f"policies/{name}.cedar"], text[f"policies/{name}.cedarschema"])
            for name in _stems(members, "policies/", ".cedar")
        ),
    )
    return dataclasses.replace(
        files,
        checkpoints=_checkpoints(files, members),
        archives=_archives(manifest.case, text),
    )


def _checkpoints(files: LogFiles, members: Mapping[str, bytes]) -> dict[str, CheckpointView]:
    """Checkpoints as people saw them, from their evidence and requirement and the entries."""
    with _reading("entries.jsonl"):
        entries = [read_entry(index, data) for index, data in files.numbered()]
    titles: dict[str, str] = {}
    for body in files.processes:
        with _reading("process.json"):
            definition = ProcessDefinition.model_validate_json(body)
        titles |= {each.name: each.title for each in definition.checkpoints}
    opened = {
        each["data"]["checkpoint"]: each
        for each in entries
        if each.get("type") == "checkpoint.opened"
    }
    found: dict[str, CheckpointView] = {}
    for name in _stems(members, "evidence/checkpoints/", ".evidence.json"):
        if name not in opened:
            raise BundleError(f"evidence/checkpoints/{name}.evidence.json: no entry opens it")
        with _reading(f"evidence/checkpoints/{name}"):
            found[name] = _checkpoint(name, titles, opened[name], entries, members)
    return found


def _checkpoint(
    name: str,
    titles: Mapping[str, str],
    entry: Mapping[str, Any],
    entries: Iterable[Mapping[str, Any]],
    members: Mapping[str, bytes],
) -> CheckpointView:
    path = f"evidence/checkpoints/{name}"
    evidence = Evidence.model_validate_json(members[f"{path}.evidence.json"])
    return CheckpointView(
        id=name,
        case=evidence.case,
        name=evidence.checkpoint,
        title=titles.get(evidence.checkpoint, evidence.checkpoint),
        subject=evidence.subject,
        status=CheckpointStatus.OPEN,
        opened_at=_moment(entry["time"]),
        deadline=datetime.fromtimestamp(entry["data"]["deadline"], UTC),
        evidence_digest=entry["data"]["evidence_digest"],
        requirement_digest=entry["data"]["requirement_digest"],
        evidence=evidence,
        requirement=Requirement.model_validate_json(members[f"{path}.requirement.json"]),
        decisions=tuple(_decisions(name, entries, members)),
    )


def _decisions(
    checkpoint: str, entries: Iterable[Mapping[str, Any]], members: Mapping[str, bytes]
) -> Iterator[DecisionView]:
    seen: set[str] = set()
    for entry in entries:
        jti = str(entry["data"].get("decision"))
        name = f"decisions/{spell_id(jti)}.jws"
        if entry["data"].get("checkpoint") == checkpoint and name in members and jti not in seen:
            seen.add(jti)
            with _reading(name):
                view = DecisionView(
                    jti=jti,
                    operator=entry["actor"],
                    verdict=entry["data"]["verdict"],
                    decided_at=_moment(entry["time"]),
                    jws=members[name].decode("ascii"),
                )
            yield view


def _archives(case: str, text: Mapping[str, str]) -> dict[str, CaseArchive]:
    if ARCHIVE not in text:
        return {}
    with _reading(ARCHIVE):
        archive = CaseArchive.model_validate_json(text[ARCHIVE])
    sealed = () if archive.erased else archive.seal.runs
    runs = [
        ArchivedRun(run_id=each.run_id, history=text[history_name(number, len(sealed))])
        for number, each in enumerate(sealed, 1)
    ]
    return {case: archive.model_copy(update={"runs": tuple(runs)})}


def _kept(folder: str, members: Mapping[str, bytes]) -> Iterator[tuple[str, Kept]]:
    """What is kept with a salt in a folder, by its digest."""
    for name in _stems(members, folder, ".salt"):
        salt = base64.urlsafe_b64encode(members[f"{folder}{name}.salt"]).decode().rstrip("=")
        with _reading(f"{folder}{name}.content"):
            content = members[f"{folder}{name}.content"].decode("utf-8", "surrogatepass")
        yield read_digest(name), Kept(salt=salt, content=content)


def _is_text(name: str) -> bool:
    return not name.startswith("evidence/")


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass" if name.startswith("acts/") else "strict")
    except UnicodeDecodeError as error:
        raise BundleError(f"{name} is not UTF-8: byte {error.start}") from None


def _stems(members: Mapping[str, bytes], folder: str, suffix: str) -> list[str]:
    return sorted(
        name[len(folder) : -len(suffix)]
        for name in members
        if name.startswith(folder) and name.endswith(suffix)
    )


def _proof(told: Mapping[str, Any]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(each, validate=True) for each in told["proof"])


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BundleError("proofs.json: an index is no count")
    return value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
