"""What has changed between a look and the write that follows it: who comes late changes nothing."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._acts import end_emergencies
from placet.authority._cases import Cases, _expire_grant
from placet.authority._definitions import Definitions
from placet.authority._errors import Unauthenticated
from placet.authority._joining import Joining
from placet.authority._notices import _claim
from placet.authority._requests import Requests
from placet.authority._sessions import _claim as claim_session
from placet.authority._store import Checkpoint, Delegation, DeliveryRow, Grant, SessionRow, Tx
from placet.model import (
    BreakGlass,
    Governance,
    Join,
    Need,
    RegisterIdentity,
    Workload,
)
from placet.tokens import CLIENT_ASSERTION, SigningKey, numeric_date
from tests.harness.acting import Acting, acting, session_row
from tests.harness.crowd import Asked, number_id, put
from tests.harness.granting import enrolled, grant, proof, row_of
from tests.harness.processes import DEFINITION, matrix
from tests.spine.test_identities import registration
from tests.tokens.samples import sign_raw

pytestmark = pytest.mark.asyncio(loop_scope="module")
SCALE = "agent:scale"
WHY = {"reason": "a test"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority with an agent, and people who release."""
    async with acting(tmp_path_factory.mktemp("meanwhile")) as made:
        await made.act("ada", "process.publish", DEFINITION.name, DEFINITION)
        await made.act("ada", "matrix.publish", DEFINITION.name, matrix())
        for name, role in (("cleo", "clerk"), ("cid", "clerk"), ("dot", "duty")):
            await made.enrol(name, role)
        made.keys[SCALE] = await enrolled(made, SCALE)
        yield made


async def test_a_grant_that_was_settled_meanwhile_does_not_expire(at: Acting) -> None:
    """I4: what the ledger has closed it has closed; it is not said a second time."""
    granted = await grant(at, SCALE, at.keys[SCALE], lasts=-60)
    await at.write(lambda tx: tx.change(Grant, granted.id, status="settled"))
    before, length = await at.rows(), len(await at.entries())
    await at.write(lambda tx: _expire_grant(tx, granted.id))
    await at.write(lambda tx: _expire_grant(tx, number_id("grant", 1)))
    assert (await at.rows(), len(await at.entries())) == (before, length)
    late = await grant(at, SCALE, at.keys[SCALE], lasts=-60)
    await asyncio.gather(*(Cases(at.core, Definitions()).expire_grants() for _ in range(2)))
    assert (await row_of(at, late)).status == "expired"
    types = [each["type"] for each in await at.entries()]
    assert types.count("grant.expired") == 1


async def test_a_checkpoint_that_ended_meanwhile_does_not_expire(at: Acting) -> None:
    """I6: what people decided in the last instant stands."""
    asked = Asked(1, process=DEFINITION.name, now=at.core.clock(), due=timedelta(0))
    await at.write(lambda tx: put(tx, asked))
    await at.write(lambda tx: tx.change(Checkpoint, asked.id, status="approved"))
    before = await at.rows()
    cases = Cases(at.core, Definitions())
    for checkpoint in (asked.id, number_id("ckpt", 99)):
        await at.write(lambda tx, which=checkpoint: cases._expire(tx, which))
    assert await at.rows() == before


async def test_an_emergency_ends_once(at: Acting) -> None:
    """I11: of two replicas that find its time over, one asks again what was asked before."""
    rule = BreakGlass(needs=(Need(roles=("duty",), count=2),), seconds=60, reviewers=("duty",))
    rules = Governance(version=1, break_glass=rule)
    await at.act("ada", "governance.publish", "governance", rules)
    asked = Asked(2, process=DEFINITION.name, now=at.core.clock())
    await at.write(lambda tx: put(tx, asked))
    await at.act("dot", "glass.break", asked.id, WHY)
    at.now[0] += timedelta(seconds=60)
    await asyncio.gather(*(end_emergencies(at.core) for _ in range(3)))
    opened = [e["data"] for e in await at.entries() if e["type"] == "checkpoint.opened"]
    assert [sorted({"emergency", "emergency_over"} & set(each)) for each in opened] == [
        ["emergency"],
        ["emergency_over"],
    ]


async def test_another_workload_that_was_registered_meanwhile_is_the_one_that_joins(
    at: Acting,
) -> None:
    """I6: a platform's word on the earlier one is no word on this one."""

    def said(subject: str) -> RegisterIdentity:
        workload = Workload(issuer="https://k8s.test", audience="placet", subject=subject)
        return registration(workload=workload)

    class Slow:
        """A platform that is asked while an administrator registers another workload."""

        async def attest(self, expected: Workload, evidence: str) -> datetime:
            await at.act("ada", "identity.register", SCALE, said(f"{expected.subject}-2"))
            return at.core.clock() + timedelta(minutes=1)

    await at.act("ada", "identity.register", SCALE, said("pod"))
    asked = Join(
        agent="scale", environment="production", task_queues=("scale",), attestation="e30.e30.x"
    )
    keys = len([e for e in await at.entries() if e["type"] == "key.enrolled"])
    with pytest.raises(Unauthenticated, match="another workload is registered by now"):
        await Joining(at.core, Slow()).join(asked, proof(at, SigningKey.generate()))
    assert len([e for e in await at.entries() if e["type"] == "key.enrolled"]) == keys


@pytest.mark.parametrize("changed", [{"attempts": 2}, {"status": "done"}, None])
async def test_a_notice_is_sent_by_who_claims_it_first(
    at: Acting, changed: dict[str, Any] | None
) -> None:
    """I11: not again by a replica that looked before, nor once it is gone."""

    def claim(tx: Tx) -> bool:
        tx.add(
            DeliveryRow(
                notice=secrets.token_hex(8),
                channel="c",
                kind="case.stopped",
                said_json="{}",
                status="waiting",
                attempts=1,
                told_at=tx.now,
                next_try_at=tx.now,
            )
        )
        seen = tx.first(DeliveryRow, order_by=[DeliveryRow.id.desc()])
        assert seen is not None
        if changed is None:
            tx.remove(DeliveryRow, seen.id)
        else:
            tx.change(DeliveryRow, seen.id, **changed)
        before = tx.get(DeliveryRow, seen.id)
        claimed = _claim(tx, seen, None)
        after = tx.get(DeliveryRow, seen.id)
        assert repr(after) == repr(before)
        return claimed

    assert await at.write(claim) is False


async def test_one_process_asks_the_provider_about_a_session(at: Acting) -> None:
    """I10, I11: a refresh token is sent once; a renewed one is not asked with the one before."""

    def look(tx: Tx) -> list[bool]:
        row = session_row("operator:cleo", tx.now, sealed="first")
        tx.add(row)
        found = [claim_session(tx, row) is not None, claim_session(tx, row) is not None]
        tx.change(SessionRow, row.id, asking_until=None, sealed="second")
        found.append(claim_session(tx, row) is not None)
        tx.change(SessionRow, row.id, sealed="first", status="ended")
        found.append(claim_session(tx, row) is not None)
        tx.remove(SessionRow, row.id)
        return [*found, claim_session(tx, row) is not None]

    assert await at.write(look) == [True, False, False, False, False]


async def test_nobody_decides_for_who_is_away_elsewhere_or_off(at: Acting) -> None:
    """I6, I10: a delegation is for its process; and a giver who was suspended gives no word."""
    asked = Asked(3, process=DEFINITION.name, now=at.core.clock())
    await at.write(lambda tx: put(tx, asked))
    day = timedelta(days=1)

    def away(tx: Tx, process: str | None) -> None:
        tx.add(
            Delegation(
                id=f"for {process}",
                giver="operator:cleo",
                delegate="operator:cid",
                process=process,
                starts_at=tx.now - day,
                ends_at=tx.now + day,
                entry=1,
            )
        )

    async def decide() -> str:
        sent = await at.decision("cid", asked.id, stands_in_for="operator:cleo")
        answer = await at.decisions.decide(asked.id, sent)
        return str(answer.outcome.status)

    await at.write(lambda tx: away(tx, "loan-draw"))
    async with at.refuses(403, "", "I6", "not_standing_in"):
        await decide()
    await at.write(lambda tx: away(tx, None))
    await at.act("ada", "operator.suspend", "operator:cleo", WHY)
    async with at.refuses(403, "", "I6", "not_standing_in"):
        await decide()
    await at.act("ada", "operator.resume", "operator:cleo", WHY)
    assert await decide() == "approved"


async def test_an_assertion_is_about_who_signed_it(at: Acting) -> None:
    """I1: iss and sub of a client assertion are both the client's id (RFC 7523 section 3)."""
    now, key = numeric_date(at.core.clock()), at.keys[SCALE]
    header = {"typ": CLIENT_ASSERTION.typ, "alg": "ES256", "kid": key.thumbprint}
    said = {"iss": SCALE, "sub": SCALE, "aud": at.core.issuer, "iat": now, "exp": now + 60}
    said["jti"] = secrets.token_urlsafe(18)
    assert (await Requests(at.core).client(sign_raw(header, said, key))).principal == SCALE
    forged = sign_raw(header, {**said, "sub": "agent:carrier"}, key)
    async with at.refuses(401, "iss and sub of a client assertion are both the client's id"):
        await Requests(at.core).client(forged)
