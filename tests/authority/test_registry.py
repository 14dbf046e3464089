"""The registry: the five kinds of non-human identity, on both databases, and in the audit."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from placet.authority._campaigns import _carry_out
from placet.cli._fetch import fetch_log
from placet.client import AuthorityError
from placet.model import (
    CredentialKind,
    EnrolIdentity,
    IdentityKind,
    ImportedIdentity,
    Reason,
    RegisterIdentity,
    Reviewed,
)
from placet.tokens import SigningKey
from tests.authority.test_two_administrators import holds, troubles
from tests.harness.alone import Alone, alone

NOW = datetime.now(UTC).replace(microsecond=0)
SAID = RegisterIdentity(
    owner="operator:ada",
    deputy=None,
    purpose="pays",
    process="parcel-check",
    environment="production",
    vendor="acme",
    runs_on=("depot-7",),
    review_by=NOW + timedelta(days=60),
    ends_at=NOW + timedelta(days=700),
)
OUTSIDE = SAID.model_copy(
    update={
        "credential": CredentialKind.API_KEY,
        "credential_since": datetime(2024, 5, 1, tzinfo=UTC),
    }
)


@pytest.fixture
async def authority(database_url: str) -> AsyncIterator[Alone]:
    """An authority alone, on each database."""
    async with alone(database_url) as made:
        yield made


async def test_all_five_kinds_stand_in_one_registry(authority: Alone) -> None:
    """What is said of each comes back, with its owner, its keys, and what it lacks."""
    key = SigningKey.generate()
    async with authority.ada() as ada:
        body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
        await ada.act("agent.enrol", "agent:scale", body)
        bare = await ada.registered("agent:scale")
        assert (bare.owner, bare.status, bare.purpose) == ("operator:ada", "active", None)
        await ada.act("identity.register", "agent:scale", SAID)
        outside = {
            "api-key:payments/stripe": IdentityKind.API_KEY,
            "bot:nightly-close": IdentityKind.BOT,
            "certificate:CN=edge.example": IdentityKind.CERTIFICATE,
            "service-account:arn:aws:iam::123456789012:user/ci": IdentityKind.SERVICE_ACCOUNT,
            "ai-agent:copilot": IdentityKind.AI_AGENT,
        }
        for each in outside:
            await ada.act("identity.register", each, OUTSIDE)
        await ada.act(
            "identity.register", "bot:nobodys", OUTSIDE.model_copy(update={"owner": None})
        )
        found = {each.identity: each for each in await ada.registry()}
        assert set(found) == {"agent:scale", "bot:nobodys", *outside}
        assert {name: found[name].kind for name in outside} == outside
        ours = found["agent:scale"]
        assert (ours.purpose, ours.vendor, ours.runs_on) == ("pays", "acme", ("depot-7",))
        assert [each.thumbprint for each in ours.keys] == [key.thumbprint]
        assert ours.credential_since == ours.keys[0].since
        assert found["api-key:payments/stripe"].credential_since == OUTSIDE.credential_since
        assert found["bot:nobodys"].lacks == (
            "no person owns this identity; an administrator names one",
        )
        bots = await ada.registry("bot")
        assert [each.identity for each in bots] == ["bot:nightly-close", "bot:nobodys"]
        with pytest.raises(AuthorityError) as unknown:
            await ada.registered("bot:unknown")
        assert unknown.value.status == 404
        (agents,) = await ada.identities("agent")
        assert agents["owner"] == "operator:ada"
        assert await holds(ada) == []


async def test_an_agents_next_key_changes_no_owner(authority: Alone) -> None:
    """I6: whose an agent is, is said with identity.register alone, which two sign where two must."""
    async with authority.ada() as ada:
        for name in ("cleo", "hal"):
            body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), roles=("clerk",))
            await ada.act("operator.enrol", f"operator:{name}", body)
        for owner, status in (("cleo", None), ("hal", 409), ("nobody", 409), ("cleo", None)):
            body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner=f"operator:{owner}")
            if status is None:
                await ada.act("agent.enrol", "agent:scale", body)
                continue
            with pytest.raises(AuthorityError) as refused:
                await ada.act("agent.enrol", "agent:scale", body)
            assert refused.value.status == status
        assert len((await ada.registered("agent:scale")).keys) == 2
        assert await holds(ada) == []


_FORGERIES = {
    "another-owner": ({"owner": "operator:hal"}, "act-says-other"),
    "a-later-end": ({"ends_at": "2099-01-01T00:00:00Z"}, "act-says-other"),
    "another-environment": ({"environment": "test"}, "act-says-other"),
    "of-another": ({"target": "agent:other"}, "act-says-other"),
}


async def test_the_audit_finds_a_registration_that_nobody_signed(tmp_path: Path) -> None:
    """I6: whoever owns the log can't give an agent another owner, end or environment."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as authority, authority.ada() as ada:
        await ada.act("identity.register", "agent:scale", SAID)
        files = await fetch_log(ada)
    assert troubles(files, "", {}) == set()
    for name, (change, trouble) in _FORGERIES.items():
        assert trouble in troubles(files, "identity.registered", change), name


async def test_an_inventory_is_taken_in_once(authority: Alone) -> None:
    """I11: in parts, each signed; told again nothing changes, and an owner given here stays."""
    rows = [
        ImportedIdentity(
            identity=f"bot:{number:04}", said=OUTSIDE.model_copy(update={"owner": None})
        )
        for number in range(501)
    ]
    async with authority.ada() as ada:
        assert await ada.import_identities("iam", rows) == (501, 0)
        await ada.act("identity.register", "bot:0007", OUTSIDE)
        assert await ada.import_identities("iam", rows) == (0, 0)
        assert (await ada.registered("bot:0007")).owner == "operator:ada"
        assert await ada.inventory("iam") == [row.identity for row in rows]
        assert len(await ada.entries("identity.imported")) == 3
        assert await holds(ada) == []
        ours = {"rows": [{**rows[0].model_dump(mode="json"), "identity": "agent:scale"}]}
        with pytest.raises(AuthorityError, match="never imported"):
            await ada.act("identity.import", "iam", ours)
        files = await fetch_log(ada)
    assert "act-says-other" in troubles(files, "identity.imported", {"rows": 7})


async def test_an_inventory_takes_back_nothing_that_was_done_since(authority: Alone) -> None:
    """I10: neither a suspension nor an end, nor the day of the next review; its own it may tell."""
    names = ("bot:silent", "bot:kept", "bot:ended", "bot:renewed")
    later = OUTSIDE.model_copy(update={"ends_at": OUTSIDE.ends_at + timedelta(days=300)})

    async def import_again(said: RegisterIdentity) -> None:
        used = authority.now().replace(microsecond=0)
        rows = [ImportedIdentity(identity=each, said=said, last_used=used) for each in names]
        assert await ada.import_identities("aws", rows) == (0, 4)

    async with authority.ada() as ada:
        rows = [ImportedIdentity(identity=each, said=OUTSIDE) for each in names]
        assert await ada.import_identities("aws", rows) == (4, 0)
        await authority.core_write(lambda tx: _carry_out(tx, "bot:silent", Reviewed.SUSPENDED))
        kept = await authority.core_write(lambda tx: _carry_out(tx, "bot:kept", Reviewed.KEPT))
        await ada.act("identity.end", "bot:ended", Reason(reason="nobody knows it"))
        for said in (OUTSIDE, later, OUTSIDE, later):
            authority.ahead += timedelta(seconds=2)
            await import_again(said)
            found = {each: await ada.registered(each) for each in names}
            assert found["bot:silent"].suspended_for == "review_unanswered"
            assert found["bot:kept"].review_by == kept.review_by
            assert "end date has passed" in str(found["bot:ended"].lacks)
            assert found["bot:renewed"].ends_at == said.ends_at
        authority.ahead = timedelta(days=61)
        due = [each.identity for each in await ada.identity_report("overdue")]
        assert due == ["bot:renewed", "bot:silent"]
        soon = OUTSIDE.ends_at - timedelta(days=625)
        await import_again(OUTSIDE.model_copy(update={"ends_at": soon}))
        found["bot:kept"] = await ada.registered("bot:kept")
        assert (found["bot:kept"].ends_at, found["bot:kept"].review_by) == (soon, soon)
        await ada.act("identity.register", "bot:silent", OUTSIDE)
        assert (await ada.registered("bot:silent")).suspended_for is None
        assert await holds(ada) == []


async def test_the_registry_shows_the_days_that_hold(authority: Alone) -> None:
    """The next review as the last one has set it, and the end as it came."""
    async with authority.ada() as ada:
        await ada.act("identity.register", "bot:nightly", OUTSIDE)
        kept = await authority.core_write(lambda tx: _carry_out(tx, "bot:nightly", Reviewed.KEPT))
        shown = await ada.registered("bot:nightly")
        assert (shown.review_by, shown.ends_at) == (kept.review_by, OUTSIDE.ends_at)
        await ada.act("identity.end", "bot:nightly", Reason(reason="nobody knows it"))
        ended = (await ada.registered("bot:nightly")).ends_at
        assert ended is not None
        assert NOW <= ended <= authority.now()


SECRET = "ghp_" + "abcdefghijklmnopqrstuvwxyz012345"
HIDDEN = {
    "a-purpose": ("bot:a", {"purpose": f"see {SECRET}"}, "purpose"),
    "a-host": ("bot:a", {"runs_on": ("depot-7", SECRET)}, "runs_on"),
    "a-name": (f"bot:{SECRET}", {}, "identity"),
    "hexadecimal-digits": ("bot:a", {"purpose": "0123456789abcdef" * 2}, "purpose"),
}


@pytest.mark.parametrize("name", HIDDEN)
async def test_no_secret_is_registered_or_imported(authority: Alone, name: str) -> None:
    """I7: whoever sends it; the refusal names the place alone, and nothing of it is kept."""
    identity, change, member = HIDDEN[name]
    said = OUTSIDE.model_copy(update=change)
    fine = ImportedIdentity(identity="bot:fine", said=OUTSIDE)
    async with authority.ada() as ada:
        with pytest.raises(
            AuthorityError, match=rf"{member}: it looks like a secret"
        ) as registered:
            await ada.act("identity.register", identity, said)
        rows = [fine, ImportedIdentity(identity=identity, said=said)]
        with pytest.raises(AuthorityError, match=rf"row 2, {member}: it looks like") as imported:
            await ada.import_identities("iam", rows)
        for refused in (registered.value, imported.value):
            assert refused.status == 400
            assert SECRET not in str(refused)
        assert await ada.registry() == []
        assert await holds(ada) == []


async def test_an_inventory_names_nobody_else_for_what_someone_owns(database_url: str) -> None:
    """I6: who owns it decides about it, and who follows may be made to; two sign that."""

    def row(**said: Any) -> list[ImportedIdentity]:
        told = OUTSIDE.model_copy(update={"owner": "operator:bea", **said})
        return [ImportedIdentity(identity="bot:nightly", said=told)]

    async with (
        alone(database_url, signatures=2) as authority,
        authority.ada() as ada,
        authority.bea() as bea,
    ):
        assert await ada.import_identities("iam", row()) == (1, 0)
        for said in ({"owner": "operator:ada"}, {"deputy": "operator:ada"}):
            with pytest.raises(AuthorityError, match="two administrators name another") as refused:
                await ada.import_identities("iam", row(**said))
            assert refused.value.status == 409
        assert await ada.import_identities("iam", row(purpose="weighs letters")) == (0, 1)
        (registered,) = row(owner="operator:ada", deputy="operator:bea")
        answer = await ada.act("identity.register", "bot:nightly", registered.said)
        assert answer.status == "proposed"
        await bea.countersign((await bea.proposals())[0])
        assert await ada.import_identities("iam", row(owner="operator:ada")) == (0, 1)
        assert (await ada.registered("bot:nightly")).owner == "operator:ada"
        assert await holds(ada) == []
