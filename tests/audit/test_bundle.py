"""A case's bundle: the same bytes each time, checked with nothing else, and no lie stands in it."""

import base64
import dataclasses
import io
import json
import re
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet.audit import (
    Bundle,
    BundleError,
    LogFiles,
    read_bundle,
    replay,
    timeline,
    verify_bundle,
    write_bundle,
)
from placet.audit._bundle import MANIFEST, Manifest, Member
from placet.audit._zip import pack, unpack
from placet.ledger import Checkpoint
from placet.model import canonical_json, digest_bytes
from tests.audit.recording import HOSTILE, Recorded, resigned
from tests.harness.logs import only
from tests.harness.parcels import ParcelCheck

Members = dict[str, bytes]


def cases(recorded: Recorded) -> tuple[str, ...]:
    return (
        recorded.dispatched,
        recorded.large,
        recorded.rejected,
        recorded.skipping,
        recorded.held,
        recorded.automatic,
    )


def exported(recorded: Recorded, case: str) -> bytes:
    return write_bundle(only(recorded.files, case), case)


def trusting(recorded: Recorded, data: bytes) -> Bundle:
    trust = {
        "log_key": recorded.files.trusted_log_key,
        "administrators": recorded.files.trusted_administrators,
    }
    return read_bundle(data, trust=trust)


def test_a_bundle_holds_by_itself(recorded: Recorded) -> None:
    """I8: every case, closed or stopped, with nothing but the bundle and the log's key."""
    for case in cases(recorded):
        report = verify_bundle(trusting(recorded, exported(recorded, case)))
        assert report.troubles == ()
        assert report.trusted
        own = [each for each in recorded.files.entries if json.loads(each).get("case") == case]
        assert report.checked["entries"] > len(own)
        alone = verify_bundle(read_bundle(exported(recorded, case)))
        assert alone.holds
        assert not alone.trusted


def test_the_same_case_and_size_give_the_same_bytes(recorded: Recorded) -> None:
    """From the authority's API or a copy of the log, also after the log has grown."""
    assert exported(recorded, recorded.large) == recorded.exported
    longer = dataclasses.replace(
        recorded.files, entries=(*recorded.files.entries, recorded.files.entries[-1])
    )
    assert write_bundle(only(longer, recorded.large), recorded.large) == recorded.exported


def test_nothing_of_another_case_is_in_it(recorded: Recorded) -> None:
    """No id, subject, act or word of any other case."""
    data = exported(recorded, recorded.dispatched)
    entries = [json.loads(each) for each in recorded.files.entries]
    others = {each["case"] for each in entries if "case" in each} - {recorded.dispatched}
    acts = {
        each["data"]["act"]
        for each in entries
        if each["type"] == "case.opened" and each["case"] != recorded.dispatched
    }
    assert len(others) == len(acts) == 5
    for each in (*others, *acts, "depot/D1/parcel/8", "the scale is not level"):
        assert each.encode() not in data


async def test_a_case_replays_from_its_bundle_alone(recorded: Recorded) -> None:
    """I9: the history and the entries in it are enough."""
    for case in (recorded.large, recorded.dispatched, recorded.automatic):
        bundle = trusting(recorded, exported(recorded, case))
        report = await replay(bundle.files, case, [ParcelCheck])
        assert report.troubles == ()
        told = [each.model_copy(update={"index": 0}) for each in timeline(bundle.files, case)]
        whole = [each.model_copy(update={"index": 0}) for each in timeline(recorded.files, case)]
        assert told == whole


# --- what is no bundle ------------------------------------------------------------------------


def rezipped(data: bytes, method: int = zipfile.ZIP_DEFLATED, **more: bytes) -> bytes:
    """The same members, zipped by another program."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        for name, content in more.items():
            new.writestr(name, content)
    return out.getvalue()


def named(name: str) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        members = unzipped(data)
        return pack({**members, name: b"x"})

    return change


def twice(data: bytes) -> bytes:
    members = unzipped(data)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name in (*members, "checkpoint"):
            archive.writestr(name, members[name])
    return out.getvalue()


def bomb(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("history.json", b"0" * 50_000_000)
    return out.getvalue()


def says_it_is_huge(data: bytes) -> bytes:
    """One member's directory entry says four gigabytes."""
    at = data.index(b"PK\x01\x02")
    return data[: at + 20] + b"\xfe\xff\xff\xff" * 2 + data[at + 28 :]


def overlapping(data: bytes) -> bytes:
    """All directory entries point at the first member."""
    at = 0
    while (at := data.find(b"PK\x01\x02", at)) >= 0:
        data = data[: at + 42] + bytes(4) + data[at + 46 :]
        at += 4
    return data


def encrypted(data: bytes) -> bytes:
    at = data.index(b"PK\x01\x02")
    return data[: at + 8] + b"\x01\x00" + data[at + 10 :]


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda data: pack({key: each for key, each in unzipped(data).items() if key != name})


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "no ZIP"),
    "no-zip": (lambda _: b"this is no bundle" * 99, "no ZIP"),
    "truncated": (lambda data: data[:-30], "no ZIP"),
    "cut-in-half": (lambda data: data[: len(data) // 2], "no ZIP"),
    "enlarged": (lambda data: data + b"\0", "zipped anew|no ZIP"),
    "prepended": (lambda data: b"#!/bin/sh\n" + data, "zipped anew|no ZIP"),
    "zipped-anew": (rezipped, "compressed"),
    "zipped-anew-stored": (lambda data: rezipped(data, zipfile.ZIP_STORED), "zipped anew"),
    "bomb": (bomb, "compressed"),
    "huge-member": (says_it_is_huge, "over"),
    "overlapping": (overlapping, "no ZIP"),
    "encrypted": (encrypted, "encrypted"),
    "duplicate-name": (twice, "twice"),
    "parent-folder": (named("../../etc/passwd"), "no name"),
    "absolute": (named("/etc/passwd"), "no name"),
    "drive": (named("C:\\autoexec.bat"), "no name"),
    "hidden": (named(".bashrc"), "no name"),
    "dots-in-the-middle": (named("evidence/../x"), "no name"),
    "control-character": (named("evidence/\x1b[2J"), "no name"),
    "other-script": (named("evidence/\u0430"), "no name"),
    "long-name": (named("e" * 5000), "no name"),
    "many-members": (
        lambda _: pack({str(number): b"" for number in range(20_001)}),
        "more than",
    ),
    "no-manifest": (without(MANIFEST), MANIFEST),
    "missing": (without("history.json"), "history.json is missing"),
    "unlisted": (named("evidence/more"), "evidence/more is not in"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_what_is_no_bundle_is_refused_by_name(recorded: Recorded, name: str) -> None:
    """I12: damaged, enlarged, zipped anew, a bomb, or with a path for a name: one clear error."""
    change, said = BAD[name]
    with pytest.raises(BundleError, match=said) as refused:
        read_bundle(change(recorded.exported))
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("mark", [b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x07", b"PK\x03\x04"])
def test_what_someone_attached_spoils_no_bundle(recorded: Recorded, mark: bytes) -> None:
    """I12: a file that looks like thousands of entries of a ZIP: the case is read all the same."""
    files = only(recorded.files, recorded.large)
    (name,) = files.attachments
    spoilt = dataclasses.replace(files, attachments={name: mark * 30_000})
    report = verify_bundle(trusting(recorded, write_bundle(spoilt, recorded.large)))
    assert {each.name for each in report.troubles} == {"attachment-digest"}


def test_a_directory_that_no_export_wrote_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """I12: however its end says that it is large; each entry of it would cost memory."""
    data = bytearray(pack({"a": b"", "b": b""}))
    data[-10:-6] = (10_000_000).to_bytes(4, "little")

    def read(*_: object) -> None:
        raise AssertionError("the directory is read")

    monkeypatch.setattr(zipfile, "ZipFile", read)
    end = bytes(data[-22:])
    for bad, said in (
        (bytes(data), "more than"),
        (bytes(data[:-22]) + b"PK\x06\x07" + bytes(16) + end, "does not end"),
        (bytes(data[:-2]) + b"\x01\x00x", "does not end"),
        (bytes(data[:-2]) + b"\x01\x00", "does not end"),
    ):
        with pytest.raises(BundleError, match=said):
            unpack(bad)


@pytest.mark.parametrize("limit", ["MAX_BUNDLE_BYTES", "MAX_MEMBERS"])
def test_what_no_bundle_has_room_for_is_not_written(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """I12: a bundle that nobody could read is none; it says so before anything is written."""
    monkeypatch.setattr(f"placet.audit._write_bundle.{limit}", 50)
    with pytest.raises(BundleError, match="would have [0-9]+ (bytes|members); no bundle has over"):
        write_bundle(only(recorded.files, recorded.large), recorded.large)


# --- lies ---------------------------------------------------------------------------------------


def unzipped(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def remade(members: Members) -> bytes:
    """A bundle with a manifest that fits, as whoever changes it would write it."""
    manifest = Manifest.model_validate_json(members[MANIFEST])
    files = {
        name: Member(bytes=len(data), digest=digest_bytes(data))
        for name, data in members.items()
        if name != MANIFEST
    }
    told = canonical_json(manifest.model_copy(update={"files": files}))
    return pack({**members, MANIFEST: told})


def lines(members: Members) -> list[bytes]:
    return members["entries.jsonl"].splitlines()


def put_lines(members: Members, entries: list[bytes]) -> None:
    members["entries.jsonl"] = b"".join(each + b"\n" for each in entries)


def proofs(members: Members, change: Callable[[list[dict[str, object]]], object]) -> None:
    told = json.loads(members["proofs.json"])
    change(told["entries"])
    members["proofs.json"] = canonical_json(told)


def at(members: Members, type_: str) -> int:
    types = [json.loads(each)["type"] for each in lines(members)]
    return types.index(type_)


def change_report(members: Members) -> None:
    members["report.html"] = members["report.html"].replace(b"approve", b"reject")


def change_keys(members: Members) -> None:
    members["keys.json"] = members["keys.json"].replace(b"operator:hal", b"operator:sal")


def change_entry(members: Members) -> None:
    entries = lines(members)
    index = at(members, "grant.issued")
    entries[index] = entries[index].replace(b"agent:scale", b"agent:stale")
    put_lines(members, entries)


def drop_entry(type_: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        entries, index = lines(members), at(members, type_)
        del entries[index]
        put_lines(members, entries)
        proofs(members, lambda told: told.pop(index))

    return change


def drop_suspension_proof(members: Members) -> None:
    proofs(members, lambda told: told[5].update(proof=told[6]["proof"]))


def move_entry(members: Members) -> None:
    def move(told: list[dict[str, object]]) -> None:
        told[5]["index"], told[6]["index"] = told[6]["index"], told[5]["index"]

    proofs(members, move)


def only_file(folder: str, suffix: str) -> Callable[[Members], str]:
    return lambda members: next(
        name for name in sorted(members) if name.startswith(folder) and name.endswith(suffix)
    )


def spoil(find: Callable[[Members], str], old: bytes, new: bytes) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        name = find(members)
        assert old in members[name]
        members[name] = members[name].replace(old, new)

    return change


def spoil_decision(members: Members) -> None:
    name = only_file("decisions/", ".jws")(members)
    head, payload, signature = members[name].decode().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["amount"] = "999.00"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    members[name] = f"{head}.{forged}.{signature}".encode()


def add_unreferenced(members: Members) -> None:
    members["evidence/note.txt"] = b"the chief said yes on the phone"


def drop_member(name: str) -> Callable[[Members], None]:
    return lambda members: members.pop(name) and None


LIES: dict[str, tuple[Callable[[Members], None], str]] = {
    "report-tells-another-story": (change_report, "report"),
    "keys-of-another": (change_keys, "bundle"),
    "entry-changed": (change_entry, "log"),
    "decision-left-out": (drop_entry("decision.recorded"), "outcome"),
    "checkpoint-left-out": (drop_entry("checkpoint.opened"), "unreadable"),
    "opening-left-out": (drop_entry("case.opened"), "grant-without-case"),
    "enrolment-left-out": (drop_entry("key.enrolled"), "act-signature"),
    "proof-of-another": (drop_suspension_proof, "log"),
    "entries-change-places": (move_entry, "bundle"),
    "part-changed": (
        spoil(only_file("evidence/parts/", ".content"), b"500", b"501"),
        "part-digest",
    ),
    "salt-changed": (
        lambda members: members.update({only_file("evidence/parts/", ".salt")(members): b"0" * 32}),
        "part-digest",
    ),
    "file-changed": (
        spoil(only_file("evidence/attachments/", ".content"), b"May", b"June"),
        "attachment-digest",
    ),
    "context-changed": (
        spoil(only_file("evidence/contexts/", ".content"), b'"on_hold":false', b'"on_hold":true'),
        "context-digest",
    ),
    "decision-changed": (spoil_decision, "decision-signature"),
    "act-changed": (spoil(only_file("acts/", ".json"), b"{", b'{"a":1,'), "act-body"),
    "policy-changed": (spoil(only_file("policies/", ".cedar"), b"forbid", b"permit"), "bundle"),
    "process-changed": (spoil(lambda _: "process.json", b"scale", b"stale"), "process-missing"),
    "history-changed": (
        spoil(lambda _: "history.json", b"ParcelCheck", b"ParcelCheat"),
        "event-digest",
    ),
    "history-gone": (drop_member("history.json"), "unreadable"),
    "seal-changed": (
        spoil(lambda _: "archive.json", b'"events":["sha-256:', b'"events":["sha-256:A'),
        "unreadable",
    ),
    "seal-gone": (drop_member("archive.json"), "archive-missing"),
    "more-than-belongs": (add_unreferenced, "bundle"),
    "evidence-changed": (
        spoil(only_file("evidence/checkpoints/", ".evidence.json"), b"500.00", b"999.00"),
        "evidence-digest",
    ),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_a_lie_in_a_bundle_is_found(recorded: Recorded, name: str) -> None:
    """I8, I12: under a manifest that fits, each change has a name."""
    lie, trouble = LIES[name]
    members = unzipped(recorded.exported)
    lie(members)
    try:
        report = verify_bundle(trusting(recorded, remade(members)))
    except BundleError as error:
        assert trouble == "unreadable", error
    else:
        assert trouble in {each.name for each in report.troubles}, report.troubles


def test_another_cases_entry_does_not_belong(recorded: Recorded) -> None:
    """The whole log's entries in one case's bundle, each with its proof: found, one by one."""
    files = only(recorded.files, recorded.large)
    other = only(recorded.files, recorded.dispatched)
    both = sorted(
        {
            **{
                index: (data, proof)
                for (index, data), proof in zip(files.numbered(), files.proofs, strict=True)
            },
            **{
                index: (data, proof)
                for (index, data), proof in zip(other.numbered(), other.proofs, strict=True)
            },
        }.items()
    )
    mixed = dataclasses.replace(
        files,
        entries=tuple(data for _, (data, _) in both),
        indices=tuple(index for index, _ in both),
        proofs=tuple(proof for _, (_, proof) in both),
    )
    report = verify_bundle(trusting(recorded, write_bundle(mixed, recorded.large)))
    assert "foreign-entry" in {each.name for each in report.troubles}


def remade_log(files: LogFiles) -> LogFiles:
    """The lender's own log made anew with other keys: consistent with itself."""
    return resigned(files, list(files.entries))


def test_a_log_made_anew_does_not_hold_under_what_was_kept(recorded: Recorded) -> None:
    """I8: under the key, or a head of this size, that the examiner got elsewhere."""
    files = remade_log(recorded.files)
    data = write_bundle(only(files, recorded.large), recorded.large)
    report = verify_bundle(trusting(recorded, data))
    assert [each.name for each in report.troubles] == ["head"]
    assert not report.trusted


def test_a_kept_head_of_its_size_is_trust_enough(recorded: Recorded) -> None:
    """I8: the same head was seen elsewhere; a forked one is found; another size says nothing."""
    kept = verify_bundle(read_bundle(recorded.exported, trust={"heads": [recorded.files.head]}))
    assert kept.holds
    assert kept.trusted
    size = Checkpoint.parse(recorded.files.head.split("\n\n")[0] + "\n").size
    older = next(
        claims["ledger_head"]
        for name, data in unzipped(recorded.exported).items()
        if name.startswith("decisions/") and "ledger_head" in (claims := payload_of(data.decode()))
    )
    assert not older.split("\n")[1] == str(size)
    said = verify_bundle(read_bundle(recorded.exported, trust={"heads": [older]}))
    assert said.holds
    assert not said.trusted


def payload_of(jws: str) -> dict[str, str]:
    payload = jws.split(".")[1]
    found: dict[str, str] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found


@settings(max_examples=60)
@given(place=st.integers(0, 10_000_000), bit=st.integers(0, 7))
def test_any_changed_byte_of_a_bundle_is_found(recorded: Recorded, place: int, bit: int) -> None:
    """I8, I12: one bit anywhere in the file: an error or a trouble, never a bundle that holds."""
    data = bytearray(recorded.exported)
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(BundleError):
        read_bundle(bytes(data))


@settings(max_examples=60)
@given(which=st.integers(0, 1_000), place=st.integers(0, 10_000_000), put=st.binary(max_size=3))
def test_any_changed_member_under_a_new_manifest_is_found(
    recorded: Recorded, which: int, place: int, put: bytes
) -> None:
    """I8, I12: some bytes of any member replaced: never a crash, never a bundle that holds."""
    members = unzipped(recorded.exported)
    names = sorted(members.keys() - {MANIFEST})
    name = names[which % len(names)]
    old = members[name]
    start = place % max(1, len(old))
    members[name] = old[:start] + put + old[start + 2 :]
    if members[name] == old:
        return
    try:
        report = verify_bundle(trusting(recorded, remade(members)))
    except BundleError:
        return
    assert not report.holds


# --- the report -----------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def page(data: bytes) -> Page:
    parsed = Page()
    parsed.feed(unzipped(data)["report.html"].decode())
    return parsed


def test_the_report_tells_the_whole_story(recorded: Recorded) -> None:
    """Who, when, what was seen, what was decided and why it was allowed, with a picture."""
    shown = page(recorded.exported)
    for moment in timeline(recorded.files, recorded.large):
        assert moment.text in shown.text
        assert moment.actor in shown.text
    for said in (
        "depot/D1/parcel/8",
        "Release of a parcel",
        "1 clerk or chief and 1 chief",
        "500.00, of 500.00 requested",
        "approve by operator:hal",
        "permitted by dispatches",
        "ledger.on_hold false",
        "operator:pat",
    ):
        assert said in shown.text
    assert {"svg", "circle", "rect", "polygon", "path"} <= shown.tags


def test_a_column_of_the_report_has_no_more_than_a_page_has_room_for(recorded: Recorded) -> None:
    """On paper a column of long texts beside others is one letter wide: such a text has a row."""
    for case in cases(recorded):
        text = unzipped(exported(recorded, case))["report.html"].decode()
        for row in re.findall(r"<tr>(.*?)</tr>", text):
            cells = re.findall(r"<td>(.*?)</td>", row)
            assert len(cells) < 3 or max(map(len, cells)) < 200, row
        assert 'colspan="5">on these facts: ' in text


def test_the_report_runs_and_loads_nothing_whoever_wrote_in_it(recorded: Recorded) -> None:
    """I12: markup and escape sequences in an agent's words are shown as text."""
    for case in cases(recorded):
        shown = page(exported(recorded, case))
        assert not shown.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "a"}
        for name, value in shown.attributes:
            assert not name.startswith("on")
            assert name not in {"href", "src", "xlink:href", "action", "style"}
            assert "url(" not in value
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown.text)
    rejected = page(exported(recorded, recorded.rejected))
    assert "[link=http://evil.test]well[/link]" in rejected.text
    assert HOSTILE not in rejected.text


def test_markup_in_evidence_is_shown_as_text(recorded: Recorded) -> None:
    """I12: a part with a script in it; what it says is another matter than what it does."""
    files = only(recorded.files, recorded.large)
    (view,) = files.checkpoints.values()
    digest = view.evidence.items[0].digest
    kept = files.parts[digest]
    evil = '"></pre><script>alert(1)</script><img src=x onerror=alert(1)>'
    content = json.dumps({"name": evil})
    spoiled = {**files.parts, digest: kept.model_copy(update={"content": content})}
    data = write_bundle(dataclasses.replace(files, parts=spoiled), recorded.large)
    shown = page(data)
    assert "<script>alert(1)</script>" in shown.text
    assert not shown.tags & {"script", "img"}
