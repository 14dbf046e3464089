"""Workers join as agents: with a token that is good once, or with their platform's word."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from placet.agent import AgentConfig, NotHeard, NotJoined, join
from placet.agent._rotation import Rotation
from placet.authority._campaigns import _carry_out
from placet.authority._identities import use_jti
from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.model import (
    EnrolIdentity,
    Governance,
    IdentityRules,
    InviteAgent,
    JoinAs,
    Joined,
    Reason,
    Reviewed,
    SwitchOff,
    Workload,
    digest_bytes,
)
from placet.tokens import (
    Algorithm,
    SigningKey,
    invitation_key,
    sign_enrolment,
    write_key_file,
)
from placet.tokens._encoding import encode_base64url
from tests.authority.test_registry import SAID
from tests.authority.test_two_administrators import holds, troubles
from tests.harness.alone import Alone, alone
from tests.harness.platform import Platform, platform

TOKEN = secrets.token_urlsafe(32)
NOT_GOOD = "this join token is not good, or not any more"


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority of the production environment."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}", environment="production") as made:
        yield made


@dataclass(frozen=True)
class Asked:
    """What a worker asks for, and with what."""

    as_what: JoinAs
    token: str | None
    attestation: str | None


def asked(token: str | None = TOKEN, attestation: str | None = None, **changed: Any) -> Asked:
    """What a worker asks for, with members changed."""
    said: dict[str, Any] = {
        "agent": "scale",
        "environment": "production",
        "task_queues": ("depot-7",),
        "instance": "scale-1",
    }
    return Asked(JoinAs(**{**said, **changed}), token, attestation)


async def invite(
    ada: OperatorClient, agent: str = "scale", token: str = TOKEN, **changed: Any
) -> None:
    """Register an agent and let a worker join as it."""
    identity = f"agent:{agent}"
    await ada.act("identity.register", identity, SAID)
    await ada.act("agent.invite", identity, _invitation(token, agent, **changed))


def _invitation(token: str, agent: str = "scale", **changed: Any) -> InviteAgent:
    said = {
        "environment": "production",
        "task_queues": ("depot-7",),
        "invitation_key": invitation_key(f"agent:{agent}", token).thumbprint,
        **changed,
    }
    return InviteAgent(**said)


async def _join(
    authority: Alone,
    sent: Asked,
    key: SigningKey | None = None,
    late: timedelta = timedelta(0),
) -> Joined:
    return await join(
        authority.settings.issuer,
        sent.as_what,
        key or SigningKey.generate(),
        authority.now() + late,
        token=sent.token,
        attestation=sent.attestation,
    )


async def test_a_token_enrols_the_key_that_the_worker_made(database_url: str) -> None:
    """I6: once; and whoever sends it again with the same key is answered the same (I11)."""
    key = SigningKey.generate()
    async with alone(database_url) as authority, authority.ada() as ada:
        await invite(ada)
        joined = await _join(authority, asked(), key)
        assert await _join(authority, asked(), key) == joined
        (shown,) = (await ada.registered("agent:scale")).keys
        assert (shown.thumbprint, shown.instance) == (key.thumbprint, "scale-1")
        assert shown.runs_on == ("depot-7",)
        with pytest.raises(NotJoined, match=NOT_GOOD):
            await _join(authority, asked())
        assert len(await ada.entries("key.enrolled")) == 2  # ada's own, and the worker's
        assert await holds(ada) == []


async def test_of_two_workers_with_one_token_one_joins(authority: Alone) -> None:
    """I11: in the same instant, too."""
    async with authority.ada() as ada:
        await invite(ada)
        answers = await asyncio.gather(
            *(_join(authority, asked()) for _ in range(4)), return_exceptions=True
        )
        assert sorted(type(each).__name__ for each in answers) == ["Joined"] + 3 * ["NotJoined"]
        assert len((await ada.registered("agent:scale")).keys) == 1


async def test_a_token_is_for_one_name_environment_and_set_of_queues(authority: Alone) -> None:
    """I6: whose it is not, who guesses and who comes late are answered the same."""
    async with authority.ada() as ada:
        await invite(ada)
        await invite(ada, "other", secrets.token_urlsafe(32))
        wrong = (
            asked(agent="other"),
            asked(agent="nobody"),
            asked(environment="test"),
            asked(task_queues=("depot-7", "depot-8")),
            asked(token=secrets.token_urlsafe(32)),
        )
        for sent in wrong:
            with pytest.raises(NotJoined, match=NOT_GOOD):
                await _join(authority, sent)
        authority.ahead = timedelta(minutes=15)
        with pytest.raises(NotJoined, match=NOT_GOOD):
            await _join(authority, asked())
        assert (await ada.registered("agent:scale")).keys == ()


async def test_a_worker_whose_clock_is_wrong_uses_nothing_up(authority: Alone) -> None:
    """I12: it is told so, and joins once the clock was set."""
    key = SigningKey.generate()
    async with authority.ada() as ada:
        await invite(ada)
        for minutes in (-5, 5):
            with pytest.raises(NotJoined, match=r"proof|iat"):
                await _join(authority, asked(), key, timedelta(minutes=minutes))
        assert (await _join(authority, asked(), key)).thumbprint == key.thumbprint


async def test_instances_have_keys_of_their_own_under_one_identity(authority: Alone) -> None:
    """I10: each with a token; one identity, which is off for all of them at once."""
    async with authority.ada() as ada:
        keys = {}
        for instance in ("scale-1", "scale-2"):
            token = secrets.token_urlsafe(32)
            await invite(ada, token=token)
            keys[instance] = SigningKey.generate()
            await _join(authority, asked(token=token, instance=instance), keys[instance])
        found = await ada.registered("agent:scale")
        assert {each.instance: each.thumbprint for each in found.keys} == {
            name: key.thumbprint for name, key in keys.items()
        }
        with pytest.raises(NotJoined, match=NOT_GOOD):  # a key that joined, with another's token
            await _join(authority, asked(), keys["scale-1"])
        await invite(ada, token=TOKEN)
        await ada.act("agent.suspend", "agent:scale", Reason(reason="a test"))
        with pytest.raises(NotJoined, match="suspended"):
            await _join(authority, asked())


async def test_who_is_off_before_joining_does_not_join(authority: Alone, tmp_path: Path) -> None:
    """I10: neither the token nor another key brings in a vendor's agent, until administrators do."""
    file, key = tmp_path / "scale.key", SigningKey.generate()
    write_key_file(file, key)
    rules = Governance(version=1, identities=IdentityRules(rotate_days=0))
    async with aiohttp.ClientSession() as http, authority.ada() as ada:
        await ada.act("governance.publish", "governance", rules)
        await invite(ada)
        seen = await ada.vendor("acme")
        off = SwitchOff(identities=seen.identities, reason="broken into")
        await ada.act("vendor.off", "acme", off)
        assert (await ada.vendor("acme")).identities == ()
        found = await ada.registered("agent:scale")
        assert (found.status, found.suspended_for) == ("suspended", "vendor_off")
        left = await ada.left_behind("agent:scale")
        assert (left.works, left.join_tokens) == (False, 0)
        with pytest.raises(NotJoined, match=NOT_GOOD):
            await _join(authority, asked())
        body = EnrolIdentity(jwk=SigningKey.generate().public.jwk(), owner="operator:ada")
        again = _invitation(secrets.token_urlsafe(32))
        for act, said in (("agent.enrol", body), ("agent.invite", again)):
            with pytest.raises(AuthorityError, match="registers it anew") as refused:
                await ada.act(act, "agent:scale", said)
            assert refused.value.status == 409
        token = secrets.token_urlsafe(32)
        await invite(ada, token=token)
        with pytest.raises(NotJoined, match=NOT_GOOD):  # it went with the vendor, for good
            await _join(authority, asked())
        await _join(authority, asked(token=token), key)
        config = AgentConfig("scale", key, authority.settings.issuer, {}, file)
        await Rotation(config, http, authority.now, lambda _: None).look()
        found = await ada.registered("agent:scale")
        assert (found.status, len(found.keys)) == ("active", 2)
        assert await holds(ada) == []


async def test_who_is_suspended_before_joining_does_not_join(authority: Alone) -> None:
    """I10: what an owner's silence has suspended is not brought to life by its worker."""
    async with authority.ada() as ada:
        await invite(ada)
        await authority.core_write(lambda tx: _carry_out(tx, "agent:scale", Reviewed.SUSPENDED))
        with pytest.raises(NotJoined, match="review_unanswered"):
            await _join(authority, asked())
        await ada.act("identity.register", "agent:scale", SAID)
        await _join(authority, asked())
        assert (await ada.registered("agent:scale")).status == "active"


async def test_only_who_may_be_an_agent_is_invited(authority: Alone) -> None:
    """I6, I10: registered, with an owner, for this environment and these queues; by administrators."""
    unowned = SAID.model_copy(update={"owner": None})
    elsewhere = SAID.model_copy(update={"environment": "test"})
    async with authority.ada() as ada:
        with pytest.raises(AuthorityError, match="registry has no such agent"):
            body = _invitation(TOKEN)
            await ada.act("agent.invite", "agent:scale", body)
        for said, reason in ((unowned, "no_owner"), (elsewhere, "environment")):
            await ada.act("identity.register", "agent:scale", said)
            with pytest.raises(AuthorityError) as refused:
                await ada.act("agent.invite", "agent:scale", body)
            assert refused.value.problem.reasons == (reason,)
        with pytest.raises(AuthorityError) as refused:
            await invite(ada, task_queues=("elsewhere",))
        assert refused.value.problem.reasons == ("task_queue",)
        await invite(ada)
        await ada.act("identity.register", "agent:scale", unowned)
        with pytest.raises(NotJoined, match="no person owns"):
            await _join(authority, asked())
        await ada.act("identity.register", "agent:scale", SAID)
        with pytest.raises(NotJoined, match="ES256"):
            await _join(authority, asked(), SigningKey.generate(Algorithm.ED25519))
        assert (await _join(authority, asked())).agent == "scale"  # nothing used the token up


async def test_a_join_token_is_never_kept(authority: Alone, tmp_path: Path) -> None:
    """I7: neither the database nor the ledger has it."""
    async with authority.ada() as ada:
        await invite(ada)
        await _join(authority, asked())
        entries = str(await ada.entries())
    stored = b"".join(each.read_bytes() for each in tmp_path.glob("authority.db*"))
    assert TOKEN not in entries
    assert TOKEN.encode() not in stored


async def _vouched(ada: OperatorClient, made: Platform) -> None:
    workload = Workload(
        issuer=made.issuer, audience="placet", subject="system:serviceaccount:parcels:scale"
    )
    body = SAID.model_copy(update={"workload": workload})
    await ada.act("identity.register", "agent:scale", body)


async def test_a_platforms_word_enrols_a_worker(authority: Alone) -> None:
    """I6: issuer, audience and subject exactly as administrators registered them; once."""
    async with authority.ada() as ada, platform() as made:
        await _vouched(ada, made)
        key, word = SigningKey.generate(), made.token()
        joined = await _join(authority, asked(token=None, attestation=word), key)
        assert await _join(authority, asked(token=None, attestation=word), key) == joined
        with pytest.raises(NotJoined, match="used before"):
            await _join(authority, asked(token=None, attestation=word))
        made.key = SigningKey.generate(Algorithm.RS256)  # the platform rotates its keys
        made.published.append(made.key)
        authority.ahead = timedelta(seconds=6)
        await _join(authority, asked(token=None, attestation=made.token(), instance="scale-2"))
        assert len((await ada.registered("agent:scale")).keys) == 2
        assert await holds(ada) == []


_ORDER_OF_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _signed_otherwise(word: str) -> str:
    """The same word under the other signature that anyone can make of its own: n - s for s."""
    said, _, signature = word.rpartition(".")
    raw = base64.urlsafe_b64decode(f"{signature}==")
    other = _ORDER_OF_P256 - int.from_bytes(raw[32:], "big")
    return f"{said}.{encode_base64url(raw[:32] + other.to_bytes(32, 'big'))}"


async def test_a_platforms_word_is_good_once_however_it_is_signed(authority: Alone) -> None:
    """I6: nor is one that a version before this one remembers, by its digest as a whole."""
    async with authority.ada() as ada, platform() as made:
        await _vouched(ada, made)
        word, earlier = made.token(), made.token(jti="earlier")
        await _join(authority, asked(token=None, attestation=word))
        issuer, until = f"workload:{made.issuer}", authority.now() + timedelta(hours=1)
        digest = digest_bytes(earlier.encode())
        await authority.core_write(lambda tx: use_jti(tx, issuer, digest, until))
        for each in (_signed_otherwise(word), earlier):
            with pytest.raises(NotJoined, match="used before"):
                await _join(authority, asked(token=None, attestation=each))
        assert len((await ada.registered("agent:scale")).keys) == 1


async def test_a_word_that_differs_enrols_nobody(authority: Alone) -> None:
    """I6: by one letter, by one more audience, by its signer; and where none was registered."""
    async with authority.ada() as ada, platform() as made, platform() as another:
        await invite(ada)
        with pytest.raises(NotJoined, match="no workload is registered"):
            await _join(authority, asked(token=None, attestation=made.token()))
        await _vouched(ada, made)
        wrong = {
            "another-subject": made.token(sub="system:serviceaccount:parcels:scale2"),
            "a-prefix": made.token(sub="system:serviceaccount:parcels:scal"),
            "another-audience": made.token(aud="placet2"),
            "two-audiences": made.token(aud=["placet", "vault"]),
            "another-issuer": another.token(),
            "claims-our-issuer": another.token(iss=made.issuer),
            "issuer-with-slash": made.token(iss=made.issuer + "/"),
            "expired": made.token(exp=1),
            "for-ever": made.token(exp=2**40),
            "not-published": made.token(SigningKey.generate()),
            "no-subject": made.token(sub=""),
        }
        for name, word in wrong.items():
            with pytest.raises(NotJoined, match="platform") as refused:
                await _join(authority, asked(token=None, attestation=word))
            assert word.rpartition(".")[2] not in str(refused.value), name
        with pytest.raises(NotJoined):
            await _join(authority, asked(token=None, attestation=made.token(), agent="other"))
        assert (await ada.registered("agent:scale")).keys == ()
        assert made.asked < 5  # forgeries do not hammer the platform


async def test_a_platform_that_is_away_is_asked_again_later(authority: Alone) -> None:
    """I12: unavailable is no refusal: the worker may try again with the same word."""
    async with authority.ada() as ada:
        async with platform() as made:
            await _vouched(ada, made)
            word = made.token()
        with pytest.raises(NotHeard, match="does not answer"):
            await _join(authority, asked(token=None, attestation=word))


_FORGERIES = {
    "another-invitation": ("key.enrolled", {"invitation": "invitation-x"}, "key-uninvited"),
    "another-environment": ("key.enrolled", {"environment": "test"}, "key-uninvited"),
    "more-queues": ("key.enrolled", {"task_queues": ["depot-7", "x"]}, "key-uninvited"),
    "a-platform-that-nobody-registered": ("key.enrolled", {"workload": {}}, "key-uninvited"),
    "too-late": ("agent.invited", {"expires_at": 1}, "key-uninvited"),
    "invited-to-more": ("agent.invited", {"task_queues": ["x"]}, "act-says-other"),
    "nobody-invited": ("agent.invited", None, "key-uninvited"),
}


def _owned(authority: Alone) -> dict[str, tuple[str, Any, str]]:
    """What who owns the log writes who has no token: a key of their own in the worker's place."""
    key, token = SigningKey.generate(), secrets.token_urlsafe(32)
    word = sign_enrolment(
        invitation_key("agent:scale", token),
        "agent:scale",
        key.public,
        audience=authority.settings.issuer,
        now=authority.now(),
    )
    jwk = dict(key.public.jwk())
    return {
        "another-key": ("key.enrolled", {"jwk": jwk}, "enrolment-says-other"),
        "unsigned": ("key.enrolled", {"enrolment": None}, "enrolment-signature"),
        "signed-with-another-token": (
            "key.enrolled",
            {"jwk": jwk, "enrolment": word},
            "enrolment-says-other",
        ),
    }


async def test_the_audit_finds_a_worker_that_was_not_invited(authority: Alone) -> None:
    """I6: whoever owns the log can't enrol a worker that nobody let in."""
    async with authority.ada() as ada:
        await invite(ada)
        await _join(authority, asked())
        files = await fetch_log(ada)
    assert troubles(files, "", {}) == set()
    for name, (type_, change, trouble) in {**_FORGERIES, **_owned(authority)}.items():
        assert trouble in troubles(files, type_, change), name
