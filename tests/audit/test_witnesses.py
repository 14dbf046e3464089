"""I8: what witnesses whom the auditor trusts have cosigned, and what none of them has."""

import base64
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.audit import (
    LogFiles,
    Report,
    population,
    read_bundle,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.ledger import Checkpoint, WitnessSigner, leaf_hash, split_note
from placet.tokens import read_key_file
from tests.audit.recording import Recorded
from tests.audit.test_imports import audit_alone
from tests.cli.conftest import Placet, placet
from tests.harness.logs import only
from tests.ledger.test_witness import NAME, publish

__all__ = ["placet"]

_OTHER = WitnessSigner(NAME, Ed25519PrivateKey.from_private_bytes(b"o" * 32))


@dataclass(frozen=True)
class Seen:
    """A recorded log, and what the witness command made of it: its head of before, and of now."""

    files: LogFiles
    key: Path
    vkey: str
    before: str
    now: str

    def trusting(self, *heads: str, witnesses: tuple[str, ...] = ()) -> LogFiles:
        """The log, as who trusts this witness, or others, and brings heads."""
        told = {"trusted_witnesses": witnesses or (self.vkey,), "kept_heads": heads}
        return dataclasses.replace(self.files, **told)  # type: ignore[arg-type]  # of two members


@pytest.fixture
def seen(recorded: Recorded, placet: Placet, tmp_path: Path) -> Seen:
    """The witness follows the real log from a head of its past to the newest."""
    made = placet("audit", "witness-key", "witness.pem", "--name", NAME)
    leaves = [leaf_hash(each) for each in recorded.files.entries]
    past = recorded.files.own_heads[len(recorded.files.own_heads) // 2]
    heads: list[str] = []
    for note in (past, recorded.files.head):
        size = Checkpoint.parse(split_note(note)[0]).size
        publish(tmp_path / "log", leaves[:size], note)
        asked = {
            "log-key": str(recorded.files.trusted_log_key),
            "key": "witness.pem",
            "name": NAME,
            "keep": "last-head",
        }
        options = [each for name, value in asked.items() for each in (f"--{name}", value)]
        ended = placet("audit", "witness", "log", *options, *(() if heads else ("--new",)))
        assert ended.code == 0, ended
        heads.append(Path("last-head").read_text("utf-8"))
    return Seen(recorded.files, tmp_path / "witness.pem", made.out.strip(), *heads)


def line(note: str) -> str:
    """The last signature line: the witness's."""
    return note.splitlines(keepends=True)[-1]


def unchecked(report: Report) -> list[str]:
    assert report.troubles == ()
    return [each.name for each in report.unchecked]


def signer(seen: Seen) -> WitnessSigner:
    key = read_key_file(seen.key).crypto
    assert isinstance(key, Ed25519PrivateKey)
    return WitnessSigner(NAME, key)


def test_a_head_that_a_trusted_witness_cosigned_is_vouched_for(seen: Seen) -> None:
    """On the log's own head, or on the same one that the witness keeps; with those of before."""
    cosigned = dataclasses.replace(seen.trusting(), head=seen.now)
    for files, count in (
        (cosigned, 1),
        (seen.trusting(seen.now), 1),
        (seen.trusting(seen.before, seen.now), 2),
    ):
        for report in (verify(files), population(files).report):
            assert unchecked(report) == []
            assert report.trusted
            assert report.checked[f"cosignatures of {NAME}"] == count


def test_without_witnesses_no_cosignature_is_read(seen: Seen) -> None:
    """As before: whoever cosigned, and however wrongly, is nobody to an auditor who trusts none."""
    forged = seen.files.head + line(seen.before)
    for head in (seen.files.head, seen.now, forged):
        report = verify(dataclasses.replace(seen.files, head=head))
        assert unchecked(report) == []
        assert not [each for each in report.checked if "cosignature" in each]


def test_a_newest_head_that_no_trusted_witness_saw_is_not_passed_over(seen: Seen) -> None:
    """None, of a head of before alone, another witness's, or the same name under another key."""
    text = split_note(seen.files.head)[0]
    under_another_key = seen.files.head + _OTHER.line(text, datetime.now(UTC))
    stranger = WitnessSigner("other.example/w2", _OTHER.key)
    for files, said in (
        (seen.trusting(), "no witness that you trust has cosigned"),
        (seen.trusting(seen.before), "the newest that one of them has, of what is here, is of"),
        (seen.trusting(seen.now, witnesses=(stranger.verifier.vkey,)), "no witness"),
        (seen.trusting(seen.now, witnesses=(_OTHER.verifier.vkey,)), "no witness"),
        (dataclasses.replace(seen.trusting(), head=under_another_key), "no witness"),
    ):
        for report in (verify(files), population(files).report):
            assert unchecked(report) == ["witnesses"]
            assert said in report.unchecked[0].found


_FORGERIES: dict[str, Callable[[Seen], str]] = {
    "of-another-head": lambda seen: line(seen.before),
    "of-another-time": lambda seen: _changed(seen, 4),
    "one-bit": lambda seen: _changed(seen, -1),
    "cut": lambda seen: _spelled(_data(seen)[:-1]),
    "as-the-log-signs": lambda seen: _spelled(
        _data(seen)[:4] + signer(seen).key.sign(split_note(seen.now)[0].encode())
    ),
    "beside-a-right-one": lambda seen: line(seen.now) + line(seen.before),
}


def _data(seen: Seen) -> bytes:
    return split_note(seen.now)[1][-1][1]


def _spelled(data: bytes) -> str:
    return f"\u2014 {NAME} {base64.b64encode(data).decode()}\n"


def _changed(seen: Seen, at: int) -> str:
    data = bytearray(_data(seen))
    data[at] ^= 1
    return _spelled(bytes(data))


@pytest.mark.parametrize("name", sorted(_FORGERIES))
def test_a_wrong_cosignature_of_a_trusted_witness_is_found(seen: Seen, name: str) -> None:
    """By its name and place, in the log's own head and in one that was kept."""
    forged = seen.files.head + _FORGERIES[name](seen)
    own = verify(dataclasses.replace(seen.trusting(), head=forged))
    kept = verify(seen.trusting(forged))
    for report, place in ((own, "the signed head"), (kept, "a head kept from before")):
        assert [(each.name, each.place) for each in report.troubles] == [("cosignature", place)]


def test_one_witness_speaks_for_itself_alone(seen: Seen) -> None:
    """Another's wrong one is told beside it, and takes nothing of the right one."""
    other = WitnessSigner("other.example/w2", _OTHER.key)
    wrong = other.line(split_note(seen.before)[0], datetime.now(UTC))
    files = seen.trusting(seen.now + wrong, witnesses=(seen.vkey, other.verifier.vkey))
    report = verify(files)
    assert [each.name for each in report.troubles] == ["cosignature"]
    assert "other.example/w2" in report.troubles[0].found
    assert report.unchecked == ()


def test_a_witness_says_not_whose_log_it_is(seen: Seen) -> None:
    """It follows whatever logs it was told of: that takes the log's key, or a head that was kept."""
    alone = dataclasses.replace(seen.trusting(), head=seen.now, trusted_log_key=None)
    report = verify(alone)
    assert unchecked(report) == []
    assert not report.trusted


def test_a_bundles_head_may_be_cosigned(recorded: Recorded, seen: Seen) -> None:
    """In the bundle itself, or beside it in what the examiner kept of the same size."""
    plain = recorded.exported
    files = only(dataclasses.replace(recorded.files, head=seen.now), recorded.large)
    cosigned = write_bundle(files, recorded.large)
    forged = write_bundle(
        dataclasses.replace(files, head=recorded.files.head + line(seen.before)), recorded.large
    )
    trust = {"log_key": recorded.files.trusted_log_key, "witnesses": [seen.vkey]}
    for data, more, said in (
        (cosigned, {}, []),
        (plain, {"heads": [seen.now]}, []),
        (plain, {}, ["witnesses"]),
        (plain, {"heads": [seen.before]}, ["witnesses"]),
    ):
        report = verify_bundle(read_bundle(data, trust={**trust, **more}))
        assert unchecked(report) == said
    found = verify_bundle(read_bundle(forged, trust=trust))
    assert [each.name for each in found.troubles] == ["cosignature"]
    assert unchecked(verify_bundle(read_bundle(forged))) == []


def test_the_command_takes_witnesses_where_only_the_audit_is_installed(
    recorded: Recorded, seen: Seen, tmp_path: Path
) -> None:
    """I9: exit 0 where one has cosigned, 3 where none has, 1 where it is forged, 2 for no key."""
    (tmp_path / "case.zip").write_bytes(recorded.exported)
    told = {"log_key": recorded.files.trusted_log_key, "witnesses": [seen.vkey]}
    forged = recorded.files.head + line(seen.before)
    asked = {
        "cosigned": {**told, "heads": [seen.now]},
        "unseen": told,
        "forged": {**told, "heads": [forged]},
        "no-key": {**told, "witnesses": ["witness.example/w1"]},
        "the-logs-key": {**told, "witnesses": [recorded.files.trusted_log_key]},
    }
    for name, trust in asked.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(trust))
    ended = audit_alone(
        *(
            (
                "audit",
                "verify",
                str(tmp_path / "case.zip"),
                "--trust",
                str(tmp_path / f"{name}.json"),
            )
            for name in asked
        )
    )
    assert [each.code for each in ended] == [0, 3, 1, 2, 2], ended
    assert f"checked cosignatures of {NAME}: 1" in ended[0].out
    assert "not checked: witnesses: no witness that you trust" in ended[1].out
    assert "DOES NOT HOLD cosignature at a head kept from before" in ended[2].out
    assert "no-key.json: witnesses" in ended[3].err
    assert "the-logs-key.json: witnesses" in ended[4].err
