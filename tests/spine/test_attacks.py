"""What someone with a port, a turned Temporal or a stolen key gets: nothing."""

from decimal import Decimal

import httpx
import jwt
import pytest
from temporalio import activity

from placet.audit import verify
from placet.authority import Store
from placet.authority._store import OutboxRow
from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.model import EnrolIdentity, Mode, Reason, UseStage, Verdict
from placet.tokens import SigningKey
from tests.harness.processes import matrix
from tests.harness.raw import Reply, ask, details_of, rogue_worker
from tests.harness.uses import tell_use
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
        assert info.workflow_id is not None
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


@pytest.mark.parametrize(
    ("path", "size"), [("/v1/acts", 2**21), ("/v1/checkpoints/x/decisions", 2**15)]
)
async def test_a_strangers_body_is_not_read_to_its_end(w: World, path: str, size: int) -> None:
    """I12: nobody unknown has the authority parse megabytes."""
    async with httpx.AsyncClient(base_url=w.issuer) as http:
        content = b'{"act":"a.b.c","body":{"a":"' + b"a" * size + b'"}}'
        answer = await http.post(
            path, content=content, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 400
    assert answer.json()["reasons"] == ["too_large"]


async def test_a_stolen_key_is_revoked_and_its_owner_goes_on_with_another(w: World) -> None:
    """I10: suspended, given a new key, the stolen one revoked, resumed: it decides nothing."""
    stolen, fresh = w.keys["cleo"], SigningKey.generate()
    why = Reason(reason="her laptop was stolen")
    with pytest.raises(AuthorityError) as refused:
        await w.people["hal"].act("key.revoke", stolen.thumbprint, why)
    assert refused.value.status == 403
    await w.admin.act("operator.suspend", "operator:cleo", why)
    body = EnrolIdentity(jwk=fresh.public.jwk(), roles=("clerk",))
    await w.admin.act("operator.enrol", "operator:cleo", body)
    await w.admin.act("key.revoke", stolen.thumbprint, why)
    await w.admin.act("operator.resume", "operator:cleo", why)
    with pytest.raises(AuthorityError, match="no active key"):
        await w.admin.act("key.revoke", stolen.thumbprint, why)
    (entry,) = await w.entries("key.revoked")
    assert entry["data"]["principal"] == "operator:cleo"
    async with w.workers():
        case = await w.open(SUBJECT)
        shown = await w.until_checkpoint(case)
        made = {}
        for key in (stolen, fresh):
            async with OperatorClient(w.issuer, "operator:cleo", key) as cleo:
                made[key.thumbprint] = cleo.sign_decision(shown, Verdict.APPROVE, amount=AMOUNT)
        with pytest.raises(AuthorityError) as refused:
            await w.admin.send_decision(shown.id, made[stolen.thumbprint])
        assert "operator_not_active" in refused.value.problem.reasons
        await w.admin.send_decision(shown.id, made[fresh.thumbprint])
        assert (await w.until_closed(case)).result == "dispatched"
        report = verify(await fetch_log(w.people["una"]))
    assert report.troubles == ()
    (decision,) = await w.entries("decision.recorded")
    assert decision["data"]["key"] == fresh.thumbprint


async def test_the_live_grants_of_a_revoked_keys_agent_end(w: World) -> None:
    """I10: what a stolen key got ends with the key, and it gets nothing more."""
    answers: list[tuple[Reply, Reply]] = []

    async def probe(info: activity.Info) -> tuple[Reply, Reply]:
        good = await ask(w, "scale", details_of(info))
        await w.admin.act("key.revoke", w.agents["scale"].thumbprint, Reason(reason="stolen"))
        return good, await ask(w, "scale", details_of(info))

    async with (
        rogue_worker(w, "scale", "weigh", probe, answers),
        w.workers(only=("orchestrator",)),
    ):
        await w.open(SUBJECT)

        async def done() -> list[tuple[Reply, Reply]]:
            return answers

        ((good, bad),) = await until(done)
    assert (good.status, bad.reasons) == (200, ["I10", "revoked"])
    assert [each["data"]["reason"] for each in await w.entries("grant.revoked")] == ["key_revoked"]


async def test_a_grant_ends_with_the_standing_of_who_approved_it(w: World) -> None:
    """I10, I5: what rests on an approval ends when its giver is suspended, and is given no more."""
    answers: list[tuple[Reply, Reply]] = []

    async def probe(info: activity.Info) -> tuple[Reply, Reply]:
        details = details_of(info, action="parcel:dispatch")
        good = await ask(w, "carrier", details)
        await w.admin.act("operator.suspend", "operator:cleo", Reason(reason="left the house"))
        return good, await ask(w, "carrier", details)

    async with (
        rogue_worker(w, "carrier", "dispatch", probe, answers),
        w.workers(only=("orchestrator", "scale", "second-scale")),
    ):
        case = await w.open(SUBJECT)
        shown = await w.until_checkpoint(case)
        await w.people["cleo"].decide(shown, Verdict.APPROVE, amount=AMOUNT)

        async def done() -> list[tuple[Reply, Reply]]:
            return answers

        ((good, bad),) = await until(done)
    assert (good.status, bad.reasons) == (200, ["I5", "approver_not_active"])
    (revoked,) = await w.entries("grant.revoked")
    assert revoked["data"]["reason"] == "approver_not_active"
    (voided,) = await w.entries("checkpoint.voided")
    assert voided["data"] == {
        "checkpoint": shown.id,
        "reasons": ["I5", "approver_not_active"],
        "told": ["operator:cleo"],
    }
    async with await Store.open(w.settings.database_url, origin=w.settings.origin) as store:
        key = f"notice/checkpoint.voided/{shown.id}"
        assert await store.read(lambda r: r.first(OutboxRow, OutboxRow.key == key))


async def test_nor_in_audit_mode_though_policy_forgets_it(w: World) -> None:
    """I5, I10: where policy forbids nothing in that mode, whoever has left pays nothing either."""
    answers: list[Reply] = []

    async def probe(info: activity.Info) -> Reply:
        await w.admin.act("matrix.publish", "parcel-check", matrix(2, Mode.AUDIT))
        await w.admin.act("operator.offboard", "operator:cleo", Reason(reason="left the house"))
        return await ask(w, "carrier", details_of(info, action="parcel:dispatch"))

    async with (
        rogue_worker(w, "carrier", "dispatch", probe, answers),
        w.workers(only=("orchestrator", "scale", "second-scale")),
    ):
        shown = await w.until_checkpoint(await w.open(SUBJECT))
        await w.people["cleo"].decide(shown, Verdict.APPROVE, amount=AMOUNT)

        async def done() -> list[Reply]:
            return answers

        (reply,) = await until(done)
    assert reply.reasons == ["I5", "approver_not_active"]
    assert await w.entries("checkpoint.voided") == []  # nothing is paid in that mode anyhow


async def test_what_was_done_outlives_the_standing_of_who_approved_it(w: World) -> None:
    """I11, I5: the step that asks again is denied, and nobody is asked anew for what is done."""
    answers: list[tuple[Reply, Reply]] = []
    key = SigningKey.generate()
    await w.admin.act("system.enrol", "system:authority", EnrolIdentity(jwk=key.public.jwk()))

    async def probe(info: activity.Info) -> tuple[Reply, Reply]:
        details = details_of(info, action="parcel:dispatch")
        token = (await ask(w, "carrier", details)).body["access_token"]
        grant = jwt.decode(token, options={"verify_signature": False})["jti"]
        await tell_use(w, key, grant, UseStage.INTENT)
        await w.admin.act("operator.suspend", "operator:cleo", Reason(reason="left the house"))
        begun = await ask(w, "carrier", details)
        await tell_use(w, key, grant, UseStage.RESULT)
        return begun, await ask(w, "carrier", details)

    async with (
        rogue_worker(w, "carrier", "dispatch", probe, answers),
        w.workers(only=("orchestrator", "scale", "second-scale")),
    ):
        shown = await w.until_checkpoint(await w.open(SUBJECT))
        await w.people["cleo"].decide(shown, Verdict.APPROVE, amount=AMOUNT)

        async def done() -> list[tuple[Reply, Reply]]:
            return answers

        ((begun, was_done),) = await until(done)
    assert (begun.status, begun.body["error"]) == (503, "temporarily_unavailable")
    assert "has not said yet" in begun.body["error_description"]
    assert was_done.reasons == ["I11", "done_already", "I5", "approver_not_active"]
    assert await w.entries("checkpoint.voided") == []
