"""Which fields of an event are compared somewhere, and which nothing rests on.

1. A field that neither is named nor free is no event of ours.
"""

from collections.abc import Iterator

from google.protobuf.message import Message
from temporalio.api.history.v1 import HistoryEvent

TASK = "workflow_task_completed_event_id"
_SAYS_OF_ITSELF = {"identity", "worker_version", "request_id", "binary_checksum"}
_FREE: dict[str, set[str]] = {
    "": {"event_id", "event_time", "event_type", "task_id", "version"},
    "workflow_execution_started": {
        "identity",
        "prev_auto_reset_points",
        "inherited_pinned_version",
    },
    "workflow_execution_continued_as_new": {"backoff_start_interval", "inherit_build_id"},
    "workflow_task_started": {
        *_SAYS_OF_ITSELF,
        "history_size_bytes",
        "suggest_continue_as_new",
        "suggest_continue_as_new_reasons",
        "target_worker_deployment_version_changed",
    },
    "workflow_task_completed": {
        *_SAYS_OF_ITSELF,
        "sdk_metadata",
        "metering_metadata",
        "deployment",
        "deployment_version",
        "worker_deployment_version",
        "worker_deployment_name",
        "versioning_behavior",
    },
    "workflow_task_failed": {*_SAYS_OF_ITSELF, "failure", "cause"},
    "activity_task_scheduled": {"use_workflow_build_id"},
    "activity_task_started": {*_SAYS_OF_ITSELF, "last_failure", "build_id_redirect_counter"},
    "activity_task_completed": {"identity", "worker_version"},
    "activity_task_failed": {"identity", "worker_version", "failure"},
    "activity_task_timed_out": {"failure"},
    "timer_canceled": {"identity"},
    "workflow_execution_signaled": {"identity", "request_id"},
    "workflow_execution_terminated": {"identity", "reason", "details"},
}
"""What nothing in a case rests on, and nobody can recompute; only the seal holds it."""
EXPLAINED: dict[str, set[str]] = {
    "workflow_execution_started": {
        "workflow_type",
        "task_queue",
        "input",
        "workflow_id",
        "original_execution_run_id",
        "first_execution_run_id",
        "continued_execution_run_id",
        "initiator",
        "attempt",
        "workflow_task_timeout",
        "first_workflow_task_backoff",
        "search_attributes",
        "memo",
        "priority",
    },
    "workflow_task_scheduled": {"task_queue", "start_to_close_timeout", "attempt"},
    "workflow_task_started": {"scheduled_event_id"},
    "workflow_task_completed": {"scheduled_event_id", "started_event_id"},
    "workflow_task_failed": {
        "scheduled_event_id",
        "started_event_id",
        "base_run_id",
        "new_run_id",
        "fork_event_version",
    },
    "workflow_task_timed_out": {"scheduled_event_id", "started_event_id", "timeout_type"},
    "activity_task_scheduled": {
        "activity_id",
        "activity_type",
        "task_queue",
        "header",
        "input",
        "schedule_to_close_timeout",
        "schedule_to_start_timeout",
        "start_to_close_timeout",
        "heartbeat_timeout",
        "retry_policy",
        "priority",
        TASK,
    },
    "activity_task_started": {"scheduled_event_id", "attempt"},
    "activity_task_completed": {"scheduled_event_id", "started_event_id", "result"},
    "activity_task_failed": {"scheduled_event_id", "started_event_id", "retry_state"},
    "activity_task_timed_out": {"scheduled_event_id", "started_event_id", "retry_state"},
    "activity_task_canceled": {"scheduled_event_id", "started_event_id"},
    "timer_started": {"timer_id", "start_to_fire_timeout", TASK},
    "timer_fired": {"timer_id", "started_event_id"},
    "timer_canceled": {"timer_id", "started_event_id", TASK},
    "workflow_execution_completed": {"result", TASK},
    "workflow_execution_failed": {"failure", "retry_state", TASK},
    "workflow_execution_continued_as_new": {
        "new_execution_run_id",
        "workflow_type",
        "task_queue",
        "input",
        "workflow_task_timeout",
        "initiator",
        "search_attributes",
        "memo",
        TASK,
    },
    "upsert_workflow_search_attributes": {"search_attributes", TASK},
    "workflow_execution_signaled": {"signal_name"},
    "workflow_execution_terminated": set(),
}
"""What follows from the events before, or is compared with the code or the ledger."""
_STARTED = "workflow_execution_started"
_SUMMARIES = {_STARTED, "activity_task_scheduled", "timer_started", "timer_canceled"}


def unexplained_fields(event: HistoryEvent, name: str, told: Message) -> Iterator[tuple[str, str]]:
    """Fields that are set, and neither compared somewhere nor free: a trouble's name and words."""
    known = {
        *_FREE[""],
        f"{name}_event_attributes",
        *({"user_metadata"} if name in _SUMMARIES else ()),
    }
    free = _FREE.get(name, set())
    for message, names in ((event, known), (told, EXPLAINED[name] | free)):
        for field, value in message.ListFields():
            empty = isinstance(value, Message) and not value.ListFields()
            if field.name not in names and not empty:
                yield "field-unexplained", f"{field.name} is not what Temporal writes here"
    if name in _SUMMARIES - {_STARTED} and event.user_metadata.HasField("details"):
        yield "field-unexplained", "it has details that no code gave it"
