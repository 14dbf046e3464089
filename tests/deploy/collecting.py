"""A collector of traces: OTLP over HTTP, kept in memory."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Told:
    """One span as a collector takes it."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    links: tuple[str, ...]
    said: dict[str, Any]
    raw: bytes


@dataclass
class Collector:
    """Where it is, and what it was told."""

    address: str
    told: list[Told] = field(default_factory=list)

    def take(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            service = next(
                each.value.string_value
                for each in group.resource.attributes
                if each.key == "service.name"
            )
            for scope in group.scope_spans:
                for each in scope.spans:
                    self.told.append(
                        Told(
                            service,
                            each.name,
                            each.trace_id.hex(),
                            each.span_id.hex(),
                            each.parent_span_id.hex(),
                            tuple(link.span_id.hex() for link in each.links),
                            {
                                one.key: one.value.string_value or one.value.int_value
                                for one in each.attributes
                            },
                            each.SerializeToString(),
                        )
                    )


@contextlib.asynccontextmanager
async def collecting(port: int) -> AsyncIterator[Collector]:
    """Serve one on loopback."""
    made = Collector(f"127.0.0.1:{port}")

    async def traces(request: web.Request) -> web.Response:
        made.take(ExportTraceServiceRequest.FromString(await request.read()))
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")

    app = web.Application(client_max_size=2**26)
    app.router.add_post("/v1/traces", traces)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield made
    finally:
        await runner.cleanup()
