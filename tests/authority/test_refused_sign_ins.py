"""Sign-ins through the identity provider that are refused although the provider said yes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from placet.authority._identities import key_standing, roles_of
from placet.authority._provider import Person
from placet.authority._sealing import seal
from placet.authority._sessions import Sessions
from placet.authority._signing_in import _PURPOSE, SigningIn, _SignIn
from placet.authority._store import Identity, IdentityKey, SessionRow
from placet.model import GroupRoles, IdentityProvider, canonical_json
from placet.tokens import SigningKey, numeric_date
from placet.tokens._id_tokens import IdTokenClaims
from tests.harness.acting import Acting, acting
from tests.harness.granting import proof

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"reason": "a test"}
PROVIDER = IdentityProvider(
    issuer="https://id.test",
    client_id="placet",
    roles=(
        GroupRoles(group="clerks", roles=("clerk",)),
        GroupRoles(group="chiefs", roles=("chief",)),
    ),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Acting]:
    """An authority where una has a key that an administrator enrolled."""
    async with acting(tmp_path_factory.mktemp("sign-ins")) as made:
        await made.enrol("una", "auditor")
        yield made


async def sign_in(
    at: Acting, key: SigningKey, name: str, sub: str, group: str = "clerks", **changed: Any
) -> str:
    """Whom the authority lets in with this key, once the provider has said who it is."""
    now = at.core.clock()
    claims = IdTokenClaims(
        iss=PROVIDER.issuer,
        sub=sub,
        aud="placet",
        iat=numeric_date(now),
        exp=numeric_date(now) + 600,
        nonce="n",
    )
    person = Person(name=name, groups=(group,), claims=claims, refresh_token=None)
    proven, carried = proof(at, key), _carried(at, key, **changed)
    signing_in = SigningIn(at.core, at.provider)
    done = await at.write(lambda tx: signing_in._admit(tx, PROVIDER, person, carried, proven))
    return done.operator


def _carried(at: Acting, key: SigningKey, **changed: Any) -> _SignIn:
    began = numeric_date(at.core.clock())
    said = {
        "id": at.core.new_id("signin"),
        "jkt": key.thumbprint,
        "device_code": "d",
        "nonce": "n",
        "fresh": False,
        "started": began,
        "expires": began + 600,
    }
    return _SignIn.model_validate({**said, **changed})


async def test_no_device_signs_in_with_a_key_that_is_someones_or_was_revoked(at: Acting) -> None:
    """I6, I10: a stolen device that was cut off stays so, whoever signs in on it."""
    key = SigningKey.generate()
    assert await sign_in(at, key, "Cleo", "u-1") == "operator:cleo"
    taken = (400, "this device's key is enrolled already; use another", "I6", "key_taken")
    for other in (key, at.keys["una"]):
        async with at.refuses(*taken):
            await sign_in(at, other, "cid", "u-2")
    await at.act("ada", "key.revoke", key.thumbprint, WHY)
    async with at.refuses(400, "this device's key was revoked; use another", "I10", "revoked"):
        await sign_in(at, key, "Cleo", "u-1")
    row = await at.core.store.read(lambda reader: reader.get(IdentityKey, key.thumbprint))
    assert row is not None
    assert row.status == "revoked"


@pytest.mark.parametrize(
    ("said", "name"),
    [("9lives", "u-9lives"), ("!", ""), ("", ""), ("x" * 65, ""), ("x" * 64, "x" * 64)],
)
async def test_a_name_at_the_provider_is_one_here_or_none(at: Acting, said: str, name: str) -> None:
    """I6: letters, digits and hyphens, after a letter; what makes no name opens nothing."""
    key, sub = SigningKey.generate(), f"sub of {said}"
    if name:
        assert await sign_in(at, key, said, sub) == f"operator:{name}"
        return
    words = "your name at the identity provider makes no name here"
    async with at.refuses(400, words, "I6", "name"):
        await sign_in(at, key, said, sub)


async def test_other_groups_are_other_roles_at_the_next_sign_in(at: Acting) -> None:
    """I6: no administrator gives them, and none of the earlier ones stays."""
    key = SigningKey.generate()
    for group, role in (("clerks", "clerk"), ("chiefs", "chief")):
        operator = await sign_in(at, key, "dora", "u-3", group)
        known = await at.core.store.read(lambda r, who=operator: r.get(Identity, who))
        assert known is not None
        assert roles_of(known) == (role,)


async def test_a_sign_in_ends_with_its_time_and_with_its_provider(at: Acting) -> None:
    """I6, I10: a device code has an end; without the provider nobody signs in, and who has is out."""
    key = SigningKey.generate()

    async def finish(**changed: Any) -> None:
        code = seal(at.core, _PURPOSE, canonical_json(_carried(at, key, **changed)))
        await SigningIn(at.core, at.provider).finish(code, proof(at, key))

    ended = numeric_date(at.core.clock())
    async with at.refuses(400, "this sign-in has expired; begin anew"):
        await finish(expires=ended)
    async with at.refuses(400, "no identity provider is published any more"):
        await finish()
    await sign_in(at, key, "emil", "u-4")
    (session,) = await at.core.store.read(
        lambda reader: reader.all(SessionRow, SessionRow.thumbprint == key.thumbprint)
    )
    assert await Sessions(at.core, at.provider).recheck_one(session)
    last = (await at.entries())[-1]
    assert (last["type"], last["data"]["reason"]) == ("session.ended", "provider_changed")
    standing = await at.core.store.read(
        lambda reader: key_standing(reader, "operator:emil", key.thumbprint, at.core.clock())
    )
    assert standing == "ended"
