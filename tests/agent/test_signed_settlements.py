"""What the ledger tells of a step's end is the agent's own signed word."""

import base64
import hashlib
from typing import Any

import jwt
import pytest
import rfc8785

from placet.agent import current_grant
from placet.model import Model, Part, salted_digest
from placet.process import StepRequest
from tests.agent.surroundings import SETTLEMENTS, Surroundings

pytestmark = pytest.mark.asyncio(loop_scope="module")

SALT = "A" * 43
SIGNED = (
    "grant",
    "outcome",
    "input_digest",
    "output_digest",
    "reasoning_digest",
    "inputs",
    "parts",
)


class Weight(Model):
    """What a step leaves behind."""

    value: str


async def _settled(s: Surroundings, case: str) -> list[dict[str, Any]]:
    return [each for each in await s.entries(case) if each["type"] == "grant.settled"]


async def test_whoever_has_the_agents_key_can_check_what_it_signed(s: Surroundings) -> None:
    """I13: with a JOSE library and docs/reference/signatures.md alone; told twice, it is once."""
    attempts: list[int] = []

    async def body(request: StepRequest) -> str:
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("the scale is not level")
        current_grant().reason("it was level")
        current_grant().keep("weight", Weight(value="4.2"))
        return "weighed"

    s.gate.lost[SETTLEMENTS] = 1
    _, case = await s.run(body)
    settled = await _settled(s, case)
    assert [each["data"]["outcome"] for each in settled] == ["failed", "completed"]
    assert [part["name"] for part in settled[1]["data"]["parts"]] == ["weight"]
    given = {
        each["data"]["grant"]: each["data"]["details_digest"]
        for each in await s.entries(case)
        if each["type"] == "grant.issued"
    }
    key = jwt.PyJWK(dict(s.config.key.public.jwk())).key
    for entry in settled:
        said = {name: entry["data"][name] for name in SIGNED if entry["data"][name] is not None}
        digest = base64.urlsafe_b64encode(hashlib.sha256(rfc8785.dumps(said)).digest())
        word = entry["data"]["settlement"]
        assert jwt.get_unverified_header(word) == {
            "alg": "ES256",
            "kid": s.config.key.thumbprint,
            "typ": "placet-settlement+jwt",
        }
        claims = jwt.decode(word, key, ["ES256"], issuer="agent:scale", audience=s.config.issuer)
        assert claims["settlement_digest"] == "sha-256:" + digest.decode().rstrip("=")
        assert (claims["sub"], claims["txn"]) == (entry["data"]["grant"], case)
        assert claims["details_digest"] == given[entry["data"]["grant"]]
        assert set(entry["data"]) == {*SIGNED, "settlement"}


async def test_a_part_that_was_left_before_is_refused_for_good(
    s: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: with a salt of one's own the ledger could not tell two parts apart; it says so."""
    lost: list[str] = []

    def lose_the_first_result(place: str) -> None:
        if place == "agent.after-settle" and not lost:
            lost.append(place)
            raise RuntimeError("the worker was lost")

    async def body(request: StepRequest) -> str:
        data = {"value": "4.2"}
        part = Part(name="weight", record=request.record, salt=SALT, data=dict(data))
        current_grant().keep_part(part)
        return "weighed"

    monkeypatch.setattr("placet.agent._governor.kill_point", lose_the_first_result)
    result, case = await s.run(body)
    ((kind, message, _),) = result["failed"]
    assert kind == "SettlementRefused"
    assert "part weight was left before: each has a salt of its own" in message
    assert await s.ends(case) == [("grant.settled", "completed"), ("grant.settled", "failed")]


async def test_words_that_were_left_before_are_refused_for_good(
    s: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I12: the same words under the same salt have one digest, and erasing one would erase both."""
    monkeypatch.setattr("placet.agent._governor.new_salt", lambda: SALT)
    attempts: list[int] = []

    async def body(request: StepRequest) -> str:
        attempts.append(1)
        current_grant().reason("the scale was level")
        if len(attempts) == 1:
            raise RuntimeError("it was not")
        return "weighed"

    result, case = await s.run(body)
    assert result == "weighed"
    first, second = await _settled(s, case)
    words = (b"the scale was level\nRuntimeError: it was not", b"the scale was level")
    assert [each["data"]["reasoning_digest"] for each in (first, second)] == [
        salted_digest(SALT, each) for each in words
    ]
    result, _ = await s.run(body)
    ((kind, message, _),) = result["failed"]
    assert kind == "SettlementRefused"
    assert "these words were left before" in message
