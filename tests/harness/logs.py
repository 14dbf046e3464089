"""A log as an auditor fetches it."""

import json

from placet.audit import LogFiles, only, read_bundle, verify, verify_bundle, write_bundle
from placet.cli import fetch_log
from placet.client import OperatorClient
from tests.harness.world import until

OPENED = b'"type":"case.opened"'


async def whole_log(client: OperatorClient) -> LogFiles:
    """All of a log, once its newest head covers every entry."""

    async def covered() -> bool:
        head, entries = await client.head(), await client.get("/v1/ledger/entries?limit=1024")
        return head is not None and int(head.split("\n")[1]) == len(entries["entries"])

    await until(covered)
    return await fetch_log(client)


def assert_holds(files: LogFiles) -> None:
    """All of a log holds, and each of its cases from its own bundle alone."""
    assert verify(files).troubles == ()
    for case in [json.loads(each)["case"] for each in files.entries if OPENED in each]:
        bundle = read_bundle(write_bundle(only(files, case), case))
        report = verify_bundle(bundle)
        assert (report.troubles, report.unchecked) == ((), ()), case
