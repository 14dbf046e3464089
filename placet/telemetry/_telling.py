"""What a process tells while it runs: its log, and its traces where they are wanted."""

import contextlib
import logging
from collections.abc import Iterator

from placet.telemetry._logs import set_up_logs
from placet.telemetry._settings import TelemetrySettings
from placet.telemetry._traces import end_traces, set_up_traces


@contextlib.contextmanager
def telling(service: str, settings: TelemetrySettings) -> Iterator[None]:
    """Write the log and send spans under a service's name, until the block ends.

    Raises:
        NoTraces: traces are wanted, and the libraries are not installed.
    """
    root = logging.getLogger()
    before = root.handlers[:]
    set_up_logs(settings)
    set_up_traces(service, settings)
    try:
        yield
    finally:
        end_traces()
        root.handlers[:] = before  # ours writes to a stream that may be closed from here on
