"""Serving the systems of record: all three in one process, or each in its own."""

import contextlib
import os
import secrets
import ssl
import tempfile
from pathlib import Path
from typing import Annotated, Self

from fastapi import FastAPI
from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from lender import compliance, servicing, storage
from lender._revisions import Migrated
from lender._service import Database, migrate
from placet.resource import Guard
from placet.settings import Settings
from placet.telemetry import Health, TelemetrySettings, serve_metrics, served
from placet.tokens import read_key_file
from placet.transport import (
    STOP_SECONDS,
    TlsSettings,
    Transport,
    bind,
    serve_until_told,
    server_config,
)

SYSTEMS = ("loan-servicing", "document-storage", "compliance")
_System = Annotated[str, Field(pattern=f"^(?:{'|'.join(SYSTEMS)})$")]


class LenderSettings(Settings):
    """``PLACET_LENDER_*``: where the systems keep their state, and where they listen.

    ``folder`` holds each system's key file, the staff's upload token and, unless ``database_url``
    names a PostgreSQL database (``postgresql://…``), a SQLite file for each system. In PostgreSQL
    each system keeps to a schema of its own: ``loan_servicing``, ``document_storage``,
    ``compliance``; it makes them as the role of ``database_url``, and its requests come in as the
    role of ``requests_url``, which owns nothing and reaches what a grant gives it.

    ``systems`` are those that this process serves, and ``urls`` their addresses as callers spell
    them, where that is not ``http://127.0.0.1`` and the port.
    """

    # A URL may carry a password: an error must not repeat it.
    model_config = SettingsConfigDict(
        env_prefix="PLACET_LENDER_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    folder: Path = Path("var/lender")
    database_url: str | None = Field(default=None, pattern=r"^postgresql://", repr=False)
    requests_url: str | None = Field(default=None, pattern=r"^postgresql://", repr=False)
    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#]+$")
    host: str = "127.0.0.1"
    systems: tuple[_System, ...] = SYSTEMS
    urls: dict[str, str] = Field(default_factory=dict)
    servicing_port: int = Field(default=8611, ge=1, le=65535)
    storage_port: int = Field(default=8612, ge=1, le=65535)
    compliance_port: int = Field(default=8613, ge=1, le=65535)
    ready_file: Path | None = None

    @model_validator(mode="after")
    def _both_roles(self) -> Self:
        if (self.database_url is None) != (self.requests_url is None):
            raise ValueError(
                "database_url and requests_url go together: one names the tables' owner, the other "
                "the role that requests come in as"
            )
        return self

    def port(self, system: str) -> int:
        """A system's port."""
        ports = (self.servicing_port, self.storage_port, self.compliance_port)
        return dict(zip(SYSTEMS, ports, strict=True))[system]

    def url(self, system: str) -> str:
        """A system's address, as its callers spell it."""
        return self.urls.get(system, f"http://127.0.0.1:{self.port(system)}")

    def database(self, system: str) -> Database:
        """A system's own database, with its tables as this program needs them.

        Raises:
            Failure: it is away, or its tables are a newer program's.
        """
        return Database(
            self._tables(system), schema=_schema(system), requests_url=self.requests_url
        )

    def migrate(self, system: str, to: str) -> Migrated:
        """Bring a system's tables to a revision; every process of the system has been stopped.

        Raises:
            Failure: they are away, a newer program's, or can't go down so far.
        """
        return migrate(self._tables(system), to, schema=_schema(system))

    def _tables(self, system: str) -> str:
        if self.database_url is not None:
            return self.database_url
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return f"sqlite:///{self.folder / system}.db"

    def key_file(self, system: str) -> Path:
        """A system's key file."""
        return self.folder / f"{system}.key"

    def staff_token(self) -> str:
        """The staff's upload token, from its file of mode 600; made if it is not there."""
        path = self.folder / "staff.token"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix=".staff.") as file:
                file.write(secrets.token_urlsafe(32))
                file.flush()
                with contextlib.suppress(FileExistsError):  # another replica was first: its counts
                    os.link(file.name, path)
        return path.read_text().strip()


def _schema(system: str) -> str:
    return system.replace("-", "_")


def make_apps(settings: LenderSettings, tls: ssl.SSLContext | None = None) -> dict[str, FastAPI]:
    """The applications of the systems that are served; ``tls`` is for asking the authority."""
    return {system: _make_app(settings, system, tls) for system in settings.systems}


def _make_app(settings: LenderSettings, system: str, tls: ssl.SSLContext | None) -> FastAPI:
    key = read_key_file(settings.key_file(system))
    database = settings.database(system)
    guard = Guard(
        system,
        settings.issuer,
        settings.url(system),
        key,
        tls=tls,
        proofs=database.proofs(system),
    )
    if system == "document-storage":
        return storage.make_app(database, guard, settings.staff_token())
    if system == "compliance":
        return compliance.make_app(database, guard)
    return servicing.make_app(database, guard)


async def serve(settings: LenderSettings, telemetry: TelemetrySettings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT): requests under way are answered first.

    Raises:
        BadTls: a certificate, key or CA can't be used.
        OSError: an address is taken.
    """
    transport = Transport(TlsSettings())
    apps = make_apps(settings, transport.client)
    health: dict[str, Health] = {system: app.state.health for system, app in apps.items()}
    whole = Health.of_all(health)

    def stopping() -> None:
        for each in (whole, *health.values()):
            each.stop()

    with contextlib.ExitStack() as stack:
        listening = [
            stack.enter_context(bind(settings.host, settings.port(system))) for system in apps
        ]
        async with transport.kept(), serve_metrics(telemetry, whole, transport=transport):
            await serve_until_told(
                [
                    server_config(
                        served(app, system),
                        transport.server,
                        timeout_graceful_shutdown=STOP_SECONDS,
                    )
                    for system, app in apps.items()
                ],
                listening,
                stopping=stopping,
                ready_file=settings.ready_file,
            )
