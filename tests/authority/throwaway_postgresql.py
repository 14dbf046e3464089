"""A PostgreSQL cluster that lives for one test session: its own files, its own socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

_STARTS_WITHIN = 30.0  # seconds; a loaded machine takes about five


def find_binaries() -> Path | None:
    """The folder that holds ``initdb`` and ``postgres``: the newest installed, or that on PATH."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3])
    )
    if installed:
        return installed[-1].parent
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


# Nobody cuts a test's power: its server need not wait for the disk. A benchmark's does.
_QUICK = ("-c", "fsync=off", "-c", "shared_buffers=16MB")


class PostgresqlCluster:
    """A running server. It refuses to run as root, so root starts it as another user."""

    def __init__(self, binaries: Path, superuser: str = "placet", *, durable: bool = False) -> None:
        self._binaries = binaries
        self._durable = durable
        self._superuser = superuser
        self._user = _unprivileged_user()
        # Not pytest's folder: the path of a socket may have 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="placet-pg-"))
        self._group = None if self._user is None else pwd.getpwnam(self._user).pw_gid
        self._extra_groups: list[str] | None = None if self._user is None else []
        if self._user is not None:
            shutil.chown(self.folder, self._user, self._group)
        self._databases = 0
        self._server: subprocess.Popen[bytes] | None = None
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            user=self._user,
            group=self._group,
            extra_groups=self._extra_groups,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *(str(self._binaries / "postgres"), "-D", str(self.folder / "data")),
                    *("-k", str(self.folder), "-c", "listen_addresses="),
                    *(() if self._durable else _QUICK),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self._user,
                group=self._group,
                extra_groups=self._extra_groups,
            )
        give_up = time.monotonic() + _STARTS_WITHIN
        while True:
            try:
                psycopg.connect(self._conninfo("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > give_up:
                    log_text = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL does not start:\n{log_text}") from None
                time.sleep(0.05)
            else:
                return

    @property
    def server(self) -> subprocess.Popen[bytes]:
        """The server's process."""
        assert self._server is not None
        return self._server

    def stop(self) -> None:
        """Stop the server: at once, its clients' connections are cut."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGINT)  # "fast" shutdown
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.send_signal(signal.SIGQUIT)  # "immediate" shutdown
            self._server.wait(20)
        self._server = None

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        shutil.rmtree(self.folder)

    def _conninfo(self, database: str) -> str:
        return f"host={self.folder} user={self._superuser} dbname={database}"

    def url(self, database: str, *, host: Path | None = None) -> str:
        """The database's URL; ``host`` is another folder with a socket that leads there."""
        return f"postgresql://placet@/{database}?host={host or self.folder}"

    def administer(self, *statements: sql.Composed | sql.SQL) -> None:
        """Run statements outside any transaction, as the superuser."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def create_database(self, like: str = "template1") -> str:
        """A new database's name: empty, or a copy of one that nobody is connected to."""
        self._databases += 1
        name = f"placet_{self._databases}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.administer(made.format(sql.Identifier(name), sql.Identifier(like)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        self.administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextmanager
    def outage(self, name: str) -> Generator[None]:
        """One database refuses and cuts every connection, until the block ends."""
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}"
        self.administer(
            allow.format(sql.Identifier(name), sql.SQL("false")), sql.SQL(cut).format(name)
        )
        try:
            yield
        finally:
            self.administer(allow.format(sql.Identifier(name), sql.SQL("true")))


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name for account in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in accounts)
