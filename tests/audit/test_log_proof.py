"""I8: one entry's proof, by what an examiner brought and nothing else."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.audit import LogFiles, Report, log_proof, read_bundle, verify_log_proof
from placet.ledger import Checkpoint, LedgerError, LogProof, NoteSigner, sign_checkpoint
from tests.audit.recording import Recorded
from tests.audit.test_witnesses import NAME, Seen, line, placet, seen
from tests.cli.conftest import Placet
from tests.ledger.mirror import Mirror, proven

__all__ = ["placet", "seen"]


@pytest.fixture
def bundled(recorded: Recorded) -> LogFiles:
    return read_bundle(recorded.exported).files


@pytest.fixture
def trust(recorded: Recorded) -> dict[str, Any]:
    return {"log_key": recorded.files.trusted_log_key}


def names(report: Report) -> list[str]:
    return [each.name for each in report.troubles]


def test_each_entry_of_a_bundle_is_proven_to_a_stranger(
    recorded: Recorded, bundled: LogFiles, trust: dict[str, Any]
) -> None:
    """To our own audit, and to a reader that was written from C2SP's documents alone."""
    stranger = Mirror(str(recorded.files.trusted_log_key), bundled.origin)
    for index, data in bundled.numbered():
        text = log_proof(bundled, index).text
        assert proven(text.encode(), stranger) == (index, data)
        report, entry = verify_log_proof(text, trust)
        assert (report.troubles, report.unchecked, report.trusted) == ((), (), True)
        assert report.checked == {"entries": 1, "signed heads": 1}
        assert entry is not None
        assert entry.type.value == json.loads(data)["type"]


def test_an_entry_that_a_bundle_has_not_is_not_proven(bundled: LogFiles) -> None:
    with pytest.raises(LedgerError, match=r"has no entry 999999: it has \d+, from 0 to \d+"):
        log_proof(bundled, 999_999)


def test_without_the_logs_key_a_proof_is_consistent_with_itself_only(bundled: LogFiles) -> None:
    text = log_proof(bundled, 0).text
    for trust in (None, {}, {"administrators": ("x",)}):
        report, _ = verify_log_proof(text, trust)
        assert report.holds
        assert not report.trusted
        assert [each.name for each in report.unchecked] == ["signature"]


def test_a_head_of_another_key_does_not_hold(recorded: Recorded, bundled: LogFiles) -> None:
    other = NoteSigner(bundled.origin, Ed25519PrivateKey.from_private_bytes(b"f" * 32))
    made = log_proof(bundled, 0)
    forged = dataclasses.replace(made, note=sign_checkpoint(made.head(), [other]))
    report, entry = verify_log_proof(forged.text, {"log_key": recorded.files.trusted_log_key})
    assert (names(report), report.trusted, entry) == (["head"], False, None)
    report, entry = verify_log_proof(made.text, {"log_key": other.verifier.vkey})
    assert (names(report), report.trusted, entry) == (["head"], False, None)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda made: dataclasses.replace(made, extra=made.extra.replace(b"operator", b"operatos")), "proof"),
        (lambda made: dataclasses.replace(made, index=made.index + 1), "proof"),
        (lambda made: dataclasses.replace(made, path=made.path[1:]), "proof"),
        (lambda made: dataclasses.replace(made, note="no head\n\n"), "proof"),
    ],
    ids=["entry", "index", "path", "head"],
)  # fmt: skip
def test_what_was_changed_does_not_hold(
    bundled: LogFiles, trust: dict[str, Any], change: Callable[[LogProof], LogProof], name: str
) -> None:
    index = next(at for at, data in bundled.numbered() if b"operator" in data)
    report, entry = verify_log_proof(change(log_proof(bundled, index)).text, trust)
    assert name in names(report)
    assert entry is None


def test_a_proof_without_its_entry_is_not_judged(bundled: LogFiles, trust: dict[str, Any]) -> None:
    """The format lets it be left out; nothing is said to be wrong then, nor to hold."""
    made = dataclasses.replace(log_proof(bundled, 0), extra=None)
    report, entry = verify_log_proof(made.text, trust)
    assert (report.troubles, entry) == ((), None)
    assert [each.name for each in report.unchecked] == ["entry"]


def test_a_head_that_was_kept_vouches_or_speaks_against_it(
    recorded: Recorded, bundled: LogFiles
) -> None:
    """Of the very size; of another it proves nothing. It is as good as the log's key."""
    made = log_proof(bundled, 0)
    head = made.head()
    report, _ = verify_log_proof(made.text, {"heads": (bundled.head,)})
    assert (report.troubles, report.unchecked, report.trusted) == ((), (), True)
    report, _ = verify_log_proof(made.text, {"heads": recorded.files.own_heads[:1]})
    assert (report.troubles, report.trusted) == ((), False)
    assert report.checked["kept heads of another log or size, which prove nothing here"] == 1
    other = sign_checkpoint(Checkpoint(head.origin, head.size, b"x" * 32), [recorded.signer])
    report, _ = verify_log_proof(made.text, {"heads": (other,)})
    assert (names(report), report.trusted) == (["fork"], False)
    report, _ = verify_log_proof(made.text, {"heads": ("nothing",)})
    assert names(report) == ["head"]


def test_witnesses_who_are_trusted_vouch_for_its_head(seen: Seen) -> None:
    trust = {"log_key": seen.files.trusted_log_key, "witnesses": (seen.vkey,)}
    size = Checkpoint.parse(seen.now.split("\n\n")[0] + "\n").size
    whole = LogProof(0, (), seen.now)
    assert whole.head().size == size
    report, _ = verify_log_proof(whole.text, trust)
    assert report.checked[f"cosignatures of {NAME}"] == 1
    report, _ = verify_log_proof(LogProof(0, (), seen.files.head).text, trust)
    assert [each.name for each in report.unchecked] == ["witnesses", "entry"]
    report, _ = verify_log_proof(LogProof(0, (), seen.files.head + line(seen.before)).text, trust)
    assert "cosignature" in names(report)


def test_a_proof_is_taken_from_a_bundle_and_verified_offline(
    recorded: Recorded, bundled: LogFiles, placet: Placet, tmp_path: Path
) -> None:
    """As a person does it, who hands on one decision; what it says is shown where it holds."""
    (tmp_path / "case.zip").write_bytes(recorded.exported)
    told = {"log_key": recorded.files.trusted_log_key}
    (tmp_path / "trust.json").write_text(json.dumps(told))
    index = next(at for at, data in bundled.numbered() if b'"decision.recorded"' in data)
    made = placet("audit", "prove", str(index), "--bundle", "case.zip", "--json")
    assert (made.code, made.err) == (0, "")
    file = f"entry-{index}.tlog-proof"
    assert json.loads(made.out)["file"] == file
    assert json.loads(made.out)["size"] == log_proof(bundled, index).head().size
    assert placet("audit", "prove", str(index), "--bundle", "case.zip").code == 0  # twice is once
    held = placet("audit", "verify", file, "--trust", "trust.json")
    assert held.code == 0
    assert "everything that was checked holds" in held.out
    assert '"type": "decision.recorded"' in held.out
    report = json.loads(placet("audit", "verify", file, "--trust", "trust.json", "--json").out)
    assert report["troubles"] == []
    assert report["entry"]["type"] == "decision.recorded"
    alone = placet("audit", "verify", file)
    assert alone.code == 3
    assert "not checked: signature" in alone.out
    changed = bytearray((tmp_path / file).read_bytes())
    changed[40] ^= 1
    (tmp_path / file).write_bytes(changed)
    wrong = placet("audit", "verify", file, "--trust", "trust.json")
    assert wrong.code == 1
    assert "DOES NOT HOLD" in wrong.out
    assert "decision.recorded" not in wrong.out
    over = placet("audit", "prove", str(index), "--bundle", "case.zip")
    assert over.code == 2
    assert "is there already, and is another" in over.err
    changed[41] = 0xFF
    (tmp_path / file).write_bytes(changed)
    assert placet("audit", "verify", file).code == 1


def test_what_can_not_be_proven_is_told_in_one_line(
    recorded: Recorded, placet: Placet, tmp_path: Path
) -> None:
    (tmp_path / "case.zip").write_bytes(recorded.exported)
    for arguments, said in (
        (("999999", "--bundle", "case.zip"), "the bundle has no entry 999999"),
        (("0", "--bundle", "case.zip", "--size", "5"), "a bundle has one head"),
        (("0", "--bundle", "none.zip"), "none.zip: there is no such file"),
        (("-1", "--bundle", "case.zip"), "-1"),
    ):
        ended = placet("audit", "prove", *arguments)
        assert (ended.code, ended.out) == (2, ""), ended
        assert said in ended.err
    assert [each.name for each in tmp_path.iterdir()] == ["case.zip"]
