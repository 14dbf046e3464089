"""A worker is a keeper of heads: what it signs is on the log that it saw before, or is not signed."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from temporalio import activity
from temporalio.exceptions import ApplicationError

from placet.agent import _heads
from placet.agent._heads import Heads
from placet.ledger import (
    Checkpoint,
    NoteSigner,
    consistency_proof,
    leaf_hash,
    open_note,
    root_hash,
    sign_checkpoint,
    sign_note,
    split_note,
)
from placet.process import StepRequest
from tests.agent.surroundings import Surroundings, serving
from tests.harness.world import free_port, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORIGIN = "authority.test/ledger"


class Log:
    """A log that answers with a head over its first leaves, and with proofs as asked."""

    def __init__(self) -> None:
        self.leaves = [leaf_hash(bytes([each])) for each in range(9)]
        self.size = 5
        self.origin = ORIGIN
        self.signer = NoteSigner(ORIGIN, Ed25519PrivateKey.generate())
        self.witness = NoteSigner("witness.test", Ed25519PrivateKey.generate())
        self.instead: Response | None = None
        self.looks = 0

    async def checkpoint(self, _: Request) -> Response:
        self.looks += 1
        if self.instead is not None:
            return self.instead
        head = Checkpoint(self.origin, self.size, root_hash(self.leaves[: self.size]))
        signer = self.signer if self.origin == ORIGIN else NoteSigner(self.origin, _key())
        return PlainTextResponse(sign_checkpoint(head, [self.witness, signer]))

    async def consistency(self, request: Request) -> Response:
        first, second = (int(request.query_params[each]) for each in ("from", "to"))
        if second > len(self.leaves):
            return JSONResponse({"error": "invalid_request"}, status_code=400)
        proof = consistency_proof(self.leaves[:second], first)
        return JSONResponse({"proof": [base64.b64encode(each).decode() for each in proof]})


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@contextlib.asynccontextmanager
async def watched(log: Log) -> AsyncIterator[Heads]:
    routes = [
        Route("/ledger/checkpoint", log.checkpoint),
        Route("/v1/ledger/consistency", log.consistency),
    ]
    port = free_port()
    async with serving(Starlette(routes=routes), port), aiohttp.ClientSession() as session:
        yield Heads(f"http://127.0.0.1:{port}", session)


@pytest.fixture(autouse=True)
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each settlement looks, as if the time between had passed."""
    monkeypatch.setattr(_heads, "LOOK_SECONDS", 0)


async def test_each_head_that_is_new_is_signed_once() -> None:
    """I8: with the log's own signature, whoever else has signed; a replica may be a head behind."""
    log = Log()
    async with watched(log) as heads:
        first = await heads.to_sign()
        assert first is not None
        text, signers = open_note(first, [log.signer.verifier])
        assert (Checkpoint.parse(text).size, signers) == (5, (ORIGIN,))
        assert await heads.to_sign() is None
        for size, signed in ((8, True), (6, False), (9, True)):
            log.size = size
            assert (await heads.to_sign() is not None) is signed


async def test_between_two_looks_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_heads, "LOOK_SECONDS", 3600)
    log = Log()
    async with watched(log) as heads:
        assert await heads.to_sign()
        log.size = 9
        assert await heads.to_sign() is None
    assert log.looks == 1


@pytest.mark.parametrize("size", [3, 5, 9])
async def test_nothing_is_signed_on_another_log(size: int) -> None:
    """I8: shorter, as long, and longer; when the log is back, it goes on."""
    log = Log()
    genuine = list(log.leaves)
    async with watched(log) as heads:
        await heads.to_sign()
        log.leaves, log.size = [leaf_hash(b"x"), *genuine[1:]], size
        for _ in range(2):
            with pytest.raises(ApplicationError, match="not the one of before") as refused:
                await heads.to_sign()
            assert (refused.value.type, refused.value.non_retryable) == ("AnotherPast", False)
        log.leaves, log.size = genuine, 9
        assert await heads.to_sign() is not None


async def test_a_log_that_lost_its_end_or_has_another_name_is_another() -> None:
    """I8: an old backup that was put back holds by itself."""
    log = Log()
    async with watched(log) as heads:
        await heads.to_sign()
        log.leaves, log.size = log.leaves[:3], 3
        with pytest.raises(ApplicationError, match="it had 5 entries, and now has 3"):
            await heads.to_sign()
    log = Log()
    async with watched(log) as heads:
        await heads.to_sign()
        log.origin = "other.test/ledger"
        with pytest.raises(ApplicationError, match="they are two logs'"):
            await heads.to_sign()


async def test_what_a_step_settles_stands_on_the_log_that_its_worker_saw(
    s: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: it signs the head; on another log its steps are tried again until the one of before is back."""
    own = Heads._ask
    elsewhere = asyncio.Event()

    async def ask(heads: Heads, path: str) -> tuple[int, bytes]:
        if elsewhere.is_set() and path == "/ledger/checkpoint":
            other = Checkpoint(s.settings.origin, 1, leaf_hash(b"another past"))
            return 200, sign_checkpoint(other, [NoteSigner(other.origin, _key())]).encode()
        return await own(heads, path)

    async def body(request: StepRequest) -> str:
        if activity.info().attempt == 1 and request.record.endswith("/9"):
            elsewhere.set()
        return "weighed"

    monkeypatch.setattr(Heads, "_ask", ask)
    async with s.working(body):
        first = await s.open("7")
        await s.ending(first)
        (settled,) = [e for e in await s.entries(first.id) if e["type"] == "grant.settled"]
        signed = jwt.decode(settled["data"]["settlement"], options={"verify_signature": False})
        assert Checkpoint.parse(split_note(signed["ledger_head"])[0]).origin == s.settings.origin
        second = await s.open("9")
        failure = await until(lambda: s.last_failure(second))
        assert (await s.said(second, failure)).type == "AnotherPast"
        elsewhere.clear()
        await s.ending(second)
    assert await s.ends(second.id) == [("grant.revoked", None), ("grant.settled", "completed")]


@pytest.mark.parametrize("more", [True, False], ids=["room-for-more", "another-log"])
async def test_nothing_else_comes_with_a_settlement(
    s: Surroundings, monkeypatch: pytest.MonkeyPatch, more: bool
) -> None:
    """I8: an agent whose worker was turned has no room on the ledger for words of its own."""
    honest = Heads.to_sign
    said: list[str] = []

    async def to_sign(heads: Heads) -> str | None:
        note = await honest(heads)
        if said or note is None:
            return note
        text, _ = split_note(note)
        key = NoteSigner("words.of.its.own", _key())
        said.append(
            note + sign_note(text, [key])[len(text) + 1 :]
            if more
            else sign_note(text.replace("/", "x", 1), [key])
        )
        return said[0]

    async def body(request: StepRequest) -> str:
        return "weighed"

    monkeypatch.setattr(Heads, "to_sign", to_sign)
    async with s.working(body):
        handle = await s.open()

        async def is_refused() -> bool:  # on a busy machine a try may fail for want of time, too
            failure = await s.last_failure(handle)
            said = "" if failure is None else (await s.said(handle, failure)).message
            return "it was signed with another ledger in sight than this one" in said

        await until(is_refused)
        await s.ending(handle)
    assert await s.ends(handle.id) == [("grant.revoked", None), ("grant.settled", "completed")]


async def test_a_log_without_a_head_is_one_only_until_the_first() -> None:
    """I8, I12: nor is a head taken that nobody has signed, or that is none."""
    log = Log()
    log.instead = PlainTextResponse("none", 404)
    async with watched(log) as heads:
        assert await heads.to_sign() is None
        log.instead = None
        assert await heads.to_sign() is not None
        head = Checkpoint(ORIGIN, 9, root_hash(log.leaves))
        for instead in (
            PlainTextResponse("none", 404),
            PlainTextResponse("<html>"),
            PlainTextResponse(sign_checkpoint(head, [log.witness])),
            Response(b"\xff"),
        ):
            log.instead = instead
            with pytest.raises(ApplicationError) as refused:
                await heads.to_sign()
            assert (refused.value.type, refused.value.non_retryable) == ("Unavailable", False)
