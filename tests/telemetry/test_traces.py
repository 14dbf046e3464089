"""Traces: what joins a step, its grant and what was done under it, across processes."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from placet.telemetry import about, carried, case_span, here, served, span, together, trace_of
from placet.telemetry._spans import Spans
from placet.telemetry._traces import _Switch, end_traces


class Kept:
    """What a process has told."""

    def __init__(self) -> None:
        self.out = InMemorySpanExporter()
        self.spans = Spans("test", self.out)

    def told(self) -> dict[str, ReadableSpan]:
        self.spans._provider.force_flush()
        return {each.name: each for each in self.out.get_finished_spans()}


@pytest.fixture
def kept() -> Iterator[Kept]:
    made = Kept()
    _Switch.spans = made.spans
    yield made
    end_traces()


def ids(told: ReadableSpan) -> tuple[int, int]:
    context = told.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def test_without_a_collector_nothing_is_loaded_and_nothing_is_sent() -> None:
    """Off is off: no library, no header, no wrapper around an application."""
    said = (
        "import sys, placet.telemetry as t\n"
        "t._traces.set_up_traces('x', t.TelemetrySettings())\n"
        "app = object()\n"
        "with t.span('a', case='c'), t.together('b', [t.here()]):\n"
        "    assert t.carried() == {} and t.served(app, 'x') is app\n"
        "assert not [m for m in sys.modules if m.startswith('opentelemetry.sdk')]"
    )
    env = {"PATH": ""}
    subprocess.run([sys.executable, "-c", said], check=True, env=env, timeout=60)


def test_steps_of_a_case_stand_below_its_first_span(kept: Kept) -> None:
    """Each process derives the same ids, and nothing is carried through Temporal."""
    with case_span("case-1", "parcel-check"):
        pass
    with span("step weigh", case="case-1", activity="weigh"), about(grant="grant-1"):
        inner = carried()["traceparent"]
    told = kept.told()
    assert ids(told["case"]) == trace_of("case-1")
    step = told["step weigh"]
    assert step.parent is not None
    assert (step.parent.trace_id, step.parent.span_id) == trace_of("case-1")
    assert inner == "00-{:032x}-{:016x}-01".format(*ids(step))
    assert step.attributes is not None
    assert step.attributes["placet.case"] == "case-1"


async def test_a_request_is_a_span_of_the_trace_that_it_carries(kept: Kept) -> None:
    """By the route's template: a path can name a person. A wrong header is none."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def answer(_: Request) -> Response:
        return Response(status_code=403)

    app: Any = Starlette(routes=[Route("/v1/people/{name}", answer)])
    transport = httpx.ASGITransport(app=served(app, "depot"))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        with span("step", case="case-1"):
            place = here()
            await http.get("/v1/people/dana", headers=carried())
        (asked,) = [each for name, each in kept.told().items() if name.startswith("GET")]
        for wrong in ("00-0-0-00", "x" * 500, "\xff"):
            answered = await http.get(
                "/v1/people/dana", headers={"traceparent": wrong.encode("latin-1")}
            )  # type: ignore[dict-item]  # bytes are taken as well
            assert answered.status_code == 403
    assert asked.name == "GET /v1/people/{name}"
    assert asked.parent is not None
    assert (asked.parent.trace_id, asked.parent.span_id) == (place.trace_id, place.span_id)
    assert asked.attributes == {
        "placet.system": "depot",
        "http.request.method": "GET",
        "http.response.status_code": 403,
        "http.route": "/v1/people/{name}",
    }


def test_what_several_ask_at_once_names_each(kept: Kept) -> None:
    with span("one", case="case-1"):
        first = here()
    with span("two", case="case-2"):
        second = here()
    with together("ask", [first, second, None]):
        pass
    asked = kept.told()["ask"]
    assert asked.parent is not None
    assert asked.parent.span_id == first.span_id
    assert [each.context.span_id for each in asked.links] == [second.span_id]


def test_a_span_says_ids_and_kinds_alone(kept: Kept) -> None:
    """I7: neither what an error says nor anything that is no id of ours."""
    with (
        pytest.raises(ValueError, match="eyJ"),
        span("step", case="case-1", payee="Dana", token="eyJ.x"),
        about(grant="grant-1", record="loan/L-1"),
    ):
        raise ValueError("eyJ: what the packet of Dana said")
    told = kept.told()["step"]
    assert told.attributes == {"placet.case": "case-1", "placet.grant": "grant-1"}
    assert told.events == ()
    assert told.status.description == "ValueError"
