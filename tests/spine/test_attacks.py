"""What someone with a port, a turned Temporal or a stolen key gets: nothing."""

from decimal import Decimal

import httpx
import pytest
from temporalio import activity

from placet.client import AuthorityError, OperatorClient
from placet.model import Reason, Verdict
from placet.tokens import SigningKey
from tests.harness.raw import Reply, ask, details_of, rogue_worker
from tests.harness.world import World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SUBJECT = "depot/D1/parcel/7"
AMOUNT = Decimal("80.00")


def _broken(jws: str, at: int) -> str:
    head, payload, signature = jws.split(".")
    other = "B" if signature[at] == "A" else "A"
    return f"{head}.{payload}.{signature[:at]}{other}{signature[at + 1 :]}"


async def test_a_stranger_writes_nothing_on_the_ledger(w: World) -> None:
    """I6: whoever reaches the port, with no enrolled key, leaves no entry."""
    async with w.workers():
        case = await w.open(SUBJECT)
        shown = await w.until_checkpoint(case)
        cleo = w.people["cleo"]
        good = cleo.sign_decision(shown, Verdict.APPROVE, amount=AMOUNT)
        head, payload, signature = good.split(".")
        strangers = [
            "a.b.c",
            f"A{head[1:]}.{payload}.{signature}",
            f"{head}.{payload[:-8]}.{signature}",
            w.people["una"].sign_decision(shown, Verdict.APPROVE).replace(".", "..", 1),
        ]
        for key in (SigningKey.generate(), w.keys["cid"]):
            async with OperatorClient(w.issuer, "operator:cleo", key) as thief:
                strangers.append(thief.sign_decision(shown, Verdict.APPROVE, amount=AMOUNT))
        async with httpx.AsyncClient(base_url=w.issuer) as http:
            for jws in strangers:
                url = f"/v1/checkpoints/{shown.id}/decisions"
                answer = await http.post(url, json={"decision": jws})
                assert answer.status_code in {400, 401}
        assert await w.entries("decision.refused") == []
        for at in (10, 11, 12):
            with pytest.raises(AuthorityError, match="signature"):
                await cleo.send_decision(shown.id, _broken(good, at))
        (entry,) = await w.entries("decision.refused")
    assert entry["data"]["named_key"] == w.keys["cleo"].thumbprint
    assert (entry["actor"], entry["case"]) == ("operator:unknown", case)


async def test_only_who_placed_a_hold_or_an_administrator_lifts_it(w: World) -> None:
    """I6: everyone may hold; the auditor lifts nobody else's."""
    why = Reason(reason="fraud is suspected")
    await w.people["hal"].act("hold.place", "depot/D1", why)
    with pytest.raises(AuthorityError) as refused:
        await w.people["una"].act("hold.lift", "depot/D1", why)
    assert refused.value.status == 403
    assert [each["actor"] for each in await w.entries("act.refused")] == ["operator:una"]
    await w.people["hal"].act("hold.lift", "depot/D1", why)
    await w.people["una"].act("hold.place", "depot/D1", why)
    await w.admin.act("hold.lift", "depot/D1", why)
    assert len(await w.entries("hold.lifted")) == 2


async def test_the_grants_of_a_stopped_case_are_revoked(w: World) -> None:
    """I1, I10: a case that the request for a grant stops has no live grant left."""
    answers: list[tuple[Reply, Reply]] = []

    async def probe(info: activity.Info) -> tuple[Reply, Reply]:
        good = await ask(w, "scale", details_of(info))
        await w.temporal.get_workflow_handle(info.workflow_id).terminate("by an attacker")
        await w.temporal.start_workflow(
            "ParcelCheck",
            {"case": info.workflow_id, "subject": SUBJECT},
            id=info.workflow_id,
            task_queue="nobody",
        )
        return good, await ask(w, "scale", details_of(info))

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        case = await w.open(SUBJECT)

        async def revoked() -> list[dict[str, object]]:
            return await w.entries("grant.revoked")

        (entry,) = await until(revoked)
    assert (entry["case"], entry["data"]["reason"]) == (case, "case_stopped")
