"""Spans as OpenTelemetry's SDK makes them; loaded only where traces are on."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from placet.telemetry._traces import NAMES, trace_of

_SEND_SECONDS = 8
"""Seconds for one try to send spans: a process that stops does not wait for a collector."""

_ALLOWED = frozenset(NAMES)
_W3C = TraceContextTextMapPropagator()


def exporter(url: str | None) -> SpanExporter:
    """Sends to a collector by OTLP over HTTP; without an address, as OTEL_EXPORTER_OTLP_… say."""
    if url is None:
        return OTLPSpanExporter(timeout=_SEND_SECONDS)
    return OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=_SEND_SECONDS)


class _Ids(RandomIdGenerator):
    """Random ids, but for the first span of a case."""

    def __init__(self) -> None:
        self.wanted: ContextVar[tuple[int, int] | None] = ContextVar("wanted", default=None)

    def generate_trace_id(self) -> int:
        wanted = self.wanted.get()
        return super().generate_trace_id() if wanted is None else wanted[0]

    def generate_span_id(self) -> int:
        wanted = self.wanted.get()
        return super().generate_span_id() if wanted is None else wanted[1]


class Spans:
    """One process's spans."""

    def __init__(self, service: str, out: SpanExporter) -> None:
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": service}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(out))
        self._tracer = self._provider.get_tracer("placet")

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    @contextlib.contextmanager
    def open(
        self,
        name: str,
        *,
        case: str | None = None,
        said: Mapping[str, Any],
        context: Context | None = None,
        links: Sequence[Link] = (),
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[Span]:
        """Open a span; see :func:`placet.telemetry.span`."""
        if case is not None:
            context, said = _below(case), {**said, "case": case}
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            attributes=_attributes(said),
            links=links,
            record_exception=False,  # what an error says may be anything
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    @contextlib.contextmanager
    def first(self, case: str, said: Mapping[str, Any]) -> Iterator[None]:
        """The first span of a case, under the ids that are derived from it."""
        token = self._ids.wanted.set(trace_of(case))
        try:
            span = self._tracer.start_span(
                "case", context=Context(), kind=SpanKind.PRODUCER, attributes=_attributes(said)
            )
        finally:
            self._ids.wanted.reset(token)
        with trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            yield

    def mark(self, said: Mapping[str, Any]) -> None:
        """Say ids on the open span."""
        trace.get_current_span().set_attributes(_attributes(said))

    def note(self, event: str, said: Mapping[str, Any]) -> None:
        """Note an event on the open span."""
        trace.get_current_span().add_event(event, _attributes(said))

    def carried(self) -> dict[str, str]:
        """The headers that carry the open span."""
        headers: dict[str, str] = {}
        _W3C.inject(headers)
        return headers

    def here(self) -> SpanContext:
        """The open span's place."""
        return trace.get_current_span().get_span_context()

    @contextlib.contextmanager
    def together(self, name: str, places: Sequence[Any]) -> Iterator[None]:
        """One span for what several asked."""
        first, *others = [
            each for each in places if isinstance(each, SpanContext) and each.is_valid
        ] or [trace.INVALID_SPAN_CONTEXT]
        context = trace.set_span_in_context(NonRecordingSpan(first), Context())
        links = [Link(each) for each in others]
        with self.open(name, said={}, context=context, links=links, kind=SpanKind.CLIENT):
            yield

    def served(self, app: Any, system: str) -> Any:
        """The application with a span for each request."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            given = [value for name, value in scope["headers"] if name == b"traceparent"]
            carrier = {"traceparent": given[0].decode("latin-1")} if len(given) == 1 else {}
            context = _W3C.extract(carrier, Context())
            said = {"system": system, "method": scope["method"]}
            with self.open(
                scope["method"], said=said, context=context, kind=SpanKind.SERVER
            ) as span:

                async def sending(message: Any) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attributes(_attributes({"status": message["status"]}))
                    await send(message)

                try:
                    await app(scope, receive, sending)
                finally:
                    # The route's template: a path can name a person.
                    route = getattr(scope.get("route"), "path", "")
                    span.update_name(f"{scope['method']} {route}".rstrip())
                    span.set_attributes(_attributes({"route": route}))

        return serve


def _below(case: str) -> Context:
    trace_id, span_id = trace_of(case)
    first = SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return trace.set_span_in_context(NonRecordingSpan(first), Context())


def _attributes(said: Mapping[str, Any]) -> dict[str, str | int]:
    return {NAMES[name]: value for name, value in said.items() if name in _ALLOWED and value != ""}
