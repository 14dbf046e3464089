"""Back up, work on, restore to the point: what came after the backup is missed by who kept a head."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
from temporalio.client import Client

from placet.audit import verify
from placet.authority import AuthoritySettings, SigningKeys, Store, load_signing_keys
from placet.cli import fetch_log
from placet.client import OperatorClient
from placet.ledger import NoteSigner
from placet.model import EnrolIdentity
from placet.tokens import SigningKey
from tests.authority.throwaway_postgresql import PostgresqlCluster
from tests.harness.alone import Alone, alone
from tests.harness.world import PASSPHRASE, free_port, serving, until

NAME = "witness.example/backup"


def _postgres(cluster: PostgresqlCluster, program: str, *arguments: str) -> None:
    command = [str(cluster._binaries / program), "-h", str(cluster.folder), "-U", "placet"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def _witness(*arguments: str) -> tuple[int, str]:
    """Run the command as a witness would: its exit status, and what it said."""
    command = (sys.executable, "-m", "placet.cli", "audit", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def _log_key(settings: AuthoritySettings) -> str:
    keys = SigningKeys(PASSPHRASE)
    async with await Store.open(settings.database_url, origin=settings.origin) as store:
        await load_signing_keys(store, keys)
    return NoteSigner(settings.origin, keys.head_key()).verifier.vkey


async def _work(authority: Alone, *names: str) -> str:
    """Enrol some people; the head that is signed over it."""
    async with authority.ada() as ada:
        for name in names:
            body = EnrolIdentity(jwk=dict(SigningKey.generate().public.jwk()), roles=("clerk",))
            await ada.act("operator.enrol", f"operator:{name}", body)
        return await until(lambda: _signed(ada))


async def _signed(ada: OperatorClient) -> str | None:
    """The head, once it covers every entry."""
    log = await fetch_log(ada)
    size = log.head.splitlines()[1:2]  # a log that has just begun has no head yet
    return log.head if size == [str(len(log.entries))] else None


async def test_an_earlier_state_that_is_restored_is_noticed(
    postgresql: PostgresqlCluster, tmp_path: Path
) -> None:
    """I8: the restored ledger holds by itself, and is not what a witness and an auditor have seen."""
    dump, key, keep = tmp_path / "placet.dump", tmp_path / "w.key", tmp_path / "head"
    source, target = postgresql.create_database(), postgresql.create_database()
    code, _ = await _witness("witness-key", str(key), "--name", NAME)
    assert code == 0
    async with alone(postgresql.url(source)) as authority:
        settings = authority.settings
        watch = ("witness", f"{settings.issuer}/ledger", "--log-key", await _log_key(settings))
        watch += ("--key", str(key), "--name", NAME, "--keep", str(keep))
        await _work(authority, "bob", "cy")
        _postgres(postgresql, "pg_dump", "-Fc", "-f", str(dump), source)
        later = await _work(authority, "dan", "eve")
        assert (await _witness(*watch, "--new"))[0] == 0
    _postgres(postgresql, "pg_restore", "--exit-on-error", "-d", target, str(dump))
    restored = settings.model_copy(update={"database_url": postgresql.url(target)})
    temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    trust = {"log_key": watch[3], "administrators": [authority.admin.thumbprint]}
    async with serving(restored, temporal), authority.ada() as ada:
        by_itself = verify(await fetch_log(ada, trust=trust))
        assert by_itself.troubles == ()
        missed = verify(await fetch_log(ada, trust={**trust, "heads": [later]}))
        (trouble,) = missed.troubles
        assert "kept head of 8 entries is beyond this log's head" in trouble.found
        code, said = await _witness(*watch)
        assert (code, "refused" in said) == (1, True), said
        await _work(
            authority, "fay", "gus", "hal"
        )  # and it stays noticed when it has grown past it
        code, said = await _witness(*watch)
        assert (code, "refused" in said) == (1, True), said
    for each in (source, target):
        postgresql.drop_database(each)


def _archiving(cluster: PostgresqlCluster, archive: Path) -> None:
    """Keep what PostgreSQL writes ahead, as the page says."""
    command = f"test ! -f {archive}/%f && cp %p {archive}/%f"
    _sql(cluster, "ALTER SYSTEM SET archive_mode = on")
    _sql(cluster, f"ALTER SYSTEM SET archive_command = '{command}'")
    cluster.stop()
    cluster.start()


def _sql(cluster: PostgresqlCluster, statement: str) -> None:
    _postgres(cluster, "psql", "-d", "postgres", "-qc", statement)


def _back_to(cluster: PostgresqlCluster, base: Path, archive: Path, point: str) -> None:
    """Put the base backup in the place of the data, and play the archive up to a point."""
    cluster.stop()
    data = cluster.folder / "data"
    data.rename(cluster.folder / "before")
    base.rename(data)
    with (data / "postgresql.auto.conf").open("a") as settings:
        settings.write(f"restore_command = 'cp {archive}/%f %p'\n")
        settings.write(f"recovery_target_name = '{point}'\n")
        settings.write("recovery_target_action = 'promote'\n")
    (data / "recovery.signal").touch()
    cluster.start()
    with psycopg.connect(cluster.url("postgres")) as asking:
        asking.autocommit = True
        while asking.execute("SELECT pg_is_in_recovery()").fetchone() != (False,):
            asking.execute("SELECT pg_sleep(0.05)")


async def test_a_log_goes_back_to_a_point_between_two_backups(
    postgresql: PostgresqlCluster,
) -> None:
    """I8: all that was done until then is there, nothing after it, and who kept a later head knows."""
    cluster = PostgresqlCluster(postgresql._binaries)
    try:
        archive, base = cluster.folder / "archive", cluster.folder / "base"
        archive.mkdir()
        if cluster._user is not None:
            shutil.chown(archive, cluster._user, cluster._group)
        _archiving(cluster, archive)
        name = cluster.create_database()
        async with alone(cluster.url(name)) as authority:
            settings = authority.settings
            await _work(authority, "bob")
            where = ("-h", str(cluster.folder), "-U", "placet", "-D", str(base))
            cluster._run("pg_basebackup", *where, "-c", "fast", "--no-sync")
            then = await _work(authority, "cy", "dan")
            _sql(cluster, "SELECT pg_create_restore_point('then')")
            later = await _work(authority, "eve")
        _back_to(cluster, base, archive, "then")
        temporal = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
        trust = {
            "log_key": await _log_key(settings),
            "administrators": [authority.admin.thumbprint],
        }
        async with serving(settings, temporal), authority.ada() as ada:
            log = await fetch_log(ada, trust={**trust, "heads": [then]})
            assert verify(log).troubles == ()
            assert [row["principal"] for row in await ada.identities("operator")] == [
                f"operator:{each}" for each in ("ada", "bob", "cy", "dan")
            ]
            (trouble,) = verify(await fetch_log(ada, trust={**trust, "heads": [later]})).troubles
            assert "is beyond this log's head" in trouble.found
            await _work(authority, "fay")  # and it goes on from there
    finally:
        cluster.remove()
