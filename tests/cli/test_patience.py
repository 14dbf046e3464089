"""A client that is told to come later does so, with a proof made anew, and not for ever."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from placet.client import AuthorityError, OperatorClient
from placet.tokens import SigningKey

ISSUER = "https://authority.bank.internal"
LATER = {"error": "slow_down", "error_description": "this identity asks too often"}


def client(answer: Callable[[httpx.Request], httpx.Response]) -> OperatorClient:
    transport = httpx.MockTransport(answer)
    return OperatorClient(ISSUER, "operator:una", SigningKey.generate(), transport=transport)


class Busy:
    """An authority that is asked too often, so many times."""

    def __init__(self, times: int, pause: str) -> None:
        self.times = times
        self.pause = pause
        self.proofs: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "a.b.c", "expires_in": 900})
        self.proofs.append(request.headers["dpop"])
        if len(self.proofs) <= self.times:
            return httpx.Response(429, json=LATER, headers={"Retry-After": self.pause})
        return httpx.Response(200, content=b"a file")


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it waited, without the waiting."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


async def test_it_comes_again_when_it_was_told(slept: list[float]) -> None:
    busy = Busy(2, "7")
    async with client(busy) as una:
        assert await una.attachment_as_kept("ckpt-1", "act-1") == b"a file"
    assert slept == [7, 7]
    assert len(set(busy.proofs)) == 3


@pytest.mark.parametrize("pause", ["61", "99999999999", "soon", ""])
async def test_it_does_not_wait_longer_than_a_minute(slept: list[float], pause: str) -> None:
    async with client(Busy(1, pause)) as una:
        with pytest.raises(AuthorityError, match="too often") as refused:
            await una.attachment_as_kept("ckpt-1", "act-1")
    assert refused.value.status == 429
    assert slept == []


async def test_it_does_not_come_again_for_ever(slept: list[float]) -> None:
    async with client(Busy(1_000, "25")) as una:
        with pytest.raises(AuthorityError, match="too often"):
            await una.attachment_as_kept("ckpt-1", "act-1")
    assert slept == [25, 25]
