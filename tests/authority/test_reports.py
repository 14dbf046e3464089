"""Reports on identities that still work: each by an index, with the command that mends it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from placet.authority import Store
from placet.authority._campaigns import _carry_out
from placet.authority._store import Case, Grant, Registered, Tx
from placet.authority._usage import OF_ONE, QUESTIONS, UNUSED, WHOLLY_ENDING
from placet.client import AuthorityError, OperatorClient
from placet.model import (
    EnrolIdentity,
    Goal,
    IdentityReport,
    ImportedIdentity,
    OrderIdentity,
    Reason,
    Reviewed,
)
from placet.tokens import SigningKey
from tests.authority import ORIGIN
from tests.authority.test_registry import OUTSIDE, SAID
from tests.authority.test_two_administrators import holds
from tests.harness import processes
from tests.harness.alone import Alone, alone


@pytest.fixture
async def authority(database_url: str) -> AsyncIterator[Alone]:
    """An authority of the production environment, on each database."""
    async with alone(database_url, environment="production") as made:
        yield made


async def _report(client: OperatorClient) -> dict[IdentityReport, dict[str, str]]:
    return {
        each: {line.identity: line.why for line in await client.identity_report(each)}
        for each in IdentityReport
    }


def _grant(tx: Tx, number: int, action: str, at: datetime) -> None:
    if tx.get(Case, "case-1") is None:
        tx.add(
            Case(
                id="case-1",
                process="parcel-check",
                version=1,
                subject="depot/D1/parcel/7",
                status="closed",
                opened_by="operator:ada",
                opened_at=at,
                workflow_id="case-1",
                workflow_type="ParcelCheck",
                task_queue="orchestrator",
                request_id="r",
            )
        )
    tx.add(
        Grant(
            id=f"grant-{number}",
            case_id="case-1",
            agent="agent:scale",
            jkt="k",
            action=action,
            system="authority",
            record="depot/D1/parcel/7",
            run_id="r",
            activity_id=str(number),
            activity_type="weigh",
            attempt=1,
            last_started="",
            issued_at=at,
            expires_at=at,
            status="settled",
        )
    )


async def test_each_report_names_who_is_wrong_and_why(authority: Alone) -> None:
    """What works and should not: unowned, unused, too old, in too many places, forgotten."""
    async with authority.ada() as ada:
        body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner="operator:ada")
        for agent in ("scale", "carrier"):
            await ada.act("agent.enrol", f"agent:{agent}", body)
            body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner="operator:ada")
        await ada.act("identity.register", "agent:scale", SAID)
        await ada.act("process.publish", "parcel-check", processes.DEFINITION)
        other = processes.DEFINITION.model_copy(update={"name": "parcel-recheck"})
        await ada.act("process.publish", "parcel-recheck", other)
        unowned = OUTSIDE.model_copy(update={"owner": None})
        await ada.act("identity.register", "api-key:old", unowned)
        fresh = OUTSIDE.model_copy(update={"credential_since": authority.now()})
        await ada.act("identity.register", "bot:young", fresh)
        found = await _report(ada)
        assert found[IdentityReport.UNOWNED] == {"api-key:old": "nobody owns it"}
        assert found[IdentityReport.LONG_LIVED].keys() == {"api-key:old"}
        assert found[IdentityReport.STALE] == {}
        assert found[IdentityReport.OVER_PRIVILEGED] == {}
        assert found[IdentityReport.SHARED].keys() == {"agent:carrier", "agent:scale"}
        await ada.act(
            "identity.register", "agent:carrier", SAID.model_copy(update={"environment": "test"})
        )
        assert (await _report(ada))[IdentityReport.CROSS_ENVIRONMENT].keys() == {"agent:carrier"}
        authority.ahead = timedelta(days=89)
        used = authority.now()
        await authority.core_write(lambda tx: _grant(tx, 1, "parcel:weigh", used))
        authority.ahead = timedelta(days=91)
        found = await _report(ada)
        stale = {"agent:carrier", "api-key:old", "bot:young"}
        assert found[IdentityReport.STALE].keys() == stale
        assert found[IdentityReport.OVER_PRIVILEGED] == {
            "agent:carrier": "it may do parcel:dispatch, and did not for 90 days"
        }
        assert {"agent:carrier", "agent:scale"} <= found[IdentityReport.LONG_LIVED].keys()
        overdue = {"agent:carrier", "agent:scale", "api-key:old", "bot:young"}
        assert (await _report(ada))[IdentityReport.OVERDUE].keys() == overdue
        shown = await ada.registered("agent:scale")
        assert [(each.action, each.times) for each in shown.did] == [("parcel:weigh", 1)]
        assert shown.last_used == used
        assert [each.action for each in shown.may] == 2 * ["parcel:weigh"]
        (line,) = [
            each for each in await ada.identity_report("stale") if each.identity == "api-key:old"
        ]
        assert line.mend == "placet identity end api-key:old --reason …"
        with pytest.raises(AuthorityError):
            await ada.identity_report("unknown")


async def test_what_was_taken_from_an_agent_is_no_privilege_of_it(authority: Alone) -> None:
    """I10: once its owner has narrowed it to what it uses, it may do no more than that."""
    async with authority.ada() as ada:
        for agent in ("scale", "carrier"):
            await ada.act("agent.enrol", f"agent:{agent}", _key())
        await ada.act("process.publish", "parcel-check", processes.DEFINITION)
        authority.ahead = timedelta(days=91)
        before = (await _report(ada))[IdentityReport.OVER_PRIVILEGED]
        assert before.keys() == {"agent:carrier", "agent:scale"}
        await authority.core_write(lambda tx: _carry_out(tx, "agent:scale", Reviewed.NARROWED))
        assert (await ada.registered("agent:scale")).narrowed_to == ()
        after = (await _report(ada))[IdentityReport.OVER_PRIVILEGED]
        assert after.keys() == {"agent:carrier"}


async def test_each_long_lived_credential_is_mended_by_the_command_named(authority: Alone) -> None:
    """A system's, an agent's, and others' with an inventory and without: none is refused."""
    async with authority.ada() as ada:
        await ada.act("system.enrol", "system:loans", _key())
        await ada.act("agent.enrol", "agent:scale", _key())
        await ada.act("identity.register", "api-key:stripe", OUTSIDE)
        imported = ImportedIdentity(identity="api-key:imported", said=OUTSIDE)
        await ada.import_identities("aws", [imported])
        authority.ahead = timedelta(days=91)
        lines = {each.identity: each.mend for each in await ada.identity_report("long-lived")}
        assert lines == {
            "agent:scale": "placet agent invite scale --environment … --queue …",
            "api-key:imported": "placet identity rotate api-key:imported --reason …",
            "api-key:stripe": "placet identity register api-key:stripe --since … "
            "(once its owner has rotated it)",
            "system:loans": "placet system enrol loans --public-key … "
            "(then placet system revoke-key …)",
        }
        order = OrderIdentity(goal=Goal.ROTATE, reason="it is old")
        await ada.act("identity.order", "api-key:imported", order)
        with pytest.raises(AuthorityError, match="an administrator enrols its next key"):
            await ada.act("identity.order", "system:loans", order)
        (old,) = (await ada.registered("system:loans")).keys
        await ada.act("system.enrol", "system:loans", _key())
        await ada.act("key.revoke", old.thumbprint, Reason(reason="it is old"))
        await ada.act("agent.enrol", "agent:scale", _key())
        fresh = OUTSIDE.model_copy(update={"credential_since": authority.now()})
        await ada.act("identity.register", "api-key:stripe", fresh)
        left = [each.identity for each in await ada.identity_report("long-lived")]
        assert left == ["api-key:imported"]
        assert await holds(ada) == []


def _key() -> EnrolIdentity:
    return EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner="operator:ada")


async def test_a_system_of_record_is_never_stale(authority: Alone) -> None:
    """What it does under its key is no grant of its own: that nobody saw it says nothing."""
    async with authority.ada() as ada:
        await ada.act("system.enrol", "system:loans", _key())
        await ada.act("agent.enrol", "agent:scale", _key())
        authority.ahead = timedelta(days=91)
        assert (await _report(ada))[IdentityReport.STALE].keys() == {"agent:scale"}


async def test_what_has_ended_is_in_no_report(authority: Alone) -> None:
    """I10: the command that a report names mends it; ended is ended."""
    async with authority.ada() as ada:
        unowned = OUTSIDE.model_copy(update={"owner": None})
        await ada.act("identity.register", "api-key:old", unowned)
        why = Reason(reason="nobody knows it")
        await ada.act("identity.end", "api-key:old", why)
        assert all(not lines for lines in (await _report(ada)).values())
        assert "end date has passed" in str((await ada.registered("api-key:old")).lacks)
        for target in ("api-key:old", "api-key:unknown"):
            with pytest.raises(AuthorityError) as refused:
                await ada.act("identity.end", target, why)
            assert refused.value.status == 409
        assert await holds(ada) == []


async def test_reports_are_answered_by_an_index(tmp_path: Path) -> None:
    """However many grants there are: no question walks through them."""
    async with await Store.open(f"sqlite:///{tmp_path / 'a.db'}", origin=ORIGIN) as store:
        await _look_at_plans(store)


async def _look_at_plans(store: Store) -> None:
    for question in (*QUESTIONS.values(), WHOLLY_ENDING, UNUSED, *OF_ONE):
        spelled = str(
            question.compile(dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True})
        )
        names = question.compile(dialect=sqlite.dialect()).positiontup or []

        def plan(tx: Tx, spelled: str = spelled, count: int = len(names)) -> list[str]:
            rows = tx.connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {spelled}", tuple("x" for _ in range(count))
            )
            return [str(row[3]) for row in rows]

        steps = await store.write(plan)
        assert not [each for each in steps if "SCAN" in each and "grant_" in each], steps
        assert not [each for each in steps if each.startswith("SCAN identity_key")], steps


async def test_a_report_comes_page_by_page(authority: Alone) -> None:
    """All of them, each once, in order."""
    at = datetime(2020, 1, 1, tzinfo=UTC)

    def fill(tx: Tx) -> None:
        for number in range(450):
            tx.add(
                Registered(
                    identity=f"bot:{number:05}",
                    kind="bot",
                    owner=None,
                    first_seen=at,
                    registered_at=at,
                    registered_by="operator:ada",
                )
            )

    await authority.core_write(fill)
    async with authority.ada() as ada:
        found = [each.identity for each in await ada.identity_report("stale")]
        assert found == [f"bot:{number:05}" for number in range(450)]
        assert len(await ada.registry("bot")) == 450
