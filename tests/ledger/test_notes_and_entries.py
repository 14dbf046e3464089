"""Heads in the C2SP formats, entries in one spelling, and a log that adds up (I8)."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import placet.ledger
from placet.ledger import (
    Checkpoint,
    Entry,
    EntryError,
    LogError,
    NoteError,
    NoteSigner,
    NoteVerifier,
    decode_entry,
    encode_entry,
    leaf_hash,
    open_checkpoint,
    open_note,
    root_hash,
    sign_checkpoint,
    sign_note,
    verify_log,
)

# From the documentation of Go's golang.org/x/mod/sumdb/note.
_PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
_PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
_SIGNER = NoteSigner("log.example/ledger", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
_TIME = datetime(2026, 11, 24, 10, tzinfo=UTC)


def _entry(number: int) -> bytes:
    return encode_entry(
        Entry(time=_TIME, type="grant.denied", actor="agent:a", data={"number": number})
    )


def test_a_note_by_another_implementation_holds() -> None:
    """The published example of the format's first implementation."""
    text, names = open_note(_PETERS_NOTE, [NoteVerifier.from_vkey(_PETER)])
    assert names == ("PeterNeumann",)
    assert text.startswith("If you think cryptography")
    assert NoteVerifier.from_vkey(_PETER).vkey == _PETER


def test_a_head_survives_signing() -> None:
    """What was signed is what is read."""
    head = Checkpoint("log.example/ledger", 3, leaf_hash(b""), ("extension",))
    note = sign_checkpoint(head, [_SIGNER])
    assert open_checkpoint(note, [_SIGNER.verifier]) == head


def _otherwise(text: str) -> str:
    """The same bytes in base64, by the bits that its last character does not need."""
    last = text[-2]
    other = text[:-2] + chr(ord(last) + 1) + "="
    assert base64.b64decode(other) == base64.b64decode(text)
    return other


_NOTE = sign_checkpoint(Checkpoint("log.example/ledger", 3, leaf_hash(b"")), [_SIGNER])
_ROOT = base64.b64encode(leaf_hash(b"")).decode()


def _signed(text: str) -> str:
    """By a signer who looks at nothing."""
    return f"{text}\n{_SIGNER.line(text)}"


_BENT = {
    "other-size": (_NOTE.replace("\n3\n", "\n4\n"), "signature of .* does not hold"),
    "leading-zero": (_signed(f"o\n03\n{_ROOT}\n"), "without leading zeros"),
    "no-size": (_signed(f"o\nthree\n{_ROOT}\n"), "a decimal number"),
    "no-root": (_signed("o\n3\n"), "at least three lines"),
    "short-root": (_signed("o\n3\nAAAA\n"), "a root of 32 bytes"),
    "root-spelled-otherwise": (_signed(f"o\n3\n{_otherwise(_ROOT)}\n"), "root is not base64"),
    "signature-spelled-otherwise": (
        _NOTE[:-93] + _otherwise(_NOTE[-93:-1]) + "\n",
        "signature is not base64",
    ),
    "empty-extension": (_signed(f"o\n3\n{_ROOT}\n\n"), "no empty line"),
    "no-signature": (_NOTE.split("\u2014")[0], "signature lines"),
    "no-blank-line": (_NOTE.replace("\n\n", "\n"), "a blank line"),
    "no-text": ("\n\n" + _NOTE.partition("\n\n")[2], "a note is text"),
    "trailing-garbage": (_NOTE + "x", "signature lines"),
    "no-last-newline": (_NOTE[:-1], "signature lines"),
    "malformed-signature": (_NOTE + "\u2014 x\n", "line is malformed"),
    "short-signature": (_NOTE + "\u2014 x AAAA\n", "too short"),
    "padded-twice": (_NOTE[:-1] + "=\n", "not base64"),
    "control-character": (_signed(f"log\x1bexample\n3\n{_ROOT}\n"), "no control characters"),
    "surrogate": (_NOTE.replace("log.example", "log\ud800example", 1), "no surrogates"),
    "too-long": (_signed(f"o\n3\n{_ROOT}\n{'x' * 140_000}\n"), "more than 131072 characters"),
    "too-many-signatures": (_NOTE + "\u2014 x AAAAAAAA\n" * 100, "more than 100 signatures"),
    "empty": ("", "a note is text"),
}


@pytest.mark.parametrize("name", sorted(_BENT))
def test_a_bent_head_is_refused(name: str) -> None:
    """I8: a second spelling or a changed head is an error, also where its signature is genuine."""
    note, said = _BENT[name]
    with pytest.raises(NoteError, match=said):
        open_checkpoint(note, [_SIGNER.verifier])


def test_a_heads_text_ends_with_its_last_line() -> None:
    """I8: what is left of a line is no line."""
    text = Checkpoint("log.example/ledger", 3, leaf_hash(b""), ("extension",)).text
    assert Checkpoint.parse(text).extensions == ("extension",)
    with pytest.raises(NoteError, match="three lines"):
        Checkpoint.parse(text[:-1])


def test_strangers_signatures_do_not_count() -> None:
    """Only known keys are believed; a stranger's line beside them does no harm."""
    stranger = NoteSigner("stranger", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    same_name = NoteSigner(_SIGNER.name, stranger.key)
    text = Checkpoint(_SIGNER.name, 1, leaf_hash(b"")).text
    assert open_note(sign_note(text, [stranger, _SIGNER]), [_SIGNER.verifier])[1] == (_SIGNER.name,)
    for signer in (stranger, same_name):
        with pytest.raises(NoteError, match="no signature by a key that is known"):
            open_note(sign_note(text, [signer]), [_SIGNER.verifier])


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a+b",
        _PETER.replace("c74f20a3", "c74f20a4"),
        _PETER[:-4],
        _PETER.replace("+ARpc", "+BRpc"),
    ],
)
def test_a_bent_verifier_key_is_refused(vkey: str) -> None:
    """A key that is not what its text says is never believed."""
    with pytest.raises(NoteError):
        NoteVerifier.from_vkey(vkey)


@pytest.mark.parametrize("text", ["", "no newline", "a\r\n", "a\x1b\n"])
def test_only_text_is_signed(text: str) -> None:
    """A note that nobody could open again is not made."""
    with pytest.raises(NoteError):
        sign_note(text, [_SIGNER])
    with pytest.raises(NoteError):
        Checkpoint("o", -1, leaf_hash(b""))


def test_an_entry_has_one_spelling() -> None:
    """What is read is what was written, byte for byte."""
    assert encode_entry(decode_entry(_entry(1))) == _entry(1)


_GOOD = _entry(1)
_BENT_ENTRIES = {
    "space": _GOOD.replace(b'"v":1', b'"v": 1'),
    "member-twice": _GOOD.replace(b'"v":1', b'"v":1,"v":1'),
    "other-order": b'{"v":1,' + _GOOD.replace(b',"v":1', b"")[1:],
    "null-case": _GOOD.replace(b'"actor"', b'"case":null,"actor"'),
    "unknown-type": _GOOD.replace(b"grant.denied", b"grant.invented"),
    "unknown-member": _GOOD.replace(b'"v":1', b'"w":1,"v":1'),
    "naive-time": _GOOD.replace(b"10:00:00Z", b"10:00:00"),
    "no-actor": _GOOD.replace(b"agent:a", b"someone"),
    "nan": _GOOD.replace(b'"number":1', b'"number":NaN'),
    "not-json": b"entry",
    "deep": b'{"data":' + b"[" * 60_000,
    "too-large": _GOOD.replace(b'"number":1', b'"number":"' + b"x" * 70_000 + b'"'),
}


@pytest.mark.parametrize("name", sorted(_BENT_ENTRIES))
def test_a_bent_entry_is_refused(name: str) -> None:
    """I8: a second spelling of an entry would be a second leaf."""
    with pytest.raises(EntryError, match="over 65535" if name == "too-large" else None):
        decode_entry(_BENT_ENTRIES[name])


@pytest.mark.parametrize("data", [{"text": "x" * 70_000}, {"number": 2**60}])
def test_an_entry_that_does_not_fit_is_not_written(data: dict[str, object]) -> None:
    """Too large for a bundle, or without a canonical form."""
    with pytest.raises(EntryError):
        encode_entry(Entry(time=_TIME, type="log.created", actor="system:authority", data=data))


def _head(entries: list[bytes], size: int | None = None) -> Checkpoint:
    taken = entries[: len(entries) if size is None else size]
    return Checkpoint("o", len(taken), root_hash([leaf_hash(each) for each in taken]))


def test_a_whole_log_adds_up() -> None:
    """I8: entries, head, and every head that was kept."""
    entries = [_entry(each) for each in range(20)]
    kept = [_head(entries, size) for size in (0, 1, 7, 20)]
    assert [index for index, _ in verify_log(entries, _head(entries), kept)] == list(range(20))


_LOG_MUTATIONS = {
    "changed": lambda e: [*e[:5], _entry(99), *e[6:]],
    "dropped": lambda e: [*e[:5], *e[6:]],
    "swapped-entries": lambda e: [*e[:5], e[6], e[5], *e[7:]],
    "inserted": lambda e: [*e[:5], _entry(99), *e[5:]],
    "truncated": lambda e: e[:-1],
    "not-an-entry": lambda e: [*e[:5], b"{}", *e[6:]],
}


@pytest.mark.parametrize("name", sorted(_LOG_MUTATIONS))
def test_a_changed_past_is_found(name: str) -> None:
    """I8: changing, dropping, inserting or reordering an entry is found."""
    entries = [_entry(each) for each in range(20)]
    forged = _LOG_MUTATIONS[name](entries)
    with pytest.raises(LogError):
        list(verify_log(forged, _head(entries)))


def test_a_rewritten_log_with_a_new_head_is_found_by_an_old_head() -> None:
    """I8: whoever kept one head finds a past that was made anew."""
    entries = [_entry(each) for each in range(20)]
    forged = [*entries[:5], _entry(99), *entries[6:]]
    assert len(list(verify_log(forged, _head(forged)))) == 20
    with pytest.raises(LogError, match="kept from before"):
        list(verify_log(forged, _head(forged), [_head(entries, 10)]))
    with pytest.raises(LogError, match="beyond"):
        list(verify_log(entries[:5], _head(entries, 5), [_head(entries, 10)]))


def test_the_public_face_is_pinned() -> None:
    """A name that goes or comes is a decision."""
    assert len(placet.ledger.__all__) == 63
