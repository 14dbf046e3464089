"""Reading the ledger: entries, proofs, and what was published."""

import base64
from typing import Any

from sqlalchemy import select

from placet.authority._core import Core
from placet.authority._errors import Invalid
from placet.authority._store import (
    LedgerEntry,
    Matrix,
    PolicySet,
    ProcessVersion,
    Reader,
)
from placet.ledger import consistency_proof, inclusion_proof

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

    async def inclusion(self, index: int, size: int) -> dict[str, Any]:
        """The proof that an entry is in the tree of ``size`` entries (0: the newest).

        Raises:
            Invalid: there is no such entry or size.
        """
        leaves = await self._leaves(size)
        if index >= len(leaves):
            raise Invalid("invalid_request", "index: the tree of this size has no such entry")
        proof = inclusion_proof(leaves, index)
        return {
            "index": index,
            "size": len(leaves),
            "proof": [base64.b64encode(each).decode() for each in proof],
        }

    async def consistency(self, first: int, second: int) -> dict[str, Any]:
        """The proof that the tree of ``first`` entries is a prefix of that of ``second``.

        Raises:
            Invalid: the sizes are not in order, or beyond the log.
        """
        leaves = await self._leaves(second)
        if not 0 < first <= len(leaves):
            raise Invalid("invalid_request", "from: must be between 1 and the second size")
        proof = consistency_proof(leaves, first)
        return {
            "from": first,
            "to": len(leaves),
            "proof": [base64.b64encode(each).decode() for each in proof],
        }

    async def _leaves(self, size: int) -> list[bytes]:
        def read(reader: Reader) -> list[bytes]:
            statement = select(LedgerEntry.leaf_hash).order_by(LedgerEntry.index)  # type: ignore[call-overload]  # columns on the class
            return [leaf for (leaf,) in reader.execute(statement.limit(size or None))]

        leaves = await self._core.store.read(read)
        if size and len(leaves) != size:
            raise Invalid("invalid_request", "size: the log has not so many entries")
        return leaves

    async def published(self) -> dict[str, Any]:
        """All processes, matrices and policy sets that were ever published."""

        def read(reader: Reader) -> dict[str, Any]:
            return {
                "processes": [row.body_json for row in reader.all(ProcessVersion)],
                "matrices": [row.body_json for row in reader.all(Matrix)],
                "policies": [
                    {"digest": row.digest, "policies": row.policies, "schema": row.policy_schema}
                    for row in reader.all(PolicySet)
                ],
            }

        return await self._core.store.read(read)
