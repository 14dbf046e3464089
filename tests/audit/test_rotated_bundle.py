"""I8: the bundle of a case from a log whose key was changed, for whoever knows the old key alone."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.audit import (
    ActFile,
    Bundle,
    BundleError,
    LogFiles,
    read_bundle,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.audit._bundle import MANIFEST, Manifest, Member
from placet.audit._zip import pack
from placet.ledger import Checkpoint, NoteSigner, leaf_hash, root_hash, sign_checkpoint
from placet.model import ActClaims, canonical_json, digest_bytes, digest_json, format_time
from placet.tokens import sign_act
from tests.audit.recording import Recorded
from tests.harness.logs import only


@dataclasses.dataclass(frozen=True, repr=False)
class Rotated:
    """The recorded log, and ``new`` in the place of the ``old`` key that signed its heads."""

    files: LogFiles
    old: NoteSigner
    new: NoteSigner
    case: str
    named: int

    def head(self, entries: Sequence[bytes], *by: NoteSigner) -> str:
        root = root_hash([leaf_hash(each) for each in entries])
        return sign_checkpoint(Checkpoint(self.files.origin, len(entries), root), by)

    def bundle(self, trusted: NoteSigner, files: LogFiles | None = None) -> Bundle:
        """The case's bundle, read by someone who knows one key."""
        data = write_bundle(only(files or self.files, self.case), self.case)
        return read_bundle(data, trust={"log_key": trusted.verifier.vkey})


@pytest.fixture(scope="module")
def rotated(recorded: Recorded) -> Rotated:
    """The rotation is the last that the log has, and another entry after it."""
    origin = recorded.files.origin
    old, new = recorded.signer, NoteSigner(origin, Ed25519PrivateKey.generate())
    entries = list(recorded.files.entries)
    time = datetime.fromisoformat(json.loads(entries[-1])["time"]) + timedelta(seconds=1)
    body: dict[str, Any] = {
        "key": new.verifier.vkey,
        "replaces": old.verifier.vkey,
        "overlap_hours": 0,
    }
    claims = ActClaims(
        iss="operator:ada",
        aud=recorded.files.issuer,
        iat=int(time.timestamp()),
        jti="." * 128,  # who signs chooses it: as long in a file's name as any can be
        act="log.rekey",
        target="log",
        body_digest=digest_json(body),
    )
    told = {"v": 1, "time": format_time(time), "type": "log.rekeyed", "actor": claims.iss}
    named = len(entries)
    entries.append(canonical_json({**told, "data": {"act": claims.jti, "target": "log", **body}}))
    retired = {"purpose": "heads", "key": old.verifier.vkey}
    told |= {"type": "key.retired", "actor": "system:authority"}
    entries.append(canonical_json({**told, "data": retired}))
    act = ActFile(jws=sign_act(claims, recorded.keys["ada"]), body=canonical_json(body).decode())
    files = dataclasses.replace(
        recorded.files,
        entries=tuple(entries),
        acts={**recorded.files.acts, claims.jti: act},
        trusted_log_key=None,
    )
    made = Rotated(files, old, new, recorded.large, named)
    return dataclasses.replace(
        made,
        files=dataclasses.replace(
            files,
            head=made.head(entries, new),
            handovers=(made.head(entries[: named + 1], old, new),),
        ),
    )


def names(bundle: Bundle) -> set[str]:
    return {each.name for each in verify_bundle(bundle).troubles}


def test_the_whole_log_holds(rotated: Rotated) -> None:
    """What the forgeries below are made of."""
    for each in (rotated.old, rotated.new):
        files = dataclasses.replace(rotated.files, trusted_log_key=each.verifier.vkey)
        assert verify(files).troubles == ()


def test_a_bundle_leads_from_the_old_key_to_the_new(rotated: Rotated) -> None:
    """I8: offline, with either key; and without one it is consistent with itself only."""
    for trusted in (rotated.old, rotated.new):
        report = verify_bundle(rotated.bundle(trusted))
        assert report.troubles == ()
        assert report.trusted
        assert report.checked["handovers"] == 1
        assert report.checked["heads that were seen"] > 3
    data = write_bundle(only(rotated.files, rotated.case), rotated.case)
    alone = verify_bundle(read_bundle(data))
    assert alone.holds
    assert not alone.trusted


def test_a_bundle_of_before_holds_under_the_old_key(rotated: Rotated) -> None:
    """I8: as it was written, and written again at its size; its bytes know of no rotation."""
    entries = rotated.files.entries[: rotated.named]
    before = dataclasses.replace(rotated.files, head=rotated.head(entries, rotated.old))
    bundle = rotated.bundle(rotated.old, before)
    assert "handovers.json" not in bundle.members
    assert verify_bundle(bundle).troubles == ()
    assert names(rotated.bundle(rotated.new, before)) == {"head"}


def test_a_bundle_under_the_handover_itself(rotated: Rotated) -> None:
    """I8: its head is the one by which the key handed over."""
    at = dataclasses.replace(rotated.files, head=rotated.files.handovers[0])
    for trusted in (rotated.old, rotated.new):
        assert verify_bundle(rotated.bundle(trusted, at)).troubles == ()


def no_handover(rotated: Rotated) -> LogFiles:
    return dataclasses.replace(rotated.files, handovers=())


def handover_by_the_new_key(rotated: Rotated) -> LogFiles:
    note = rotated.head(rotated.files.entries[: rotated.named + 1], rotated.new)
    return dataclasses.replace(rotated.files, handovers=(note,))


def handover_of_another_past(rotated: Rotated) -> LogFiles:
    """The old key did sign it; and what the new one has signed does not extend it."""
    entries = list(rotated.files.entries)
    entries[1], entries[2] = entries[2], entries[1]
    note = rotated.head(entries[: rotated.named + 1], rotated.old)
    return dataclasses.replace(rotated.files, handovers=(note,))


def retired_key_goes_on(rotated: Rotated) -> LogFiles:
    return dataclasses.replace(rotated.files, head=rotated.head(rotated.files.entries, rotated.old))


FORGERIES: dict[str, tuple[Callable[[Rotated], LogFiles], str]] = {
    "no-handover": (no_handover, "head"),
    "handover-by-the-new-key": (handover_by_the_new_key, "head"),
    "handover-of-another-past": (handover_of_another_past, "handover"),
    "retired-key-goes-on": (retired_key_goes_on, "head"),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_forged_bundle_is_found(rotated: Rotated, name: str) -> None:
    """I8: whoever has one of the two keys."""
    forge, said = FORGERIES[name]
    assert said in names(rotated.bundle(rotated.old, forge(rotated)))


@pytest.mark.parametrize("content", [b"{}", b"[1]", b'[{"head":"x"}]', b'[{"head":1,"proof":[1]}]'])
def test_handovers_that_are_none_are_no_bundle(rotated: Rotated, content: bytes) -> None:
    """I12: a clear error."""
    members = dict(rotated.bundle(rotated.old).members)
    members["handovers.json"] = content
    manifest = Manifest.model_validate_json(members[MANIFEST])
    told = Member(bytes=len(content), digest=digest_bytes(content))
    changed = {**manifest.files, "handovers.json": told}
    members[MANIFEST] = canonical_json(manifest.model_copy(update={"files": changed}))
    try:
        found = names(read_bundle(pack(members), trust={"log_key": rotated.old.verifier.vkey}))
    except BundleError:
        return
    assert found
