"""One case from its opening to its archive, on the real parts."""

import tempfile
from decimal import Decimal
from pathlib import Path

import httpx
import jwt
import pytest
from temporalio.client import Client

from placet.audit import verify
from placet.cli import fetch_log
from placet.model import Verdict
from tests.harness.other_parcels import PINNED, Unpublished
from tests.harness.processes import matrix
from tests.harness.secrets import Recorder
from tests.harness.signers import RunningSigner
from tests.harness.world import World, world
from tests.spine import both_databases

pytestmark = pytest.mark.asyncio(loop_scope="module")


@both_databases
async def test_a_case_is_weighed_approved_dispatched_and_archived(w: World) -> None:
    """I1, I4, I5, I13: the whole way, each step on the ledger."""
    async with w.workers():
        case = await w.open("depot/D1/parcel/7")
        checkpoint = await w.until_checkpoint(case)
        assert checkpoint.evidence.proposal.amount == Decimal("80.00")
        answer = await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=Decimal("80.00"))
        assert answer.outcome.status == "approved"
        closed = await w.until_closed(case)
        assert closed.result == "dispatched"
        await w.until_archived(case)
    types = [entry["type"] for entry in await w.entries() if entry.get("case") == case]
    for expected in (
        "case.opened",
        "case.started",
        "grant.issued",
        "grant.settled",
        "checkpoint.opened",
        "decision.recorded",
        "checkpoint.resolved",
        "case.closed",
        "case.archived",
    ):
        assert expected in types
    assert types.count("grant.issued") == types.count("grant.settled")


async def test_a_case_runs_on_keys_that_another_process_keeps(
    temporal: Client, tmp_path: Path
) -> None:
    """I7, I8: grants, sessions and heads are signed by a signer, and all of it verifies."""
    with tempfile.TemporaryDirectory(prefix="placet-signer-") as folder:
        signer = RunningSigner(Path(folder))
        await signer.start()
        try:
            async with world(temporal, tmp_path, signer=signer.socket) as w, w.workers():
                case = await w.open("depot/D1/parcel/8")
                amount = Decimal("80.00")
                checkpoint = await w.until_checkpoint(case)
                await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)
                assert (await w.until_closed(case)).result == "dispatched"
                assert verify(await fetch_log(w.people["una"])).troubles == ()
        finally:
            signer.kill()


async def test_a_case_runs_on_grants_that_are_signed_with_rs256(
    temporal: Client, tmp_path: Path
) -> None:
    """I1, I8: for systems of record that know nothing else; the ledger's heads are as ever."""
    recorder = Recorder()
    async with (
        world(temporal, tmp_path, wrap=recorder.wrap, grant_algorithm="RS256") as w,
        w.workers(),
    ):
        async with httpx.AsyncClient() as http:
            (key,) = (await http.get(f"{w.issuer}/.well-known/jwks.json")).json()["keys"]
        case = await w.open("depot/D1/parcel/8")
        amount = Decimal("80.00")
        checkpoint = await w.until_checkpoint(case)
        await w.people["cleo"].decide(checkpoint, Verdict.APPROVE, amount=amount)
        assert (await w.until_closed(case)).result == "dispatched"
        assert verify(await fetch_log(w.people["una"])).troubles == ()
    grants = [token.decode() for token, kind in recorder.seen.items() if kind == "at+jwt"]
    assert len(grants) > 2
    for grant in grants:
        assert jwt.get_unverified_header(grant)["alg"] == "RS256"
        jwt.decode(
            grant,
            jwt.PyJWK(key),
            algorithms=["RS256"],
            options={"verify_aud": False, "verify_exp": False},
        )


async def test_code_that_was_not_published_is_told_when_its_first_case_runs(
    w: World, caplog: pytest.LogCaptureFixture
) -> None:
    """I9: that the case can't be archived is known long before it closes."""
    await w.admin.act("process.publish", PINNED.name, PINNED)
    rules = matrix().model_copy(update={"process": PINNED.name})
    await w.admin.act("matrix.publish", PINNED.name, rules)
    said = "runs workflow code of pinned-check that is not published"
    async with w.workers(workflows=(Unpublished,)):
        for parcel in (7, 8):
            answer = await w.people["pat"].open_case(PINNED.name, f"depot/D1/parcel/{parcel}")
            assert answer.case is not None
            w.started.append(answer.case)
            await w.until_checkpoint(answer.case)
    assert [each.levelname for each in caplog.records if said in each.getMessage()] == [
        "WARNING",
        "WARNING",
    ]
