"""Owners, agents and vendors that leave: nothing goes on that nobody answers for."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from placet.authority._leaving import MOST_AT_ONCE, PAGE
from placet.authority._store import Case, Grant, Registered, Tx
from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.model import (
    EnrolIdentity,
    Governance,
    IdentityRules,
    ImportedIdentity,
    Reason,
    RegisterIdentity,
    SwitchOff,
)
from placet.tokens import SigningKey
from tests.authority.test_registry import OUTSIDE, SAID
from tests.authority.test_two_administrators import holds, troubles
from tests.harness import processes
from tests.harness.alone import Alone, alone
from tests.harness.world import until

WHY = Reason(reason="a test")


@pytest.fixture
async def authority(database_url: str) -> AsyncIterator[Alone]:
    """An authority alone, on each database."""
    async with alone(database_url) as made:
        yield made


async def _person(ada: OperatorClient, name: str) -> None:
    body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), roles=("clerk",))
    await ada.act("operator.enrol", f"operator:{name}", body)


async def _agent(ada: OperatorClient, name: str, said: RegisterIdentity) -> None:
    body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner=said.owner)
    await ada.act("agent.enrol", f"agent:{name}", body)
    await ada.act("identity.register", f"agent:{name}", said)


def _owned(
    owner: str, deputy: str | None = None, said: RegisterIdentity = SAID
) -> RegisterIdentity:
    whose = {"owner": f"operator:{owner}", "deputy": deputy and f"operator:{deputy}"}
    return said.model_copy(update=whose)


def _open_case(case: str, at: datetime) -> Case:
    return Case(
        id=case,
        process="parcel-check",
        version=1,
        subject=f"depot/D1/parcel/{case}",
        status="open",
        opened_by="operator:ada",
        opened_at=at,
        workflow_id=case,
        workflow_type="ParcelCheck",
        task_queue="orchestrator",
        request_id="r",
    )


def _payment(agent: str, case: str, at: datetime) -> Grant:
    return Grant(
        id="grant-1",
        case_id=case,
        agent=agent,
        jkt="k",
        action="parcel:dispatch",
        system="authority",
        record=f"depot/D1/parcel/{case}",
        run_id="r",
        activity_id="1",
        activity_type="dispatch",
        attempt=1,
        last_started="",
        issued_at=at,
        expires_at=at + timedelta(seconds=60),
        status="issued",
        guarded_json="{}",
    )


async def test_the_deputy_follows_an_owner_who_leaves(authority: Alone) -> None:
    """I10: at once, and with the same signature; who only is away for a while keeps what is theirs."""
    async with authority.ada() as ada:
        for name in ("cleo", "hal"):
            await _person(ada, name)
        await _agent(ada, "scale", _owned("cleo", "hal"))
        said = _owned("cleo", "hal", OUTSIDE)
        await ada.act("identity.register", "bot:nightly", said)
        await ada.import_identities("aws", [ImportedIdentity(identity="bot:imported", said=said)])
        await ada.act("operator.suspend", "operator:cleo", WHY)
        assert (await ada.registered("agent:scale")).owner == "operator:cleo"
        await ada.act("operator.offboard", "operator:cleo", WHY)
        for identity in ("agent:scale", "bot:nightly", "bot:imported"):
            found = await ada.registered(identity)
            assert (found.owner, found.deputy, found.lacks) == ("operator:hal", None, ())
        assert await ada.entries("identity.orphaned") == []
        assert await holds(ada) == []


async def test_without_a_deputy_an_identity_has_a_grace_and_no_more(authority: Alone) -> None:
    """I10: then it has no owner and gets nothing; people are told when it begins."""
    rules = Governance(version=1, identities=IdentityRules(owner_grace_days=3))
    async with authority.ada() as ada:
        await ada.act("governance.publish", "governance", rules)
        for name in ("cleo", "hal"):
            await _person(ada, name)
        await _agent(ada, "scale", _owned("cleo", "hal"))
        await _agent(ada, "carrier", _owned("cleo"))
        await ada.act("operator.offboard", "operator:hal", WHY)  # a deputy who left follows nobody
        await ada.act("operator.offboard", "operator:cleo", WHY)
        authority.ahead = timedelta(days=3, seconds=-60)
        assert (await ada.registered("agent:scale")).lacks == ()
        authority.ahead = timedelta(days=3)

        async def disowned() -> bool:
            return len(await ada.entries("identity.disowned")) == 2

        await until(disowned)
        found = await ada.registered("agent:scale")
        assert (found.owner, len(found.lacks)) == (None, 1)
        assert (found.status, found.suspended_for) == ("suspended", "no_owner")
        assert {each.identity for each in await ada.identity_report("unowned")} == {
            "agent:carrier",
            "agent:scale",
        }
        await ada.act("identity.register", "agent:scale", SAID)
        await ada.act("agent.resume", "agent:scale", WHY)
        found = await ada.registered("agent:scale")
        assert (found.status, found.lacks) == ("active", ())
        assert await holds(ada) == []


async def test_an_owner_named_in_the_grace_ends_it(authority: Alone) -> None:
    """I10: what someone answers for again is not taken from them when the grace is over."""
    async with authority.ada() as ada:
        await _person(ada, "cleo")
        await _agent(ada, "scale", _owned("cleo"))
        await ada.act("operator.offboard", "operator:cleo", WHY)
        await ada.act("identity.register", "agent:scale", SAID)
        authority.ahead = timedelta(days=8)
        await _person(ada, "late")  # the authority has looked since
        assert (await ada.registered("agent:scale")).lacks == ()
        assert await ada.entries("identity.disowned") == []
        assert await holds(ada) == []


async def test_an_inventory_makes_nobody_who_left_the_owner_again(authority: Alone) -> None:
    """I10: whatever a later import tells, the grace goes on, and over it the owner and the end."""
    told = _owned("cleo", None, OUTSIDE)
    async with authority.ada() as ada:
        await _person(ada, "cleo")
        for each in ("bot:left", "bot:followed"):
            await ada.import_identities("aws", [ImportedIdentity(identity=each, said=told)])
        await ada.act("operator.offboard", "operator:cleo", WHY)
        used = authority.now().replace(microsecond=0)
        nobody = told.model_copy(update={"owner": None})
        for each, said in (("bot:left", nobody), ("bot:followed", OUTSIDE)):
            row = ImportedIdentity(identity=each, said=said, last_used=used)
            assert await ada.import_identities("aws", [row]) == (0, 1)
        authority.ahead = timedelta(days=8)

        async def disowned() -> bool:
            return len(await ada.entries("identity.disowned")) == 1

        await until(disowned)
        assert [each.identity for each in await ada.identity_report("unowned")] == ["bot:left"]
        found = await ada.registered("bot:left")
        assert (found.owner, found.suspended_for) == (None, "no_owner")
        assert (await ada.registered("bot:followed")).owner == "operator:ada"
        late = ImportedIdentity(identity="bot:left", said=OUTSIDE, last_used=used)
        assert await ada.import_identities("aws", [late]) == (0, 1)
        found = await ada.registered("bot:left")
        assert (found.owner, found.suspended_for) == ("operator:ada", "no_owner")
        assert await holds(ada) == []


async def test_a_vendor_is_switched_off_as_it_was_shown(authority: Alone) -> None:
    """I10: all its identities at once, ours and others'; whoever came since makes it look again."""
    async with authority.ada() as ada:
        await _agent(ada, "scale", SAID)
        await _agent(ada, "ours", SAID.model_copy(update={"vendor": None}))
        await ada.act("identity.register", "api-key:acme/1", OUTSIDE)
        seen = await ada.vendor("acme")
        assert seen.identities == ("agent:scale", "api-key:acme/1")
        await ada.act("identity.register", "api-key:acme/2", OUTSIDE)
        body = SwitchOff(identities=seen.identities, reason="they were broken into")
        with pytest.raises(AuthorityError, match="look again") as refused:
            await ada.act("vendor.off", "acme", body)
        assert refused.value.status == 409
        seen = await ada.vendor("acme")
        body = SwitchOff(identities=seen.identities, reason="they were broken into")
        await ada.act("vendor.off", "acme", body)
        assert (await ada.vendor("acme")).identities == ()
        assert (await ada.registered("agent:scale")).status == "suspended"
        assert (await ada.registered("agent:ours")).status == "active"
        for each in ("api-key:acme/1", "api-key:acme/2"):
            assert "end date has passed" in str((await ada.registered(each)).lacks)
        await _person(ada, "cleo")
        assert await holds(ada) == []


async def test_a_vendors_preview_counts_what_it_does_not_list(authority: Alone) -> None:
    """I10: all open cases, and the payment that an identity beyond the four hundredth makes."""
    many, cases = MOST_AT_ONCE + 1, PAGE + 50

    def fill(tx: Tx) -> None:
        for number in range(many):
            at = {"first_seen": tx.now, "registered_at": tx.now, "registered_by": "operator:ada"}
            identity = f"agent:a{number:04}"
            tx.add(Registered(identity=identity, kind="ai-agent", vendor="acme", **at))
        for number in range(cases):
            tx.add(_open_case(f"case-{number:026}", tx.now))
        tx.add(_payment("agent:scale", f"case-{0:026}", tx.now))

    async with authority.ada() as ada:
        for agent in ("carrier", "scale"):
            await _agent(ada, agent, SAID.model_copy(update={"vendor": None}))
        await ada.act("process.publish", "parcel-check", processes.DEFINITION)
        await authority.core_write(fill)
        assert (await ada.vendor("acme")).open_cases == 0
        for agent in ("carrier", "scale"):
            await ada.act("identity.register", f"agent:{agent}", SAID)
        seen = await ada.vendor("acme")
        assert (len(seen.identities), seen.further) == (MOST_AT_ONCE, many + 2 - MOST_AT_ONCE)
        assert (len(seen.cases), seen.open_cases) == (PAGE, cases)
        assert (seen.live_grants, seen.payments_in_flight) == (1, 1)
        assert seen.running == (f"case-{0:026}",)


async def test_offboarding_says_what_is_left(authority: Alone) -> None:
    """I10: complete, or by name what still is there."""
    async with authority.ada() as ada:
        await _agent(ada, "scale", SAID)
        before = await ada.left_behind("agent:scale")
        assert (before.works, before.keys, before.complete) == (True, 1, False)
        await _agent(ada, "carrier", SAID)
        await ada.act("agent.offboard", "agent:scale", WHY)
        await ada.act("identity.end", "agent:carrier", WHY)
        for each in ("agent:scale", "agent:carrier"):
            after = await ada.left_behind(each)
            assert (after.works, after.keys, after.complete) == (False, 0, True)
        await ada.act("identity.register", "bot:nightly", OUTSIDE)
        assert (await ada.left_behind("bot:nightly")).works
        await ada.act("identity.end", "bot:nightly", WHY)
        assert (await ada.left_behind("bot:nightly")).complete


_FORGERIES = {
    "who-is-no-deputy": ("identity.followed", {"owner": "operator:ada"}, "registry"),
    "of-one-who-is-there": ("identity.followed", {"before": "operator:ada"}, "registry"),
    "nobody-left": ("operator.offboarded", None, "registry"),
    "fewer-than-signed": ("vendor.switched_off", {"identities": []}, "act-says-other"),
}


async def test_the_audit_finds_an_owner_whom_nobody_named(tmp_path: Path) -> None:
    """I6: whoever owns the log can't make someone the owner, or keep a vendor's agent on."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as authority, authority.ada() as ada:
        for name in ("cleo", "hal"):
            await _person(ada, name)
        await _agent(ada, "scale", _owned("cleo", "hal"))
        await ada.act("operator.offboard", "operator:cleo", WHY)
        seen = await ada.vendor("acme")
        await ada.act("vendor.off", "acme", SwitchOff(identities=seen.identities, reason="x"))
        files = await fetch_log(ada)
    assert troubles(files, "", {}) == set()
    for name, (type_, change, trouble) in _FORGERIES.items():
        assert trouble in troubles(files, type_, change), name
