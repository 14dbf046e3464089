"""I8: a witness that knows a log's old key is led to the new one, by what the old one has signed."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from placet.ledger import (
    Checkpoint,
    Entry,
    EntryType,
    NoteSigner,
    bundle_of,
    encode_entry,
    leaf_hash,
    open_cosigned,
    sign_checkpoint,
)
from tests.cli.conftest import Placet
from tests.ledger.mirror import mth
from tests.ledger.test_witness import NAME, Witness, publish

ORIGIN = "log.example/ledger"
OLD, NEW, NEWEST = (
    NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(each * 32))
    for each in (b"1", b"2", b"3")
)
NAMED, NAMED_AGAIN = 280, 500
TIME = datetime(2026, 11, 28, tzinfo=UTC)


def entry(number: int, **data: str) -> bytes:
    """An entry of the log: any, or one that names a key."""
    kind = EntryType.LOG_REKEYED if data else EntryType.CASE_OPENED
    said = {**data, "number": number}
    return encode_entry(Entry(time=TIME, type=kind, actor="operator:ada", data=said))


def rekeyed(number: int, before: NoteSigner, after: NoteSigner) -> bytes:
    return entry(number, key=after.verifier.vkey, replaces=before.verifier.vkey)


ENTRIES = [entry(number) for number in range(600)]
ENTRIES[NAMED] = rekeyed(NAMED, OLD, NEW)
ENTRIES[NAMED_AGAIN] = rekeyed(NAMED_AGAIN, NEW, NEWEST)


def head(entries: Sequence[bytes], *by: NoteSigner) -> str:
    leaves = [leaf_hash(each) for each in entries]
    return sign_checkpoint(Checkpoint(ORIGIN, len(leaves), mth(leaves)), by)


HANDOVERS = [
    {"entry": NAMED, "head": head(ENTRIES[: NAMED + 2], OLD, NEW)},
    {"entry": NAMED_AGAIN, "head": head(ENTRIES[: NAMED_AGAIN + 1], NEW, NEWEST)},
]


def served(
    folder: Path,
    size: int,
    *by: NoteSigner,
    entries: Sequence[bytes] = ENTRIES,
    handovers: object = None,
) -> None:
    """The log as files at a size, under a head of these keys."""
    shown = entries[:size]
    publish(folder, [leaf_hash(each) for each in shown], head(shown, *by))
    for number in range(-(-size // 256)):
        place = bundle_of(number, size)
        (folder / place.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / place.path).write_bytes(
            place.encode(shown[number * 256 : number * 256 + place.width])
        )
    told = HANDOVERS if handovers is None else handovers
    (folder / "handovers").write_text(json.dumps({"handovers": told}))


@pytest.fixture
def witness(placet: Placet, tmp_path: Path) -> Witness:
    """A witness that knows the log's first key, and has seen its first 100 entries."""
    made = Witness(placet, tmp_path, log=str(tmp_path / "log"), log_key=OLD.verifier.vkey)
    ended = placet("audit", "witness-key", str(tmp_path / "witness.pem"), "--name", NAME)
    assert ended.code == 0
    made.vkey = ended.out.strip()
    served(tmp_path / "log", 100, OLD, handovers=[])
    made.expect(100, "--new")
    return made


def expect_key(witness: Witness, size: int, key: NoteSigner) -> None:
    """It cosigns a head of that size, and says which key of the log it is under."""
    witness.expect(size)
    ended = witness.look("--json")
    assert json.loads(ended.out)["log_key"] == key.verifier.vkey
    open_cosigned(witness.kept.read_text("utf-8"), key.verifier, [])


def test_while_both_sign_nothing_changes(witness: Witness) -> None:
    served(witness.folder / "log", NAMED + 20, OLD, NEW, handovers=[])
    expect_key(witness, NAMED + 20, OLD)


@pytest.mark.parametrize(("size", "key"), [(NAMED + 20, NEW), (NAMED + 200, NEW), (600, NEWEST)])
def test_who_missed_the_overlap_is_led_on(witness: Witness, size: int, key: NoteSigner) -> None:
    """I8: over one rotation or two, from any of the log's keys; each look goes the same way."""
    served(witness.folder / "log", size, key)
    expect_key(witness, size, key)
    witness.log_key = key.verifier.vkey  # as the command said
    expect_key(witness, size, key)
    served(witness.folder / "log", 600, NEWEST)
    expect_key(witness, 600, NEWEST)


def test_the_last_head_may_be_under_a_key_of_before(witness: Witness) -> None:
    """The witness cosigned it: it need not know again whose it was."""
    served(witness.folder / "log", NAMED + 20, NEW)
    witness.log_key = NEW.verifier.vkey
    expect_key(witness, NAMED + 20, NEW)


def forged(number: int, key: NoteSigner) -> list[bytes]:
    return [*ENTRIES[:number], rekeyed(number, OLD, key), *ENTRIES[number + 1 :]]


def _without_the_old_key(folder: Path) -> None:
    by_the_new = {"entry": NAMED, "head": head(ENTRIES[: NAMED + 2], NEW)}
    served(folder, NAMED + 20, NEW, handovers=[by_the_new])


def _without_the_entry(folder: Path) -> None:
    too_small = {"entry": NAMED, "head": head(ENTRIES[:NAMED], OLD)}
    served(folder, NAMED + 20, NEW, handovers=[too_small])


def _entry_changed(folder: Path) -> None:
    """The bundle names the thief's key, and the tree another."""
    served(folder, NAMED + 20, NEWEST)
    place = bundle_of(1, NAMED + 20)
    width = place.width
    (folder / place.path).write_bytes(place.encode(forged(NAMED, NEWEST)[256 : 256 + width]))


def _past_rewritten(folder: Path) -> None:
    """Who has the new key alone names another earlier, under a handover that does not fit."""
    served(folder, NAMED + 20, NEWEST, entries=forged(150, NEWEST))


def _rewritten_under_its_own_handover(folder: Path) -> None:
    entries = forged(150, NEWEST)
    told = [{"entry": 150, "head": head(entries[:160], NEWEST)}]
    served(folder, NAMED + 20, NEWEST, entries=entries, handovers=told)


def _no_handover(folder: Path) -> None:
    served(folder, NAMED + 20, NEW, handovers=[])


def _nonsense(folder: Path) -> None:
    served(folder, NAMED + 20, NEW, handovers=[7])


def _negative(folder: Path) -> None:
    served(folder, NAMED + 20, NEW, handovers=[{**HANDOVERS[0], "entry": -1}])


def _infinite(folder: Path) -> None:
    served(folder, NAMED + 20, NEW, handovers=[{**HANDOVERS[0], "entry": float("inf")}])


FORGERIES: dict[str, tuple[Callable[[Path], None], str]] = {
    "without-the-old-key": (_without_the_old_key, "key that is known"),
    "without-the-entry": (_without_the_entry, "is to name a key"),
    "entry-changed": (_entry_changed, "is not in the tree"),
    "past-rewritten": (_past_rewritten, "past was changed"),
    "rewritten-under-its-own-handover": (_rewritten_under_its_own_handover, "key that is known"),
    "no-handover": (_no_handover, "key that is known"),
    "nonsense": (_nonsense, "can't be read"),
    "negative": (_negative, "is to name a key"),
    "infinite": (_infinite, "can't be read"),
}


@pytest.mark.parametrize("name", sorted(FORGERIES))
def test_a_forged_handover_is_refused(witness: Witness, name: str) -> None:
    """I8, I12: and the last head stays."""
    forge, said = FORGERIES[name]
    forge(witness.folder / "log")
    witness.expect_refusal(said)


def test_a_fork_after_the_rotation_is_refused(witness: Witness) -> None:
    """I8: the new key signs two pasts; the witness has seen one."""
    served(witness.folder / "log", NAMED + 20, NEW)
    expect_key(witness, NAMED + 20, NEW)
    other = [*ENTRIES[: NAMED + 10], entry(7), *ENTRIES[NAMED + 11 :]]
    served(witness.folder / "log", NAMED + 30, NEW, entries=other)
    witness.expect_refusal("past was changed")


@pytest.mark.parametrize("told", [OLD, NEW])
def test_a_key_that_has_handed_over_is_believed_no_more(witness: Witness, told: NoteSigner) -> None:
    """I8: a thief of the old key goes on with the log where the witness has seen the new one alone."""
    served(witness.folder / "log", NAMED + 20, NEW)
    expect_key(witness, NAMED + 20, NEW)
    witness.log_key = told.verifier.vkey
    entries = [*ENTRIES[: NAMED + 20], entry(7)]
    served(witness.folder / "log", NAMED + 21, OLD, entries=entries)
    witness.expect_refusal("key that is known")
    served(witness.folder / "log", NAMED + 21, OLD, entries=entries, handovers=[])
    witness.expect_refusal("key that is known")
    served(witness.folder / "log", 600, NEWEST)
    expect_key(witness, 600, NEWEST)


def test_a_file_that_has_no_key_is_told_of(witness: Witness) -> None:
    """I12: exit 3; without the file, as earlier versions left it, the key that is told counts."""
    key = witness.kept.with_name("kept.log-key")
    assert key.read_text("utf-8") == f"{OLD.verifier.vkey}\n"
    key.write_text("no key")
    ended = witness.look()
    assert (ended.code, "kept.log-key: not the key of a log" in ended.err) == (3, True)
    key.unlink()
    witness.expect(100)


def test_a_log_that_lacks_what_its_keys_need_is_no_refusal(witness: Witness) -> None:
    """Exit 3."""
    served(witness.folder / "log", NAMED + 20, NEW)
    (witness.folder / "log" / bundle_of(1, NAMED + 20).path).unlink()
    ended = witness.look()
    assert ended.code == 3
    assert "tile/entries/001" in ended.err
