"""An identity provider that answers in another form than it must, or about someone else."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from placet.authority import _provider
from placet.authority._errors import Refusal, Unavailable
from placet.authority._provider import Person, Provider, ProviderRefused
from placet.model import GroupRoles, IdentityProvider
from placet.tokens import SigningKey, numeric_date
from tests.agent.surroundings import serving
from tests.harness.acting import Acting, acting
from tests.harness.world import free_port
from tests.tokens.samples import sign_raw

pytestmark = pytest.mark.asyncio(loop_scope="module")
ISSUER, KEY = "https://id.test", SigningKey.generate()
RULES = IdentityProvider(
    issuer=ISSUER,
    client_id="placet",
    algorithms=("ES256",),
    roles=(GroupRoles(group="clerks", roles=("clerk",)),),
)
METADATA = {
    "issuer": ISSUER,
    **{name: f"{ISSUER}/{name}" for name in ("token_endpoint", "jwks_uri", "userinfo_endpoint")},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority, for its clock and its HTTP client."""
    async with acting(tmp_path_factory.mktemp("provider")) as made:
        yield made


class Telling(Provider):
    """A client of a provider whose answers a test gives, by the end of the address."""

    def __init__(self, at: Acting, **answers: Any) -> None:
        super().__init__(at.core, at.provider._session)
        self.asked: list[str] = []
        keys = {"keys": [{**KEY.public.jwk(), "kid": "k"}]}
        self._answers = {"openid-configuration": METADATA, "jwks_uri": keys, **answers}

    async def _ask(self, method: str, address: str, **_: Any) -> dict[str, Any]:
        self.asked.append(f"{method} {address}")
        answer = self._answers[address.rpartition("/")[2]]
        return dict(answer)


def token(at: Acting, **changed: Any) -> str:
    """A good ID token, with claims changed or, where they are None, left out."""
    now = numeric_date(at.core.clock())
    said = {
        "iss": ISSUER,
        "sub": "u-1",
        "aud": "placet",
        "iat": now,
        "exp": now + 600,
        "nonce": "n",
        "preferred_username": "cleo",
        "groups": ["clerks"],
        **changed,
    }
    claims = {name: value for name, value in said.items() if value is not None}
    return sign_raw({"alg": "ES256", "kid": "k", "typ": "JWT"}, claims, KEY)


async def person(at: Acting, answer: Mapping[str, Any], **answers: Any) -> Person:
    return await Telling(at, token_endpoint=answer, **answers).poll(RULES, "code", "n")


async def test_who_someone_is_comes_of_one_person_and_in_the_form_it_must(at: Acting) -> None:
    """I6: userinfo about someone else gives nobody their groups (OpenID Connect Core 5.3.2)."""
    good = await person(at, {"id_token": token(at), "refresh_token": 5})
    assert (good.name, good.groups, good.refresh_token) == ("cleo", ("clerks",), None)
    told = {"sub": "u-1", "groups": ["chiefs"], "preferred_username": "chloe"}
    lacking = {"id_token": token(at, groups=None), "access_token": "x"}
    other = await person(at, lacking, userinfo_endpoint=told)
    assert (other.name, other.groups) == ("cleo", ("chiefs",))
    for answer, userinfo, said in (
        ({}, told, "the identity provider gave no ID token"),
        (lacking, {**told, "sub": "u-2"}, "userinfo is about someone else"),
        ({"id_token": token(at, groups=None)}, told, "gave no access token"),
        ({"id_token": token(at, groups="clerks")}, told, "groups is no list"),
        ({"id_token": token(at, groups=["clerks", 1])}, told, "groups is no list"),
        ({"id_token": token(at, preferred_username=5)}, told, "gave no preferred_username"),
    ):
        with pytest.raises(Unavailable, match=said):
            await person(at, answer, userinfo_endpoint=userinfo)
    unnamed = {"id_token": token(at, preferred_username=None), "access_token": "x"}
    other = await person(at, unnamed, userinfo_endpoint=told)
    assert (other.name, other.groups) == ("chloe", ("clerks",))


async def test_who_is_named_by_the_subject_needs_no_userinfo(at: Acting) -> None:
    """I6: it stands in each ID token, and a provider may have no such endpoint."""
    rules = RULES.model_copy(update={"name_claim": "sub"})
    telling = Telling(at, token_endpoint={"id_token": token(at)})
    assert (await telling.poll(rules, "code", "n")).name == "u-1"


async def test_a_provider_is_the_one_that_was_named_and_its_addresses_are_safe(
    at: Acting,
) -> None:
    """I7: neither a secret nor a refresh token goes to another, or in clear over a network."""
    for metadata, said in (
        ({**METADATA, "issuer": "https://other.test"}, "calls itself by another issuer"),
        ({**METADATA, "token_endpoint": "http://id.test/token_endpoint"}, "no token_endpoint"),
        ({**METADATA, "token_endpoint": 5}, "names no token_endpoint that is safe to use"),
    ):
        with pytest.raises(Unavailable, match=said):
            await person(at, {"id_token": token(at)}, **{"openid-configuration": metadata})


async def test_what_a_provider_said_of_itself_is_kept_for_it_alone_and_for_a_while(
    at: Acting,
) -> None:
    """I6: another issuer that the rules name from now on has keys of its own."""
    telling = Telling(at, token_endpoint={"id_token": token(at)})
    for _ in range(2):
        await telling.poll(RULES, "code", "n")
    assert sum("openid-configuration" in each for each in telling.asked) == 1
    assert sum("jwks_uri" in each for each in telling.asked) == 1
    telling._answers["openid-configuration"] = {**METADATA, "issuer": "https://new.test"}
    await telling.current_keys("https://new.test", again=False)
    assert telling.asked[-2:] == [
        "GET https://new.test/.well-known/openid-configuration",
        f"GET {ISSUER}/jwks_uri",
    ]
    at.now[0] += _provider._DISCOVERY_KEPT
    await telling._metadata("https://new.test")
    assert telling.asked[-1].endswith("openid-configuration")


@contextlib.asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """An address that answers this."""

    async def answer(_: Request) -> Response:
        return Response(body, status, media_type="application/json")

    port = free_port()
    async with serving(Starlette(routes=[Route("/", answer)]), port):
        yield f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"[]", "answered in a wrong form"),
        (200, b"{}" + b" " * 1000, "answer is too large"),
        (400, b'{"error": "slow_down"}', "slow_down"),
        (400, b'{"error": 5}', "answered 400"),
        (500, b'{"error": "slow_down"}', "answered 500"),
        (302, b'{"error": "slow_down"}', "answered 302"),
    ],
)
async def test_an_answer_is_read_as_far_as_it_is_one(
    at: Acting, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, said: str
) -> None:
    """I12: what is no answer is asked for again later; a no is a no."""
    monkeypatch.setattr(_provider, "_MAX_ANSWER", 500)
    async with answering(status, body) as address:
        with pytest.raises((Refusal, ProviderRefused), match=said) as refused:
            await at.provider._ask("GET", address)
    assert isinstance(refused.value, ProviderRefused) is (said == "slow_down")
