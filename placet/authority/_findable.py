"""How a case shows in Temporal: what it is found by, what is read of it, and whose turn it takes.

1. (I7) In clear stand the process, the stage, and tags under the authority's key: the same for the
   same record, and telling nobody which. Everything that names the record is encrypted like the
   case's payloads.
2. Cases about one top record (all draws of one loan) share a fairness key: where Temporal has
   fairness switched on, it serves each in turn, so that none starves the others. The workflow's
   steps inherit it.
3. (I9) Both tags are on the ledger when the case is started: nobody else can compute them, and an
   auditor holds the history against them.
"""

import dataclasses

from temporalio.api.common.v1 import Memo, Payloads
from temporalio.api.sdk.v1 import UserMetadata

from placet.authority._payload_keys import PayloadKeys
from placet.authority._store import Case
from placet.model import RecordId
from placet.payloads import WORKFLOW, Keyring, Start, seal_payload, start_of

_RECORD, _FAIRNESS = "record", "fairness"
_TOP = 2
"""Segments of a record that name the one at the top: ``loan/L-1001``."""


def record_tag(keys: PayloadKeys, record: RecordId) -> str:
    """The tag by which Temporal's lists know a record."""
    return keys.tag(_RECORD, record)


def fairness_key(keys: PayloadKeys, record: RecordId) -> str:
    """The key that a record's cases share with those of the same top record."""
    return keys.tag(_FAIRNESS, "/".join(record.split("/")[:_TOP]))


def plain_start(keys: PayloadKeys, case: Case) -> Start:
    """What a case's workflow is started with, before it is encrypted."""
    return start_of(
        case=case.id,
        process=case.process,
        version=case.version,
        subject=case.subject,
        opened_at=case.opened_at,
        workflow_type=case.workflow_type,
        task_queue=case.task_queue,
        record_tag=record_tag(keys, case.subject),
        fairness_key=fairness_key(keys, case.subject),
    )


def sealed(ring: Keyring, start: Start) -> Start:
    """The same as Temporal is given it: encrypted for whoever orchestrates the case."""
    return dataclasses.replace(
        start,
        input=Payloads(payloads=[seal_payload(ring, WORKFLOW, e) for e in start.input.payloads]),
        memo=Memo(
            fields={n: seal_payload(ring, WORKFLOW, e) for n, e in start.memo.fields.items()}
        ),
        metadata=UserMetadata(
            summary=seal_payload(ring, WORKFLOW, start.metadata.summary),
            details=seal_payload(ring, WORKFLOW, start.metadata.details),
        ),
    )
