"""The ledger's entries of one case, as people's tools read them."""

import json

import pytest

from placet.authority._errors import NotFound
from placet.authority._log import LedgerReads
from placet.authority._store import Store, Tx
from tests.authority.store.test_rows import case as a_case


class _Core:
    def __init__(self, store: Store) -> None:
        self.store = store


async def test_a_cases_entries_are_its_own_in_order_and_paged(store: Store) -> None:
    ours, other = "case-" + "0" * 26, "case-" + "1" * 26

    def write(number: int, case: str):
        def one(tx: Tx) -> int:
            return tx.append("case.opened", "operator:ana", {"number": number}, case=case)

        return one

    for number, each in enumerate((ours, other)):  # one of each subject may be open
        made = a_case(number)
        made.id, made.subject = each, f"loan/L-1001/draw/{number}"
        await store.write(lambda tx, made=made: tx.add(made))
    for number, case in enumerate((ours, other, ours, ours)):
        await store.write(write(number, case))
    reads = LedgerReads(_Core(store))  # type: ignore[arg-type]  # only the store is read
    whole = await reads.entries_of(ours, 0, 10)
    assert [each["index"] for each in whole["entries"]] == [0, 2, 3]
    assert [json.loads(each["entry"])["data"]["number"] for each in whole["entries"]] == [0, 2, 3]
    page = await reads.entries_of(ours, 1, 1)
    assert [each["index"] for each in page["entries"]] == [2]
    with pytest.raises(NotFound, match="no such case"):
        await reads.entries_of("case-" + "2" * 26, 0, 10)
