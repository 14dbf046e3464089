"""I8: a bundle shows that whoever signed something in it had this log in sight, and no other."""

import base64
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from placet.audit import (
    HEADS,
    BundleError,
    LogFiles,
    Report,
    read_bundle,
    verify_bundle,
    write_bundle,
)
from placet.audit._bundle import MANIFEST
from placet.audit._zip import pack
from placet.ledger import Checkpoint, leaf_hash, root_hash, sign_checkpoint, verify_consistency
from placet.model import canonical_json
from tests.audit.recording import Recorded, changed_entry, find, put, resigned
from tests.audit.test_bundle import (
    Members,
    cases,
    exported,
    lines,
    payload_of,
    remade,
    trusting,
    unzipped,
)
from tests.audit.test_odd_bundles import Change, in_json
from tests.harness.logs import only


def heads(members: Members) -> Iterator[Checkpoint]:
    """Every head in what was signed, as who has never seen our reader finds them."""
    words = [data.decode() for name, data in members.items() if name.endswith(".jws")]
    words += [
        entry["data"]["settlement"]
        for entry in map(json.loads, lines(members))
        if entry["type"] == "grant.settled"
    ]
    for word in words:
        note = payload_of(word).get("ledger_head")
        if note is not None:
            yield Checkpoint.parse(note.split("\n\n")[0] + "\n")


def told(members: Members) -> dict[int, tuple[bytes, ...]]:
    """The proofs of ``heads.json``, by its description alone."""
    said = json.loads(members[HEADS])
    hashes = [base64.b64decode(each) for each in said["hashes"]]
    return {each["size"]: tuple(hashes[at] for at in each["proof"]) for each in said["heads"]}


def test_each_head_that_was_seen_is_proven_once(recorded: Recorded) -> None:
    """I8: by proofs of RFC 9162 that anybody checks; no hash is in it twice, and no head too many."""
    for case in cases(recorded):
        members = unzipped(exported(recorded, case))
        seen = {each.size: each for each in heads(members)}
        own = Checkpoint.parse(members["checkpoint"].decode().split("\n\n")[0] + "\n")
        assert seen
        assert told(members).keys() == seen.keys()
        for size, proof in told(members).items():
            verify_consistency(size, own.size, proof, seen[size].root, own.root)
        hashes = json.loads(members[HEADS])["hashes"]
        assert len(hashes) == len(set(hashes))
        report = verify_bundle(trusting(recorded, exported(recorded, case)))
        assert report.checked["heads that were seen"] == len(seen)
        assert report.unchecked == ()


def of_size(recorded: Recorded, size: int) -> LogFiles:
    """The log under a head of its own that is of so many entries."""
    root = root_hash([leaf_hash(each) for each in recorded.files.entries[:size]])
    head = Checkpoint(recorded.files.origin, size, root)
    return dataclasses.replace(recorded.files, head=sign_checkpoint(head, [recorded.signer]))


def test_at_any_size_the_heads_until_then_are_proven(recorded: Recorded) -> None:
    """I8: a bundle of a case that goes on, or of before the log has grown."""
    first = find(recorded.files, "case.opened", recorded.large) + 1
    for size in range(first, len(recorded.files.entries) + 1, 7):
        data = write_bundle(only(of_size(recorded, size), recorded.large), recorded.large)
        report = verify_bundle(trusting(recorded, data))
        assert {each.name for each in report.troubles} <= {"archive-missing"}, size
        sizes = {each.size for each in heads(unzipped(data))}
        assert all(each < size for each in sizes)
        assert report.checked["heads that were seen"] == len(sizes)


# --- another past -------------------------------------------------------------------------------


def something_of_another_case(recorded: Recorded) -> LogFiles:
    """Which no entry in the bundle tells of."""
    return changed_entry(
        recorded.files, find(recorded.files, "grant.denied", recorded.skipping), put(reasons=["I1"])
    )


def a_case_that_never_was(recorded: Recorded) -> LogFiles:
    """All of it is left out of the log, as if nobody had opened it."""
    entries = [
        each for each in recorded.files.entries if json.loads(each).get("case") != recorded.skipping
    ]
    return resigned(recorded.files, entries)


def two_that_changed_places(recorded: Recorded) -> LogFiles:
    entries = list(recorded.files.entries)
    entries[1], entries[2] = entries[2], entries[1]
    return resigned(recorded.files, entries)


PASTS: dict[str, Callable[[Recorded], LogFiles]] = {
    "something-of-another-case": something_of_another_case,
    "a-case-that-never-was": a_case_that_never_was,
    "two-that-changed-places": two_that_changed_places,
}


@pytest.mark.parametrize("name", sorted(PASTS))
def test_a_past_made_anew_is_found_in_one_case_alone(recorded: Recorded, name: str) -> None:
    """I8: by the log's owner, with a head, a key and proofs that fit; and by whom it is found."""
    files = PASTS[name](recorded)
    data = write_bundle(only(files, recorded.large), recorded.large)
    trust = {
        "log_key": files.trusted_log_key,
        "administrators": recorded.files.trusted_administrators,
    }
    report = verify_bundle(read_bundle(data, trust=trust))
    assert {each.name for each in report.troubles} == {"seen-head"}


# --- other proofs -------------------------------------------------------------------------------


def another_hash(said: dict[str, Any]) -> None:
    said["hashes"][0] = base64.b64encode(bytes(32)).decode()


def short_hash(said: dict[str, Any]) -> None:
    said["hashes"][0] = base64.b64encode(bytes(31)).decode()


def left_out(said: dict[str, Any]) -> None:
    del said["heads"][0]


def for_another_size(said: dict[str, Any]) -> None:
    said["heads"][0]["size"] += 1


def of_its_neighbour(said: dict[str, Any]) -> None:
    one, other = said["heads"][:2]
    one["proof"], other["proof"] = other["proof"], one["proof"]


def cut(said: dict[str, Any]) -> None:
    said["heads"][0]["proof"].pop()


def none_at_all(said: dict[str, Any]) -> None:
    said.update(hashes=[], heads=[])


def of_a_head_that_nobody_saw(said: dict[str, Any]) -> None:
    said["heads"].append({"proof": [0], "size": said["heads"][-1]["size"] + 1})


def a_hash_too_many(said: dict[str, Any]) -> None:
    said["hashes"].append(base64.b64encode(bytes(32)).decode())


def told_twice(said: dict[str, Any]) -> None:
    said["heads"].append(said["heads"][-1])


def another_order(said: dict[str, Any]) -> None:
    said["heads"].reverse()


def more_than_is_known(said: dict[str, Any]) -> None:
    said["more"] = 1


LIES: dict[str, tuple[Callable[[dict[str, Any]], object], set[str]]] = {
    "another-hash": (another_hash, {"seen-head"}),
    "short-hash": (short_hash, {"seen-head"}),
    "left-out": (left_out, {"seen-head"}),
    "for-another-size": (for_another_size, {"seen-head", "bundle"}),
    "of-its-neighbour": (of_its_neighbour, {"seen-head"}),
    "cut": (cut, {"seen-head"}),
    "none-at-all": (none_at_all, {"seen-head"}),
    "of-a-head-that-nobody-saw": (of_a_head_that_nobody_saw, {"bundle"}),
    "a-hash-too-many": (a_hash_too_many, {"bundle"}),
    "told-twice": (told_twice, {"bundle"}),
    "another-order": (another_order, {"bundle"}),
    "more-than-is-known": (more_than_is_known, {"bundle"}),
}


def changed(recorded: Recorded, change: Change) -> Report:
    members = unzipped(recorded.exported)
    change(members)
    return verify_bundle(trusting(recorded, remade(members)))


@pytest.mark.parametrize("name", sorted(LIES))
def test_another_proof_is_found(recorded: Recorded, name: str) -> None:
    """I8, I12: under a manifest that fits; none proves another past, and none has two spellings."""
    lie, troubles = LIES[name]
    report = changed(recorded, in_json(HEADS, lie))
    assert troubles <= {each.name for each in report.troubles} <= {"seen-head", "bundle"}
    assert all(HEADS in f"{each.place} {each.found}" for each in report.troubles)


def test_proofs_to_another_head_are_found(recorded: Recorded) -> None:
    """I8: those of the same case in the bundle of another size."""
    size = len(recorded.files.entries) - 1
    other = unzipped(write_bundle(only(of_size(recorded, size), recorded.large), recorded.large))
    report = changed(recorded, lambda members: members.update({HEADS: other[HEADS]}))
    assert {each.name for each in report.troubles} == {"seen-head"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"hashes":[],"heads":[{"proof":[0],"size":9}]}',
        b'{"hashes":["AAA"],"heads":[]}',
        b'{"hashes":[7],"heads":[]}',
        b'{"hashes":[],"heads":[{"proof":[],"size":[9]}]}',
        b'{"hashes":[],"heads":[{"proof":[-1],"size":9}]}',
        b'{"hashes":[],"heads":[{"proof":7,"size":9}]}',
        b'{"hashes":[],"heads":[9]}',
        b'{"hashes":[],"heads":[{"proof":[],"size":9},{"proof":[],"size":"9"}]}',
    ],
)
def test_proofs_that_are_none_are_told(recorded: Recorded, content: bytes) -> None:
    """I12: in words that name the file."""
    try:
        report = changed(recorded, lambda members: members.update({HEADS: content}))
    except BundleError as error:
        assert str(error).startswith(f"{HEADS}: ")
    else:
        assert not report.holds
        assert not any(each.is_fault for each in report.troubles)


def test_a_kept_head_of_a_size_that_was_seen_is_held_against_the_bundle(
    recorded: Recorded,
) -> None:
    """I8: who has kept another one of that size has the proof of a fork in hand."""
    size = max(told(unzipped(recorded.exported)))
    fork = something_of_another_case(recorded)
    root = root_hash([leaf_hash(each) for each in fork.entries[:size]])
    other = sign_checkpoint(Checkpoint(fork.origin, size, root), [recorded.signer])
    for kept, names in ((of_size(recorded, size).head, set[str]()), (other, {"fork"})):
        report = verify_bundle(read_bundle(recorded.exported, trust={"heads": [kept]}))
        assert {each.name for each in report.troubles} == names
        assert report.checked["kept heads of another size"] == 1
    before = read_bundle(of_before(recorded, recorded.large), trust={"heads": [other]})
    report = verify_bundle(before)
    assert report.holds
    assert report.checked["kept heads of another size, which prove nothing here"] == 1


# --- of before ----------------------------------------------------------------------------------


def of_before(recorded: Recorded, case: str) -> bytes:
    """A bundle as it was written before there was ``heads.json``."""
    return write_bundle(dataclasses.replace(only(recorded.files, case), past=None), case)


def test_a_bundle_of_before_holds_and_says_what_it_does_not_show(recorded: Recorded) -> None:
    """I8: it is read as it was, and its heads are not passed over in silence."""
    for case in cases(recorded):
        data = of_before(recorded, case)
        members = unzipped(data)
        assert HEADS not in members
        assert json.loads(members[MANIFEST])["v"] == 1
        report = verify_bundle(trusting(recorded, data))
        assert report.troubles == ()
        assert report.trusted
        (said,) = report.unchecked
        assert said.name == HEADS
        assert said.found.startswith(f"{len({each.size for each in heads(members)})} head")
        assert "heads that were seen" not in report.checked


def test_a_bundle_is_not_of_before_by_saying_so(recorded: Recorded) -> None:
    """I8: a file that is gone is missing, one that is of another version is too many."""
    with pytest.raises(BundleError, match=HEADS):
        changed(recorded, lambda members: members.pop(HEADS))
    report = changed(recorded, in_json(MANIFEST, lambda said: said.update(v=1)))
    assert [(each.name, each.place) for each in report.troubles] == [("bundle", HEADS)]
    members = unzipped(of_before(recorded, recorded.large))
    in_json(MANIFEST, lambda said: said.update(v=2))(members)
    with pytest.raises(BundleError, match=HEADS):
        read_bundle(remade(members))
    in_json(MANIFEST, lambda said: said.update(v=3, more=1))(members)
    with pytest.raises(BundleError, match="of form 3, and this Placet reads those up to 2"):
        read_bundle(pack(members))


def test_what_was_signed_with_no_head_in_sight_needs_no_proof(recorded: Recorded) -> None:
    """Nothing is said of heads where there are none, whichever version wrote it."""
    files = only(recorded.files, recorded.large)
    none = dataclasses.replace(files, acts={}, checkpoints={})
    entries = tuple(
        canonical_json(
            {**entry, "data": {k: v for k, v in entry["data"].items() if k != "settlement"}}
        )
        for entry in map(json.loads, files.entries)
    )
    for past in ({}, None):
        bare = dataclasses.replace(none, entries=entries, past=past)
        report = verify_bundle(trusting(recorded, write_bundle(bare, recorded.large)))
        assert report.unchecked == ()
        assert "seen-head" not in {each.name for each in report.troubles}
