"""Whoever owns the database changes the past: each change is found, at the first wrong place."""

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Table, create_engine, delete, insert, select, update

from placet.audit import LogFiles, Report, population, verify
from placet.authority._store import (
    Archive,
    ContextBlob,
    DecisionRow,
    LedgerEntry,
    Matrix,
    PartRow,
    PolicySet,
    ProcessVersion,
    Remark,
    SignedActRow,
    SignedHead,
    TreeState,
)
from placet.cli._fetch import fetch_log
from placet.client import OperatorClient
from placet.ledger import Checkpoint
from placet.model import Hold, Reason, Verdict
from placet.tokens import SigningKey
from tests.audit.recording import no_grant_is_live, trusting
from tests.harness.databases import KINDS, new_database
from tests.harness.world import World, temporal_server, world

Db = Connection


def table(row: Any) -> Table:
    found: Table = row.__table__
    return found


def entries(db: Db, type_: str) -> list[Any]:
    rows = db.execute(select(table(LedgerEntry)).order_by(table(LedgerEntry).c.index)).all()
    return [each for each in rows if each.type == type_]


def at(db: Db, number: int, **values: Any) -> None:
    columns = table(LedgerEntry)
    db.execute(update(columns).where(columns.c.index == number).values(**values))


def set_all(db: Db, row: Any, change: Callable[[Any], dict[str, Any]], **key: Any) -> None:
    """Change every row of a table, found by its primary key."""
    columns = table(row)
    for each in db.execute(select(columns)).all():
        query = update(columns)
        for name in columns.primary_key.columns.keys():
            query = query.where(columns.c[name] == getattr(each, name))
        db.execute(query.values(**change(each)))


def entry_changed(db: Db) -> int:
    """Who decided becomes someone else."""
    row = entries(db, "decision.recorded")[0]
    at(db, row.index, content=row.content.replace(b"operator:cleo", b"operator:cid"))
    return int(row.index)


def entry_deleted(db: Db) -> int:
    row = entries(db, "decision.recorded")[0]
    columns = table(LedgerEntry)
    db.execute(delete(columns).where(columns.c.index == row.index))
    return int(row.index)


def entry_inserted(db: Db) -> int:
    """A second approval, with all later rows moved on by one."""
    row = entries(db, "decision.recorded")[0]
    columns = table(LedgerEntry)
    for shift in (100_001, -100_000):
        db.execute(
            update(columns).where(columns.c.index > row.index).values(index=columns.c.index + shift)
        )
    db.execute(insert(columns).values(**{**row._mapping, "index": row.index + 1}))
    return int(row.index) + 1


def entries_swapped(db: Db) -> int:
    first, second = entries(db, "grant.issued")[:2]
    at(db, first.index, content=second.content)
    at(db, second.index, content=first.content)
    return int(first.index)


def entry_renumbered(db: Db) -> int:
    row = entries(db, "decision.recorded")[0]
    at(db, row.index, index=100_000)
    return int(row.index)


def part_changed(db: Db) -> None:
    exchanged(db, PartRow)


def exchanged(db: Db, row: Any) -> None:
    """Every row gets the content of the first one; what is kept packed stays readable."""
    content = db.execute(select(table(row))).first()
    assert content is not None
    set_all(db, row, lambda _: {"content": content.content})


def part_deleted(db: Db) -> None:
    db.execute(delete(table(PartRow)))


def context_changed(db: Db) -> None:
    exchanged(db, ContextBlob)


def decision_changed(db: Db) -> None:
    set_all(db, DecisionRow, lambda each: {"jws": each.jws[:-5] + "AAAAA"})


def act_changed(db: Db) -> None:
    set_all(db, SignedActRow, lambda each: {"jws": each.jws[:-5] + "AAAAA"})


def policy_changed(db: Db) -> None:
    set_all(db, PolicySet, lambda each: {"policies": each.policies + "\n// as before\n"})


def matrix_changed(db: Db) -> None:
    set_all(db, Matrix, lambda each: {"body_json": each.body_json.replace("50.00", "99.00")})


def process_changed(db: Db) -> None:
    set_all(
        db,
        ProcessVersion,
        lambda each: {"body_json": each.body_json.replace('"carrier"', '"scale"')},
    )


def history_changed(db: Db) -> None:
    set_all(db, Archive, lambda each: {"runs": each.runs[:-1] + bytes([each.runs[-1] ^ 1])})


def seal_changed(db: Db) -> None:
    """The digests of one archive in the place of another's."""
    rows = db.execute(select(table(Archive))).all()
    columns = table(Archive)
    for one, other in zip(rows, rows[::-1], strict=True):
        db.execute(update(columns).where(columns.c.case_id == one.case_id).values(seal=other.seal))


def head_changed(db: Db) -> None:
    set_all(db, SignedHead, lambda each: {"note": each.note[:-4] + "AAA\n"})


def comment_changed(db: Db) -> None:
    remarks_of(db, "comment", b"all in order")


def file_changed(db: Db) -> None:
    remarks_of(db, "attachment", b"calibrated in June")


def remarks_of(db: Db, kind: str, content: bytes) -> None:
    columns = table(Remark)
    db.execute(update(columns).where(columns.c.kind == kind).values(content=content))


def file_deleted(db: Db) -> None:
    db.execute(delete(table(Remark)).where(table(Remark).c.kind == "attachment"))


def comment_deleted(db: Db) -> None:
    db.execute(delete(table(Remark)).where(table(Remark).c.kind == "comment"))


@dataclasses.dataclass(frozen=True)
class Tampering:
    """What is done to the database, to which tables, and what the audit calls it."""

    do: Callable[[Db], int | None]
    tables: tuple[Any, ...]
    trouble: str


TAMPERINGS = {
    "entry-changed": Tampering(entry_changed, (LedgerEntry,), "log"),
    "entry-deleted": Tampering(entry_deleted, (LedgerEntry,), "log"),
    "entry-inserted": Tampering(entry_inserted, (LedgerEntry,), "log"),
    "entries-swapped": Tampering(entries_swapped, (LedgerEntry,), "log"),
    "entry-renumbered": Tampering(entry_renumbered, (LedgerEntry,), "log"),
    "head-changed": Tampering(head_changed, (SignedHead,), "head"),
    "evidence-changed": Tampering(part_changed, (PartRow,), "part-digest"),
    "evidence-deleted": Tampering(part_deleted, (PartRow,), "part-missing"),
    "context-changed": Tampering(context_changed, (ContextBlob,), "context-digest"),
    "comment-changed": Tampering(comment_changed, (Remark,), "comment-other"),
    "comment-deleted": Tampering(comment_deleted, (Remark,), "comment-missing"),
    "file-changed": Tampering(file_changed, (Remark,), "attachment-digest"),
    "file-deleted": Tampering(file_deleted, (Remark,), "attachment-missing"),
    "decision-changed": Tampering(decision_changed, (DecisionRow,), "decision-digest"),
    "act-changed": Tampering(act_changed, (SignedActRow,), "act-signature"),
    "policy-changed": Tampering(policy_changed, (PolicySet,), "policy-missing"),
    "matrix-changed": Tampering(matrix_changed, (Matrix,), "matrix-missing"),
    "process-changed": Tampering(process_changed, (ProcessVersion,), "process-missing"),
    "history-changed": Tampering(history_changed, (Archive,), "archive-missing"),
    "seal-changed": Tampering(seal_changed, (Archive,), "seal-digest"),
}


def one_by_one() -> Iterator[dict[str, Tampering]]:
    """Each by itself: what is found is found because of it."""
    return ({name: each} for name, each in TAMPERINGS.items())


def rounds() -> Iterator[dict[str, Tampering]]:
    """Several at once, no two of one table: what the audit is given comes from any database alike,
    so it is enough that each change is still told apart. Under no head nothing else is read."""
    left = dict(TAMPERINGS)
    yield {"head-changed": left.pop("head-changed")}
    while left:
        taken: set[Any] = set()
        now: dict[str, Tampering] = {}
        for name, each in list(left.items()):
            if not taken & {*each.tables, each.trouble}:
                taken |= {*each.tables, each.trouble}
                now[name] = left.pop(name)
        yield now


@contextlib.contextmanager
def superuser(url: str) -> Iterator[Db]:
    """A connection that no rule of ours binds."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as db:
            yield db
    finally:
        engine.dispose()


@contextlib.contextmanager
def undone(url: str, tables: tuple[Any, ...]) -> Iterator[None]:
    """Put the tables back as they were."""
    with superuser(url) as db:
        kept = [(table(each), db.execute(select(table(each))).all()) for each in tables]
    try:
        yield
    finally:
        with superuser(url) as db:
            for each, rows in kept:
                db.execute(delete(each))
                db.execute(insert(each), [dict(row._mapping) for row in rows])


async def live(w: World) -> None:
    """Two cases through the whole process, and a hold."""
    async with w.workers():
        cases = [await w.open(f"depot/D1/parcel/{number}") for number in (7, 9)]
        await w.admin.act("hold.place", "depot/D1/parcel/7", Hold(reason="to be looked at"))
        await w.admin.act("hold.lift", "depot/D1/parcel/7", Reason(reason="looked at"))
        for case, by in zip(cases, ("cleo", "cid"), strict=True):
            checkpoint = await w.until_checkpoint(case)
            await w.people["una"].comment(checkpoint.id, "who weighed this?")
            await w.people["una"].attach(checkpoint.id, "scale.txt", b"calibrated", "text/plain")
            amount = checkpoint.evidence.proposal.amount
            await w.people[by].decide(checkpoint, Verdict.APPROVE, amount=amount)
        for case in cases:
            await w.until_archived(case)

    async def ended() -> bool:
        return await no_grant_is_live(w)

    async with asyncio.timeout(90):
        while not await ended():
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def lived(request: pytest.FixtureRequest, kind: str, folder: Path) -> AsyncIterator[World]:
    with new_database(request, kind, folder) as url:
        async with temporal_server() as temporal, world(temporal, folder, url) as w:
            await live(w)
            yield w


async def fetched(w: World) -> LogFiles:
    """All that an auditor fetches, who has seen no head before."""
    async with OperatorClient(w.issuer, "operator:una", w.keys["una"]) as una:
        return await fetch_log(una)


def said(report: Report) -> str:
    return "; ".join(f"{each.name} at {each.place}" for each in report.troubles)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_superuser_of_the_database_is_found(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    """I8, I9, I13: every table that an audit reads, changed under the authority's feet; I6: and a
    key exchanged in its table signs nothing that counts."""
    async with lived(request, kind, tmp_path) as w:
        url = w.settings.database_url
        honest = trusting(await fetched(w))
        assert verify(honest).troubles == ()
        trust = {
            "trusted_log_key": honest.trusted_log_key,
            "trusted_administrators": honest.trusted_administrators,
            "kept_heads": (honest.head,),
        }
        missed: list[str] = []
        for at_once in one_by_one() if kind == "sqlite" else rounds():
            tables = {row: None for each in at_once.values() for row in each.tables}
            with undone(url, tuple(tables)):
                with superuser(url) as db:
                    indices = {name: each.do(db) for name, each in at_once.items()}
                files = dataclasses.replace(await fetched(w), **trust)
            report = verify(files)
            for name, each in at_once.items():
                index = indices[name]
                if each.trouble not in {one.name for one in report.troubles}:
                    missed.append(f"{name}: {said(report)}")
                elif index is not None:
                    first = [one for one in report.troubles if one.name == "log"][-1]
                    if int(first.place.split()[1]) > index or population(files).complete:
                        missed.append(f"{name} at {index}: {said(report)}")
        assert missed == []
        assert verify(dataclasses.replace(await fetched(w), **trust)).troubles == ()
        await _backup_restored(w, honest)
        await _key_exchanged(w)


async def _backup_restored(w: World, honest: LogFiles) -> None:
    """The database of some time ago, with all that it signed then: a kept head says what is gone."""
    url = w.settings.database_url
    with undone(url, (LedgerEntry, SignedHead, TreeState)):
        with superuser(url) as db:
            heads = db.execute(select(table(SignedHead)).order_by(table(SignedHead).c.size)).all()
            old = heads[len(heads) // 2]
            db.execute(delete(table(SignedHead)).where(table(SignedHead).c.size > old.size))
            db.execute(delete(table(LedgerEntry)).where(table(LedgerEntry).c.index >= old.size))
        files = dataclasses.replace(
            await fetched(w),
            trusted_log_key=honest.trusted_log_key,
            kept_heads=(honest.head,),
        )
    size = Checkpoint.parse(honest.head.rpartition("\n\n")[0] + "\n").size
    found = [each for each in verify(files).troubles if each.name == "log"]
    assert f"the kept head of {size} entries is beyond this log's head" in found[0].found


async def _key_exchanged(w: World) -> None:
    """A forger's key in the place of a person's: the authority believes its table, the audit the
    ledger."""
    from placet.authority._store import IdentityKey  # noqa: PLC0415 - this test's alone

    forger = SigningKey.generate()
    columns = table(IdentityKey)
    with superuser(w.settings.database_url) as db:
        db.execute(
            update(columns)
            .where(columns.c.principal == "operator:cid")
            .values(thumbprint=forger.public.thumbprint, jwk_json=json.dumps(forger.public.jwk()))
        )
    async with OperatorClient(w.issuer, "operator:cid", forger) as thief:
        await thief.act("hold.place", "depot/D1/parcel/3", Hold(reason="a forger's"))
    index = next(
        number
        for number, each in reversed(list(enumerate(await w.entries())))
        if each["type"] == "hold.placed"
    )

    async def covered() -> LogFiles | None:
        files = await fetched(w)
        size = Checkpoint.parse(files.head.rpartition("\n\n")[0] + "\n").size
        return files if size > index else None

    async with asyncio.timeout(90):
        while (files := await covered()) is None:
            await asyncio.sleep(0.05)
    report = verify(trusting(files))
    assert ("act-signature", f"entry {index}") in {(e.name, e.place) for e in report.troubles}
