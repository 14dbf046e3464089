"""The ledger, as the console asks for it: heads, entries, and all that a proof needs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from placet.client import OperatorClient
from placet.ledger import Checkpoint
from tui.answers import Head, Listed, Refused, listed, ways_to_fail

if TYPE_CHECKING:
    from placet.audit import LogFiles

_PAGE = 1024


class Ledger:
    """What can be asked of the log itself."""

    def __init__(self, client: OperatorClient) -> None:
        self._client = client

    @property
    def seen(self) -> Checkpoint | None:
        """The largest head that was seen."""
        return self._client.kept_head

    def remember(self, seen: Checkpoint | None) -> None:
        """Go on from the head that a session before this one saw."""
        self._client.remember_head(seen)

    async def head(self) -> Head | None:
        """The newest signed head.

        Raises:
            NotShown: the ledger is not the one that was seen before.
        """
        with ways_to_fail():
            note = await self._client.head()
        lines = (note or "").split("\n")
        if len(lines) < 3 or not lines[1].isascii() or not lines[1].isdecimal():
            return None
        return Head(int(lines[1][:15]), lines[2], note or "")

    async def entries(self, start: int, limit: int) -> list[Listed]:
        """Entries from an index on."""
        with ways_to_fail():
            page = await self._client.get(f"/v1/ledger/entries?from={start}&limit={limit}")
            return [listed(start + at, text) for at, text in enumerate(page["entries"])]

    async def entries_of(self, case: str) -> list[Listed]:
        """Every entry of one case."""
        found: list[Listed] = []
        with ways_to_fail():
            while True:
                start = found[-1].index + 1 if found else 0
                path = f"/v1/cases/{case}/entries?from={start}&limit={_PAGE}"
                page = (await self._client.get(path))["entries"]
                found += [listed(int(each["index"]), each["entry"]) for each in page]
                if len(page) < _PAGE:
                    return found

    async def tail(self, count: int) -> list[Listed]:
        """The newest entries, the newest last."""
        head = await self.head()
        if head is None:
            return []
        found: list[Listed] = []
        start = max(0, head.size - count)
        while len(found) < count:
            page = await self.entries(start + len(found), min(_PAGE, count))
            found += page
            if len(page) < min(_PAGE, count):
                break
        return found

    async def kept(self, digest: str) -> str:
        """What is kept beside the ledger under a digest; empty where nothing is."""
        try:
            with ways_to_fail():
                return str((await self._client.get(f"/v1/kept/{digest}"))["content"])
        except Refused:
            return ""

    async def case_files(self, case: str) -> "LogFiles":
        """All that the proof of one case needs."""
        from placet.cli import fetch_case  # noqa: PLC0415 - it takes longer to load than to sign in

        with ways_to_fail():
            return await fetch_case(self._client, case)

    async def whole_log(self, trust: Mapping[str, Any] | None = None) -> "LogFiles":
        """The whole log with what its entries refer to."""
        from placet.cli import fetch_log  # noqa: PLC0415 - the same

        with ways_to_fail():
            return await fetch_log(self._client, trust=trust)
