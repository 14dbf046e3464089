"""The rehearsed authority: what a system's own tests find with it, in this process alone.

That it says and gives what the real one does: ``test_a_system_from_a_page.py``.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from placet.model import UseStage
from placet.resource import Guard, Refused
from placet.resource.testing import RehearsedAuthority

ACTION, RECORD, PATH = "book:read", "book/1", "/books/1"


def library(guard: Guard, route: str) -> Starlette:
    """A system whose route is guarded well, or has one fault."""

    async def read(request: Request) -> JSONResponse:
        book = request.path_params["book"]
        if route == "of-any-record":
            token = request.headers.get("Authorization", "").partition(" ")[2]
            book = records.get(token, book)
        if route != "unguarded":
            await guard.require(request, action=ACTION, record=f"book/{book}")
        return JSONResponse({})

    async def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Refused)
        status = 400 if route == "with-statuses-of-its-own" else error.status
        return JSONResponse(error.problem.model_dump(), status)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with guard.following():
            yield

    records: dict[str, str] = {}
    app = Starlette(
        routes=[Route("/books/{book}", read)],
        exception_handlers={Refused: refused},
        lifespan=lifespan,
    )
    app.state.records = records
    return app


@pytest.mark.parametrize(
    ("route", "found"),
    [
        ("well-guarded", set[str]()),
        ("of-any-record", {"for another record"}),
        ("unguarded", {"all"}),
        ("with-statuses-of-its-own", {"all"}),
    ],
)
def test_what_a_route_lets_through_is_found_by_name(route: str, found: set[str]) -> None:
    authority = RehearsedAuthority("library")
    app = library(authority.guard(), route)
    with TestClient(app) as http:
        right = authority.grant(ACTION, RECORD)
        assert http.get(PATH, headers=right.headers("GET", PATH)).status_code == 200
        wrong = authority.wrong("GET", PATH, action=ACTION, record=RECORD)
        token = wrong["for another record"].headers["Authorization"].partition(" ")[2]
        app.state.records[token] = "0"  # as if the system asked the grant which record it is for
        other = {
            name
            for name, each in wrong.items()
            if http.get(PATH, headers=each.headers).status_code != each.status
        }
    assert len(wrong) == 14
    assert other == (set(wrong) if found == {"all"} else found)


def test_what_was_told_is_waited_for_and_counted() -> None:
    authority = RehearsedAuthority("library")
    with pytest.raises(AssertionError, match=r"told of 0 uses, not 1: \[\]"):
        authority.told(1, seconds=0)


async def test_replicas_tell_one_authority_each_use_once() -> None:
    authority = RehearsedAuthority("library")
    async with authority.guard().following() as one, authority.guard().following() as other:
        shown = authority.grant(ACTION, RECORD)
        scope = {
            "type": "http",
            "method": "GET",
            "path": PATH,
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in shown.headers("GET", PATH).items()
            ],
        }
        grant = await one.require(Request(scope), action=ACTION, record=RECORD)
        await one.record_intent(grant, "intent-of-a-test", "sha-256:" + "A" * 43)
        use = other.use(grant, "result-of-a-test", UseStage.RESULT, 200)
        for _ in range(2):
            assert (await other.link.tell((use,))).refused == {}
        before = {"id": "dated-too-early-1", "used_at": use.used_at - timedelta(minutes=5)}
        early = use.model_copy(update=before)
        refused = (await other.link.tell((early,))).refused
        assert refused == {early.id: "it was used before the grant was given"}
    assert [each.stage for each in authority.told(2)] == [UseStage.INTENT, UseStage.RESULT]
    with pytest.raises(AssertionError, match="told of 2 uses, not 1: .'intent 0', 'result 200'"):
        authority.told(1)
