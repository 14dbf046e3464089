"""Fetching a log and what its entries refer to, for an auditor to judge."""

import asyncio
import base64
import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from placet.audit import ActFile, Kept, LogFiles, head_size, prove, select
from placet.cli._spool import Models, Pieces, Spool
from placet.client import AuthorityError, OperatorClient
from placet.ledger import EMPTY_ROOT, LedgerError, LogProof, Tile, tile_subtrees
from placet.model import CaseArchive, CheckpointView, Model, Part, quantity

_PAGE = 1024
_AT_ONCE = 8
_NAMES = 30
"""Names that the authority takes at once."""
_NAME = re.compile(r"[A-Za-z0-9:._~-]{1,128}")
"""A digest, or an act's id, which whoever signed it has chosen (:data:`placet.model.Jti`)."""
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
    await _fetch_on(client, entries)  # what was erased meanwhile is missing for a reason
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
    ).trusting(trust)


async def fetch_case(client: OperatorClient, case: str, size: int | None = None) -> LogFiles:
    """Fetch what the proof of one case needs, under the newest signed head or that of a size.

    However long the log is: the case's own entries, those of no case, and tiles for the proofs.

    Raises:
        LedgerError: there is no such head, or the case was erased since.
        EntryError: an entry is none.
    """
    head = await client.head() if size is None else await _head_of(client, size)
    own = await _own(client, case)
    under = head_size(head or "")
    _require_kept(own, under, case)
    others = await _numbered(client, "/v1/ledger/entries-of-no-case")
    whole = sorted(each for each in [*own, *others] if each[0] < under)
    chosen = [whole[at] for at in select([data for _, data in whole], case)]
    entries = tuple(data for _, data in chosen)
    checkpoints = {each.id: each for each in await client.checkpoints(case=case)}
    contents = await _contents(client, head or "", entries, entries, checkpoints)
    _require_kept(await _own(client, case), under, case)  # it may have been erased meanwhile
    files = dataclasses.replace(
        contents,
        indices=tuple(index for index, _ in chosen),
        handovers=await _handovers(client),
    )
    return await _prove(client, files)


async def fetch_log_proof(client: OperatorClient, index: int, size: int | None = None) -> LogProof:
    """Fetch one entry and its proof, under the newest signed head or that of a size.

    Raises:
        LedgerError: there is no such head, the head does not have the entry, or what the authority
            answers is no proof of it.
    """
    note = (await client.head() if size is None else await _head_of(client, size)) or ""
    under = head_size(note)
    if index >= under:
        head = quantity(under, "entry", "entries")
        raise LedgerError(f"the head of {head} has no entry {index}: the first is 0")
    page = await client.get(f"/v1/ledger/entries?from={index}&limit=1")
    entry = str(page["entries"][0]).encode()
    path = (await client.get(f"/v1/ledger/entries/{index}/proof?size={under}"))["proof"]
    proof = LogProof(index, tuple(base64.b64decode(each) for each in path), note, entry)
    proof.require(entry)
    return proof


async def fetch_story(client: OperatorClient, case: str) -> LogFiles:
    """Fetch one case's own entries, until now, and what they refer to; nothing proves them."""
    own = await _own(client, case)
    entries = tuple(data for _, data in own)
    checkpoints = {each.id: each for each in await client.checkpoints(case=case)} if own else {}
    files = await _contents(client, "", entries, entries, checkpoints)
    return dataclasses.replace(files, indices=tuple(index for index, _ in own))


async def _own(client: OperatorClient, case: str) -> list[tuple[int, bytes]]:
    """A case's own entries; none where there is no such case."""
    try:
        return await _numbered(client, f"/v1/cases/{case}/entries")
    except AuthorityError as error:
        if error.status != 404:
            raise
        return []


async def _numbered(client: OperatorClient, path: str) -> list[tuple[int, bytes]]:
    """Every entry of a list, with its index in the log."""
    found: list[tuple[int, bytes]] = []
    start = 0
    while True:
        page = (await client.get(f"{path}?from={start}&limit={_PAGE}"))["entries"]
        found += [(int(each["index"]), str(each["entry"]).encode()) for each in page]
        if len(page) < _PAGE:
            return found
        start = found[-1][0] + 1


async def _prove(client: OperatorClient, files: LogFiles) -> LogFiles:
    """Make the proofs from the log's tiles, as far as they need them."""
    size = head_size(files.head)
    tiles: dict[Tile, bytes] = {}

    def needed(place: Tile) -> bytes:
        tiles[place] = place.encode([EMPTY_ROOT] * place.width)
        return tiles[place]

    prove(files, tile_subtrees(needed, size))  # which they are does not hang on what is in them
    left = iter(list(tiles))

    async def fetch() -> None:
        for place in left:
            tiles[place] = await client.tile(place)

    await asyncio.gather(*(fetch() for _ in range(_AT_ONCE)))
    return prove(files, tile_subtrees(tiles.__getitem__, size))


def _require_kept(own: Sequence[tuple[int, bytes]], size: int, case: str) -> None:
    """Without the entry that says so, what was erased would be missing for no reason."""
    for index, data in own:
        if index >= size and b'"type":"case.erased"' in data:
            head = quantity(size, "entry", "entries")
            raise LedgerError(
                f"{case} was erased by entry {index}, which the head of {head} does not have: "
                "what it had is gone; export it under a later head"
            )


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
    named, attachments, archives = _Named(client), Spool(), Models(CaseArchive)
    for each in chosen:
        entry = json.loads(each)
        data = entry.get("data", {})
        if isinstance(data.get("act"), str) and entry["type"] != "act.refused":
            await named.want("act", data["act"])
        for name in _KEPT:
            if isinstance(data.get(name), str):
                await named.want("kept", data[name])
        for part in data.get("parts", ()) if entry["type"] in _LEAVES else ():
            await named.want("part", part["digest"])
        if entry["type"] == "checkpoint.attached":
            await _attached(client, str(data["target"]), str(data["act"]), attachments)
        if entry["type"] == "case.archived":
            await _archived(client, entry["case"], archives)
    await named.fetch()
    published = await client.get("/v1/published")
    return dataclasses.replace(
        _log(client, head, entries, trust or {}),
        acts=named.acts,
        kept=named.kept,
        parts=named.parts,
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
    await _fetch_on(client, found)
    return found


async def _fetch_on(client: OperatorClient, found: Pieces) -> None:
    """Fetch the entries that have come since."""
    while True:
        page = await client.get(f"/v1/ledger/entries?from={len(found)}&limit={_PAGE}")
        for each in page["entries"]:
            found.append(each.encode())
        if len(page["entries"]) < _PAGE:
            return


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


class _Named:
    """What entries name, asked for many at a time; what there is not is left out."""

    def __init__(self, client: OperatorClient) -> None:
        self._client = client
        self.acts, self.kept, self.parts = Models(ActFile), Models(Kept), Models(Kept)
        self._waiting: dict[tuple[str, str], None] = {}

    async def want(self, kind: str, name: str) -> None:
        """Ask for one, at once or later; for what can be no name, never."""
        known: dict[str, Mapping[str, Model]] = {
            "act": self.acts,
            "kept": self.kept,
            "part": self.parts,
        }
        if name not in known[kind] and _NAME.fullmatch(name):
            self._waiting[kind, name] = None
        if len(self._waiting) == _NAMES:
            await self.fetch()

    async def fetch(self) -> None:
        """Fetch what waits."""
        while self._waiting:
            asked, self._waiting = self._waiting, {}
            query = urlencode(list(asked), safe=":")
            found = await self._client.get(f"/v1/contents?{query}")
            for name, each in found["acts"].items():
                self.acts.put(name, ActFile(jws=each["act"], body=each["body"]))
            for name, each in found["kept"].items():
                self.kept.put(name, Kept(salt=each["salt"], content=each["content"]))
            for name, each in found["parts"].items():
                part = Part.model_validate(each)
                content = part.content().decode()
                self.parts.put(name, Kept(salt=part.salt, content=content))
            self._waiting = {("part", each): None for each in found["later"]}


async def _archived(client: OperatorClient, case: str, into: Models[CaseArchive]) -> None:
    try:
        archive = await client.get(f"/v1/cases/{case}/archive")
    except AuthorityError as error:
        if error.status != 404:
            raise
        return
    into.put(case, CaseArchive.model_validate(archive))


async def _attached(client: OperatorClient, checkpoint: str, act: str, into: Spool) -> None:
    try:
        into.put(act, await client.attachment_as_kept(checkpoint, act))
    except AuthorityError as error:
        if error.status != 404:
            raise
