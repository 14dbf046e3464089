"""Writing a case's bundle: the same bytes for the same case and size.

What was read is written again and must give the same bytes (:func:`first_difference`): so each
member is used, none is missing, and none has a second spelling.
"""

import base64
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from placet.audit._bundle import (
    ARCHIVE,
    FORM,
    HANDOVERS,
    MANIFEST,
    REPORT,
    Bundle,
    BundleError,
    Manifest,
    Member,
    history_name,
    plainly,
    read_entry,
    spell_digest,
    spell_id,
)
from placet.audit._files import Kept, LogFiles
from placet.audit._html import REPORT_VERSION, render
from placet.audit._past import HEADS, spell_past
from placet.audit._select import KEPT, body_digest, head_size, policies_digest, referred
from placet.audit._zip import MAX_BUNDLE_BYTES, MAX_MEMBERS, pack, require_name
from placet.model import CaseArchive, canonical_json, digest_bytes, quantity


def write_bundle(files: LogFiles, case: str) -> bytes:
    """Write a case's bundle from the files that :func:`placet.audit.only` chose.

    Raises:
        BundleError: there is no such case, what is kept can't be written, or it is too much.
        LedgerError: there is no signed head, or an entry can't be read.
    """
    if not files.entries:
        first = quantity(head_size(files.head), "entry", "entries")
        raise BundleError(f"the ledger has no case {case} in its first {first}")
    members = bundle_members(files, case)
    if len(members) > MAX_MEMBERS:
        raise BundleError(f"it would have {len(members)} members; no bundle has over {MAX_MEMBERS}")
    data = pack(members)
    if len(data) > MAX_BUNDLE_BYTES:
        raise BundleError(f"it would have {len(data)} bytes; no bundle has over {MAX_BUNDLE_BYTES}")
    return data


def first_difference(bundle: Bundle) -> str | None:
    """The first member that is not what :func:`write_bundle` makes of this bundle's entries.

    What no entry refers to is a difference. A report that another version of this program wrote is
    none: it proves nothing.
    """
    written = bundle_members(referred(bundle.files), bundle.case)
    other = {MANIFEST}  # it follows from the others
    if bundle.manifest.report != REPORT_VERSION and REPORT in bundle.members:
        other.add(REPORT)
    for name in sorted(written.keys() | bundle.members.keys()):
        if name not in other and written.get(name) != bundle.members.get(name):
            return name
    return None


def bundle_members(files: LogFiles, case: str) -> dict[str, bytes]:
    """All that is in a case's bundle, by name.

    Raises:
        BundleError: what is kept can't be written.
    """
    try:
        members = dict(_parts(files, case))
        members[REPORT] = render(files, case).encode()
    except ValueError as error:  # say a number beyond those that canonical JSON has
        raise BundleError(f"what is kept can't be written: {plainly(error)}") from None
    for name in members:
        require_name(name)
    manifest = Manifest(
        v=1 if files.past is None else FORM,
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
    if files.past is not None:
        yield HEADS, canonical_json(spell_past(files.past))
    for body in files.processes:
        yield "process.json", body.encode()
    for body in files.matrices:
        yield f"policies/{spell_digest(body_digest(body))}.matrix.json", body.encode()
    for policies, schema in files.policies:
        name = f"policies/{spell_digest(policies_digest((policies, schema)))}"
        yield f"{name}.cedar", policies.encode()
        yield f"{name}.cedarschema", schema.encode()
    for jti, act in files.acts.items():
        yield f"acts/{spell_id(jti)}.jws", act.jws.encode()
        yield f"acts/{spell_id(jti)}.json", act.body.encode("utf-8", "surrogatepass")
    kinds = _kinds(files)
    for digest, kept in files.kept.items():
        if digest not in kinds:
            raise BundleError(f"{digest} is kept, and no entry names it")
        yield from _kept(f"evidence/{kinds[digest]}/{spell_digest(digest)}", kept)
    for digest, kept in files.parts.items():
        yield from _kept(f"evidence/parts/{spell_digest(digest)}", kept)
    for jti, content in files.attachments.items():
        yield f"evidence/attachments/{spell_id(jti)}.content", content
    for name, view in files.checkpoints.items():
        yield f"evidence/checkpoints/{name}.evidence.json", canonical_json(view.evidence)
        yield f"evidence/checkpoints/{name}.requirement.json", canonical_json(view.requirement)
        for each in view.decisions:
            yield f"decisions/{spell_id(each.jti)}.jws", each.jws.encode()
    if case in files.archives:
        yield from _archived(files.archives[case])


def _archived(archive: CaseArchive) -> Iterator[tuple[str, bytes]]:
    """The seal, and the history of each run."""
    yield ARCHIVE, canonical_json(archive.model_copy(update={"runs": ()}))
    for number, run in enumerate(archive.runs, 1):
        yield history_name(number, len(archive.runs)), run.history.encode()


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
        entry = read_entry(index, data)
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
        told = read_entry(index, data)["data"]
        kinds.update({str(told[name]): kind for name, kind in KEPT.items() if name in told})
    return kinds
