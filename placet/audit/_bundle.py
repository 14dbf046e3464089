"""The evidence bundle: one case's proof as one ZIP, the same bytes for the same case and size.

1. Members stand in the order of their names, stored as they are, with no time of their own: so
   nothing depends on a compressor's version, and there is nothing that could swell.
2. Reading believes nothing: sizes are limited before anything is read, names come from a small
   alphabet, and what does not fit is a :class:`BundleError` that names it.
3. What was read is written again and must give the same bytes (:func:`first_difference`): so each
   member is used, none is missing, and none has a second spelling.
"""

import base64
import dataclasses
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, JsonValue, ValidationError

from placet.audit._files import ActFile, Kept, LogFiles
from placet.audit._html import REPORT_VERSION, render
from placet.audit._scene import read_json
from placet.audit._select import KEPT, body_digest, head_size, policies_digest
from placet.ledger import LedgerError
from placet.model import (
    ArchivedRun,
    CaseArchive,
    CaseId,
    CheckpointStatus,
    CheckpointView,
    DecisionView,
    Digest,
    Evidence,
    Model,
    ProcessDefinition,
    Requirement,
    canonical_json,
    digest_bytes,
)

MAX_BUNDLE_BYTES = 256 * 1024 * 1024
"""A case of 500 parts of half a megabyte each; more is no bundle."""
MAX_MEMBERS = 20_000
MANIFEST, REPORT, ARCHIVE = "manifest.json", "report.html", "archive.json"
HANDOVERS = "handovers.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP can tell
_DOT = "%2E"
_SEGMENT = r"[A-Za-z0-9_~%-][A-Za-z0-9._~%-]*"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
_MAX_NAME = 200


class BundleError(Exception):
    """It is no bundle that ``placet audit export`` wrote; the message says what and where."""


class Member(Model):
    """One member of a bundle."""

    bytes: int = Field(ge=0)
    digest: Digest


class Manifest(Model):
    """What a bundle says of itself: nothing of it is believed, all of it is checked."""

    v: Literal[1] = 1
    case: CaseId
    origin: str = Field(max_length=300)
    issuer: str = Field(max_length=300)
    size: int = Field(ge=1)
    report: int
    files: dict[str, Member]


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle that was read; nothing in it is verified yet."""

    manifest: Manifest
    files: LogFiles
    members: Mapping[str, bytes]

    @property
    def case(self) -> str:
        """The case that it is about."""
        return self.manifest.case


# --- writing --------------------------------------------------------------------------------


def write_bundle(files: LogFiles, case: str) -> bytes:
    """Write a case's bundle from the files that :func:`placet.audit.only` chose.

    Raises:
        BundleError: there is no such case, or what is kept can't be written.
        LedgerError: there is no signed head, or an entry can't be read.
    """
    if not files.entries:
        raise BundleError(f"the ledger has no case {case}")
    return _zip(_members(files, case))


def _members(files: LogFiles, case: str) -> dict[str, bytes]:
    members = dict(_parts(files, case))
    members[REPORT] = render(files, case).encode()
    for name in members:
        _require_name(name)
    manifest = Manifest(
        case=case,
        origin=files.origin,
        issuer=files.issuer,
        size=head_size(files.head),
        report=REPORT_VERSION,
        files={
            name: Member(bytes=len(data), digest=digest_bytes(data))
            for name, data in members.items()
        },
    )
    return {**members, MANIFEST: canonical_json(manifest)}


def _parts(files: LogFiles, case: str) -> Iterator[tuple[str, bytes]]:
    yield "checkpoint", files.head.encode()
    yield "entries.jsonl", b"".join(each + b"\n" for each in files.entries)
    yield "proofs.json", canonical_json(_proofs(files))
    yield "keys.json", canonical_json(_keys(files))
    if files.handovers:
        yield HANDOVERS, canonical_json(_handovers(files))
    for body in files.processes:
        yield "process.json", body.encode()
    for body in files.matrices:
        yield f"policies/{_spell(body_digest(body))}.matrix.json", body.encode()
    for policies, schema in files.policies:
        name = f"policies/{_spell(policies_digest((policies, schema)))}"
        yield f"{name}.cedar", policies.encode()
        yield f"{name}.cedarschema", schema.encode()
    for jti, act in files.acts.items():
        yield f"acts/{_file(jti)}.jws", act.jws.encode()
        yield f"acts/{_file(jti)}.json", act.body.encode("utf-8", "surrogatepass")
    kinds = _kinds(files)
    for digest, kept in files.kept.items():
        if digest not in kinds:
            raise BundleError(f"{digest} is kept, and no entry names it")
        yield from _kept(f"evidence/{kinds[digest]}/{_spell(digest)}", kept)
    for digest, kept in files.parts.items():
        yield from _kept(f"evidence/parts/{_spell(digest)}", kept)
    for jti, content in files.attachments.items():
        yield f"evidence/attachments/{_file(jti)}.content", content
    for name, view in files.checkpoints.items():
        yield f"evidence/checkpoints/{name}.evidence.json", canonical_json(view.evidence)
        yield f"evidence/checkpoints/{name}.requirement.json", canonical_json(view.requirement)
        for each in view.decisions:
            yield f"decisions/{_file(each.jti)}.jws", each.jws.encode()
    if case in files.archives:
        yield from _archived(files.archives[case])


def _archived(archive: CaseArchive) -> Iterator[tuple[str, bytes]]:
    """The seal and the histories: the last run is ``history.json``, earlier ones have a number."""
    yield ARCHIVE, canonical_json(archive.model_copy(update={"runs": ()}))
    for number, run in enumerate(archive.runs, 1):
        yield _history_name(number, len(archive.runs)), run.history.encode()


def _history_name(number: int, runs: int) -> str:
    return "history.json" if number == runs else f"history-{number}.json"


def _proofs(files: LogFiles) -> dict[str, Any]:
    return {
        "size": head_size(files.head),
        "entries": [
            {"index": index, "proof": [base64.b64encode(each).decode() for each in proof]}
            for (index, _), proof in zip(files.numbered(), files.proofs, strict=True)
        ],
    }


def _handovers(files: LogFiles) -> list[JsonValue]:
    return [
        {"head": note, "proof": [base64.b64encode(each).decode() for each in proof]}
        for note, proof in zip(files.handovers, files.handover_proofs, strict=True)
    ]


def _keys(files: LogFiles) -> dict[str, Any]:
    """The public keys that the entries publish and enrol, gathered for who checks by hand."""
    found: dict[str, list[dict[str, Any]]] = {"published": [], "enrolled": []}
    for index, data in files.numbered():
        entry = _entry(index, data)
        told = entry["data"]
        if entry.get("type") == "key.published":
            named = {name: told.get(name) for name in ("purpose", "jwk")}
            found["published"].append({"entry": index, **named})
        elif entry.get("type") == "key.enrolled":
            named = {name: told.get(name) for name in ("principal", "roles", "jwk")}
            found["enrolled"].append({"entry": index, **named})
    return {"origin": files.origin, "issuer": files.issuer, **found}


def _kept(name: str, kept: Kept) -> Iterator[tuple[str, bytes]]:
    try:
        salt = base64.urlsafe_b64decode(kept.salt + "=")
    except ValueError:
        raise BundleError(f"{name}: its salt is none") from None
    yield f"{name}.salt", salt
    yield f"{name}.content", kept.content.encode("utf-8", "surrogatepass")


def _kinds(files: LogFiles) -> dict[str, str]:
    """What each salted digest is of, as the entries name it."""
    kinds: dict[str, str] = {}
    for index, data in files.numbered():
        told = _entry(index, data)["data"]
        kinds.update({str(told[name]): kind for name, kind in KEPT.items() if name in told})
    return kinds


def _zip(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3  # Unix, wherever this runs
            member.external_attr = 0o644 << 16
            archive.writestr(member, members[name])
    return out.getvalue()


# --- reading --------------------------------------------------------------------------------


def read_bundle(data: bytes, *, trust: Mapping[str, Any] | None = None) -> Bundle:
    """Read a bundle's bytes, believing nothing of them.

    Args:
        data: the ZIP.
        trust: ``log_key``, ``administrators`` and ``heads`` that the examiner got elsewhere.

    Raises:
        BundleError: it is none.
    """
    members = _unzip(data)
    manifest = _manifest(members)
    try:
        files = _files(manifest, members, trust or {})
    except (ValidationError, LedgerError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"the bundle's files do not fit together: {_plainly(error)}") from None
    return Bundle(manifest, files, members)


def first_difference(bundle: Bundle) -> str | None:
    """The first member that is not what :func:`write_bundle` makes of this bundle's content.

    A report that another version of this program wrote is no difference: it proves nothing.
    """
    written = _members(bundle.files, bundle.case)
    other = {MANIFEST}  # it follows from the others
    if bundle.manifest.report != REPORT_VERSION:
        other.add(REPORT)
    for name in sorted(written.keys() | bundle.members.keys()):
        if name not in other and written.get(name) != bundle.members.get(name):
            return name
    return None


def _unzip(data: bytes) -> dict[str, bytes]:
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError(f"it has {len(data)} bytes, over {MAX_BUNDLE_BYTES}")
    if data.count(b"PK\x01\x02") > MAX_MEMBERS:  # each member has one such mark
        raise BundleError(f"it has more than {MAX_MEMBERS} members")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = dict(_read_members(archive))
    except BundleError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a forged file provokes in the reader
        raise BundleError(f"it is no ZIP that can be read: {_plainly(error)}") from None
    if _zip(members) != data:
        raise BundleError("it was changed or zipped anew: these are not the bytes of an export")
    return members


def _read_members(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    infos = archive.infolist()
    names = [each.orig_filename for each in infos]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BundleError(f"{twice[:_MAX_NAME]!r} is in it twice")
    # Stored members are as large as they say: together no larger than the file, or they overlap.
    if sum(each.file_size for each in infos) > MAX_BUNDLE_BYTES:
        raise BundleError(f"its members say that they have over {MAX_BUNDLE_BYTES} bytes")
    for each in infos:
        _require_name(each.orig_filename)
        if each.compress_type != zipfile.ZIP_STORED or each.file_size != each.compress_size:
            raise BundleError(f"{each.filename} is compressed; an export stores it as it is")
        if each.flag_bits & 1:
            raise BundleError(f"{each.filename} is encrypted")
        yield each.filename, archive.read(each)


def _require_name(name: str) -> None:
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise BundleError(f"{name[:_MAX_NAME]!r} is no name of a member of a bundle")


def _manifest(members: Mapping[str, bytes]) -> Manifest:
    if MANIFEST not in members:
        raise BundleError(f"there is no {MANIFEST} in it")
    try:
        manifest = Manifest.model_validate_json(members[MANIFEST])
    except ValidationError as error:
        raise BundleError(f"{MANIFEST}: {_plainly(error)}") from None
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


def _files(manifest: Manifest, members: Mapping[str, bytes], trust: Mapping[str, Any]) -> LogFiles:
    text = {name: _text(name, data) for name, data in members.items() if _is_text(name)}
    entries = tuple(members["entries.jsonl"].splitlines())
    proofs = read_json(text["proofs.json"])["entries"]
    handovers = read_json(text[HANDOVERS]) if HANDOVERS in text else []
    if len(proofs) != len(entries):
        raise BundleError("proofs.json has not one proof for each line of entries.jsonl")
    files = LogFiles(
        origin=manifest.origin,
        issuer=manifest.issuer,
        entries=entries,
        head=text["checkpoint"],
        trusted_log_key=trust.get("log_key"),
        trusted_administrators=tuple(trust.get("administrators", ())),
        kept_heads=tuple(trust.get("heads", ())),
        indices=tuple(_index(each["index"]) for each in proofs),
        proofs=tuple(_proof(each) for each in proofs),
        handovers=tuple(str(each["head"]) for each in handovers),
        handover_proofs=tuple(_proof(each) for each in handovers),
        acts={
            name.replace(_DOT, "."): ActFile(
                jws=text[f"acts/{name}.jws"], body=text[f"acts/{name}.json"]
            )
            for name in _stems(members, "acts/", ".jws")
        },
        kept={
            _digest(name): _read_kept(f"evidence/{kind}/{name}", members)
            for kind in KEPT.values()
            for name in _stems(members, f"evidence/{kind}/", ".salt")
        },
        parts={
            _digest(name): _read_kept(f"evidence/parts/{name}", members)
            for name in _stems(members, "evidence/parts/", ".salt")
        },
        attachments={
            name.replace(_DOT, "."): members[f"evidence/attachments/{name}.content"]
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
    entries = [_entry(index, data) for index, data in files.numbered()]
    titles: dict[str, str] = {}
    for body in files.processes:
        definition = ProcessDefinition.model_validate_json(body)
        titles |= {each.name: each.title for each in definition.checkpoints}
    opened = {
        each["data"]["checkpoint"]: each
        for each in entries
        if each.get("type") == "checkpoint.opened"
    }
    found: dict[str, CheckpointView] = {}
    for name in _stems(members, "evidence/checkpoints/", ".evidence.json"):
        path = f"evidence/checkpoints/{name}"
        evidence = Evidence.model_validate_json(members[f"{path}.evidence.json"])
        entry = opened[name]
        found[name] = CheckpointView(
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
    return found


def _decisions(
    checkpoint: str, entries: Iterable[Mapping[str, Any]], members: Mapping[str, bytes]
) -> Iterator[DecisionView]:
    seen: set[str] = set()
    for entry in entries:
        jti = str(entry["data"].get("decision"))
        name = f"decisions/{_file(jti)}.jws"
        if entry["data"].get("checkpoint") == checkpoint and name in members and jti not in seen:
            seen.add(jti)
            yield DecisionView(
                jti=jti,
                operator=entry["actor"],
                verdict=entry["data"]["verdict"],
                decided_at=_moment(entry["time"]),
                jws=members[name].decode("ascii"),
            )


def _archives(case: str, text: Mapping[str, str]) -> dict[str, CaseArchive]:
    if ARCHIVE not in text:
        return {}
    archive = CaseArchive.model_validate_json(text[ARCHIVE])
    sealed = () if archive.erased else archive.seal.runs
    runs = [
        ArchivedRun(run_id=each.run_id, history=text[_history_name(number, len(sealed))])
        for number, each in enumerate(sealed, 1)
    ]
    return {case: archive.model_copy(update={"runs": tuple(runs)})}


def _entry(index: int, data: bytes) -> dict[str, Any]:
    entry = read_json(data.decode())
    if not isinstance(entry, dict) or not isinstance(entry.get("data"), dict):
        raise BundleError(f"entries.jsonl: entry {index} is none")
    return entry


def _read_kept(name: str, members: Mapping[str, bytes]) -> Kept:
    salt = base64.urlsafe_b64encode(members[f"{name}.salt"]).decode().rstrip("=")
    content = members[f"{name}.content"]
    return Kept(salt=salt, content=content.decode("utf-8", "surrogatepass"))


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


def _spell(digest: str) -> str:
    """A digest as a file's name."""
    return digest.replace(":", "-")


def _digest(name: str) -> str:
    return name.replace("sha-256-", "sha-256:", 1)


def _file(jti: str) -> str:
    """An id as a file's name, whoever chose it: no file is hidden, or another folder."""
    return jti.replace(".", _DOT)


def _proof(told: Mapping[str, Any]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(each, validate=True) for each in told["proof"])


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BundleError("proofs.json: an index is no count")
    return value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _plainly(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error)[:300] or type(error).__name__
