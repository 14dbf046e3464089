"""The step's own token, on every way out of the worker: nothing of it leaves (I7)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import BaseModel, model_serializer
from temporalio import activity
from temporalio.exceptions import ApplicationError

from placet.agent import current_grant
from placet.model import Model
from placet.process import StepRequest
from placet.tokens import find_token
from tests.agent.surroundings import SETTLEMENTS, Surroundings
from tests.harness.world import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Weight(Model):
    """A part with room for a mistake."""

    value: str


async def the_token() -> str:
    """The token, as it comes back from a system that repeats what it was sent."""
    return (await current_grant().request("GET", "/echo")).body.decode()


async def _result(token: str) -> Any:
    return {"seen": ["headers", {"authorization": token}]}


async def _half_in_base64(token: str) -> Any:
    import base64

    return base64.b64encode(b"> " + token[-60:].encode()).decode()


async def _error_message(token: str) -> Any:
    raise ValueError(f"the scale refused {token}")


async def _error_details(token: str) -> Any:
    raise ApplicationError("the scale refused", {"request": {"token": token}})


async def _error_type(token: str) -> Any:
    raise ApplicationError("the scale refused", type=token)


async def _cause(token: str) -> Any:
    try:
        raise ConnectionError(token)
    except ConnectionError as error:
        raise ValueError("the scale is away") from error


async def _details_of_a_cause(token: str) -> Any:
    try:
        raise ApplicationError("refused", {"token": token})
    except ApplicationError as error:
        raise ValueError("the scale is away") from error


async def _context(token: str) -> Any:
    try:
        raise ConnectionError(token)
    except ConnectionError:
        raise ValueError("the scale is away")  # noqa: B904 - what happens by mistake


async def _group(token: str) -> Any:
    raise ExceptionGroup("both scales", [ValueError("away"), ConnectionError(token)])


async def _group_in_a_cause(token: str) -> Any:
    inner = ExceptionGroup("one scale", [ApplicationError("refused", token)])
    raise ValueError("no scale") from ExceptionGroup("both scales", [inner])


async def _note(token: str) -> Any:
    error = ValueError("the scale is away")
    error.add_note(f"asked with {token}")
    raise error


async def _cancelled(token: str) -> Any:
    raise asyncio.CancelledError(token)


async def _heartbeat(token: str) -> Any:
    activity.heartbeat({"page": 7}, {"token": token})


async def _heartbeat_swallowed(token: str) -> Any:
    try:
        activity.heartbeat(token)
    except ApplicationError:
        return "fine"


async def _heartbeat_and_another_error(token: str) -> Any:
    try:
        activity.heartbeat(token)
    except ApplicationError:
        raise ValueError("something else") from None


async def _reason(token: str) -> Any:
    current_grant().reason(f"the scale was asked with {token}")
    return "fine"


async def _reason_of_a_failure(token: str) -> Any:
    current_grant().reason(f"the scale was asked with {token}")
    raise ValueError("the scale is away")


async def _part(token: str) -> Any:
    return current_grant().keep("weight", Weight(value=token))


WAYS: dict[str, Callable[[str], Awaitable[Any]]] = {
    way.__name__.strip("_").replace("_", "-"): way
    for way in (
        _result,
        _half_in_base64,
        _error_message,
        _error_details,
        _error_type,
        _cause,
        _details_of_a_cause,
        _context,
        _group,
        _group_in_a_cause,
        _note,
        _cancelled,
        _heartbeat,
        _heartbeat_swallowed,
        _heartbeat_and_another_error,
        _reason,
        _reason_of_a_failure,
        _part,
    )
}


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_a_leak_is_terminal_and_on_the_ledger(
    s: Surroundings, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """I7: whichever way it takes, the token stays inside, and the ledger says what happened."""
    caplog.set_level(logging.DEBUG)
    tokens: list[str] = []

    async def body(request: StepRequest) -> Any:
        tokens.append(await the_token())
        return await WAYS[way](tokens[-1])

    result, case = await s.run(body)
    assert [each[0] for each in result["failed"]] == ["TokenLeak"]
    assert len(tokens) == 1, "a leak is terminal: there is no second attempt"
    assert await s.ends(case) == [("grant.settled", "leaked"), ("grant.leaked", None)]
    (settled,) = [each for each in await s.entries(case) if each["type"] == "grant.settled"]
    assert settled["data"]["parts"] == []
    assert settled["data"]["reasoning_digest"] is None
    assert not find_token(await s.history(case), tokens)
    assert not find_token(caplog.text, tokens)


async def test_what_is_no_leak_is_told_as_it_is(s: Surroundings) -> None:
    """A clean error keeps its own type, words, details and causes."""

    async def body(request: StepRequest) -> Any:
        try:
            try:
                raise OSError("the cable is out")
            except OSError as error:
                raise ConnectionError("no scale at depot D1") from error
        except ConnectionError as error:
            raise ApplicationError(
                "not weighed", {"depot": "D1"}, type="NotWeighed", non_retryable=True
            ) from error

    result, case = await s.run(body)
    assert result["failed"] == [
        ["NotWeighed", "not weighed", [{"depot": "D1"}]],
        ["ConnectionError", "no scale at depot D1", []],
        ["OSError", "the cable is out", []],
    ]
    assert await s.ends(case) == [("grant.settled", "failed")]


async def test_words_that_no_encoding_takes_are_settled_all_the_same(s: Surroundings) -> None:
    """I12: half a character in a reason or an error is no way to leave a grant open."""

    async def body(request: StepRequest) -> Any:
        current_grant().reason("the label says \ud800")
        if activity.info().attempt == 1:
            raise ValueError("the label says \udfff")
        return "weighed"

    result, case = await s.run(body)
    assert result == "weighed"
    assert await s.ends(case) == [("grant.settled", "failed"), ("grant.settled", "completed")]


async def test_a_hidden_context_is_no_leak(s: Surroundings) -> None:
    """A step that keeps a library's words to itself (``from None``) did right."""

    async def body(request: StepRequest) -> Any:
        try:
            raise ConnectionError(await the_token())
        except ConnectionError:
            raise ApplicationError("away", type="Away", non_retryable=True) from None

    result, case = await s.run(body)
    assert result["failed"] == [["Away", "away", []]]
    assert await s.ends(case) == [("grant.settled", "failed")]


async def test_what_can_not_be_looked_at_does_not_leave(
    s: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    """I7: an error or result that no converter takes is replaced, and the grant settled."""
    tokens: list[str] = []

    class Unspeakable(BaseModel):
        @model_serializer
        def tell(self) -> str:
            raise ValueError(tokens[-1])

    async def body(request: StepRequest) -> Any:
        tokens.append(await the_token())
        if len(tokens) == 1:
            raise ApplicationError("refused", Unspeakable())
        if len(tokens) == 2:
            return object()
        return "weighed"

    result, case = await s.run(body)
    assert result == "weighed"
    assert await s.ends(case) == [
        ("grant.settled", "failed"),
        ("grant.settled", "failed"),
        ("grant.settled", "completed"),
    ]
    assert not find_token(await s.history(case), tokens)
    assert not find_token(caplog.text, tokens)


async def test_what_was_looked_at_is_what_leaves(s: Surroundings) -> None:
    """I7: heartbeat details and results that change after the look are sent as they were."""
    held = s.gate.held[SETTLEMENTS] = asyncio.Event()
    tokens: list[str] = []
    result: dict[str, Any] = {"page": 8}
    seen: list[Any] = []

    async def body(request: StepRequest) -> Any:
        seen.append(activity.info().heartbeat_details)
        if len(seen) == 1:
            tokens.append(await the_token())
            progress: dict[str, Any] = {"page": 7}
            activity.heartbeat(progress)
            progress["token"] = tokens[0]
            held.set()
            raise ApplicationError("again")
        held.clear()
        return result

    async def looked_at() -> bool:
        return len(seen) == 2 and s.gate.seen[SETTLEMENTS] == before + 2

    before = s.gate.seen[SETTLEMENTS]
    async with s.working(body):
        handle = await s.open()
        await until(looked_at)
        result["token"] = tokens[0]
        held.set()
        assert await s.ending(handle) == {"page": 8}
    assert seen == [[], [{"page": 7}]]
    assert not find_token(await s.history(handle.id), tokens)
