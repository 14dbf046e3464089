"""Enrolling oneself with a one-time code that an administrator gave."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from placet.cli._fetch import fetch_log
from placet.client import AuthorityError, OperatorClient
from placet.model import Invite, Reason
from placet.tokens import SigningKey, invitation_key, sign_enrolment
from tests.authority.test_two_administrators import holds, troubles
from tests.harness.alone import Alone, alone

CODE = "ABCDE-FGHIJ-KLMNO-PQRST"


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority alone."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made:
        yield made


def _device(authority: Alone, operator: str = "operator:cleo") -> OperatorClient:
    return OperatorClient(
        authority.settings.issuer, operator, SigningKey.generate(), clock=authority.now
    )


async def _invite(ada: OperatorClient, operator: str = "operator:cleo", code: str = CODE) -> None:
    body = Invite(
        roles=("clerk",), invitation_key=invitation_key(operator, code).thumbprint, minutes=10
    )
    await ada.act("operator.invite", operator, body)


async def test_a_code_enrols_the_key_that_was_made_on_the_device(authority: Alone) -> None:
    """I6: once, for the name and the roles that an administrator signed."""
    async with authority.ada() as ada, _device(authority) as cleo, _device(authority) as thief:
        await _invite(ada)
        await cleo.enrol_with_code(CODE)
        assert await cleo.cases() == []
        with pytest.raises(AuthorityError, match="not good") as used:
            await thief.enrol_with_code(CODE)
        assert used.value.status == 401
        (cleos,) = [
            each
            for each in await ada.identities("operator")
            if each["principal"] == "operator:cleo"
        ]
        assert cleos["roles"] == ["clerk"]
        assert await holds(ada) == []


async def test_who_is_suspended_comes_by_a_key_and_can_do_nothing_with_it(
    authority: Alone,
) -> None:
    """I10: a key was lost, they are suspended and invited anew; and nothing in that is amiss."""
    async with authority.ada() as ada, _device(authority) as before, _device(authority) as cleo:
        await _invite(ada)
        await before.enrol_with_code(CODE)
        await ada.act("operator.suspend", "operator:cleo", Reason(reason="the key was lost"))
        another = CODE[::-1]
        await _invite(ada, code=another)
        await cleo.enrol_with_code(another)
        with pytest.raises(AuthorityError, match="suspended"):
            await cleo.cases()
        await ada.act("operator.resume", "operator:cleo", Reason(reason="there is another"))
        assert await cleo.cases() == []
        assert await holds(ada) == []


async def test_a_code_is_for_one_name_and_some_minutes(authority: Alone) -> None:
    """I6: whose it is not, and who comes too late, are answered like who guesses."""
    async with authority.ada() as ada, _device(authority) as cleo:
        await _invite(ada)
        async with _device(authority, "operator:cid") as cid:
            with pytest.raises(AuthorityError) as another:
                await cid.enrol_with_code(CODE)
        with pytest.raises(AuthorityError) as guessed:
            await cleo.enrol_with_code(CODE.replace("A", "B"))
        authority.ahead += timedelta(minutes=10)
        with pytest.raises(AuthorityError) as late:
            await cleo.enrol_with_code(CODE)
    # What follows is the client's own: that the clocks of this test are apart.
    answers = [each.value for each in (another, guessed, late)]
    assert len({(each.status, str(each).partition(";")[0]) for each in answers}) == 1


async def test_a_code_is_never_kept(authority: Alone, tmp_path: Path) -> None:
    """I7: neither the database nor the ledger has it."""
    async with authority.ada() as ada, _device(authority) as cleo:
        await _invite(ada)
        await cleo.enrol_with_code(CODE)
        entries = str(await ada.entries())
    stored = b"".join(each.read_bytes() for each in tmp_path.glob("authority.db*"))
    for spelled in (CODE, CODE.replace("-", "")):
        assert spelled not in entries
        assert spelled.encode() not in stored


_FORGERIES = {
    "another-invitation": ("key.enrolled", {"invitation": "invitation-x"}, "key-uninvited"),
    "other-roles": ("key.enrolled", {"roles": ["chief"]}, "key-uninvited"),
    "too-late": ("operator.invited", {"expires_at": 1}, "key-uninvited"),
    "invited-in-other-roles": ("operator.invited", {"roles": ["chief"]}, "act-says-other"),
    "nobody-invited": ("operator.invited", None, "key-uninvited"),
}


async def test_the_audit_finds_a_key_that_was_not_invited(authority: Alone) -> None:
    """I6: whoever owns the log can't enrol a key with a code that nobody gave."""
    async with authority.ada() as ada, _device(authority) as cleo:
        await _invite(ada)
        await cleo.enrol_with_code(CODE)
        files = await fetch_log(ada)
    assert troubles(files, "", {}) == set()
    for name, (type_, change, trouble) in _FORGERIES.items():
        assert trouble in troubles(files, type_, change), name
    # Who owns the log could have the operator sign in with a key of the owner's, who signs the act
    # with it; but has no code, whose key alone can name it.
    thief = SigningKey.generate()
    jwk = dict(thief.public.jwk())
    assert "enrolment-says-other" in troubles(files, "key.enrolled", {"jwk": jwk})
    word = sign_enrolment(
        invitation_key("operator:cleo", CODE.replace("A", "B")),
        "operator:cleo",
        thief.public,
        audience=authority.settings.issuer,
        now=authority.now(),
    )
    forged = {"jwk": jwk, "enrolment": word}
    assert "enrolment-says-other" in troubles(files, "key.enrolled", forged)
    assert "enrolment-signature" in troubles(files, "key.enrolled", {"enrolment": None})
