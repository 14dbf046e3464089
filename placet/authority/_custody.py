"""Where the authority's private keys are kept, and what signs with them.

A custody makes keys, and gives what signs with one. The store's own column keeps only what the
custody wants back to find the key again: for :class:`InStore` the key itself, encrypted; for one
that never gives a key out (a cloud's key management, :class:`InSigner`), a name.
"""

import base64
import contextlib
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from placet.authority._errors import Unavailable
from placet.authority._passphrases import Passphrases, WrongPassphrase
from placet.tokens import Algorithm, BadSignature, KeyRefused, PublicKey, Signer, SigningKey

_SECONDS = 3.0
"""How long a signer in another process is waited for."""

_MOST = 65_536
_PEM = "-----BEGIN "


class SignerAway(Unavailable):
    """Whoever keeps the keys does not answer, or not as it must."""


@dataclass(frozen=True)
class MadeKey:
    """A key that was just made: what signs with it, and what finds it again."""

    signer: Signer
    kept: str


class Custody(Protocol):
    """Keeps private keys. Its methods may wait for a network: never call them in a transaction."""

    @property
    def waits(self) -> bool:
        """Whether signing waits for more than this processor: then it is done in a thread."""
        ...

    def make(self, algorithm: Algorithm) -> MadeKey:
        """Make a key.

        Raises:
            SignerAway: whoever keeps the keys does not answer.
        """
        ...

    def open(self, kept: str) -> Signer:
        """What signs with a key that was made before; it raises ``SignerAway`` like this.

        Raises:
            SignerAway: whoever keeps the keys does not answer, or has no such key.
            WrongPassphrase: it is under another passphrase.
        """
        ...


class InStore:
    """The store keeps each key itself: PKCS#8, encrypted under the passphrase (I7)."""

    waits = False

    def __init__(self, passphrases: Passphrases) -> None:
        self._passphrases = passphrases

    def make(self, algorithm: Algorithm) -> MadeKey:
        """Make a key, from the operating system's randomness."""
        key = SigningKey.generate(algorithm)
        return MadeKey(key, self._wrapped(key))

    def open(self, kept: str) -> Signer:
        """Decrypt a key."""
        return self._opened(kept)[0]

    def rewrap(self, kept: str) -> str | None:
        """A key as it is kept under the passphrase of now; ``None`` where it is so already.

        Raises:
            WrongPassphrase: it is under another than the two.
        """
        key, under = self._opened(kept)
        return None if under == self._passphrases.now else self._wrapped(key)

    def _opened(self, kept: str) -> tuple[SigningKey, bytes]:
        for each in self._passphrases.all():
            with contextlib.suppress(ValueError):
                return SigningKey.of(load_pem_private_key(kept.encode(), each)), each
        raise WrongPassphrase(self._passphrases.wrong("signing"))

    def _wrapped(self, key: SigningKey) -> str:
        how = BestAvailableEncryption(self._passphrases.now)
        return key.crypto.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()

    @staticmethod
    def keeps(kept: str) -> bool:
        """Whether a key is kept like this."""
        return kept.startswith(_PEM)


@dataclass(frozen=True)
class _Remote:
    """A key that another process has."""

    socket: Path
    public: PublicKey

    def sign(self, message: bytes) -> bytes:
        """Have it sign.

        Raises:
            SignerAway: it does not answer, or not with this key's signature.
        """
        said = {"sign": self.public.thumbprint, "message": base64.b64encode(message).decode()}
        answer = _ask(self.socket, said, "signature")
        try:
            signature = base64.b64decode(answer)
            self.public.verify(message, signature)
        except (BadSignature, TypeError, ValueError):
            raise SignerAway(f"the signer at {self.socket} answers with no signature") from None
        return signature


class InSigner:
    """A process of its own keeps the keys (``placet authority signer``), and gives none out."""

    waits = True

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def make(self, algorithm: Algorithm) -> MadeKey:
        """Have it make a key."""
        public = self._public({"make": algorithm.value})
        if public.algorithm is not algorithm:
            raise SignerAway("the signer made a key of another kind")
        return MadeKey(_Remote(self._socket, public), public.thumbprint)

    def open(self, kept: str) -> Signer:
        """Ask for the public key once; it is asked for each signature."""
        return _Remote(self._socket, self._public({"public": kept}))

    def _public(self, asked: dict[str, str]) -> PublicKey:
        try:
            return PublicKey.from_jwk(_ask(self._socket, asked, "jwk"))
        except KeyRefused as error:
            raise SignerAway(f"the signer's key is refused: {error}") from None


@dataclass(frozen=True)
class HeadKey:
    """What signs the ledger's heads, as the ledger wants it."""

    signer: Signer

    def public_key(self) -> Ed25519PublicKey:
        """The public key.

        Raises:
            TypeError: it is no Ed25519 key.
        """
        crypto = self.signer.public.crypto
        if not isinstance(crypto, Ed25519PublicKey):
            raise TypeError("heads are signed with Ed25519 (C2SP signed-note)")
        return crypto

    def sign(self, data: bytes, /) -> bytes:
        """Sign."""
        return self.signer.sign(data)


def _ask(path: Path, said: dict[str, str], wanted: str) -> Any:
    """Ask the signer one thing, over a connection of its own."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(_SECONDS)
            asking.connect(str(path))
            asking.sendall(json.dumps(said).encode() + b"\n")
            with asking.makefile("rb") as answered:
                answer = json.loads(answered.readline(_MOST))
    except (OSError, ValueError) as error:
        raise SignerAway(f"the signer at {path} does not answer: {error}") from None
    if not isinstance(answer, dict) or wanted not in answer:
        raise SignerAway(f"the signer at {path} refused: {str(answer)[:200]}")
    return answer[wanted]
