"""Document storage: packets, by draw and version. Agents read; the lender's staff put them in."""

import contextlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import Base64Bytes
from sqlmodel import Field, Session, select

from lender._service import Base, Database, Failure, make_service, read_model
from placet.model import Digest, FactsAnswer, Model, digest_bytes
from placet.resource import Guard

MAX_FILES = 200
MAX_UPLOAD = 200 * 1024 * 1024
MAX_FILE = 20 * 1024 * 1024
_PACKET = re.compile(r"loan/([^/]+)/draw/([1-9][0-9]{0,8})/packet")
_NAME = re.compile(r"[^\x00-\x1f/\\]{1,200}\Z")


class FileRow(Base, table=True):
    """One file of one version of a packet."""

    __tablename__ = "packet_file"
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    digest: str
    content: bytes


class StoredFile(Model):
    """A file of a packet."""

    name: str
    size: int
    digest: Digest


class Upload(Model):
    """A packet's files by name, each in base64."""

    files: dict[str, Base64Bytes]


class Manifest(Model):
    """The newest version of a packet, and its files."""

    version: int
    files: tuple[StoredFile, ...]


def store_packet(database: Database, loan: str, draw: int, files: Mapping[str, bytes]) -> int:
    """Store a packet as a new version, and return the version's number.

    Raises:
        Failure: no file, too many, one too large, or a name that is none.
    """
    if not 0 < len(files) <= MAX_FILES:
        raise Failure(400, "invalid_request", f"a packet has 1 to {MAX_FILES} files")
    for name, content in files.items():
        if not _NAME.match(name) or name in {".", ".."}:
            raise Failure(400, "invalid_request", "a file's name has no slash, and is no path")
        if len(content) > MAX_FILE:
            raise Failure(413, "invalid_request", f"{name:.80} is larger than {MAX_FILE} bytes")

    def write(session: Session) -> int:
        version = _newest(session, loan, draw) + 1
        for name, content in files.items():
            session.add(
                FileRow(
                    loan=loan,
                    draw=draw,
                    version=version,
                    name=name,
                    digest=digest_bytes(content),
                    content=content,
                )
            )
        return version

    return database.run_here(write)


def read_packet_folder(folder: Path) -> dict[str, bytes]:
    """The files of a folder, those that are too large cut to one byte over the limit."""
    return {
        path.name: _read(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".")
    }


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _newest(session: Session, loan: str, draw: int) -> int:
    row = session.exec(
        select(FileRow)
        .where(FileRow.loan == loan, FileRow.draw == draw)
        .order_by(FileRow.version.desc())  # type: ignore[attr-defined]  # a column on the class
        .limit(1)
    ).first()
    return 0 if row is None else row.version


def make_app(database: Database, guard: Guard, staff_token: str) -> FastAPI:
    """Document storage as an application; ``staff_token`` lets the lender's staff upload."""

    @contextlib.asynccontextmanager
    async def jobs() -> AsyncIterator[None]:
        yield

    app = make_service(guard, jobs)

    @app.get("/loans/{loan}/draws/{draw}/packet")
    async def manifest(request: Request, loan: str, draw: int) -> Response:
        await guard.require(request, action="packet:read", record=f"loan/{loan}/draw/{draw}/packet")

        def read(session: Session) -> Manifest:
            version = _newest(session, loan, draw)
            if version == 0:
                raise Failure(404, "not_found", "there is no packet for this draw")
            rows = session.exec(
                select(FileRow).where(
                    FileRow.loan == loan, FileRow.draw == draw, FileRow.version == version
                )
            )
            files = [
                StoredFile(name=row.name, size=len(row.content), digest=row.digest) for row in rows
            ]
            return Manifest(version=version, files=tuple(files))

        found = await database.run(read)
        return Response(found.model_dump_json(), media_type="application/json")

    @app.get("/loans/{loan}/draws/{draw}/packet/{version}/{name}")
    async def file(request: Request, loan: str, draw: int, version: int, name: str) -> Response:
        await guard.require(request, action="packet:read", record=f"loan/{loan}/draw/{draw}/packet")
        key = (loan, draw, version, name)
        row = await database.run(lambda session: session.get(FileRow, key))
        if row is None:
            raise Failure(404, "not_found", "the packet has no such file")
        return Response(row.content, media_type="application/octet-stream")

    @app.put("/staff/loans/{loan}/draws/{draw}/packet")
    async def upload(request: Request, loan: str, draw: int) -> dict[str, int]:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Staff {staff_token}".encode()):
            raise Failure(401, "invalid_token", "only the lender's staff put packets here")
        sent_files = (await read_model(request, Upload, MAX_UPLOAD)).files
        files = {name: bytes(content) for name, content in sent_files.items()}
        return {"version": store_packet(database, loan, draw, files)}

    @app.get("/v1/facts/{record:path}")
    async def facts(request: Request, record: str) -> Response:
        await guard.require_inquiry(request, record)
        match = _PACKET.fullmatch(record)
        newest = 0
        if match is not None:
            loan, draw = match[1], int(match[2])
            newest = await database.run(lambda session: _newest(session, loan, draw))
        if newest == 0:
            raise Failure(404, "not_found", "there is no packet for this draw")
        answer = FactsAnswer(record=record, version=str(newest), facts={})
        return Response(answer.model_dump_json(), media_type="application/json")

    return app
