"""Fetching a log and what its entries refer to, for an auditor to judge."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from placet.audit import ActFile, Kept, LogFiles, head_size, only, select
from placet.cli._spool import Models, Pieces, Spool
from placet.client import AuthorityError, OperatorClient
from placet.ledger import LedgerError
from placet.model import CaseArchive, CheckpointView, Model, Part, quantity

M = TypeVar("M", bound=Model)
_PAGE = 1024
_KEPT = ("context_digest", "reasoning_digest")
_LEAVES = {"grant.settled", "checkpoint.adjusted", "checkpoint.keyed", "case.resubmitted"}
"""Entries of what leaves parts."""


async def fetch_log(
    client: OperatorClient,
    *,
    trust: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LogFiles:
    """Fetch everything from the authority; what is missing is left out, and found by the audit."""
    head = await client.head()
    progress("entries")
    entries = await fetch_entries(client)
    checkpoints = Models(CheckpointView)
    async for each in client.each_checkpoint():
        checkpoints.put(each.id, each)
    files = await _contents(
        client, head or "", entries, entries, checkpoints, trust=trust or {}, progress=progress
    )
    return dataclasses.replace(
        files, own_heads=tuple(await _heads(client)), handovers=await _handovers(client)
    )


async def fetch_ledger(client: OperatorClient, trust: Mapping[str, Any] | None) -> LogFiles:
    """Fetch the log's head and entries alone."""
    head = await client.head()
    entries = await fetch_entries(client)
    files = _log(client, head or "", entries, trust or {})
    return dataclasses.replace(files, handovers=await _handovers(client))


def _log(
    client: OperatorClient, head: str, entries: Sequence[bytes], trust: Mapping[str, Any]
) -> LogFiles:
    return LogFiles(
        origin=client.issuer.split("://", 1)[1] + "/ledger",
        issuer=client.issuer,
        entries=entries,
        head=head,
        trusted_log_key=trust.get("log_key"),
        trusted_administrators=tuple(trust.get("administrators", ())),
        kept_heads=tuple(trust.get("heads", ())),
    )


async def fetch_case(client: OperatorClient, case: str, size: int | None = None) -> LogFiles:
    """Fetch what the proof of one case needs, under the newest signed head or that of a size.

    Raises:
        LedgerError: there is no such head.
        EntryError: an entry is none.
    """
    head = await client.head() if size is None else await _head_of(client, size)
    entries = await fetch_entries(client)
    whole = entries[: head_size(head or "")]
    chosen = [whole[index] for index in select(whole, case)]
    checkpoints = {each.id: each for each in await client.checkpoints(case=case)}
    files = await _contents(client, head or "", entries, chosen, checkpoints)
    return only(dataclasses.replace(files, handovers=await _handovers(client)), case)


async def fetch_decisions(
    client: OperatorClient, since: datetime | None, *, whole: bool = False
) -> LogFiles:
    """Fetch the log with the kept contexts of its policy decisions, from a time on.

    ``whole``: with everything, for what people decided to be heard again.
    """
    if whole:
        return await fetch_log(client)
    entries = await fetch_entries(client)
    chosen = (
        each
        for each in entries
        if "context_digest" in (entry := json.loads(each))["data"]
        and (since is None or datetime.fromisoformat(entry["time"]) >= since)
    )
    return await _contents(client, "", entries, chosen, {})


async def _head_of(client: OperatorClient, size: int) -> str:
    page = await client.get(f"/v1/ledger/heads?from={size}&limit=1")
    if not page["heads"] or page["heads"][0]["size"] != size:
        larger = f"; the next has {page['heads'][0]['size']}" if page["heads"] else ""
        raise LedgerError(f"no head of {quantity(size, 'entry', 'entries')} was signed{larger}")
    return str(page["heads"][0]["note"])


async def _contents(
    client: OperatorClient,
    head: str,
    entries: Sequence[bytes],
    chosen: Iterable[bytes],
    checkpoints: Mapping[str, CheckpointView],
    *,
    trust: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> LogFiles:
    """The log's files, with what the chosen entries refer to."""
    progress("acts, contexts, archives")
    acts, kept, parts = Models(ActFile), Models(Kept), Models(Kept)
    attachments, archives = Spool(), Models(CaseArchive)
    for each in chosen:
        entry = json.loads(each)
        data = entry.get("data", {})
        if isinstance(data.get("act"), str) and entry["type"] != "act.refused":
            await _get(client, f"/v1/acts/{data['act']}", acts, data["act"], _act)
        for name in _KEPT:
            if isinstance(data.get(name), str):
                await _get(client, f"/v1/kept/{data[name]}", kept, data[name], _kept)
        for part in data.get("parts", ()) if entry["type"] in _LEAVES else ():
            path = f"/v1/cases/{entry['case']}/parts/{part['digest']}"
            await _get(client, path, parts, part["digest"], _part)
        if entry["type"] == "checkpoint.attached":
            await _attached(client, str(data["target"]), str(data["act"]), attachments)
        if entry["type"] == "case.archived":
            path = f"/v1/cases/{entry['case']}/archive"
            await _get(client, path, archives, entry["case"], CaseArchive.model_validate)
    published = await client.get("/v1/published")
    return dataclasses.replace(
        _log(client, head, entries, trust or {}),
        acts=acts,
        kept=kept,
        parts=parts,
        attachments=attachments,
        checkpoints=checkpoints,
        processes=tuple(published["processes"]),
        matrices=tuple(published["matrices"]),
        policies=tuple((each["policies"], each["schema"]) for each in published["policies"]),
        archives=archives,
    )


async def fetch_entries(client: OperatorClient) -> Pieces:
    """Every entry of the log, as its canonical bytes."""
    found = Pieces()
    while True:
        page = await client.get(f"/v1/ledger/entries?from={len(found)}&limit={_PAGE}")
        for each in page["entries"]:
            found.append(each.encode())
        if len(page["entries"]) < _PAGE:
            return found


async def _heads(client: OperatorClient) -> list[str]:
    """Every head that the log has signed; of use to find a wrong place."""
    found: list[str] = []
    size = 0
    while True:
        page = await client.get(f"/v1/ledger/heads?from={size}&limit={_PAGE}")
        found += [str(each["note"]) for each in page["heads"]]
        if len(page["heads"]) < _PAGE:
            return found
        size = page["heads"][-1]["size"] + 1


async def _handovers(client: OperatorClient) -> tuple[str, ...]:
    """The heads by which each of the log's keys handed over to the next."""
    found = await client.get("/ledger/handovers")
    return tuple(str(each["head"]) for each in found["handovers"])


async def _get(
    client: OperatorClient,
    path: str,
    into: Models[M],
    name: str,
    read: Callable[[dict[str, Any]], M],
) -> None:
    if name in into:
        return
    try:
        into.put(name, read(await client.get(path)))
    except AuthorityError as error:
        if error.status != 404:
            raise


async def _attached(client: OperatorClient, checkpoint: str, act: str, into: Spool) -> None:
    try:
        into.put(act, await client.attachment_as_kept(checkpoint, act))
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
