"""A proof counts once, however many carry it at the same time (RFC 9449 section 11.1)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet.resource import BadToken, CannotJudge, _replay
from placet.resource._replay import ProcessReplayCache
from placet.tokens import PROOF_MAX_AGE, SKEW, Proof, SigningKey
from tests.resource.simulator import Library

KEY = SigningKey.generate().public
START = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)


def use(cache: ProcessReplayCache, proof: Proof, now: datetime) -> None:
    """Use up a proof, to the end without waiting: whoever waited could be overtaken."""
    with pytest.raises(StopIteration):
        cache.use(proof, now).send(None)


def a_proof(jti: str, iat: int = 0) -> Proof:
    return Proof(jti, KEY.thumbprint, iat, KEY)


@pytest.mark.parametrize("many", [2, 7, 40])
async def test_of_many_at_once_one_is_taken(library: Library, many: int) -> None:
    """I11: N requests with one proof are one request."""
    token = library.grant()
    proof = library.proof(token)
    answers = await asyncio.gather(*(library.read(token, proof) for _ in range(many)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (many - 1)
    refused = next(answer for answer in answers if answer.status_code == 401)
    assert refused.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof"')


async def test_of_many_that_wait_for_keys_one_is_taken(library: Library) -> None:
    """I11: also when all of them wait for the same answer in between."""
    token = library.grant()
    proof = library.proof(token)
    gate = library.authority.gates["/.well-known/jwks.json"]
    gate.close()
    waiting = [asyncio.create_task(library.read(token, proof)) for _ in range(12)]
    while not library.authority.asked["/.well-known/jwks.json"]:
        await asyncio.sleep(0.005)
    gate.open()
    assert sorted([(await task).status_code for task in waiting]) == [200] + [401] * 11


async def test_a_full_memory_is_unavailable_and_no_replay(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: what can't be remembered is neither taken nor called a replay."""
    monkeypatch.setattr(_replay, "MAX_PROOFS", 3)
    token = library.grant()
    proofs = [library.proof(token) for _ in range(4)]
    for proof in proofs[:3]:
        assert (await library.read(token, proof)).status_code == 200
    full = await library.read(token, proofs[3])
    assert (full.status_code, full.headers["Retry-After"]) == (503, "1")
    assert full.json()["error"] == "temporarily_unavailable"
    assert (await library.read(token, proofs[0])).status_code == 401  # that one is a replay
    library.clock.advance(70.001)
    assert (await library.read(library.grant())).status_code == 200


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abcde")), max_size=60))
def test_no_proof_is_taken_twice_while_it_could_be_accepted(steps: list[tuple[int, str]]) -> None:
    """One that is dated ahead by the skew included, at its last acceptable instant too."""
    cache, now = ProcessReplayCache(), START
    taken: dict[str, datetime] = {}
    for seconds, jti in steps:
        now += timedelta(seconds=seconds)
        last = taken.get(jti)
        fresh = last is None or now > last + SKEW + PROOF_MAX_AGE + SKEW
        try:
            use(cache, a_proof(jti), now)
        except BadToken:
            assert not fresh
        else:
            assert fresh
            taken[jti] = now


@given(st.integers(1, 50), st.integers(0, 20))
def test_memory_is_bounded_and_comes_back(size: int, over: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_replay, "MAX_PROOFS", size)
        cache = ProcessReplayCache()
        for number in range(size):
            use(cache, a_proof(f"jti-{number}"), START)
        for number in range(over):
            with pytest.raises(CannotJudge):
                use(cache, a_proof(f"more-{number}"), START)
        later = START + PROOF_MAX_AGE + 2 * SKEW + timedelta(milliseconds=1)
        for number in range(size):
            use(cache, a_proof(f"later-{number}"), later)


def test_two_keys_may_choose_the_same_id() -> None:
    """A stranger's choice of ids takes nothing from anyone."""
    cache = ProcessReplayCache()
    use(cache, a_proof("the-same"), START)
    other = SigningKey.generate().public
    use(cache, Proof("the-same", other.thumbprint, 0, other), START)
    with pytest.raises(BadToken):
        cache.use(a_proof("the-same"), START).send(None)
