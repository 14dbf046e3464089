"""A log as an auditor fetches it."""

from placet.audit import LogFiles
from placet.cli import fetch_log
from placet.client import OperatorClient
from tests.harness.world import until


async def whole_log(client: OperatorClient) -> LogFiles:
    """All of a log, once its newest head covers every entry."""

    async def covered() -> bool:
        head, entries = await client.head(), await client.get("/v1/ledger/entries?limit=1024")
        return head is not None and int(head.split("\n")[1]) == len(entries["entries"])

    await until(covered)
    return await fetch_log(client)
