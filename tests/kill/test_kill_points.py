"""Parts killed (SIGKILL) at named steps of a case: it ends once, right, nothing lost (I11).

The points are the code's own steps. After each kill the part is started again, as a supervisor
would; then the payments, the decisions, the ledger and the replay are held against each other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from lender import storage
from lender.demo import Books
from lender.embedded import Embedded, embedded
from lender.model import LoanFile, Move, Moves
from lender.samples import make_loan, plan_for, write_packet
from lender.servicing import payments_made, request_reallocation
from placet.audit import replay, verify
from placet.cli import fetch_log
from placet.model import CaseView, CheckpointView
from tests.harness.forked import begun
from tests.harness.outages import approve, until
from workflows.budget_reallocation import PROCESS as REALLOCATION
from workflows.loan_draw import PROCESS

pytestmark = pytest.mark.asyncio(loop_scope="module")

Kills = dict[str, tuple[str, ...]]

IN_A_DRAW: dict[str, Kills] = {
    "workers": {
        "worker-draw-intake": ("agent.before-grant",),
        "worker-draw-analyst": ("agent.after-grant",),
        "worker-disbursement": ("agent.before-settle", "agent.after-settle"),
        "worker-orchestrator": ("agent.after-settle",),
    },
    "authority-starting": {
        "authority": (
            "case.before-start",
            "case.after-start",
            "grant.before-answer",
            "settle.before-answer",
        )
    },
    "authority-asking": {
        "authority": (
            "checkpoint.before-answer",
            "decision.before-answer",
            "outbox.after-signal",
            "close.before-answer",
        )
    },
    "authority-keeping": {
        "authority": ("store.before-commit", "store.after-commit", "archive.before-seal")
    },
    "lender": {
        "lender": ("servicing.after-intent", "servicing.before-commit", "servicing.after-commit")
    },
}
"""The parts that are killed in one draw, each at these points, one after the other."""

IN_A_REALLOCATION: Kills = {
    "worker-disbursement": ("agent.before-settle",),
    "authority": ("checkpoint.before-answer",),
    "lender": ("servicing.after-commit",),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    """All parts, each a process of its own."""
    async with embedded(tmp_path_factory.mktemp("kill"), begin=begun) as parts:
        yield parts


@contextlib.asynccontextmanager
async def _killed(made: Embedded, kills: Kills, folder: Path) -> AsyncIterator[None]:
    """Parts that die at their points, and are started again as a supervisor would.

    At the end each has died at every one of its points, and runs on without any. ``folder`` says
    which: it stays as long as the parts.
    """
    folder.mkdir()
    extra: dict[str, dict[str, str]] = {}
    for part, points in kills.items():
        (folder / part).mkdir()
        extra[part] = {"PLACET_KILL_AT": ",".join(points), "PLACET_KILL_ONCE": str(folder / part)}
        made.stop(part)
        made.start(part, extra[part])

    async def supervise() -> None:
        while True:
            for part, process in tuple(made.parts.items()):
                if process.poll() is not None:
                    made.start(part, extra.get(part))
            await asyncio.sleep(0.05)

    supervising = asyncio.create_task(supervise())
    try:
        yield
    finally:
        supervising.cancel()
        await asyncio.gather(supervising, return_exceptions=True)
    for part, points in kills.items():
        died = {each.name for each in (folder / part).iterdir()}
        assert died == set(points), f"{part} never came to {set(points) - died}"


def _loan(loan_id: str) -> LoanFile:
    return make_loan(
        loan_id,
        "Kill Point Row",
        "Kill Point LLC",
        "1 Kill Point Road, Oakland CA",
        Decimal("300000.00"),
        30,
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("which", IN_A_DRAW)
async def test_a_draw_ends_once_and_right_whatever_is_killed(
    made: Embedded, tmp_path: Path, which: str
) -> None:
    """I11, I4: one payment each, one decision, a whole ledger, a case that replays."""
    loan = _loan(f"L-{2000 + list(IN_A_DRAW).index(which)}")
    plan = plan_for(loan)
    files = storage.read_packet_folder(write_packet(plan, tmp_path / "packet"))
    with Books.of(made.lender) as books:
        books.take_in(loan)
        storage.store_packet(books.storage, loan.loan_id, 1, files)
    async with (
        _killed(made, IN_A_DRAW[which], made.folder / f"kills-{which}"),
        made.person("dana") as dana,
        made.person("omar") as omar,
        made.person("una") as una,
    ):

        async def opened() -> str | None:
            found = [c for c in await una.cases() if c.subject == f"loan/{loan.loan_id}/draw/1"]
            if found:
                return found[0].id
            return (await dana.open_case(PROCESS.name, f"loan/{loan.loan_id}/draw/1")).case

        case = await until(opened)

        async def waiting() -> CheckpointView | None:
            found = await una.checkpoints("open", case)
            return found[0] if found else None

        await approve(omar, await until(waiting))

        async def archived() -> CaseView | None:
            view = await una.case(case)
            assert view.status != "stopped", view.stopped_for
            return view if view.archived else None

        view = await until(archived, 240)
        files_of_log = await fetch_log(
            una, trust={"log_key": made.log_key, "administrators": made.administrators}
        )
    assert view.result == "disbursed"
    with Books.of(made.lender) as books:
        payments = payments_made(books.servicing, loan.loan_id)
    assert sum(each.amount_cents for each in payments) == int(plan.request_total * 100)
    assert len(payments) == len(plan.request_payees)
    report = verify(files_of_log)
    assert report.troubles == ()
    assert report.trusted
    replayed = await replay(files_of_log, case, [PROCESS.workflow])
    assert replayed.troubles == ()
    recorded = [each for each in files_of_log.entries if b'"decision.recorded"' in each]
    assert sum(case.encode() in each for each in recorded) == 1


@pytest.mark.timeout(400)
async def test_a_budget_changes_once_and_right_whatever_is_killed(made: Embedded) -> None:
    """I11, I4: the moves are done once, on three people's word, each of which counts once."""
    loan = _loan("L-2500")
    first, second = (each.item for each in loan.schedule[:2])
    move = Move(from_item=first, to_item=second, amount=Decimal("10.00"), reason="the bids")
    with Books.of(made.lender) as books:
        books.take_in(loan)
        request_reallocation(books.servicing, loan.loan_id, "1", Moves(moves=(move,)))
    subject = f"loan/{loan.loan_id}/reallocation/1"
    async with contextlib.AsyncExitStack() as stack:
        folder = made.folder / "kills-reallocation"
        await stack.enter_async_context(_killed(made, IN_A_REALLOCATION, folder))
        people = {
            name: await stack.enter_async_context(made.person(name))
            for name in ("dana", "ines", "omar", "sofia", "una")
        }

        async def opened() -> str | None:
            found = [c for c in await people["una"].cases() if c.subject == subject]
            if found:
                return found[0].id
            return (await people["dana"].open_case(REALLOCATION.name, subject)).case

        case = await until(opened)

        async def waiting() -> CheckpointView | None:
            found = await people["una"].checkpoints("open", case)
            return found[0] if found else None

        checkpoint = await until(waiting)
        for name in ("ines", "omar", "sofia"):
            await approve(people[name], checkpoint)

        async def closed() -> CaseView | None:
            view = await people["una"].case(case)
            assert view.status != "stopped", view.stopped_for
            return view if view.status == "closed" else None

        view = await until(closed, 240)
        log = await fetch_log(people["una"])
    assert view.result == "reallocated"
    with Books.of(made.lender) as books:
        after = books.loan(loan.loan_id)
    assert [(each.amount, each.approved_by) for each in after.reallocations] == [
        (Decimal("10.00"), case)
    ]
    assert after.version == loan.version + 1
    recorded = [each for each in log.entries if b'"decision.recorded"' in each]
    assert sum(case.encode() in each for each in recorded) == len(("ines", "omar", "sofia"))
