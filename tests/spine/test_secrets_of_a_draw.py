"""I7: a whole draw, each part a process: no token in any file, log or history that it leaves."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest
from temporalio.client import Client

from lender import storage
from lender.demo import Books
from lender.embedded import embedded
from lender.samples import make_loan, plan_for, write_packet
from placet.client import AuthorityAway
from placet.model import CaseView, CheckpointView, Verdict
from tests.harness.forked import begun
from tests.harness.secrets import OF_A_CASE, files, histories, tokens_in
from workflows.loan_draw import PROCESS

T = TypeVar("T")


async def _until(look: Callable[[], Awaitable[T | None]], seconds: float = 90) -> T:
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(AuthorityAway):
                found = await look()
                if found is not None:
                    return found
            await asyncio.sleep(0.05)


async def test_a_draw_leaves_no_token_in_any_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I7: workers, authority and systems of record; their logs, databases and Temporal's own."""
    loan = make_loan(
        "L-3000", "Quiet Row", "Quiet LLC", "1 Quiet Road, Oakland CA", Decimal("300000.00"), 30
    )
    folder = tmp_path / "parts"
    monkeypatch.setenv("PLACET_TELEMETRY_LOG_FORM", "json")
    monkeypatch.setenv("PLACET_TELEMETRY_LOG_LEVEL", "debug")
    async with (
        embedded(folder, begin=begun) as made,
        made.person("dana") as dana,
        made.person("omar") as omar,
    ):
        packet = storage.read_packet_folder(write_packet(plan_for(loan), tmp_path / "packet"))
        with Books.of(made.lender) as books:
            books.take_in(loan)
            storage.store_packet(books.storage, loan.loan_id, 1, packet)
        case = (await dana.open_case(PROCESS.name, f"loan/{loan.loan_id}/draw/1")).case
        assert case is not None

        async def waiting() -> CheckpointView | None:
            found = await omar.checkpoints("open", case)
            return found[0] if found else None

        checkpoint = await _until(waiting)
        amount = checkpoint.evidence.proposal.amount
        await omar.decide(checkpoint, Verdict.APPROVE, amount=amount)

        async def archived() -> CaseView | None:
            view = await omar.case(case)
            return view if view.archived else None

        assert (await _until(archived)).result == "disbursed"
        found = await histories(await Client.connect(made.temporal), case, made.authority)
        logs = {each.name: each.read_bytes() for each in (folder / "logs").iterdir()}
    assert found
    assert tokens_in(found) == []
    assert {"authority.log", "lender.log", "worker-disbursement.log"} <= set(logs)
    assert tokens_in(logs) == []
    said = [json.loads(each) for each in logs["authority.log"].splitlines()]
    granted = [each for each in said if each["event"] == "granted" and each["case"] == case]
    assert {each["agent"] for each in granted} >= {"agent:draw-intake", "agent:disbursement"}
    assert all(each["grant"].startswith("grant-") for each in granted), granted[0]
    left = files(folder)
    assert any(case.encode() in each for name, each in left.items() if "temporal.db" in name)
    kinds = {each.rpartition(": a ")[2] for each in tokens_in(left)}
    assert kinds == {*OF_A_CASE, "placet-use+jwt"}  # the search does see
