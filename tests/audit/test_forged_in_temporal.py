"""Whoever reaches Temporal forges a case before it closes: the sealed history tells on it."""

from pathlib import Path

from placet.audit import replay
from placet.cli._fetch import fetch_log
from placet.model import Verdict
from tests.audit.strangers import WeighsTwice
from tests.harness.parcels import ParcelCheck
from tests.harness.world import temporal_server, world


async def test_a_strangers_code_and_signal_are_found_in_a_sealed_history(tmp_path: Path) -> None:
    """I9: seal, grants and signatures hold; the published code asks for no such step."""
    async with temporal_server() as temporal, world(temporal, tmp_path) as w:
        async with w.workers(workflows=(WeighsTwice,)):
            case = await w.open("depot/D1/parcel/7")
            await (await w.workflow(case)).signal("release_now")
            checkpoint = await w.until_checkpoint(case)
            amount = checkpoint.evidence.proposal.amount
            await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)
            await w.until_archived(case)
        files = await fetch_log(w.people["una"])
    report = await replay(files, case, [ParcelCheck])
    found = {each.name: each for each in report.troubles}
    assert "event-digest" not in found
    assert {"command", "signal-unexplained"} <= set(found)
    assert found["command"].event is not None
    own = await replay(files, case, [WeighsTwice])
    assert [each.name for each in own.troubles] == ["signal-unexplained"]
