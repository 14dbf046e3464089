"""The log's mathematics and formats: Merkle tree, proofs, signed heads, entries; no I/O."""

from placet.ledger._entries import (
    MAX_ENTRY_BYTES,
    Entry,
    EntryType,
    decode_entry,
    encode_entry,
)
from placet.ledger._errors import (
    EntryError,
    LedgerError,
    LogError,
    NoteError,
    ProofError,
)
from placet.ledger._merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from placet.ledger._notes import (
    Checkpoint,
    NoteSigner,
    NoteVerifier,
    open_checkpoint,
    open_note,
    sign_checkpoint,
    sign_note,
)
from placet.ledger._verifying import verify_log

__all__ = [
    "EMPTY_ROOT",
    "MAX_ENTRY_BYTES",
    "Checkpoint",
    "Entry",
    "EntryError",
    "EntryType",
    "Frontier",
    "LedgerError",
    "LogError",
    "NoteError",
    "NoteSigner",
    "NoteVerifier",
    "ProofError",
    "consistency_proof",
    "decode_entry",
    "encode_entry",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "open_checkpoint",
    "open_note",
    "root_hash",
    "sign_checkpoint",
    "sign_note",
    "verify_consistency",
    "verify_inclusion",
    "verify_log",
]
