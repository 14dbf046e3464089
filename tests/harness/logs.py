"""A log as an auditor fetches it."""

import dataclasses
import json
from collections.abc import Sequence

from placet.audit import (
    LogFiles,
    head_size,
    prove,
    read_bundle,
    select,
    verify,
    verify_bundle,
    write_bundle,
)
from placet.cli import fetch_log
from placet.client import OperatorClient
from placet.ledger import Subtrees, leaf_hash, node_hash
from tests.harness.world import until

OPENED = b'"type":"case.opened"'


async def whole_log(client: OperatorClient) -> LogFiles:
    """All of a log, once its newest head covers every entry."""

    async def covered() -> bool:
        head, entries = await client.head(), await client.get("/v1/ledger/entries?limit=1024")
        return head is not None and int(head.split("\n")[1]) == len(entries["entries"])

    await until(covered)
    return await fetch_log(client)


def only(files: LogFiles, case: str) -> LogFiles:
    """A whole log's files, cut down to what the proof of one case needs, up to its head."""
    return Cutting(files).only(case)


class Cutting:
    """Cuts a whole log's files, once for many cases, as an auditor fetches them for one."""

    def __init__(self, files: LogFiles) -> None:
        self._files, self._entries = files, files.entries[: head_size(files.head)]
        self._cases = [json.loads(each).get("case") for each in self._entries]
        self._hashes = _subtrees([leaf_hash(each) for each in self._entries])

    def only(self, case: str) -> LogFiles:
        """What one case needs."""
        fetched = [at for at, each in enumerate(self._cases) if each in {None, case}]
        chosen = select([self._entries[at] for at in fetched], case)
        indices = tuple(fetched[at] for at in chosen)
        entries = tuple(self._entries[at] for at in indices)
        return prove(
            dataclasses.replace(self._files, entries=entries, indices=indices), self._hashes
        )


def _subtrees(leaves: Sequence[bytes]) -> Subtrees:
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    return lambda level, index: levels[level][index]


def assert_holds(files: LogFiles) -> None:
    """All of a log holds, and each of its cases from its own bundle alone."""
    found = verify(files).troubles
    assert found == (), [(t.name, t.place, t.found) for t in found]
    cutting = Cutting(files)
    for case in [json.loads(each)["case"] for each in files.entries if OPENED in each]:
        bundle = read_bundle(write_bundle(cutting.only(case), case))
        report = verify_bundle(bundle)
        assert (report.troubles, report.unchecked) == ((), ()), case
