"""What an auditor works on: plain data, however it was fetched. Nothing here is believed yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from placet.model import CheckpointView, Model


class Kept(Model):
    """What is kept beside the ledger under a salted digest."""

    salt: str
    content: str


class ActFile(Model):
    """A signed act with the canonical JSON of its body."""

    jws: str
    body: str


class ArchiveFile(Model):
    """A closed case's sealed history, in Temporal's own JSON."""

    workflow_id: str
    run_id: str
    history: str


@dataclass(frozen=True)
class LogFiles:
    """A log and everything that its entries refer to.

    ``trusted_log_key`` is the verifier key that the auditor got elsewhere; without it the log's
    own word is taken for its key, and the result is "consistent with itself only".
    ``kept_heads`` are signed heads from before.
    """

    origin: str
    issuer: str
    entries: tuple[bytes, ...]
    head: str
    trusted_log_key: str | None = None
    trusted_administrators: tuple[str, ...] = ()
    kept_heads: tuple[str, ...] = ()
    acts: Mapping[str, ActFile] = field(default_factory=dict)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    parts: Mapping[str, Kept] = field(default_factory=dict)
    checkpoints: Mapping[str, CheckpointView] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    matrices: tuple[str, ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    archives: Mapping[str, ArchiveFile] = field(default_factory=dict)
