"""Everything that must stay out of sight, and everywhere that it could turn up (I7)."""

import base64
import binascii
import contextlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from sqlalchemy import select
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.api.history.v1 import History
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client

from placet.authority import AuthoritySettings
from placet.authority._store._base import Row
from placet.authority._store._engines import Waits, make_engines
from placet.payloads import decrypt_messages
from tests.harness.reading import KeysOfStore

_JWS = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{40,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{60,}={0,2}")
OF_A_CASE = {"placet-decision+jwt", "placet-act+jwt", "placet-settlement+jwt"}
"""What every case leaves of them."""

KEPT = {*OF_A_CASE, "placet-use+jwt", "placet-rotation+jwt", "placet-enrolment+jwt"}
"""Signed once and kept for years; they open nothing, and stand in store and ledger alone."""


def kind_of(token: bytes) -> str:
    """A token's ``typ``; empty if it only looks like one."""
    try:
        header = json.loads(_decode(token.split(b".")[0]))
    except ValueError:
        return ""
    return str(header.get("typ", "JWT")) if isinstance(header, dict) and "alg" in header else ""


class Recorder:
    """Stands before the authority and keeps every token that comes in or goes out."""

    def __init__(self) -> None:
        self.seen: dict[bytes, str] = {}

    def take(self, data: bytes) -> None:
        """Keep the tokens that stand in some bytes."""
        for token in _JWS.findall(data):
            if kind_of(token):
                self.seen[token] = kind_of(token)

    def secrets(self) -> list[bytes]:
        """Each token, its signature, and what its signature signs."""
        return [
            part
            for token, kind in self.seen.items()
            if kind not in KEPT
            for part in (token, token.rpartition(b".")[0], token.rpartition(b".")[2])
        ]

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """The application, with every request and answer looked at."""

        async def record(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            for _, value in scope["headers"]:
                self.take(value)
            bodies: dict[str, bytes] = {"http.request": b"", "http.response.body": b""}

            def look(message: Message) -> None:
                if message["type"] in bodies:
                    bodies[message["type"]] += message.get("body", b"")
                    if not message.get("more_body"):
                        self.take(bodies[message["type"]])

            async def coming() -> Message:
                message = await receive()
                look(message)
                return message

            async def going(message: Message) -> None:
                look(message)
                await send(message)

            await app(scope, coming, going)

        return record


async def histories(
    client: Client, workflow_id: str, settings: AuthoritySettings
) -> dict[str, bytes]:
    """The full history of every run of a workflow: as JSON with its payloads decrypted, and as the
    server's own bytes.
    """
    found: dict[str, bytes] = {}
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        handle = client.get_workflow_handle(workflow_id, run_id=run.run_id)
        history = History(events=(await handle.fetch_history()).events)
        wrong = decrypt_messages(await KeysOfStore(settings).ring(workflow_id), history.events)
        assert wrong == []
        found[f"{run.run_id}.json"] = MessageToJson(history).encode()
        request = GetWorkflowExecutionHistoryRequest(namespace="default")
        request.execution.workflow_id = workflow_id
        request.execution.run_id = run.run_id
        while True:
            page = await client.workflow_service.get_workflow_execution_history(request)
            name = f"{run.run_id}.pb"
            found[name] = found.get(name, b"") + page.history.SerializeToString()
            if not page.next_page_token:
                break
            request.next_page_token = page.next_page_token
    return found


def rows(database_url: str) -> dict[str, bytes]:
    """Every row of every table of a store, byte columns as they are."""
    engines = make_engines(database_url, Waits())
    found: dict[str, bytes] = {}
    with engines.reader.connect() as connection:
        for name, table in Row.metadata.tables.items():
            found[f"table {name}"] = b"\n".join(
                each if isinstance(each, bytes) else str(each).encode()
                for row in connection.execute(select(table))
                for each in row
            )
    engines.dispose()
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; of an SQLite database also every row of every table."""
    found: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            found[str(path)] = path.read_bytes()
            if found[str(path)].startswith(b"SQLite format 3"):
                found[f"{path} rows"] = b"\n".join(_sqlite_values(path))
    return found


def _sqlite_values(path: Path) -> Iterator[bytes]:
    """Long values lie in pieces in the file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                for each in row:
                    yield each if isinstance(each, bytes) else str(each).encode()


def search(places: dict[str, bytes], secrets: list[bytes]) -> list[str]:
    """Where a secret stands: as it is, or below up to three layers of base64."""
    return [
        f"{place}: {secret[:12].decode()}…"
        for place, content in places.items()
        for layer in _layers(content)
        for secret in secrets
        if secret in layer
    ]


def tokens_in(places: dict[str, bytes], *, but: Iterable[str] = ()) -> list[str]:
    """Where anything stands that looks like a token of ours, but for some kinds."""
    return [
        f"{place}: a {kind_of(token)}"
        for place, content in places.items()
        for layer in _layers(content)
        for token in _JWS.findall(layer)
        if kind_of(token) not in {"", *but}
    ]


def _layers(content: bytes, depth: int = 3) -> Iterator[bytes]:
    yield content
    if depth == 0:
        return
    for run in set(_BASE64.findall(content)):
        try:
            decoded = _decode(run.rstrip(b"="))
        except binascii.Error:
            continue
        yield from _layers(decoded, depth - 1)


def _decode(text: bytes) -> bytes:
    plain = text.replace(b"-", b"+").replace(b"_", b"/")
    return base64.b64decode(plain + b"=" * (-len(plain) % 4))
