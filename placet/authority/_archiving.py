"""The archivist: seals the histories of closed cases, before Temporal forgets them (I9).

1. A workflow can't archive itself: the authority fetches every run of a closed case, whoever made
   it, reconciles them with its own ledger, and only then seals (:mod:`._reconciling`).
2. What does not fit is an alarm with its reasons. The case stays visible as not archived, and is
   tried again, until an administrator has admitted it as it is: then the alarm is sealed with it.
3. An execution that has vanished is ``case.lost``, once; should it come back, it is archived.
4. A history is sealed after its last event: an authority whose clock is behind waits for it, unless
   it is so far behind that somebody must look (or time was skipped).
5. (I4, I11) Seal, histories and entry are one transaction; killed before it, the archivist fetches
   again. Histories rest encrypted under the case's own key: erasing the case destroys them.
"""

import asyncio
import json
import logging
import os
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import or_

from placet.authority._alarms import lose, meet_run, raise_alarm, spelled_out
from placet.authority._contents import case_entries, contents_of, grants_of
from placet.authority._core import Core
from placet.authority._definitions import Definitions
from placet.authority._errors import NotFound, Unavailable
from placet.authority._findable import plain_start
from placet.authority._histories import Run, archive_salt, open_run, run_before
from placet.authority._prefixes import prefixes_of
from placet.authority._reconciling import SettledGrant, misfits
from placet.authority._store import (
    Archive,
    Case,
    CaseRun,
    Reader,
    StoreUnavailable,
    Tx,
    table_of,
)
from placet.authority._temporal import ExecutionNotFound, SeenRun
from placet.authority._watching import is_reopened
from placet.kill import kill_point
from placet.ledger import run_root, seal_runs
from placet.model import (
    AUTHORITY,
    ArchiveContents,
    ArchivedRun,
    CaseArchive,
    CaseStatus,
    HistorySeal,
    RunRoot,
    canonical_json,
    digest_json,
)
from placet.payloads import Keyring, PayloadError, Start
from placet.telemetry import metrics
from placet.tokens import SKEW

ARCHIVING = "archiving"
_TROUBLE = 1000
"""Characters of what keeps a case from its archive: a long history can have much of it."""

_LONGEST_PAUSE = timedelta(minutes=5)
_BEHIND = timedelta(minutes=10)
"""How far a clock may be behind and still be waited for."""

_AT_ONCE = 1000
_MOST_RUNS = 1000
_LOOK_BACK = timedelta(minutes=10)
"""How long ago a run may have ended to be looked at by an authority that starts, and how often all
that runs is listed: for a run that Temporal says began when the one did that it was reset from."""

_NONCE = 12
_CASES = table_of(Case)
_log = logging.getLogger("placet.authority.archive")


@dataclass(frozen=True)
class _Known:
    """What the authority knows of a case that it archives."""

    case: Case
    start: Start
    ring: Keyring
    chain: tuple[str, ...]
    prefixes: tuple[RunRoot, ...]
    grants: tuple[SettledGrant, ...]
    published: frozenset[str]
    contents: ArchiveContents


@dataclass(frozen=True)
class _Fetched:
    """All runs of a case as they will be kept, what seals them, and what does not fit."""

    packed: bytes
    seal: HistorySeal
    wrong: tuple[str, ...]


class Archivist:
    """Archives closed cases, and watches those that were."""

    def __init__(self, core: Core, definitions: Definitions) -> None:
        self._core = core
        self._definitions = definitions
        self._listed: datetime | None = None
        """When everything that runs was last listed."""

    async def archive_closed(self) -> None:
        """Seal the histories of each closed case whose time to be tried has come.

        Those that were tried least come first, and none holds up another: Temporal keeps a history
        for a while only.
        """
        now = self._core.clock()
        due = await self._core.store.read(
            lambda reader: reader.all(
                Case,
                Case.status == CaseStatus.CLOSED.value,
                Case.archived_at.is_(None),  # type: ignore[union-attr]  # a column on the class
                Case.erased_at.is_(None),  # type: ignore[union-attr]  # a column on the class
                or_(_CASES.c.archive_next.is_(None), _CASES.c.archive_next <= now),
                order_by=[Case.archive_tries, Case.id],
                limit=_AT_ONCE,
            )
        )
        for case in due:
            try:
                await self._archive(case)
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001 - one bad history must not hold up the others; it is told and tried again
                metrics.JOB_FAILURES.inc()
                _log.exception("archiving failed", extra={"case": case.id})
                await self._wait(case, "a fault of the authority's own; its log has it")

    async def _archive(self, case: Case) -> None:
        if case.run_id is None:
            return await self._wait(case, "its workflow was never started by the authority")
        try:
            execution = await self._core.temporal.describe(case.workflow_id)
            if execution.run_id == case.run_id and execution.running:
                return None  # its last step closed the case a moment ago
            known = await self._core.store.read(partial(self._know, case_id=case.id))
            if known is None or known.case.archived_at is not None:
                return None
            runs = await self._runs(known, execution.run_id)
        except ExecutionNotFound as error:
            trouble = f"Temporal does not have {error} any more"
            await self._core.store.write(partial(_lose, case_id=case.id, trouble=trouble))
            return await self._wait(case, trouble)
        except Unavailable as error:
            return await self._wait(case, str(error))
        behind = max((each.newest for each in runs if each.newest), default=None)
        if behind is not None and SKEW < behind - self._core.clock() < _BEHIND:
            return await self._wait(case, "this authority's clock is behind its last event")
        fetched = await asyncio.to_thread(_fit, known, runs)
        if fetched.wrong and not known.case.alarm_admitted:
            return await self._alarm(case, fetched.wrong)
        kill_point("archive.before-seal")
        await self._core.store.write(lambda tx: _seal(tx, known, fetched))
        return None

    def _know(self, reader: Reader, case_id: str) -> _Known | None:
        case = reader.get(Case, case_id)
        if case is None:
            return None
        keys = self._core.keys.payloads
        entries = case_entries(reader, case_id)
        return _Known(
            case=case,
            start=plain_start(keys, case),
            ring=keys.ring(reader, case_id),
            chain=chain_of(reader, case_id),
            prefixes=tuple(
                RunRoot(run_id=each.run_id, events=each.events, root=each.root)
                for each in prefixes_of(reader, case_id)
            ),
            grants=tuple(grants_of(entries)),
            published=self._definitions.published_code(reader, case.process),
            contents=contents_of(reader, case, entries),
        )

    async def _runs(self, known: _Known, newest: str) -> list[Run]:
        """Every run of the case that can be reached from its newest one or is in its chain.

        Raises:
            ExecutionNotFound: Temporal does not have one of them.
        """
        workflow_id = known.case.workflow_id
        found: list[Run] = []
        following: str | None = newest
        while following and len(found) < _MOST_RUNS:
            history = await self._core.temporal.history(workflow_id, following)
            found.insert(0, open_run(following, history, known.ring))
            following = run_before(found[0].events)
            if following in {each.run_id for each in found}:
                break  # no chain of Temporal's own making runs in a circle
        have = {each.run_id for each in found}
        missing = [each for each in known.chain if each not in have]
        histories = [await self._core.temporal.history(workflow_id, each) for each in missing]
        earlier = [open_run(r, h, known.ring) for r, h in zip(missing, histories, strict=True)]
        return [*earlier, *found]

    async def _alarm(self, case: Case, wrong: tuple[str, ...]) -> None:
        trouble = "; ".join(spelled_out(wrong))[:_TROUBLE]
        _log.error("the case is not archived: %s", trouble, extra={"case": case.id})

        def write(tx: Tx) -> None:
            current = tx.get(Case, case.id)
            if current is not None and _waits(current):
                raise_alarm(tx, current, wrong)

        await self._core.store.write(write)
        await self._wait(case, trouble)

    async def _wait(self, case: Case, trouble: str) -> None:
        """Keep why a case is not archived yet, and when it is tried again."""
        pause = min(timedelta(seconds=2 ** min(case.archive_tries, 10)), _LONGEST_PAUSE)

        def write(tx: Tx) -> None:
            current = tx.get(Case, case.id)
            if current is None or not _waits(current):
                return  # another authority was quicker
            tx.change(
                Case,
                case.id,
                archive_trouble=trouble[:_TROUBLE],
                archive_tries=case.archive_tries + 1,
                archive_next=tx.now + pause,
            )

        await self._core.store.write(write)

    # --- watching what was closed --------------------------------------------------------------

    async def watch_closed(self) -> None:
        """Tell of each run of a closed case that is none of its chain: a reset reopens even those.

        What began or ended a moment ago is watched all the time (:mod:`._watching`); this lists all
        that runs, and at first what ended not long ago. What such a run asks for is denied in any
        case.
        """
        now = self._core.clock()
        if self._listed is not None and now - self._listed < _LOOK_BACK:
            return
        since = now - _LOOK_BACK if self._listed is None else now
        try:
            seen = [each async for each in self._core.temporal.seen_since(since, everything=True)]
        except Unavailable:
            return
        self._listed = now
        reopened = await self._core.store.read(
            lambda reader: [each for each in seen if _is_reopened(reader, each)]
        )
        for each in reopened:
            await self._core.store.write(partial(tell_reopened, reopened=each))

    # --- reading ------------------------------------------------------------------------------

    async def read(self, case_id: str) -> CaseArchive:
        """A closed case's archive.

        Raises:
            NotFound: it is not archived (yet), or was changed in the store.
        """

        def read(reader: Reader) -> tuple[Archive | None, Case | None, Keyring]:
            ring = self._core.keys.payloads.ring(reader, case_id)
            return reader.get(Archive, case_id), reader.get(Case, case_id), ring

        row, case, ring = await self._core.store.read(read)
        if row is None or case is None:
            raise NotFound("the case is not archived yet")
        try:
            return await asyncio.to_thread(_read, case, ring, row)
        except (InvalidTag, PayloadError, ValueError, zlib.error):
            # Whoever owns the store has changed it: the audit names the case, and goes on.
            _log.error("the archive was changed in the store", extra={"case": case_id})
            raise NotFound("the case's archive can't be read: it was changed") from None


def _read(case: Case, ring: Keyring, row: Archive) -> CaseArchive:
    """A row of the store as what was archived."""
    seal = HistorySeal.model_validate_json(zlib.decompress(row.seal))
    contents = ArchiveContents.model_validate_json(zlib.decompress(row.contents))
    if row.runs is None:
        return CaseArchive(
            case=case.id, workflow_id=case.workflow_id, seal=seal, contents=contents, erased=True
        )
    return CaseArchive(
        case=case.id,
        workflow_id=case.workflow_id,
        salt=archive_salt(ring),
        runs=_open(ring, row.runs),
        seal=seal,
        contents=contents,
    )


def chain_of(reader: Reader, case: str) -> tuple[str, ...]:
    """The runs that the authority started or a person admitted, in order."""
    rows = reader.all(CaseRun, CaseRun.case_id == case, order_by=[CaseRun.seq])
    return tuple(row.run_id for row in rows if row.admitted)


def _fit(known: _Known, runs: list[Run]) -> _Fetched:
    archived = tuple(run.archived() for run in runs)
    seal = seal_runs(archived, archive_salt(known.ring))
    wrong = misfits(runs, known.start, seal, known.chain, known.prefixes, known.grants)
    if known.published:
        wrong += [
            f"the orchestrator ran workflow code {each}, which was not published"
            for each in known.contents.code
            if each not in known.published
        ]
    return _Fetched(_close(known.ring, archived), seal, tuple(wrong))


def _waits(case: Case) -> bool:
    """Whether a closed case waits for its archive still."""
    return case.archived_at is None and case.erased_at is None


def _seal(tx: Tx, known: _Known, fetched: _Fetched) -> None:
    case = tx.get(Case, known.case.id)
    if case is None or not _waits(case):
        return
    if (case.alarm, case.alarm_admitted) != (known.case.alarm, known.case.alarm_admitted):
        return  # an alarm came, or was admitted, meanwhile: it is looked at anew
    roots = [run_root(each) for each in fetched.seal.runs]
    entry = tx.append(
        "case.archived",
        AUTHORITY,
        {
            "runs": [each.model_dump(mode="json") for each in roots],
            "seal_digest": digest_json(fetched.seal),
            "contents_digest": digest_json(known.contents),
            "process_digest": case.process_digest,
            "code": list(known.contents.code),
            **({"alarms": [*spelled_out(fetched.wrong)]} if fetched.wrong else {}),
        },
        case=case.id,
        record=case.subject,
    )
    tx.add(
        Archive(
            case_id=case.id,
            seal_digest=digest_json(fetched.seal),
            seal=zlib.compress(canonical_json(fetched.seal), 9),
            contents=zlib.compress(canonical_json(known.contents), 9),
            runs=fetched.packed,
            sealed_at=tx.now,
            entry=entry,
        )
    )
    tx.change(Case, case.id, archived_at=tx.now, archive_trouble=None, archive_next=None)
    tx.notify(ARCHIVING)


def _close(ring: Keyring, runs: tuple[ArchivedRun, ...]) -> bytes:
    packed = zlib.compress(json.dumps([each.model_dump() for each in runs]).encode(), 9)
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(ring.derive("archive")).encrypt(nonce, packed, ring.case.encode())


def _open(ring: Keyring, kept: bytes) -> tuple[ArchivedRun, ...]:
    cipher = AESGCM(ring.derive("archive"))
    packed = cipher.decrypt(kept[:_NONCE], kept[_NONCE:], ring.case.encode())
    return tuple(ArchivedRun(**each) for each in json.loads(zlib.decompress(packed)))


def _lose(tx: Tx, case_id: str, trouble: str) -> None:
    case = tx.get(Case, case_id)
    if case is not None and _waits(case):
        lose(tx, case, trouble)


def _is_reopened(reader: Reader, seen: SeenRun) -> bool:
    case = reader.get(Case, seen.workflow_id)
    return case is not None and is_reopened(reader, case, seen.run_id)


def tell_reopened(tx: Tx, reopened: SeenRun) -> None:
    """Tell of a run of a closed case that is none of its chain, as long as it is none."""
    case = tx.get(Case, reopened.workflow_id)
    if case is not None and is_reopened(tx, case, reopened.run_id):
        meet_run(tx, case, reopened.run_id)
