"""How often each may ask: 429 with Retry-After, and nobody pays for another's flood."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from placet.authority import AuthoritySettings
from placet.authority._errors import TooMuch
from placet.authority._rates import Rates, SignInStarts, address_of
from placet.client import AuthorityError, _sending
from placet.model import EnrolIdentity
from placet.tokens import SigningKey, make_client_assertion
from tests.harness.alone import Alone, alone


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority with small limits."""
    url = f"sqlite:///{tmp_path / 'authority.db'}"
    async with alone(url, rate_strangers=0.2, rate_systems=0.1, rate_operators=2) as made:
        yield made


async def flood(authority: Alone, count: int, header: str | None = None) -> Counter[int]:
    """Ask for the feed so often, with an assertion that is none unless one is given."""
    async with httpx.AsyncClient() as http:

        async def one() -> httpx.Response:
            said = header or f"a.b.{secrets.token_hex(8)}"
            url = f"{authority.settings.issuer}/v1/revocations?after=0"
            return await http.get(url, headers={"Client-Assertion": said})

        answers = [await one() for _ in range(count)]
    for each in answers:
        if each.status_code == 429:
            assert int(each.headers["retry-after"]) >= 1
            assert each.json()["error"] == "slow_down"
    return Counter(each.status_code for each in answers)


async def test_a_strangers_flood_ends_at_429_and_locks_nobody_out(strict: Alone) -> None:
    """I12: from the very address that an operator works at."""
    async with strict.ada() as ada:
        await ada.get("/v1/governance")
        told = await flood(strict, 12)
        # Someone is known from here: each is judged first, and the operator is let in.
        assert told == {401: 12}
        assert await ada.get("/v1/governance")
    async with strict.ada() as ada:
        assert await ada.get("/v1/governance"), "nor is who signs in anew"


async def test_an_address_that_nobody_is_known_from_is_refused_at_once(strict: Alone) -> None:
    told = await flood(strict, 12)
    assert told[401] >= 1  # and more, if this took so long that some were filled up again
    assert told[429] >= 8
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{strict.settings.issuer}/livez")).status_code == 200
        public = await http.get(f"{strict.settings.issuer}/.well-known/jwks.json")
        assert (public.status_code, "retry-after" in public.headers) == (429, True)


async def test_who_is_known_and_floods_is_slowed_down_alone(strict: Alone) -> None:
    """Whatever a system or an agent does, it does under its own name."""
    key = SigningKey.generate()
    async with strict.ada() as ada:
        await ada.act("system.enrol", "system:customs", EnrolIdentity(jwk=key.public.jwk()))

        def assertion() -> str:
            return make_client_assertion(
                key,
                "system:customs",
                issuer=strict.settings.issuer,
                now=strict.now(),
                jti=secrets.token_urlsafe(18),
            )

        await ada.get("/v1/governance")  # someone is known from here
        await flood(strict, 12)  # and what strangers may here is used up
        told: Counter[int] = Counter()
        while not told[429]:
            told += await flood(strict, 1, assertion())
        assert told[200] >= 1, "what it may is its own"
        assert await ada.get("/v1/governance")


async def test_an_operator_has_a_limit_too(strict: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sending, "_PATIENCE", 0)  # a client comes again otherwise
    async with strict.ada() as ada:
        await ada.get("/v1/governance")
        asked = [ada.get("/v1/governance") for _ in range(60)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        slowed = [each for each in told if isinstance(each, BaseException)]
        assert slowed
        assert {type(each) for each in slowed} == {AuthorityError}
        assert {each.status for each in slowed if isinstance(each, AuthorityError)} == {429}


def _request(host: str | None, path: str = "/v1/cases") -> Request:
    scope: dict[str, Any] = {"type": "http", "path": path, "headers": [], "query_string": b""}
    return Request({**scope, "client": None if host is None else (host, 1), "server": ("a", 1)})


def test_an_ipv6_host_is_one_address_however_it_chooses() -> None:
    assert address_of(_request("2001:db8::1")) == address_of(_request("2001:db8::ffff:2"))
    assert address_of(_request("2001:db8::1")) != address_of(_request("2001:db8:0:1::1"))
    assert address_of(_request("10.0.0.1")) != address_of(_request("10.0.0.2"))
    assert address_of(_request(None)) == ""


def test_one_address_keeps_nobody_from_signing_in() -> None:
    """Of the sign-ins that are begun at the provider it gets a third."""
    starts, now = SignInStarts(), datetime(2026, 11, 28, tzinfo=UTC)
    for _ in range(starts.of_one_address):
        starts.take("10.0.0.1", now)
    with pytest.raises(TooMuch):
        starts.take("10.0.0.1", now)
    starts.take("10.0.0.2", now)
    starts.take("10.0.0.1", now + timedelta(minutes=1))


def test_an_address_is_familiar_for_some_time_only() -> None:
    """And a flood from elsewhere is nothing to it."""
    now = [0.0]
    settings = AuthoritySettings(key_passphrase="a passphrase for tests", rate_strangers=1)
    rates = Rates(settings, lambda: now[0])

    def ask(host: str, status: int, who: str | None = None) -> None:
        rates.begin(_request(host))
        if who is not None:
            rates.known(who)
        rates.end(_request(host), Response(status_code=status))

    ask("10.0.0.1", 200, "operator:una")
    for _ in range(20):
        ask("10.0.0.1", 401)
    ask("10.0.0.2", 401)
    ask("10.0.0.2", 401)
    with pytest.raises(TooMuch):
        ask("10.0.0.2", 401)
    ask("10.0.0.1", 200, "operator:una")
    now[0] += 16 * 60
    for _ in range(2):
        ask("10.0.0.1", 401)
    with pytest.raises(TooMuch):
        ask("10.0.0.1", 401)
