"""What a process tells of itself: logs, metrics, traces, and whether it is up.

Nothing here decides. No token, key or signature input comes in (I7): what is told of a step is ids,
kinds and seconds.
"""

from placet.telemetry import metrics
from placet.telemetry._health import Check, Health
from placet.telemetry._logs import about, now_about, set_up_logs
from placet.telemetry._serving import STOP_SECONDS, Serving, bind, serve_metrics
from placet.telemetry._settings import TelemetrySettings

__all__ = [
    "STOP_SECONDS",
    "Check",
    "Health",
    "Serving",
    "TelemetrySettings",
    "about",
    "bind",
    "metrics",
    "now_about",
    "serve_metrics",
    "set_up_logs",
]
