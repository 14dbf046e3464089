"""Live change: ids and kinds only, to whoever may see them, and nothing is missed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from placet.client import AuthorityError, OperatorClient
from placet.model import EnrolIdentity, Event
from placet.tokens import SigningKey
from tests.harness.alone import Alone, alone
from tests.harness.world import free_port, serving


@pytest.fixture
async def authority(database_url: str) -> AsyncIterator[Alone]:
    """An authority alone."""
    async with alone(database_url) as made:
        yield made


@contextlib.asynccontextmanager
async def person(authority: Alone, name: str, *roles: str) -> AsyncIterator[OperatorClient]:
    key = SigningKey.generate()
    async with authority.ada() as ada:
        body = EnrolIdentity(jwk=key.public.jwk(), roles=roles)
        await ada.act("operator.enrol", f"operator:{name}", body)
    async with OperatorClient(authority.settings.issuer, f"operator:{name}", key) as client:
        yield client


async def hold(client: OperatorClient, number: int) -> None:
    await client.act("hold.place", f"loan/L-{number}", {"reason": "a test"})


async def ledger_size(client: OperatorClient) -> int:
    return len((await client.get("/v1/ledger/entries?from=0&limit=1024"))["entries"])


async def some(client: OperatorClient, count: int, after: int | None = None) -> list[Event]:
    """The next events, as they come."""
    found: list[Event] = []
    async with asyncio.timeout(20):
        async for event in client.events(after):
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_what_happens_is_told_as_it_happens(authority: Alone) -> None:
    async with authority.ada() as ada, person(authority, "una", "auditor") as una:
        size = await ledger_size(una)
        waiting = asyncio.create_task(some(una, 2, after=size))
        await hold(ada, 1)
        await hold(ada, 2)
        first, second = await waiting
    assert [first.kind, second.kind] == ["hold.placed", "hold.placed"]
    assert size < first.id < second.id


async def test_a_reader_that_comes_back_has_missed_nothing(authority: Alone) -> None:
    """Last-Event-ID: what happened while nobody listened is told first, and nothing twice."""
    async with authority.ada() as ada, person(authority, "una", "auditor") as una:
        seen = await some(una, 2, after=0)
        for number in range(3):
            await hold(ada, number)
        whole = await some(una, 5, after=0)
        later = await some(una, 3, after=seen[-1].id)
    assert whole == [*seen, *later]


async def test_a_reader_hears_of_what_another_process_wrote(authority: Alone) -> None:
    """Every process follows the one ledger: it does not matter which of them answers."""
    second = authority.settings.model_copy(update={"port": free_port()})
    away = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    async with (
        serving(second, away),
        person(authority, "una", "auditor") as una,
        OperatorClient(
            second.issuer, "operator:ada", authority.admin, transport=_Elsewhere(second.port)
        ) as ada,
    ):
        waiting = asyncio.create_task(some(una, 1, after=await ledger_size(una)))
        await hold(ada, 77)
        (heard,) = await waiting
    assert heard.kind == "hold.placed"


class _Elsewhere(httpx.AsyncHTTPTransport):
    """Sends what is for the authority to another of its processes."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=self._port)
        return await super().handle_async_request(request)


async def test_events_hold_ids_and_kinds_alone(authority: Alone) -> None:
    """I7: nothing of a person, a record or a reason goes over a stream that stays open."""
    async with authority.ada() as ada, person(authority, "una", "auditor") as una:
        await hold(ada, 4711)
        headers = await una._headers(f"{una.issuer}/v1/events")  # noqa: SLF001 - raw bytes wanted
        async with (
            httpx.AsyncClient() as http,
            http.stream(
                "GET", f"{una.issuer}/v1/events", headers={**headers, "Last-Event-ID": "0"}
            ) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            said = ""
            async for piece in answer.aiter_text():
                said += piece
                if "hold.placed" in said:
                    break
    for private in ("4711", "a test", "operator:", "ada", "una"):
        assert private not in said


async def test_who_oversees_nothing_hears_of_the_work_alone(authority: Alone) -> None:
    async with (
        authority.ada() as ada,
        person(authority, "una", "auditor") as una,
        person(authority, "cleo", "clerk") as cleo,
    ):
        await hold(ada, 1)
        mine = await some(cleo, 1, after=0)
        all_of_it = await some(una, 2, after=0)
    assert [each.kind for each in mine] == ["hold.placed"]
    assert all(each.kind.startswith("key.") for each in all_of_it)


async def test_a_suspended_person_hears_nothing_more(authority: Alone) -> None:
    """I10: an open stream ends within seconds, and there is no other."""
    async with authority.ada() as ada, person(authority, "una", "auditor") as una:
        listening = asyncio.create_task(some(una, 10_000))
        await ada.act("operator.suspend", "operator:una", {"reason": "a test"})
        async with asyncio.timeout(20):
            with pytest.raises(AuthorityError) as ended:
                await listening
    assert ended.value.problem.reasons == ("I10", "suspended")


async def test_a_stream_outlives_the_authoritys_restart(tmp_path: Path) -> None:
    """The client connects again by itself, and goes on after what it has seen."""
    away = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    async with contextlib.AsyncExitStack() as stack:
        async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as authority:
            ada = await stack.enter_async_context(authority.ada())
            await hold(ada, 1)
            events = ada.events(after=await ledger_size(ada) - 1)
            first = await anext(events)
        waiting = asyncio.create_task(anext(events))
        async with serving(authority.settings, away), asyncio.timeout(20):
            await hold(ada, 2)
            second = await waiting
    assert (first.kind, second.kind) == ("hold.placed", "hold.placed")
    assert second.id > first.id
