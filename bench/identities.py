"""Ten thousand identities with a million grants: each report, an import, and how soon off is off.

``python -m bench.identities`` measures this alone; with ``PLACET_BENCH_IDENTITIES=1000`` less of
it. It has an authority of its own, on SQLite: what it fills in is in nobody's way.
"""

import asyncio
import logging
import os
import secrets
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from temporalio import activity
from temporalio.client import Client

from bench.results import Figure
from bench.stage import Stage
from bench.work import DEFINITION
from placet.authority._store import (
    Case,
    Grant,
    Identity,
    IdentityKey,
    Registered,
    Tx,
    table_of,
)
from placet.cli._inventories import read_inventory
from placet.client import OperatorClient
from placet.model import EnrolIdentity, IdentityReport, ProcessDefinition, Reason, Step
from placet.resource import BadToken, Guard
from placet.tokens import SigningKey, make_proof
from tests.harness.alone import Alone, alone
from tests.harness.inventories import inventory
from tests.harness.raw import ask, details_of, rogue_worker
from tests.harness.world import temporal_server, until, world

COUNT = int(os.environ.get("PLACET_BENCH_IDENTITIES", "10000"))
GRANTS_EACH, ROWS_EACH = 100, 10
"""Grants of an identity, and rows of the import for each."""
PROCESSES, AGENTS_EACH = 10, 20
ROUNDS, SUSPENSIONS = 5, 10
ENDS = datetime(2098, 1, 1, tzinfo=UTC)


async def identities(stage: Stage) -> list[Figure]:
    """All of it, beside the stage: Temporal is the stage's."""
    return await _measure(stage.temporal, stage.folder / "identities")


async def _measure(temporal: Client, folder: Path) -> list[Figure]:
    folder.mkdir()  # noqa: ASYNC240 - nothing else waits meanwhile
    logging.getLogger("placet").setLevel(logging.CRITICAL)  # its Temporal is away, and not missed
    url = f"sqlite:///{folder / 'authority.db'}"
    async with alone(url, environment="production") as authority, authority.ada() as ada:
        await _fill(authority, ada)
        reports = await _reports(ada)
        imported = await _imported(ada)
    return [*reports, *imported, *await _suspended(temporal, folder)]


# --- reports ------------------------------------------------------------------------------------


def _definition(number: int) -> ProcessDefinition:
    """A process with twenty agents, half of which the next one uses as well."""
    first = number * AGENTS_EACH // 2
    steps = tuple(
        Step(
            activity_type=f"do_{each}",
            agent=f"a{each}",
            action=f"item:do-{each % 3}",
            system="authority",
            relation="item",
        )
        for each in range(first, first + AGENTS_EACH)
    )
    kept = tuple(each for each in DEFINITION.steps if each.agent == "orchestrator")
    changed = {"name": f"bench-{number}", "steps": (*steps, *kept), "checkpoints": ()}
    return DEFINITION.model_copy(update=changed)


async def _fill(authority: Alone, ada: OperatorClient) -> None:
    """One in twenty is unowned, one did nothing for long, one has an old key, one is elsewhere."""
    for number in range(PROCESSES):
        await ada.act("process.publish", f"bench-{number}", _definition(number))
    now = authority.now().replace(microsecond=0)
    old = now - timedelta(days=400)
    for start in range(0, COUNT, 1000):
        numbers = range(start, min(start + 1000, COUNT))
        await authority.core_write(partial(put, numbers=numbers, now=now, old=old))
    await authority.core_write(lambda tx: _grant_all(tx, now))


def put(tx: Tx, numbers: range, now: datetime, old: datetime) -> None:
    """Put agents straight into the store, as they would have come to be."""
    for number in numbers:
        identity, kind = f"agent:a{number}", number % 20
        owner = None if kind == 0 else "operator:ada"
        tx.add(
            Identity(
                principal=identity,
                kind="agent",
                status="active",
                enrolled_at=old,
                enrolled_by="operator:ada",
            )
        )
        tx.add(
            IdentityKey(
                thumbprint=f"{number:043}",
                principal=identity,
                jwk_json="{}",
                status="active",
                enrolled_at=old if kind in (1, 2) else now - timedelta(days=10),
            )
        )
        tx.add(
            Registered(
                identity=identity,
                kind="ai-agent",
                owner=owner,
                environment="test" if kind == 3 else "production",
                review_by=old if kind == 4 else ENDS,
                ends_at=ENDS,
                first_seen=old,
                registered_at=old,
                registered_by="operator:ada",
            )
        )


def _grant_all(tx: Tx, now: datetime) -> None:
    """A hundred grants each, over half a year; of those that did nothing, none since then."""
    case, agent = "case-bench", "agent:template"
    tx.add(
        Case(
            id=case,
            process="bench-0",
            version=1,
            subject="bench/1/item/1",
            status="closed",
            opened_by="operator:ada",
            opened_at=now,
            workflow_id=case,
            workflow_type="GovernedBench",
            task_queue="orchestrator",
            request_id="bench",
        )
    )
    for number in range(GRANTS_EACH):
        tx.add(
            Grant(
                id=f"template-{number}",
                case_id=case,
                agent=agent,
                jkt="k",
                action=f"item:do-{number % 3}",
                system="authority",
                record="bench/1/item/1",
                run_id="r",
                activity_id=str(number),
                activity_type="do",
                attempt=1,
                last_started="",
                issued_at=now - timedelta(days=2 * number),
                expires_at=now,
                status="settled",
            )
        )
    names = [each.name for each in table_of(Grant).columns]
    made = {"id": "'g-' || n || '-' || t.activity_id", "agent": "'agent:a' || n"}
    columns = ", ".join(f'"{name}"' for name in names)
    chosen = ", ".join(made.get(name, f't."{name}"') for name in names)
    # All words of it stand in this file: no value of anybody's goes in.
    tx.connection.exec_driver_sql(
        f"WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {COUNT - 1}) "
        f"INSERT INTO {table_of(Grant).name} ({columns}) SELECT {chosen} "
        f"FROM s, {table_of(Grant).name} t WHERE t.agent = '{agent}' "
        "AND NOT (n % 20 = 2 AND CAST(t.activity_id AS INTEGER) < 50)"
    )


async def _reports(ada: OperatorClient) -> list[Figure]:
    """Each report whole, all its pages, over HTTP with proofs."""
    found = []
    for report in IdentityReport:
        took = []
        for _ in range(ROUNDS + 1):
            begun = time.perf_counter()
            lines = await ada.identity_report(report)
            took.append((time.perf_counter() - begun) * 1000)
        assert lines, f"nothing is {report}: nothing was measured"
        name = f"identities.report_{report.value.replace('-', '_')}_ms"
        found.append(Figure(name, statistics.median(took[1:]), "ms", ROUNDS))
    return found


# --- an import ----------------------------------------------------------------------------------


async def _imported(ada: OperatorClient) -> list[Figure]:
    rows = COUNT * ROWS_EACH
    text = inventory(rows)
    begun = time.perf_counter()
    read = read_inventory(text, {}, frozenset({"operator:ada"}))
    figures = [Figure("identities.import_read_s", time.perf_counter() - begun, "s", rows)]
    assert len(read.rows) + len(read.bad) == rows
    for name, expected in (("new", (len(read.rows), 0)), ("again", (0, 0))):
        begun = time.perf_counter()
        assert await ada.import_identities("bench", list(read.rows.values())) == expected
        took = time.perf_counter() - begun
        figures.append(Figure(f"identities.import_{name}_s", took, "s", len(read.rows)))
    return figures


# --- off ----------------------------------------------------------------------------------------


async def _suspended(temporal: Client, folder: Path) -> list[Figure]:
    """From the act that suspends an agent to the refusal of its live grant where records are.

    The grant is a real one, of a step that runs; the guard is the one that systems of record
    install, and follows the authority's feed as they do.
    """
    took: list[list[float]] = []
    place = folder / "off"
    place.mkdir()
    async with world(temporal, place) as w:
        key = SigningKey.generate()
        await w.admin.act("system.enrol", "system:authority", EnrolIdentity(jwk=key.public.jwk()))
        guard = Guard("authority", w.issuer, "http://127.0.0.1:9", key)

        async def probe(info: activity.Info) -> list[float]:
            seconds = []
            for _ in range(SUSPENSIONS):
                held = await ask(w, "scale", details_of(info))
                token = held.body["access_token"]
                await _use(guard, token, w.agents["scale"])
                begun = time.perf_counter()
                await w.admin.act("agent.suspend", "agent:scale", Reason(reason="a benchmark"))
                await _until_refused(guard, token, w.agents["scale"])
                seconds.append(time.perf_counter() - begun)
                await w.admin.act("agent.resume", "agent:scale", Reason(reason="a benchmark"))
            return seconds

        async with (
            guard.following(),
            rogue_worker(w, "scale", "weigh", probe, took),
            w.workers(only=("orchestrator",)),
        ):
            await w.open("depot/D1/parcel/7")

            async def measured() -> bool:
                return bool(took)

            await until(measured, seconds=120)
    (found,) = took
    return [
        Figure("identities.suspended_to_refused_ms", statistics.median(found) * 1000, "ms", 10),
        Figure("identities.suspended_to_refused_worst_ms", max(found) * 1000, "ms", 10),
    ]


async def _use(guard: Guard, token: str, key: SigningKey) -> None:
    """One request at the guarded system."""
    proof = make_proof(
        key,
        "GET",
        "http://127.0.0.1:9/parcel",
        now=datetime.now(UTC),
        jti=secrets.token_urlsafe(18),
        access_token=token,
    )
    headers = [(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/parcel",
        "query_string": b"",
        "headers": headers,
    }
    await guard.require(Request(scope), action="parcel:weigh", record="depot/D1/parcel/7")


async def _until_refused(guard: Guard, token: str, key: SigningKey) -> None:
    while True:
        try:
            await _use(guard, token, key)
        except BadToken:
            return
        await asyncio.sleep(0.005)


async def _alone() -> None:
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        async with temporal_server() as temporal:
            for each in await _measure(temporal, Path(folder) / "identities"):
                print(f"{each.name}: {each.value:.1f} {each.unit} ({each.samples})")


if __name__ == "__main__":
    asyncio.run(_alone())
