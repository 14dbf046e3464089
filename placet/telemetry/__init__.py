"""What a process tells of itself: logs, metrics, traces, and whether it is up.

Nothing here decides. No token, key or signature input comes in (I7): what is told of a step is ids,
kinds and seconds.
"""

from placet.telemetry import metrics
from placet.telemetry._health import Check, Health
from placet.telemetry._logs import about, now_about, without_tokens
from placet.telemetry._serving import serve_metrics
from placet.telemetry._settings import TelemetrySettings
from placet.telemetry._telling import telling
from placet.telemetry._traces import (
    NoTraces,
    carried,
    case_span,
    here,
    note,
    served,
    span,
    together,
    trace_of,
)

__all__ = [
    "Check",
    "Health",
    "NoTraces",
    "TelemetrySettings",
    "about",
    "carried",
    "case_span",
    "here",
    "metrics",
    "note",
    "now_about",
    "serve_metrics",
    "served",
    "span",
    "telling",
    "together",
    "trace_of",
    "without_tokens",
]
