"""The last head that a session saw: what comes must continue it, or nothing more is signed (I8)."""

import base64
from collections.abc import Sequence

import httpx
from pydantic import TypeAdapter, ValidationError

from placet.client._sending import AnotherPast, AuthorityAway, AuthorityError, Sender
from placet.ledger import (
    Checkpoint,
    LedgerError,
    ProofError,
    Tile,
    require_one_past,
    split_note,
)
from placet.model import quantity
from placet.model._signed import LedgerHead

_HEAD: TypeAdapter[str] = TypeAdapter(LedgerHead)
_SO = "; nothing is signed here now: tell an administrator"


class HeadKeeper(Sender):
    """Keeps the largest head that it saw, and holds each that comes against it.

    That a head is the log's own is not judged here: its key is for who brings it (``--trust``).
    """

    _kept: Checkpoint | None = None

    @property
    def kept_head(self) -> Checkpoint | None:
        """The largest head that was seen."""
        return self._kept

    def remember_head(self, kept: Checkpoint | None) -> None:
        """Go on from the head that a session before this one saw."""
        self._kept = kept

    async def head(self) -> str | None:
        """The newest signed head, which continues the one before; ``None`` before the first.

        Raises:
            AnotherPast: it does not.
            AuthorityAway: the authority does not answer.
            AuthorityError: it gives no head any more.
        """
        response = await self._ledger("/ledger/checkpoint")
        if response.status_code != 200:
            if self._kept is not None:
                raise self._refusal(response)
            return None
        try:
            note = _HEAD.validate_python(response.text)
            found = Checkpoint.parse(split_note(note)[0])
        except (ValidationError, LedgerError):
            raise AuthorityAway(f"what answers at {self.issuer} is no authority: no head") from None
        against = None
        while against is not self._kept:  # another look may have kept one meanwhile
            against = self._kept
            await self._require_one_past(against, found)
        if against is None or against.size < found.size:
            self._kept = found
        return note

    async def _require_one_past(self, kept: Checkpoint | None, found: Checkpoint) -> None:
        """Require that one is a prefix of the other: a replica may be a head behind.

        Raises:
            AnotherPast: neither is.
        """
        if kept is None:
            return
        first, second = sorted((kept, found), key=lambda each: each.size)
        try:
            proof = await self._proof_between(first.size, second.size)
            require_one_past(first, second, proof)
        except AuthorityError as error:
            if error.status != 400 or found.size >= kept.size:
                raise
            raise AnotherPast(
                f"the ledger is shorter than it was: it had {_entries(kept)} and has "
                f"{found.size:,}, so what was written last is gone, as after an old backup was put "
                f"back{_SO}"
            ) from None
        except ProofError:
            raise AnotherPast(
                f"the ledger is not the one of before: its {_entries(found)} do not go with the "
                f"{_entries(kept)} that were seen here (root {_root(kept)}, and now "
                f"{_root(found)}){_SO}"
            ) from None

    async def _proof_between(self, first: int, second: int) -> Sequence[bytes]:
        if first in {0, second}:
            return ()
        asked = f"/v1/ledger/consistency?from={first}&to={second}"
        found = self._member(self._read(await self._ledger(asked)), "proof")
        try:
            return [base64.b64decode(each, validate=True) for each in found]
        except (ValueError, TypeError):
            raise AuthorityAway(f"what answers at {self.issuer} proves nothing") from None

    async def tile(self, place: Tile) -> bytes:
        """A tile of the log's hashes, as the authority has it.

        Raises:
            AuthorityError: no signed head has all of it.
        """
        response = await self._ledger(f"/ledger/{place.path}")
        if response.status_code != 200:
            raise self._refusal(response)
        return response.content

    async def _ledger(self, path: str) -> httpx.Response:
        """What the log says to anyone."""

        async def asked() -> httpx.Request:
            return self._http.build_request("GET", self.issuer + path)

        return await self._patiently(asked)


def _entries(head: Checkpoint) -> str:
    return quantity(head.size, "entry", "entries")


def _root(head: Checkpoint) -> str:
    return head.text.splitlines()[2]
