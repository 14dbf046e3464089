"""Whoever is refused because this machine's clock is wrong is told that it is."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from placet.client import AuthorityError, OperatorClient
from placet.tokens import SigningKey

ISSUER = "https://authority.bank.internal"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OLD = {"error": "invalid_dpop_proof", "error_description": "the proof is older than 60 s"}


async def refused(
    off: timedelta, *, status: int = 400, date: str | None = format_datetime(NOON, usegmt=True)
) -> str:
    """What someone is told whose clock is so far off, at a refusal."""
    headers = {} if date is None else {"Date": date}
    said = json.dumps(OLD).encode()

    def answer(request: httpx.Request) -> httpx.Response:
        del request
        return httpx.Response(status, stream=httpx.ByteStream(said), headers=headers)

    async with OperatorClient(
        ISSUER,
        "operator:una",
        SigningKey.generate(),
        clock=lambda: NOON + off,
        transport=httpx.MockTransport(answer),
    ) as una:
        with pytest.raises(AuthorityError) as error:
            await una.governance()
    return str(error.value)


async def test_a_clock_that_is_wrong_is_named() -> None:
    said = await refused(timedelta(hours=-1))
    assert said == (
        "the proof is older than 60 s; this machine's clock is 3,600 s behind the authority's"
    )
    assert "s ahead of the authority's" in await refused(timedelta(hours=1), status=401)


@pytest.mark.parametrize(
    ("off", "status", "date"),
    [
        (0, 400, format_datetime(NOON)),
        (4, 400, format_datetime(NOON)),
        (3600, 403, format_datetime(NOON)),
        (3600, 400, None),
        (3600, 400, "yesterday"),
        (3600, 400, "Tue, 24 Nov 2026 12:00:00 -0000"),
    ],
)
async def test_nothing_is_said_of_a_clock_that_may_be_right(
    off: int, status: int, date: str | None
) -> None:
    said = await refused(timedelta(seconds=off), status=status, date=date)
    assert said == "the proof is older than 60 s"
