"""Document storage: packets, by draw and version. Agents read; the lender's staff put them in."""

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Annotated

import anyio.to_thread
from fastapi import FastAPI, Path, Request
from fastapi.responses import Response
from pydantic import BeforeValidator
from sqlalchemy.exc import IntegrityError
from sqlmodel import Field, Session, col, func, select

from lender._folders import MAX_FILE, MAX_FILES, MAX_PACKET, read_packet_folder
from lender._scope import Reach
from lender._service import Base, Database, Failure
from lender._uses import Desk
from lender._web import (
    LoanPath,
    NumberPath,
    answer,
    make_service,
    parse_draw,
    parse_record,
    read_model,
)
from placet.model import Digest, FactsAnswer, Model, digest_bytes
from placet.resource import Guard

__all__ = ["find_file", "make_app", "read_packet_folder", "store_packet"]

MAX_UPLOAD = 2 * MAX_PACKET
"""Bytes of an upload: base64 takes four for three, and names and quotes come to it."""

_NAME = r"[^\x00-\x1f\x7f/\\]{1,200}"
NamePath = Annotated[str, Path(pattern=f"^{_NAME}$")]


class FileRow(Base, table=True):
    """One file of one version of a packet."""

    __tablename__ = "packet_file"
    __table_args__ = Reach(
        "loan = (SELECT granted('loan')) AND draw = (SELECT granted('draw')::int)"
    ).info
    loan: str = Field(primary_key=True)
    draw: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    name: str = Field(primary_key=True)
    size: int
    digest: str
    content: bytes


class StoredFile(Model):
    """A file of a packet."""

    name: str
    size: int
    digest: Digest


def _decode(text: object) -> bytes:
    """Decode base64 in its one spelling: a decoder that passes over the rest would guess."""
    if not isinstance(text, str):
        raise ValueError("a text in base64")
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode() != text:
        raise ValueError("base64 with padding, and nothing else")
    return content


class Upload(Model):
    """A packet's files by name, each in base64 (RFC 4648 section 4)."""

    files: dict[str, Annotated[bytes, BeforeValidator(_decode)]]


class Stored(Model):
    """The version that a packet was stored as."""

    version: int


class Manifest(Model):
    """The newest version of a packet, and its files."""

    version: int
    files: tuple[StoredFile, ...]


def store_packet(database: Database, loan: str, draw: int, files: Mapping[str, bytes]) -> int:
    """Store a packet as a new version, and return the version's number.

    Raises:
        Failure: no loan's id or draw's number; no file, too many, too much of them, one too large,
            or a name that is none; or another packet was stored at the same moment.
    """
    loan, draw = parse_draw(loan, str(draw))
    _require_packet(files)

    def write(session: Session) -> int:
        version = _newest(session, loan, draw) + 1
        for name, content in files.items():
            session.add(
                FileRow(
                    loan=loan,
                    draw=draw,
                    version=version,
                    name=name,
                    size=len(content),
                    digest=digest_bytes(content),
                    content=content,
                )
            )
        return version

    try:
        return database.run_here(write)
    except IntegrityError:
        raise Failure(
            409, "conflict", "another packet was stored for this draw just now; send it again"
        ) from None


def _require_packet(files: Mapping[str, bytes]) -> None:
    if not 0 < len(files) <= MAX_FILES:
        raise Failure(400, "invalid_request", f"a packet has 1 to {MAX_FILES} files")
    for name, content in files.items():
        shown = name[:80].encode(errors="replace").decode()
        if not re.fullmatch(_NAME, name) or name in {".", ".."} or shown != name[:80]:
            raise Failure(400, "invalid_request", f"{shown!r}: no name of a file, or a path")
        if len(content) > MAX_FILE:
            raise Failure(413, "invalid_request", f"{shown} is larger than {MAX_FILE} bytes")
    if sum(len(content) for content in files.values()) > MAX_PACKET:
        raise Failure(413, "invalid_request", f"the packet is larger than {MAX_PACKET} bytes")


def _newest(session: Session, loan: str, draw: int) -> int:
    """The newest version of a draw's packet; 0 if there is none."""
    newest = select(func.max(FileRow.version)).where(FileRow.loan == loan, FileRow.draw == draw)
    return session.exec(newest).one() or 0


def _manifest(session: Session, loan: str, draw: int) -> Manifest:
    version = _newest(session, loan, draw)
    if version == 0:
        raise Failure(404, "not_found", "there is no packet for this draw")
    # The columns alone: the files themselves may have a hundred megabytes.
    rows = session.exec(
        select(FileRow.name, FileRow.size, FileRow.digest)
        .where(FileRow.loan == loan, FileRow.draw == draw, FileRow.version == version)
        .order_by(col(FileRow.name))
    )
    files = tuple(StoredFile(name=name, size=size, digest=digest) for name, size, digest in rows)
    return Manifest(version=version, files=files)


def find_file(database: Database, loan: str, draw: int, name: str, digest: str) -> bytes:
    """A file of any version of a draw's packet, by its name and digest.

    Raises:
        Failure: no version of the packet has it.
    """
    loan, draw = parse_draw(loan, str(draw))

    def read(session: Session) -> bytes:
        found = session.exec(
            select(FileRow)
            .where(FileRow.loan == loan, FileRow.draw == draw)
            .where(FileRow.name == name, FileRow.digest == digest)
        ).first()
        if found is None:
            raise Failure(404, "not_found", "no packet of this draw has such a file")
        return found.content

    return database.run_here(read)


def _file(session: Session, key: tuple[str, int, int, str]) -> bytes:
    row = session.get(FileRow, key)
    if row is None:
        raise Failure(404, "not_found", "the packet has no such file")
    return row.content


def make_app(database: Database, guard: Guard, staff_token: str) -> FastAPI:
    """Document storage as an application; ``staff_token`` lets the lender's staff upload."""
    desk = Desk(database, guard)
    app = make_service(desk)

    @app.get("/loans/{loan}/draws/{draw}/packet")
    async def manifest(request: Request, loan: LoanPath, draw: NumberPath) -> Response:
        async with desk.using(request, action="packet:read", record=_packet(loan, draw)) as use:
            return answer(await use.run(lambda session: _manifest(session, loan, draw)))

    @app.get("/loans/{loan}/draws/{draw}/packet/{version}/{name}")
    async def file(
        request: Request, loan: LoanPath, draw: NumberPath, version: NumberPath, name: NamePath
    ) -> Response:
        async with desk.using(request, action="packet:read", record=_packet(loan, draw)) as use:
            key = (loan, draw, version, name)
            content = await use.run(lambda session: _file(session, key))
            return Response(content, media_type="application/octet-stream")

    @app.put("/staff/loans/{loan}/draws/{draw}/packet")
    async def upload(request: Request, loan: LoanPath, draw: NumberPath) -> Response:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Staff {staff_token}".encode()):
            raise Failure(401, "invalid_token", "only the lender's staff put packets here")
        files = (await read_model(request, Upload, MAX_UPLOAD)).files
        version = await anyio.to_thread.run_sync(store_packet, database, loan, draw, files)
        return answer(Stored(version=version))

    @app.get("/v1/facts/{record:path}")
    async def facts(request: Request, record: str) -> Response:
        return answer(await desk.tell_facts(request, record, _facts(record)))

    return app


def _facts(record: str) -> Callable[[Session], FactsAnswer]:
    """The work that tells the authority of a packet.

    Raises:
        Failure: (the work) there is none.
    """

    def read(session: Session) -> FactsAnswer:
        loan, draw = parse_record(record.removesuffix("/packet"))
        if draw is None or record != _packet(loan, draw):
            raise Failure(404, "not_found", "there are no facts of such a record")
        newest = _newest(session, loan, draw)
        if newest == 0:
            raise Failure(404, "not_found", "there is no packet for this draw")
        return FactsAnswer(record=record, version=str(newest), facts={})

    return read


def _packet(loan: str, draw: int) -> str:
    return f"loan/{loan}/draw/{draw}/packet"
