"""A checkpoint's deadline on real parts: the authority judges it by its own clock."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from placet.audit import verify
from placet.cli import fetch_log
from placet.client import AuthorityError
from placet.model import Verdict
from tests.harness.processes import DEFINITION
from tests.harness.world import temporal_server, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[Client]:
    """A real Temporal server."""
    async with temporal_server() as client:
        yield client


async def test_a_deadline_ends_the_checkpoint_and_is_no_approval(
    temporal: Client, tmp_path: Path
) -> None:
    """I6: it ends as the process says, nothing was sent off, and a late decision is refused."""
    short = tuple(
        each.model_copy(update={"deadline_seconds": 1, "expires_as": "returned"})
        if each.name == "release"
        else each
        for each in DEFINITION.checkpoints
    )
    hasty = DEFINITION.model_copy(update={"version": 2, "checkpoints": short})
    async with world(temporal, tmp_path) as w:
        await w.admin.act("process.publish", hasty.name, hasty)
        async with w.workers():
            case = await w.open("depot/D1/parcel/7")
            closed = await w.until_closed(case)
        assert closed.result == "returned"
        (seen,) = await w.people["una"].checkpoints(case=case)
        assert seen.status == "returned"
        amount = seen.evidence.proposal.amount
        with pytest.raises(AuthorityError) as refused:
            await w.people["cleo"].decide(seen, Verdict.APPROVE, amount=amount)
        assert "not_open" in refused.value.problem.reasons
        assert verify(await fetch_log(w.people["una"])).troubles == ()
        types = [each["type"] for each in await w.entries() if each.get("case") == case]
    assert types.count("checkpoint.expired") == 1
    assert types.count("decision.refused") == 1
    assert "decision.recorded" not in types
