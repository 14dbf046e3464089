"""Agents' keys: how long they count, and how their workers make the next ones."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from temporalio.exceptions import ApplicationError

from placet.agent import AgentConfig
from placet.agent import _rotation as _rotation_module
from placet.agent._link import AuthorityLink
from placet.agent._rotation import Rotation, next_file
from placet.cli._fetch import fetch_log
from placet.client import OperatorClient
from placet.model import EnrolIdentity, Governance, IdentityRules, Reason, RotateKey, RotationClaims
from placet.tokens import (
    KeyFileError,
    SigningKey,
    numeric_date,
    read_key_file,
    sign_rotation,
    write_key_file,
)
from tests.authority.test_two_administrators import holds, troubles
from tests.harness.alone import Alone, alone

AT_ONCE = IdentityRules(key_days=30, rotate_days=0, overlap_minutes=60)


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Alone]:
    """An authority alone."""
    async with alone(f"sqlite:///{tmp_path / 'authority.db'}") as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A worker's HTTP session."""
    async with aiohttp.ClientSession() as made:
        yield made


async def _enrol(ada: OperatorClient, folder: Path, rules: IdentityRules = AT_ONCE) -> Path:
    """An agent with a key in a file, under these rules."""
    file = folder / "scale.key"
    key = SigningKey.generate()
    write_key_file(file, key)
    version = len(await ada.entries("governance.published")) + 1
    await ada.act("governance.publish", "governance", Governance(version=version, identities=rules))
    body = EnrolIdentity(jwk=key.public.jwk(), owner="operator:ada")
    await ada.act("agent.enrol", "agent:scale", body)
    return file


def _config(authority: Alone, file: Path) -> AgentConfig:
    return AgentConfig("scale", read_key_file(file), authority.settings.issuer, {}, file)


def _rotation(authority: Alone, file: Path, http: aiohttp.ClientSession) -> Rotation:
    return Rotation(_config(authority, file), http, authority.now, lambda _: None)


async def _counts(authority: Alone, key: SigningKey, http: aiohttp.ClientSession) -> bool:
    config = AgentConfig("scale", key, authority.settings.issuer, {})
    try:
        await AuthorityLink(config, http, authority.now).send("GET", "/v1/keys/mine", None)
    except ApplicationError:
        return False
    return True


async def test_a_key_is_replaced_in_time_and_both_count_for_the_overlap(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I10: not before its day; then the earlier one counts on, for the overlap and no longer."""
    rules = IdentityRules(key_days=30, rotate_days=20, overlap_minutes=60)
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path, rules)
        first = read_key_file(file)
        rotation = _rotation(authority, file, http)
        await rotation.look()
        assert read_key_file(file).thumbprint == first.thumbprint
        authority.ahead = timedelta(days=20)
        await rotation.look()
        second = read_key_file(file)
        assert second.thumbprint != first.thumbprint
        assert not next_file(file).exists()
        assert await _counts(authority, first, http)
        assert await _counts(authority, second, http)
        authority.ahead += timedelta(minutes=60)
        assert not await _counts(authority, first, http)
        assert await _counts(authority, second, http)
        assert await holds(ada) == []


async def test_a_key_that_can_not_be_kept_is_made_again_later(
    authority: Alone,
    http: aiohttp.ClientSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """I11: a disk that was full for a moment does not end the looking after a worker's key."""
    kept: list[Path] = []

    def full_at_first(path: Path, key: SigningKey) -> None:
        kept.append(path)
        if len(kept) == 1:
            raise KeyFileError(f"{path} can't be written: No space left on device")
        write_key_file(path, key)

    monkeypatch.setattr(_rotation_module, "write_key_file", full_at_first)
    monkeypatch.setattr(_rotation_module, "_TRY_AGAIN", 0.01)
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path)
        first, adopted = read_key_file(file), asyncio.Event()
        rotation = Rotation(_config(authority, file), http, authority.now, lambda _: adopted.set())
        running = asyncio.create_task(rotation.run())
        async with asyncio.timeout(90):
            await adopted.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert read_key_file(file).thumbprint != first.thumbprint


async def test_workers_that_share_a_key_file_go_on_with_the_same_next_key(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I11: one makes it and the others take it up, one after the other and at the same time."""
    rules = IdentityRules(key_days=30, rotate_days=20, overlap_minutes=60)
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path, rules)
        adopted: dict[str, list[str]] = {"one": [], "two": [], "three": []}
        one, two, three = (
            Rotation(
                _config(authority, file),
                http,
                authority.now,
                lambda config, name=name: adopted[name].append(config.key.thumbprint),
            )
            for name in adopted
        )
        authority.ahead = timedelta(days=20)
        await one.look()
        await two.look()
        second = read_key_file(file).thumbprint
        assert adopted == {"one": [second], "two": [second], "three": []}
        authority.ahead += timedelta(days=20)
        await asyncio.gather(one.look(), two.look())
        for each in (one, two, three):
            await each.look()
        third = read_key_file(file).thumbprint
        assert adopted == {"one": [second, third], "two": [second, third], "three": [third]}
        assert not next_file(file).exists()
        assert len((await ada.registered("agent:scale")).keys) == 3
        assert await holds(ada) == []


async def test_a_worker_takes_up_no_key_that_the_authority_does_not_know(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I10: what was put into the key file and not enrolled takes no worker's key from it."""
    adopted: list[AgentConfig] = []
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path)
        rotation = Rotation(_config(authority, file), http, authority.now, adopted.append)
        file.unlink()
        write_key_file(file, SigningKey.generate())
        with pytest.raises(ApplicationError, match="does not know this worker"):
            await rotation.look()
    assert adopted == []
    assert not next_file(file).exists()


async def test_a_key_that_is_too_old_counts_at_no_door(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I10: to the second; and new rules change the end of the keys that are there."""
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path)
        key = read_key_file(file)
        authority.ahead = timedelta(days=30, seconds=-30)
        assert await _counts(authority, key, http)
        authority.ahead = timedelta(days=30)
        assert not await _counts(authority, key, http)
        longer = Governance(version=2, identities=IdentityRules(key_days=40, rotate_days=20))
        await ada.act("governance.publish", "governance", longer)
        assert await _counts(authority, key, http)
        shorter = Governance(version=3, identities=IdentityRules(key_days=7, rotate_days=5))
        await ada.act("governance.publish", "governance", shorter)
        assert not await _counts(authority, key, http)
        (shown,) = (await ada.registered("agent:scale")).keys
        assert shown.expires_at == shown.since + timedelta(days=7)


def _take(authority: Alone, file: Path, kill_at: str) -> int:
    """One look in a process of its own, killed at a point; its exit status."""
    command = [sys.executable, "-m", "tests.authority.rotating_worker"]
    settings = {**os.environ, "PLACET_KILL_AT": kill_at}
    arguments = (authority.settings.issuer, "scale", str(file))
    return subprocess.run([*command, *arguments], env=settings, check=False).returncode


@pytest.mark.parametrize("point", ["rotation.before-asking", "rotation.before-keeping"])
async def test_a_rotation_killed_half_way_is_finished(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path, point: str
) -> None:
    """I11: one next key, whenever the worker died, even if it comes back when its key has ended."""
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path)
        first = read_key_file(file)
        ended = await asyncio.to_thread(_take, authority, file, point)
        assert ended == -signal.SIGKILL
        following = read_key_file(next_file(file))
        assert read_key_file(file).thumbprint == first.thumbprint
        if point == "rotation.before-keeping":
            authority.ahead = timedelta(days=2)  # past the overlap
            assert not await _counts(authority, first, http)
        await _rotation(authority, file, http).look()
        assert read_key_file(file).thumbprint == following.thumbprint
        assert len((await ada.registered("agent:scale")).keys) == 2
        assert await _counts(authority, following, http)
        assert await holds(ada) == []


WRONG_TIME = "older than 60 s|from the future, by more than 5 s"


@pytest.mark.parametrize("minutes", [-5, 5])
async def test_a_worker_whose_clock_is_wrong_is_told_so_and_goes_on_when_it_is_set(
    authority: Alone,
    http: aiohttp.ClientSession,
    tmp_path: Path,
    minutes: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """I12: nothing is decided about it, nothing is used up, and seconds do not matter."""
    async with authority.ada() as ada:
        file = await _enrol(ada, tmp_path)
        config = AgentConfig("scale", read_key_file(file), authority.settings.issuer, {})

        async def ask(off: timedelta) -> None:
            link = AuthorityLink(config, http, lambda: authority.now() + off)
            await link.send("GET", "/v1/keys/mine", None)

        with pytest.raises(ApplicationError, match=WRONG_TIME) as refused:
            await ask(timedelta(minutes=minutes))
        assert (refused.value.type, refused.value.non_retryable) == ("Unauthenticated", False)
        await ask(timedelta(seconds=min(minutes, 3)))
        # A rotation that is due is made under the wrong clock by nobody, and then once.
        authority.ahead = timedelta(days=25)
        wrong = Rotation(
            _config(authority, file),
            http,
            lambda: authority.now() + timedelta(minutes=minutes),
            lambda _: None,
        )
        with pytest.raises(ApplicationError, match=WRONG_TIME):
            await wrong.look()
        assert "look at its clock" in caplog.text
        assert len((await ada.registered("agent:scale")).keys) == 1
        await _rotation(authority, file, http).look()
        assert len((await ada.registered("agent:scale")).keys) == 2


async def _rotate(
    authority: Alone,
    http: aiohttp.ClientSession,
    by: SigningKey,
    following: SigningKey,
    named: Callable[[SigningKey], str] = lambda key: key.thumbprint,
    signer: SigningKey | None = None,
) -> None:
    issuer = authority.settings.issuer
    asker = AuthorityLink(AgentConfig("scale", by, issuer, {}), http, authority.now)
    link = AuthorityLink(AgentConfig("scale", following, issuer, {}), http, authority.now)
    claims = RotationClaims(
        iss="agent:scale",
        aud=issuer,
        iat=numeric_date(authority.now()),
        sub=named(following),
    )
    rotation = sign_rotation(claims, signer or by)
    body = RotateKey(client_assertion=asker.assertion(), rotation=rotation)
    await link.send("POST", "/v1/keys", body)


async def test_a_key_names_its_next_one_and_is_replaced_once(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I6, I10: a thief's rotation keeps nobody in: the first one counts, and goes with its key."""
    thief, worker = SigningKey.generate(), SigningKey.generate()
    async with authority.ada() as ada:
        first = read_key_file(await _enrol(ada, tmp_path))
        with pytest.raises(ApplicationError, match="invalid_request"):  # signed for another key
            await _rotate(authority, http, first, thief, lambda _: worker.thumbprint)
        with pytest.raises(ApplicationError):  # signed by itself
            await _rotate(authority, http, thief, thief)
        with pytest.raises(ApplicationError, match="invalid_request"):  # asked for by the key alone
            await _rotate(authority, http, first, thief, signer=thief)
        await _rotate(authority, http, first, thief)
        with pytest.raises(ApplicationError, match="conflict"):
            await _rotate(authority, http, first, worker)
        again = SigningKey.generate()
        await _rotate(authority, http, thief, again)
        await ada.act("key.revoke", first.thumbprint, Reason(reason="stolen"))
        for key in (first, thief, again):
            assert not await _counts(authority, key, http)
        assert await holds(ada) == []
        files = await fetch_log(ada)
    forged = {"with_it": [thief.thumbprint]}
    assert "key" in troubles(files, "key.revoked", forged)


async def test_a_key_that_is_too_old_is_revoked_with_what_replaced_it(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I10: it was stolen long ago, which is found now; and nothing in that is amiss."""
    async with authority.ada() as ada:
        first = read_key_file(await _enrol(ada, tmp_path))
        await _rotate(authority, http, first, thief := SigningKey.generate())
        authority.ahead = timedelta(days=2)
        assert not await _counts(authority, first, http)
        await ada.act("key.revoke", first.thumbprint, Reason(reason="stolen"))
        assert not await _counts(authority, thief, http)
        assert await holds(ada) == []


async def test_a_suspended_agents_key_is_not_replaced(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I10: off means off for its next key as well."""
    async with authority.ada() as ada:
        first = read_key_file(await _enrol(ada, tmp_path))
        await ada.act("agent.suspend", "agent:scale", Reason(reason="a test"))
        with pytest.raises(ApplicationError, match="suspended"):
            await _rotate(authority, http, first, SigningKey.generate())
        assert len((await ada.registered("agent:scale")).keys) == 1


async def test_the_audit_finds_a_next_key_that_none_named(
    authority: Alone, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """I6, I13: of a key that is another's, or that had ended; or by who owns the log alone."""
    async with authority.ada() as ada:
        first, second, owners = (
            read_key_file(await _enrol(ada, tmp_path)),
            SigningKey.generate(),
            SigningKey.generate(),
        )
        await _rotate(authority, http, first, second)
        files = await fetch_log(ada)
    issuer, now = authority.settings.issuer, numeric_date(authority.now())
    said = RotationClaims(iss="agent:scale", aud=issuer, iat=now, sub=owners.thumbprint)
    late = said.model_copy(update={"iat": now - 3600, "sub": second.thumbprint})
    jwk = dict(owners.public.jwk())
    for change, found in (
        ({"rotation": None}, "rotation-signature"),
        ({"jwk": jwk}, "rotation-says-other"),
        ({"jwk": jwk, "rotation": sign_rotation(said, owners)}, "rotation-signature"),
        ({"rotation": sign_rotation(late, first)}, "rotation-late"),
    ):
        assert found in troubles(files, "key.enrolled", change)
    assert troubles(files, "", {}) == set()
    assert "key-uninvited" in troubles(files, "key.enrolled", {"replaces": "A" * 43})
    assert "key-uninvited" in troubles(files, "key.enrolled", "agent:other")


async def test_rules_that_leave_no_time_to_rotate_are_refused() -> None:
    """I12: a key that would end before its day comes is a mistake in the rules."""
    with pytest.raises(ValueError, match="rotate_days"):
        IdentityRules(key_days=30, rotate_days=30)
