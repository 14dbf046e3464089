"""Bundles that a stranger made by hand: each ends in words that name the place, and none holds."""

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import JsonValue

from placet.audit import BundleError, read_bundle, verify, verify_bundle, write_bundle
from placet.audit._bundle import MANIFEST
from placet.audit._html import REPORT_VERSION
from placet.audit._zip import pack
from placet.model import canonical_json
from tests.audit.recording import Recorded, changed_entry, find
from tests.audit.test_bundle import (
    Members,
    lines,
    only_file,
    put_lines,
    remade,
    spoil,
    trusting,
    unzipped,
)
from tests.harness.logs import only

Change = Callable[[Members], object]
HUGE = 10**30
"""Beyond what JSON's canonical form can tell."""


def put(name: str | Callable[[Members], str], content: bytes) -> Change:
    """Another content in the place of a member's, or one more member."""
    return lambda members: members.update(
        {name if isinstance(name, str) else name(members): content}
    )


def in_json(name: str | Callable[[Members], str], change: Callable[[Any], object]) -> Change:
    """A change of what a member says in JSON."""

    def changed(members: Members) -> None:
        path = name if isinstance(name, str) else name(members)
        told = json.loads(members[path])
        change(told)
        members[path] = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    return changed


def in_entry(of: str, **more: JsonValue) -> Change:
    """Other members of the first entry of a type."""

    def changed(members: Members) -> None:
        entries = lines(members)
        index = next(n for n, each in enumerate(entries) if json.loads(each)["type"] == of)
        entries[index] = canonical_json({**json.loads(entries[index]), **more})
        put_lines(members, entries)

    return changed


def in_data(of: str, **more: JsonValue) -> Change:
    """Other data of the first entry of a type."""

    def changed(members: Members) -> None:
        entries = lines(members)
        index = next(n for n, each in enumerate(entries) if json.loads(each)["type"] == of)
        entry = json.loads(entries[index])
        entries[index] = canonical_json({**entry, "data": {**entry["data"], **more}})
        put_lines(members, entries)

    return changed


EVIDENCE = only_file("evidence/checkpoints/", ".evidence.json")
REQUIREMENT = only_file("evidence/checkpoints/", ".requirement.json")
DECISION = only_file("decisions/", ".jws")
UNREADABLE: Mapping[str, tuple[Change, str]] = {
    "proofs-are-a-list": (put("proofs.json", b"[]"), "proofs.json: it has not the form"),
    "proofs-are-nothing": (put("proofs.json", b"null"), "proofs.json: it has not the form"),
    "proofs-are-short-words": (
        in_json("proofs.json", lambda told: told["entries"][3].update(proof="AAAA")),
        "proofs.json: ",
    ),
    "handovers-are-nothing": (put("handovers.json", b"null"), "handovers.json: it has not"),
    "handovers-are-deep": (put("handovers.json", b"[" * 100_000), "handovers.json: nested"),
    "process-is-deep": (put("process.json", b"[" * 100_000), "process.json: Invalid JSON"),
    "entries-begin-with-a-mark": (
        lambda members: put("entries.jsonl", b"\xef\xbb\xbf" + members["entries.jsonl"])(members),
        "entries.jsonl: ",
    ),
    "entries-are-line-breaks": (put("entries.jsonl", b"\r\n" * 1000), "entries.jsonl has lines"),
    "number-of-a-thousand-digits": (
        spoil(lambda _: "entries.jsonl", b'"v":1}\n', b'"v":' + b"9" * 5_000 + b"}\n"),
        "entries.jsonl: ",
    ),
    "deadline-after-all-time": (
        in_data("checkpoint.opened", deadline=2**53 - 1),
        "evidence/checkpoints/ckpt-.*: ",
    ),
    "deadline-is-a-word": (
        in_data("checkpoint.opened", deadline="tomorrow"),
        "evidence/checkpoints/ckpt-.*: it has not the form",
    ),
    "opened-on-no-day": (
        in_entry("checkpoint.opened", time="2026-02-30T00:00:00Z"),
        "evidence/checkpoints/ckpt-.*: ",
    ),
    "evidence-is-nothing": (put(EVIDENCE, b"null"), "evidence/checkpoints/ckpt-.*: Input should"),
    "evidence-of-a-checkpoint-that-never-was": (
        lambda members: put("evidence/checkpoints/x.evidence.json", members[EVIDENCE(members)])(
            members
        ),
        "evidence/checkpoints/x.evidence.json: no entry opens it",
    ),
    "decision-in-another-script": (put(DECISION, "é.é.é".encode()), "decisions/.*: it is not the"),
    "decision-of-no-algorithm": (put(DECISION, b"e30.e30."), "decisions/.*: jws: "),
    "part-is-no-text": (
        put(only_file("evidence/parts/", ".content"), b"\xff\xfe"),
        "evidence/parts/.*content: it is not the text",
    ),
    "salt-of-the-seal-is-short": (
        in_json("archive.json", lambda told: told.update(salt="AA")),
        "archive.json: salt: ",
    ),
}
OF_A_LIBRARY = re.compile(r"object is not|must be integers or|codec can't|set_int_max|Error\(|: : ")


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_what_can_not_be_read_is_said_of_its_member(recorded: Recorded, name: str) -> None:
    """I12: an auditor is told which file it is, and not what the reader's language calls it."""
    change, said = UNREADABLE[name]
    members = unzipped(recorded.exported)
    change(members)
    with pytest.raises(BundleError, match=said) as refused:
        read_bundle(remade(members))
    if name != "number-of-a-thousand-digits":  # whose words are the language's own
        assert OF_A_LIBRARY.search(str(refused.value)) is None


@pytest.mark.parametrize("member", ["size", "report"])
@pytest.mark.parametrize("value", [HUGE, 0, -1, True, 1.5, "1", None])
def test_a_manifest_counts_as_json_can(recorded: Recorded, member: str, value: object) -> None:
    """I12: a number without a canonical form was no error of the bundle's, but of the verifier."""
    members = unzipped(recorded.exported)
    told = {**json.loads(members[MANIFEST]), member: value}
    members[MANIFEST] = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(BundleError, match=MANIFEST):
        read_bundle(pack(members))


def extra(name: str, *suffixes: str) -> Change:
    """Files that stand where those of a bundle stand, and that no entry refers to."""
    return lambda members: members.update({f"{name}{each}": b"{}" for each in suffixes})


def with_salt(name: str) -> Change:
    return lambda members: members.update({f"{name}.salt": b"0" * 32, f"{name}.content": b"{}"})


def of_another_version(version: int, content: bytes | None) -> Change:
    def changed(members: Members) -> None:
        in_json(MANIFEST, lambda told: told.update(report=version))(members)
        members["report.html"] = content or b""
        if content is None:
            del members["report.html"]

    return changed


NOBODYS = f"sha-256-{'A' * 43}"
LIES: Mapping[str, tuple[Change, str]] = {
    "act-that-no-entry-names": (extra("acts/zzzzzzzzzzzzzzzz", ".jws", ".json"), "bundle"),
    "policy-that-no-entry-names": (
        extra(f"policies/{NOBODYS}", ".cedar", ".cedarschema"),
        "bundle",
    ),
    "matrix-that-no-entry-names": (extra(f"policies/{NOBODYS}", ".matrix.json"), "bundle"),
    "part-that-no-entry-names": (with_salt(f"evidence/parts/{NOBODYS}"), "bundle"),
    "context-that-no-entry-names": (with_salt(f"evidence/contexts/{NOBODYS}"), "bundle"),
    "file-that-nobody-attached": (extra("evidence/attachments/zzzzzzzzzzzz", ".content"), "bundle"),
    "decision-that-nobody-recorded": (extra("decisions/zzzzzzzzzzzzzzzz", ".jws"), "bundle"),
    "bundle-in-a-bundle": (
        lambda members: put("evidence/attachments/case.zip", pack(members))(members),
        "bundle",
    ),
    "requirement-beyond-numbers": (
        in_json(REQUIREMENT, lambda told: told.update(matrix_version=HUGE)),
        "entry-unreadable",
    ),
    "entry-of-no-type": (in_entry("grant.issued", type=[]), "log"),
    "entry-of-a-strange-type": (in_entry("grant.issued", type={"a": 1}), "log"),
    "policy-of-no-digest": (in_data("policy.published", policy_digest=[]), "log"),
    "report-of-another-version-gone": (of_another_version(1, None), "report"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_what_a_stranger_put_in_is_found(recorded: Recorded, name: str) -> None:
    """I8, I12: a bundle is what its entries refer to, and nothing that nobody signed."""
    change, trouble = LIES[name]
    members = unzipped(recorded.exported)
    change(members)
    report = verify_bundle(trusting(recorded, remade(members)))
    assert trouble in {each.name for each in report.troubles}, report.troubles


@pytest.mark.parametrize("version", [1, REPORT_VERSION - 1, REPORT_VERSION + 1])
def test_a_report_of_another_version_is_said_to_be_compared_with_nothing(
    recorded: Recorded, version: int
) -> None:
    """I8: whoever writes another page under another number is not believed by silence."""
    members = unzipped(recorded.exported)
    of_another_version(version, b"<h1>approved by everybody</h1>")(members)
    report = verify_bundle(trusting(recorded, remade(members)))
    assert report.holds
    (said,) = report.unchecked
    assert said.name == "report.html"
    assert f"of version {version}, " in said.found
    assert verify_bundle(trusting(recorded, recorded.exported)).unchecked == ()


def test_a_log_that_its_owner_made_unreadable_is_a_finding(recorded: Recorded) -> None:
    """I8, I12: what one entry says stops nobody from judging the others."""
    index = find(recorded.files, "checkpoint.opened")
    spoilt = changed_entry(
        recorded.files, index, lambda entry: entry["data"].update(deadline=2**53 - 1)
    )
    report = verify(spoilt)
    assert not report.holds
    assert report.checked["entries"] == len(recorded.files.entries)


def test_a_log_that_has_no_bundle_says_so(recorded: Recorded) -> None:
    """I12: a number without a canonical form is an error of the export's own, in words."""
    files, case = recorded.files, recorded.large
    index = find(files, "key.published")
    entries = list(files.entries)
    entries[index] = entries[index].replace(b'"jwk":{', b'"jwk":{"a":%d,' % HUGE, 1)
    odd = only(dataclasses.replace(files, entries=tuple(entries)), case)
    with pytest.raises(BundleError, match="can't be written: "):
        write_bundle(odd, case)
