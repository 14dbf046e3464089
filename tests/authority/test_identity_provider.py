"""Signing in at the lender's identity provider: a real one, over real HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from placet.client import AuthorityError, OperatorClient
from placet.model import AddKey, EnrolIdentity, Governance, Reason, Verdict
from placet.tokens import SigningKey
from tests.authority.test_registry import OUTSIDE
from tests.authority.test_two_administrators import holds
from tests.harness.alone import Alone, alone
from tests.harness.crowd import Asked, put
from tests.harness.identity_provider import Running, installed, provider
from tests.harness.world import until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The provider, installed once."""
    return installed(tmp_path_factory.mktemp("provider"))


@pytest.fixture
async def idp(folder: Path) -> AsyncIterator[Running]:
    """A provider that runs, where cleo is a clerk."""
    async with provider(folder) as running:
        await running.employ("u-1", "Cleo.Clerk", "clerks", "canteen")
        yield running


@pytest.fixture
async def authority(tmp_path: Path, idp: Running) -> AsyncIterator[Alone]:
    """An authority whose rules name that provider."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made:
        await publish(made, idp)
        yield made


async def publish(authority: Alone, idp: Running, version: int = 1, **changed: object) -> None:
    """Name the provider in the lender's rules."""
    rules = Governance(version=version, identity_provider=idp.rules(**changed))
    async with authority.ada() as ada:
        await ada.act("governance.publish", "governance", rules)


def device(authority: Alone, key: SigningKey | None = None) -> OperatorClient:
    """A device that nobody has signed in on."""
    return OperatorClient(
        authority.settings.issuer,
        "operator:nobody-yet",
        key or SigningKey.generate(),
        clock=authority.now,
    )


async def sign_in(client: OperatorClient, idp: Running, sub: str, *, fresh: bool = False) -> str:
    """The whole way, in the device's part and the person's."""
    begun = await client.begin_sign_in(fresh=fresh)
    assert await client.finish_sign_in(begun) is None  # nobody has signed in yet
    await idp.sign_in(begun.verification_uri_complete or "", sub)
    done = await client.finish_sign_in(begun)
    assert done is not None
    return done.operator


async def session_entries(client: OperatorClient, type_: str) -> list[dict[str, object]]:
    found = await client.entries(type_)
    return [each["data"] for each in found]


async def test_a_person_signs_in_in_the_roles_of_their_groups(
    authority: Alone, idp: Running
) -> None:
    """I6: the key is the person's for the session, and the ledger says by which groups."""
    async with device(authority) as cleo, authority.ada() as ada:
        assert await sign_in(cleo, idp, "u-1") == "operator:cleo-clerk"
        assert await cleo.cases() == []
        await cleo.act("hold.place", "depot/D1", Reason(reason="a test"))
        (started,) = await session_entries(ada, "session.started")
        assert started["roles"] == ["clerk"]
        assert started["groups"] == ["clerks"]
        assert await holds(ada) == []


async def test_a_device_code_is_one_keys_and_good_once(authority: Alone, idp: Running) -> None:
    """I6: whoever copies a device code can't use it, and nobody uses one twice."""
    async with device(authority) as cleo, device(authority) as thief:
        begun = await cleo.begin_sign_in()
        await idp.sign_in(begun.verification_uri_complete or "", "u-1")
        with pytest.raises(AuthorityError, match="another key") as stolen:
            await thief.finish_sign_in(begun)
        assert await cleo.finish_sign_in(begun) is not None
        with pytest.raises(AuthorityError) as again:
            await cleo.finish_sign_in(begun)
        changed = begun.model_copy(update={"device_code": begun.device_code[:-4] + "AAAA"})
        with pytest.raises(AuthorityError, match="no device code") as forged:
            await cleo.finish_sign_in(changed)
    for refused in (stolen, again, forged):
        assert (refused.value.status, refused.value.problem.error) == (400, "invalid_grant")


async def test_a_group_removed_in_mid_session_ends_it(authority: Alone, idp: Running) -> None:
    """I10: the provider is asked again; other groups, other roles, and the key is out."""
    async with device(authority) as cleo, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        await idp.employ("u-1", "Cleo.Clerk", "canteen")

        async def out() -> bool:
            return bool(await session_entries(ada, "session.ended"))

        await until(out)
        (ended,) = await session_entries(ada, "session.ended")
        assert ended["reason"] == "groups_changed"
        with pytest.raises(AuthorityError) as reading:
            await cleo.cases()
        with pytest.raises(AuthorityError) as acting:
            await cleo.act("hold.place", "depot/D1", Reason(reason="a test"))
        assert reading.value.problem.reasons == ("I10", "lost")
        assert acting.value.problem.reasons == ("I10", "lost")
        with pytest.raises(AuthorityError, match="none of your groups") as refused:
            await sign_in(cleo, idp, "u-1")
        assert refused.value.problem.reasons == ("I6", "no_role")
        assert await holds(ada) == []


async def test_who_left_is_out(authority: Alone, idp: Running) -> None:
    """I10: the provider knows them no longer, and neither do we."""
    async with device(authority) as cleo, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        await idp.dismiss("u-1")

        async def out() -> bool:
            return bool(await session_entries(ada, "session.ended"))

        await until(out)
        (ended,) = await session_entries(ada, "session.ended")
        assert ended["reason"] == "left"
        with pytest.raises(AuthorityError):
            await cleo.cases()


async def test_what_an_owner_owns_whose_session_the_provider_ended_is_reported(
    authority: Alone, idp: Running
) -> None:
    """I10: somebody looks: it may mean that they left, and it may mean less; until they are back."""
    async with device(authority) as cleo, device(authority) as later, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        said = OUTSIDE.model_copy(update={"owner": "operator:cleo-clerk"})
        await ada.act("identity.register", "bot:nightly", said)
        assert await ada.identity_report("unowned") == []
        await idp.dismiss("u-1")

        async def out() -> bool:
            return bool(await session_entries(ada, "session.ended"))

        await until(out)
        (line,) = await ada.identity_report("unowned")
        assert (line.identity, line.owner) == ("bot:nightly", "operator:cleo-clerk")
        assert "the identity provider has ended the last session" in line.why
        assert line.mend == "placet identity register bot:nightly --owner …"
        assert (await ada.registered("bot:nightly")).owner == "operator:cleo-clerk"
        await idp.employ("u-1", "Cleo.Clerk", "clerks")
        await sign_in(later, idp, "u-1")
        assert await ada.identity_report("unowned") == []


@pytest.mark.parametrize("away", ["left", "group", "down"])
async def test_whoever_decides_is_asked_about_just_before(
    authority: Alone, idp: Running, away: str
) -> None:
    """I10: a person who left, or whose group was removed, decides nothing more; a provider that is
    away stops nobody by that."""
    await publish(authority, idp, 2, recheck_seconds=3600, trust_seconds=7200, decision_seconds=0)
    first, second = (
        Asked(number, roles=("clerk",), now=authority.now(), process="parcel-check")
        for number in (71, 72)
    )
    async with device(authority) as cleo, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        for each in (first, second):
            await authority.core_write(partial(put, asked=each))
        shown = [await cleo.checkpoint(each.id) for each in (first, second)]
        amount = shown[0].requirement.amount
        await cleo.decide(shown[0], Verdict.APPROVE, amount=amount)
        assert await session_entries(ada, "session.ended") == []
        if away == "down":
            await idp.tell("down")
            await cleo.decide(shown[1], Verdict.APPROVE, amount=amount)
            return
        await (idp.dismiss("u-1") if away == "left" else idp.employ("u-1", "Cleo.Clerk", "canteen"))
        with pytest.raises(AuthorityError) as refused:
            await cleo.decide(shown[1], Verdict.APPROVE, amount=amount)
        assert "operator_not_active" in refused.value.problem.reasons
        (ended,) = await session_entries(ada, "session.ended")
        assert ended["reason"] == ("left" if away == "left" else "groups_changed")
        with pytest.raises(AuthorityError):
            await cleo.cases()


@pytest.mark.parametrize("doing", ["reads", "acts"])
async def test_who_left_reads_and_does_nothing_more_at_once(
    authority: Alone, idp: Running, doing: str
) -> None:
    """I10: the very next thing that they try is refused, and no regular look was due."""
    patient = {"recheck_seconds": 3600, "trust_seconds": 7200}
    await publish(authority, idp, 2, **patient, decision_seconds=3600)
    async with device(authority) as cleo, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        await idp.tell("down")  # whoever was vouched for just now is not asked about again
        assert await cleo.cases() == []
        await cleo.act("hold.place", "depot/D1", Reason(reason="a test"))
        await idp.tell("up")
        await publish(authority, idp, 3, **patient, decision_seconds=0)
        authority.ahead += timedelta(seconds=6)  # what was looked up is kept for five
        assert await cleo.cases() == []
        await idp.dismiss("u-1")
        with pytest.raises(AuthorityError) as refused:
            if doing == "reads":
                await cleo.cases()
            else:
                await cleo.act("hold.lift", "depot/D1", Reason(reason="a test"))
        assert refused.value.problem.reasons == ("I10", "lost")
        (ended,) = await session_entries(ada, "session.ended")
        assert ended["reason"] == "left"


async def test_a_provider_that_is_away_is_trusted_for_a_while(
    authority: Alone, idp: Running
) -> None:
    """I10: unanswered for too long, the key stops counting; once it answers, it counts again."""
    async with device(authority) as cleo:
        await sign_in(cleo, idp, "u-1")
        await idp.tell("down")
        assert await cleo.cases() == []
        authority.ahead += timedelta(seconds=301)
        with pytest.raises(AuthorityError) as refused:
            await cleo.cases()
        assert refused.value.problem.reasons == ("I10", "expired")
        await idp.tell("up")

        async def back() -> bool:
            try:
                return await cleo.cases() == []
            except AuthorityError:
                return False

        # The provider's own clock is not set forward: its tokens look older here than they are.
        authority.ahead -= timedelta(seconds=301)
        await until(back)


async def test_a_session_ends_with_its_time_or_by_its_owner(authority: Alone, idp: Running) -> None:
    """I10: after the hours that the rules give, or at a word, the key is nobody's any more."""
    async with device(authority) as cleo, device(authority) as tablet, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        await sign_in(tablet, idp, "u-1")  # one person on two devices
        first, second = await session_entries(ada, "session.started")
        await cleo.act("session.end", str(second["session"]), {})
        with pytest.raises(AuthorityError) as ended:
            await tablet.cases()
        assert ended.value.problem.reasons == ("I10", "ended")
        assert await cleo.cases() == []
        authority.ahead += timedelta(hours=8, seconds=1)

        async def over() -> bool:
            told = await session_entries(ada, "session.ended")
            return {each["session"] for each in told} == {first["session"], second["session"]}

        await until(over)
        assert await holds(ada) == []


async def test_rotated_keys_are_found(authority: Alone, idp: Running) -> None:
    """A provider changes its signing keys whenever it likes."""
    async with device(authority) as cleo:
        await sign_in(cleo, idp, "u-1")
        await idp.tell("rotate")
        authority.ahead += timedelta(seconds=6)  # they are asked for at most every few seconds
        await sign_in(cleo, idp, "u-1")
        assert await cleo.cases() == []


async def test_a_name_is_one_persons(authority: Alone, idp: Running) -> None:
    """I6: nobody becomes someone else by being called like them, at the provider or here."""
    async with device(authority) as cleo, device(authority) as other, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        await idp.employ("u-2", "cleo-clerk@elsewhere", "chiefs")
        with pytest.raises(AuthorityError) as taken:
            await sign_in(other, idp, "u-2")
        assert taken.value.problem.reasons == ("I6", "name_taken")
        await idp.employ("u-2", "ada", "chiefs")
        with pytest.raises(AuthorityError) as administrator:
            await sign_in(other, idp, "u-2")
        assert administrator.value.problem.reasons == ("I6", "name_taken")
        await idp.employ("u-1", "chloe", "clerks")
        with pytest.raises(AuthorityError) as renamed:
            await sign_in(other, idp, "u-1")
        assert renamed.value.problem.reasons == ("I6", "renamed")
        assert await ada.identities("operator") != []


async def test_nothing_outlasts_the_session(authority: Alone, idp: Running) -> None:
    """I10: a session's key adds no other, and nobody gives such a person one that stays."""
    key = SigningKey.generate().public.jwk()
    async with device(authority) as cleo, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        with pytest.raises(AuthorityError) as added:
            await cleo.act("key.add", "operator:cleo-clerk", AddKey(jwk=key))
        assert added.value.problem.reasons == ("session",)
        with pytest.raises(AuthorityError, match="identity provider"):
            body = EnrolIdentity(jwk=key, roles=("clerk",))
            await ada.act("operator.enrol", "operator:cleo-clerk", body)
        await ada.act("operator.suspend", "operator:cleo-clerk", Reason(reason="a test"))
        with pytest.raises(AuthorityError) as suspended:
            await sign_in(cleo, idp, "u-1")
        assert suspended.value.problem.reasons == ("I10", "suspended")


async def test_a_fresh_sign_in_asks_the_person_anew(authority: Alone, idp: Running) -> None:
    """I6: what the ledger says of when they signed in is the provider's word."""
    async with device(authority) as cleo, authority.ada() as ada:
        await sign_in(cleo, idp, "u-1")
        await sign_in(cleo, idp, "u-1", fresh=True)
        first, second = await session_entries(ada, "session.started")
        assert (second["signed_in_at"] or 0) >= (first["signed_in_at"] or 0) > 0
        (ended,) = await session_entries(ada, "session.ended")
        assert ended["reason"] == "signed_in_again"
        assert await cleo.cases() == []
        assert await holds(ada) == []


async def test_the_refresh_token_rests_encrypted(
    authority: Alone, idp: Running, tmp_path: Path
) -> None:
    """I7: neither the provider's codes nor its tokens are in the database in clear."""
    subject = "the-providers-own-id-of-a-person"  # so long that no random bytes spell it
    await idp.employ(subject, "Cleo.Clerk", "clerks")
    async with device(authority) as cleo:
        begun = await cleo.begin_sign_in()
        await idp.sign_in(begun.verification_uri_complete or "", subject)
        await cleo.finish_sign_in(begun)
    stored = b"".join(each.read_bytes() for each in tmp_path.glob("authority.db*"))
    assert b"refresh" not in stored.replace(b"refresh_token", b"")
    assert subject.encode() not in stored
    assert b'"sub"' not in stored
    assert b"eyJ" + b'"iss":"' + idp.issuer.encode() not in stored


async def test_without_a_published_provider_nobody_signs_in(tmp_path: Path) -> None:
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made, device(made) as nobody:
        with pytest.raises(AuthorityError) as refused:
            await nobody.begin_sign_in()
    assert refused.value.problem.error == "unauthorized_client"
