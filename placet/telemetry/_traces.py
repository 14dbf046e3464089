"""Traces: one for each case, which joins its workflow, its steps, their grants and what they did.

1. Off unless an address is set, and without cost then: no library is loaded, and each call here
   comes back at once.
2. A case's trace and its first span are derived from the case's id. So every process joins the case
   without anything being carried through Temporal's history, where an auditor would meet it (I9).
3. Over HTTP the place in the trace is carried by W3C's ``traceparent``. Nothing rests on it: who
   invents one gets spans in another trace.
4. (I7) A span holds ids, kinds and the names of errors: never a token, a record or what an error
   says.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from placet.telemetry._settings import TelemetrySettings

if TYPE_CHECKING:
    from placet.telemetry._spans import Spans

NAMES = {
    "case": "placet.case",
    "grant": "placet.grant",
    "checkpoint": "placet.checkpoint",
    "activity": "placet.activity",
    "attempt": "placet.attempt",
    "agent": "placet.agent",
    "system": "placet.system",
    "action": "placet.action",
    "process": "placet.process",
    "outcome": "placet.outcome",
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
}
"""What a span may say, and the name of each attribute."""

_STANDARD = "OTEL_EXPORTER_OTLP_ENDPOINT"


class NoTraces(Exception):
    """Traces are wanted and can't be made; the message says what is missing."""


class _Switch:
    spans: "Spans | None" = None


def set_up_traces(service: str, settings: TelemetrySettings) -> None:
    """Send this process's spans to the collector that is set, if one is.

    Raises:
        NoTraces: the libraries are not installed.
    """
    if settings.traces_url is None and not os.environ.get(_STANDARD):
        return
    try:
        # An extra: who sends no traces needs none of it.
        from placet.telemetry._spans import Spans, exporter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NoTraces(f"traces need placet[traces]: {error.name} is missing") from None
    _Switch.spans = Spans(service, exporter(settings.traces_url))


def end_traces() -> None:
    """Send what is left, for a few seconds at most, and be off again."""
    spans, _Switch.spans = _Switch.spans, None
    if spans is not None:
        spans.close()


@contextlib.contextmanager
def span(name: str, *, case: str | None = None, **said: str | int) -> Iterator[None]:
    """A span below the one that is open here, or below the case's first where a case is named."""
    spans = _Switch.spans
    if spans is None:
        yield
        return
    with spans.open(name, case=case, said=said):
        yield


@contextlib.contextmanager
def case_span(case: str, process: str) -> Iterator[None]:
    """The first span of a case: its workflow is started."""
    spans = _Switch.spans
    if spans is None:
        yield
        return
    with spans.first(case, {"case": case, "process": process}):
        yield


def mark(said: Mapping[str, Any]) -> None:
    """Say ids on the span that is open here."""
    if _Switch.spans is not None:
        _Switch.spans.mark(said)


def note(event: str, **said: str | int) -> None:
    """Note something that happened within the span that is open here."""
    if _Switch.spans is not None:
        _Switch.spans.note(event, said)


def carried() -> dict[str, str]:
    """The headers that carry this place in the trace to whom is asked; none while it is off."""
    return {} if _Switch.spans is None else _Switch.spans.carried()


def here() -> Any:
    """This place in the trace, for :func:`together`."""
    return None if _Switch.spans is None else _Switch.spans.here()


@contextlib.contextmanager
def together(name: str, places: Sequence[Any]) -> Iterator[None]:
    """A span for what several asked at once: below the first of them, with links to the rest."""
    spans = _Switch.spans
    if spans is None:
        yield
        return
    with spans.together(name, places):
        yield


def served(app: Any, system: str) -> Any:
    """The application with a span for each request; as it is, while traces are off."""
    return app if _Switch.spans is None else _Switch.spans.served(app, system)


def trace_of(case: str) -> tuple[int, int]:
    """A case's trace id and the id of its first span (W3C: never zero)."""
    digest = sha256(f"placet case {case}".encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1
