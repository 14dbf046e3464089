"""C2SP tlog-proof: one entry's proof as a file (I8)."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from placet.ledger import (
    LOG_PROOF,
    Checkpoint,
    LedgerError,
    LogProof,
    NoteSigner,
    ProofError,
    inclusion_proof,
    leaf_hash,
    open_checkpoint,
    root_hash,
    sign_checkpoint,
)

SIGNER = NoteSigner("log.example/ledger", Ed25519PrivateKey.from_private_bytes(b"l" * 32))
ENTRIES = [f'{{"number":{number}}}'.encode() for number in range(11)]
LEAVES = [leaf_hash(each) for each in ENTRIES]
HEAD = Checkpoint(SIGNER.name, len(LEAVES), root_hash(LEAVES))
NOTE = sign_checkpoint(HEAD, [SIGNER])

# The example of C2SP tlog-proof; its signatures are shortened there.
EXAMPLE = """\
c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=
EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=
RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=
AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=

example.com/fancylog
109482
sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=

\u2014 example.com/fancylog hI2DJw[...]1roloI=
"""


def proof(index: int) -> LogProof:
    return LogProof(index, inclusion_proof(LEAVES, index), NOTE, ENTRIES[index])


def judged(text: str) -> bytes:
    """The entry that a proof proves to whoever has the log's key."""
    read = LogProof.parse(text)
    head = open_checkpoint(read.note, [SIGNER.verifier])
    assert head == HEAD
    assert read.extra is not None
    read.require(read.extra)
    return read.extra


def test_the_example_of_the_document_is_read() -> None:
    read = LogProof.parse(EXAMPLE)
    assert read.index == 73894
    assert [len(each) for each in read.path] == [32] * 5
    assert read.extra is not None
    assert read.extra.startswith(b"age-v1.2.1-darwin-arm64.tar.gz")
    assert read.note.startswith("example.com/fancylog\n109482\n")
    assert read.text == EXAMPLE


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_each_entry_is_proven(index: int) -> None:
    assert judged(proof(index).text) == ENTRIES[index]


@given(
    st.integers(0, 10**18 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=64),
    st.none() | st.binary(),
    st.text(),
)
def test_what_is_written_is_read(
    index: int, path: list[bytes], extra: bytes | None, note: str
) -> None:
    """Whatever the head's text is, blank lines and all."""
    written = LogProof(index, tuple(path), note, extra)
    assert LogProof.parse(written.text) == written


@given(st.data())
def test_no_character_can_be_changed_unseen(data: st.DataObject) -> None:
    """One is another, is left out, or comes in besides: there is one spelling."""
    index = data.draw(st.integers(0, len(ENTRIES) - 1))
    text = proof(index).text
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.characters(codec="utf-8") | st.sampled_from(["", "\n", "=", "0", "A"]))
    over = data.draw(st.integers(0, 1))
    changed = text[:at] + put + text[at + over :]
    if changed == text:
        return
    try:
        assert judged(changed) != ENTRIES[index]
    except LedgerError:
        return
    pytest.fail(f"another entry is proven by {changed!r}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "blank line"),
        (f"{LOG_PROOF}\nindex 0\n", "blank line"),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\n", "first line"),
        (f"{LOG_PROOF}\n\n", "index"),
        (f"{LOG_PROOF}\nindex 00\n\n", "index"),
        (f"{LOG_PROOF}\nindex -1\n\n", "index"),
        (f"{LOG_PROOF}\nindex 0\n".replace("\n", "\r\n") + "\n\n", "first line"),
        (f"{LOG_PROOF}\nindex 0\nextra AA==\n\n", "base64"),
        (f"{LOG_PROOF}\nextra AB==\nindex 0\n\n", "one spelling"),
        (f"{LOG_PROOF}\nindex 0\nAA==\n\n", "64 hashes"),
        (
            f"{LOG_PROOF}\nindex 0\n" + (base64.b64encode(bytes(32)).decode() + "\n") * 65 + "\n",
            "64 hashes",
        ),
        (f"{LOG_PROOF}\nindex 0\n" + "\n" * 262_145, "at most 262144 characters"),
    ],
)
def test_what_is_no_proof_is_refused(wrong: str, said: str) -> None:
    with pytest.raises(ProofError, match=said):
        LogProof.parse(wrong)
