"""How a case shows in Temporal: what it is found by, what is read of it, and whose turn it takes.

1. (I7) In clear stand the process, the stage, and tags under the authority's key: the same for the
   same record, and telling nobody which. Everything that names the record is encrypted like the
   case's payloads.
2. Cases about one top record (all draws of one loan) share a fairness key: where Temporal has
   fairness switched on, it serves each in turn, so that none starves the others. The workflow's
   steps inherit it.
"""

from dataclasses import dataclass

from temporalio.api.common.v1 import Memo, Payload, Priority, SearchAttributes
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.converter import encode_search_attributes

from placet.authority._payload_keys import PayloadKeys
from placet.authority._store import Case
from placet.model import SUBJECT, RecordId, SearchAttribute, Stage
from placet.payloads import PLAIN, WORKFLOW, Keyring, seal_payload

_RECORD, _FAIRNESS = "record", "fairness"
_TOP = 2
"""Segments of a record that name the one at the top: ``loan/L-1001``."""


@dataclass(frozen=True)
class Shown:
    """What goes with the start of a case's workflow, besides its input."""

    attributes: SearchAttributes
    memo: Memo
    metadata: UserMetadata
    priority: Priority


def record_tag(keys: PayloadKeys, record: RecordId) -> str:
    """The tag by which Temporal's lists know a record."""
    return keys.tag(_RECORD, record)


def fairness_key(keys: PayloadKeys, record: RecordId) -> str:
    """The key that a record's cases share with those of the same top record."""
    return keys.tag(_FAIRNESS, "/".join(record.split("/")[:_TOP]))


async def shown(keys: PayloadKeys, ring: Keyring, case: Case) -> Shown:
    """How a case is shown from its start."""
    said = {
        SearchAttribute.PROCESS: f"{case.process}/{case.version}",
        SearchAttribute.RECORD: record_tag(keys, case.subject),
        SearchAttribute.STAGE: Stage.RUNNING.value,
    }
    attributes = SearchAttributes()
    encode_search_attributes(
        TypedSearchAttributes(
            [
                SearchAttributePair(SearchAttributeKey.for_keyword(name), value)
                for name, value in said.items()
            ]
        ),
        attributes,
    )
    summary = await _sealed(ring, f"{case.process} of {case.subject}")
    details = await _sealed(
        ring,
        f"Case `{case.id}` of process **{case.process}**, version {case.version}, "
        f"about `{case.subject}`; opened {case.opened_at:%Y-%m-%d %H:%M} UTC.",
    )
    return Shown(
        attributes=attributes,
        memo=Memo(fields={SUBJECT: await _sealed(ring, case.subject)}),
        metadata=UserMetadata(summary=summary, details=details),
        priority=Priority(fairness_key=fairness_key(keys, case.subject)),
    )


async def _sealed(ring: Keyring, text: str) -> Payload:
    (payload,) = await PLAIN.encode([text])
    return seal_payload(ring, WORKFLOW, payload)
