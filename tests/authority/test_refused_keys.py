"""Keys that are not taken: by a code, by rotation; and what stands of a key that was replaced."""

import functools
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from placet.authority import SigningKeys, Store, create_log
from placet.authority._bootstrap import WrongName
from placet.authority._enrolments import Enrolments
from placet.authority._joining import Joining
from placet.authority._key_ages import KeyAges
from placet.authority._signing_in import _take_identity
from placet.authority._store import Identity, IdentityKey, LedgerEntry
from placet.ledger import Checkpoint, NoteSigner, sign_checkpoint
from placet.model import (
    ADMINISTRATOR,
    ActClaims,
    ClaimKey,
    Enrolment,
    Governance,
    IdentityRules,
    Join,
    RotationClaims,
    digest_json,
)
from placet.tokens import (
    Algorithm,
    SigningKey,
    invitation_key,
    numeric_date,
    sign_act,
    sign_enrolment,
    sign_rotation,
)
from tests.harness.acting import Acting, acting
from tests.harness.granting import enrolled, proof, sender

pytestmark = pytest.mark.asyncio(loop_scope="module")
INES, CLEO = "operator:ines", "operator:cleo"
CODE = "ABCDE-FGHIJ-KLMNO-PQRST"
code_key = functools.cache(invitation_key)
WHY = {"reason": "a test"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority where ines is invited and cleo enrolled, both as clerks."""
    async with acting(tmp_path_factory.mktemp("keys")) as made:
        await made.enrol("cleo", "clerk")
        await invite(made, INES)
        yield made


async def invite(at: Acting, whom: str, code: str = CODE) -> None:
    key = code_key(whom, code).thumbprint
    body = {"roles": ["clerk"], "invitation_key": key, "minutes": 60}
    await at.act("ada", "operator.invite", whom, body)


@dataclass
class Claim:
    """A claim with a code, which says what it likes."""

    issuer: str
    now: datetime
    key: SigningKey = field(default_factory=SigningKey.generate)
    code_of: str = INES
    code: str = CODE
    named: SigningKey | None = None
    claims: dict[str, Any] = field(default_factory=dict[str, Any])
    who: str = INES

    def made(self) -> Enrolment:
        """The claim as it is sent."""
        body = ClaimKey(jwk=dict(self.key.public.jwk()))
        said = {
            "iss": self.who,
            "aud": self.issuer,
            "iat": numeric_date(self.now),
            "jti": secrets.token_urlsafe(18),
            "act": "operator.claim",
            "target": self.who,
            "body_digest": digest_json(body),
            **self.claims,
        }
        word = sign_enrolment(
            code_key(self.code_of, self.code),
            self.who,
            (self.named or self.key).public,
            audience=self.issuer,
            now=self.now,
        )
        act = sign_act(ActClaims.model_validate(said), self.key)
        return Enrolment(enrolment=word, act=act, body=body)


def another_past() -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    head = Checkpoint(origin="authority.test/ledger", size=1, root=bytes(32))
    return sign_checkpoint(head, [NoteSigner(head.origin, Ed25519PrivateKey.generate())])


_NOT_GOOD = (401, "this code is not good, or not any more")
_CLAIMS: dict[str, tuple[dict[str, Any], int, str]] = {
    "with-ines-code-for-cleo": ({"who": CLEO}, *_NOT_GOOD),
    "with-a-guess": ({"code": "QQQQQ-QQQQQ"}, *_NOT_GOOD),
    "with-a-code-that-names-another-key": (
        {"named": SigningKey.generate()},
        401,
        "the enrolment names another key than the act's",
    ),
    "another-act": (
        {"claims": {"act": "operator.enrol"}},
        400,
        "act: sign operator.claim for yourself",
    ),
    "for-someone-else": ({"claims": {"target": CLEO}}, 400, "act: sign operator.claim"),
    "another-body": (
        {"claims": {"body_digest": "sha-256:" + "A" * 43}},
        400,
        "the body is not the one whose digest was signed",
    ),
    "in-sight-of-another-past": (
        {"claims": {"ledger_head": another_past()}},
        401,
        "it was signed with another ledger in sight",
    ),
}


@pytest.mark.parametrize("name", _CLAIMS)
async def test_a_code_enrols_no_key_but_the_one_it_is_for(at: Acting, name: str) -> None:
    """I6: whoever is invited as a clerk does not become another clerk, with a key of their own."""
    changed, status, said = _CLAIMS[name]
    sent = Claim(at.core.issuer, at.core.clock(), **changed).made()
    async with at.refuses(status, said) as told:
        await Enrolments(at.core).enrol(sent)
    assert told == []


async def test_a_claim_under_an_id_that_was_used_and_a_key_that_is_enrolled_are_refused(
    at: Acting,
) -> None:
    """I6, I11: sent again it is answered the same, and nothing else is taken under its id."""
    issuer, now = at.core.issuer, at.core.clock()
    async with at.refuses(409, "this key is enrolled already"):
        await Enrolments(at.core).enrol(Claim(issuer, now, key=at.keys["cleo"]).made())
    await invite(at, "operator:ivo")
    jti = secrets.token_urlsafe(18)
    said = {"who": "operator:ivo", "code_of": "operator:ivo", "claims": {"jti": jti}}
    sent = Claim(issuer, now, **said).made()
    answer = await Enrolments(at.core).enrol(sent)
    entries = len(await at.entries())
    assert await Enrolments(at.core).enrol(sent) == answer
    assert len(await at.entries()) == entries
    async with at.refuses(*_NOT_GOOD):
        await Enrolments(at.core).enrol(Claim(issuer, now, claims={"jti": jti}).made())


async def test_who_has_signed_in_since_gets_no_key_by_an_older_code(at: Acting) -> None:
    """I10: a code that was given before enrols nobody a key that outlasts the provider's word."""
    who = "operator:iris"
    await invite(at, who)
    await at.write(lambda tx: _take_identity(tx, who, "iris at the provider", ("clerk",)))
    sent = Claim(at.core.issuer, at.core.clock(), who=who, code_of=who).made()
    async with at.refuses(409, f"{who} signs in through the identity provider"):
        await Enrolments(at.core).enrol(sent)


async def test_who_has_left_since_gets_no_key_by_an_older_code(at: Acting) -> None:
    """I10: nor who was offboarded after they were invited to a second device."""
    await at.enrol("olaf", "clerk")
    await invite(at, "operator:olaf")
    await at.act("ada", "operator.offboard", "operator:olaf", WHY)
    who = {"who": "operator:olaf", "code_of": "operator:olaf"}
    async with at.refuses(409, "operator:olaf is offboarded"):
        await Enrolments(at.core).enrol(Claim(at.core.issuer, at.core.clock(), **who).made())


# --- agents' next keys ---------------------------------------------------------------------------


async def rotate(at: Acting, principal: str, key: SigningKey, following: SigningKey) -> Any:
    """Ask that a key follows."""
    claims = RotationClaims(
        iss=principal,
        aud=at.core.issuer,
        iat=numeric_date(at.core.clock()),
        sub=following.thumbprint,
    )
    sent = sender(at, principal, key, following)
    return await KeyAges(at.core).rotate(sent, sign_rotation(claims, key))


async def test_no_next_key_is_another_kinds_or_someones(at: Acting) -> None:
    """I10: a worker's key is one for ES256, nobody's before, and an agent's."""
    key, other = await enrolled(at, "agent:scale"), await enrolled(at, "agent:carrier")
    async with at.refuses(400, "a worker's key is one for ES256"):
        await rotate(at, "agent:scale", key, SigningKey.generate(Algorithm.ED25519))
    for taken in (other, at.keys["cleo"]):
        async with at.refuses(409, "this key is enrolled already; make another"):
            await rotate(at, "agent:scale", key, taken)
    system = await enrolled(at, "system:customs")
    async with at.refuses(400, "the keys of agents rotate this way, and no others"):
        await KeyAges(at.core).standing(sender(at, "system:customs", system, system))


async def test_new_rules_do_not_lengthen_the_life_of_a_key_that_was_replaced(at: Acting) -> None:
    """I10: it counts for the overlap, whatever a key may count for from now on."""
    key, following = await enrolled(at, "agent:crane"), SigningKey.generate()
    until = (await _key(at, key)).expires_at
    assert until is not None
    await rotate(at, "agent:crane", key, following)
    overlap = (await _key(at, key)).expires_at
    assert overlap is not None
    assert overlap < until
    rules = Governance(version=1, identities=IdentityRules(key_days=200, rotate_days=90))
    await at.act("ada", "governance.publish", "governance", rules)
    assert (await _key(at, key)).expires_at == overlap
    following_until = (await _key(at, following)).expires_at
    assert following_until is not None
    assert following_until > until


async def _key(at: Acting, key: SigningKey) -> IdentityKey:
    found = await at.core.store.read(lambda reader: reader.get(IdentityKey, key.thumbprint))
    assert found is not None
    return found


# --- whose invitation it was ---------------------------------------------------------------------


async def _cut_off(at: Acting, who: str, how: str) -> None:
    """Take from an administrator what they had when they invited."""
    if how == "suspended":
        await at.act("ada", "operator.suspend", f"operator:{who}", WHY)
    elif how == "key-revoked":
        await at.act("ada", "key.revoke", at.keys[who].thumbprint, WHY)
    elif how == "demoted":
        await at.act("ada", "operator.roles", f"operator:{who}", {"roles": ["clerk"]})


@pytest.mark.parametrize("kind", ["operator", "agent"])
async def test_who_was_cut_off_lets_nobody_in_by_an_earlier_code(at: Acting, kind: str) -> None:
    """I10: a thief of an administrator's key does not come back with a code made by it."""
    for how in ("suspended", "key-revoked", "demoted", "not-at-all"):
        who, whom = f"eve-{kind}-{how}", f"{kind}:new-{how}"
        await at.enrol(who, ADMINISTRATOR)
        if kind == "agent":
            await enrolled(at, whom)
        await at.act(who, f"{kind}.invite", whom, _invitation(whom))
        await _cut_off(at, who, how)
        if how == "not-at-all":
            await _come_in(at, whom)
            continue
        async with at.refuses(401, "is not good, or not any more") as told:
            await _come_in(at, whom)
        assert told == []


async def test_a_code_that_two_signed_is_good_while_both_may(tmp_path: Path) -> None:
    """I10: neither of them stands for the other who was cut off."""
    async with acting(tmp_path, signatures=2) as at:
        for off in ("bea", None):
            whom = f"operator:new-{off or 'kept'}"
            answer = await at.act("ada", "operator.invite", whom, _invitation(whom))
            waits = (await at.entries())[answer.entry]["data"]
            said = {"act": "operator.invite", "target": whom, "body_digest": waits["body_digest"]}
            await at.act("bea", "act.countersign", waits["proposal"], said)
            if off is None:
                await _come_in(at, whom)
                return
            await _cut_off(at, off, "suspended")
            async with at.refuses(401, "is not good, or not any more"):
                await _come_in(at, whom)
            await at.write(lambda tx: tx.change(Identity, "operator:bea", status="active"))


def _invitation(whom: str) -> dict[str, Any]:
    key = code_key(whom, CODE).thumbprint
    if whom.startswith("operator:"):
        return {"roles": ["clerk"], "invitation_key": key, "minutes": 60}
    return {"environment": "production", "task_queues": ["scale"], "invitation_key": key}


async def _come_in(at: Acting, whom: str) -> None:
    """Use the code."""
    if whom.startswith("operator:"):
        claim = Claim(at.core.issuer, at.core.clock(), who=whom, code_of=whom)
        await Enrolments(at.core).enrol(claim.made())
        return
    key, now, code = SigningKey.generate(), at.core.clock(), code_key(whom, CODE)
    word = sign_enrolment(code, whom, key.public, audience=at.core.issuer, now=now)
    asked = Join(
        agent=whom.removeprefix("agent:"),
        environment="production",
        task_queues=("scale",),
        enrolment=word,
    )
    await Joining(at.core, cast(Any, None)).join(asked, proof(at, key))


@pytest.mark.parametrize(
    ("names", "signatures", "said"),
    [
        (("ada", "ada"), 1, "an administrator is named twice"),
        (("ada", "bea"), 2, "two have the same key: each makes one of their own"),
        (("ada",), 2, "two signatures need two administrators: name both"),
        ((), 0, "name at least one administrator and a public key"),
        (("Ada",), 1, "'Ada' is no name"),
    ],
)
async def test_a_log_that_nobody_could_go_on_with_is_not_created(
    tmp_path: Path, names: tuple[str, ...], signatures: int, said: str
) -> None:
    """I6: each first administrator is another person, and there are as many as must sign."""
    key = SigningKey.generate().public
    url = f"sqlite:///{tmp_path / 'authority.db'}"
    async with await Store.open(url, origin="authority.test/ledger") as store:
        named = [(each, key) for each in names]
        with pytest.raises(WrongName, match=said):
            await create_log(store, SigningKeys("p"), named, signatures=signatures)
        assert await store.read(lambda reader: reader.first(LedgerEntry)) is None
