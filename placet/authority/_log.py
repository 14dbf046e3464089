"""Reading the ledger: entries, proofs, and what was published."""

import base64
from collections.abc import Iterable
from typing import Any

from sqlmodel import col

from placet.authority._core import Core
from placet.authority._errors import Invalid, NotFound
from placet.authority._log_keys import handovers
from placet.authority._store import (
    Case,
    LedgerEntry,
    Matrix,
    PolicySet,
    ProcessVersion,
    Reader,
    SignedHead,
    TreeState,
    hash_reader,
)
from placet.ledger import consistency_path, inclusion_path
from placet.model import format_time

MAX_ENTRIES = 1024


class LedgerReads:
    """What anyone may read of the log."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def entries(self, start: int, limit: int) -> dict[str, Any]:
        """Entries from an index on, at most ``MAX_ENTRIES``: each as its canonical JSON."""
        rows = await self._core.store.read(
            lambda reader: reader.all(
                LedgerEntry,
                LedgerEntry.index >= start,
                order_by=[LedgerEntry.index],
                limit=min(limit, MAX_ENTRIES),
            )
        )
        return {"from": start, "entries": [row.content.decode() for row in rows]}

    async def entries_of(self, case: str, start: int, limit: int) -> dict[str, Any]:
        """The entries of one case from an index on, at most ``MAX_ENTRIES``, each with its own.

        Raises:
            NotFound: there is no such case.
        """

        def read(reader: Reader) -> list[LedgerEntry]:
            if reader.get(Case, case) is None:
                raise NotFound("there is no such case")
            return reader.all(
                LedgerEntry,
                LedgerEntry.case_id == case,
                LedgerEntry.index >= start,
                order_by=[LedgerEntry.index],
                limit=min(limit, MAX_ENTRIES),
            )

        return {"case": case, "entries": _spell_entries(await self._core.store.read(read))}

    async def entries_of_none(self, start: int, limit: int) -> dict[str, Any]:
        """The entries of no case from an index on, at most ``MAX_ENTRIES``, each with its own."""
        rows = await self._core.store.read(
            lambda reader: reader.all(
                LedgerEntry,
                col(LedgerEntry.case_id).is_(None),
                LedgerEntry.index >= start,
                order_by=[LedgerEntry.index],
                limit=min(limit, MAX_ENTRIES),
            )
        )
        return {"entries": _spell_entries(rows)}

    async def heads(self, start: int, limit: int) -> dict[str, Any]:
        """Signed heads from a size on, at most ``MAX_ENTRIES``; they are kept for ever."""
        rows = await self._core.store.read(
            lambda reader: reader.all(
                SignedHead,
                SignedHead.size >= start,
                order_by=[SignedHead.size],
                limit=min(limit, MAX_ENTRIES),
            )
        )
        heads = [
            {"size": row.size, "signed_at": format_time(row.signed_at), "note": row.note}
            for row in rows
        ]
        return {"from": start, "heads": heads}

    async def handovers(self) -> dict[str, Any]:
        """The heads by which a key of heads handed over to the next, oldest first."""
        return await self._core.store.read(handovers)

    async def inclusion(self, index: int, size: int) -> dict[str, Any]:
        """The proof that an entry is in the tree of ``size`` entries (0: the newest).

        Raises:
            Invalid: there is no such entry or size.
        """

        def read(reader: Reader) -> tuple[int, tuple[bytes, ...]]:
            whole = _whole(reader, size)
            if index >= whole:
                raise Invalid("invalid_request", "index: the tree of this size has no such entry")
            return whole, inclusion_path(hash_reader(reader), index, whole)

        whole, proof = await self._core.store.read(read)
        return {"index": index, "size": whole, "proof": _spell(proof)}

    async def consistency(self, first: int, second: int) -> dict[str, Any]:
        """The proof that the tree of ``first`` entries is a prefix of that of ``second``.

        Raises:
            Invalid: the sizes are not in order, or beyond the log.
        """

        def read(reader: Reader) -> tuple[int, tuple[bytes, ...]]:
            whole = _whole(reader, second)
            if not 0 < first <= whole:
                raise Invalid("invalid_request", "from: must be between 1 and the second size")
            return whole, consistency_path(hash_reader(reader), first, whole)

        whole, proof = await self._core.store.read(read)
        return {"from": first, "to": whole, "proof": _spell(proof)}

    async def published(self) -> dict[str, Any]:
        """All processes, matrices and policy sets that were ever published."""

        def read(reader: Reader) -> dict[str, Any]:
            return {
                "processes": [row.body_json for row in reader.all(ProcessVersion)],
                "matrices": [row.body_json for row in reader.all(Matrix)],
                "policies": [
                    {
                        "digest": row.digest,
                        "policies": row.policies,
                        "schema": row.policy_schema,
                        "current": row.current,
                    }
                    for row in reader.all(PolicySet)
                ],
            }

        return await self._core.store.read(read)


def _whole(reader: Reader, size: int) -> int:
    """The size that was asked for; 0 stands for the newest."""
    state = reader.first(TreeState)
    newest = 0 if state is None else state.size
    if size > newest:
        raise Invalid("invalid_request", "size: the log has not so many entries")
    return size or newest


def _spell_entries(rows: Iterable[LedgerEntry]) -> list[dict[str, Any]]:
    return [{"index": row.index, "entry": row.content.decode()} for row in rows]


def _spell(proof: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(each).decode() for each in proof]
