"""``PLACET_TELEMETRY_*``: what each process tells of itself, and where."""

from enum import StrEnum

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from placet.settings import Settings


class LogForm(StrEnum):
    """How a line of the log is written."""

    PLAIN = "plain"
    JSON = "json"


class LogLevel(StrEnum):
    """From which level on our own lines are written; others' libraries are heard from warning."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class TelemetrySettings(Settings):
    """Logs, metrics and health of one process: the authority, the systems of record, a worker.

    With ``port`` it serves ``/metrics``, ``/livez`` and ``/readyz`` there, on ``host``; without it,
    nothing. The authority and the systems of record answer ``/livez`` and ``/readyz`` at their own
    addresses as well.

    ``traces_url`` is a collector's address for OTLP over HTTP (``http://collector:4318``); without
    it OpenTelemetry's own ``OTEL_EXPORTER_OTLP_ENDPOINT`` counts, and without both there are none.
    """

    model_config = SettingsConfigDict(env_prefix="PLACET_TELEMETRY_", frozen=True, extra="ignore")

    log_form: LogForm = LogForm.PLAIN
    log_level: LogLevel = LogLevel.INFO
    host: str = "127.0.0.1"
    traces_url: str | None = Field(default=None, pattern=r"^https?://[^?#\s]+$")
    port: int | None = Field(default=None, ge=1, le=65535)
