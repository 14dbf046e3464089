"""Every metric of ours, by Prometheus's conventions: seconds, totals, names that say the thing.

Labels are kinds, of which there are few; no id of a case, person or record is one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIGNING = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.025)
_STEPS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_PEOPLE = (60.0, 300.0, 900.0, 3600.0, 14400.0, 28800.0, 86400.0, 259200.0, 604800.0)

# --- every process ------------------------------------------------------------------------------

PART_READY = Gauge(
    "placet_part_ready", "Whether a part that the process needs answers: 1 or 0.", ("part",)
)
CERTIFICATE_END = Gauge(
    "placet_certificate_end_timestamp_seconds",
    "When the process's own certificate, or one of its chain, ends; 0 where it has none.",
)

# --- the authority ------------------------------------------------------------------------------

GRANTS = Counter(
    "placet_grants_total",
    "Requests for a grant, by what came of them: issued, denied, held, unavailable, or refused.",
    ("outcome",),
)
GRANT_SECONDS = Histogram(
    "placet_grant_seconds", "From a request for grants to its answer.", buckets=_QUICK
)
DECISION_SECONDS = Histogram(
    "placet_decision_seconds",
    "From the opening of a checkpoint to each decision that was recorded on it.",
    buckets=_PEOPLE,
)
CHECKPOINTS = Gauge(
    "placet_checkpoints",
    "Open checkpoints: all that are waiting, and those overdue; counted no further than 10,000.",
    ("state",),
)
CASES = Gauge(
    "placet_cases",
    "Cases that do not go on: stopped for a person to look; standing, since a step fails or nobody "
    "takes it; closed for an hour and not archived. Counted no further than 10,000.",
    ("state",),
)
ENDING = Gauge(
    "placet_identities_ending",
    "Identities that end within a week, or all keys of which do and were not replaced.",
)
OUTBOX = Gauge(
    "placet_outbox_waiting", "Signals that Temporal or a workflow has not heard of; up to 10,000."
)
LEDGER_ENTRIES = Gauge("placet_ledger_entries", "Entries of the ledger.")
UNSIGNED = Gauge(
    "placet_ledger_unsigned_seconds",
    "For how long the oldest entry waits that no signed head covers; 0 if each is covered.",
)
APPENDED = Counter(
    "placet_ledger_appended_total",
    "Entries that this process appended, by type: grants, denials, decisions, and all else.",
    ("type",),
)
APPEND_SECONDS = Histogram(
    "placet_ledger_append_seconds",
    "One transaction of the writer, from its begin, the wait for the lock included, to durable.",
    buckets=_QUICK,
)
WRITES_WAITING = Gauge("placet_ledger_writes_waiting", "Writes that wait for the writer.")
SIGNATURES = Counter("placet_signatures_total", "Signatures made, by what is signed.", ("kind",))
SIGNING_SECONDS = Histogram(
    "placet_signing_seconds", "Making one signature.", ("kind",), buckets=_SIGNING
)
JOB_FAILURES = Counter(
    "placet_job_failures_total", "Runs of the authority's own jobs that failed and are tried again."
)
REQUESTS = Counter(
    "placet_http_requests_total",
    "Requests that were answered, by route and status.",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Histogram(
    "placet_http_request_seconds", "Answering a request.", ("method", "route"), buckets=_QUICK
)

# --- systems of record --------------------------------------------------------------------------

GUARDED = Counter(
    "placet_guarded_requests_total",
    "Requests at a system of record, by what its guard said: admitted, or the error.",
    ("system", "outcome"),
)
FEED_AGE = Gauge(
    "placet_revocation_feed_age_seconds",
    "How old a system's knowledge of ended grants is; infinite before it has any.",
    ("system",),
)

# --- workers ------------------------------------------------------------------------------------

STEPS = Counter(
    "placet_steps_total",
    "Steps that this worker ran, by activity and how they ended: completed, failed or cancelled.",
    ("activity", "outcome"),
)
KEY_OVERDUE = Gauge(
    "placet_worker_key_overdue_seconds",
    "For how long the worker's key should have been replaced; 0 if it is not time yet.",
)
STEP_SECONDS = Histogram(
    "placet_step_seconds",
    "One attempt of a step, grant and settling included.",
    ("activity",),
    buckets=_STEPS,
)


@contextmanager
def signing(kind: str) -> Iterator[None]:
    """Count and time one signature."""
    began = perf_counter()
    yield
    SIGNING_SECONDS.labels(kind).observe(perf_counter() - began)
    SIGNATURES.labels(kind).inc()
