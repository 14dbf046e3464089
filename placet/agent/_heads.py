"""The last head of the ledger that a worker saw: what comes must continue it, or it signs no more.

(I8) A worker that runs for long is a keeper of heads: it looks now and then, holds what it sees
against what it saw, and puts it into what it signs.
"""

import asyncio
import base64
import json
import time
from collections.abc import Sequence

import aiohttp

from placet.agent._errors import another_past, unavailable
from placet.ledger import Checkpoint, LedgerError, ProofError, require_one_past, split_note
from placet.transport import over_tls

LOOK_SECONDS = 10.0
"""Between two looks, each of which a settlement waits for."""

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Heads:
    """The largest head that a worker has seen, whatever its key is by now."""

    def __init__(self, issuer: str, session: aiohttp.ClientSession) -> None:
        self._issuer = issuer
        self._session = session
        self._next = 0.0
        self._looking = asyncio.Lock()
        self._kept: Checkpoint | None = None
        self._note: str | None = None

    async def to_sign(self) -> str | None:
        """The newest head, if none of the settlements before has it; each is signed once.

        Raises:
            ApplicationError: the log is another than before, or gives no head any more (retryable).
        """
        async with self._looking:
            if time.monotonic() >= self._next:
                await self._look()
                self._next = time.monotonic() + LOOK_SECONDS
            note, self._note = self._note, None
            return note

    async def _look(self) -> None:
        status, body = await self._ask("/ledger/checkpoint")
        if status != 200:
            if self._kept is not None:
                raise unavailable(f"the authority answered {status} where it gave heads before")
            return
        note, found = _read(body)
        kept = self._kept
        if kept is not None:
            await self._require_one_past(kept, found)
        if kept is None or kept.size < found.size:
            self._kept, self._note = found, note

    async def _require_one_past(self, kept: Checkpoint, found: Checkpoint) -> None:
        older, newer = sorted((kept, found), key=lambda each: each.size)
        try:
            require_one_past(older, newer, await self._proof(older, newer))
        except ProofError as error:
            raise another_past(str(error)) from None

    async def _proof(self, older: Checkpoint, newer: Checkpoint) -> Sequence[bytes]:
        if older.size in {0, newer.size}:
            return ()
        asked = f"/v1/ledger/consistency?from={older.size}&to={newer.size}"
        status, body = await self._ask(asked)
        if status == 400 and newer is self._kept:  # nothing is proven of entries that are gone
            raise ProofError(f"it had {newer.size:,} entries, and now has {older.size:,}")
        try:
            if status != 200:
                raise ValueError(status)
            return [base64.b64decode(each, validate=True) for each in json.loads(body)["proof"]]
        except (ValueError, TypeError, KeyError):
            raise unavailable(f"the authority answered {status} where it proves its past") from None

    async def _ask(self, path: str) -> tuple[int, bytes]:
        """What the log says to anyone."""
        try:
            async with self._session.get(
                self._issuer + path, timeout=_TIMEOUT, allow_redirects=False
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            why = over_tls(error, self._issuer) or f" ({type(error).__name__})"
            raise unavailable(f"the authority does not answer{why}") from None


def _read(body: bytes) -> tuple[str, Checkpoint]:
    """A head, and the note of it with the log's own signature alone: what is signed is bounded."""
    try:
        note = body.decode()
        text, _ = split_note(note)
        head = Checkpoint.parse(text)
    except (UnicodeDecodeError, LedgerError):
        raise unavailable("the authority answered a head in a wrong form") from None
    for line in note[len(text) + 1 :].splitlines(keepends=True):
        if line.startswith(f"— {head.origin} "):
            return f"{text}\n{line}", head
    raise unavailable("the authority answered a head that its log did not sign")
