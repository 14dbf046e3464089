"""The scripted demo: every sample packet and more through it all, and the proof of it.

One packet is read by two scripted models as well, and value is moved between rows of a loan. It
plays the people's parts with their own keys, says what happened to each packet, verifies the
ledger and replays every case. What is not as expected is counted and told.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from lender import compliance, inventory, servicing, storage
from lender._service import Database
from lender.embedded import ADMINISTRATOR, Embedded
from lender.model import LoanFile, Move, Moves
from lender.samples import Sample, catalog, plan_for, sample_loans
from lender.scripted import scripted_readers
from lender.serve import LenderSettings
from placet.audit import Report, replay, verify
from placet.cli import fetch_log
from placet.client import OperatorClient
from placet.model import CaseView, CheckpointView, Severity, Verdict, quantity
from placet.process import Process
from workflows.budget_reallocation import PROCESS as REALLOCATION
from workflows.loan_draw import PROCESS
from workflows.loan_draw_read import PROCESS as READ

T = TypeVar("T")
APPROVERS = ("cora", "omar", "sofia", "sam")
REALLOCATORS = ("ines", "omar", "sofia")
"""Who decides on a reallocation, in this order."""

OPENER = "dana"
AUDITOR = "una"
_SECONDS = 120
_MOVED, _NOTHING = Decimal("250.00"), Decimal("0.00")


class DemoFailed(Exception):
    """Something took too long or went another way than a demo can go on from."""


@dataclass
class Played:
    """What came of one sample."""

    sample: Sample
    case: str = ""
    result: str = ""
    findings: tuple[str, ...] = ()
    paid: str = "0.00"
    decisions: int = 0
    troubles: list[str] = field(default_factory=list)


def _accepted(checkpoint: CheckpointView, roles: Iterable[str]) -> dict[str, str]:
    """The exceptions that someone in these roles accepts with an approval."""
    mine = checkpoint.requirement.acceptable_by(frozenset(roles))
    return dict.fromkeys(mine, "looked at by the people of the demo")


@dataclass
class Books:
    """The systems' own databases, as the lender's staff reach them."""

    servicing: Database
    storage: Database
    compliance: Database

    @classmethod
    @contextlib.contextmanager
    def of(cls, settings: LenderSettings) -> Iterator["Books"]:
        """The databases that the lender's settings name, until the end of the block."""
        with (
            settings.database("loan-servicing") as servicing,
            settings.database("document-storage") as kept,
            settings.database("compliance") as screened,
        ):
            yield cls(servicing, kept, screened)

    def take_in(self, loan: LoanFile) -> None:
        """Take a loan into servicing and its payees into compliance."""
        servicing.import_loan(self.servicing, loan)
        compliance.register_payees(self.compliance, loan)

    def loan(self, loan: str) -> LoanFile:
        """A loan as it stands now."""
        return servicing.read_loan(self.servicing, loan)


async def until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """Wait until ``look`` gives something.

    Raises:
        DemoFailed: it did not in two minutes.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                found = await look()
                if found is not None:
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise DemoFailed(f"{what}: nothing came of it in {_SECONDS} seconds") from None


class Script:
    """Plays the samples on embedded parts."""

    def __init__(self, made: Embedded, books: Books, out: Console) -> None:
        self.made = made
        self.books = books
        self.out = out

    async def play(self, samples: tuple[Sample, ...] | None = None) -> int:
        """Play samples, then audit; how many things were not as expected."""
        for loan in sample_loans():
            self.books.take_in(loan)
        played: list[Played] = []
        async with contextlib.AsyncExitStack() as stack:
            people = {
                name: await stack.enter_async_context(self.made.person(name))
                for name in {OPENER, *APPROVERS, *REALLOCATORS, AUDITOR}
            }
            for sample in samples or catalog():
                done = await self.play_one(sample, people)
                played.append(done)
                self._tell(done)
            read = await self._read(people)
            wrong = sum(len(each.troubles) for each in (*played, read))
            case, as_expected = await self._reallocate(people)
            wrong += not as_expected
            wrong += not await self.take_in_others()
            cases = dict.fromkeys((each.case for each in played), PROCESS)
            cases |= {read.case: READ, case: REALLOCATION}
            await self._until_archived(people[AUDITOR], list(cases))
            wrong += await self._audit(people[AUDITOR], cases)
        what = f"{quantity(len(played), 'packet')}, a reading, a reallocation and an inventory"
        came = f"{quantity(wrong, 'thing')} not as expected" if wrong else "everything as expected"
        self.out.print(f"[bold]{what}, {came}[/bold]")
        return wrong

    async def _read(self, people: dict[str, OperatorClient]) -> Played:
        """Let two readers read a clean packet as well, and tell what came of it."""
        clean = next(each for each in catalog() if each.finding is None)
        async with scripted_readers(self.made):
            played = await self.play_one(clean, people, READ)
        denied = [
            each
            for each in await people[AUDITOR].entries("grant.denied")
            if each.get("case") == played.case
        ]
        if len(denied) != 1:
            played.troubles.append("the first reader was to be denied another loan, once")
        self._tell(played, f"{READ.name}: ")
        return played

    async def play_one(
        self, sample: Sample, people: dict[str, OperatorClient], process: Process = PROCESS
    ) -> Played:
        """Take one packet from its files to the end of its case."""
        loan = self.books.loan(sample.loan)
        if sample.loan_change is not None:
            self.books.take_in(sample.loan_change(loan))
            loan = self.books.loan(sample.loan)
        folder = self.made.folder / "packets" / sample.name
        shutil.rmtree(folder, ignore_errors=True)
        sample.write(plan_for(loan), folder)
        files = storage.read_packet_folder(folder)
        storage.store_packet(self.books.storage, loan.loan_id, loan.next_draw, files)
        played = Played(sample)
        before = self._paid(loan.loan_id)
        subject = f"loan/{loan.loan_id}/draw/{loan.next_draw}"
        opened = await people[OPENER].open_case(process.name, subject)
        played.case = str(opened.case)
        view = await self._decide_until_closed(played, people)
        played.result = view.result or ""
        played.paid = f"{(self._paid(loan.loan_id) - before) / 100:.2f}"
        self._judge(played)
        return played

    async def _decide_until_closed(
        self, played: Played, people: dict[str, OperatorClient]
    ) -> CaseView:
        auditor = people[AUDITOR]

        async def look() -> CaseView | CheckpointView | None:
            view = await auditor.case(played.case)
            if view.status in {"closed", "stopped"}:
                return view
            waiting = await auditor.checkpoints("open", played.case)
            return waiting[0] if waiting else None

        while True:
            found: CaseView | CheckpointView = await until(look, played.sample.name)
            if isinstance(found, CaseView):
                return found
            await self._decide(found, played, people)

    async def _decide(
        self, checkpoint: CheckpointView, played: Played, people: dict[str, OperatorClient]
    ) -> None:
        """Everyone who may decide does so, until the checkpoint has an outcome."""
        proposal = checkpoint.evidence.proposal
        played.findings = tuple(
            dict.fromkeys(
                each.check for each in proposal.findings if each.severity is not Severity.INFO
            )
        )
        verdict = Verdict(played.sample.verdict)
        wanted = {role for need in checkpoint.requirement.needs for role in need.roles}
        for name in APPROVERS:
            if not wanted & set(self.made.roles(name)):
                continue
            answer = await people[name].decide(
                checkpoint,
                verdict,
                amount=proposal.amount if verdict is Verdict.APPROVE else None,
                exceptions=_accepted(checkpoint, self.made.roles(name))
                if verdict is Verdict.APPROVE
                else None,
                reason_code=None if verdict is Verdict.APPROVE else "findings",
            )
            played.decisions += 1
            if answer.outcome.status != "open":
                return
        played.troubles.append(f"nobody could end checkpoint {checkpoint.name}")
        raise DemoFailed(f"{played.sample.name}: nobody could end {checkpoint.name}")

    async def _reallocate(self, people: dict[str, OperatorClient]) -> tuple[str, bool]:
        """Move value between two rows of a loan, through the second process."""
        loan = self.books.loan("L-1001")
        rest = {
            row.item: loan.approved_values[row.item] - loan.billed_to_date.get(row.item, _NOTHING)
            for row in loan.schedule
        }
        source, target = max(rest, key=lambda item: rest[item]), min(rest, key=lambda i: rest[i])
        move = Move(from_item=source, to_item=target, amount=_MOVED, reason="the bids are in")
        servicing.request_reallocation(
            self.books.servicing, loan.loan_id, "1", Moves(moves=(move,))
        )
        subject = f"loan/{loan.loan_id}/reallocation/1"
        case = str((await people[OPENER].open_case(REALLOCATION.name, subject)).case)

        async def asked() -> CheckpointView | None:
            return next(iter(await people[AUDITOR].checkpoints("open", case)), None)

        checkpoint = await until(asked, subject)
        for name in REALLOCATORS:
            await people[name].decide(
                checkpoint, Verdict.APPROVE, amount=checkpoint.evidence.proposal.amount
            )

        async def ended() -> CaseView | None:
            view = await people[AUDITOR].case(case)
            return view if view.status in {"closed", "stopped"} else None

        result = (await until(ended, subject)).result
        after = self.books.loan(loan.loan_id)
        moved = after.approved_values[target] - loan.approved_values[target]
        self.out.print(
            f"{REALLOCATION.name:34} {result or 'stopped':10} moved {moved:.2f} from item {source} "
            f"to {target}  {len(REALLOCATORS)} decisions",
            soft_wrap=True,
        )
        as_expected = result == "reallocated" and moved == _MOVED
        if not as_expected:
            self.out.print("  [bold]NOT AS EXPECTED[/bold] the moves were to be done once")
        return case, as_expected

    async def take_in_others(self) -> bool:
        """Take in identities that others own; whether the reports name what is wrong with them."""
        async with self.made.person(ADMINISTRATOR) as administrator:
            lines = await inventory.take_in(administrator, datetime.now(UTC))
        for line in lines:
            self.out.print(
                f"{line.identity:34} {line.report:10} {escape(line.why)}; {escape(line.mend)}",
                soft_wrap=True,
            )
        as_expected = {(line.report, line.identity) for line in lines} == inventory.WRONG
        if not as_expected:
            self.out.print("  [bold]NOT AS EXPECTED[/bold] the reports name others than are wrong")
        return as_expected

    def _judge(self, played: Played) -> None:
        sample = played.sample
        if played.result != sample.result:
            played.troubles.append(f"ended as {played.result}, expected {sample.result}")
        if sample.finding is None and played.findings:
            played.troubles.append(f"findings in a clean packet: {', '.join(played.findings)}")
        if sample.finding is not None and sample.finding not in played.findings:
            played.troubles.append(f"{sample.finding} was not found")
        if (sample.result == "disbursed") != (played.paid != "0.00"):
            played.troubles.append(f"{played.paid} was paid")

    def _paid(self, loan: str) -> int:
        return sum(row.amount_cents for row in servicing.payments_made(self.books.servicing, loan))

    def _tell(self, played: Played, before: str = "") -> None:
        found = ", ".join(played.findings) or "no finding"
        self.out.print(
            f"{before + played.sample.name:34} {played.result:10} paid {played.paid:>11}  "
            f"{quantity(played.decisions, 'decision')}  {escape(found)}",
            soft_wrap=True,
        )
        for trouble in played.troubles:
            self.out.print(f"  [bold]NOT AS EXPECTED[/bold] {escape(trouble)}")

    # --- the audit ----------------------------------------------------------------------------

    async def _until_archived(self, auditor: OperatorClient, cases: list[str]) -> None:
        for case in cases:

            async def look(case: str = case) -> CaseView | None:
                view = await auditor.case(case)
                return view if view.archived else None

            await until(look, f"the archive of {case}")
        await until(lambda: _head_over_all(auditor), "a head that covers the archives")

    async def _audit(self, auditor: OperatorClient, cases: dict[str, Process]) -> int:
        trust = {
            "log_key": self.made.log_key,
            "administrators": list(self.made.administrators),
        }
        files = await fetch_log(auditor, trust=trust)
        self.out.print("[bold]the ledger, verified[/bold]")
        verified = verify(files)
        wrong = self._report(verified)
        wrong += verified.checked.get("closed cases not archived", 0)
        reports = [await replay(files, case, [of.workflow]) for case, of in cases.items()]
        activities = sum(each.checked.get("activities", 0) for each in reports)
        self.out.print(
            f"[bold]{quantity(len(reports), 'case')} replayed, "
            f"{quantity(activities, 'activity', 'activities')} reconciled[/bold]"
        )
        for report in reports:
            wrong += self._report(report, quiet=True)
        return wrong

    def _report(self, report: Report, *, quiet: bool = False) -> int:
        if not quiet:
            for what, count in report.checked.items():
                self.out.print(f"  {escape(what)}: {count}")
        for trouble in report.troubles:
            self.out.print(
                f"  [bold]DOES NOT HOLD[/bold] {escape(trouble.name)} at {escape(trouble.place)}: "
                f"{escape(trouble.found)}"
            )
        return len(report.troubles)


async def _head_over_all(auditor: OperatorClient) -> str | None:
    """The newest head, if it covers every entry: an audit judges what lies beneath it."""
    note, head = await auditor.head(), auditor.kept_head
    if head is None:
        return None
    beyond = await auditor.get(f"/v1/ledger/entries?from={head.size}&limit=1")
    return None if beyond["entries"] else note
