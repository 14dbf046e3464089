"""The codec server: what the authority says of later is passed on."""

from typing import cast

import httpx
import pytest

from placet.cli._codec import codec_app
from placet.client import AuthorityAway, AuthorityError, OperatorClient
from placet.model import EncodedPayloads, Problem

UI = "https://temporal.test"


class Answering:
    """An operator's client that gets one answer."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def open_payloads(self, _case: str, _payloads: EncodedPayloads) -> EncodedPayloads:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthorityError(429, Problem(error="slow_down", error_description="later")), 429),
        (AuthorityError(503, Problem(error="unavailable", error_description="later")), 503),
        (AuthorityError(404, Problem(error="not_found", error_description="no case")), 403),
        (AuthorityAway("the authority does not answer"), 503),
    ],
)
async def test_what_may_be_otherwise_in_a_moment_is_no_refusal(
    error: Exception, status: int
) -> None:
    app = codec_app(cast("OperatorClient", Answering(error)), UI, "word")
    sealed = {"metadata": {"encoding": "YmluYXJ5L3BsYWNldC1hZXMtZ2Nt"}, "data": "AA=="}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1"
    ) as browser:
        answer = await browser.post(
            "/word/decode", json={"payloads": [sealed]}, headers={"Origin": UI}
        )
    assert (answer.status_code, answer.json()["message"]) == (status, str(error))
