"""The archive: a closed case's whole history as it is kept, and what fixes it on the ledger.

1. Each event has a digest of its own: SHA-256 of 0x00, the case's archive salt and the event's
   canonical JSON, with its payloads as they were before encryption. That is a leaf of RFC 6962, so
   a run's events, in their order, have one root; so has each prefix of them.
2. The ledger holds roots (``case.archived``, and with ``checkpoint.opened`` and guarded
   ``grant.issued`` the prefix that there was). The digests are kept beside (:class:`HistorySeal`),
   so that an auditor can name the first event that does not fit.
3. Histories and salt are what may be erased; seal and contents stay.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from placet.model._details import ActivityRef
from placet.model._digest import Digest
from placet.model._evidence import Salt
from placet.model._ids import CaseId, CheckpointId, Jti, Name
from placet.model._values import Model

RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""Temporal's id of one run of a workflow."""


class CaseKeys(Model):
    """Answer of ``POST /v1/cases/{case}/keys``: keys by their ids, newest first, in base64url.

    Without a ``scope`` they are the case's own secrets, for its orchestrator; an agent's are of its
    own steps' payloads alone.
    """

    case: CaseId
    scope: Annotated[str, StringConstraints(max_length=80)] | None = None
    keys: dict[str, Salt] = Field(repr=False, max_length=1000)


class AskKeys(Model):
    """Body of ``POST /v1/cases/{case}/keys``.

    ``code`` is the digest of each process's workflow code that an orchestrator has installed;
    ``activity`` the step that could not begin without them: a refusal of it is recorded.
    """

    activity: ActivityRef | None = None
    code: dict[Name, Digest] = Field(default_factory=dict, max_length=1000)


class EncodedPayload(Model):
    """A payload of Temporal's in its JSON form: base64, in metadata too."""

    metadata: dict[str, Annotated[str, StringConstraints(max_length=1024)]] = Field(max_length=20)
    data: str = ""


class EncodedPayloads(Model):
    """Body and answer of ``POST /v1/cases/{case}/payloads``, as Temporal's codecs have them."""

    payloads: tuple[EncodedPayload, ...] = Field(max_length=1000)


class ArchivedRun(Model):
    """One run's history, as Temporal's own JSON has it, with its payloads decrypted."""

    run_id: RunId
    history: str


class SealedRun(Model):
    """One run's events by their digests, in order."""

    run_id: RunId
    events: tuple[Digest, ...]


class HistorySeal(Model):
    """All runs of a case by their events' digests; its own digest is on the ledger."""

    runs: tuple[SealedRun, ...]


class RunRoot(Model):
    """A run's history, or a prefix of it, as it stands on the ledger: how many events, one root."""

    run_id: RunId
    events: int = Field(ge=0)
    root: Digest


class ArchiveContents(Model):
    """What a case's proof needs besides its history, by digest: all of it is kept in the store.

    ``checkpoints`` are the digests of evidence, ``decisions`` and ``acts`` those of the JWS.
    """

    process: Digest
    code: tuple[Digest, ...] = ()
    policies: tuple[Digest, ...] = ()
    matrices: tuple[Digest, ...] = ()
    contexts: tuple[Digest, ...] = ()
    parts: tuple[Digest, ...] = ()
    checkpoints: dict[CheckpointId, Digest] = Field(default_factory=dict)
    decisions: dict[Jti, Digest] = Field(default_factory=dict)
    acts: dict[Jti, Digest] = Field(default_factory=dict)


class CaseArchive(Model):
    """Answer of ``GET /v1/cases/{case}/archive``.

    An erased one has no ``salt`` and no ``runs``: what it was can't be read any more, and what is
    on the ledger of it still holds.
    """

    v: Literal[1] = 1
    case: CaseId
    workflow_id: str
    salt: Salt | None = None
    runs: tuple[ArchivedRun, ...] = ()
    seal: HistorySeal
    contents: ArchiveContents
    erased: bool = False
