"""Fetching a log and what its entries refer to, for an auditor to judge."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from placet.audit import ActFile, ArchiveFile, Kept, LogFiles
from placet.client import AuthorityError, OperatorClient
from placet.model import Part

T = TypeVar("T")
_PAGE = 1024
_KEPT = ("context_digest", "reasoning_digest")


async def fetch_log(
    client: OperatorClient,
    *,
    trust: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LogFiles:
    """Fetch everything from the authority; what is missing is left out, and found by the audit."""
    head = await client.head()
    progress("entries")
    entries = await _entries(client)
    parsed = [json.loads(each) for each in entries]
    progress("acts, contexts, archives")
    acts: dict[str, ActFile] = {}
    kept: dict[str, Kept] = {}
    parts: dict[str, Kept] = {}
    archives: dict[str, ArchiveFile] = {}
    for entry in parsed:
        data = entry.get("data", {})
        if isinstance(data.get("act"), str) and entry["type"] != "act.refused":
            await _get(client, f"/v1/acts/{data['act']}", acts, data["act"], _act)
        for name in _KEPT:
            if isinstance(data.get(name), str):
                await _get(client, f"/v1/kept/{data[name]}", kept, data[name], _kept)
        for part in data.get("parts", ()) if entry["type"] == "grant.settled" else ():
            path = f"/v1/cases/{entry['case']}/parts/{part['digest']}"
            await _get(client, path, parts, part["digest"], _part)
        if entry["type"] == "case.archived":
            case = entry["case"]
            await _get(client, f"/v1/cases/{case}/archive", archives, case, _archive)
    progress("checkpoints")
    checkpoints = {each.id: each for each in await client.checkpoints()}
    published = await client.get("/v1/published")
    trusted = trust or {}
    return LogFiles(
        origin=client.issuer.split("://", 1)[1] + "/ledger",
        issuer=client.issuer,
        entries=tuple(entries),
        head=head or "",
        trusted_log_key=trusted.get("log_key"),
        trusted_administrators=tuple(trusted.get("administrators", ())),
        kept_heads=tuple(trusted.get("heads", ())),
        acts=acts,
        kept=kept,
        parts=parts,
        checkpoints=checkpoints,
        processes=tuple(published["processes"]),
        matrices=tuple(published["matrices"]),
        policies=tuple((each["policies"], each["schema"]) for each in published["policies"]),
        archives=archives,
    )


async def _entries(client: OperatorClient) -> list[bytes]:
    found: list[bytes] = []
    while True:
        page = await client.get(f"/v1/ledger/entries?from={len(found)}&limit={_PAGE}")
        found += [each.encode() for each in page["entries"]]
        if len(page["entries"]) < _PAGE:
            return found


async def _get(
    client: OperatorClient,
    path: str,
    into: dict[str, T],
    name: str,
    read: Callable[[dict[str, Any]], T],
) -> None:
    if name in into:
        return
    try:
        into[name] = read(await client.get(path))
    except AuthorityError as error:
        if error.status != 404:
            raise


def _act(body: dict[str, str]) -> ActFile:
    return ActFile(jws=body["act"], body=body["body"])


def _kept(body: dict[str, str]) -> Kept:
    return Kept(salt=body["salt"], content=body["content"])


def _part(body: dict[str, Any]) -> Kept:
    part = Part.model_validate(body["part"])
    return Kept(salt=part.salt, content=part.content().decode())


def _archive(body: dict[str, str]) -> ArchiveFile:
    return ArchiveFile(
        workflow_id=body["workflow_id"], run_id=body["run_id"], history=body["history"]
    )
