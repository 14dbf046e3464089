"""Which of the authority's keys are good, and how often it is asked for them."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.responses import JSONResponse, Response

from placet.tokens import SigningKey
from tests.resource.simulator import ELSEWHERE, JWKS, Library


async def test_a_new_key_is_asked_for_once_and_taken(library: Library) -> None:
    """Rotation: a grant under a key that was published since the last look is good at once."""
    authority = library.authority
    assert (await library.read(library.grant())).status_code == 200
    library.clock.advance(1)
    new = SigningKey.generate()
    authority.published.append(new)
    tokens = [library.grant(signer=new) for _ in range(20)]
    answers = await asyncio.gather(*(library.read(token) for token in tokens))
    assert {answer.status_code for answer in answers} == {200}
    assert (await library.read(library.grant())).status_code == 200
    assert authority.asked[JWKS] == 2


async def test_garbage_kids_do_not_hammer_the_authority(library: Library) -> None:
    """I12: whatever strangers send, the keys are asked for once a second at most."""
    authority = library.authority
    assert (await library.read(library.grant())).status_code == 200
    for second in range(1, 4):
        library.clock.advance(1)
        strangers = [library.grant(signer=SigningKey.generate()) for _ in range(30)]
        answers = await asyncio.gather(*(library.read(token) for token in strangers))
        assert {answer.status_code for answer in answers} == {401}
        assert authority.asked[JWKS] == 1 + second
    assert (await library.read(library.grant())).status_code == 200


async def test_a_withdrawn_key_is_refused_after_max_age(library: Library) -> None:
    """A grant under a key that is no longer published has no more than the max-age."""
    library.authority.cache_control = "public, max-age=30"
    withdrawn = library.authority.key
    assert (await library.read(library.grant())).status_code == 200
    library.authority.published[:] = [SigningKey.generate()]
    library.clock.advance(29.9)
    assert (await library.read(library.grant(signer=withdrawn))).status_code == 200
    library.clock.advance(0.1)
    assert (await library.read(library.grant(signer=withdrawn))).status_code == 401


_KEPT = {
    "as-said": ("max-age=30", None, 30.0),
    "in-quotes": ('max-age="30"', None, 30.0),
    "the-shortest-counts": ("max-age=90, Max-Age=20", None, 20.0),
    "age-in-a-cache-counts": ("max-age=90", "50", 40.0),
    "older-than-allowed": ("max-age=90", "100", 1.0),
    "five-minutes-at-most": ("max-age=31536000, immutable", None, 300.0),
    "unsaid": (None, None, 300.0),
    "no-cache": ("no-cache, max-age=90", None, 1.0),
    "no-store": ("no-store", None, 1.0),
    "no-number": ("max-age=-1", None, 1.0),
    "no-digits-of-ours": ("max-age=٣٠", None, 1.0),
}


@pytest.mark.parametrize("name", sorted(_KEPT))
async def test_keys_are_kept_as_long_as_the_authority_lets_them(
    library: Library, name: str
) -> None:
    """RFC 9111: asked for again when their time is over, and not before."""
    said, age, seconds = _KEPT[name]
    authority = library.authority
    authority.cache_control = None if said is None else said.encode().decode("latin-1")
    authority.jwks_age = age
    assert (await library.read(library.grant())).status_code == 200
    library.clock.advance(seconds - 0.001)
    assert (await library.read(library.grant())).status_code == 200
    assert authority.asked[JWKS] == 1
    library.clock.advance(0.001)
    assert (await library.read(library.grant())).status_code == 200
    assert authority.asked[JWKS] == 2


_SPOILT: dict[str, Callable[[], Response]] = {
    "not-json": lambda: Response("{", media_type="application/json"),
    "endlessly-nested": lambda: Response("[" * 200_000),
    "too-large": lambda: JSONResponse(
        {"keys": [SigningKey.generate().public.jwk()], "more": "A" * 2_000_000}
    ),
    "elsewhere": lambda: Response(status_code=307, headers={"Location": ELSEWHERE}),
    "no-set": lambda: JSONResponse(["keys"]),
    "no-keys": lambda: JSONResponse({"keys": []}),
    "symmetric-keys": lambda: JSONResponse({"keys": [{"kty": "oct", "k": "AAAA"}]}),
    "too-many": lambda: JSONResponse({"keys": [{}] * 101}),
    "one-kid-for-two": lambda: JSONResponse(
        {"keys": [{**SigningKey.generate().public.jwk(), "kid": "1"} for _ in range(2)]}
    ),
    "an-error": lambda: JSONResponse({"keys": [SigningKey.generate().public.jwk()]}, 500),
}


@pytest.mark.parametrize("name", sorted(_SPOILT))
async def test_spoilt_keys_neither_replace_good_ones_nor_lengthen_their_time(
    library: Library, name: str
) -> None:
    """I12: good keys stay good until their max-age; then nothing is accepted until there are."""
    authority = library.authority
    good = library.grant()
    assert (await library.read(good)).status_code == 200
    authority.spoilt[JWKS] = _SPOILT[name]
    library.clock.advance(5)
    stranger = library.grant(signer=SigningKey.generate())
    answer = await library.read(stranger)  # its kid makes us ask
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (await library.read(good)).status_code == 200
    library.clock.advance(295)
    assert (await library.read(library.grant())).status_code == 503
    del authority.spoilt[JWKS]
    library.clock.advance(1)
    assert (await library.read(library.grant())).status_code == 200


async def test_an_authority_that_is_away_is_not_hammered_for_its_keys(library: Library) -> None:
    """Whoever sends something while no keys can be had is told so without another question."""
    authority = library.authority
    authority.spoilt[JWKS] = lambda: Response(status_code=500)
    tokens = [library.grant() for _ in range(30)]
    answers = await asyncio.gather(*(library.read(token) for token in tokens))
    assert {answer.status_code for answer in answers} == {503}
    assert authority.asked[JWKS] == 1


async def test_those_who_wait_for_keys_share_one_answer(library: Library) -> None:
    """A slow authority is asked once for all who wait, and keys in hand are not waited for."""
    authority = library.authority
    old = library.grant()
    assert (await library.read(old)).status_code == 200
    library.clock.advance(2)
    new = SigningKey.generate()
    authority.published.append(new)
    authority.gates[JWKS].close()
    waiting = [asyncio.create_task(library.read(library.grant(signer=new))) for _ in range(10)]
    while authority.asked[JWKS] < 2:
        await asyncio.sleep(0.005)
    assert (await library.read(old)).status_code == 200
    library.clock.advance(2)  # those that wait do not ask again, however long it took
    authority.gates[JWKS].let_one()
    assert {(await task).status_code for task in waiting} == {200}
    assert authority.asked[JWKS] == 2


async def test_a_clock_that_was_set_back_makes_keys_old(library: Library) -> None:
    """Keys from the future are not kept for the time until then as well."""
    assert (await library.read(library.grant())).status_code == 200
    library.authority.spoilt[JWKS] = lambda: Response(status_code=500)
    library.clock.advance(-3600)
    assert (await library.read(library.grant())).status_code == 503
