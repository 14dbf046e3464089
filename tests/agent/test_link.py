"""What a worker makes of the authority's answers, over real HTTP."""

from datetime import timedelta

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.exceptions import ApplicationError

from placet.agent._config import AgentConfig
from placet.agent._link import AuthorityLink
from placet.clock import system_clock
from placet.model import InputPart, Part
from placet.tokens import SigningKey
from tests.agent.surroundings import serving
from tests.harness.world import free_port


@pytest.mark.parametrize(
    ("told", "waits"),
    [
        ("7", timedelta(seconds=7)),
        ("0", timedelta(seconds=1)),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-3", None),
        ("²", None),
    ],
)
async def test_a_step_that_asked_too_often_waits_as_long_as_it_is_told(
    told: str | None, waits: timedelta | None
) -> None:
    """Or all of an agent's steps would come again in the second in which they were refused."""

    async def too_much(_: Request) -> Response:
        problem = {
            "error": "slow_down",
            "error_description": "too many requests",
            "reasons": ["limit", "requests"],
        }
        answer = JSONResponse(problem, status_code=429)
        if told is not None:
            answer.raw_headers.append((b"retry-after", told.encode("latin-1")))
        return answer

    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    app = Starlette(routes=[Route("/v1/cases/c/keys", too_much, methods=["GET"])])
    async with serving(app, port), aiohttp.ClientSession() as session:
        config = AgentConfig("scale", SigningKey.generate(), issuer, {})
        link = AuthorityLink(config, session, system_clock)
        with pytest.raises(ApplicationError, match="too many requests") as refused:
            await link.send("GET", "/v1/cases/c/keys", None)
    assert refused.value.type == "Unavailable"
    assert not refused.value.non_retryable
    assert refused.value.next_retry_delay == waits


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            JSONResponse(
                {"error": "temporarily_unavailable", "error_description": "system depot is away"},
                status_code=503,
            ),
            "the authority answered temporarily_unavailable: system depot is away",
        ),
        (Response("<html>", status_code=502), "the authority answered 502"),
    ],
)
async def test_what_the_authority_lacks_is_told_to_whoever_waits_for_it(
    answer: Response, said: str
) -> None:
    async def away(_: Request) -> Response:
        return answer

    port = free_port()
    app = Starlette(routes=[Route("/v1/cases/c/keys", away, methods=["GET"])])
    async with serving(app, port), aiohttp.ClientSession() as session:
        config = AgentConfig("scale", SigningKey.generate(), f"http://127.0.0.1:{port}", {})
        link = AuthorityLink(config, session, system_clock)
        with pytest.raises(ApplicationError) as refused:
            await link.send("GET", "/v1/cases/c/keys", None)
    assert (refused.value.message, refused.value.type) == (said, "Unavailable")


async def test_a_part_that_is_not_what_its_digest_says_is_never_read() -> None:
    """I13: the agent signs that it has read what the digest names."""
    part = Part(name="weight", record="depot/D1/parcel/7", salt="A" * 43, data={"value": "4.2"})
    given = InputPart(part=part, digest=part.digest, agent="agent:scale")

    async def other(_: Request) -> Response:
        told = given.model_dump(mode="json", exclude_none=True)
        told["part"]["data"]["value"] = "4.3"
        return JSONResponse({"parts": [told]})

    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    app = Starlette(routes=[Route("/v1/grants/g/inputs/weight", other, methods=["GET"])])
    async with serving(app, port), aiohttp.ClientSession() as session:
        config = AgentConfig("second-scale", SigningKey.generate(), issuer, {})
        link = AuthorityLink(config, session, system_clock)
        with pytest.raises(ApplicationError, match="not what their digests say"):
            await link.inputs("g", "weight")
