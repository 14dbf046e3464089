"""Three authorities on one PostgreSQL: any may be killed, and nothing is lost, doubled or missed."""

import asyncio
import contextlib
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client

from placet.audit import verify
from placet.authority import AuthoritySettings
from placet.authority._store import Grant, LedgerEntry, Reader, Store
from placet.cli import fetch_log
from placet.client import AuthorityAway, OperatorClient
from placet.model import CheckpointView, Verdict
from placet.tokens import make_client_assertion, make_proof
from tests.harness.databases import new_database
from tests.harness.replicas import Replicas, replicas
from tests.harness.world import World, until, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
T = TypeVar("T")
CASES = 5
RESOLVED = "checkpoint.resolved"


@pytest.fixture(scope="module")
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a new PostgreSQL database."""
    with new_database(request, "postgresql", tmp_path_factory.mktemp("database")) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(
    temporal: Client, database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[World, Replicas]]:
    """A world whose authority is three processes behind a balancer; one dies at its first grant."""
    started: list[Replicas] = []

    @contextlib.asynccontextmanager
    async def serve(settings: AuthoritySettings, client: Client) -> AsyncIterator[None]:
        async with replicas(settings, client, {"b": "grant.before-answer"}) as each:
            started.append(each)
            yield

    folder = tmp_path_factory.mktemp("world")
    async with world(temporal, folder, database, serve=serve) as w:
        yield w, started[0]


class _Past(httpx.AsyncHTTPTransport):
    """A way to one replica, past the balancer: it is still asked under the issuer's name."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it to that port."""
        request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


def at(w: World, three: Replicas, name: str, person: str) -> OperatorClient:
    """Someone who asks one replica alone."""
    return OperatorClient(
        w.issuer, f"operator:{person}", w.keys[person], transport=_Past(three.ports[name])
    )


async def asked(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until it is answered: a replica may die over the request."""

    async def look() -> list[T]:
        try:
            return [await ask()]
        except AuthorityAway:
            return []

    (answer,) = await until(look)
    return answer


async def test_a_jti_is_taken_once_by_all_together(made: tuple[World, Replicas]) -> None:
    """I7, I11: one request, sent to all three at the same instant, is answered by one of them."""
    w, three = made
    url = f"{w.issuer}/v1/keys/mine"
    key = w.agents["scale"]

    async def replay(http: httpx.AsyncClient) -> list[int]:
        now, jti = datetime.now(UTC), secrets.token_urlsafe(18)
        headers = {
            "Client-Assertion": make_client_assertion(
                key, "agent:scale", issuer=w.issuer, now=now, jti=jti
            ),
            "DPoP": make_proof(key, "GET", url, now=now, jti=jti),
        }
        sent = (http.get(f"{three.url(name)}/v1/keys/mine", headers=headers) for name in "abc")
        return sorted(answer.status_code for answer in await asyncio.gather(*sent))

    async with httpx.AsyncClient() as http:
        answers = await asyncio.gather(*(replay(http) for _ in range(8)))
    assert answers == [[200, 401, 401]] * 8


async def test_killed_replicas_lose_and_double_nothing(
    made: tuple[World, Replicas], database: str
) -> None:
    """I4, I11: two of three die in the middle of many cases; each ends once, and the log is one."""
    w, three = made
    una, cleo, pat = w.people["una"], w.people["cleo"], w.people["pat"]

    async def heard_at_c(checkpoint: str, signed: str) -> None:
        """I5: whoever listens at one replica hears of what was decided at another."""
        async with at(w, three, "c", "una") as there, at(w, three, "a", "cleo") as here:
            told = there.listen()
            await anext(told)  # it tells from now on
            await here.send_decision(checkpoint, signed)
            async with asyncio.timeout(60):
                async for each in told:
                    event = each.event
                    if event and (event.kind, event.checkpoint) == (RESOLVED, checkpoint):
                        return
        raise AssertionError("the stream ended")

    async def one(number: int) -> str:
        subject = f"depot/D3/parcel/{number}"

        async def opened() -> str:
            there = [each for each in await una.cases() if each.subject == subject]
            case = there[0].id if there else (await pat.open_case("parcel-check", subject)).case
            assert case is not None
            return case

        case = await asked(opened)
        w.started.append(case)

        async def waiting() -> CheckpointView | None:
            found = await asked(lambda: una.checkpoints("open", case))
            return found[0] if found else None

        checkpoint = await until(waiting, 90)
        signed = cleo.sign_decision(
            checkpoint, Verdict.APPROVE, amount=checkpoint.evidence.proposal.amount
        )
        if number == 0:
            await heard_at_c(checkpoint.id, signed)
            three.kill("c")
        await asked(lambda: cleo.send_decision(checkpoint.id, signed))

        async def closed() -> str | None:
            return (await asked(lambda: una.case(case))).result

        return str(await until(closed, 90))

    async with w.workers():
        results = await asyncio.gather(*(one(number) for number in range(CASES)))
    assert results == ["dispatched"] * CASES
    assert [three.processes[name].poll() is None for name in "abc"] == [True, False, False]

    def read(reader: Reader) -> tuple[list[Grant], list[dict[str, Any]]]:
        entries = reader.all(LedgerEntry, order_by=[LedgerEntry.index])
        return reader.all(Grant), [json.loads(each.content) for each in entries]

    async with await Store.open(database, origin=w.settings.origin) as store:
        grants, entries = await store.read(read)

    def counted(type_: str) -> Counter[str]:
        return Counter(each["data"].get("grant") for each in entries if each["type"] == type_)

    assert counted("grant.issued") == Counter(grant.id for grant in grants)
    assert set(counted("grant.settled").values()) == {1}
    assert not [grant.id for grant in grants if grant.status == "issued"]
    done = Counter(
        (each["case"], steps[each["data"]["grant"]])
        for steps in [{grant.id: grant.activity_type for grant in grants}]
        for each in entries
        if each["type"] == "grant.settled" and each["data"]["outcome"] == "completed"
    )
    assert {done[case, "dispatch"] for case in w.started} == {1}
    decided = Counter(each["case"] for each in entries if each["type"] == "decision.recorded")
    assert decided == Counter(w.started)
    assert verify(await fetch_log(una)).troubles == ()
