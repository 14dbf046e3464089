"""A mirror of a log, written from C2SP's signed-note, tlog-checkpoint and tlog-tiles alone.

And of one entry's proof a reader, written from tlog-proof.

Nothing of Placet is imported here: this is what a stranger would write.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Get = Callable[[str], Awaitable[bytes]]
"""Fetches what is served at a path under the log's prefix."""


class Distrust(Exception):
    """The log is not what it says."""


class Mirror:
    """A copy of a log, verified each time that it grows."""

    def __init__(self, vkey: str, origin: str) -> None:
        self.name, key_id, encoded = vkey.split("+", 2)
        material = base64.b64decode(encoded)
        if material[0] != 1:
            raise Distrust("not an Ed25519 key")
        self.key_id = hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]
        if self.key_id.hex() != key_id:
            raise Distrust("the key's id does not fit")
        self.key = Ed25519PublicKey.from_public_bytes(material[1:])
        self.origin = origin
        self.entries: list[bytes] = []
        self.leaves: list[bytes] = []
        self.root = hashlib.sha256(b"").digest()

    async def follow(self, get: Get) -> int:
        """Take what is new, and verify it; return the size."""
        size, root = self.open(await get("checkpoint"))
        if size < len(self.leaves):
            raise Distrust("the log has shrunk")
        entries = [*self.entries, *await self._new_entries(get, size)]
        leaves = [hashlib.sha256(b"\x00" + each).digest() for each in entries]
        await self._compare_tiles(get, leaves)
        if mth(leaves) != root:
            raise Distrust("the entries do not give the checkpoint's root")
        if mth(leaves[: len(self.leaves)]) != self.root:
            raise Distrust("the past has changed")
        self.entries, self.leaves, self.root = entries, leaves, root
        return size

    def open(self, note: bytes) -> tuple[int, bytes]:
        """Verify a checkpoint: its size and root."""
        text, _, signatures = note.decode().rpartition("\n\n")
        text += "\n"
        for line in signatures.splitlines():
            dash, name, encoded = line.split(" ")
            data = base64.b64decode(encoded, validate=True)
            if (dash, name, data[:4]) == ("\u2014", self.name, self.key_id):
                self.key.verify(data[4:], text.encode())
                break
        else:
            raise Distrust("the checkpoint has no signature of the log")
        origin, size, root = text.splitlines()[:3]
        if origin != self.origin or size != str(int(size)):
            raise Distrust("the checkpoint is another log's, or not well spelled")
        return int(size), base64.b64decode(root, validate=True)

    async def _new_entries(self, get: Get, size: int) -> list[bytes]:
        """Entries that are not here yet; bundles that were partial are fetched again, wider."""
        found: list[bytes] = []
        for number in range(len(self.entries) // 256, -(-size // 256)):
            width = min(256, size - number * 256)
            bundle = await get("tile/entries/" + coordinates(number, width))
            entries = unpack(bundle)
            if len(entries) != width:
                raise Distrust("an entry bundle has another width")
            here = self.entries[number * 256 :]
            if entries[: len(here)] != here:
                raise Distrust("an entry has changed")
            found += entries[len(here) :]
        return found

    async def _compare_tiles(self, get: Get, leaves: list[bytes]) -> None:
        """Each tile of the tree must be what the entries say."""
        level, row = 0, leaves
        while row:
            for number in range(-(-len(row) // 256)):
                expected = row[number * 256 : number * 256 + 256]
                served = await get(f"tile/{level}/" + coordinates(number, len(expected)))
                if served != b"".join(expected):
                    raise Distrust(f"tile {level}/{number} is another")
            full = len(row) // 256
            row = [mth(row[number * 256 : number * 256 + 256]) for number in range(full)]
            level += 1


def cosigned_at(note: bytes, vkey: str) -> int:
    """When a witness cosigned a checkpoint (C2SP tlog-cosignature), in seconds since 1970."""
    name, key_id, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded)
    expected = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4]
    if material[0] != 4 or expected.hex() != key_id:
        raise Distrust("not the key of an Ed25519 cosigner")
    body, _, signatures = note.rpartition(b"\n\n")
    for line in signatures.decode().splitlines():
        _, signer, signature = line.split(" ")
        data = base64.b64decode(signature, validate=True)
        if (signer, data[:4]) == (name, expected):
            seconds = int.from_bytes(data[4:12], "big")
            message = f"cosignature/v1\ntime {seconds}\n".encode() + body + b"\n"
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(data[12:], message)
            return seconds
    raise Distrust("the checkpoint is not cosigned")


def proven(file: bytes, log: Mirror) -> tuple[int, bytes]:
    """Verify a tlog-proof whose extra data is the entry: its index, and the entry."""
    lines = file.decode().split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra "):
        raise Distrust("not a proof with its entry")
    entry = base64.b64decode(lines[1].removeprefix("extra "), validate=True)
    word, number = lines[2].split(" ")
    if word != "index" or number != str(int(number)):
        raise Distrust("no index")
    blank = lines.index("")
    path = [base64.b64decode(each, validate=True) for each in lines[3:blank]]
    size, root = log.open("\n".join(lines[blank + 1 :]).encode())
    # RFC 9162 section 2.1.3.2.
    index, last = int(number), size - 1
    if index > last:
        raise Distrust("beyond the head")
    node = hashlib.sha256(b"\x00" + entry).digest()
    for each in path:
        if last == 0:
            raise Distrust("the path is too long")
        if index % 2 or index == last:
            node = hashlib.sha256(b"\x01" + each + node).digest()
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            node = hashlib.sha256(b"\x01" + node + each).digest()
        index, last = index // 2, last // 2
    if last or node != root:
        raise Distrust("the path does not lead to the root")
    return int(number), entry


def coordinates(number: int, width: int) -> str:
    """``<N>[.p/<W>]``: groups of three digits, all but the last behind an x."""
    path = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        path = f"x{number % 1000:03}/{path}"
    return path if width == 256 else f"{path}.p/{width}"


def unpack(bundle: bytes) -> list[bytes]:
    """The entries of a bundle, each behind its length as a big-endian uint16."""
    entries = []
    while bundle:
        length = bundle[0] * 256 + bundle[1]
        if len(bundle) < 2 + length:
            raise Distrust("an entry bundle ends in the middle of an entry")
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return entries


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()
