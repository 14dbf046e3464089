"""I7: private keys may be another process's, which signs for the authority and gives none out."""

import asyncio
import json
import stat
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from placet.authority import (
    SignerAway,
    SigningKeys,
    Store,
    create_log,
    load_signing_keys,
    rotate_keys,
)
from placet.authority._custody import InSigner
from placet.authority._signer import KeyStore
from placet.authority._store import SigningKey as Row
from placet.ledger import Checkpoint, NoteSigner, open_checkpoint, sign_checkpoint
from placet.tokens import SigningKey
from tests.authority import ORIGIN
from tests.harness.signers import RunningSigner
from tests.harness.world import PASSPHRASE, until

ADA = [("ada", SigningKey.generate().public)]


@pytest.fixture
async def signer() -> AsyncIterator[RunningSigner]:
    """A signer; a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="placet-signer-") as folder:
        made = RunningSigner(Path(folder))
        await made.start()
        yield made
        made.kill()


async def test_a_signer_that_ends_takes_its_own_socket_with_it(signer: RunningSigner) -> None:
    """And not the next one's, which was started before the first had ended."""
    following = RunningSigner(signer.folder)
    await following.start()
    for each, left in ((signer, True), (following, False)):
        assert each.process is not None
        each.process.terminate()
        assert each.process.wait(20) == 0
        assert signer.socket.exists() is left


async def test_a_signer_says_where_it_is_ready(signer: RunningSigner) -> None:
    """Whoever started it need not guess whether to wait."""

    async def said() -> bool:
        return f"ready to sign at {signer.socket}" in (signer.folder / "log").read_text()

    await until(said)


async def test_a_signer_keeps_the_keys_and_signs(signer: RunningSigner, tmp_path: Path) -> None:
    """I7, I8: neither store nor authority has a private key; heads and grants hold; it comes back."""
    assert stat.S_IMODE(signer.socket.stat().st_mode) == 0o600
    keys = SigningKeys(PASSPHRASE, InSigner(signer.socket))
    async with await Store.open(f"sqlite:///{tmp_path}/a.db", origin=ORIGIN) as store:
        await create_log(store, keys, ADA)
        await load_signing_keys(store, keys)
        rows = await store.read(lambda reader: reader.all(Row))
        now = store.clock()
        assert sorted(row.kept for row in rows) == [path.stem for path in signer.keys]
        assert all(b"PRIVATE" in path.read_bytes() for path in signer.keys)

        head = NoteSigner(ORIGIN, keys.head_key())
        note = await asyncio.to_thread(
            sign_checkpoint, Checkpoint(origin=ORIGIN, size=1, root=b"r" * 32), [head]
        )
        assert open_checkpoint(note, [head.verifier]).size == 1
        signature = await keys.sign(now, lambda key: key.sign(b"grant"))
        keys.signer(now).public.verify(b"grant", signature)

        signer.kill()
        with pytest.raises(SignerAway, match="does not answer"):
            await keys.sign(now, lambda key: key.sign(b"grant"))
        await signer.start()
        again = SigningKeys(PASSPHRASE, InSigner(signer.socket))
        await load_signing_keys(store, again)
        assert again.published(now) == keys.published(now)
        await again.sign(now, lambda key: key.sign(b"grant"))


async def test_keys_of_the_store_sign_on_until_they_are_rotated(
    signer: RunningSigner, tmp_path: Path
) -> None:
    """I7: a lender moves its keys to a signer by one rotation; nobody notices."""
    async with await Store.open(f"sqlite:///{tmp_path}/a.db", origin=ORIGIN) as store:
        await create_log(store, SigningKeys(PASSPHRASE), ADA)
        keys = SigningKeys(PASSPHRASE, InSigner(signer.socket))
        rotated, signs_from = await rotate_keys(store, keys)
        await load_signing_keys(store, keys)
        now = store.clock()
        assert keys.signer(now).public.thumbprint != rotated
        assert keys.signer(signs_from + timedelta(seconds=1)).public.thumbprint == rotated
        assert [path.stem for path in signer.keys] == [rotated]


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"\xff", b'{"sign": "nobody", "message": "AAAA"}', b'{"make": 1}']
)
def test_a_signer_answers_whatever_is_said(tmp_path: Path, line: bytes) -> None:
    """I12: nonsense is an error, not its end."""
    assert list(KeyStore(tmp_path, PASSPHRASE).answer(line)) == ["error"]


@pytest.mark.parametrize("signature", ["AAAA", "no base64", 5, None])
async def test_an_answer_that_is_no_signature_is_no_answer(signature: object) -> None:
    """I12: then the signer is away, and what waits for it is done later; nothing ends for good."""
    key = SigningKey.generate()

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        told = {"signature": signature} if "sign" in asked else {"jwk": key.public.jwk()}
        writer.write(json.dumps(told).encode() + b"\n")
        writer.close()

    with tempfile.TemporaryDirectory(prefix="placet-signer-") as folder:
        path = Path(folder) / "signer"
        async with await asyncio.start_unix_server(lie, path):
            opened = await asyncio.to_thread(InSigner(path).open, key.thumbprint)
            with pytest.raises(SignerAway, match="no signature"):
                await asyncio.to_thread(opened.sign, b"grant")


def test_whatever_a_signer_is_asked_is_answered(tmp_path: Path) -> None:
    """I12: also where a file lies among its keys that is none, or a key can't be read."""
    (tmp_path / "stray.pem").write_text("no key")
    keys = KeyStore(tmp_path, PASSPHRASE)
    spoiled = "s" * 43
    (tmp_path / f"{spoiled}.pem").write_text("no key")
    for line in (b"[" * 60_000, b"{}", b"", json.dumps({"public": spoiled}).encode()):
        assert set(keys.answer(line)) == {"error"}
