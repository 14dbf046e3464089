"""A signer: a process that keeps the authority's private keys and gives none of them out.

It listens on a socket of the file system that only its own user may open. Each line is a question
in JSON: ``{"make": "ES256"}`` and ``{"public": ID}`` are answered with ``{"jwk": …}``,
``{"sign": ID, "message": BASE64}`` with ``{"signature": BASE64}``, anything else with
``{"error": …}``. An ID is the key's thumbprint. Whoever stole the authority's database and its
passphrase signs nothing without this process.
"""

import asyncio
import base64
import contextlib
import json
import logging
import os
import re
import signal
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from placet.settings import Settings
from placet.tokens import Algorithm, KeyFileError, SigningKey, read_key_file, write_key_file

_log = logging.getLogger(__name__)
_MOST = 65_536
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


class SignerSettings(Settings):
    """``PLACET_SIGNER_*``: where it listens, where its keys are, and what they are under."""

    model_config = SettingsConfigDict(env_prefix="PLACET_SIGNER_", frozen=True, extra="ignore")

    socket: Path
    folder: Path
    passphrase: SecretStr = Field(min_length=12)


class KeyStore:
    """Keys in files of their own, each encrypted under the passphrase."""

    def __init__(self, folder: Path, passphrase: str) -> None:
        self._folder = folder
        self._passphrase = passphrase
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keys: dict[str, SigningKey] = {}
        for path in sorted(folder.glob("*.pem")):
            if _THUMBPRINT.fullmatch(path.stem):
                self._key(path.stem)

    def answer(self, line: bytes) -> dict[str, Any]:
        """Answer one question; whatever is wrong with it is an answer too (I12)."""
        try:
            asked = json.loads(line)
            if "make" in asked:
                return {"jwk": self._make(Algorithm(asked["make"])).public.jwk()}
            if "public" in asked:
                return {"jwk": self._key(asked["public"]).public.jwk()}
            message = base64.b64decode(asked["message"], validate=True)
            signature = self._key(asked["sign"]).sign(message)
            return {"signature": base64.b64encode(signature).decode()}
        except KeyError as error:
            return {"error": f"there is no {str(error)[:80]}"}
        except (TypeError, ValueError, RecursionError):
            return {"error": "ask for make, public, or sign and message"}
        except (KeyFileError, OSError) as error:
            return {"error": f"its file: {error}"[:200]}

    def _key(self, name: str) -> SigningKey:
        """A key by its thumbprint; another signer on the same folder may have made it."""
        found = self._keys.get(name)
        if found is None:
            path = self._folder / f"{name}.pem"
            if not _THUMBPRINT.fullmatch(name) or not path.exists():
                raise KeyError(name)
            found = self._keys[name] = read_key_file(path, self._passphrase)
        return found

    def _make(self, algorithm: Algorithm) -> SigningKey:
        key = SigningKey.generate(algorithm)
        write_key_file(self._folder / f"{key.thumbprint}.pem", key, self._passphrase)
        self._keys[key.thumbprint] = key
        return key


async def serve_signer(settings: SignerSettings) -> None:
    """Answer until told to stop (SIGTERM, SIGINT). A line of the log says when it does.

    Raises:
        OSError: the socket can't be made.
        KeyFileError: a key is under another passphrase.
    """
    keys = KeyStore(settings.folder, settings.passphrase.get_secret_value())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(keys.answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # it went away, or a line has no end
        finally:
            writer.close()

    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    settings.socket.unlink(missing_ok=True)
    before = os.umask(0o177)  # nobody else's from its first moment
    try:
        server = await asyncio.start_unix_server(answer, settings.socket, limit=_MOST)
    finally:
        os.umask(before)
    own = settings.socket.stat().st_ino
    async with server:
        _log.info("ready to sign at %s", settings.socket)
        await stopped.wait()
        # It may be the next one's by now; while ours is open, no other file has its number.
        with contextlib.suppress(FileNotFoundError):
            if settings.socket.stat().st_ino == own:
                settings.socket.unlink()
