"""The lender's people at work: loans, packets and cases on embedded parts, as tests need them."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client
from temporalio.worker import Worker
from typer.testing import CliRunner

from lender import storage
from lender.demo import Books
from lender.embedded import ADMINISTRATOR, Embedded, embedded, passphrase_of
from lender.model import LoanFile
from lender.samples import make_loan, plan_for, write_packet
from lender.serve import SYSTEMS
from lender.servicing import payments_made
from placet.agent import AgentConfig
from placet.audit import replay
from placet.cli import fetch_log
from placet.cli._app import app
from placet.cli._fetch import fetch_entries
from placet.client import OperatorClient
from placet.model import (
    ActAnswer,
    AuthorityMatrix,
    CaseArchive,
    CaseView,
    CheckpointView,
    DecisionAnswer,
    EnrolIdentity,
    Mode,
    Verdict,
)
from placet.tokens import SigningKey, read_key_file
from tests.harness.forked import begun
from tests.harness.logs import assert_holds
from tests.harness.secrets import histories, tokens_in
from tests.harness.waiting import pauses
from worker.__main__ import WorkerSettings, make_worker
from worker.registry import ACTIVITIES, PROCESSES
from workflows.loan_draw import PROCESS

T = TypeVar("T")
PEOPLE = ("dana", "omar", "sofia", "cora", "ines", "una", ADMINISTRATOR)


async def until(look: Callable[[], Awaitable[T | None]], seconds: float = 110) -> T:
    """Wait for a stated condition."""
    async with asyncio.timeout(seconds):
        waits = pauses()
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(next(waits))


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Desk:
    """What a test does at the lender's."""

    made: Embedded
    folder: Path
    books: Books
    people: dict[str, OperatorClient] = field(default_factory=dict)
    loans: int = 0
    audited: set[str] = field(default_factory=set)

    def take_in_loan(self) -> LoanFile:
        """A loan of its own, whose first draw is small enough for automatic mode."""
        self.loans += 1
        loan = make_loan(
            f"L-{3000 + self.loans}",
            "Return Row",
            f"Return {self.loans} LLC",
            "1 Return Road, Oakland CA",
            Decimal("120000.00"),
            30,
        )
        self.books.take_in(loan)
        return loan

    def packet(self, loan: LoanFile, name: str) -> Path:
        """A folder with a clean packet of the loan's next draw."""
        return write_packet(plan_for(loan), self.folder / f"{loan.loan_id}-{name}")

    def store(self, loan: LoanFile, packet: Path) -> str:
        """Put a packet into document storage; its version."""
        files = storage.read_packet_folder(packet)
        stored = storage.store_packet(self.books.storage, loan.loan_id, loan.next_draw, files)
        return str(stored)

    @contextlib.asynccontextmanager
    async def enrolled(self, name: str, *roles: str) -> AsyncIterator[OperatorClient]:
        """One more person."""
        key = SigningKey.generate()
        body = EnrolIdentity(jwk=dict(key.public.jwk()), roles=roles)
        await self.people[ADMINISTRATOR].act("operator.enrol", f"operator:{name}", body)
        async with OperatorClient(self.made.issuer, f"operator:{name}", key) as client:
            yield client

    async def open(self, loan: LoanFile) -> str:
        """A case on the loan's next draw, opened on the command line with its packet."""
        said = await self.command(
            "dana",
            *("case", "open", "--process", "loan-draw"),
            *("--loan", loan.loan_id, "--draw", str(loan.next_draw)),
            *("--packet", str(self.packet(loan, "first")), "--json"),
        )
        assert said.code == 0, said.err
        return str(ActAnswer.model_validate_json(said.out).case)

    async def command(
        self, person: str, *arguments: str, env: dict[str, str | None] | None = None
    ) -> Said:
        """Run ``placet …`` as a person."""
        settings = {
            **self.made.settings_for_people(person),
            "PLACET_PASSPHRASE": passphrase_of(person),
            **(env or {}),
        }
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=settings)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    async def asked(self, case: str, name: str = "draw-approval") -> CheckpointView:
        """The open checkpoint of a case, once there is one."""

        async def look() -> CheckpointView | None:
            view = await self.people["una"].case(case)
            assert view.status in {"opening", "open"}, view.stopped_for or view.result
            found = await self.people["una"].checkpoints("open", case)
            return next((each for each in found if each.name == name), None)

        return await until(look)

    async def decide(
        self,
        person: str,
        checkpoint: CheckpointView,
        verdict: Verdict = Verdict.APPROVE,
        why: str = "it was looked into",
    ) -> DecisionAnswer:
        """A person decides; who approves accepts each blocking finding, and says why."""
        proposal, approves = checkpoint.evidence.proposal, verdict is Verdict.APPROVE
        return await self.people[person].decide(
            checkpoint,
            verdict,
            amount=proposal.amount if approves else None,
            reason_code=None if approves else "questions",
            exceptions=dict.fromkeys(proposal.exceptions, why) if approves else None,
        )

    async def ended(self, case: str, status: str = "closed") -> CaseView:
        """The case, once it has come to a status."""

        async def look() -> CaseView | None:
            view = await self.people["una"].case(case)
            return view if view.status == status else None

        return await until(look)

    async def history(self, case: str) -> list[dict[str, Any]]:
        """The events of a closed case's sealed history, once it is sealed."""

        async def look() -> CaseView | None:
            view = await self.people["una"].case(case)
            return view if view.archived else None

        await until(look)
        archive = await self.people["una"].get(f"/v1/cases/{case}/archive")
        (run,) = CaseArchive.model_validate(archive).runs
        events: list[dict[str, Any]] = json.loads(run.history)["events"]
        return events

    async def audit(self) -> None:
        """The whole ledger is verified, and each case closed since is replayed and reconciled."""
        found = await self.people["una"].cases("closed")
        closed = {each.id: each.process for each in found if each.id not in self.audited}
        for case in closed:
            await self.history(case)
        temporal = await Client.connect(self.made.temporal)
        for case in closed:  # I7: no token is in the history of any case
            assert tokens_in(await histories(temporal, case, self.made.authority)) == []
        trust = {"log_key": self.made.log_key, "administrators": self.made.administrators}
        files = await fetch_log(self.people["una"], trust=trust)
        assert_holds(files)
        code = {each.name: each.workflow for each in PROCESSES}
        for case, process in closed.items():
            troubles = (await replay(files, case, [code[process]])).troubles
            assert troubles == (), troubles
        self.audited |= closed.keys()

    async def entries(self, case: str) -> list[dict[str, Any]]:
        """The ledger's entries about a case."""
        entries = await fetch_entries(self.people["una"])
        return [each for each in map(json.loads, entries) if each.get("case") == case]

    async def state(self) -> tuple[int, ...]:
        """How much stands in document storage, on the ledger, and how many cases there are."""
        database = sqlite3.connect(self.made.lender.folder / "document-storage.db")
        with contextlib.closing(database):
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
                " AND name NOT IN ('use_outbox', 'sqlite_sequence')"
            )
            rows = [
                database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - its own tables
                for (name,) in tables.fetchall()
            ]
        log = await fetch_entries(self.people["una"])
        # What earlier cases' agents read is told a moment later: that is nothing written here.
        entries = sum(b'"grant.used"' not in each for each in log)
        return (sum(rows), entries, len(await self.people["una"].cases()))

    def paid(self, loan: LoanFile) -> Decimal:
        """What was paid on a loan."""
        rows = payments_made(self.books.servicing, loan.loan_id)
        return Decimal(sum(each.amount_cents for each in rows)) / 100

    @contextlib.asynccontextmanager
    async def mode(self, mode: Mode, process: str = PROCESS.name) -> AsyncIterator[None]:
        """Agents go alone as far as this; afterwards the mode is *assist* again."""
        await self._set(mode, process)
        try:
            yield
        finally:
            await self._set(Mode.ASSIST, process)

    async def _set(self, mode: Mode, process: str) -> None:
        admin = self.people[ADMINISTRATOR]
        published = await admin.get("/v1/published")
        matrices = [AuthorityMatrix.model_validate_json(each) for each in published["matrices"]]
        ours = [each for each in matrices if each.process == process]
        newest = max(ours, key=lambda each: each.version)
        body = newest.model_copy(update={"mode": mode, "version": newest.version + 1})
        await admin.act("matrix.publish", body.process, body)


@contextlib.asynccontextmanager
async def open_desk(folder: Path, *, workers: bool = True) -> AsyncIterator[Desk]:
    """All parts embedded, with or without the agents' workers, and the people's clients.

    The orchestrator is a process of its own, the agents are in this one: each would take seconds
    to start. ``tests/kill`` has each as a process.
    """
    async with contextlib.AsyncExitStack() as stack:
        parts = embedded(folder / "parts", workers=False, begin=begun)
        made = await stack.enter_async_context(parts)
        desk = Desk(made, folder, stack.enter_context(Books.of(made.lender)))
        for name in PEOPLE:
            desk.people[name] = await stack.enter_async_context(made.person(name))
        if workers:
            made.start("worker-orchestrator")
            for agent in ACTIVITIES.keys() - {"orchestrator"}:
                await stack.enter_async_context(await _worker(made, agent))
        yield desk


async def _worker(made: Embedded, agent: str) -> Worker:
    key_file = made.folder / "agents" / f"{agent}.key"
    systems = {each: made.lender.url(each) for each in SYSTEMS}
    settings = WorkerSettings(
        key_file=key_file, issuer=made.issuer, temporal_address=made.temporal, systems=systems
    )
    config = AgentConfig(agent, read_key_file(key_file), made.issuer, systems, key_file)
    return await make_worker(config, settings, ACTIVITIES[agent])
