"""Metrics by Prometheus's conventions, and health, as a scraper and a balancer see them."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from placet.telemetry import Health, TelemetrySettings, _health, _serving, metrics, serve_metrics
from placet.telemetry._serving import make_metrics_app
from placet.transport import Serving, TlsSettings, Transport, bind
from tests.harness.world import free_port, until
from tests.transport.certificates import Authority

OURS = [each for each in vars(metrics).values() if isinstance(each, Counter | Gauge | Histogram)]


@pytest.mark.parametrize("metric", OURS, ids=lambda each: each._name)
def test_names_follow_the_convention(metric: Any) -> None:
    """A prefix, a unit that is a base unit and comes last, and no id among the labels."""
    name = f"{metric._name}_total" if isinstance(metric, Counter) else metric._name
    assert re.fullmatch(r"placet(_[a-z]+)+", name)
    assert name.endswith("_total") == isinstance(metric, Counter)
    if isinstance(metric, Histogram):
        assert name.endswith("_seconds")
    assert metric._documentation.endswith(".")
    assert not {"case", "grant", "record", "subject", "operator"} & set(metric._labelnames)


def test_every_metric_is_written_down() -> None:
    """The page names those that there are, and no other."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md").read_text()
    rows = re.findall(r"^\| `(placet_\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == {
        f"{each._name}_total" if isinstance(each, Counter) else each._name: set(each._labelnames)
        for each in OURS
    }


def asking(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://here")


async def _passes() -> None:
    return None


async def _fails() -> None:
    raise ConnectionError("away, at a secret place")


async def _waits() -> None:
    await asyncio.Event().wait()


async def test_ready_while_every_part_answers() -> None:
    """Who is away is named, and not why: that is in the log."""
    health = Health({"store": _passes, "temporal": _fails})
    async with asking(make_metrics_app(health, _passes)) as http:
        assert (await http.get("/livez")).json() == {"status": "ok"}
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json() == {"status": "away", "parts": {"store": "ok", "temporal": "away"}}


async def test_a_part_that_hangs_is_away_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a database whose machine stands still: what asks it waits in a thread, cancelled or not."""
    monkeypatch.setattr(_health, "PATIENCE", 0.01)
    asked, answers = 0, asyncio.Event()

    async def hangs() -> None:
        nonlocal asked
        asked += 1
        waiting = asyncio.ensure_future(answers.wait())
        while not waiting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(waiting)

    async with asking(make_metrics_app(Health({"database": hangs}), _passes)) as http:
        for _ in range(3):
            async with asyncio.timeout(60):
                assert (await http.get("/readyz")).status_code == 503
                assert "placet_part_ready" in (await http.get("/metrics")).text
        assert asked == 1
        answers.set()
        await until(lambda: _ready(http))


async def _ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def test_ready_without_what_only_some_of_the_work_needs() -> None:
    """People decide while Temporal is away: what they sign waits in the outbox."""
    health = Health({"store": _passes}, optional={"temporal": _fails})
    async with asking(make_metrics_app(health, _passes)) as http:
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ok", "parts": {"store": "ok", "temporal": "away"}}


async def test_not_ready_once_it_is_told_to_stop() -> None:
    health = Health({"store": _passes})
    async with asking(make_metrics_app(health, _passes)) as http:
        assert (await http.get("/readyz")).status_code == 200
        health.stop()
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/livez")).status_code == 200


async def test_what_is_away_is_a_number_that_an_alert_can_look_at() -> None:
    """Nobody is told at night what a balancer sees."""
    health = Health({"store": _fails}, optional={"temporal": _passes})
    async with asking(make_metrics_app(health, _fails)) as http:
        text = (await http.get("/metrics")).text
    assert 'placet_part_ready{part="store"} 0.0' in text
    assert 'placet_part_ready{part="temporal"} 1.0' in text


async def test_when_the_certificate_ends_is_told(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("authority")
    by = Transport(TlsSettings(certificate=pair.certificate, key=pair.key))
    async with asking(make_metrics_app(Health({}), _passes, by)) as http:
        await http.get("/metrics")
    assert metrics.CERTIFICATE_END._value.get() == pair.ends.timestamp()


@pytest.mark.parametrize("away", [_fails, _waits])
async def test_metrics_are_told_although_the_store_is_away(
    away: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage is when they are looked at; one that answers nothing, too."""
    monkeypatch.setattr(_serving, "PATIENCE", 0.01)
    async with asking(make_metrics_app(Health({}), away)) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200
    names = {each.name for each in text_string_to_metric_families(answer.text)}
    assert {"placet_grants", "placet_ledger_entries", "process_cpu_seconds"} <= names


async def test_they_are_served_at_a_port_of_their_own() -> None:
    port = free_port()
    async with (
        serve_metrics(TelemetrySettings(port=port), Health({})),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        assert "placet_grants_total" in (await http.get("/metrics")).text
        assert (await http.get("/readyz")).status_code == 200
        assert (await http.get("/v1/cases")).status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_signature_is_counted_and_timed() -> None:
    before = metrics.SIGNATURES.labels("test")._value.get()
    with metrics.signing("test"):
        pass
    assert metrics.SIGNATURES.labels("test")._value.get() == before + 1
    one = CollectorRegistry()
    one.register(metrics.SIGNING_SECONDS)
    assert b'placet_signing_seconds_count{kind="test"}' in generate_latest(one)


async def test_a_server_that_is_told_to_stop_answers_what_is_under_way() -> None:
    """I11: the request that came before is answered; one that comes after is refused, unheard."""
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        entered.set()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    port = free_port()
    config = uvicorn.Config(slow, log_config=None, lifespan="off")
    server = Serving(config)
    serving = asyncio.create_task(server.serve(sockets=[bind("127.0.0.1", port)]))
    assert await server.up(serving)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        first = asyncio.create_task(http.get("/"))
        await entered.wait()
        server.should_exit = True

        async def refused() -> bool | None:
            try:
                await http.get("/", headers={"Connection": "close"}, timeout=0.2)
            except httpx.ConnectError:
                return True
            except httpx.HTTPError:
                return None
            return None

        await until(refused)
        assert not serving.done()
        go.set()
        assert (await first).text == "done"
        await serving
