"""What an auditor works on: plain data, however it was fetched. Nothing here is believed yet."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from placet.model import CaseArchive, CheckpointView, Model, salted_digest


class Kept(Model):
    """What is kept beside the ledger under a salted digest."""

    salt: str
    content: str

    def fits(self, digest: str) -> bool:
        """Whether this is what the digest was made of. A salt has one spelling only."""
        try:
            salt = base64.urlsafe_b64decode(self.salt + "=")
        except ValueError:
            return False
        spelled = base64.urlsafe_b64encode(salt).decode().rstrip("=")
        content = self.content.encode("utf-8", "surrogatepass")
        return spelled == self.salt and salted_digest(self.salt, content) == digest


class ActFile(Model):
    """A signed act with the canonical JSON of its body."""

    jws: str
    body: str


@dataclass(frozen=True)
class LogFiles:
    """A log and everything that its entries refer to.

    ``trusted_log_key`` is the verifier key that the auditor got elsewhere; without it the log's
    own word is taken for its key. Without a kept head either, the result is "consistent with itself
    only".
    ``trusted_witnesses`` are verifier keys of those whose cosignatures are believed, and
    ``trusted_issuer`` is the identity provider that the auditor has keys of.
    ``kept_heads`` are signed heads that the auditor kept from before; ``own_heads`` those that the
    log itself has kept, of use to find a wrong place and for nothing else. Where the entries are
    those of one case alone, ``indices`` says which of the log's they are, and ``proofs`` has an
    audit path for each. ``handovers`` are the heads by which each key of heads handed over to the
    next; with one case alone, ``handover_proofs`` prove that they lie in the head's past, and
    ``past`` has the same proof for each size of a head that is in what was signed: ``None`` where
    there is none, as in a whole log, which needs none, and in bundles of before.
    """

    origin: str
    issuer: str
    entries: Sequence[bytes]
    head: str
    trusted_log_key: str | None = None
    trusted_administrators: tuple[str, ...] = ()
    trusted_witnesses: tuple[str, ...] = ()
    trusted_issuer: str | None = None
    kept_heads: tuple[str, ...] = ()
    own_heads: tuple[str, ...] = ()
    acts: Mapping[str, ActFile] = field(default_factory=dict)
    kept: Mapping[str, Kept] = field(default_factory=dict)
    parts: Mapping[str, Kept] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """Files that people attached at a checkpoint, by the act that attached them."""
    checkpoints: Mapping[str, CheckpointView] = field(default_factory=dict)
    processes: tuple[str, ...] = ()
    matrices: tuple[str, ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    archives: Mapping[str, CaseArchive] = field(default_factory=dict)
    indices: tuple[int, ...] | None = None
    proofs: tuple[tuple[bytes, ...], ...] = ()
    handovers: tuple[str, ...] = ()
    handover_proofs: tuple[tuple[bytes, ...], ...] = ()
    past: Mapping[int, tuple[bytes, ...]] | None = None

    @property
    def vouched(self) -> bool:
        """Whether what the auditor brought says whose log it is.

        That is the log's key, or a signed head: it must lie in the log, under a key of the log's.
        """
        return self.trusted_log_key is not None or bool(self.kept_heads)

    def trusting(self, trust: Mapping[str, Any]) -> "LogFiles":
        """The same with what the auditor got elsewhere, as a trust file has it."""
        provider = trust.get("identity_provider")
        return replace(
            self,
            trusted_log_key=trust.get("log_key"),
            trusted_administrators=tuple(trust.get("administrators", ())),
            trusted_witnesses=tuple(trust.get("witnesses", ())),
            trusted_issuer=provider["issuer"] if provider else None,
            kept_heads=tuple(trust.get("heads", ())),
        )

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Each entry with its index in the log."""
        indices = range(len(self.entries)) if self.indices is None else self.indices
        return zip(indices, self.entries, strict=True)
