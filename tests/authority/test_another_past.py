"""Another log under the same address: whoever saw a head of the one before is told, and signs nothing."""

import base64
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from placet.authority import AuthoritySettings, SigningKeys, Store, create_log
from placet.client import AnotherPast, AuthorityAway, AuthorityError, OperatorClient
from placet.ledger import (
    Checkpoint,
    NoteSigner,
    consistency_proof,
    leaf_hash,
    root_hash,
    sign_checkpoint,
    split_note,
)
from placet.model import EnrolIdentity
from placet.tokens import Algorithm, SigningKey
from tests.harness.alone import alone
from tests.harness.world import PASSPHRASE, free_port, serving, until

ISSUER = "http://authority.test"


@contextlib.asynccontextmanager
async def started(settings: AuthoritySettings) -> AsyncIterator[None]:
    temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    async with serving(settings, temporal):
        yield


async def enrol(client: OperatorClient, *names: str) -> None:
    for name in names:
        body = EnrolIdentity(jwk=dict(SigningKey.generate().public.jwk()), roles=("clerk",))
        await client.act("operator.enrol", f"operator:{name}", body)


async def entries(client: OperatorClient) -> int:
    return len((await client.get("/v1/ledger/entries?limit=1024"))["entries"])


async def grown_beyond(client: OperatorClient, kept: Checkpoint) -> bool:
    await client.head()
    return client.kept_head is not None and client.kept_head.size > kept.size


async def test_an_authority_that_comes_back_with_another_longer_log_gets_no_signature(
    tmp_path: Path,
) -> None:
    """I8: in the same session, at the next look; when the log is back, it goes on."""
    async with alone(f"sqlite:///{tmp_path}/one.db") as one:
        client, settings = one.ada(), one.settings
        await enrol(client, "bob")
        await until(client.head)
        kept = client.kept_head
        assert kept is not None
    other = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/two.db"})
    async with await Store.open(other.database_url, origin=other.origin) as store:
        await create_log(store, SigningKeys(PASSPHRASE), [("ada", one.admin.public)])
    async with client, one.ada() as stranger:
        async with started(other):
            await enrol(stranger, "eve", "fay", "gus", "hal")
            await until(lambda: grown_beyond(stranger, kept))
            size = await entries(stranger)
            for _ in range(2):
                with pytest.raises(AnotherPast, match="not the one of before"):
                    await enrol(client, "cy")
            assert await entries(stranger) == size
        async with started(settings):
            await enrol(client, "cy")


class Log:
    """A log that answers with a head over these leaves, and with proofs as asked."""

    def __init__(self) -> None:
        self.leaves = [leaf_hash(bytes([each])) for each in range(9)]
        self.size = 5
        self.origin = "authority.test/ledger"
        self.answer: httpx.Response | None = None
        self.proof: list[object] | None = None

    def client(self) -> OperatorClient:
        key = SigningKey.generate(Algorithm.ED25519)
        transport = httpx.MockTransport(self._answer)
        return OperatorClient(ISSUER, "operator:ada", key, transport=transport)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.answer is not None:
            return self.answer
        if request.url.path == "/ledger/checkpoint":
            head = Checkpoint(self.origin, self.size, root_hash(self.leaves[: self.size]))
            key = NoteSigner(self.origin, Ed25519PrivateKey.generate())
            return httpx.Response(200, text=sign_checkpoint(head, [key]))
        first, second = (int(request.url.params[each]) for each in ("from", "to"))
        if second > len(self.leaves):
            problem = {"error": "invalid_request", "error_description": "to: beyond"}
            return httpx.Response(400, json=problem)
        proof = consistency_proof(self.leaves[:second], first)
        spelled = [base64.b64encode(each).decode() for each in proof]
        return httpx.Response(200, json={"proof": self.proof or spelled})


async def test_a_log_that_grew_or_whose_replica_is_a_head_behind_is_the_same() -> None:
    log = Log()
    async with log.client() as client:
        for size in (5, 5, 8, 6, 9):
            log.size = size
            assert await client.head()
        assert client.kept_head is not None
        assert client.kept_head.size == 9


@pytest.mark.parametrize("size", [3, 5, 9])
async def test_another_log_of_any_size_is_found(size: int) -> None:
    """I8: shorter, as long, and longer."""
    log = Log()
    async with log.client() as client:
        await client.head()
        log.leaves, log.size = [leaf_hash(b"x"), *log.leaves[1:]], size
        with pytest.raises(AnotherPast, match="not the one of before"):
            await client.head()
        assert client.kept_head is not None
        assert client.kept_head.size == 5


async def test_a_log_that_lost_its_end_and_one_of_another_name_are_found() -> None:
    """I8: an old backup, which holds by itself; and a log that says that it is another."""
    log = Log()
    async with log.client() as client:
        await client.head()
        log.leaves, log.size = log.leaves[:3], 3
        with pytest.raises(AnotherPast, match="it had 5 entries and has 3"):
            await client.head()
    log = Log()
    async with log.client() as client:
        await client.head()
        log.origin = "authority.example/ledger"
        with pytest.raises(AnotherPast, match="not the one of before"):
            await client.head()


async def test_without_a_head_or_a_proof_nothing_goes_on() -> None:
    """I8: whoever saw a head does not do without: no answer is no way round the look."""
    log = Log()
    async with log.client() as client:
        log.answer = httpx.Response(404, json={"error": "not_found", "error_description": "no"})
        assert await client.head() is None
        log.answer = None
        await client.head()
        log.answer = httpx.Response(404, json={"error": "not_found", "error_description": "no"})
        with pytest.raises(AuthorityError):
            await client.head()
        for answer in (httpx.Response(200, text="no head"), httpx.Response(200, text="")):
            log.answer = answer
            with pytest.raises(AuthorityAway, match="no head"):
                await client.head()
        log.answer, log.size, log.proof = None, 8, ["!"]
        with pytest.raises(AuthorityAway, match="proves nothing"):
            await client.head()
        log.proof = [1]
        with pytest.raises(AuthorityAway, match="proves nothing"):
            await client.head()
        log.proof = [base64.b64encode(bytes(32)).decode()]
        with pytest.raises(AnotherPast):
            await client.head()


async def test_nothing_is_taken_that_was_signed_with_another_log_in_sight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I8: what stands on the ledger was signed with this ledger in sight, and it says so."""
    async with alone(f"sqlite:///{tmp_path}/one.db") as one, one.ada() as ada:
        await enrol(ada, "bob")
        own = await until(ada.head)
        head = Checkpoint.parse(split_note(own)[0])
        signer = NoteSigner(head.origin, Ed25519PrivateKey.generate())
        others = [
            dataclasses.replace(head, root=bytes(32)),
            dataclasses.replace(head, size=head.size + 100),
            dataclasses.replace(head, origin="other.test/ledger"),
        ]
        for note in (*(sign_checkpoint(each, [signer]) for each in others), "no head"):

            async def shown(note: str = note) -> str:
                return note

            monkeypatch.setattr(ada, "head", shown)
            with pytest.raises(AuthorityError, match="signed with another ledger in sight"):
                await enrol(ada, "cy")
        monkeypatch.undo()
        await enrol(ada, "cy")
        found = (await ada.get("/v1/ledger/entries?limit=1024"))["entries"]
    told = [each["data"] for each in map(json.loads, found) if each["type"] == "act.refused"]
    assert [each["reasons"] for each in told] == [["I8", "another_past"]] * 4
