"""Serving the three systems of record, in one process on loopback ports."""

import asyncio
import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import Self

import uvicorn
from fastapi import FastAPI
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lender import compliance, servicing, storage
from lender._service import Database
from placet.resource import Guard
from placet.tokens import read_key_file

SYSTEMS = ("loan-servicing", "document-storage", "compliance")


class LenderSettings(BaseSettings):
    """``PLACET_LENDER_*``: where the systems keep their state, and where they listen.

    ``folder`` holds each system's key file, the staff's upload token and, unless ``database_url``
    names a PostgreSQL database (``postgresql://…``), a SQLite file for each system. In PostgreSQL
    each system keeps to a schema of its own: ``loan_servicing``, ``document_storage``,
    ``compliance``; it makes them as the role of ``database_url``, and its requests come in as the
    role of ``requests_url``, which owns nothing and reaches what a grant gives it.
    """

    # A URL may carry a password: an error must not repeat it.
    model_config = SettingsConfigDict(
        env_prefix="PLACET_LENDER_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    folder: Path = Path("var/lender")
    database_url: str | None = Field(default=None, pattern=r"^postgresql://", repr=False)
    requests_url: str | None = Field(default=None, pattern=r"^postgresql://", repr=False)
    issuer: str = Field(default="http://127.0.0.1:8600", pattern=r"^https?://[^/?#]+$")
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
        """A system's address."""
        return f"http://127.0.0.1:{self.port(system)}"

    def database(self, system: str) -> Database:
        """A system's own database.

        Raises:
            Failure: it is away.
        """
        if self.database_url is not None:
            schema = system.replace("-", "_")
            return Database(self.database_url, schema=schema, requests_url=self.requests_url)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Database(f"sqlite:///{self.folder / system}.db")

    def key_file(self, system: str) -> Path:
        """A system's key file."""
        return self.folder / f"{system}.key"

    def staff_token(self) -> str:
        """The staff's upload token, from its file of mode 600; made if it is not there."""
        path = self.folder / "staff.token"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
        return path.read_text().strip()


def make_apps(settings: LenderSettings) -> dict[str, FastAPI]:
    """The three applications."""
    guards = {
        system: Guard(
            system, settings.issuer, settings.url(system), read_key_file(settings.key_file(system))
        )
        for system in SYSTEMS
    }
    return {
        "loan-servicing": servicing.make_app(
            settings.database("loan-servicing"), guards["loan-servicing"]
        ),
        "document-storage": storage.make_app(
            settings.database("document-storage"),
            guards["document-storage"],
            settings.staff_token(),
        ),
        "compliance": compliance.make_app(settings.database("compliance"), guards["compliance"]),
    }


async def serve(settings: LenderSettings) -> None:
    """Serve until told to stop (SIGTERM, SIGINT).

    Raises:
        OSError: an address is taken.
    """
    apps = make_apps(settings)
    with contextlib.ExitStack() as stack:
        # Bound here: uvicorn would end the process by itself if an address is taken.
        listening = [
            stack.enter_context(_bind("127.0.0.1", settings.port(system))) for system in apps
        ]
        await _serve(settings, list(apps.values()), listening)


def _bind(host: str, port: int) -> socket.socket:
    # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms for each answer.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from None
    return bound


async def _serve(
    settings: LenderSettings, apps: list[FastAPI], listening: list[socket.socket]
) -> None:
    servers = [
        uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,  # longer than any client keeps a connection it may use
            )
        )
        for app in apps
    ]
    # One server takes the signals, and its end ends the others.
    running = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, listening, strict=True)
    ]
    while not all(server.started for server in servers):
        if any(task.done() for task in running):
            break
        await asyncio.sleep(0.02)
    if settings.ready_file is not None and all(server.started for server in servers):
        settings.ready_file.write_text(f"{os.getpid()}\n")
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*running)
