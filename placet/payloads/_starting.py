"""What a case's workflow is started with, before any of it is encrypted.

The authority starts it so; at archiving it, and later an auditor, asks whether it was started so.
"""

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from temporalio.api.common.v1 import Memo, Payload, Payloads, Priority, SearchAttributes
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.converter import encode_search_attributes

from placet.model import SUBJECT, CaseInput, SearchAttribute, Stage
from placet.payloads._converter import PLAIN


@dataclasses.dataclass(frozen=True)
class Start:
    """A workflow's start: its code, where it is worked on, its input, and how it is shown."""

    workflow_type: str
    task_queue: str
    input: Payloads
    attributes: SearchAttributes
    memo: Memo
    metadata: UserMetadata
    priority: Priority


def start_of(
    *,
    case: str,
    process: str,
    version: object,
    subject: str,
    opened_at: datetime,
    workflow_type: str,
    task_queue: str,
    record_tag: str,
    fairness_key: str,
) -> Start:
    """How a case is started. In clear it will show its process, its stage and the two tags."""
    summary = f"{process} of {subject}"
    details = (
        f"Case `{case}` of process **{process}**, version {version}, about `{subject}`; "
        f"opened {opened_at:%Y-%m-%d %H:%M} UTC."
    )
    return Start(
        workflow_type=workflow_type,
        task_queue=task_queue,
        input=Payloads(payloads=[_encoded(CaseInput(case=case, subject=subject))]),
        attributes=_attributes(
            {
                SearchAttribute.PROCESS: f"{process}/{version}",
                SearchAttribute.RECORD: record_tag,
                SearchAttribute.STAGE: Stage.RUNNING.value,
            }
        ),
        memo=Memo(fields={SUBJECT: _encoded(subject)}),
        metadata=UserMetadata(summary=_encoded(summary), details=_encoded(details)),
        priority=Priority(fairness_key=fairness_key),
    )


def started_otherwise(first: HistoryEvent, start: Start) -> Iterator[str]:
    """What of a run's first event, decrypted, is not what it was started with."""
    told = first.workflow_execution_started_event_attributes
    for name, found, asked in (
        ("workflow type", told.workflow_type.name, start.workflow_type),
        ("task queue", told.task_queue.name, start.task_queue),
        ("input", told.input, start.input),
        ("search attributes", told.search_attributes, start.attributes),
        ("memo", told.memo, start.memo),
        ("summary", first.user_metadata.summary, start.metadata.summary),
        ("details", first.user_metadata.details, start.metadata.details),
        ("priority", told.priority, start.priority),
    ):
        if found != asked:
            yield name


def going_on(start: Start, before: HistoryEvent) -> Start:
    """What a run begins with that goes on from another: what that one left, and no description.

    Args:
        start: what the case's first run was started with.
        before: the last event of the run before, which continues as new.
    """
    left = before.workflow_execution_continued_as_new_event_attributes
    return dataclasses.replace(
        start, attributes=left.search_attributes, memo=left.memo, metadata=UserMetadata()
    )


def _attributes(said: dict[SearchAttribute, str]) -> SearchAttributes:
    found = SearchAttributes()
    pairs = [SearchAttributePair(SearchAttributeKey.for_keyword(n), v) for n, v in said.items()]
    encode_search_attributes(TypedSearchAttributes(pairs), found)
    return found


def _encoded(value: object) -> Payload:
    (payload,) = PLAIN.payload_converter.to_payloads([value])
    return payload
